/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* How CPython's version is said. Only within export/. */
#pragma once
#include <stdint.h>

#define PYTHON_VERSION_SIZE 32

/* PY_VERSION_HEX as "3.11.2" or "3.14.0rc1"; NULL: not known. Returns text. */
const char *python_version(uint32_t hex, char text[PYTHON_VERSION_SIZE]);
