/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* graph/: pairing of starts and dones, nesting, times. */
#include "unit/evbuild.h"

static void test_nested(void **state)
{
	struct story s = story_from_start();
	struct mdl_process *m;

	(void)state;
	load(&s, 1000, 900, 1, "a", "__main__", AT_MODULE);
	load(&s, 1100, 800, 2, "b", "a", AT_MODULE);
	load(&s, 1200, 700, 3, "c", "b", AT_FUNC);
	done(&s, 1300, 700, 3);
	done(&s, 1400, 800, 2);
	load(&s, 1500, 800, 2, "d", "a", AT_MODULE);
	failed(&s, 1510, 800, 2);
	done(&s, 1600, 900, 1);
	load(&s, 1700, 900, 1, "e", "__main__", AT_MODULE);
	done(&s, 1750, 900, 1);
	leave(&s, 2000, 256, 0);
	m = take(&s);
	assert_int_equal(m->n_loads, 5);
	assert_int_equal(load_named(m, "a")->total_ns, 600);
	assert_int_equal(load_named(m, "a")->self_ns, 290);
	assert_int_equal(load_named(m, "b")->total_ns, 300);
	assert_int_equal(load_named(m, "b")->self_ns, 200);
	assert_int_equal(load_named(m, "c")->self_ns, 100);
	assert_int_equal(load_named(m, "c")->depth, 2);
	assert_int_equal(load_named(m, "c")->place, LMMSD_PLACE_FUNCTION);
	assert_int_equal(load_named(m, "d")->status, MDL_FAILED);
	assert_int_equal(load_named(m, "a")->line, 7);
	assert_string_equal(load_named(m, "a")->importer_file, "/app/x.py");
	assert_string_equal(parent_of(m, "c"), "b");
	assert_string_equal(parent_of(m, "e"), "");
	assert_true(m->ended);
	assert_true(m->from_start);
	assert_int_equal(m->exit_status, 256);
	assert_int_equal(m->end_ns, 2000);
	assert_int_equal(m->begin_ns, 100);
	assert_int_equal(m->py_version, 0x030b02f0);
	assert_string_equal(m->exe, "/usr/bin/python3.11");
	assert_int_equal(m->cmdline_len, 13);
	assert_memory_equal(m->cmdline, "python3\0x.py", 13);
	check_sane(m, 650);
	graph_process_free(m);
	assert_null(graph_take_ended(s.g));
	check_lost(&s, LMMSD_LOST_START_WITHOUT_DONE, 0);
	graph_free(s.g);
}

static void test_threads(void **state)
{
	struct story s = story_from_start(), t = s;
	struct mdl_process *m;

	(void)state;
	t.tid = 101;
	load(&s, 1000, 900, 1, "a", "__main__", AT_MODULE);
	load(&t, 1100, 5900, 9, "b", "w", AT_FUNC);
	done(&s, 1300, 900, 1);
	done(&t, 1400, 5900, 9);
	leave(&s, 2000, 0, 0);
	m = take(&s);
	assert_string_equal(parent_of(m, "b"), "");
	assert_int_equal(load_named(m, "a")->self_ns, 300);
	assert_int_equal(load_named(m, "b")->self_ns, 300);
	assert_int_equal(load_named(m, "b")->tid, 101);
	check_sane(m, 600);
	graph_process_free(m);
	graph_free(s.g);
}

/* A pool of threads, each in a load; they end in another order than they began. */
static void test_many_threads(void **state)
{
	enum { THREADS = 400 };
	struct story s = story_from_start(), t = s;
	struct mdl_process *m;

	(void)state;
	for (uint32_t i = 0; i < THREADS; i++) {
		t.tid = 101 + i * 3;
		load(&t, 1000, 10000 * (i + 1), 1 + i, "lazy", "worker", AT_FUNC);
	}
	for (uint32_t i = 0; i < THREADS; i++) {
		uint32_t k = i * 7 % THREADS;

		t.tid = 101 + k * 3;
		done(&t, 2000 + k, 10000 * (k + 1), 1 + k);
	}
	leave(&s, 5000, 0, 0);
	m = take(&s);
	assert_int_equal(m->n_loads, THREADS);
	for (size_t i = 0; i < m->n_loads; i++) {
		assert_int_equal(m->loads[i].total_ns, 1000 + (m->loads[i].tid - 101) / 3);
		assert_false(m->loads[i].flags & MDL_LOAD_OPEN);
	}
	for (unsigned int i = 0; i < LMMSD_LOST_MAX; i++)
		check_lost(&s, i, 0);
	graph_process_free(m);
	graph_free(s.g);
}

/* No stream has so many: those that are too many are counted, and the known ones may change. */
static void test_interpreters_are_bounded(void **state)
{
	struct story s = story_begin(NULL);

	(void)state;
	for (int round = 0; round < 2; round++)
		for (uint32_t id = 1; id <= 4096 + 10; id++)
			tell(&s, (struct ev){.kind = LMMSD_EV_INTERP,
					     .interp = id * 4099,
					     .interp_info = {.version = 0x030b02f0, .path = "/p"}});
	check_lost(&s, LMMSD_LOST_LIMIT_INTERPRETERS, 20);
	graph_free(s.g);
}

static void test_recursion(void **state)
{
	struct story s = story_from_start();
	struct mdl_process *m;

	(void)state;
	/* A module that is loaded again inside its own load. */
	load(&s, 1000, 900, 1, "a", "x", AT_FUNC);
	load(&s, 1100, 800, 2, "a", "a", AT_MODULE);
	done(&s, 1150, 800, 2);
	done(&s, 1200, 900, 1);
	/* A frame that is not told, as at the interpreter's start: the stack pointer has to do. */
	load(&s, 1300, 900, 0, "p", "", 0);
	load(&s, 1310, 800, 0, "q", "", 0);
	done(&s, 1320, 800, 0);
	done(&s, 1330, 900, 0);
	leave(&s, 2000, 0, 0);
	m = take(&s);
	assert_int_equal(m->loads[0].self_ns, 150);
	assert_int_equal(m->loads[1].self_ns, 50);
	assert_int_equal(m->loads[1].parent, 0);
	assert_int_equal(module_named(m, "a")->n_loads, 2);
	assert_string_equal(parent_of(m, "q"), "p");
	assert_int_equal(load_named(m, "p")->self_ns, 20);
	check_sane(m, 230);
	graph_process_free(m);
	graph_free(s.g);
}

static void test_limits(void **state)
{
	struct graph_limits limits = {.processes = 2,
				      .loads = 4,
				      .modules = 3,
				      .edges = 2,
				      .depth = 2,
				      .threads = 1,
				      .bytes = 1 << 20};
	struct story s = story_begin(&limits), t, u;
	struct mdl_process *m;

	(void)state;
	proc(&s, 100, LMMSD_PROC_EXEC);
	t = u = s;
	t.tid = 101;
	load(&s, 1000, 900, 1, "a", "m", AT_MODULE);
	load(&t, 1001, 5900, 1, "t", "m", AT_MODULE); /* too many threads */
	done(&t, 1002, 5900, 1);
	load(&s, 1100, 800, 2, "b", "a", AT_MODULE);
	load(&s, 1200, 700, 3, "c", "b", AT_MODULE); /* too deep */
	done(&s, 1300, 700, 3);
	done(&s, 1400, 800, 2);
	done(&s, 1500, 900, 1);
	for (uint64_t i = 0; i < 5; i++) {
		char name[2] = {(char)('p' + i), 0};

		load(&s, 2000 + i * 10, 900, 1, name, "m", AT_MODULE);
		done(&s, 2005 + i * 10, 900, 1);
	}
	check_lost(&s, LMMSD_LOST_LIMIT_DEPTH, 1);
	check_lost(&s, LMMSD_LOST_LIMIT_THREADS, 1);
	check_lost(&s, LMMSD_LOST_LIMIT_MODULES, 3);
	check_lost(&s, LMMSD_LOST_DONE_WITHOUT_START, 0);
	u.tgid = 101;
	proc(&u, 100, LMMSD_PROC_EXEC);
	u.tgid = 102;
	proc(&u, 100, LMMSD_PROC_EXEC);
	check_lost(&s, LMMSD_LOST_LIMIT_PROCESSES, 1);
	leave(&s, 3000, 0, 0);
	m = take(&s);
	assert_int_equal(m->n_loads, 4);
	assert_int_equal(m->n_modules, 3);
	assert_int_equal(m->n_edges, 2);
	assert_int_equal(load_named(m, "b")->self_ns, 300);
	check_lost(&s, LMMSD_LOST_LIMIT_EDGES, 2);
	assert_int_equal(m->lost[LMMSD_LOST_LIMIT_EDGES], 2);
	graph_process_free(m);
	graph_free(s.g);
}

/* Nothing that is parked may pile up. */
static void test_parked_bounded(void **state)
{
	struct story s = story_from_start();

	(void)state;
	for (uint64_t i = 0; i < 500; i++)
		load(&s, 1000 + i, 900 + i, 1 + i, "a", "m", AT_FUNC);
	assert_in_range(graph_lost(s.g)[LMMSD_LOST_START_WITHOUT_DONE], 460, 499);
	graph_free(s.g);
	/* Here what is parked was nested in what its own frame ended. */
	s = story_from_start();
	for (uint64_t i = 0; i < 200; i++) {
		load(&s, 1000 + i, 900, 1, "a", "m", AT_FUNC);
		load(&s, 1000 + i, 800, 2 + i, "b", "m", AT_FUNC);
	}
	assert_in_range(graph_lost(s.g)[LMMSD_LOST_START_WITHOUT_DONE], 350, 399);
	graph_free(s.g);
}

static void test_host(void **state)
{
	struct story s = story_from_start();
	struct ev lost = {.kind = LMMSD_EV_LOST};
	const struct graph_host *h = graph_host(s.g);

	(void)state;
	lost.lost.count[LMMSD_LOST_RING_FULL] = 3;
	tell(&s, lost);
	assert_string_equal(h->name, "h");
	assert_string_equal(h->arch, "x86_64");
	assert_int_equal(h->realtime_offset_ns, 5);
	assert_int_equal(h->first_ns, 1);
	assert_false(h->usage);
	assert_int_equal(h->lost[LMMSD_LOST_RING_FULL], 3);
	graph_free(s.g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nested),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_many_threads),
		cmocka_unit_test(test_interpreters_are_bounded),
		cmocka_unit_test(test_recursion),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_parked_bounded),
		cmocka_unit_test(test_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
