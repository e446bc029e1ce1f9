/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* graph/: who asked for a load, and from where. */
#include "unit/evbuild.h"

static void test_place(void **state)
{
	static const struct {
		uint32_t flags;
		uint8_t place;
	} rows[] = {
		{AT_MODULE, LMMSD_PLACE_MODULE},
		{AT_FUNC, LMMSD_PLACE_FUNCTION},
		{STMT | LMMSD_WHERE_CLASS, LMMSD_PLACE_CLASS},
		{BY_IMPORTLIB, LMMSD_PLACE_MODULE},
		{BY_IMPORTLIB | LMMSD_WHERE_DYNAMIC, LMMSD_PLACE_DYNAMIC},
		{BY_CALL, LMMSD_PLACE_DYNAMIC},
		{LMMSD_WHERE_FRAME | LMMSD_WHERE_FUNC, LMMSD_PLACE_DYNAMIC}, /* __import__() */
		{LMMSD_WHERE_FRAME | LMMSD_WHERE_FUNC | LMMSD_WHERE_CAPI, LMMSD_PLACE_FUNCTION},
		{0, LMMSD_PLACE_UNKNOWN},
		{LMMSD_WHERE_FUNC, LMMSD_PLACE_UNKNOWN},
	};
	struct story s = story_from_start();
	struct mdl_process *m;
	const size_t n = sizeof(rows) / sizeof(rows[0]);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		load(&s, 1000 + i * 10, 900, 1, "x", "m", rows[i].flags);
		done(&s, 1005 + i * 10, 900, 1);
	}
	m = end(&s);
	assert_int_equal(m->n_loads, n);
	for (size_t i = 0; i < n; i++)
		if (m->loads[i].place != rows[i].place)
			fail_msg("row %zu: place %d", i, m->loads[i].place);
	/* Without a frame nothing is known of an importer. */
	assert_null(m->loads[n - 1].importer);
	graph_process_free(m);
}

/* Parent packages and submodules when the walk found no frame: as of the load that they belong to. */
static void test_relatives(void **state)
{
	struct story s = story_from_start();
	struct mdl_process *m;

	(void)state;
	load(&s, 1000, 900, 1, "p.q", "m", AT_FUNC);
	load(&s, 1010, 800, 2, "p", "", LMMSD_WHERE_INTERNAL);
	done(&s, 1020, 800, 2);
	done(&s, 1030, 900, 1);
	load(&s, 1040, 800, 2, "p.q.sub", "", LMMSD_WHERE_INTERNAL);
	done(&s, 1050, 800, 2);
	load(&s, 1060, 800, 2, "stranger", "", LMMSD_WHERE_INTERNAL);
	done(&s, 1070, 800, 2);
	m = end(&s);
	assert_string_equal(load_named(m, "p")->importer, "m");
	assert_int_equal(load_named(m, "p")->place, LMMSD_PLACE_FUNCTION);
	assert_int_equal(load_named(m, "p")->line, 7);
	assert_string_equal(load_named(m, "p.q.sub")->importer, "m");
	assert_null(load_named(m, "stranger")->importer);
	graph_process_free(m);
}

static void test_lazy(void **state)
{
	struct story s = story_from_start();
	const uint32_t user = LMMSD_WHERE_FRAME |
			      LMMSD_WHERE_FUNC; /* the instruction loads a name */
	struct mdl_process *m;

	(void)state;
	lazy(&s, 1000, 950, 1);
	load(&s, 1010, 900, 1, "a.b", "m", user);
	load(&s, 1020, 800, 2, "a", "m", BY_IMPORTLIB);
	done(&s, 1030, 800, 2);
	load(&s, 1040, 800, 3, "plain", "a.b", AT_MODULE);
	done(&s, 1050, 800, 3);
	done(&s, 1060, 900, 1);
	load(&s, 1070, 900, 1, "a.b.sub", "m", user); /* fromlist's, by the module's getattr */
	done(&s, 1080, 900, 1);
	load(&s, 1090, 900, 1, "later", "m", AT_FUNC);
	done(&s, 1100, 900, 1);
	load(&s, 1110, 960, 4, "call", "n", user);
	done(&s, 1120, 960, 4);
	m = end(&s);
	assert_int_equal(load_named(m, "a.b")->place, LMMSD_PLACE_LAZY);
	assert_int_equal(load_named(m, "a.b")->flags, MDL_LOAD_LAZY);
	assert_int_equal(load_named(m, "a")->place, LMMSD_PLACE_LAZY);
	assert_int_equal(load_named(m, "plain")->place, LMMSD_PLACE_MODULE);
	assert_int_equal(load_named(m, "a.b.sub")->place, LMMSD_PLACE_LAZY);
	assert_int_equal(load_named(m, "later")->place, LMMSD_PLACE_FUNCTION);
	assert_int_equal(load_named(m, "call")->place, LMMSD_PLACE_DYNAMIC);
	graph_process_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_place),
		cmocka_unit_test(test_relatives),
		cmocka_unit_test(test_lazy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
