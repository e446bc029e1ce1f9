/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* A decoded event: what decode/ makes of a record and graph/ reads. Data only. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "lmmsd/event.h"

/* All strings are valid UTF-8, NUL-terminated, borrowed until the next decode; never NULL ("" when absent). */
struct ev_where {
	uint64_t frame;
	uint64_t code;
	uint32_t flags; /* LMMSD_WHERE_* */
	int32_t firstlineno;
	int32_t instr;
	const char *importer; /* "" when not known */
	const char *file;
	const char *func;
	const uint8_t *linetab; /* borrowed */
	uint16_t linetab_len;
	int32_t line; /* of the instruction, from linetab; 0: not known */
};

struct ev {
	uint16_t kind; /* LMMSD_EV_* */
	uint32_t tgid;
	uint32_t tid;
	uint64_t start_ns;
	uint64_t ts_ns;
	uint32_t spent_ns; /* that probes took of this thread since its last event */
	uint32_t interp;
	union {
		struct {
			uint32_t flags, ppid, uid;
			uint64_t exec_ns, cgroup_id;
			uint64_t root_ino; /* inode of the root directory */
			uint32_t mnt_ns;   /* mount namespace's number */
			const char *comm;
			const char *exe;    /* absolute path, "/usr/bin/python3.11" */
			const char *cgroup; /* "/system.slice/x.service" */
			const char *cwd;    /* working directory, absolute; "": "/", or not known */
			const char *cmdline; /* argv strings, each ended by NUL */
			uint32_t cmdline_len;
		} proc;
		struct {
			uint32_t child_tgid;
			uint64_t child_start_ns;
		} fork;
		struct {
			int32_t status;
			uint32_t flags;
		} exit;
		struct { /* LOAD_START, LAZY, and BODY_START */
			uint64_t sp;
			const char *name;
			const char *body_file; /* BODY_START only */
			bool unsure; /* may be no load but a cached import: entry probe only */
			struct ev_where where;
		} load;
		struct { /* LOAD_DONE, BODY_DONE */
			uint64_t sp, frame;
			int32_t found;
		} done;
		struct {
			const char *name;
			const char *file; /* "" for a built-in */
		} ext;
		struct {
			const char *file;
		} compile;
		struct {
			bool keyed; /* counted in the kernel under this key; false: one use, of which key has only the level */
			struct lmmsd_use_key key;
			const char *name;    /* as given */
			const char *package; /* __package__ */
			uint8_t flags;	     /* LMMSD_USEF_* */
			struct ev_where where;
		} use;
		struct {
			struct lmmsd_use_key key;
			uint64_t count;
		} uses;
		struct {
			int64_t realtime_offset_ns;
			const char *name, *kernel, *arch, *boot_id, *version;
			uint8_t usage;
		} host;
		struct {
			uint32_t version;
			uint8_t probe, flags;
			const char *path;
		} interp_info;
		struct {
			uint64_t count[LMMSD_LOST_SLOTS];
		} lost;
		struct {
			const char *name, *dist, *version, *file;
			uint8_t kind;
		} dist;
		struct {
			uint64_t ino;
			uint32_t ctime_s, ctime_ns;
		} exe;
	};
};
