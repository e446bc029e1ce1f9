/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* From sums by label to a history, and what must not be concluded from it: a daemon tells only so many ways to a module apart. */
#include <math.h>
#include <stdio.h>

#include "fleet/history.h"
#include "model/metrics.h"
#include "unit/reviewed.h"

#define RUNS 100
#define MANY (MDL_IMPORTERS + 1)

struct label {
	const char *name, *value;
};

static const char *get(const void *of, const char *name)
{
	for (const struct label *l = of; l->name; l++)
		if (!strcmp(l->name, name))
			return l->value;
	return "";
}

#define ADD(cells, family, n, ...)                                                                 \
	assert_int_equal(cells_add(cells, family, get,                                             \
				   (const struct label[]){{"app", "shop"}, __VA_ARGS__, {0}}, n),  \
			 0)

static void add_start(struct cells *c)
{
	ADD(c, FAM_RUNS, RUNS, {0});
	ADD(c, FAM_WARM, RUNS, {0});
	ADD(c, FAM_COLD_BUCKET, RUNS, {"le", "0.5"});
	ADD(c, FAM_COLD_SUM, RUNS * 0.4, {0});
	ADD(c, FAM_USAGE_COUNTED, 1, {0});
}

/* A module that takes s seconds at each start; importers: what imports it. */
static void add_module(struct cells *c, const char *name, double s, const char *origin,
		       const char *const *importers, size_t n)
{
	struct label module = {"module", name};

	ADD(c, FAM_IMPORT_BUCKET, RUNS, module, {"le", s > 0.1 ? "0.5" : "0.1"});
	ADD(c, FAM_IMPORT_SUM, RUNS * s, module);
	ADD(c, FAM_SELF, RUNS * s, module);
	ADD(c, FAM_DEFERRABLE, RUNS * s, module);
	ADD(c, FAM_USING, RUNS, module);
	ADD(c, FAM_STARTS, RUNS, module);
	ADD(c, FAM_USES, RUNS, module, {"placement", "module"});
	ADD(c, FAM_LOADS, RUNS, module, {"placement", "module"});
	ADD(c, FAM_INFO, 1, module, {"origin", origin});
	for (size_t i = 0; i < n; i++)
		ADD(c, FAM_IMPORTERS, RUNS, module, {"importer", importers[i]},
		    {"placement", "module"}, {"loaded", i ? "false" : "true"});
}

/* The app's own modules m0.. import "numpy", and by_way of them "pandas" does. */
static struct rv_app *app_of(size_t numpy, size_t pandas, struct fleet_answer *a)
{
	static const char *const own[] = {"shop.m0", "shop.m1", "shop.m2", "shop.m3",
					  "shop.m4", "shop.m5", "shop.m6"};
	static const char *const program[] = {"__main__"};
	static const struct fleet_period p = {.since_day = 100, .until_day = 130};
	const char *ways[MANY + 1] = {"pandas"};
	struct appraise_input in = {.thresholds = &review_default_thresholds};
	struct cells c;
	struct rv_app *app;

	assert_int_equal(cells_init(&c), 0);
	add_start(&c);
	for (size_t i = 0; i < MANY; i++)
		add_module(&c, own[i], 0.002, "app", program, 1);
	memcpy(ways + 1, own, sizeof(own));
	add_module(&c, "numpy", 0.12, "package", pandas ? ways : own, numpy);
	if (pandas)
		add_module(&c, "pandas", 0.15, "package", own, pandas);
	cells_settle(&c);
	assert_int_equal(histories_build(&c, &p, a), 0);
	assert_int_equal(a->n, 1);
	in.now = a->history[0];
	app = reviewed(&in);
	cells_clear(&c);
	return app;
}

static void assert_plan(size_t numpy, size_t pandas, const char *module, bool known)
{
	struct fleet_answer a = {0};
	struct rv_app *app = app_of(numpy, pandas, &a);
	const struct rv_module *m = find(app, module);

	assert_int_equal(m->more_ways, !known);
	assert_int_equal(m->n_cut != 0, known);
	assert_int_equal(m->action == RV_DEFER, known && m->cut_direct);
	if (!known) {
		assert_int_equal(m->why, RV_WHY_WAYS);
		assert_non_null(strstr(m->reason, "more may import it than the metrics tell"));
		assert_null(m->brought_by);
	}
	(void)appraise_app_free(app);
	fleet_answer_clear(&a);
}

static void test_ways(void **state)
{
	(void)state;
	assert_plan(MDL_IMPORTERS - 1, 0, "numpy", true);
	assert_plan(MDL_IMPORTERS, 0, "numpy", false);
	assert_plan(MANY, 0, "numpy", false);
	/* pandas imports it, too, and by what ways pandas comes is not known */
	assert_plan(2, MDL_IMPORTERS - 1, "numpy", true);
	assert_plan(2, MDL_IMPORTERS, "numpy", false);
	assert_plan(MDL_IMPORTERS, 1, "pandas", true);
}

static void test_times(void **state)
{
	struct fleet_answer a = {0};
	struct rv_app *app = app_of(2, 0, &a);
	const struct mdl_buckets *known = a.history[0]->rebuilt;

	(void)state;
	assert_non_null(known);
	assert_int_equal(known->n, 1);
	assert_int_equal(known->bucket[0].count, RUNS);
	assert_float_equal(known->bucket[0].to_ms, 500, 1e-9);
	assert_float_equal(known->sum_ms, RUNS * 400, 1e-6);
	(void)appraise_app_free(app);
	fleet_answer_clear(&a);
}

/* Prometheus' two text formats write a bound as "1" and as "1.0": hosts of both are one bucket, and one bound. */
static void test_one_bound_in_two_ways(void **state)
{
	static const struct fleet_period p = {.since_day = 100, .until_day = 130};
	static const struct {
		const char *le;
		double n;
	} buckets[] = {{"0.5", 30},   {"0.50", 40}, {"1", RUNS}, {"1.0", RUNS},
		       {"+Inf", 200}, {"x", RUNS},  {"", RUNS}};
	struct fleet_answer a = {0};
	const struct mdl_history *h;
	struct cells c;

	(void)state;
	assert_int_equal(cells_init(&c), 0);
	ADD(&c, FAM_RUNS, 2 * RUNS, {0});
	ADD(&c, FAM_WARM, 2 * RUNS, {0});
	for (size_t i = 0; i < ARRAY_LEN(buckets); i++) {
		ADD(&c, FAM_COLD_BUCKET, buckets[i].n, {"le", buckets[i].le});
		ADD(&c, FAM_IMPORT_BUCKET, buckets[i].n, {"module", "m"}, {"le", buckets[i].le});
	}
	ADD(&c, FAM_LOADS, 2 * RUNS, {"module", "m"}, {"placement", "module"});
	cells_settle(&c);
	assert_int_equal(histories_build(&c, &p, &a), 0);
	assert_int_equal(a.n, 1);
	h = a.history[0];
	assert_int_equal(h->rebuilt->n, 2);
	assert_int_equal(h->rebuilt->bucket[0].count, 70);
	assert_int_equal(h->rebuilt->bucket[1].count, 2 * RUNS - 70);
	assert_int_equal(h->cold_start.count, 2 * RUNS);
	assert_int_equal(h->n_modules, 1);
	assert_int_equal(h->modules[0].total.count, 2 * RUNS);
	assert_int_equal(a.n_bounds, 2);
	assert_float_equal(a.bounds_ms[0], 500, 1e-9);
	assert_float_equal(a.bounds_ms[1], 1000, 1e-9);
	cells_clear(&c);
	fleet_answer_clear(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ways),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_one_bound_in_two_ways),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
