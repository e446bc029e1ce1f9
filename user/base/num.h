/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Strict numbers: the whole string, in range, or -EINVAL / -ERANGE; *ret is untouched on failure. */
#pragma once
#include <stdint.h>

int num_u64(const char *s, uint64_t min, uint64_t max, uint64_t *ret);
int num_double(const char *s, double min, double max, double *ret);
