/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* A temporary directory in which a test works. */
#pragma once
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/fdio.h"

static char dir[] = "/tmp/lmmsd-test.XXXXXX";

static inline int make_dir(void **state _unused_)
{
	return mkdtemp(dir) ? chdir(dir) : -1;
}

/* A test takes away what it made. */
static inline int remove_dir(void **state _unused_)
{
	return chdir("/") < 0 ? -1 : rmdir(dir);
}

static inline void expect_file(const char *path, const char *want)
{
	_buf_ struct buf b = {0};

	assert_int_equal(fdio_read_file(AT_FDCWD, path, 1 << 20, &b), 0);
	assert_string_equal(buf_str(&b), want);
}
