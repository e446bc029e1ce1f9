/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Whose a module's file is, as far as its path tells. */
#pragma once
#include <stdbool.h>

/* Installed by a package manager, or Python's own; not the program's. */
bool installed_file(const char *file);
