/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Packages that a statement loads for the sake of a submodule; and what probes took, which no change saves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "analysis/savings.h"
#include "analysis/statements.h"
#include "unit/fake_profile.h"

#define MS 1000000ULL

static struct fake f;

static int set_up(void **state)
{
	(void)state;
	fake_init(&f);
	(void)fake_process(&f, "test", 1);
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

/* All imports of name by importer stand at that line. */
static void at_line(const char *importer, const char *name, int32_t line)
{
	struct mdl_process *p = f.p;
	const char *by = fake_str(&f, importer), *of = fake_str(&f, name);

	for (size_t i = 0; i < p->n_edges; i++)
		if (p->edges[i].importer == by && p->edges[i].module == of)
			p->edges[i].line = line;
	for (size_t i = 0; i < p->n_loads; i++)
		if (p->loads[i].importer == by && p->loads[i].name == of)
			p->loads[i].line = line;
}

/* `import pkg.mod`: pkg takes 2 ms and loads pkg.base in 10, which pkg.mod imports, too; pkg.mod itself takes 1 ms. */
static void import_submodule(void)
{
	fake_begin(&f, "__main__", "pkg.mod", LMMSD_PLACE_MODULE);
	fake_begin(&f, "__main__", "pkg", LMMSD_PLACE_MODULE);
	fake_spend(&f, 2 * MS);
	fake_leaf(&f, "pkg", "pkg.base", LMMSD_PLACE_MODULE, 10 * MS);
	fake_end(&f);
	fake_spend(&f, 1 * MS);
	fake_use(&f, "pkg.mod", "pkg.base", LMMSD_PLACE_MODULE, false);
	fake_end(&f);
	at_line("__main__", "pkg.mod", 3);
	at_line("__main__", "pkg", 3);
}

static void test_package_of_a_submodule(void **state)
{
	(void)state;
	import_submodule();
	fake_started(&f);
	assert_int_equal(savings_process(f.p), 0);
	assert_int_equal(saving_ms("pkg.mod"), 13);
	assert_int_equal(saving_ms("pkg"), 2);
	assert_int_equal(saving_ms("pkg.base"), 10);
}

/* `import pkg` stands elsewhere, too: without pkg.mod, pkg and what it needs are there all the same. */
static void test_package_for_itself(void **state)
{
	(void)state;
	import_submodule();
	fake_use(&f, "__main__", "pkg", LMMSD_PLACE_MODULE, false);
	fake_started(&f);
	assert_int_equal(savings_process(f.p), 0);
	assert_int_equal(saving_ms("pkg.mod"), 1);
	assert_int_equal(saving_ms("pkg"), 2);
	assert_int_equal(saving_ms("pkg.base"), 10);
}

/* `import pkg.mod` and `import pkg.other`: either alone leaves the package. */
static void test_two_submodules(void **state)
{
	(void)state;
	import_submodule();
	fake_leaf(&f, "__main__", "pkg.other", LMMSD_PLACE_MODULE, 4 * MS);
	at_line("__main__", "pkg.other", 4);
	fake_started(&f);
	assert_int_equal(savings_process(f.p), 0);
	assert_int_equal(saving_ms("pkg.mod"), 1);
	assert_int_equal(saving_ms("pkg.other"), 4);
}

static void test_implied(void **state)
{
	struct statement s[] = {
		{.importer = 1, .file = "x.py", .line = 3, .module = "a", .once = true},
		{.importer = 1, .file = "x.py", .line = 3, .module = "a.b", .once = true},
		{.importer = 1, .file = "x.py", .line = 3, .module = "a.b.c", .once = true},
		{.importer = 1, .file = "x.py", .line = 3, .module = "a-b", .once = true},
		{.importer = 1, .file = "x.py", .line = 4, .module = "d", .once = true},
		{.importer = 1, .file = "y.py", .line = 4, .module = "d.e", .once = true},
		{.importer = 2, .file = "x.py", .line = 4, .module = "d.e", .once = true},
		{.importer = 3, .file = NULL, .line = 5, .module = "g.h", .once = true},
		{.importer = 3, .file = NULL, .line = 5, .module = "g", .once = true},
		{.importer = 4, .file = NULL, .line = 0, .module = "g", .once = true},
		{.importer = 4, .file = NULL, .line = 0, .module = "g.h", .once = true},
		{.importer = 5, .file = NULL, .line = 6, .module = "g"},
		{.importer = 5, .file = NULL, .line = 6, .module = "g.h", .once = true},
		{.importer = 6, .file = NULL, .line = 7, .module = "ab", .once = true},
		{.importer = 6, .file = NULL, .line = 7, .module = "a.b", .once = true},
	};
	const bool implied[] = {true, true,  false, false, false, false, false, false,
				true, false, false, false, false, false, false};

	(void)state;
	assert_int_equal(statements_imply(s, sizeof(s) / sizeof(*s)), 0);
	for (size_t i = 0; i < sizeof(s) / sizeof(*s); i++)
		if (s[i].implied != implied[i])
			fail_msg("%zu: %s", i, s[i].module);
	assert_int_equal(statements_imply(NULL, 0), 0);
}

/* Without the module its probes do not fire either, but without lmmsd none of them does. */
static void test_probes_are_no_saving(void **state)
{
	(void)state;
	fake_begin(&f, "__main__", "a", LMMSD_PLACE_MODULE)->spent_ns = 2 * MS;
	fake_spend(&f, 5 * MS);
	fake_leaf(&f, "a", "b", LMMSD_PLACE_MODULE, 10 * MS)->spent_ns = 3 * MS;
	fake_end(&f);
	fake_started(&f);
	assert_int_equal(savings_process(f.p), 0);
	assert_int_equal(saving_ms("b"), 7);
	assert_int_equal(saving_ms("a"), 10);
}

#define PROCESS_TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PROCESS_TEST(test_package_of_a_submodule), PROCESS_TEST(test_package_for_itself),
		PROCESS_TEST(test_two_submodules),	   cmocka_unit_test(test_implied),
		PROCESS_TEST(test_probes_are_no_saving),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
