/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* The configuration file. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>

#include "app/config.h"
#include "base/fdio.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(config_freep) struct config *c = NULL;
	_close_ int fd = memfd_create("config", MFD_CLOEXEC);
	_buf_ struct buf error = {0};
	char path[32];
	int r;

	if (fd < 0 || fdio_write_all(fd, data, size) < 0 || config_new(&c) < 0)
		return 0;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	r = config_read(c, path, &error);
	/* an error always says why, and only an error does */
	if ((r == 0) != (error.len == 0))
		__builtin_trap();
	return 0;
}
