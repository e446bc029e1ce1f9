/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* graph/: programs that switch stacks. */
#include "unit/evbuild.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_greenlets),
		cmocka_unit_test(test_greenlets_unknown),
		cmocka_unit_test(test_greenlets_learned),
		cmocka_unit_test(test_greenlet_outlives),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
