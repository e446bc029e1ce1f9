/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Excerpts of interpreters: the file's size, then runs of its bytes { offset, length, bytes }, numbers of 8 bytes; all else
 * is zero. tests/tools/excerpt.c writes them with the bytes that target_open() looks at, and nothing else of the file.
 */
#pragma once
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "probe/target.h"

static inline int write_all(int fd, const uint8_t *b, size_t n, uint64_t offset)
{
	while (n > 0) {
		ssize_t r = pwrite(fd, b, n, (off_t)offset);

		if (r <= 0)
			return -EIO;
		b += r;
		n -= (size_t)r;
		offset += (uint64_t)r;
	}
	return 0;
}

/* The file in memory, or a negative errno. */
static inline int excerpt_open(const char *path)
{
	_close_ int fd = memfd_create("excerpt", MFD_CLOEXEC);
	uint64_t size, run[2];
	uint8_t bytes[4096];
	FILE *f = fopen(path, "re");
	int r = -EINVAL;

	if (f && fd >= 0 && fread(&size, sizeof(size), 1, f) == 1)
		r = ftruncate(fd, (off_t)size);
	while (r == 0 && fread(run, sizeof(run), 1, f) == 1)
		for (uint64_t n; r == 0 && run[1] > 0; run[1] -= n, run[0] += n) {
			n = run[1] < sizeof(bytes) ? run[1] : sizeof(bytes);
			r = fread(bytes, 1, n, f) == n ? write_all(fd, bytes, n, run[0]) : -EIO;
		}
	if (f)
		(void)fclose(f);
	return r < 0 ? r : TAKE_FD(fd);
}

/* What was found, one line each. */
static inline void excerpt_describe(FILE *out, const struct target *t)
{
	static const char *const kinds[LMMSD_SITE_KINDS] = {
		[LMMSD_SITE_USDT_START] = "usdt_start",	  [LMMSD_SITE_USDT_DONE] = "usdt_done",
		[LMMSD_SITE_CALL_START] = "call_start",	  [LMMSD_SITE_CALL_DONE] = "call_done",
		[LMMSD_SITE_IMPORT] = "import",		  [LMMSD_SITE_IMPORT_RET] = "import_ret",
		[LMMSD_SITE_BODY_START] = "body_start",	  [LMMSD_SITE_BODY_DONE] = "body_done",
		[LMMSD_SITE_IMPORT_LOAD] = "import_load", [LMMSD_SITE_EXT_EXEC] = "ext_exec",
		[LMMSD_SITE_COMPILE] = "compile",
	};

	fprintf(out, "%s probe %u flags 0x%x runtime 0x%" PRIx64 "\n", t->version_text, t->probe,
		t->interp_flags, t->interp.runtime_va);
	if (t->refused)
		fprintf(out, "refused: %s\n", t->refused);
	if (t->degraded)
		fprintf(out, "degraded: %s\n", t->degraded);
	for (size_t i = 0; i < t->n_sites; i++) {
		const struct lmmsd_site *s = &t->site[i].site;

		fprintf(out, "%-11s 0x%" PRIx64 " at 0x%" PRIx64 " sp+%d%s", kinds[s->kind], s->va,
			t->site[i].file_offset, s->sp_delta, s->method_proven ? " proven" : "");
		for (size_t k = 0; k < ARRAY_LEN(s->arg); k++)
			if (s->arg[k].how != 0)
				fprintf(out, " %zu=%u:%u%+d:%u", k, s->arg[k].how, s->arg[k].reg,
					s->arg[k].off, s->arg[k].size);
		fprintf(out, "\n");
	}
}
