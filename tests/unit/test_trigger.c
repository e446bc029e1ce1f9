/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Each kind of trigger, with days that are all alike but for the one thing. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "analysis/trigger.h"
#include "unit/fake_history.h"

#define RUNS 20
#define DAY0 20000

/* What is different from day `from` on. */
struct plan {
	int32_t from;
	double slower; /* factor of module "lib"; 0: 1 */
	double all;    /* factor of all */
	bool with_new;
	const char *version;
	uint64_t tax; /* runs that import "tax"; of RUNS */
	uint64_t tax_before;
	bool with_parts; /* "tax" loads two hundred others */
	int32_t later; /* from that day on "fresh" imports "pandas", which imports "numpy"; 0: never */
	int32_t less; /* from that day on "fresh" is in few runs; 0: never */
};

static char parts[200][16];

static void add_fresh(struct fh *f, bool later)
{
	(void)fh_module(f, "fresh", 33, 3, 33);
	(void)fh_module(f, "fresh.core", 30, 30, 30);
	(void)fh_edge(f, "lib", "fresh", "/x.py", 1, LMMSD_PLACE_MODULE, true);
	(void)fh_edge(f, "fresh", "fresh.core", "/x.py", 1, LMMSD_PLACE_MODULE, true);
	if (!later)
		return;
	(void)fh_module(f, "pandas", 400, 300, 400);
	(void)fh_module(f, "numpy", 100, 100, 100);
	(void)fh_edge(f, "fresh", "pandas", "/x.py", 2, LMMSD_PLACE_MODULE, true);
	(void)fh_edge(f, "pandas", "numpy", "/x.py", 1, LMMSD_PLACE_MODULE, true);
}

/* "fresh" in so many runs only. */
static void less_of(struct fh *f, uint64_t runs)
{
	for (size_t i = 0; i < f->h.n_modules; i++)
		if (!strncmp(f->modules[i].name, "fresh", 5))
			f->modules[i].runs_imported = f->modules[i].runs_start = runs;
	for (size_t i = 0; i < f->h.n_edges; i++)
		if (!strncmp(f->edge_module[i], "fresh", 5))
			f->edges[i].loads = runs;
}

static struct fh *day_of(const struct plan *p, int32_t day)
{
	static const double wave[] = {1, 1.02, 0.98, 1.01, 0.99, 1.03, 0.97};
	bool now = day >= p->from;
	double lib = 40 * wave[day % 7] * (now && p->slower > 0 ? p->slower : 1), all;
	struct fh *f = fh_new("shop", DAY0 + day, DAY0 + day + 1, RUNS);
	struct mdl_hist_module *m;
	uint64_t tax = now ? p->tax : p->tax_before;

	all = now && p->all > 0 ? p->all : 1;
	fh_day(f, DAY0 + day, (60 + lib) * all, RUNS);
	m = fh_module(f, "lib", lib * all, lib * all, lib);
	fh_installed(f, m, "/usr/lib/python3/dist-packages/lib.py", "lib",
		     now && p->version ? p->version : "1.0");
	for (int i = 0; i < 6; i++) {
		static const char *const names[] = {"a", "b", "c", "d", "e", "f"};

		(void)fh_module(f, names[i], 10 * all, 10 * wave[(day + i) % 7] * all, 10);
	}
	if (tax) {
		m = fh_module(f, "tax", 1, 1, 1);
		fh_in_function(f, m, tax);
		for (size_t i = 0; p->with_parts && i < 200; i++) {
			(void)snprintf(parts[i], sizeof(parts[i]), "tax.p%03zu", i);
			m = fh_module(f, parts[i], 1, 1, 1);
			fh_in_function(f, m, tax);
			fh_edge(f, i ? parts[(i - 1) / 2] : "tax", parts[i], "/x.py", 1,
				LMMSD_PLACE_MODULE, true)
				->loads = tax;
		}
	}
	if (now && p->with_new)
		add_fresh(f, p->later && day >= p->later);
	if (p->less && day >= p->less)
		less_of(f, RUNS / 10);
	(void)fh_done(f);
	return f;
}

static size_t changes_of(const struct plan *p, int32_t days, struct trigger **t,
			 struct rv_change **changes)
{
	size_t n = 0;

	assert_int_equal(trigger_new(NULL, t), 0);
	for (int32_t d = 0; d < days; d++) {
		struct fh *f = day_of(p, d);

		assert_int_equal(trigger_add_day(*t, &f->h), 0);
		fh_free(f);
	}
	assert_int_equal(trigger_changes(*t, DAY0, changes, &n), 0);
	return n;
}

#define CHANGES(plan, days)                                                                        \
	_cleanup_(trigger_freep) struct trigger *t = NULL;                                         \
	_free_ struct rv_change *c = NULL;                                                         \
	size_t n = changes_of(&(plan), days, &t, &c)

static void test_calm(void **state)
{
	struct plan p = {.from = 20, .tax = 10, .tax_before = 10};
	CHANGES(p, 50);

	(void)state;
	assert_int_equal(n, 0);
}

static void test_new_module(void **state)
{
	struct plan p = {.from = 30, .with_new = true};
	CHANGES(p, 31);

	(void)state;
	/* on its first day; what it brings along is not told apart */
	assert_int_equal(n, 1);
	assert_int_equal(c[0].kind, RV_NEW_MODULE);
	assert_string_equal(c[0].module, "fresh");
	assert_int_equal(c[0].day, DAY0 + 30);
	assert_string_equal(c[0].after, "33.0 ms");
	assert_non_null(strstr(c[0].why, "imported by lib"));
}

/* What a module imports weeks after it came is another change; what that brings along is not. */
static void test_new_in_new(void **state)
{
	struct plan p = {.from = 10, .with_new = true, .later = 33}, same = p;

	(void)state;
	same.later = 12;
	{
		CHANGES(p, 34);

		assert_int_equal(n, 2);
		assert_string_equal(c[0].module, "fresh");
		assert_int_equal(c[1].kind, RV_NEW_MODULE);
		assert_string_equal(c[1].module, "pandas");
		assert_int_equal(c[1].day, DAY0 + 33);
		assert_non_null(strstr(c[1].why, "imported by fresh"));
	}
	{
		CHANGES(same, 34);

		assert_int_equal(n, 1);
		assert_string_equal(c[0].module, "fresh");
	}
}

/* It is new once; weeks later it may come to be used less. */
static void test_new_then_less(void **state)
{
	struct plan p = {.from = 10, .with_new = true, .less = 33};
	CHANGES(p, 38);

	(void)state;
	assert_int_equal(n, 2);
	assert_int_equal(c[0].kind, RV_NEW_MODULE);
	assert_int_equal(c[1].kind, RV_USAGE_SHIFT);
	assert_string_equal(c[1].module, "fresh");
	assert_string_equal(c[1].after, "10 %");
}

static void test_dependency(void **state)
{
	struct plan p = {.from = 12, .version = "2.0"};
	CHANGES(p, 13);

	(void)state;
	assert_int_equal(n, 1);
	assert_int_equal(c[0].kind, RV_DEPENDENCY_UPDATE);
	assert_string_equal(c[0].module, "lib");
	assert_string_equal(c[0].before, "1.0");
	assert_string_equal(c[0].after, "2.0");
	assert_int_equal(c[0].day, DAY0 + 12);
}

static void test_regression(void **state)
{
	struct plan p = {.from = 30, .slower = 1.5};
	CHANGES(p, 36);

	(void)state;
	assert_int_equal(n, 2);
	assert_int_equal(c[0].kind, RV_REGRESSION);
	assert_int_equal(c[1].kind, RV_REGRESSION);
	assert_null(c[0].module);
	assert_string_equal(c[1].module, "lib");
	assert_true(c[0].day <= DAY0 + 33);
	assert_true(fabs(c[1].before_value - 40) < 2);
	assert_true(fabs(c[1].after_value - 60) < 3);
	assert_non_null(strstr(c[0].why, "most of it is lib"));
}

/* It is told once, and what it was before is told again when it comes back. */
static void test_once(void **state)
{
	struct plan p = {.from = 30, .slower = 0.5};
	CHANGES(p, 58);

	(void)state;
	assert_int_equal(n, 2);
	assert_int_equal(c[0].kind, RV_IMPROVEMENT);
	assert_int_equal(c[1].kind, RV_IMPROVEMENT);
}

static void test_machine(void **state)
{
	struct plan p = {.from = 30, .all = 1.4};
	CHANGES(p, 40);

	(void)state;
	assert_int_equal(n, 1);
	assert_null(c[0].module);
	assert_non_null(strstr(c[0].why, "the machine"));
}

static void test_usage(void **state)
{
	struct plan p = {.from = 30, .tax_before = 2, .tax = 14};
	CHANGES(p, 36);

	(void)state;
	assert_int_equal(n, 1);
	assert_int_equal(c[0].kind, RV_USAGE_SHIFT);
	assert_string_equal(c[0].module, "tax");
	assert_string_equal(c[0].before, "10 %");
	assert_string_equal(c[0].after, "70 %");
	assert_true(c[0].day <= DAY0 + 33);
}

/* Less than 20 points, and more of them in so few runs that it may be chance, are no shift. */
static void test_small_shifts(void **state)
{
	static const struct plan plans[] = {
		{.from = 30, .tax_before = 10, .tax = 13}, /* 50 % to 65 %, of 20 runs a day */
		{.from = 30, .tax_before = 1, .tax = 4},   /* 5 % to 20 % */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(plans); i++) {
		CHANGES(plans[i], 60);

		assert_int_equal(n, 0);
	}
}

/* A package that is used more, or less, is one change. */
static void test_usage_of_a_package(void **state)
{
	static const struct plan plans[] = {
		{.from = 30, .tax_before = 2, .tax = 14, .with_parts = true},
		{.from = 30, .tax_before = 14, .tax = 2, .with_parts = true},
		{.from = 30, .tax_before = 14, .tax = 0, .with_parts = true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(plans); i++) {
		CHANGES(plans[i], 36);

		assert_int_equal(n, 1);
		assert_int_equal(c[0].kind, RV_USAGE_SHIFT);
		assert_string_equal(c[0].module, "tax");
	}
}

/* ... and so is a new one, also when days later its share can be told. */
static void test_new_package_later(void **state)
{
	struct plan p = {.from = 30, .with_new = true};
	CHANGES(p, 45);

	(void)state;
	assert_int_equal(n, 1);
	assert_int_equal(c[0].kind, RV_NEW_MODULE);
}

/* Below what is enough: 2 ms, 15 %. */
static void test_small(void **state)
{
	struct plan p = {.from = 30, .slower = 1.08};
	CHANGES(p, 50);

	(void)state;
	assert_int_equal(n, 0);
}

static void test_days(void **state)
{
	_cleanup_(trigger_freep) struct trigger *t = NULL;
	_free_ struct rv_change *c = NULL;
	struct fh *empty = fh_new("shop", DAY0, DAY0 + 1, 0);
	struct plan p = {.from = 99};
	struct fh *f = day_of(&p, 5);
	size_t n = 9;

	(void)state;
	assert_int_equal(trigger_new(NULL, &t), 0);
	assert_int_equal(trigger_changes(t, DAY0, &c, &n), 0);
	assert_int_equal(n, 0);
	free(c);
	c = NULL;
	assert_int_equal(trigger_add_day(t, fh_done(empty)), 0);
	assert_int_equal(trigger_add_day(t, &f->h), 0);
	assert_int_equal(trigger_add_day(t, &f->h), -EINVAL);
	assert_int_equal(trigger_changes(t, DAY0, &c, &n), 0);
	assert_int_equal(n, 0);
	fh_free(f);
	fh_free(empty);
}

static int32_t day_of_ns(int64_t ns)
{
	return (int32_t)(ns / 86400000000000);
}

/* A change is known when one of its kind, of its module and in an update of its version was told some days before or after. */
static void test_known(void **state)
{
	static const struct {
		struct rv_change change;
		bool known;
	} cases[] = {
		{{.kind = RV_REGRESSION, .day = 92}, false},
		{{.kind = RV_REGRESSION, .day = 93}, true},
		{{.kind = RV_REGRESSION, .day = 107}, true},
		{{.kind = RV_REGRESSION, .day = 108}, false},
		{{.kind = RV_REGRESSION, .day = 100, .module = "lib"}, false},
		{{.kind = RV_IMPROVEMENT, .day = 100}, false},
		{{.kind = RV_GONE, .day = 100, .module = "lib"}, true},
		{{.kind = RV_GONE, .day = 100, .module = "other"}, false},
		{{.kind = RV_GONE, .day = 100}, false},
		/* a version can come, go and come again within a week */
		{{.kind = RV_DEPENDENCY_UPDATE, .day = 96, .module = "lib", .after = "2.0"}, false},
		{{.kind = RV_DEPENDENCY_UPDATE, .day = 97, .module = "lib", .after = "2.0"}, true},
		{{.kind = RV_DEPENDENCY_UPDATE, .day = 103, .module = "lib", .after = "2.0"}, true},
		{{.kind = RV_DEPENDENCY_UPDATE, .day = 104, .module = "lib", .after = "2.0"},
		 false},
		{{.kind = RV_DEPENDENCY_UPDATE, .day = 100, .module = "lib", .after = "1.0"},
		 false},
		{{.kind = RV_DEPENDENCY_UPDATE, .day = 100, .module = "lib"}, true},
	};
	const int64_t at = 100 * 86400000000000;
	const struct mdl_trigger stored[] = {
		{.kind = "regression", .module = "", .at_ns = at},
		{.kind = "gone", .module = "lib", .at_ns = at},
		{.kind = "dependency_update", .module = "lib", .after = "2.0", .at_ns = at},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		if (trigger_known(stored, ARRAY_LEN(stored), &cases[i].change, day_of_ns) !=
		    cases[i].known)
			fail_msg("%zu: known is not %d", i, cases[i].known);
		assert_false(trigger_known(NULL, 0, &cases[i].change, day_of_ns));
	}
}

static void test_kind_names(void **state)
{
	enum rv_change_kind kind;

	(void)state;
	for (int k = RV_NEW_MODULE; k <= RV_DEPENDENCY_UPDATE; k++) {
		assert_int_equal(trigger_kind_from_name(trigger_kind_name((enum rv_change_kind)k),
							&kind),
				 0);
		assert_int_equal(kind, k);
	}
	assert_int_equal(trigger_kind_from_name("x", &kind), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_calm),
		cmocka_unit_test(test_new_module),
		cmocka_unit_test(test_new_in_new),
		cmocka_unit_test(test_new_then_less),
		cmocka_unit_test(test_dependency),
		cmocka_unit_test(test_regression),
		cmocka_unit_test(test_once),
		cmocka_unit_test(test_machine),
		cmocka_unit_test(test_usage),
		cmocka_unit_test(test_small_shifts),
		cmocka_unit_test(test_small),
		cmocka_unit_test(test_days),
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_kind_names),
		cmocka_unit_test(test_usage_of_a_package),
		cmocka_unit_test(test_new_package_later),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
