/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "base/installed.h"

#include <stddef.h>
#include <string.h>

bool installed_file(const char *file)
{
	static const char *const parts[] = {"/site-packages/", "/dist-packages/", "/lib/python",
					    "/lib64/python", ".zip/"};

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (strstr(file, parts[i]))
			return true;
	return *file == '<';
}
