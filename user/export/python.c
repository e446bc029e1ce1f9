/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "export/python.h"

#include <stdio.h>

const char *python_version(uint32_t hex, char text[PYTHON_VERSION_SIZE])
{
	unsigned int level = hex >> 4 & 0xf, serial = hex & 0xf;
	const char *name = level == 0xa ? "a" : level == 0xb ? "b" : level == 0xc ? "rc" : "";
	int n;

	if (!hex)
		return NULL;
	n = snprintf(text, PYTHON_VERSION_SIZE, "%u.%u.%u", hex >> 24, hex >> 16 & 0xff,
		     hex >> 8 & 0xff);
	if (*name && n > 0 && n < PYTHON_VERSION_SIZE)
		(void)snprintf(text + n, PYTHON_VERSION_SIZE - (size_t)n, "%s%u", name, serial);
	return text;
}
