/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "analysis/classify.h"
#include "unit/fake_profile.h"

static enum mdl_tier tier(double ms, double pct)
{
	return classify(&classify_default_policy, ms, pct);
}

static void test_bounds(void **state)
{
	(void)state;
	assert_int_equal(tier(0, 0), MDL_MODULE_LEVEL);
	assert_int_equal(tier(9.99, 0), MDL_MODULE_LEVEL);
	assert_int_equal(tier(9.99, 100), MDL_MODULE_LEVEL);
	assert_int_equal(tier(10, 80), MDL_FUNCTION_LEVEL);
	assert_int_equal(tier(10, 80.01), MDL_MODULE_LEVEL);
	assert_int_equal(tier(50, 0), MDL_FUNCTION_LEVEL);
	assert_int_equal(tier(100, 80), MDL_FUNCTION_LEVEL);
	assert_int_equal(tier(100, 80.01), MDL_MODULE_LEVEL);
	assert_int_equal(tier(100.01, 80.01), MDL_FUNCTION_LEVEL);
	assert_int_equal(tier(100.01, 100), MDL_FUNCTION_LEVEL);
	assert_int_equal(tier(1e9, 100), MDL_FUNCTION_LEVEL);
}

static void test_not_known(void **state)
{
	(void)state;
	assert_int_equal(tier(9.99, NAN), MDL_MODULE_LEVEL);
	assert_int_equal(tier(100.01, NAN), MDL_FUNCTION_LEVEL);
	assert_int_equal(tier(10, NAN), MDL_TIER_NONE);
	assert_int_equal(tier(100, NAN), MDL_TIER_NONE);
	assert_int_equal(tier(NAN, 100), MDL_TIER_NONE);
}

static void test_policy(void **state)
{
	struct classify_policy policy = {.fast_ms = 1, .slow_ms = 2, .usage_pct = 10};

	(void)state;
	assert_int_equal(classify(&policy, 0.5, 0), MDL_MODULE_LEVEL);
	assert_int_equal(classify(&policy, 1.5, 11), MDL_MODULE_LEVEL);
	assert_int_equal(classify(&policy, 1.5, 10), MDL_FUNCTION_LEVEL);
	assert_int_equal(classify(&policy, 2.5, 11), MDL_FUNCTION_LEVEL);
}

static void test_names(void **state)
{
	(void)state;
	assert_string_equal(classify_tier_name(MDL_MODULE_LEVEL), "MODULE_LEVEL");
	assert_string_equal(classify_tier_name(MDL_FUNCTION_LEVEL), "FUNCTION_LEVEL");
	assert_string_equal(classify_tier_name(MDL_TIER_NONE), "");
}

static void test_process(void **state)
{
	struct fake f;

	(void)state;
	fake_init(&f);
	(void)fake_process(&f, "app", 1);
	(void)fake_leaf(&f, "__main__", "slow", LMMSD_PLACE_MODULE, 100010000);
	(void)fake_leaf(&f, "__main__", "middle", LMMSD_PLACE_MODULE, 50000000);
	(void)fake_leaf(&f, "__main__", "fast", LMMSD_PLACE_MODULE, 9990000);
	for (int i = 0; i < 96; i++)
		fake_use(&f, "__main__", "middle", LMMSD_PLACE_FUNCTION, false);
	fake_use(&f, "__main__", "sys", LMMSD_PLACE_MODULE, false);
	classify_process(&classify_default_policy, f.p);

	assert_int_equal(fake_module(&f, "slow")->tier, MDL_FUNCTION_LEVEL);
	assert_int_equal(fake_module(&f, "middle")->tier, MDL_MODULE_LEVEL);
	assert_int_equal(fake_module(&f, "fast")->tier, MDL_MODULE_LEVEL);
	assert_float_equal(fake_module(&f, "middle")->share_pct, 97, 1e-9);
	assert_float_equal(fake_module(&f, "slow")->share_pct, 1, 1e-9);
	/* Never loaded here: there is no time to judge by. */
	assert_int_equal(fake_module(&f, "sys")->tier, MDL_TIER_NONE);
	assert_float_equal(fake_module(&f, "sys")->share_pct, 1, 1e-9);

	/* Time of the parent before a fork is no cost of this process. */
	f.p->loads[0].flags = MDL_LOAD_INHERITED;
	f.p->modules[1].load = 1000;
	classify_process(&classify_default_policy, f.p);
	assert_int_equal(fake_module(&f, "slow")->tier, MDL_TIER_NONE);
	assert_int_equal(fake_module(&f, "middle")->tier, MDL_TIER_NONE);
	fake_free(&f);
}

static void test_no_uses(void **state)
{
	struct fake f;

	(void)state;
	fake_init(&f);
	(void)fake_process(&f, "app", 1);
	(void)fake_leaf(&f, "__main__", "a", LMMSD_PLACE_MODULE, 50000000);
	fake_module(&f, "a")->uses = 0;
	classify_process(&classify_default_policy, f.p);
	assert_true(fake_module(&f, "a")->share_pct == 0);
	assert_int_equal(fake_module(&f, "a")->tier, MDL_FUNCTION_LEVEL);
	fake_free(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bounds),	cmocka_unit_test(test_not_known),
		cmocka_unit_test(test_policy),	cmocka_unit_test(test_names),
		cmocka_unit_test(test_process), cmocka_unit_test(test_no_uses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
