/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * A mergeable quantile sketch of durations. Buckets are 1/74 of an octave wide, in integer arithmetic, so that every
 * host puts a value into the same bucket: quantiles are within 0.5 % of a value of that rank from 1 us to 1 h. Below
 * that it cannot tell values apart, above it the last bucket takes them; count, sum, min and max are exact. Merging is
 * exact, so associative and commutative. At most SKETCH_BUCKETS buckets, whatever comes.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define SKETCH_MIN_NS 1000
#define SKETCH_MAX_NS 3600000000000
#define SKETCH_BUCKETS 2351
#define SKETCH_ACCURACY 0.005
/* No serialised sketch is longer. */
#define SKETCH_BYTES_MAX (64 + SKETCH_BUCKETS * 12)

/* All zero is an empty sketch. Read count to max_ns freely; add only by the calls below. */
struct sketch {
	uint64_t count;
	uint64_t sum_ns; /* saturates */
	uint64_t min_ns; /* 0 while empty */
	uint64_t max_ns;
	uint64_t *buckets; /* owned, sorted by index: index << 52 | count */
	uint32_t n, cap;
};

int sketch_add(struct sketch *s, uint64_t ns);			/* 0, -ENOMEM */
int sketch_add_n(struct sketch *s, uint64_t ns, uint64_t n);	/* n times the same */
int sketch_merge(struct sketch *to, const struct sketch *from); /* 0, -ENOMEM: to is as it was */
int sketch_copy(const struct sketch *s,
		struct sketch *ret); /* 0, -ENOMEM; ret needs sketch_free() */
bool sketch_equal(const struct sketch *a, const struct sketch *b);
void sketch_free(struct sketch *s); /* leaves it empty */
#define _sketch_ _cleanup_(sketch_free)

/* q in [0, 1]: the value of rank ceil(q * count), at least 1. 0 when empty. */
uint64_t sketch_quantile(const struct sketch *s, double q);
/* The value of a rank in [1, count] (clamped): for order-statistic intervals. 0 when empty. */
uint64_t sketch_rank(const struct sketch *s, uint64_t rank);
/* The arithmetic mean in ns; 0 when empty. */
double sketch_mean(const struct sketch *s);
/* n values at evenly spaced ranks, in rising order: a sample for tests that want values. n <= count. */
void sketch_sample(const struct sketch *s, uint64_t *ret, size_t n);

/* Adds the serialised form to b (first byte: its version); buf_error() says if memory was short. */
void sketch_write(const struct sketch *s, struct buf *b);
/* Adds what was serialised to *to. -EBADMSG: not such bytes, *to is as it was; -EPROTO: of a newer version; -ENOMEM. */
int sketch_merge_bytes(struct sketch *to, const void *data, size_t len);
