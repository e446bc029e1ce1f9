/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Where a module's file stands below its entry of sys.path. Text only. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct place {
	size_t site_len; /* of file: the directory that holds the top-level package or module, without a '/' behind it */
	const char *rel; /* in file: path below the site directory */
};
/* false: file is not an absolute path that can be taken apart. */
bool place_find(const char *module, const char *file, struct place *ret);
/* Does the directory (len bytes) hold the standard library: ".../pythonX.Y", its lib-dynload, pythonXY.zip? */
bool place_is_stdlib(const char *dir, size_t len);
/* The file's name up to its first dot: "mod" of "mod.cpython-311-x86_64-linux-gnu.so". */
size_t place_stem(const char *name, size_t len);
/* Is it a file that holds a module: .py, .pyc, .so? */
bool place_is_module_file(const char *name, size_t len);
