/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* graph/: the way of a process from its end to its taker. */
#include <errno.h>

#include "unit/evbuild.h"

/* A process that ended waits for its counters. */
static void test_pending(void **state)
{
	struct story s = story_counting(), second = s;
	struct lmmsd_use_key k = key(&s, 1, LMMSD_PLACE_MODULE, 0);
	const struct lmmsd_use_key *keys;
	struct mdl_process *m;
	uint32_t tgid;
	uint64_t start_ns;
	size_t n;

	(void)state;
	use(&s, k, "json", "", 0, where(AT_MODULE, "m", 1));
	second.tgid = 200;
	proc(&second, 100, LMMSD_PROC_EXEC);
	leave(&s, 1000, 0, 0);
	assert_null(graph_take_ended(s.g));
	leave(&second, 1001, 0, 0);
	assert_true(graph_next_pending(s.g, &tgid, &start_ns));
	assert_int_equal(tgid, 100);
	assert_int_equal(start_ns, 50);
	assert_int_equal(graph_use_keys(s.g, tgid, start_ns, &keys, &n), 0);
	assert_int_equal(n, 1);
	assert_memory_equal(keys, &k, sizeof(k));
	uses(&s, k, 77);
	dist(&s, "json", "json-dist", 0, "");
	/* What comes late does not make a new process. */
	load(&s, 1002, 900, 1, "late", "m", AT_MODULE);
	graph_uses_done(s.g, tgid, start_ns);
	graph_uses_done(s.g, 12345, 1);
	assert_true(graph_next_pending(s.g, &tgid, &start_ns));
	assert_int_equal(tgid, 200);
	m = graph_take_ended(s.g);
	assert_int_equal(m->pid, 100);
	assert_int_equal(m->n_loads, 0);
	assert_int_equal(m->modules[0].uses, 77);
	assert_string_equal(m->modules[0].distribution, "json-dist");
	graph_process_free(m);
	assert_null(graph_take_ended(s.g));
	graph_uses_done(s.g, tgid, start_ns);
	assert_false(graph_next_pending(s.g, &tgid, &start_ns));
	m = graph_take_ended(s.g);
	assert_int_equal(m->pid, 200);
	graph_process_free(m);
	assert_int_equal(graph_use_keys(s.g, 100, 50, &keys, &n), -ESRCH);
	assert_null(graph_process_free(NULL));
	graph_free(s.g);
}

/* A recording has all programs of a pid before the counters and facts of the second: each gets its own. */
static void test_exec_twice(void **state)
{
	struct story s = story_counting();
	struct lmmsd_use_key first = key(&s, 1, LMMSD_PLACE_MODULE, 0),
			     second = key(&s, 2, LMMSD_PLACE_MODULE, 0);
	struct mdl_process *m;

	(void)state;
	use(&s, first, "json", "", 0, where(AT_MODULE, "m", 1));
	leave(&s, 1000, 0, LMMSD_EXIT_EXEC);
	assert_int_equal(graph_snapshot(s.g, 100, 50, 5000, &m), 0);
	assert_true(m->ended);
	assert_int_equal(m->end_ns, 1000);
	graph_process_free(m);
	uses(&s, first, 5);
	dist(&s, "json", "one", 0, "");
	proc(&s, 1000, LMMSD_PROC_EXEC);
	use(&s, second, "json", "", 0, where(AT_MODULE, "m", 1));
	use(&s, key(&s, 3, LMMSD_PLACE_MODULE, 0), "csv", "", 0, where(AT_MODULE, "m", 1));
	leave(&s, 2000, 0, 0);
	uses(&s, second, 7);
	dist(&s, "json", "two", 0, "");
	dist(&s, "csv", "three", 0, "");
	m = take(&s);
	assert_int_equal(m->n_modules, 1);
	assert_int_equal(module_named(m, "json")->uses, 5);
	assert_string_equal(module_named(m, "json")->distribution, "one");
	graph_process_free(m);
	m = take(&s);
	assert_int_equal(module_named(m, "json")->uses, 7);
	assert_string_equal(module_named(m, "json")->distribution, "two");
	assert_string_equal(module_named(m, "csv")->distribution, "three");
	graph_process_free(m);
	graph_free(s.g);
}

static void count_live(uint32_t tgid, uint64_t start_ns, void *arg)
{
	uint64_t *sum = arg;

	*sum += tgid + start_ns;
}

static void test_each_live(void **state)
{
	struct story s = story_counting(), second = s;
	uint64_t sum = 0;

	(void)state;
	second.tgid = 200;
	proc(&second, 100, LMMSD_PROC_EXEC);
	graph_each_live(s.g, count_live, &sum);
	assert_int_equal(sum, 100 + 200 + 50 + 50);
	graph_free(s.g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pending),
		cmocka_unit_test(test_exec_twice),
		cmocka_unit_test(test_each_live),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
