/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* A synthetic app: its modules, and the times of its runs; the same ones for the same seed. */
#pragma once
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "store/rows.h"
#include "store/store.h"

/* One app's modules: a tree of loads, and more importers that find them cached. */
struct shape {
	uint32_t n;
	uint32_t *parent;  /* owned; of module i, below i; 0: the program */
	uint32_t *other;   /* owned; a second importer, below i */
	uint64_t *self_ns; /* owned */
	uint8_t *
		used_pct; /* owned; 0: imported at module level; else inside a function, in that share of runs */
};

static inline uint64_t rng_next(uint64_t *state)
{
	uint64_t x = *state += 0x9e3779b97f4a7c15;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

static inline _Noreturn void die(const char *what, const char *why)
{
	fprintf(stderr, "gen: %s: %s\n", what, why);
	exit(1);
}

static inline void *must(void *p)
{
	if (!p)
		die("memory", strerror(ENOMEM));
	return p;
}

static inline double now_s(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static inline void shape_make(struct shape *s, uint64_t app, uint64_t modules)
{
	uint64_t seed = app * 7919 + 17;

	s->n = (uint32_t)modules;
	s->parent = must(calloc(modules, sizeof(*s->parent)));
	s->other = must(calloc(modules, sizeof(*s->other)));
	s->self_ns = must(calloc(modules, sizeof(*s->self_ns)));
	s->used_pct = must(calloc(modules, sizeof(*s->used_pct)));
	for (uint32_t i = 0; i < s->n; i++) {
		uint64_t r = rng_next(&seed);
		uint32_t near = i > 20 ? 20 : i;

		/* 0.1 to 3 ms, and one in 40 of up to 100 ms */
		s->self_ns[i] = 100000 + r % 2900000 + (r >> 32) % 40 / 39 * (r % 97000000);
		s->parent[i] = i ? i - 1 - (uint32_t)(rng_next(&seed) % near) : 0;
		s->other[i] = i ? (uint32_t)(rng_next(&seed) % i) : 0;
		s->used_pct[i] = rng_next(&seed) % 10 ? 0 : (uint8_t)(rng_next(&seed) % 100 + 1);
	}
}

static inline void shape_free(struct shape *s)
{
	free(s->parent);
	free(s->other);
	free(s->self_ns);
	free(s->used_pct);
}

/* About normal, in thousandths. */
static inline uint64_t noise(uint64_t *seed)
{
	uint64_t r = rng_next(seed), sum = 0;

	for (int i = 0; i < 4; i++)
		sum += (r >> (16 * i)) & 63;
	return 940 + sum / 2;
}

/* Times of one run: 6 % of noise for all of it, as much for each module. */
static inline void run_times(const struct shape *s, uint64_t *seed, struct sto_run *r)
{
	uint64_t all = noise(seed);

	for (uint32_t i = 0; i < s->n; i++) {
		struct sto_mod *m = &r->mods[i];

		m->self_ns = s->self_ns[i] / 1000 * all / 1000 * noise(seed);
		m->total_ns = m->self_ns;
		m->flags = STO_MOD_LOAD | STO_MOD_TIMED | (s->used_pct[i] ? 0 : STO_MOD_START);
		m->uses[LMMSD_PLACE_MODULE] = s->used_pct[i] ? 0 : 2;
		m->uses[LMMSD_PLACE_FUNCTION] = s->used_pct[i] ?
							rng_next(seed) % 100 < s->used_pct[i] :
							0;
		m->place = s->used_pct[i] ? LMMSD_PLACE_FUNCTION : LMMSD_PLACE_MODULE;
		if (s->used_pct[i] && !m->uses[LMMSD_PLACE_FUNCTION])
			m->flags = 0;
	}
	for (uint32_t i = s->n - 1; i > 0; i--)
		if (r->mods[i].flags & STO_MOD_START)
			r->mods[s->parent[i]].total_ns += r->mods[i].total_ns;
	for (uint32_t i = 0; i < s->n; i++)
		r->mods[i].saving_ns = s->other[i] == s->parent[i] ? r->mods[i].total_ns :
								     r->mods[i].self_ns;
	r->cold_start_ns = r->mods[0].total_ns;
	r->interpreter_ns = 12000 * noise(seed);
}
