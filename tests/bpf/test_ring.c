/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* The way of the records: what does not fit is counted, never lost in silence. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "rig.h"

#define FLOOD                                                                                      \
	"for i in range(3000):\n    try:\n        __import__(f'absent{i}')\n    except ImportError:\n        pass\n"

static struct probe_options flood_options(void)
{
	struct probe_options o = rig_options();

	/* No uses: their first is announced again when it did not fit, so that the number of records would vary. */
	o.usage = false;
	return o;
}

/* How many records of the flood there are when all has room. */
static size_t flood_records(void)
{
	struct probe_options o = flood_options();
	struct rig g;
	size_t n = 0;
	pid_t pid;

	o.ring_bytes = 16 << 20;
	rig_load(&g, &o, 64 << 20);
	rig_attach(&g);
	pid = rig_python(&g, FLOOD);
	rig_drain(&g);
	rig_nothing_lost(&g);
	assert_true(rig_count(&g, LMMSD_EV_LOAD_START, pid, NULL) >= 3000);
	for (size_t i = 0; i < g.n; i++)
		n += g.events[i].tgid == (uint32_t)pid && g.events[i].kind != LMMSD_EV_EXE;
	rig_free(&g);
	return n;
}

static size_t of_process(const struct rig *g, pid_t pid)
{
	size_t n = 0;

	for (size_t i = 0; i < g->n; i++)
		n += g->events[i].tgid == (uint32_t)pid && g->events[i].kind != LMMSD_EV_EXE;
	return n;
}

/* Nobody reads while the program runs. */
static void full_ring_is_counted(void **state)
{
	struct probe_options o = flood_options();
	size_t all = flood_records(), seen;
	struct rig g;
	uint64_t lost;
	pid_t pid;

	(void)state;
	o.ring_bytes = 65536;
	rig_load(&g, &o, 0);
	rig_attach(&g);
	pid = rig_python(&g, FLOOD);
	assert_int_equal(reader_start(probe_ring_fd(g.probe), 1 << 20, &g.reader), 0);
	rig_drain(&g);
	lost = rig_lost(&g, LMMSD_LOST_RING_FULL);
	seen = of_process(&g, pid);
	assert_true(seen > 0 && lost > 0);
	/* EXE records of the host's other processes may have been lost with ours. */
	assert_true(seen + lost >= all);
	assert_true(seen + lost <= all + 200);
	assert_int_equal(reader_dropped(g.reader), 0);
	rig_free(&g);
}

/* The consumer sleeps: the reader's queue ends. */
static void full_queue_is_counted(void **state)
{
	struct probe_options o = flood_options();
	size_t all = flood_records();
	struct rig g;
	pid_t pid;

	(void)state;
	o.ring_bytes = 16 << 20;
	rig_load(&g, &o, 32768);
	rig_attach(&g);
	pid = rig_python(&g, FLOOD);
	assert_int_equal(reader_kick(g.reader), 0);
	assert_true(reader_dropped(g.reader) > 0);
	assert_true(reader_records(g.reader) + reader_dropped(g.reader) >= all);
	rig_drain(&g);
	assert_true(of_process(&g, pid) < all);
	assert_int_equal(rig_lost(&g, LMMSD_LOST_RING_FULL), 0);
	/* and then there is room again */
	pid = rig_python(&g, "import colorsys");
	rig_drain(&g);
	assert_int_equal(rig_count(&g, LMMSD_EV_LOAD_START, pid, "colorsys"), 1);
	rig_free(&g);
}

static int refuse(void *arg, const void *rec, size_t len)
{
	(void)arg;
	(void)rec;
	(void)len;
	return -ENOMEM;
}

static void refused_records_are_counted(void **state)
{
	struct probe_options o = flood_options();
	struct rig g;

	(void)state;
	rig_load(&g, &o, 1 << 20);
	rig_attach(&g);
	(void)rig_python(&g, "import colorsys");
	assert_int_equal(reader_kick(g.reader), 0);
	assert_int_equal(reader_drain(g.reader, refuse, NULL), -ENOMEM);
	assert_int_equal(reader_dropped(g.reader), reader_records(g.reader));
	rig_free(&g);
}

static void ring_sizes(void **state)
{
	/* libbpf rounds up to a power of two of pages */
	static const size_t good[] = {1, 3000, 4096, 12288, 1 << 16, 1 << 21, 1 << 24};
	struct probe_options o = flood_options();
	struct probe *p = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct rig g;
		pid_t pid;

		o.ring_bytes = good[i];
		rig_load(&g, &o, 1 << 20);
		rig_attach(&g);
		pid = rig_python(&g, "pass");
		rig_drain(&g);
		assert_true(of_process(&g, pid) + rig_lost(&g, LMMSD_LOST_RING_FULL) > 10);
		rig_free(&g);
	}
	o.ring_bytes = 0;
	assert_true(probe_new(&o, &p) < 0);
	assert_null(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(full_ring_is_counted),
		cmocka_unit_test(full_queue_is_counted),
		cmocka_unit_test(refused_records_are_counted),
		cmocka_unit_test(ring_sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
