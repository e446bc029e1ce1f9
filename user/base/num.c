/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "base/num.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

int num_u64(const char *s, uint64_t min, uint64_t max, uint64_t *ret)
{
	uint64_t v = 0;

	if (!*s)
		return -EINVAL;
	/* All characters first: "99999999999999999999x" is no number, rather than a large one. */
	if (s[strspn(s, "0123456789")])
		return -EINVAL;
	for (; *s; s++) {
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*s - '0'), &v))
			return -ERANGE;
	}
	if (v < min || v > max)
		return -ERANGE;
	*ret = v;
	return 0;
}

int num_double(const char *s, double min, double max, double *ret)
{
	locale_t c;
	char *end;
	double v;

	/* strtod() also takes blanks, hexadecimal, "inf" and "nan". */
	if (!*s || s[strspn(s, "0123456789.eE+-")] || *s == '+')
		return -EINVAL;
	/* Always a point, whatever the locale of the program says. */
	c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	if (!c)
		return -ENOMEM;
	v = strtod_l(s, &end, c);
	freelocale(c);
	if (end == s || *end)
		return -EINVAL;
	if (!isfinite(v) || v < min || v > max)
		return -ERANGE;
	*ret = v;
	return 0;
}
