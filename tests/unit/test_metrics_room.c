/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* The counters: how many series there are whatever comes, and who has them. */
#include "metrics_fixture.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "export/metrics.h"

static void test_the_dearest_have_series(void **state)
{
	struct fixture *f = *state;
	struct mdl_stored_module mods[100];
	char names[100][16];

	for (size_t i = 0; i < 100; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "m%zu", i);
		mods[i] = fake_stored_module(names[i], 1 + (double)i, 0);
	}
	fake_count(f->m, "big", 1, true, MDL_RUN_WARM, mods, 100);
	take(f);
	assert_int_equal(fake_app(&f->s, "big")->n_modules, 51);
	assert_non_null(fake_module_of(&f->s, "big", "m99"));
	assert_non_null(fake_module_of(&f->s, "big", "m50"));
	assert_null(fake_module_of(&f->s, "big", "m49"));
	assert_int_equal(fake_module_of(&f->s, "big", MDL_OTHER)->uses[LMMSD_PLACE_MODULE], 50);
	/* much dearer: takes the place of the cheapest */
	mods[0] = fake_stored_module("monster", 5000, 0);
	fake_count(f->m, "big", 2, true, MDL_RUN_WARM, mods, 1);
	take(f);
	assert_int_equal(fake_app(&f->s, "big")->n_modules, 51);
	assert_non_null(fake_module_of(&f->s, "big", "monster"));
	assert_null(fake_module_of(&f->s, "big", "m50"));
}

static void test_an_app_that_costs_more_comes_in(void **state)
{
	struct fixture *f = *state;
	const struct mdl_stored_module cheap[] = {fake_stored_module("a", 1, 0)};
	const struct mdl_stored_module dear[] = {fake_stored_module("b", 500, 0)};
	char name[32];

	for (uint64_t i = 0; i < 100; i++) {
		(void)snprintf(name, sizeof(name), "app%02llu", (unsigned long long)i);
		fake_count(f->m, name, i, true, MDL_RUN_WARM, cheap, 1);
	}
	take(f);
	assert_int_equal(f->s.n_apps, 33); /* and the others */
	assert_int_equal(fake_app(&f->s, MDL_OTHER)->runs, 68);
	fake_count(f->m, "shop", 1000, true, MDL_RUN_WARM, dear, 1);
	take(f);
	assert_int_equal(f->s.n_apps, 33);
	assert_int_equal(fake_app(&f->s, "shop")->runs, 1);
}

static void fill(struct fixture *f, double ms)
{
	const struct mdl_stored_module mods[] = {fake_stored_module("a", ms, 0)};
	char name[32];

	for (uint64_t i = 0; i < fake_metrics_options.max_apps; i++) {
		(void)snprintf(name, sizeof(name), "app%02llu", (unsigned long long)i);
		fake_count(f->m, name, i, true, MDL_RUN_WARM, mods, 1);
	}
}

/* A day halves what an app cost: one of today takes the place of one of last week. */
static void test_old_costs_fade(void **state)
{
	struct fixture *f = *state;
	const struct mdl_stored_module mods[] = {fake_stored_module("b", 100, 0)};
	const int64_t later_s = FAKE_NOW_S + 7 * 86400;

	fill(f, 500);
	fake_count(f->m, "early", 1000, true, MDL_RUN_WARM, mods, 1);
	take(f);
	assert_null(fake_app(&f->s, "early"));
	fake_count_at(f->m, "today", 1001, true, MDL_RUN_WARM, mods, 1, later_s);
	take(f);
	assert_int_equal(f->s.n_apps, 33);
	assert_int_equal(fake_app(&f->s, "today")->runs, 1);
	/* there is another of last week's for the next one */
	fake_count_at(f->m, "late", 1002, true, MDL_RUN_WARM, mods, 1, later_s + 60);
	take(f);
	assert_non_null(fake_app(&f->s, "late"));
	assert_non_null(fake_app(&f->s, "today"));
}

/* Names change hands ten times at once, and then every two minutes, whoever comes. */
static void test_names_change_hands_slowly(void **state)
{
	struct fixture *f = *state;
	static const struct {
		int64_t after_s;
		size_t came;
	} rounds[] = {{0, 10}, {1, 10}, {120, 11}, {240, 12}, {7200, 22}, {7200, 22}};
	uint64_t key = 1000;

	fill(f, 1);
	for (size_t r = 0; r < sizeof(rounds) / sizeof(rounds[0]); r++) {
		size_t came = 0;

		for (uint64_t k = 0; k < 40; k++, key++) {
			struct mdl_stored_module dear = fake_stored_module("b", 100, 0);
			char name[32];

			(void)snprintf(name, sizeof(name), "dear%llu", (unsigned long long)key);
			fake_count_at(f->m, name, key, true, MDL_RUN_WARM, &dear, 1,
				      FAKE_NOW_S + rounds[r].after_s);
		}
		take(f);
		assert_int_equal(f->s.n_apps, 33);
		for (size_t i = 0; i < f->s.n_apps; i++)
			came += !strncmp(f->s.apps[i].app, "dear", 4);
		assert_int_equal(came, rounds[r].came);
	}
}

/* Lines that are samples. */
static size_t samples(const char *page)
{
	size_t n = 0;

	for (const char *at = page; *at; at = strchr(at, '\n') + 1)
		n += *at != '#';
	return n;
}

/* 10,000 apps and 100,000 module names, the later ones ever dearer, each at every placement, with every fact as long as it may be. */
static void test_hostile(void **state)
{
	struct fixture *f = *state;
	struct mdl_stored_module mods[10];
	char names[10][700], app[600], fact[600];
	size_t most = 0, changes = 0;
	char before[64] = "";

	memset(fact, 'f', sizeof(fact) - 1);
	fact[sizeof(fact) - 1] = '\0';
	for (uint64_t i = 0; i < 10000; i++) {
		memset(app, 'a', sizeof(app) - 1);
		(void)snprintf(app, sizeof(app), "%llu-", (unsigned long long)i);
		app[strlen(app)] = 'a';
		app[sizeof(app) - 1] = '\0';
		for (size_t k = 0; k < 10; k++) {
			(void)snprintf(names[k], sizeof(names[k]), "%llu.%zu.%s",
				       (unsigned long long)i, k, fact);
			mods[k] = fake_stored_module(names[k], 1 + (double)i * (double)(k + 1) / 10,
						     1);
			for (size_t p = 0; p < LMMSD_PLACE_MAX; p++)
				mods[k].uses[p] = i + 1;
			mods[k].failures = 1;
			mods[k].place = (uint8_t)(i % LMMSD_PLACE_MAX);
			mods[k].importer = mods[k].distribution = mods[k].version = fact;
		}
		fake_count(f->m, app, i, i % 3 > 0, MDL_RUN_WARM, mods, 10);
		if (i % 500 != 499)
			continue;
		for (int format = 0; format < 2; format++) {
			_buf_ struct buf page = {0};
			size_t n;

			take(f);
			assert_int_equal(export_metrics((enum export_metrics_format)format, &f->s,
							&page),
					 0);
			n = samples(buf_str(&page));
			most = n > most ? n : most;
		}
		changes += strncmp(before, f->s.apps[0].app, 10) != 0;
		(void)snprintf(before, sizeof(before), "%s", f->s.apps[0].app);
	}
	assert_true(most < 4000);
	assert_true(most > 1000); /* and it is no empty page */
	assert_true(f->s.n_apps <= 33);
	assert_true(f->s.refused_apps > 6000);
	/* a host's series do not change all the time: Prometheus would keep them all */
	assert_true(changes <= 12);
}

/* Many placements after they got their series: the page stays as short. */
static void test_growth(void **state)
{
	struct fixture *f = *state;
	struct mdl_stored_module mods[50];
	char names[50][16], app[16];

	for (uint64_t round = 0; round < 6; round++) {
		for (uint64_t a = 0; a < 40; a++) {
			(void)snprintf(app, sizeof(app), "app%llu", (unsigned long long)a);
			for (size_t i = 0; i < 50; i++) {
				(void)snprintf(names[i], sizeof(names[i]), "m%zu", i);
				mods[i] = fake_stored_module(names[i], 5 + (double)i, 1);
				mods[i].place = (uint8_t)round;
				mods[i].uses[round] = 3;
				mods[i].failures = 1;
			}
			fake_count(f->m, app, 100 * round + a, true, MDL_RUN_WARM, mods, 50);
		}
		for (int format = 0; format < 2; format++) {
			_buf_ struct buf page = {0};

			take(f);
			assert_int_equal(export_metrics((enum export_metrics_format)format, &f->s,
							&page),
					 0);
			assert_true(samples(buf_str(&page)) < 4000);
		}
	}
}

static void test_sums_are_right_whoever_has_series(void **state)
{
	struct fixture *f = *state;
	struct mdl_stored_module mods[60];
	char names[60][16];
	uint64_t uses = 0;
	const struct mdl_metrics_app *a;

	for (uint64_t r = 0; r < 50; r++) {
		for (size_t i = 0; i < 60; i++) {
			(void)snprintf(names[i], sizeof(names[i]), "m%llu",
				       (unsigned long long)(r % 7 * 10 + i));
			mods[i] = fake_stored_module(names[i], 1, 0);
		}
		fake_count(f->m, "shop", r, true, MDL_RUN_WARM, mods, 60);
	}
	take(f);
	a = fake_app(&f->s, "shop");
	for (size_t i = 0; i < a->n_modules; i++)
		uses += a->modules[i]->uses[LMMSD_PLACE_MODULE];
	assert_int_equal(uses, 3000); /* nobody was dearer, so nobody lost series */
	assert_int_equal(a->uses, 3000);
}

static void test_order(void **state)
{
	struct fixture *f = *state;
	const struct mdl_stored_module mods[] = {fake_stored_module("b", 2, 0),
						 fake_stored_module("a", 1, 0)};

	fake_count(f->m, "z", 1, true, MDL_RUN_WARM, mods, 2);
	fake_count(f->m, "y", 2, true, MDL_RUN_WARM, mods, 2);
	take(f);
	assert_string_equal(f->s.apps[0].app, "y");
	assert_string_equal(f->s.apps[0].modules[0]->module, "a");
}

/* What the store could not name is not counted twice as an app of that name. */
static void test_other_is_other(void **state)
{
	struct fixture *f = *state;
	const struct mdl_stored_module mods[] = {fake_stored_module("b", 2, 0)};

	fake_count(f->m, MDL_OTHER, 1, true, MDL_RUN_WARM, mods, 1);
	take(f);
	assert_int_equal(f->s.n_apps, 1);
	assert_string_equal(f->s.apps[0].app, MDL_OTHER);
	assert_int_equal(f->s.apps[0].n_modules, 1);
	assert_string_equal(f->s.apps[0].modules[0]->module, MDL_OTHER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_the_dearest_have_series),
		TEST(test_an_app_that_costs_more_comes_in),
		TEST(test_old_costs_fade),
		TEST(test_names_change_hands_slowly),
		TEST(test_hostile),
		TEST(test_growth),
		TEST(test_sums_are_right_whoever_has_series),
		TEST(test_order),
		TEST(test_other_is_other),
	};

	return cmocka_run_group_tests_name("metrics_room", tests, NULL, NULL);
}
