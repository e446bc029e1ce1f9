/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* graph/: pairing of starts and dones, nesting, times. */
#include <errno.h>

#include "evbuild.h"

static void check_lost(const struct story *s, unsigned int reason, uint64_t n)
{
	assert_int_equal(graph_lost(s->g)[reason], n);
}

/* Whatever happens: no self time exceeds its total, and all of them fit in the time that was covered. */
static void check_sane(const struct mdl_process *m, uint64_t covered)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < m->n_loads; i++) {
		assert_true(m->loads[i].self_ns <= m->loads[i].total_ns);
		assert_true(m->loads[i].exec_ns <= m->loads[i].total_ns);
		assert_true(m->loads[i].parent < (int32_t)i);
		sum += m->loads[i].self_ns;
	}
	assert_true(sum <= covered);
}

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

/* A starts, switch, B starts at the same sp, switch back, A's inner load, A done, B done. */
static void interleave(struct story *s)
{
	load(s, 1000, 900, 1, "a", "m", AT_FUNC);
	load(s, 1100, 900, 2, "b", "m", AT_FUNC);
	load(s, 1200, 700, 3, "a_inner", "a", AT_MODULE);
	done(s, 1300, 700, 3);
	done(s, 1400, 900, 1);
	done(s, 1500, 900, 2);
	leave(s, 2000, 0, 0);
}

static void check_interleaved(struct story *s, uint64_t covered)
{
	struct mdl_process *m = take(s);

	assert_int_equal(load_named(m, "a")->total_ns, 400);
	assert_int_equal(load_named(m, "b")->total_ns, 400);
	assert_string_equal(parent_of(m, "a"), "");
	assert_string_equal(parent_of(m, "b"), "");
	assert_string_equal(parent_of(m, "a_inner"), "a");
	assert_int_equal(load_named(m, "a_inner")->self_ns, 100);
	for (unsigned int i = 0; i < LMMSD_LOST_MAX; i++) {
		check_lost(s, i, 0);
		assert_int_equal(m->lost[i], 0);
	}
	/* a has 1000-1100 and 1300-1400, b the rest */
	assert_int_equal(load_named(m, "a")->self_ns, 200);
	assert_int_equal(load_named(m, "b")->self_ns, 200);
	check_sane(m, covered);
	for (size_t i = 0; i < m->n_loads; i++)
		assert_int_equal(m->loads[i].flags & MDL_LOAD_OPEN, 0);
	graph_process_free(m);
	graph_free(s->g);
}

static void test_greenlets(void **state)
{
	struct story s = story_from_start();

	(void)state;
	load(&s, 500, 900, 1, "greenlet", "m", AT_MODULE);
	done(&s, 600, 900, 1);
	interleave(&s);
	check_interleaved(&s, 600);
}

/* The same when nothing told that the program has greenlets. */
static void test_greenlets_unknown(void **state)
{
	struct story s = story_from_start();

	(void)state;
	interleave(&s);
	check_interleaved(&s, 500);
}

/* Once that was seen, a start above the innermost load's sp is nested in nothing of that stack. */
static void test_greenlets_learned(void **state)
{
	struct story s = story_from_start();
	struct mdl_process *m;

	(void)state;
	load(&s, 500, 900, 1, "p", "m", AT_FUNC);
	load(&s, 510, 900, 2, "q", "m", AT_FUNC);
	done(&s, 520, 900, 1);
	done(&s, 530, 900, 2);
	load(&s, 1000, 900, 1, "a", "m", AT_FUNC);
	load(&s, 1100, 800, 2, "a_inner", "a", AT_MODULE);
	load(&s, 1200, 850, 3, "b", "n", AT_FUNC);
	done(&s, 1300, 800, 2);
	done(&s, 1400, 850, 3);
	done(&s, 1500, 900, 1);
	leave(&s, 2000, 0, 0);
	m = take(&s);
	assert_string_equal(parent_of(m, "a_inner"), "a");
	assert_string_equal(parent_of(m, "b"), "");
	assert_int_equal(load_named(m, "b")->total_ns, 200);
	assert_int_equal(load_named(m, "b")->self_ns, 100);
	check_lost(&s, LMMSD_LOST_START_WITHOUT_DONE, 0);
	check_sane(m, 530);
	graph_process_free(m);
	graph_free(s.g);
}

/* b looks nested in a, since its sp is smaller; then it outlives a. */
static void test_greenlet_outlives(void **state)
{
	struct story s = story_from_start();
	struct mdl_process *m;

	(void)state;
	load(&s, 1000, 900, 1, "a", "m", AT_FUNC);
	load(&s, 1100, 850, 2, "b", "n", AT_FUNC);
	load(&s, 1150, 750, 5, "b_inner", "b", AT_MODULE);
	done(&s, 1300, 900, 1);
	done(&s, 1400, 750, 5);
	done(&s, 1500, 850, 2);
	leave(&s, 2000, 0, 0);
	m = take(&s);
	assert_string_equal(parent_of(m, "b"), "");
	assert_int_equal(load_named(m, "b")->depth, 0);
	assert_string_equal(parent_of(m, "b_inner"), "b");
	assert_int_equal(load_named(m, "b")->total_ns, 400);
	assert_int_equal(load_named(m, "a")->total_ns, 300);
	assert_int_equal(load_named(m, "b_inner")->total_ns, 250);
	check_lost(&s, LMMSD_LOST_START_WITHOUT_DONE, 0);
	check_lost(&s, LMMSD_LOST_DONE_WITHOUT_START, 0);
	check_sane(m, 500);
	graph_process_free(m);
	graph_free(s.g);
}

/* b's done is lost: a's module-level code asked for it, so it is dead when a is done. */
static void test_lost_done(void **state)
{
	struct story s = story_from_start();
	struct mdl_process *m;

	(void)state;
	load(&s, 1000, 900, 1, "a", "__main__", AT_MODULE);
	load(&s, 1100, 800, 2, "b", "a", AT_MODULE);
	done(&s, 1300, 900, 1);
	check_lost(&s, LMMSD_LOST_START_WITHOUT_DONE, 1);
	load(&s, 1400, 900, 1, "c", "__main__", AT_MODULE);
	done(&s, 1500, 900, 1);
	leave(&s, 2000, 0, 0);
	m = take(&s);
	assert_int_equal(m->lost[LMMSD_LOST_START_WITHOUT_DONE], 1);
	assert_true(load_named(m, "b")->flags & MDL_LOAD_OPEN);
	assert_int_equal(load_named(m, "a")->total_ns, 300);
	assert_string_equal(parent_of(m, "c"), "");
	check_sane(m, 400);
	graph_process_free(m);
	graph_free(s.g);
}

/* The done of a parent package is lost: importlib asked for it inside the load, nothing else can have. */
static void test_lost_done_parent(void **state)
{
	struct story s = story_from_start();

	(void)state;
	load(&s, 1000, 900, 1, "p.q", "m", AT_FUNC);
	load(&s, 1100, 800, 2, "p", "m", BY_IMPORTLIB & ~LMMSD_WHERE_MODBODY);
	done(&s, 1300, 900, 1);
	check_lost(&s, LMMSD_LOST_START_WITHOUT_DONE, 1);
	graph_free(s.g);
}

/* The frame that waited for b asks for c: b was done. A function asked, so nothing else would tell. */
static void test_lost_done_frame(void **state)
{
	struct story s = story_from_start();
	struct mdl_process *m;

	(void)state;
	load(&s, 1000, 900, 1, "a", "__main__", AT_MODULE);
	load(&s, 1100, 800, 2, "b", "util", AT_FUNC);
	load(&s, 1200, 800, 2, "c", "util", AT_FUNC);
	check_lost(&s, LMMSD_LOST_START_WITHOUT_DONE, 1);
	done(&s, 1250, 800, 2);
	done(&s, 1300, 900, 1);
	leave(&s, 2000, 0, 0);
	m = take(&s);
	assert_int_equal(load_named(m, "b")->total_ns, 100);
	assert_int_equal(load_named(m, "c")->total_ns, 50);
	assert_string_equal(parent_of(m, "c"), "a");
	assert_int_equal(load_named(m, "a")->self_ns, 150);
	graph_process_free(m);
	graph_free(s.g);
}

/* A start at or above an open load's sp, from another frame: out of the game at once, lost at the end. */
static void test_lost_done_sp(void **state)
{
	struct story s = story_from_start();
	struct mdl_process *m;

	(void)state;
	load(&s, 1000, 900, 1, "a", "x", AT_FUNC);
	load(&s, 1200, 950, 2, "b", "y", AT_FUNC);
	done(&s, 1300, 950, 2);
	leave(&s, 2000, 0, 0);
	m = take(&s);
	check_lost(&s, LMMSD_LOST_START_WITHOUT_DONE, 1);
	assert_int_equal(load_named(m, "a")->total_ns, 200);
	assert_int_equal(load_named(m, "a")->self_ns, 200);
	assert_string_equal(parent_of(m, "b"), "");
	graph_process_free(m);
	graph_free(s.g);
}

static void test_lost_start(void **state)
{
	struct story s = story_from_start(), late = s;

	(void)state;
	done(&s, 1000, 900, 1);
	check_lost(&s, LMMSD_LOST_DONE_WITHOUT_START, 1);
	load(&s, 1100, 900, 1, "a", "x", AT_FUNC);
	done(&s, 1150, 800, 3);
	check_lost(&s, LMMSD_LOST_DONE_WITHOUT_START, 2);
	done(&s, 1200, 900, 1);
	/* Attached midway: such dones are to be expected. */
	late.tgid = late.tid = 7;
	proc(&late, 1300, LMMSD_PROC_PROCFS);
	done(&late, 1400, 900, 1);
	check_lost(&s, LMMSD_LOST_DONE_WITHOUT_START, 2);
	/* Of a process that nobody knows nothing is made. */
	late.tgid = late.tid = 8;
	done(&late, 1400, 900, 1);
	check_lost(&s, LMMSD_LOST_DONE_WITHOUT_START, 2);
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

static void test_limits(void **state)
{
	struct graph_limits limits = {
		.processes = 2, .loads = 4, .modules = 3, .edges = 2, .depth = 2, .threads = 1};
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
	check_lost(&s, LMMSD_LOST_LIMIT_DEPTH, 2);
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
		cmocka_unit_test(test_greenlets),
		cmocka_unit_test(test_greenlets_unknown),
		cmocka_unit_test(test_greenlets_learned),
		cmocka_unit_test(test_greenlet_outlives),
		cmocka_unit_test(test_lost_done),
		cmocka_unit_test(test_lost_done_parent),
		cmocka_unit_test(test_lost_done_frame),
		cmocka_unit_test(test_lost_done_sp),
		cmocka_unit_test(test_lost_start),
		cmocka_unit_test(test_recursion),
		cmocka_unit_test(test_killed),
		cmocka_unit_test(test_exec_in_load),
		cmocka_unit_test(test_exec_unseen),
		cmocka_unit_test(test_fork_in_load),
		cmocka_unit_test(test_fork_exec),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_parked_bounded),
		cmocka_unit_test(test_snapshot),
		cmocka_unit_test(test_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
