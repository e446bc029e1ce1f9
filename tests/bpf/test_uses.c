/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Counting uses. */
#include <bpf/bpf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rig.h"

static uint64_t counted(struct rig *g, const char *name, uint8_t place, bool take)
{
	uint64_t sum = 0, n;

	for (size_t i = 0; i < g->n; i++) {
		const struct rig_event *e = &g->events[i];

		if (e->kind != LMMSD_EV_USE || strcmp(e->name, name) || e->key.place != place)
			continue;
		if (!e->keyed) {
			sum++;
			continue;
		}
		assert_int_equal(probe_use_count(g->probe, &e->key, take, &n), 0);
		sum += n;
		if (take)
			assert_int_equal(probe_use_count(g->probe, &e->key, take, &n), -ENOENT);
	}
	return sum;
}

static void uses_are_exact(void **state)
{
	struct probe_options o = rig_options();
	struct rig g;
	pid_t pid;

	(void)state;
	pid = rig_observe(&g, &o,
			  "import threading, colorsys\n"
			  "def work():\n"
			  "    for _ in range(30000):\n"
			  "        import colorsys\n"
			  "ts = [threading.Thread(target=work) for _ in range(2)]\n"
			  "[t.start() for t in ts]; [t.join() for t in ts]\n");
	assert_int_equal(rig_count(&g, LMMSD_EV_USE, pid, "colorsys"), 2);
	assert_int_equal(counted(&g, "colorsys", LMMSD_PLACE_FUNCTION, false), 60000);
	assert_int_equal(counted(&g, "colorsys", LMMSD_PLACE_FUNCTION, true), 60000);
	assert_int_equal(counted(&g, "colorsys", LMMSD_PLACE_MODULE, false), 1);
	rig_nothing_lost(&g);
	rig_free(&g);
}

/* Statements of a module are sent one by one the first time that they run, and counted when they run again. */
static void statements_of_modules_are_exact(void **state)
{
	struct probe_options o = rig_options();
	size_t sent = 0;
	struct rig g;

	(void)state;
	if (!o.features.task_storage)
		skip();
	(void)rig_observe(&g, &o,
			  "import colorsys\n"
			  "import colorsys\n"
			  "for _ in range(1000):\n"
			  "    import colorsys\n"
			  "exec('import colorsys', globals())\n"
			  "exec('import colorsys', globals(), {})\n"
			  "import colorsys\n");
	for (size_t i = 0; i < g.n; i++)
		sent += g.events[i].kind == LMMSD_EV_USE && !g.events[i].keyed &&
			!strcmp(g.events[i].name, "colorsys");
	assert_int_equal(sent, 5); /* exec() of a text is code at module level, too */
	assert_int_equal(counted(&g, "colorsys", LMMSD_PLACE_MODULE, false), 1004);
	assert_int_equal(counted(&g, "colorsys", LMMSD_PLACE_CLASS, false), 1);
	rig_nothing_lost(&g);
	rig_free(&g);
}

/* A name that the C API makes anew for each call is one key, wherever it lies. */
static void names_without_a_hash_are_one_key(void **state)
{
	struct probe_options o = rig_options();
	struct rig g;
	pid_t pid;

	(void)state;
	pid = rig_observe(&g, &o,
			  "import colorsys\n"
			  "keep = [''.join(('color', 'sys')) for _ in range(1000)]\n"
			  "for name in keep:\n"
			  "    __import__(name)\n");
	/* the statement's, and the calls' with a hash or without */
	assert_in_range(rig_count(&g, LMMSD_EV_USE, pid, "colorsys"), 2, 3);
	assert_int_equal(counted(&g, "colorsys", LMMSD_PLACE_DYNAMIC, false) +
				 counted(&g, "colorsys", LMMSD_PLACE_MODULE, false) +
				 counted(&g, "colorsys", LMMSD_PLACE_UNKNOWN, false),
			 1001);
	rig_free(&g);
}

static void too_many_keys_are_counted(void **state)
{
	struct probe_options o = rig_options();
	size_t keyed = 0;
	struct rig g;
	pid_t pid;

	(void)state;
	o.max_use_keys = 1024; /* of which a process may have a quarter */
	pid = rig_observe(&g, &o,
			  "for i in range(1000):\n"
			  "    try:\n"
			  "        __import__(f'absent{i}')\n"
			  "    except ImportError:\n"
			  "        pass\n");
	for (size_t i = 0; i < g.n; i++)
		keyed += g.events[i].kind == LMMSD_EV_USE && g.events[i].keyed;
	assert_int_equal(keyed, 256);
	assert_true(rig_lost(&g, LMMSD_LOST_USES_FULL) >= 1000 - 256);
	assert_true(rig_count(&g, LMMSD_EV_LOAD_START, pid, NULL) >= 1000);
	rig_free(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(uses_are_exact),
		cmocka_unit_test(statements_of_modules_are_exact),
		cmocka_unit_test(names_without_a_hash_are_one_key),
		cmocka_unit_test(too_many_keys_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
