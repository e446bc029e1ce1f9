/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Hand-made graphs with known answers. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "analysis/chains.h"
#include "base/cleanup.h"
#include "lmmsd/event.h"

#define NODES 16
#define SITES 32

struct graph {
	struct chains_node node[NODES];
	struct chains_site site[SITES];
	size_t n, n_sites;
	struct chains *c;
};

static uint32_t add(struct graph *g, const char *name, double self_ms, bool own)
{
	g->node[g->n] = (struct chains_node){
		.name = name, .self_ms = self_ms, .own = own, .at_start = true};
	return (uint32_t)g->n++;
}

static uint32_t import(struct graph *g, uint32_t from, uint32_t to)
{
	g->site[g->n_sites] = (struct chains_site){.from = from,
						   .to = to,
						   .line = (int32_t)g->n_sites + 1,
						   .place = LMMSD_PLACE_MODULE,
						   .starts = true,
						   .runs = 10};
	return (uint32_t)g->n_sites++;
}

static void begin(struct graph *g)
{
	*g = (struct graph){0};
	(void)add(g, "__main__", 0, true);
}

static void done(struct graph *g)
{
	assert_int_equal(chains_new(g->node, g->n, g->site, g->n_sites, &g->c), 0);
}

static double saving(const struct graph *g, uint32_t node)
{
	double ms[NODES], alone;
	uint32_t idom[NODES];

	assert_int_equal(chains_dominators(g->c, idom, ms), 0);
	assert_int_equal(chains_saving_of(g->c, &node, 1, &alone), 0);
	/* two ways to the same number */
	assert_float_equal(ms[node], alone, 1e-6);
	return alone;
}

static void cut_is(const struct graph *g, uint32_t node, bool possible, size_t n, uint32_t a,
		   uint32_t b)
{
	_cleanup_(chains_cut_clear) struct chains_cut cut = {0};

	assert_int_equal(chains_cut(g->c, node, &cut), 0);
	assert_int_equal(cut.possible, possible);
	if (!possible)
		return;
	assert_int_equal(cut.n, n);
	assert_int_equal(cut.site[0], a);
	if (n > 1)
		assert_int_equal(cut.site[1], b);
}

/* main -> a, b -> c -> d */
static void test_diamond(void **state)
{
	struct graph g;
	uint32_t a, b, c, d, ac, bc;
	double ms;

	(void)state;
	begin(&g);
	a = add(&g, "a", 1, true);
	b = add(&g, "b", 2, true);
	c = add(&g, "c", 10, false);
	d = add(&g, "d", 100, false);
	(void)import(&g, 0, a);
	(void)import(&g, 0, b);
	ac = import(&g, a, c);
	bc = import(&g, b, c);
	(void)import(&g, c, d);
	done(&g);
	assert_float_equal(saving(&g, a), 1, 1e-9);
	assert_float_equal(saving(&g, b), 2, 1e-9);
	assert_float_equal(saving(&g, c), 110, 1e-9);
	assert_float_equal(saving(&g, d), 100, 1e-9);
	/* deferring only one of c's imports saves nothing */
	assert_int_equal(chains_saving_of_sites(g.c, &ac, 1, &ms), 0);
	assert_float_equal(ms, 0, 1e-9);
	assert_int_equal(chains_saving_of_sites(g.c, (uint32_t[]){ac, bc}, 2, &ms), 0);
	assert_float_equal(ms, 110, 1e-9);
	assert_int_equal(chains_saving_of(g.c, (uint32_t[]){a, b}, 2, &ms), 0);
	assert_float_equal(ms, 113, 1e-9);
	cut_is(&g, c, true, 2, ac, bc);
	/* d's importer is not ours: what can be changed is above it */
	cut_is(&g, d, true, 2, ac, bc);
	(void)chains_free(g.c);
}

/* Two modules that import each other: the importer that is only there because of the module does not count. */
static void test_cycle(void **state)
{
	struct graph g;
	uint32_t a, b, ma;

	(void)state;
	begin(&g);
	a = add(&g, "a", 3, true);
	b = add(&g, "b", 4, true);
	ma = import(&g, 0, a);
	(void)import(&g, a, b);
	(void)import(&g, b, a);
	done(&g);
	assert_float_equal(saving(&g, a), 7, 1e-9);
	assert_float_equal(saving(&g, b), 4, 1e-9);
	cut_is(&g, a, true, 1, ma, 0);
	(void)chains_free(g.c);
}

/* An import that does not run at start leads nowhere. */
static void test_function_edge(void **state)
{
	struct graph g;
	uint32_t a, b, mb;

	(void)state;
	begin(&g);
	a = add(&g, "a", 3, true);
	b = add(&g, "b", 4, true);
	(void)import(&g, 0, a);
	mb = import(&g, 0, b);
	g.site[import(&g, a, b)].starts = false;
	done(&g);
	assert_float_equal(saving(&g, a), 3, 1e-9);
	assert_float_equal(saving(&g, b), 4, 1e-9);
	cut_is(&g, b, true, 1, mb, 0);
	(void)chains_free(g.c);
}

/* Importing a.b imports a, so two modules of a package hold it. */
static void test_package(void **state)
{
	struct graph g;
	uint32_t a, ab, ac, ma, mb;

	(void)state;
	begin(&g);
	a = add(&g, "a", 50, false);
	ab = add(&g, "a.b", 1, false);
	ac = add(&g, "a.c", 2, false);
	ma = import(&g, 0, ab);
	mb = import(&g, 0, ac);
	done(&g);
	assert_float_equal(saving(&g, ab), 1, 1e-9);
	assert_float_equal(saving(&g, a), 50, 1e-9);
	cut_is(&g, a, true, 2, ma, mb);
	(void)chains_free(g.c);
}

/* What nothing known leads to is the program's, and no import of ours can be moved. */
static void test_island(void **state)
{
	struct graph g;
	uint32_t site, codecs;

	(void)state;
	begin(&g);
	site = add(&g, "site", 2, false);
	codecs = add(&g, "codecs", 3, false);
	(void)import(&g, site, codecs);
	(void)import(&g, 0, codecs);
	done(&g);
	assert_float_equal(saving(&g, site), 2, 1e-9);
	assert_float_equal(saving(&g, codecs), 3, 1e-9);
	cut_is(&g, codecs, false, 0, 0, 0);
	(void)chains_free(g.c);
}

/* own -> lib -> plug -> lib.core: plug is there only through lib, so one change is enough. */
static void test_pruned(void **state)
{
	struct graph g;
	uint32_t lib, plug, core, ml;

	(void)state;
	begin(&g);
	lib = add(&g, "lib", 1, false);
	plug = add(&g, "plugin", 2, true);
	core = add(&g, "core", 40, false);
	ml = import(&g, 0, lib);
	(void)import(&g, lib, plug);
	(void)import(&g, lib, core);
	(void)import(&g, plug, core);
	done(&g);
	cut_is(&g, core, true, 1, ml, 0);
	(void)chains_free(g.c);
}

static void test_deps(void **state)
{
	_cleanup_(chains_deps_clear) struct chains_deps d = {0};
	struct graph g;
	uint32_t a, b, c;

	(void)state;
	begin(&g);
	a = add(&g, "a", 1, true);
	b = add(&g, "b", 2, false);
	c = add(&g, "c", 4, false);
	(void)import(&g, 0, a);
	(void)import(&g, a, b);
	(void)import(&g, a, c);
	(void)import(&g, 0, c);
	done(&g);
	assert_int_equal(chains_deps(g.c, a, &d), 0);
	assert_int_equal(d.n, 3);
	assert_int_equal(d.dep[0].node, a);
	assert_true(d.dep[0].only);
	assert_int_equal(d.dep[1].node, b);
	assert_true(d.dep[1].only);
	assert_int_equal(d.dep[1].via, a);
	assert_int_equal(d.dep[1].depth, 1);
	assert_false(d.dep[2].only);
	assert_float_equal(d.only_ms, 3, 1e-9);
	assert_float_equal(d.shared_ms, 4, 1e-9);
	(void)chains_free(g.c);
}

/* Each of two modules of a distribution alone saves nothing of what they share; together they do. */
static void test_rollup(void **state)
{
	_free_ struct chains_rollup *rollups = NULL;
	struct graph g;
	uint32_t a, b, c;
	size_t n = 0;

	(void)state;
	begin(&g);
	a = add(&g, "np", 10, false);
	b = add(&g, "np_ext", 20, false);
	c = add(&g, "blas", 300, false);
	g.node[a].distribution = g.node[b].distribution = "numpy";
	g.node[c].distribution = "blas";
	(void)import(&g, 0, a);
	(void)import(&g, 0, b);
	(void)import(&g, a, c);
	(void)import(&g, b, c);
	done(&g);
	assert_int_equal(chains_rollups(g.c, &rollups, &n), 0);
	assert_int_equal(n, 2);
	assert_string_equal(rollups[0].distribution, "numpy");
	assert_int_equal(rollups[0].modules, 2);
	assert_float_equal(rollups[0].self_ms, 30, 1e-9);
	assert_float_equal(rollups[0].saving_ms, 330, 1e-9);
	assert_float_equal(rollups[1].saving_ms, 300, 1e-9);
	(void)chains_free(g.c);
}

static void test_paths(void **state)
{
	static const uint32_t want[][5] = {
		{0, 3}, {0, 1, 3}, {0, 2, 3}, {0, 1, 2, 3}, {0, 2, 1, 3}};
	static const size_t lengths[] = {2, 3, 3, 4, 4};
	_cleanup_(chains_paths_clear) struct chains_paths p = {0}, few = {0}, none = {0};
	struct graph g;
	uint32_t a, b, c, alone;

	(void)state;
	begin(&g);
	a = add(&g, "a", 1, true);
	b = add(&g, "b", 1, true);
	c = add(&g, "c", 1, true);
	alone = add(&g, "alone", 1, true);
	g.node[alone].at_start = false;
	(void)import(&g, 0, a);
	(void)import(&g, 0, b);
	(void)import(&g, 0, c);
	(void)import(&g, 0, c); /* a second statement is no second way */
	(void)import(&g, a, b);
	(void)import(&g, b, a);
	(void)import(&g, a, c);
	(void)import(&g, b, c);
	(void)import(&g, c, a);
	done(&g);
	assert_int_equal(chains_paths(g.c, c, 10, 10, &p), 0);
	assert_int_equal(p.n, 5);
	assert_false(p.more);
	for (size_t i = 0; i < p.n; i++) {
		assert_int_equal(p.start[i + 1] - p.start[i], lengths[i]);
		assert_memory_equal(p.node + p.start[i], want[i], lengths[i] * sizeof(uint32_t));
	}
	assert_int_equal(chains_paths(g.c, c, 2, 10, &few), 0);
	assert_int_equal(few.n, 2);
	assert_true(few.more);
	assert_int_equal(chains_paths(g.c, alone, 10, 10, &none), 0);
	assert_int_equal(none.n, 0);
	assert_int_equal(chains_paths(g.c, 0, 10, 10, &none), -EINVAL);
	(void)chains_free(g.c);
}

/* However many modules an app has: no way to this one can be longer than what leads to it. */
static void test_all_ways_of_many_modules(void **state)
{
	_cleanup_(chains_paths_clear) struct chains_paths p = {0}, cut = {0};
	uint32_t a, b, last;
	struct graph g;

	(void)state;
	begin(&g);
	a = add(&g, "a", 1, true);
	b = add(&g, "b", 1, true);
	(void)import(&g, 0, a);
	(void)import(&g, a, b);
	last = b;
	for (size_t i = 0; i < 8; i++) {
		uint32_t other = add(&g, "other", 1, true);

		(void)import(&g, 0, other);
		(void)import(&g, last, other);
		last = other;
	}
	done(&g);
	assert_int_equal(chains_paths(g.c, b, 10, 5, &p), 0);
	assert_int_equal(p.n, 1);
	assert_false(p.more);
	assert_int_equal(chains_paths(g.c, last, 100, 5, &cut), 0);
	assert_true(cut.more);
	(void)chains_free(g.c);
}

/* A complete graph has more paths than anyone can list: the search ends by itself. */
static void test_bounded(void **state)
{
	_cleanup_(chains_paths_clear) struct chains_paths p = {0};
	struct chains_node node[40];
	_free_ struct chains_site *site = calloc(sizeof(node) * 40, sizeof(*site));
	struct chains *c;
	size_t n = 0;

	(void)state;
	assert_non_null(site);
	for (uint32_t i = 0; i < 40; i++) {
		node[i] = (struct chains_node){.name = "m", .at_start = true, .self_ms = 1};
		for (uint32_t k = 1; k < 39; k++)
			if (i != k && i < 39)
				site[n++] =
					(struct chains_site){.from = i, .to = k, .starts = true};
	}
	site[n++] = (struct chains_site){.from = 38, .to = 39, .starts = true};
	assert_int_equal(chains_new(node, 40, site, n, &c), 0);
	assert_int_equal(chains_paths(c, 39, 1000000, 40, &p), 0);
	assert_true(p.more);
	assert_int_equal(p.start[1], 3);
	(void)chains_free(c);
	site[0].to = 40;
	assert_int_equal(chains_new(node, 40, site, n, &c), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_diamond),
		cmocka_unit_test(test_cycle),
		cmocka_unit_test(test_function_edge),
		cmocka_unit_test(test_package),
		cmocka_unit_test(test_island),
		cmocka_unit_test(test_pruned),
		cmocka_unit_test(test_deps),
		cmocka_unit_test(test_rollup),
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_bounded),
		cmocka_unit_test(test_all_ways_of_many_modules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
