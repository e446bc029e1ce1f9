/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Attaching in every way that a kernel may offer, and to whom. */
#include <bpf/bpf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "rig.h"

#define PROGRAM                                                                                    \
	"import json, colorsys\ntry:\n    import no_such_module\nexcept ImportError:\n    pass\n"

static void features_of_this_kernel(void **state)
{
	struct features f = rig_features();
	struct feature_row row;
	size_t n = 0;

	(void)state;
	while (feature_row(&f, n, &row)) {
		assert_non_null(row.name);
		assert_non_null(row.use);
		assert_true(row.present || !row.required);
		n++;
	}
	assert_true(n >= 6);
	assert_int_equal(f.error, 0);
	assert_true(f.uprobe_multi || f.perf_uprobe);
	assert_true(f.cookie || !f.uprobe_multi);
}

/* Names of loads in their order, one a line. */
static char *loads_with(const struct probe_options *o)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	struct rig g;
	pid_t pid;

	assert_non_null(f);
	pid = rig_observe(&g, o, PROGRAM);
	for (size_t i = 0; i < g.n; i++)
		if (g.events[i].kind == LMMSD_EV_LOAD_START)
			(void)fprintf(f, "%s\n", g.events[i].name);
	assert_int_equal(rig_count(&g, LMMSD_EV_LOAD_START, pid, NULL),
			 rig_count(&g, LMMSD_EV_LOAD_DONE, pid, NULL));
	assert_int_equal(rig_count(&g, LMMSD_EV_EXIT, pid, NULL), 1);
	rig_nothing_lost(&g);
	rig_free(&g);
	(void)fclose(f);
	return text;
}

static void every_way_sees_the_same(void **state)
{
	static const struct {
		bool multi, cookie, storage;
	} ways[] = {
		{true, true, true},   {true, true, false},  {false, true, true},
		{false, true, false}, {false, false, true}, {false, false, false},
	};
	struct probe_options o = rig_options();
	const struct features all = o.features;
	_free_ char *first = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		_free_ char *text = NULL;

		if ((ways[i].multi && !all.uprobe_multi) || (ways[i].cookie && !all.cookie) ||
		    (ways[i].storage && !all.task_storage) || (!ways[i].multi && !all.perf_uprobe))
			continue;
		o.features.uprobe_multi = ways[i].multi;
		o.features.cookie = ways[i].cookie;
		o.features.task_storage = ways[i].storage;
		text = loads_with(&o);
		assert_non_null(strstr(text, "colorsys\n"));
		assert_non_null(strstr(text, "json.decoder\n"));
		assert_non_null(strstr(text, "no_such_module\n"));
		if (!first)
			first = TAKE_PTR(text);
		else
			assert_string_equal(first, text);
	}
	assert_non_null(first);
}

static void only_the_watched(void **state)
{
	struct probe_options o = rig_options();
	const char *const argv[] = {RIG_PYTHON, "-I", "-S", "-c", "import colorsys", NULL};
	struct rig g;
	pid_t pid, other;
	int status;

	(void)state;
	rig_load(&g, &o, 1 << 20);
	rig_attach(&g);
	other = fork();
	if (other == 0) {
		(void)execv(argv[0], (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	assert_int_equal(waitpid(other, &status, 0), other);
	assert_int_equal(status, 0);
	pid = rig_run(&g, argv);
	rig_drain(&g);
	assert_int_equal(rig_count(&g, LMMSD_EV_LOAD_START, pid, "colorsys"), 1);
	for (size_t i = 0; i < g.n; i++)
		assert_true(g.events[i].kind == LMMSD_EV_EXE || g.events[i].tgid == (uint32_t)pid);
	rig_free(&g);
}

static void only_that_user(void **state)
{
	struct probe_options o = rig_options();
	struct rig g;
	pid_t pid;

	(void)state;
	o.filter_uid = true;
	o.uid = getuid() + 1;
	pid = rig_observe(&g, &o, "import colorsys");
	assert_int_equal(rig_count(&g, LMMSD_EV_LOAD_START, pid, NULL), 0);
	rig_free(&g);
	o.uid = getuid();
	pid = rig_observe(&g, &o, "import colorsys");
	assert_int_equal(rig_count(&g, LMMSD_EV_LOAD_START, pid, "colorsys"), 1);
	rig_free(&g);
}

/* Each thread that imports takes memory of the kernel's, which no process may take all of; it comes back at its end. */
static void threads_are_limited(void **state)
{
	struct probe_options o = rig_options();
	uint64_t lost;
	struct rig g;
	pid_t pid;

	(void)state;
	if (!o.features.task_storage) {
		print_message("threads are not counted without task storage\n");
		skip();
	}
	o.max_procs = 256;
	pid = rig_observe(&g, &o,
			  "import threading\n"
			  "threading.stack_size(262144)\n"
			  "n = 700\n"
			  "all_here = threading.Barrier(n)\n"
			  "def work():\n"
			  "    import colorsys\n"
			  "    all_here.wait()\n"
			  "ts = [threading.Thread(target=work) for _ in range(n)]\n"
			  "[t.start() for t in ts]; [t.join() for t in ts]\n");
	assert_true(rig_count(&g, LMMSD_EV_LOAD_START, pid, NULL) > 0);
	lost = rig_lost(&g, LMMSD_LOST_SCRATCH);
	assert_true(lost >= 100);
	pid = rig_python(&g, "import colorsys");
	rig_drain(&g);
	assert_int_equal(rig_count(&g, LMMSD_EV_LOAD_START, pid, "colorsys"), 1);
	assert_int_equal(rig_lost(&g, LMMSD_LOST_SCRATCH), lost);
	rig_free(&g);
}

/* Threads that nobody asked for take no room from those that are watched. */
static void only_watched_threads_count(void **state)
{
	static const char code[] = "import sys, threading\n"
				   "threading.stack_size(262144)\n"
				   "n = 700\n"
				   "imported = threading.Barrier(n + 1)\n"
				   "over = threading.Event()\n"
				   "def work():\n"
				   "    import colorsys\n"
				   "    imported.wait()\n"
				   "    over.wait()\n"
				   "ts = [threading.Thread(target=work) for _ in range(n)]\n"
				   "[t.start() for t in ts]; imported.wait()\n"
				   "print('up', flush=True); sys.stdin.read(); over.set()\n";
	const char *const argv[] = {RIG_PYTHON, "-I", "-S", "-c", "import colorsys", NULL};
	struct probe_options o = rig_options();
	int in[2], out[2], status;
	struct rig g;
	pid_t pid, other;
	char up[3];

	(void)state;
	o.max_procs = 256;
	rig_load(&g, &o, 1 << 20);
	rig_attach(&g);
	assert_int_equal(pipe2(in, O_CLOEXEC) | pipe2(out, O_CLOEXEC), 0);
	other = fork();
	if (other == 0) {
		if (dup2(in[0], 0) == 0 && dup2(out[1], 1) == 1)
			(void)execl(RIG_PYTHON, RIG_PYTHON, "-I", "-S", "-c", code, NULL);
		_exit(127);
	}
	(void)close(out[1]);
	assert_int_equal(read(out[0], up, sizeof(up)), sizeof(up));
	pid = rig_run(&g, argv);
	rig_drain(&g);
	assert_int_equal(rig_count(&g, LMMSD_EV_LOAD_START, pid, "colorsys"), 1);
	assert_int_equal(rig_lost(&g, LMMSD_LOST_SCRATCH), 0);
	(void)close(in[0]);
	(void)close(in[1]);
	(void)close(out[0]);
	assert_int_equal(waitpid(other, &status, 0), other);
	assert_int_equal(status, 0);
	rig_free(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(features_of_this_kernel),
		cmocka_unit_test(every_way_sees_the_same),
		cmocka_unit_test(only_the_watched),
		cmocka_unit_test(only_that_user),
		cmocka_unit_test(threads_are_limited),
		cmocka_unit_test(only_watched_threads_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
