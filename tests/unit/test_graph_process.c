/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* graph/: processes that are killed, that fork and that become another program; and one as it is now. */
#include <errno.h>

#include "unit/evbuild.h"

static void test_killed(void **state)
{
	struct story s = story_from_start();
	struct mdl_process *m;

	(void)state;
	load(&s, 1000, 900, 1, "a", "__main__", AT_MODULE);
	load(&s, 1100, 800, 2, "b", "a", AT_MODULE);
	body(&s, 1150, 750, 4, "b", "/b.py", where(0, "", 0));
	leave(&s, 1500, 9, 0);
	m = take(&s);
	assert_true(load_named(m, "a")->flags & MDL_LOAD_OPEN);
	assert_int_equal(load_named(m, "a")->total_ns, 500);
	assert_int_equal(load_named(m, "a")->self_ns, 100);
	assert_int_equal(load_named(m, "b")->total_ns, 400);
	assert_int_equal(load_named(m, "b")->self_ns, 400);
	assert_int_equal(load_named(m, "b")->exec_ns, 350);
	check_lost(&s, LMMSD_LOST_START_WITHOUT_DONE, 0);
	graph_process_free(m);
	graph_free(s.g);
}

static void test_exec_in_load(void **state)
{
	struct story s = story_from_start();
	struct mdl_process *m;

	(void)state;
	load(&s, 1000, 900, 1, "a", "__main__", AT_MODULE);
	leave(&s, 1500, 0, LMMSD_EXIT_EXEC);
	proc(&s, 1500, LMMSD_PROC_EXEC);
	load(&s, 1600, 900, 1, "z", "", 0);
	done(&s, 1700, 900, 1);
	leave(&s, 1800, 0, 0);
	m = take(&s);
	assert_int_equal(m->n_loads, 1);
	assert_int_equal(load_named(m, "a")->total_ns, 500);
	assert_true(load_named(m, "a")->flags & MDL_LOAD_OPEN);
	graph_process_free(m);
	m = take(&s);
	assert_int_equal(m->begin_ns, 1500);
	assert_int_equal(m->start_ns, 50);
	assert_true(m->from_start);
	assert_false(m->forked);
	assert_int_equal(load_named(m, "z")->total_ns, 100);
	graph_process_free(m);
	graph_free(s.g);
}

/* User space found out that it is gone: it ended, nobody knows how. */
static void test_end_unseen(void **state)
{
	struct story s = story_from_start(), t = story_from_start();
	struct mdl_process *m;

	(void)state;
	leave(&s, 1500, 0, LMMSD_EXIT_UNSEEN);
	m = take(&s);
	assert_true(m->ended);
	assert_true(m->end_unseen);
	assert_int_equal(m->end_ns, 1500);
	graph_process_free(m);
	graph_free(s.g);
	leave(&t, 1500, 0, 0);
	m = take(&t);
	assert_true(m->ended);
	assert_false(m->end_unseen);
	graph_process_free(m);
	graph_free(t.g);
}

/* The exit that comes with an exec was lost: a new exec time opens a new record all the same. */
static void test_exec_unseen(void **state)
{
	struct story s = story_from_start();
	struct mdl_process *m;

	(void)state;
	load(&s, 1000, 900, 1, "a", "__main__", AT_MODULE);
	proc(&s, 1500, LMMSD_PROC_EXEC);
	proc(&s, 1500, LMMSD_PROC_EXEC);
	m = take(&s);
	assert_int_equal(load_named(m, "a")->total_ns, 500);
	graph_process_free(m);
	assert_null(take(&s));
	leave(&s, 1800, 0, 0);
	m = take(&s);
	assert_int_equal(m->n_loads, 0);
	graph_process_free(m);
	graph_free(s.g);
}

static void test_fork_in_load(void **state)
{
	struct story s = story_from_start(), c = s;
	struct mdl_process *m;

	(void)state;
	load(&s, 1000, 900, 1, "a", "__main__", AT_MODULE);
	load(&s, 1100, 800, 2, "b", "a", AT_MODULE);
	fork_to(&s, 1200, 200, 1190);
	c.tgid = c.tid = 200;
	c.start_ns = 1190;
	load(&c, 1300, 700, 5, "child_only", "b", AT_FUNC);
	done(&c, 1350, 700, 5);
	done(&c, 1400, 800, 2);
	load(&c, 1500, 800, 2, "after", "a", AT_MODULE);
	done(&c, 1550, 800, 2);
	done(&c, 1600, 900, 1);
	leave(&c, 1700, 0, 0);
	done(&s, 1800, 800, 2);
	done(&s, 1900, 900, 1);
	leave(&s, 2000, 0, 0);
	m = take(&s);
	assert_int_equal(m->pid, 200);
	assert_int_equal(m->ppid, 100);
	assert_true(m->forked);
	assert_true(m->from_start);
	assert_int_equal(m->begin_ns, 1190);
	assert_int_equal(m->interpreter_ns, 0);
	assert_string_equal(m->exe, "/usr/bin/python3.11");
	assert_memory_equal(m->cmdline, "python3\0x.py", 13);
	assert_true(load_named(m, "a")->flags & MDL_LOAD_INHERITED);
	assert_int_equal(load_named(m, "a")->total_ns, 0);
	assert_int_equal(load_named(m, "b")->self_ns, 0);
	assert_int_equal(load_named(m, "child_only")->total_ns, 50);
	assert_int_equal(load_named(m, "child_only")->parent, -1);
	assert_int_equal(load_named(m, "after")->parent, -1);
	assert_int_equal(module_named(m, "a")->status, MDL_SEEN);
	assert_int_equal(module_named(m, "a")->load, -1);
	check_sane(m, 100);
	graph_process_free(m);
	m = take(&s);
	assert_int_equal(m->pid, 100);
	assert_int_equal(m->n_loads, 2);
	assert_int_equal(load_named(m, "b")->total_ns, 700);
	graph_process_free(m);
	for (unsigned int i = 0; i < LMMSD_LOST_MAX; i++)
		check_lost(&s, i, 0);
	graph_free(s.g);
}

/* Records of several CPUs come in any order: a child that has loads already goes its own way. */
static void test_fork_late(void **state)
{
	struct story s = story_from_start(), c = s;
	struct mdl_process *m;

	(void)state;
	c.tgid = c.tid = 200;
	c.start_ns = 1190;
	load(&s, 1000, 900, 1, "a", "__main__", AT_MODULE);
	load(&c, 1300, 700, 5, "child_only", "b", AT_FUNC);
	fork_to(&s, 1200, 200, 1190);
	done(&c, 1350, 700, 5);
	leave(&c, 1700, 0, 0);
	m = take(&s);
	assert_int_equal(m->pid, 200);
	assert_false(m->forked);
	assert_int_equal(m->n_loads, 1);
	assert_int_equal(load_named(m, "child_only")->total_ns, 50);
	graph_process_free(m);
	graph_free(s.g);
}

/* The child's own description came first: what it says stays, and the open loads are inherited. */
static void test_fork_of_a_known_child(void **state)
{
	struct story s = story_from_start(), c = s;
	struct mdl_process *m;

	(void)state;
	c.tgid = c.tid = 200;
	c.start_ns = 1190;
	load(&s, 1000, 900, 1, "a", "__main__", AT_MODULE);
	proc(&c, 1195, 0);
	fork_to(&s, 1200, 200, 1190);
	load(&c, 1300, 700, 5, "child_only", "a", AT_FUNC);
	done(&c, 1350, 700, 5);
	leave(&c, 1700, 0, 0);
	m = take(&s);
	assert_int_equal(m->pid, 200);
	assert_true(m->forked);
	assert_int_equal(m->ppid, 1);
	assert_true(load_named(m, "a")->flags & MDL_LOAD_INHERITED);
	assert_int_equal(load_named(m, "child_only")->total_ns, 50);
	graph_process_free(m);
	graph_free(s.g);
}

/* A parent that nobody knows, and one that is its own child: neither makes a process. */
static void test_forks_of_none(void **state)
{
	struct story s = story_from_start(), other = s;
	struct graph_counts n;

	(void)state;
	other.tgid = other.tid = 300;
	fork_to(&other, 1200, 301, 1190);
	fork_to(&s, 1200, s.tgid, s.start_ns);
	graph_counts(s.g, &n);
	assert_int_equal(n.processes_live, 1);
	fork_to(&s, 1200, s.tgid, s.start_ns + 1); /* its number, used again */
	graph_counts(s.g, &n);
	assert_int_equal(n.processes_live, 2);
	graph_free(s.g);
}

/* fork and exec of something else: the child was never a program of its own. */
static void test_fork_exec(void **state)
{
	struct story s = story_from_start(), c = s;
	struct graph_counts n;

	(void)state;
	load(&s, 1000, 900, 1, "a", "__main__", AT_MODULE);
	fork_to(&s, 1200, 200, 1190);
	c.tgid = c.tid = 200;
	c.start_ns = 1190;
	leave(&c, 1300, 0, LMMSD_EXIT_EXEC);
	assert_null(take(&s));
	graph_counts(s.g, &n);
	assert_int_equal(n.processes_live, 1);
	assert_int_equal(n.processes_ended, 0);
	graph_free(s.g);
}

static void test_snapshot(void **state)
{
	struct story s = story_from_start();
	struct mdl_process *m;

	(void)state;
	load(&s, 1000, 900, 1, "a", "__main__", AT_MODULE);
	load(&s, 1100, 800, 2, "b", "a", AT_MODULE);
	assert_int_equal(graph_snapshot(s.g, 100, 50, 1400, &m), 0);
	assert_false(m->ended);
	assert_int_equal(m->end_ns, 1400);
	assert_int_equal(load_named(m, "a")->total_ns, 400);
	assert_int_equal(load_named(m, "a")->self_ns, 100);
	assert_int_equal(load_named(m, "b")->self_ns, 300);
	graph_process_free(m);
	assert_int_equal(graph_snapshot(s.g, 101, 50, 1400, &m), -ESRCH);
	done(&s, 1500, 800, 2);
	done(&s, 1600, 900, 1);
	assert_int_equal(graph_finish(s.g, 1700), 0);
	m = graph_take_ended(s.g);
	assert_false(m->ended);
	assert_int_equal(load_named(m, "a")->total_ns, 600);
	assert_int_equal(load_named(m, "a")->self_ns, 200);
	assert_int_equal(load_named(m, "b")->self_ns, 400);
	assert_int_equal(load_named(m, "b")->flags, 0);
	graph_process_free(m);
	assert_null(graph_take_ended(s.g));
	graph_free(s.g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_killed),
		cmocka_unit_test(test_exec_in_load),
		cmocka_unit_test(test_end_unseen),
		cmocka_unit_test(test_exec_unseen),
		cmocka_unit_test(test_fork_in_load),
		cmocka_unit_test(test_fork_late),
		cmocka_unit_test(test_fork_of_a_known_child),
		cmocka_unit_test(test_forks_of_none),
		cmocka_unit_test(test_fork_exec),
		cmocka_unit_test(test_snapshot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
