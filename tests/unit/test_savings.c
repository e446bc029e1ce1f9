/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* analysis/savings: what the start of a process would save without a module. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "analysis/savings.h"
#include "unit/fake_profile.h"

#define MS 1000000ULL

static struct fake f;

static int set_up(void **state)
{
	(void)state;
	fake_init(&f);
	(void)fake_process(&f, "app", 1);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	fake_free(&f);
	return 0;
}

static uint64_t saving_ms(const char *name)
{
	return fake_module(&f, name)->saving_ns / MS;
}

static void run(void)
{
	assert_int_equal(savings_process(f.p), 0);
}

/* main -> a -> x, main -> b -> x (cached): x is lost to nobody alone. */
static void test_shared(void **state)
{
	(void)state;
	fake_begin(&f, "__main__", "a", LMMSD_PLACE_MODULE);
	fake_spend(&f, 5 * MS);
	fake_leaf(&f, "a", "x", LMMSD_PLACE_MODULE, 20 * MS);
	fake_leaf(&f, "a", "only_a", LMMSD_PLACE_CLASS, 3 * MS);
	fake_end(&f);
	fake_begin(&f, "__main__", "b", LMMSD_PLACE_MODULE);
	fake_spend(&f, 7 * MS);
	fake_use(&f, "b", "x", LMMSD_PLACE_MODULE, false);
	fake_end(&f);
	fake_started(&f);
	run();
	assert_int_equal(saving_ms("a"), 8);
	assert_int_equal(saving_ms("b"), 7);
	assert_int_equal(saving_ms("x"), 20);
	assert_int_equal(saving_ms("only_a"), 3);
}

/* A function that could import x later does not keep the start long; one that did load at start does. */
static void test_function_level(void **state)
{
	(void)state;
	fake_begin(&f, "__main__", "a", LMMSD_PLACE_MODULE);
	fake_leaf(&f, "a", "x", LMMSD_PLACE_MODULE, 20 * MS);
	fake_end(&f);
	fake_begin(&f, "__main__", "b", LMMSD_PLACE_MODULE);
	fake_spend(&f, 2 * MS);
	fake_use(&f, "b", "x", LMMSD_PLACE_FUNCTION, false);
	fake_leaf(&f, "b", "y", LMMSD_PLACE_FUNCTION, 10 * MS);
	fake_end(&f);
	fake_started(&f);
	run();
	assert_int_equal(saving_ms("a"), 20);
	assert_int_equal(saving_ms("b"), 12);
	/* And when a imports y at module level too, y stays without b. */
	fake_use(&f, "a", "y", LMMSD_PLACE_MODULE, false);
	run();
	assert_int_equal(saving_ms("a"), 20);
	assert_int_equal(saving_ms("b"), 2);
	assert_int_equal(saving_ms("y"), 10);
}

/* import p.q loads p without an importer; p then imports p.q as well. */
static void test_package(void **state)
{
	(void)state;
	fake_begin(&f, "__main__", "p.q", LMMSD_PLACE_MODULE);
	fake_spend(&f, 4 * MS);
	fake_begin(&f, NULL, "p", LMMSD_PLACE_UNKNOWN);
	fake_spend(&f, 30 * MS);
	fake_leaf(&f, "p", "p.util", LMMSD_PLACE_MODULE, 6 * MS);
	fake_end(&f);
	fake_end(&f);
	fake_begin(&f, "__main__", "c", LMMSD_PLACE_MODULE);
	fake_spend(&f, 1 * MS);
	fake_end(&f);
	fake_started(&f);
	run();
	assert_int_equal(saving_ms("p.q"), 40);
	assert_int_equal(saving_ms("p"), 36);
	/* c imports another module of the package: the package stays without p.q. */
	fake_use(&f, "c", "p.util", LMMSD_PLACE_MODULE, false);
	run();
	assert_int_equal(saving_ms("p.q"), 4);
	assert_int_equal(saving_ms("p"), 30);
	assert_int_equal(saving_ms("p.util"), 6);
	assert_int_equal(saving_ms("c"), 1);
}

/* What was loaded after the start saves nothing, and what it imports does not count as imported at start. */
static void test_after_start(void **state)
{
	(void)state;
	fake_begin(&f, "__main__", "a", LMMSD_PLACE_MODULE);
	fake_leaf(&f, "a", "x", LMMSD_PLACE_MODULE, 20 * MS);
	fake_end(&f);
	fake_started(&f);
	fake_begin(&f, "a", "late", LMMSD_PLACE_FUNCTION);
	fake_spend(&f, 50 * MS);
	fake_use(&f, "late", "x", LMMSD_PLACE_MODULE, false);
	fake_end(&f);
	fake_begin(&f, "__main__", "later", LMMSD_PLACE_FUNCTION);
	fake_use(&f, "later", "x", LMMSD_PLACE_MODULE, false);
	fake_end(&f);
	run();
	assert_int_equal(saving_ms("a"), 20);
	assert_int_equal(saving_ms("late"), 0);
}

static void test_repeats_and_failures(void **state)
{
	(void)state;
	fake_leaf(&f, "__main__", "x", LMMSD_PLACE_MODULE, 20 * MS)->status = MDL_FAILED;
	fake_leaf(&f, "__main__", "x", LMMSD_PLACE_MODULE, 5 * MS);
	fake_started(&f);
	run();
	assert_int_equal(saving_ms("x"), 25);
}

/* Islands: importers that nothing is known to lead to keep what they import. */
static void test_unknown_importers(void **state)
{
	(void)state;
	fake_begin(&f, "__main__", "a", LMMSD_PLACE_MODULE);
	fake_leaf(&f, "a", "x", LMMSD_PLACE_MODULE, 20 * MS);
	fake_end(&f);
	/* "plugin" was never seen to be loaded, nor is it a module that something imported. */
	fake_use(&f, "plugin", "x", LMMSD_PLACE_MODULE, false);
	(void)fake_module(&f, "plugin");
	/* Two that import each other, the first one's importer lost. */
	fake_begin(&f, "m", "l", LMMSD_PLACE_MODULE);
	fake_spend(&f, 1 * MS);
	fake_begin(&f, "l", "m", LMMSD_PLACE_MODULE);
	fake_spend(&f, 2 * MS);
	fake_end(&f);
	fake_end(&f);
	fake_started(&f);
	run();
	assert_int_equal(saving_ms("a"), 0);
	assert_int_equal(saving_ms("x"), 20);
	assert_int_equal(saving_ms("l"), 3);
	assert_int_equal(saving_ms("m"), 2);
}

/* What the interpreter loads for itself cannot be saved by not importing site. */
static void test_interpreter_start(void **state)
{
	(void)state;
	fake_begin(&f, NULL, "site", LMMSD_PLACE_UNKNOWN);
	fake_spend(&f, 1 * MS);
	fake_begin(&f, "site", "os", LMMSD_PLACE_MODULE);
	fake_spend(&f, 2 * MS);
	fake_leaf(&f, "os", "stat", LMMSD_PLACE_MODULE, 3 * MS);
	fake_end(&f);
	fake_end(&f);
	f.p->main_ns = f.now_ns;
	fake_leaf(&f, "__main__", "a", LMMSD_PLACE_MODULE, 4 * MS);
	fake_started(&f);
	run();
	assert_int_equal(saving_ms("site"), 1);
	assert_int_equal(saving_ms("os"), 5);
	assert_int_equal(saving_ms("stat"), 3);
	assert_int_equal(saving_ms("a"), 4);
}

static void test_start_not_seen(void **state)
{
	(void)state;
	fake_leaf(&f, "__main__", "x", LMMSD_PLACE_MODULE, 20 * MS);
	fake_module(&f, "x")->saving_ns = 99;
	f.p->from_start = false;
	run();
	assert_int_equal(fake_module(&f, "x")->saving_ns, 0);
}

/* __main__ carries times but costs nothing itself; a fork's open loads are the parent's. */
static void test_not_counted(void **state)
{
	struct mdl_load *l;

	(void)state;
	fake_begin(&f, NULL, "inherited", LMMSD_PLACE_MODULE);
	fake_spend(&f, 9 * MS);
	fake_leaf(&f, "inherited", "x", LMMSD_PLACE_MODULE, 20 * MS);
	fake_end(&f);
	fake_begin(&f, NULL, "__main__", LMMSD_PLACE_UNKNOWN);
	fake_spend(&f, 5 * MS);
	fake_leaf(&f, "__main__", "a", LMMSD_PLACE_MODULE, 2 * MS);
	fake_end(&f);
	l = f.p->loads;
	l[0].flags = MDL_LOAD_INHERITED;
	l[2].flags = MDL_LOAD_MAIN;
	f.p->cold_start_ns = 2 * MS;
	run();
	assert_int_equal(saving_ms("inherited"), 0);
	assert_int_equal(saving_ms("x"), 0);
	assert_int_equal(saving_ms("a"), 2);
	assert_int_equal(saving_ms("__main__"), 0);
}

static void test_damaged(void **state)
{
	(void)state;
	fake_leaf(&f, "__main__", "a", LMMSD_PLACE_MODULE, 2 * MS);
	fake_leaf(&f, "__main__", "b", LMMSD_PLACE_MODULE, 3 * MS);
	fake_started(&f);
	f.p->loads[0].parent = 1;
	f.p->loads[1].parent = 77;
	run();
	assert_int_equal(saving_ms("a"), 2);
	assert_int_equal(saving_ms("b"), 3);
	fake_done(&f);
	(void)fake_process(&f, "empty", 2);
	run();
}

#define PROCESS_TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PROCESS_TEST(test_shared),
		PROCESS_TEST(test_function_level),
		PROCESS_TEST(test_package),
		PROCESS_TEST(test_after_start),
		PROCESS_TEST(test_repeats_and_failures),
		PROCESS_TEST(test_unknown_importers),
		PROCESS_TEST(test_interpreter_start),
		PROCESS_TEST(test_start_not_seen),
		PROCESS_TEST(test_not_counted),
		PROCESS_TEST(test_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
