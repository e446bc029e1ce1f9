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

enum { LOOKUP_MODULES, LOOKUP_ANSWERS };

struct lookup_ask {
	uint64_t start_ns;
	int64_t started_ns; /* Unix time of the process's begin */
	uint64_t until_ns;  /* CLOCK_MONOTONIC: no further module is begun */
	uint32_t tgid;
	uint32_t version;
	uint32_t n_modules;
	uint32_t bytes; /* of all that follows */
	uint8_t what; /* LOOKUP_MODULES; LOOKUP_ANSWERS: the descriptor is a file's, and its first byte shall be read */
	uint8_t pad_[7];
};

struct lookup_module {
	uint16_t name_len;
	uint16_t file_len; /* 0: not known */
	uint8_t loaded;
	uint8_t pad_[3];
};

struct lookup_end {
	uint32_t cut; /* the time was up before all were looked at */
};

/* lookup_start.c: fd becomes its LOOKUP_FD. 0, negative errno. */
int lookup_spawn(int fd, pid_t *ret);
