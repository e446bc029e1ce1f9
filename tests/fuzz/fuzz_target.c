/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* An ELF file of whatever bytes. */
#include <sys/mman.h>

#include "base/cleanup.h"
#include "probe/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(target_freep) struct target *t = NULL;
	_close_ int fd = memfd_create("fuzz", MFD_CLOEXEC);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		return 0;
	(void)target_open(fd, "/usr/lib/libpython3.9.so.1.0", TARGET_WANT_AUTO, &t);
	return 0;
}
