/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* A daemon's review of a host where somebody makes apps without end. */
#include "app/reviewing.h"
#include "fake_store.h"
#include "review/review.h"

static const char *const names[] = {"cheap", "dear", "often", "rare", "zero"};

static void fill(struct fake_store *s)
{
	fake_store_open(s);
	for (int i = 0; i < 3; i++) {
		fake_put_run(s, "cheap", 1, fake_noon(i));
		fake_put_run(s, "dear", 50, fake_noon(i));
	}
	for (int i = 0; i < 30; i++)
		fake_put_run(s, "often", 4, fake_noon(i % 5));
	fake_put_run(s, "rare", 2, fake_noon(1));
	fake_put_run(s, "zero", 0.001, fake_noon(1));
	fake_store_flush(s);
	fake_store_close(s);
}

static struct rv_review *review(struct fake_store *s, size_t max_modules)
{
	_cleanup_(store_closep) struct store *store = fake_store_reader(s, STORE_READ);
	const struct reviewing in = {
		.store = store,
		.period = reviewing_month(2023 * 12 + 10),
		.thresholds = review_default_thresholds,
		.max_modules = max_modules,
	};
	struct rv_review *r = NULL;

	assert_int_equal(reviewing_make(&in, &r), 0);
	return r;
}

static bool has_app(const struct rv_review *r, const char *app)
{
	for (size_t i = 0; i < r->n_apps; i++)
		if (!strcmp(r->apps[i]->app, app))
			return true;
	return false;
}

static void test_all_without_a_limit(void **state)
{
	struct rv_review *r;

	fill(*state);
	r = review(*state, 0);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		assert_true(has_app(r, names[i]));
	assert_null(r->note);
	(void)reviewing_free(r);
}

/* Three modules each: what costs most is there, and the rest is said. */
static void test_the_dearest_with_a_limit(void **state)
{
	struct rv_review *r;

	fill(*state);
	r = review(*state, 6);
	assert_int_equal(r->n_apps, 2);
	assert_true(has_app(r, "dear"));
	assert_true(has_app(r, "often"));
	assert_non_null(r->note);
	assert_non_null(strstr(r->note, "3 more apps are left out"));
	(void)reviewing_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_all_without_a_limit, fake_store_setup,
						fake_store_teardown),
		cmocka_unit_test_setup_teardown(test_the_dearest_with_a_limit, fake_store_setup,
						fake_store_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
