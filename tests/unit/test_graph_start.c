/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* graph/: the main program and the cold start. */
#include "unit/evbuild.h"

/* site, then __main__: a, b (nested), a function's c while starting, d at the end of main; then later ones. */
static void start_up(struct story *s)
{
	load(s, 200, 900, 0, "site", "", 0);
	done(s, 300, 900, 0);
	body(s, 1000, 950, 0, "__main__", "<frozen runpy>", nobody);
	body(s, 1000, 940, 0, "__main__", "/app/x.py", nobody);
	load(s, 1100, 900, 1, "a", "__main__", AT_MODULE);
	load(s, 1150, 800, 2, "b", "a", AT_MODULE);
	done(s, 1180, 800, 2);
	done(s, 1200, 900, 1);
	load(s, 1300, 900, 3, "c", "util", AT_FUNC);
	done(s, 1340, 900, 3);
	load(s, 1400, 900, 1, "d", "__main__", AT_MODULE);
	done(s, 1410, 900, 1);
	load(s, 1500, 900, 3, "later", "__main__", AT_FUNC);
	done(s, 1700, 900, 3);
	body_done(s, 2000, 940, 0);
	load(s, 2100, 900, 4, "atexit_thing", "util", AT_FUNC);
	done(s, 2200, 900, 4);
}

static void test_main(void **state)
{
	struct story s = story_from_start();
	struct mdl_process *m;
	const struct mdl_load *main_load;

	(void)state;
	start_up(&s);
	body(&s, 3000, 940, 0, "__main__", "<string>", nobody); /* exec() later on */
	body(&s, 3000, 940, 0, "__main__", "/other.py", where(BY_CALL, "pdb", 0));
	m = end(&s);
	main_load = load_named(m, "__main__");
	assert_int_equal(m->main_ns, 1000);
	assert_int_equal(m->interpreter_ns, 900);
	assert_int_equal(main_load->flags, MDL_LOAD_MAIN);
	assert_int_equal(main_load->total_ns, 1000);
	assert_int_equal(main_load->self_ns, 0);
	assert_string_equal(main_load->file, "/app/x.py");
	assert_string_equal(parent_of(m, "a"), "");
	assert_int_equal(load_named(m, "a")->depth, 0);
	/* site, a with b, c, d */
	assert_int_equal(m->cold_start_ns, 100 + 100 + 40 + 10);
	assert_int_equal(m->n_modules, 7);
	graph_process_free(m);
}

static void test_cold_start_without_imports(void **state)
{
	struct story s = story_from_start();
	struct mdl_process *m;

	(void)state;
	load(&s, 200, 900, 0, "site", "", 0);
	done(&s, 300, 900, 0);
	body(&s, 1000, 950, 0, "__main__", "<string>", nobody);
	load(&s, 1300, 900, 3, "c", "util", AT_FUNC);
	done(&s, 1340, 900, 3);
	m = end(&s);
	assert_int_equal(m->cold_start_ns, 100);
	graph_process_free(m);
}

static void test_cold_start_embedding(void **state)
{
	struct story s = story_from_start();
	struct mdl_process *m;

	(void)state;
	load(&s, 200, 900, 0, "site", "", 0);
	done(&s, 300, 900, 0);
	load(&s, 1300, 900, 3, "c", "util", AT_FUNC);
	done(&s, 1340, 900, 3);
	m = end(&s);
	assert_int_equal(m->cold_start_ns, 140);
	assert_int_equal(m->main_ns, 0);
	graph_process_free(m);
}

static void test_cold_start_not_seen(void **state)
{
	struct story s = story_begin(NULL), late;
	struct mdl_process *m;

	(void)state;
	proc(&s, 100, LMMSD_PROC_FIRST);
	start_up(&s);
	late = s;
	late.tgid = late.tid = 101;
	load(&late, 200, 900, 0, "x", "", 0); /* no facts at all */
	done(&late, 300, 900, 0);
	leave(&late, 8000, 0, 0);
	m = take(&late);
	assert_int_equal(m->cold_start_ns, 0);
	assert_false(m->from_start);
	assert_string_equal(m->comm, "");
	graph_process_free(m);
	m = end(&s);
	assert_false(m->from_start);
	assert_int_equal(m->cold_start_ns, 0);
	assert_int_equal(m->main_ns, 0);
	graph_process_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_main),
		cmocka_unit_test(test_cold_start_without_imports),
		cmocka_unit_test(test_cold_start_embedding),
		cmocka_unit_test(test_cold_start_not_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
