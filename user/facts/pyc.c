/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Header of a .pyc (PEP 552, Lib/importlib/_bootstrap_external.py): magic, flags, then source mtime and size (flags 0)
 * or a hash. 3.6 has no flags.
 */
#include "facts/pyc.h"

#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "facts/open.h"
#include "lmmsd/event.h"

#define HEADER 16

static uint32_t little32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* Was it made from this source? */
static bool fits(const uint8_t *head, uint32_t version, const struct stat *source)
{
	const uint8_t *p = head + 4;

	if (version >= 0x03070000) {
		if (little32(p) != 0)
			return true; /* by hash */
		p += 4;
	}
	return little32(p) == (uint32_t)source->st_mtim.tv_sec &&
	       little32(p + 4) == (uint32_t)source->st_size;
}

/* "/dir/__pycache__/mod.cpython-311.opt-1.pyc" */
static void cache_path(const char *file, uint32_t version, const char *opt, struct buf *ret)
{
	const char *name = strrchr(file, '/') + 1;

	buf_add(ret, file, (size_t)(name - file));
	buf_adds(ret, "__pycache__/");
	buf_add(ret, name, strlen(name) - strlen(".py"));
	buf_addf(ret, ".cpython-%u%u%s.pyc", version >> 24, version >> 16 & 0xff, opt);
}

/* When this .pyc was written, if it is usable; INT64_MAX: it is not. */
static int64_t usable_since(int root_fd, const char *path, uint32_t version,
			    const struct stat *source)
{
	_close_ int fd = facts_open_file(root_fd, path);
	uint8_t head[HEADER];
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return INT64_MAX;
	if (pread(fd, head, HEADER, 0) != HEADER || !fits(head, version, source))
		return INT64_MAX;
	return st.st_ctim.tv_sec * 1000000000 + st.st_ctim.tv_nsec;
}

int pyc_look(int root_fd, const char *file, uint32_t version, struct pyc_look *ret)
{
	static const char *const opts[] = {"", ".opt-1", ".opt-2"};
	struct pyc_look look = {.usable_ns = INT64_MAX};
	struct stat source;
	int r;

	if (file[0] != '/' || !text_ends_with(file, ".py"))
		return -EINVAL;
	r = facts_stat(root_fd, file, &source);
	if (r < 0)
		return r == -ENOTDIR ? -ENOENT : r;
	if (!S_ISREG(source.st_mode))
		return -ENOENT;
	for (size_t i = 0; i < ARRAY_LEN(opts); i++) {
		_buf_ struct buf path = {};
		int64_t since;

		cache_path(file, version, opts[i], &path);
		if (buf_error(&path))
			return -ENOMEM;
		since = usable_since(root_fd, buf_str(&path), version, &source);
		if (since < look.usable_ns)
			look.usable_ns = since;
	}
	*ret = look;
	return 0;
}

uint8_t pyc_judge(const struct pyc_look *look, int64_t start_ns)
{
	return look->usable_ns <= start_ns ? LMMSD_KIND_BYTECODE : LMMSD_KIND_SOURCE;
}

int pyc_kind(int root_fd, const char *file, uint32_t version, int64_t start_ns, uint8_t *ret)
{
	struct pyc_look look;
	int r;

	r = pyc_look(root_fd, file, version, &look);
	if (r < 0)
		return r;
	*ret = pyc_judge(&look, start_ns);
	return 0;
}
