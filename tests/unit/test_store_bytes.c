/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* The stored forms of runs and aggregates: there and back, and whatever else the bytes may be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store/agg.h"

static uint64_t rng_next(uint64_t *state)
{
	uint64_t x = *state += 0x9e3779b97f4a7c15;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

/* Any numbers, small ones as often as huge ones. */
static uint64_t any(uint64_t *seed)
{
	return rng_next(seed) >> rng_next(seed) % 64;
}

static void make_run(struct sto_run *r, uint64_t *seed)
{
	*r = (struct sto_run){.usage = rng_next(seed) & 1, .n_mods = 50, .n_edges = 120, .day = 5};
	r->mods = calloc(r->n_mods, sizeof(*r->mods));
	r->edges = calloc(r->n_edges, sizeof(*r->edges));
	assert_true(r->mods && r->edges);
	for (uint32_t i = 0; i < r->n_mods; i++) {
		struct sto_mod *m = &r->mods[i];

		m->name = 2 + i * 7 % 50 * 3;
		m->file = (uint32_t)any(seed) / 2;
		m->pkg = (uint32_t)(any(seed) % 1000);
		m->failures = (uint32_t)(any(seed) % 3);
		m->flags = (uint8_t)(rng_next(seed) % 16);
		m->kind = (uint8_t)(rng_next(seed) % LMMSD_KIND_MAX);
		m->place = (uint8_t)(rng_next(seed) % LMMSD_PLACE_MAX);
		if (m->flags & STO_MOD_TIMED) {
			m->total_ns = any(seed);
			m->self_ns = rng_next(seed) % 3 ? any(seed) : m->total_ns;
		}
		m->saving_ns = rng_next(seed) % 3 ? any(seed) : m->self_ns;
		for (int k = 0; k < LMMSD_PLACE_MAX; k++)
			m->uses[k] = rng_next(seed) % 2 ? any(seed) : 0;
	}
	for (uint32_t i = 0; i < r->n_edges; i++) {
		struct sto_edge *e =
			&r->edges[i]; /* field by field: what lies between them stays 0 */

		e->module = (uint32_t)(rng_next(seed) % 200);
		e->importer = (uint32_t)(rng_next(seed) % 200);
		e->file = (uint32_t)(any(seed) % 1000000);
		e->line = (int32_t)any(seed);
		e->count = any(seed) + 1;
		e->place = (uint8_t)(rng_next(seed) % LMMSD_PLACE_MAX);
		e->loaded = rng_next(seed) & 1;
	}
	r->lost[LMMSD_LOST_RING_FULL] = any(seed);
	r->lost[LMMSD_LOST_MAX - 1] = any(seed);
}

static void test_runs_there_and_back(void **state)
{
	uint64_t seed = 3;

	(void)state;
	for (int i = 0; i < 200; i++) {
		_sto_run_ struct sto_run r = {0}, back = {0};
		_buf_ struct buf b = {0}, again = {0};

		make_run(&r, &seed);
		sto_run_encode(&r, &b);
		assert_int_equal(buf_error(&b), 0);
		assert_int_equal(sto_run_decode(&back, b.data, b.len), 0);
		assert_int_equal(back.usage, r.usage);
		assert_int_equal(back.n_mods, r.n_mods);
		assert_int_equal(back.n_edges, r.n_edges);
		assert_memory_equal(back.mods, r.mods, r.n_mods * sizeof(*r.mods));
		assert_memory_equal(back.edges, r.edges, r.n_edges * sizeof(*r.edges));
		assert_memory_equal(back.lost, r.lost, sizeof(r.lost));
		sto_run_encode(&back, &again);
		assert_int_equal(again.len, b.len);
		assert_memory_equal(again.data, b.data, b.len);
	}
}

static void test_bad_runs_are_refused(void **state)
{
	_sto_run_ struct sto_run r = {0};
	_buf_ struct buf b = {0};
	uint64_t seed = 4;

	(void)state;
	make_run(&r, &seed);
	sto_run_encode(&r, &b);
	for (size_t len = 0; len < b.len; len++) {
		_sto_run_ struct sto_run back = {0};
		char *exact = malloc(len + 1);

		assert_non_null(exact);
		memcpy(exact, b.data, len);
		assert_int_equal(sto_run_decode(&back, exact, len), -EBADMSG);
		free(exact);
	}
	for (int i = 0; i < 20000; i++) {
		_sto_run_ struct sto_run back = {0};
		size_t at = rng_next(&seed) % b.len;
		char was = b.data[at];
		_agg_ struct agg a = {0};

		b.data[at] = (char)rng_next(&seed);
		if (sto_run_decode(&back, b.data, b.len) == 0)
			assert_int_equal(agg_add_run(&a, &back), 0);
		b.data[at] = was;
	}
}

/* Adding rows gives what adding their runs would have given. */
static void test_aggregates_there_and_back(void **state)
{
	_agg_ struct agg a = {0}, back = {0};
	_buf_ struct buf edges = {0}, again = {0}, extra = {0};
	struct agg_day *d, *d2;
	uint64_t seed = 5;

	(void)state;
	for (int i = 0; i < 20; i++) {
		_sto_run_ struct sto_run r = {0};

		make_run(&r, &seed);
		r.py_version = 0x030b0000 + (uint32_t)i;
		assert_int_equal(agg_add_run(&a, &r), 0);
	}
	agg_edges_write(&a, &edges);
	assert_int_equal(agg_edges_read(&back, 5, edges.data, edges.len), 0);
	assert_int_equal(back.n_edges, a.n_edges);
	agg_edges_write(&back, &again);
	assert_int_equal(again.len, edges.len);
	assert_memory_equal(again.data, edges.data, edges.len);
	for (uint32_t i = 0; i < a.n_mods; i++) {
		_buf_ struct buf places = {0};
		struct agg_mod *m = agg_mod(&back, a.mods[i].name, a.mods[i].pkg);

		agg_places_write(&a.mods[i], &places);
		assert_int_equal(agg_places_read(m, 5, places.data, places.len), 0);
		assert_memory_equal(m->uses_by_place, a.mods[i].uses_by_place,
				    sizeof(m->uses_by_place));
		assert_memory_equal(m->loads_by_place, a.mods[i].loads_by_place,
				    sizeof(m->loads_by_place));
	}
	d = agg_day(&a, 5);
	d2 = agg_day(&back, 5);
	agg_extra_write(d, &extra);
	assert_int_equal(agg_extra_read(d2, extra.data, extra.len), 0);
	assert_memory_equal(d2->lost, d->lost, sizeof(d->lost));
	assert_memory_equal(d2->pythons, d->pythons, sizeof(d->pythons));
}

static void test_bad_aggregates_are_refused(void **state)
{
	_agg_ struct agg a = {0};
	_sto_run_ struct sto_run r = {0};
	_buf_ struct buf b = {0};
	uint64_t seed = 6;

	(void)state;
	make_run(&r, &seed);
	assert_int_equal(agg_add_run(&a, &r), 0);
	agg_edges_write(&a, &b);
	for (size_t len = 0; len < b.len; len++) {
		_agg_ struct agg back = {0};

		assert_true(agg_edges_read(&back, 1, b.data, len) < 0);
	}
	for (int i = 0; i < 20000; i++) {
		_agg_ struct agg back = {.max_edges = 1000};
		struct agg_day day = {0};
		struct agg_mod mod = {.place_day = INT32_MIN};
		size_t at = rng_next(&seed) % b.len;
		char was = b.data[at];

		b.data[at] = (char)rng_next(&seed);
		(void)agg_edges_read(&back, 1, b.data, b.len);
		(void)agg_extra_read(&day, b.data, b.len);
		(void)agg_places_read(&mod, 1, b.data, b.len);
		b.data[at] = was;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_runs_there_and_back),
		cmocka_unit_test(test_bad_runs_are_refused),
		cmocka_unit_test(test_aggregates_there_and_back),
		cmocka_unit_test(test_bad_aggregates_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
