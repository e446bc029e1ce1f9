/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Is this ELF file a CPython that we can prove, and where are the instructions to probe? Reads the file through an
 * open fd only, never runs it. Every offset, size and count in the file is hostile input.
 * Facts: CPython 3.6-3.15 sources; the comments in target*.c name function and version.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lmmsd/event.h"
#include "lmmsd/interp.h"

/* A probed instruction: where, and what BPF must know of it. */
struct target_site {
	uint64_t file_offset;	/* for the attach */
	uint64_t sema_offset;	/* file offset of the USDT semaphore; 0: none */
	struct lmmsd_site site; /* .interp is left 0: the caller numbers it */
};

#define TARGET_MAX_NEEDED 64

/* What target_open() found. Owned strings; free with target_free(). */
struct target {
	bool is_python;	       /* defines PyImport_ImportModuleLevelObject: the fields below hold */
	uint32_t version;      /* PY_VERSION_HEX, e.g. 0x030b02f0 */
	char version_text[16]; /* "3.11.2" */
	uint16_t machine;      /* EM_X86_64 or EM_AARCH64 */
	uint8_t probe;	       /* LMMSD_PROBE_*: the best that this file offers */
	uint8_t interp_flags;  /* LMMSD_INTERP_* that the found sites give */
	struct lmmsd_interp interp;
	struct target_site site[LMMSD_SITES_PER_INTERP];
	size_t n_sites;
	/* Why it is refused though it is a Python (PyPy, debug or free-threaded build, unknown version, foreign machine). */
	char *refused; /* NULL: accepted */
	/* Why a better probe than `probe` was not possible; for --check. NULL: nothing better exists. */
	char *degraded;
	/* For files that are no Python themselves: shared libraries they ask for, to look at next. */
	char *needed[TARGET_MAX_NEEDED];
	size_t n_needed;
	char *runpath; /* DT_RUNPATH or DT_RPATH, unexpanded; NULL: none */
};

enum target_want {
	TARGET_WANT_AUTO = 0,
	TARGET_WANT_USDT = LMMSD_PROBE_USDT,
	TARGET_WANT_CALLSITE = LMMSD_PROBE_CALLSITE,
	TARGET_WANT_ENTRY = LMMSD_PROBE_ENTRY,
};

/*
 * Examines fd (borrowed; regular file, read with pread/mmap-free access so that a truncation cannot kill us).
 * name: the path to show in messages and to guess <= 3.10 versions from (libpython3.9.so.1.0, python3.9); borrowed.
 * 0: *ret is set (look at is_python and refused). -ENOEXEC: no ELF file of this machine's class. Other negative
 * errno: it could not be read. A wanted probe kind that the file does not offer sets `refused`.
 */
int target_open(int fd, const char *name, enum target_want want, struct target **ret);
struct target *target_free(struct target *t); /* NULL */
static inline void target_freep(struct target **t)
{
	(void)target_free(*t);
}
