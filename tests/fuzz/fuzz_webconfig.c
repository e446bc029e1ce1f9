/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* The web configuration file. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "web/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(web_config_freep) struct web_config *c = NULL;
	_buf_ struct buf error = {0};
	int r;

	/* files that it names are not to be read: a device could keep us waiting */
	if (memmem(data, size, "file", 4) && memmem(data, size, "/dev", 4))
		return 0;
	r = web_config_parse("/proc/self/nowhere/web.yml", (const char *)data, size, &c, &error);
	/* an error always says why, and only an error does */
	if ((r == 0) != (error.len == 0) || (r == 0) != (c != NULL))
		__builtin_trap();
	return 0;
}
