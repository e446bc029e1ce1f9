/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* `deps` and `why` of modules that are rarely part of the start, or never. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/reviewed.h"

/* The app's plugin imports pandas at its top; pandas brings numpy, and json, which the app imports as well. */
static struct fh *app_of(uint64_t runs)
{
	struct fh *f = fh_new("app.py", 100, 130, runs);

	fh_cold(f, 20, runs);
	(void)fh_module(f, "json", 5, 5, 5);
	(void)fh_module(f, "plugin", 310, 1, 310);
	(void)fh_module(f, "pandas", 300, 200, 300);
	(void)fh_module(f, "numpy", 100, 100, 100);
	fh_find(f, "plugin")->file = "/srv/plugin.py";
	(void)fh_edge(f, "__main__", "json", "/srv/app.py", 1, LMMSD_PLACE_MODULE, true);
	(void)fh_edge(f, "__main__", "plugin", "/srv/app.py", 2, LMMSD_PLACE_MODULE, true);
	(void)fh_edge(f, "plugin", "pandas", "/srv/plugin.py", 3, LMMSD_PLACE_MODULE, true);
	(void)fh_edge(f, "pandas", "numpy", "/lib/pandas/__init__.py", 4, LMMSD_PLACE_MODULE, true);
	(void)fh_edge(f, "pandas", "json", "/lib/pandas/__init__.py", 5, LMMSD_PLACE_MODULE, false);
	return f;
}

static struct mdl_hist_edge *edge_to(struct fh *f, const char *module, int32_t line)
{
	for (size_t i = 0; i < f->h.n_edges; i++)
		if (!strcmp(f->edge_module[i], module) && f->edges[i].line == line)
			return &f->edges[i];
	return NULL;
}

static void rare_edge(struct fh *f, const char *module, int32_t line, uint64_t runs)
{
	struct mdl_hist_edge *e = edge_to(f, module, line);

	e->runs = e->count = runs;
	e->loads = e->loads ? runs : 0;
}

static void fewer_times(struct sketch *s, uint64_t n)
{
	double ms = (double)s->min_ns / 1e6;

	sketch_free(s);
	fh_add(s, ms, n);
}

/* All of it from the plugin on is there in so many of the runs only, and part of the start in `starts` of them. */
static void rarely(struct fh *f, uint64_t runs, uint64_t starts)
{
	static const char *const names[] = {"plugin", "pandas", "numpy"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct mdl_hist_module *m = fh_find(f, names[i]);

		m->runs_loaded = m->runs_imported = m->uses = runs;
		m->runs_start = starts;
		if (runs) {
			fewer_times(&m->total, runs);
			fewer_times(&m->self, runs);
		}
	}
	rare_edge(f, "plugin", 2, runs);
	rare_edge(f, "pandas", 3, runs);
	rare_edge(f, "numpy", 4, runs);
	rare_edge(f, "json", 5, runs);
}

static void path_is(const struct rv_reasons *why, size_t path, const char *const *steps, size_t n)
{
	assert_true(path < why->n_paths);
	assert_int_equal(why->path[path + 1] - why->path[path], n);
	for (size_t i = 0; i < n; i++)
		assert_string_equal(why->step[why->path[path] + i], steps[i]);
}

/* In `starts` of `runs` starts the plugin is there: what holds of it holds in those. */
static void rare_start(uint64_t runs, uint64_t starts)
{
	static const char *const way[] = {"__main__", "plugin", "pandas"};
	struct fh *f = app_of(runs);
	struct rv_reasons *why = NULL;
	struct rv_deps *deps = NULL;

	rarely(f, starts, starts);
	(void)fh_done(f);
	assert_int_equal(appraise_reasons(&f->h, "pandas", &why), 0);
	assert_int_equal(why->n_paths, 1);
	path_is(why, 0, way, ARRAY_LEN(way));
	assert_int_equal(why->n_sites, 1);
	assert_float_equal(why->alone_ms[0], 300, 1);
	assert_true(why->cut_possible && why->cut_direct);
	assert_int_equal(why->n_cut, 1);
	assert_string_equal(why->cut[0].importer, "plugin");
	assert_float_equal(why->saving_ms, 300, 1);
	(void)appraise_reasons_free(why);
	assert_int_equal(appraise_deps(&f->h, "pandas", &deps), 0);
	assert_int_equal(deps->n, 3);
	assert_float_equal(deps->only_ms, 300, 1);
	assert_float_equal(deps->shared_ms, 5, 0.1);
	(void)appraise_deps_free(deps);
	fh_free(f);
}

/* Of few starts, and of shares that no floating point number is exactly: 7 / 100 * 100 is more than 7. */
static void test_rarely_part_of_the_start(void **state)
{
	static const struct {
		uint64_t runs, starts;
	} cases[] = {{100, 1}, {100, 3}, {100, 4},  {100, 7},  {1000, 1},
		     {49, 1},  {93, 7},	 {100, 50}, {100, 100}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		rare_start(cases[i].runs, cases[i].starts);
}

/* What runs in fewer than half of the starts that have the module does not shape them. */
static void test_rarer_still(void **state)
{
	struct fh *f = app_of(1000);
	struct rv_reasons *why = NULL;

	(void)state;
	rarely(f, 10, 10);
	(void)fh_edge(f, "__main__", "pandas", "/srv/app.py", 9, LMMSD_PLACE_MODULE, false);
	rare_edge(f, "pandas", 9, 4);
	(void)fh_done(f);
	assert_int_equal(appraise_reasons(&f->h, "pandas", &why), 0);
	assert_int_equal(why->n_sites, 2);
	assert_float_equal(why->alone_ms[0], 300, 1);
	assert_true(isnan(why->alone_ms[1]));
	(void)appraise_reasons_free(why);
	fh_free(f);
}

/* Two plugins, each in half of the starts that have pandas: both are ways to it, and only both together keep it out. */
static void test_importers_that_are_rarer(void **state)
{
	struct fh *f = app_of(100);
	struct rv_reasons *why = NULL;
	struct mdl_hist_module *m = fh_module(f, "other", 310, 1, 310);

	(void)state;
	m->file = "/srv/other.py";
	(void)fh_edge(f, "__main__", "other", "/srv/app.py", 7, LMMSD_PLACE_MODULE, true);
	(void)fh_edge(f, "other", "pandas", "/srv/other.py", 8, LMMSD_PLACE_MODULE, true);
	rarely(f, 12, 12);
	m->runs_start = m->runs_loaded = fh_find(f, "plugin")->runs_start = 6;
	rare_edge(f, "plugin", 2, 6);
	rare_edge(f, "pandas", 3, 6);
	rare_edge(f, "other", 7, 6);
	rare_edge(f, "pandas", 8, 6);
	(void)fh_done(f);
	assert_int_equal(appraise_reasons(&f->h, "pandas", &why), 0);
	assert_int_equal(why->n_paths, 2);
	assert_int_equal(why->path[1], 3);
	assert_int_equal(why->n_sites, 2);
	assert_float_equal(why->alone_ms[0], 0, 1e-9);
	assert_float_equal(why->alone_ms[1], 0, 1e-9);
	assert_true(why->cut_possible && why->cut_direct);
	assert_int_equal(why->n_cut, 2);
	(void)appraise_reasons_free(why);
	fh_free(f);
}

/* Nobody is known to import it: that is no reason to take in all that is rare. */
static void test_no_importer_is_known(void **state)
{
	struct fh *f = app_of(100);
	struct rv_reasons *why = NULL;

	(void)state;
	rarely(f, 12, 12);
	fh_find(f, "plugin")->runs_start = 0;
	(void)fh_done(f);
	assert_int_equal(appraise_reasons(&f->h, "pandas", &why), 0);
	assert_false(why->cut_possible);
	assert_int_equal(why->n_paths, 1);
	assert_true(isnan(why->alone_ms[0]));
	(void)appraise_reasons_free(why);
	fh_free(f);
}

/* Deferred: what it pulls in where it is loaded, and the ways there; but no word of a shorter start. */
static void no_start(struct fh *f)
{
	static const char *const way[] = {"__main__", "plugin", "pandas"};
	struct rv_reasons *why = NULL;
	struct rv_deps *deps = NULL;

	edge_to(f, "plugin", 2)->place = LMMSD_PLACE_FUNCTION;
	(void)fh_done(f);
	assert_int_equal(appraise_deps(&f->h, "pandas", &deps), 0);
	assert_int_equal(deps->n, 3);
	assert_string_equal(deps->rows[1].name, "numpy");
	assert_float_equal(deps->rows[1].self_ms, 100, 1);
	assert_true(deps->rows[1].only);
	assert_string_equal(deps->rows[2].name, "json");
	assert_false(deps->rows[2].only);
	assert_true(isnan(deps->only_ms));
	assert_true(isnan(deps->shared_ms));
	assert_int_equal(deps->n_rollups, 0);
	(void)appraise_deps_free(deps);
	assert_int_equal(appraise_reasons(&f->h, "pandas", &why), 0);
	assert_int_equal(why->n_paths, 1);
	path_is(why, 0, way, ARRAY_LEN(way));
	assert_true(isnan(why->saving_ms));
	assert_true(isnan(why->alone_ms[0]));
	assert_int_equal(why->n_cut, 0);
	(void)appraise_reasons_free(why);
	fh_free(f);
}

static void test_no_part_of_the_start(void **state)
{
	struct fh *f = app_of(100);

	(void)state;
	rarely(f, 60, 0);
	fh_installed(f, fh_find(f, "pandas"), "/lib/pandas/__init__.py", "pandas", "2.1");
	no_start(f);
	f = app_of(100);
	rarely(f, 1, 0);
	no_start(f);
	/* loaded in forked workers only: their runs are no plain ones, but their times are there */
	f = app_of(100);
	rarely(f, 0, 0);
	rare_edge(f, "plugin", 2, 100);
	edge_to(f, "plugin", 2)->loads = 100;
	rare_edge(f, "pandas", 3, 100);
	rare_edge(f, "numpy", 4, 100);
	rare_edge(f, "json", 5, 100);
	no_start(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rarely_part_of_the_start),
		cmocka_unit_test(test_rarer_still),
		cmocka_unit_test(test_importers_that_are_rarer),
		cmocka_unit_test(test_no_importer_is_known),
		cmocka_unit_test(test_no_part_of_the_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
