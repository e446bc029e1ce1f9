/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * What passes between lookup.c and lookup_serve.c, on a stream socket. Question: struct lookup_ask, with the root's
 * descriptor beside it; n_modules times struct lookup_module, its name, its file. Answer: any number of uint32_t
 * length and record, then a length of 0 and a struct lookup_end.
 */
#pragma once
#include <stdint.h>
#include <sys/types.h>

#define LOOKUP_FD 3 /* the socket, in the other process */

#define LOOKUP_MAX_PATH 4095

/*
 * LOOKUP_ANSWERS: the descriptor is a file's, and its first byte shall be read. LOOKUP_OPEN: the text names a file in the root,
 * whose descriptor comes with the answer. LOOKUP_WALK: the text is the directories to pass by, each ended by a NUL; the answer's
 * records are one of the kinds below and a path.
 */
enum { LOOKUP_MODULES, LOOKUP_ANSWERS, LOOKUP_OPEN, LOOKUP_WALK };
enum { LOOKUP_AT = 1, LOOKUP_FOUND, LOOKUP_LEFT };

struct lookup_ask {
	uint64_t start_ns;
	int64_t started_ns; /* Unix time of the process's begin */
	uint64_t until_ns;  /* CLOCK_MONOTONIC: no further module is begun */
	uint32_t tgid;
	uint32_t version;
	uint32_t n_modules;
	uint32_t bytes; /* of all that follows */
	uint8_t what;
	uint8_t pad_[7];
};

struct lookup_module {
	uint16_t name_len;
	uint16_t file_len; /* 0: not known */
	uint8_t loaded;
	uint8_t pad_[3];
};

struct lookup_end {
	uint32_t dist_cut; /* times that metadata were more than is read */
	uint32_t cut;	   /* times that a limit, or the time, ended it */
	uint32_t error;	   /* errno, of the question; 0 */
};

/* lookup_start.c: fd becomes its LOOKUP_FD. 0, negative errno. */
int lookup_spawn(int fd, pid_t *ret);

/* lookup_go.c: one answer each, in the other process. 0, negative errno: nothing more can be said. */
int lookup_serve_answers(int path_fd);
int lookup_serve_open(int root_fd, const char *path);
int lookup_serve_walk(int root_fd, const char *pass_by, size_t len);
