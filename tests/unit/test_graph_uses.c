/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* graph/: uses and edges. */
#include "base/cleanup.h"
#include "unit/evbuild.h"

static void test_relative_names(void **state)
{
	static const struct {
		const char *importer, *package, *name;
		int16_t level;
		uint8_t flags;
		const char *want; /* "": nothing is counted */
	} rows[] = {
		{"m", "", "json.decoder", 0, 0, "json.decoder"},
		{"a.b.c", "a.b", "x", 1, 0, "a.b.x"},
		{"a.b.c", "a.b", "", 1, 0, "a.b"},
		{"a.b.c", "a.b", "x.y", 2, 0, "a.x.y"},
		{"a.b.c", "a.b", "", 2, 0, "a"},
		{"a.b.c", "a.b", "x", 3, 0, ""},
		{"a.b.c", "a.b", "x", 32767, 0, ""},
		{"a.b.c", "", "x", 1, LMMSD_USEF_PACKAGE_NONE, "a.b.x"},
		{"a.b", "", "x", 1, LMMSD_USEF_PACKAGE_NONE | LMMSD_USEF_IS_PACKAGE, "a.b.x"},
		{"a.b", "", "x", 2, LMMSD_USEF_PACKAGE_NONE | LMMSD_USEF_IS_PACKAGE, "a.x"},
		{"__main__", "", "x", 1, LMMSD_USEF_PACKAGE_NONE, ""},
		{"m", "", "", 0, 0, ""},
		{"m", "p", "x", -1, 0, "x"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct story s = story_counting();
		struct mdl_process *m;

		use(&s, key(&s, 1, LMMSD_PLACE_MODULE, rows[i].level), rows[i].name,
		    rows[i].package, rows[i].flags, where(AT_MODULE, rows[i].importer, 1));
		m = end(&s);
		if (m->n_modules != (rows[i].want[0] != '\0'))
			fail_msg("row %zu: %zu modules", i, m->n_modules);
		if (m->n_modules == 1) {
			assert_string_equal(m->modules[0].name, rows[i].want);
			assert_int_equal(m->modules[0].status, MDL_SEEN);
			assert_int_equal(m->modules[0].load, -1);
			assert_non_null(edge_of(m, rows[i].importer, rows[i].want));
		}
		graph_process_free(m);
	}
}

static void test_counts(void **state)
{
	struct story s = story_counting();
	struct lmmsd_use_key a = key(&s, 1, LMMSD_PLACE_MODULE, 0),
			     f = key(&s, 2, LMMSD_PLACE_FUNCTION, 0);
	struct graph_counts n;
	struct mdl_process *m;

	(void)state;
	use(&s, a, "json", "", 0, where(AT_MODULE, "m", 1));
	use(&s, a, "json", "", 0, where(AT_MODULE, "m", 1)); /* again: nothing new */
	load(&s, 1000, 900, 1, "json", "m", AT_MODULE);
	done(&s, 1100, 900, 1);
	/* Another statement of m with another key, the same edge; and a function's. */
	a.flags = LMMSD_USE_CAPI;
	use(&s, a, "json", "", 0, where(AT_MODULE, "m", 1));
	uses(&s, a, 5);
	uses(&s, a, 4); /* never back */
	use(&s, f, "json", "", 0, where(AT_FUNC, "m", 1));
	uses(&s, f, 10);
	f.name = 999;
	uses(&s, f, 1000); /* nobody knows what this is */
	graph_counts(s.g, &n);
	assert_int_equal(n.uses, 1 + 5 + 10);
	assert_int_equal(n.loads, 1);
	m = end(&s);
	assert_true(m->usage);
	assert_int_equal(m->n_modules, 1);
	assert_int_equal(m->modules[0].uses, 16);
	assert_int_equal(m->modules[0].uses_by_place[LMMSD_PLACE_MODULE], 6);
	assert_int_equal(m->modules[0].uses_by_place[LMMSD_PLACE_FUNCTION], 10);
	assert_int_equal(m->modules[0].status, MDL_LOADED);
	assert_int_equal(m->n_edges, 2);
	assert_int_equal(m->edges[0].count, 6);
	assert_true(m->edges[0].loaded);
	assert_int_equal(m->edges[0].line, 7);
	assert_string_equal(m->edges[0].file, "/app/x.py");
	assert_int_equal(m->edges[1].count, 10);
	assert_false(m->edges[1].loaded);
	graph_process_free(m);
}

static void test_use_place(void **state)
{
	struct story s = story_counting();
	struct mdl_process *m;
	struct lmmsd_use_key k;
	uint64_t id = 1;

	(void)state;
	/* The frame knows better: locals() in a function makes the arguments look like a class. */
	use(&s, key(&s, id++, LMMSD_PLACE_CLASS, 0), "f", "", 0, where(AT_FUNC, "m", 1));
	/* no frame: the arguments have to do */
	use(&s, key(&s, id++, LMMSD_PLACE_CLASS, 0), "c", "", 0, where(0, "m", 0));
	/* through the C API: as the frame says, or not known */
	k = key(&s, id++, LMMSD_PLACE_MODULE, 0);
	k.flags = LMMSD_USE_CAPI;
	use(&s, k, "capi", "", 0, where(LMMSD_WHERE_FRAME | LMMSD_WHERE_FUNC, "m", 1));
	k.name = id++;
	use(&s, k, "capi_unknown", "", 0, where(0, "m", 1));
	/* __import__('x'), with and without globals() */
	use(&s, key(&s, id++, LMMSD_PLACE_MODULE, 0), "call", "", 0,
	    where(LMMSD_WHERE_FRAME | LMMSD_WHERE_FUNC, "m", 1));
	k = key(&s, id++, LMMSD_PLACE_DYNAMIC, 0);
	k.globals = 0;
	use(&s, k, "bare_call", "", 0, where(LMMSD_WHERE_FRAME | LMMSD_WHERE_FUNC, "m", 1));
	/* wakes a lazy import */
	lazy(&s, 100, 950, 5);
	use(&s, key(&s, id++, LMMSD_PLACE_MODULE, 0), "woken", "", 0,
	    where(LMMSD_WHERE_FRAME | LMMSD_WHERE_FUNC, "m", 5));
	use(&s, key(&s, id++, LMMSD_PLACE_LAZY, 0), "woken2", "", 0, where(AT_FUNC, "m", 6));
	use(&s, key(&s, id++, 200, 0), "nonsense", "", 0, where(0, "m", 6));
	m = end(&s);
	assert_int_equal(edge_of(m, "m", "f")->place, LMMSD_PLACE_FUNCTION);
	assert_int_equal(edge_of(m, "m", "c")->place, LMMSD_PLACE_CLASS);
	assert_int_equal(edge_of(m, "m", "capi")->place, LMMSD_PLACE_FUNCTION);
	assert_int_equal(edge_of(m, "m", "capi_unknown")->place, LMMSD_PLACE_UNKNOWN);
	assert_int_equal(edge_of(m, "m", "call")->place, LMMSD_PLACE_DYNAMIC);
	assert_int_equal(edge_of(m, "m", "bare_call")->place, LMMSD_PLACE_DYNAMIC);
	assert_int_equal(edge_of(m, "m", "woken")->place, LMMSD_PLACE_LAZY);
	assert_int_equal(edge_of(m, "m", "woken2")->place, LMMSD_PLACE_LAZY);
	assert_int_equal(edge_of(m, "m", "nonsense")->place, LMMSD_PLACE_UNKNOWN);
	graph_process_free(m);
}

static void test_noise(void **state)
{
	struct story s = story_counting();
	struct mdl_process *m;
	struct lmmsd_use_key k = key(&s, 1, LMMSD_PLACE_MODULE, 0), bare = k;
	const struct lmmsd_use_key *keys;
	size_t n;

	(void)state;
	bare.globals = 0;
	k.flags = LMMSD_USE_CAPI;
	use(&s, k, "_io", "", 0, where(LMMSD_WHERE_FRAME, "importlib._bootstrap_external", 1));
	k.name++;
	use(&s, k, "_io", "", 0, where(BY_IMPORTLIB, "m", 1));
	/* importlib asks for a parent */
	use(&s, bare, "a", "", 0, where(BY_IMPORTLIB, "m", 1));
	/* the tail of `import a.b` */
	bare.name++;
	use(&s, bare, "a", "", 0, where(AT_MODULE, "m", 1));
	bare.name++;
	use(&s, bare, "a", "", 0, where(0, "", 0));
	assert_int_equal(graph_use_keys(s.g, 100, 50, &keys, &n), 0);
	assert_int_equal(n, 0);
	m = end(&s);
	assert_int_equal(m->n_modules, 0);
	assert_int_equal(m->n_edges, 0);
	graph_process_free(m);
}

/* Loads that no key counts are uses too; those that one counts are not counted twice. */
static void test_loads_are_uses(void **state)
{
	struct story s = story_counting();
	struct mdl_process *m;

	(void)state;
	use(&s, key(&s, 1, LMMSD_PLACE_FUNCTION, 0), "p.q", "", 0, where(AT_FUNC, "m", 1));
	load(&s, 1000, 900, 1, "p.q", "m", AT_FUNC);
	load(&s, 1010, 800, 2, "p", "m", BY_IMPORTLIB);
	done(&s, 1020, 800, 2);
	done(&s, 1030, 900, 1);
	/* A statement has asked for p too. */
	use(&s, key(&s, 9, LMMSD_PLACE_MODULE, 0), "p", "", 0, where(AT_MODULE, "m", 1));
	/* Its key was lost. */
	load(&s, 1040, 900, 1, "lost", "m", AT_MODULE);
	done(&s, 1050, 900, 1);
	/* The importer of the load was not read, that of the key was. */
	use(&s, key(&s, 2, LMMSD_PLACE_FUNCTION, 0), "half", "", 0, where(AT_FUNC, "m", 1));
	load(&s, 1060, 900, 1, "half", "", 0);
	done(&s, 1070, 900, 1);
	/* pickle and the like: the load looks like __import__(), the key knows */
	{
		struct lmmsd_use_key k = key(&s, 3, LMMSD_PLACE_MODULE, 0);

		k.flags = LMMSD_USE_CAPI;
		use(&s, k, "capi", "", 0, where(LMMSD_WHERE_FRAME | LMMSD_WHERE_FUNC, "m", 1));
	}
	load(&s, 1080, 900, 1, "capi", "m", LMMSD_WHERE_FRAME | LMMSD_WHERE_FUNC);
	done(&s, 1090, 900, 1);
	m = end(&s);
	assert_int_equal(module_named(m, "p.q")->uses, 1);
	assert_int_equal(module_named(m, "p")->uses, 2);
	assert_int_equal(module_named(m, "lost")->uses, 1);
	assert_int_equal(module_named(m, "half")->uses, 1);
	assert_int_equal(module_named(m, "capi")->uses, 1);
	assert_int_equal(m->n_edges, 5);
	assert_true(edge_of(m, "m", "p.q")->loaded);
	assert_true(edge_of(m, "m", "p")->loaded);
	assert_true(edge_of(m, "m", "lost")->loaded);
	assert_false(edge_of(m, "m", "half")->loaded);
	assert_true(edge_of(m, "m", "capi")->loaded);
	assert_int_equal(load_named(m, "capi")->place, LMMSD_PLACE_FUNCTION);
	graph_process_free(m);
}

/* The load that stands for a module: the first that succeeded, else the first. */
static void test_load_of_module(void **state)
{
	struct story s = story_from_start();
	struct mdl_process *m;

	(void)state;
	for (uint64_t i = 0; i < 4; i++) {
		load(&s, 1000 + i * 10, 900, 1, "x", "m", AT_MODULE);
		if (i == 0 || i == 3)
			failed(&s, 1005 + i * 10, 900, 1);
		else
			done(&s, 1005 + i * 10, 900, 1);
	}
	m = end(&s);
	assert_int_equal(module_named(m, "x")->load, 1);
	assert_int_equal(module_named(m, "x")->status, MDL_LOADED);
	assert_int_equal(module_named(m, "x")->n_loads, 4);
	graph_process_free(m);
}

static void test_usage_off(void **state)
{
	struct story s = story_from_start();
	struct mdl_process *m;

	(void)state;
	for (uint64_t i = 0; i < 3; i++) {
		load(&s, 1000 + i * 100, 900, 1, "x", "m", i == 2 ? AT_FUNC : AT_MODULE);
		failed(&s, 1010 + i * 100, 900, 1);
	}
	m = end(&s);
	assert_false(m->usage);
	assert_int_equal(module_named(m, "x")->uses, 3);
	assert_int_equal(module_named(m, "x")->n_loads, 3);
	assert_int_equal(module_named(m, "x")->load, 0);
	assert_int_equal(module_named(m, "x")->status, MDL_FAILED);
	assert_int_equal(m->n_edges, 2);
	assert_int_equal(edge_of(m, "m", "x")->count, 2);
	graph_process_free(m);
}

static void test_use_limit(void **state)
{
	struct graph_limits limits = graph_default_limits;
	struct story s;
	struct mdl_process *m;

	(void)state;
	limits.edges = 3;
	s = story_begin(&limits);
	host(&s, true);
	for (uint64_t i = 1; i < 6; i++) {
		char name[2] = {(char)('a' + i), 0};

		use(&s, key(&s, i, LMMSD_PLACE_MODULE, 0), name, "", 0, where(AT_MODULE, "m", 1));
	}
	assert_int_equal(graph_lost(s.g)[LMMSD_LOST_LIMIT_EDGES], 2);
	m = end(&s);
	assert_int_equal(m->n_edges, 3);
	graph_process_free(m);
}

/* An optional module that is tried again and again does not use up the rows. */
static void test_repeated_failures(void **state)
{
	struct graph_limits limits = graph_default_limits;
	struct story s;
	struct mdl_process *m;

	(void)state;
	limits.loads = 20;
	s = story_begin(&limits);
	proc(&s, 100, LMMSD_PROC_EXEC);
	for (uint64_t i = 0; i < 100; i++) {
		load(&s, 1000 + i * 10, 900, 1, "request", "m", AT_FUNC);
		load(&s, 1001 + i * 10, 800, 2, "fast_json", "request", AT_FUNC);
		failed(&s, 1003 + i * 10, 800, 2);
		if (i < 5)
			done(&s, 1005 + i * 10, 900, 1);
		else
			failed(&s, 1005 + i * 10, 900, 1);
	}
	load(&s, 5000, 900, 1, "new", "m", AT_FUNC);
	done(&s, 5001, 900, 1);
	m = end(&s);
	assert_int_equal(m->lost[LMMSD_LOST_LIMIT_MODULES], 0);
	assert_int_equal(module_named(m, "fast_json")->n_loads, 100);
	assert_int_equal(module_named(m, "fast_json")->uses, 100);
	assert_int_equal(module_named(m, "request")->n_loads, 100);
	assert_int_equal(module_named(m, "request")->load, 0);
	assert_int_equal(edge_of(m, "m", "request")->count, 100);
	assert_int_equal(load_named(m, "new")->total_ns, 1);
	assert_in_range(m->n_loads, 11, 13);
	graph_process_free(m);
}

/* ... nor do several that are tried by turns: as many as failures are remembered (GRAPH_RECENT). */
static void test_failures_by_turns(void **state)
{
	static const char *const names[] = {"o1", "o2",	 "o3",	"o4",  "o5",  "o6",  "o7",  "o8",
					    "o9", "o10", "o11", "o12", "o13", "o14", "o15", "o16"};
	struct graph_limits limits = graph_default_limits;
	struct story s;
	struct mdl_process *m;

	(void)state;
	limits.loads = 2 * ARRAY_LEN(names);
	s = story_begin(&limits);
	proc(&s, 100, LMMSD_PROC_EXEC);
	for (uint64_t i = 0; i < 50; i++)
		for (uint64_t k = 0; k < ARRAY_LEN(names); k++) {
			load(&s, 1000 + i * 100 + 2 * k, 900, 1, names[k], "m", AT_FUNC);
			failed(&s, 1001 + i * 100 + 2 * k, 900, 1);
		}
	m = end(&s);
	assert_int_equal(m->lost[LMMSD_LOST_LIMIT_MODULES], 0);
	for (size_t k = 0; k < ARRAY_LEN(names); k++)
		assert_int_equal(module_named(m, names[k])->n_loads, 50);
	graph_process_free(m);
}

/* Names of a hostile process: bounded, and the process stays usable. */
static void test_many_strings(void **state)
{
	static char name[1500];
	struct story s = story_from_start();
	struct mdl_process *m;

	(void)state;
	memset(name, 'n', sizeof(name) - 1);
	for (int i = 0; i < 30000; i++) {
		name[0] = (char)('a' + i % 26);
		name[1] = (char)('a' + i / 26 % 26);
		name[2] = (char)('a' + i / 676 % 26);
		name[3] = (char)('a' + i / 17576);
		dist(&s, name, "", 0, "");
		load(&s, 1000, 900, 1, name, "m", AT_MODULE);
		done(&s, 1000, 900, 1);
	}
	m = end(&s);
	assert_in_range(m->n_loads, 15000, 25000);
	assert_true(m->lost[LMMSD_LOST_LIMIT_MODULES] > 0);
	assert_int_equal(m->lost[LMMSD_LOST_DONE_WITHOUT_START], 0);
	graph_process_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_relative_names),	  cmocka_unit_test(test_counts),
		cmocka_unit_test(test_use_place),	  cmocka_unit_test(test_noise),
		cmocka_unit_test(test_loads_are_uses),	  cmocka_unit_test(test_load_of_module),
		cmocka_unit_test(test_usage_off),	  cmocka_unit_test(test_use_limit),
		cmocka_unit_test(test_repeated_failures), cmocka_unit_test(test_failures_by_turns),
		cmocka_unit_test(test_many_strings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
