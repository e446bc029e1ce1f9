/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* graph/: starts and dones that were lost. */
#include "unit/evbuild.h"

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

/* A body of a module `b` that this code had importlib run, or that is a C module's. */
static struct mdl_process *silent_story(uint32_t flags, bool load_seen, bool lost, uint64_t *ret)
{
	struct story s = story_from_start();
	struct ev_where w = where(flags, "a", 1);
	struct mdl_process *m;

	if (lost)
		tell(&s, (struct ev){.kind = LMMSD_EV_LOST,
				     .lost.count = {[LMMSD_LOST_RING_FULL] = 1}});
	if (load_seen)
		load(&s, 1000, 900, 1, "b", "a", AT_MODULE);
	body(&s, 1100, 850, 11, "b", "/lib/b.py", w);
	body_done(&s, 1200, 850, 11);
	if (load_seen)
		done(&s, 1300, 900, 1);
	leave(&s, 2000, 0, 0);
	m = take(&s);
	*ret = graph_lost(s.g)[LMMSD_LOST_PROBE_SILENT];
	graph_free(s.g);
	return m;
}

static void test_silent_probe(void **state)
{
	static const struct {
		uint32_t flags;
		bool load_seen, lost;
		uint64_t silent;
	} cases[] = {
		{BY_IMPORTLIB | LMMSD_WHERE_ASKS, false, false, 1},
		/* the load was seen; import_module; exec_module() of somebody's; records were lost */
		{BY_IMPORTLIB | LMMSD_WHERE_ASKS, true, false, 0},
		{BY_IMPORTLIB | BY_CALL | LMMSD_WHERE_ASKS, false, false, 0},
		{BY_IMPORTLIB, false, false, 0},
		{BY_IMPORTLIB | LMMSD_WHERE_ASKS, false, true, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		uint64_t all;
		struct mdl_process *m = silent_story(cases[i].flags, cases[i].load_seen,
						     cases[i].lost, &all);

		assert_int_equal(all, cases[i].silent);
		assert_int_equal(m->lost[LMMSD_LOST_PROBE_SILENT], cases[i].silent);
		assert_int_equal(m->from_start, !cases[i].silent);
		assert_non_null(load_named(m, "b"));
		graph_process_free(m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lost_done),	cmocka_unit_test(test_lost_done_parent),
		cmocka_unit_test(test_lost_done_frame), cmocka_unit_test(test_lost_done_sp),
		cmocka_unit_test(test_lost_start),	cmocka_unit_test(test_silent_probe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
