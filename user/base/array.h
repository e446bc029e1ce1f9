/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Arrays that double when they are full. */
#pragma once
#include <errno.h>
#include <stdlib.h>

static inline void *array_grown(void *array, size_t size, size_t *cap)
{
	size_t more = *cap ? *cap * 2 : 16;
	void *p = reallocarray(array, more, size);

	if (p)
		*cap = more;
	return p;
}

/* Room for one element behind the n that the array p has. 0; -ENOMEM: p and cap are as they were. */
#define ARRAY_ROOM(p, n, cap)                                                                      \
	({                                                                                         \
		int r_ = 0;                                                                        \
		if ((n) >= (cap)) {                                                                \
			size_t cap_ = (cap);                                                       \
			void *p_ = array_grown((p), sizeof(*(p)), &cap_);                          \
			if (p_) {                                                                  \
				(p) = p_;                                                          \
				(cap) = (__typeof__(cap))cap_;                                     \
			}                                                                          \
			r_ = p_ ? 0 : -ENOMEM;                                                     \
		}                                                                                  \
		r_;                                                                                \
	})
