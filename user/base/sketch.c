/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "base/sketch.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/varint.h"

#define PER_OCTAVE 74
#define OCTAVE_MIN 9   /* of SKETCH_MIN_NS */
#define INDEX_SHIFT 70 /* SKETCH_MIN_NS has index 1; what is below it has 0 */
#define VERSION 1
#define COUNT_BITS 52
#define COUNT_MAX ((1ULL << COUNT_BITS) - 1)

/* floor(2^31 * 2^(i / 74)): where the buckets of an octave begin. Written down, since libm differs between hosts. */
static const uint32_t begins[PER_OCTAVE] = {
	0x80000000, 0x81346004, 0x826ba6f6, 0x83a5dbd5, 0x84e305ae, 0x86232ba2, 0x876654e2,
	0x88ac88af, 0x89f5ce5e, 0x8b422d53, 0x8c91ad07, 0x8de45501, 0x8f3a2cdd, 0x90933c49,
	0x91ef8b05, 0x934f20e4, 0x94b205cb, 0x961841b4, 0x9781dca9, 0x98eedeca, 0x9a5f504a,
	0x9bd33970, 0x9d4aa295, 0x9ec59429, 0xa04416af, 0xa1c632be, 0xa34bf102, 0xa4d55a3c,
	0xa6627742, 0xa7f35101, 0xa987f077, 0xab205ebd, 0xacbca4ff, 0xae5ccc7f, 0xb000de96,
	0xb1a8e4b4, 0xb354e85f, 0xb504f333, 0xb6b90ee6, 0xb8714543, 0xba2da02c, 0xbbee299e,
	0xbdb2ebab, 0xbf7bf07e, 0xc149425c, 0xc31aeba0, 0xc4f0f6c2, 0xc6cb6e4f, 0xc8aa5cef,
	0xca8dcd65, 0xcc75ca8c, 0xce625f5a, 0xd05396e0, 0xd2497c48, 0xd4441ad9, 0xd6437df4,
	0xd847b114, 0xda50bfd3, 0xdc5eb5e4, 0xde719f18, 0xe089875b, 0xe2a67ab7, 0xe4c88552,
	0xe6efb371, 0xe91c1174, 0xeb4dabda, 0xed848f42, 0xefc0c865, 0xf2026420, 0xf4496f6a,
	0xf695f75d, 0xf8e80931, 0xfb3fb23d, 0xfd9cfffa,
};

static uint32_t index_of_bucket(uint64_t bucket)
{
	return (uint32_t)(bucket >> COUNT_BITS);
}

static uint64_t count_of(uint64_t bucket)
{
	return bucket & COUNT_MAX;
}

static uint64_t bucket_of(uint32_t index, uint64_t count)
{
	return (uint64_t)index << COUNT_BITS | (count < COUNT_MAX ? count : COUNT_MAX);
}

static uint64_t add_sat(uint64_t a, uint64_t b)
{
	return a + b < a ? UINT64_MAX : a + b;
}

static uint32_t index_of(uint64_t ns)
{
	uint32_t octave, mantissa, x, i;

	if (ns < SKETCH_MIN_NS)
		return 0;
	if (ns > SKETCH_MAX_NS)
		ns = SKETCH_MAX_NS;
	octave = 63 - (uint32_t)__builtin_clzll(ns);
	mantissa = (uint32_t)(ns << (63 - octave) >> 32);
	/* log2(1 + x) is about x + 0.343 x (1 - x): at most one bucket off */
	x = (mantissa - 0x80000000) >> 15;
	x += (uint32_t)(((uint64_t)x * (65536 - x) >> 16) * 22486 >> 16);
	i = (uint32_t)((uint64_t)x * PER_OCTAVE >> 16);
	if (i >= PER_OCTAVE)
		i = PER_OCTAVE - 1;
	while (i > 0 && mantissa < begins[i])
		i--;
	while (i + 1 < PER_OCTAVE && mantissa >= begins[i + 1])
		i++;
	return (octave - OCTAVE_MIN) * PER_OCTAVE + i - INDEX_SHIFT;
}

/* First whole number of the bucket. */
static double begin_of(uint32_t index)
{
	uint32_t i = index + INDEX_SHIFT;

	return ceil(ldexp(begins[i % PER_OCTAVE], (int)(i / PER_OCTAVE) + OCTAVE_MIN - 31));
}

/* The value whose relative distance to both ends of the bucket is the same. */
static uint64_t value_of(const struct sketch *s, uint32_t index)
{
	uint64_t v = 0;

	if (index > 0) {
		double a = begin_of(index), b = begin_of(index + 1) - 1;

		v = (uint64_t)llround(2 * a * b / (a + b));
	}
	if (v < s->min_ns)
		return s->min_ns;
	return v > s->max_ns ? s->max_ns : v;
}

/* Where the index is, or where it would be put in. */
static uint32_t find(const struct sketch *s, uint32_t index)
{
	uint32_t lo = 0, hi = s->n;

	while (lo < hi) {
		uint32_t mid = (lo + hi) / 2;

		if (index_of_bucket(s->buckets[mid]) < index)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static int reserve(struct sketch *s, uint32_t n)
{
	uint32_t cap = s->cap ? s->cap : 8;
	uint64_t *p;

	if (n <= s->cap)
		return 0;
	while (cap < n)
		cap += cap / 2;
	p = realloc(s->buckets, cap * sizeof(*p));
	if (!p)
		return -ENOMEM;
	s->buckets = p;
	s->cap = cap;
	return 0;
}

static void add_totals(struct sketch *s, uint64_t count, uint64_t sum, uint64_t min, uint64_t max)
{
	if (s->count == 0 || min < s->min_ns)
		s->min_ns = min;
	if (s->count == 0 || max > s->max_ns)
		s->max_ns = max;
	s->count = add_sat(s->count, count);
	s->sum_ns = add_sat(s->sum_ns, sum);
}

int sketch_add_n(struct sketch *s, uint64_t ns, uint64_t n)
{
	uint32_t index = index_of(ns);
	uint32_t at = find(s, index);
	uint64_t sum;
	int r;

	if (n == 0)
		return 0;
	if (at < s->n && index_of_bucket(s->buckets[at]) == index) {
		s->buckets[at] = bucket_of(index, count_of(s->buckets[at]) + (n & COUNT_MAX));
	} else {
		r = reserve(s, s->n + 1);
		if (r < 0)
			return r;
		memmove(&s->buckets[at + 1], &s->buckets[at], (s->n - at) * sizeof(*s->buckets));
		s->buckets[at] = bucket_of(index, n);
		s->n++;
	}
	if (__builtin_mul_overflow(ns, n, &sum))
		sum = UINT64_MAX;
	add_totals(s, n, sum, ns, ns);
	return 0;
}

int sketch_add(struct sketch *s, uint64_t ns)
{
	return sketch_add_n(s, ns, 1);
}

/* Buckets only in one of the two. */
static uint32_t count_new(const struct sketch *to, const struct sketch *from)
{
	uint32_t n = 0, i = 0;

	for (uint32_t k = 0; k < from->n; k++) {
		uint32_t index = index_of_bucket(from->buckets[k]);

		while (i < to->n && index_of_bucket(to->buckets[i]) < index)
			i++;
		n += i == to->n || index_of_bucket(to->buckets[i]) != index;
	}
	return n;
}

int sketch_merge(struct sketch *to, const struct sketch *from)
{
	uint32_t i = to->n, k = from->n, n = to->n + count_new(to, from);
	int r = reserve(to, n);

	if (r < 0)
		return r;
	if (from->count == 0)
		return 0;
	add_totals(to, from->count, from->sum_ns, from->min_ns, from->max_ns);
	to->n = n;
	/* from the end, so that it can be done in place */
	while (k > 0) {
		uint64_t b = from->buckets[k - 1];

		if (i == 0 || index_of_bucket(to->buckets[i - 1]) < index_of_bucket(b)) {
			to->buckets[--n] = b;
			k--;
		} else if (index_of_bucket(to->buckets[i - 1]) > index_of_bucket(b)) {
			to->buckets[--n] = to->buckets[--i];
		} else {
			i--;
			k--;
			to->buckets[--n] = bucket_of(index_of_bucket(b),
						     count_of(b) + count_of(to->buckets[i]));
		}
	}
	return 0;
}

int sketch_copy(const struct sketch *s, struct sketch *ret)
{
	struct sketch copy = {0};
	int r = sketch_merge(&copy, s);

	if (r == 0)
		*ret = copy;
	return r;
}

bool sketch_equal(const struct sketch *a, const struct sketch *b)
{
	return a->count == b->count && a->sum_ns == b->sum_ns && a->min_ns == b->min_ns &&
	       a->max_ns == b->max_ns && a->n == b->n &&
	       (a->n == 0 || !memcmp(a->buckets, b->buckets, a->n * sizeof(*a->buckets)));
}

void sketch_free(struct sketch *s)
{
	free(s->buckets);
	*s = (struct sketch){0};
}

uint64_t sketch_rank(const struct sketch *s, uint64_t rank)
{
	uint64_t seen = 0;

	if (rank <= 1)
		return s->min_ns;
	if (rank >= s->count)
		return s->max_ns;
	for (uint32_t i = 0; i < s->n; i++) {
		seen += count_of(s->buckets[i]);
		if (seen >= rank)
			return value_of(s, index_of_bucket(s->buckets[i]));
	}
	return s->max_ns;
}

uint64_t sketch_quantile(const struct sketch *s, double q)
{
	if (!(q > 0))
		return s->min_ns;
	return q >= 1 ? s->max_ns : sketch_rank(s, (uint64_t)ceil(q * (double)s->count));
}

double sketch_mean(const struct sketch *s)
{
	return s->count ? (double)s->sum_ns / (double)s->count : 0;
}

void sketch_sample(const struct sketch *s, uint64_t *ret, size_t n)
{
	uint64_t seen = 0;
	uint32_t b = 0;

	for (size_t i = 0; i < n; i++) {
		uint64_t rank = 1 + (uint64_t)(((double)i + 0.5) / (double)n * (double)s->count);

		while (b < s->n && seen + count_of(s->buckets[b]) < rank)
			seen += count_of(s->buckets[b++]);
		ret[i] = b < s->n ? value_of(s, index_of_bucket(s->buckets[b])) : s->max_ns;
	}
}

void sketch_write(const struct sketch *s, struct buf *b)
{
	uint32_t last = 0;

	buf_addc(b, VERSION);
	varint_put(b, s->count);
	if (s->count == 0)
		return;
	varint_put(b, s->sum_ns);
	varint_put(b, s->min_ns);
	varint_put(b, s->max_ns - s->min_ns);
	varint_put(b, s->n);
	for (uint32_t i = 0; i < s->n; i++) {
		uint32_t index = index_of_bucket(s->buckets[i]) + 1;
		uint64_t n = count_of(s->buckets[i]);

		/* most buckets are near the last one and small: a byte */
		if (index - last < 16 && n < 16) {
			buf_addc(b, (char)((index - last) << 4 | n));
		} else {
			buf_addc(b, 0);
			varint_put(b, index - last);
			varint_put(b, n);
		}
		last = index;
	}
}

static int read_buckets(struct sketch *s, struct varint_in *in)
{
	uint64_t seen = 0;
	uint32_t index = 0;

	for (uint32_t i = 0; i < s->n && !in->error; i++) {
		uint8_t byte = in->at < in->end ? *in->at++ : 0x10;
		uint64_t delta = byte ? byte >> 4 : varint_get_max(in, SKETCH_BUCKETS);
		uint64_t n = byte ? byte & 15 : varint_get_max(in, COUNT_MAX);

		index += (uint32_t)delta;
		if (delta == 0 || n == 0 || index > SKETCH_BUCKETS)
			return -EBADMSG;
		s->buckets[i] = bucket_of(index - 1, n);
		seen += n;
	}
	if (in->error || in->at != in->end || seen > s->count)
		return -EBADMSG;
	return 0;
}

static int read_sketch(struct sketch *s, struct varint_in *in)
{
	uint64_t width;
	uint32_t n;

	s->count = varint_get(in);
	if (s->count == 0)
		return in->error || in->at != in->end ? -EBADMSG : 0;
	s->sum_ns = varint_get(in);
	s->min_ns = varint_get(in);
	width = varint_get(in);
	s->max_ns = add_sat(s->min_ns, width);
	n = (uint32_t)varint_get_max(in, SKETCH_BUCKETS);
	if (in->error || n == 0)
		return -EBADMSG;
	if (reserve(s, n) < 0)
		return -ENOMEM;
	s->n = n;
	return read_buckets(s, in);
}

int sketch_merge_bytes(struct sketch *to, const void *data, size_t len)
{
	_sketch_ struct sketch s = {0};
	struct varint_in in = {.at = data, .end = (const uint8_t *)data + len};
	int r;

	if (len == 0)
		return -EBADMSG;
	if (*in.at++ != VERSION)
		return in.at[-1] > VERSION ? -EPROTO : -EBADMSG;
	r = read_sketch(&s, &in);
	if (r < 0)
		return r;
	if (to->count == 0 && s.n > 0) {
		sketch_free(to);
		*to = s;
		s = (struct sketch){0};
		return 0;
	}
	return sketch_merge(to, &s);
}
