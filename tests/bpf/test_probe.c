/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Attaching in every way that a kernel may offer, counting uses, and leaving nothing behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <dirent.h>
#include <stdio.h>

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
	rig_load(&g, o, 1 << 20);
	rig_attach(&g);
	pid = rig_python(&g, PROGRAM);
	rig_drain(&g);
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
	rig_load(&g, &o, 1 << 20);
	rig_attach(&g);
	pid = rig_python(&g, "import colorsys");
	rig_drain(&g);
	assert_int_equal(rig_count(&g, LMMSD_EV_LOAD_START, pid, NULL), 0);
	rig_free(&g);
	o.uid = getuid();
	rig_load(&g, &o, 1 << 20);
	rig_attach(&g);
	pid = rig_python(&g, "import colorsys");
	rig_drain(&g);
	assert_int_equal(rig_count(&g, LMMSD_EV_LOAD_START, pid, "colorsys"), 1);
	rig_free(&g);
}

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
	rig_load(&g, &o, 1 << 20);
	rig_attach(&g);
	pid = rig_python(&g, "import threading, colorsys\n"
			     "def work():\n"
			     "    for _ in range(30000):\n"
			     "        import colorsys\n"
			     "ts = [threading.Thread(target=work) for _ in range(2)]\n"
			     "[t.start() for t in ts]; [t.join() for t in ts]\n");
	rig_drain(&g);
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
	rig_load(&g, &o, 1 << 20);
	rig_attach(&g);
	(void)rig_python(&g, "import colorsys\n"
			     "import colorsys\n"
			     "for _ in range(1000):\n"
			     "    import colorsys\n"
			     "exec('import colorsys', globals())\n"
			     "exec('import colorsys', globals(), {})\n"
			     "import colorsys\n");
	rig_drain(&g);
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
	rig_load(&g, &o, 1 << 20);
	rig_attach(&g);
	pid = rig_python(&g, "import colorsys\n"
			     "keep = [''.join(('color', 'sys')) for _ in range(1000)]\n"
			     "for name in keep:\n"
			     "    __import__(name)\n");
	rig_drain(&g);
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
	rig_load(&g, &o, 1 << 20);
	rig_attach(&g);
	pid = rig_python(&g, "for i in range(1000):\n"
			     "    try:\n"
			     "        __import__(f'absent{i}')\n"
			     "    except ImportError:\n"
			     "        pass\n");
	rig_drain(&g);
	for (size_t i = 0; i < g.n; i++)
		keyed += g.events[i].kind == LMMSD_EV_USE && g.events[i].keyed;
	assert_int_equal(keyed, 256);
	assert_true(rig_lost(&g, LMMSD_LOST_USES_FULL) >= 1000 - 256);
	assert_true(rig_count(&g, LMMSD_EV_LOAD_START, pid, NULL) >= 1000);
	rig_free(&g);
}

/* ---- going away */

#define MAX_IDS 512

struct ids {
	uint32_t prog[MAX_IDS], link[MAX_IDS];
	size_t n_prog, n_link;
};

/* Of all programs and links that this process holds. */
static void own_ids(struct ids *ret)
{
	_closedir_ DIR *d = opendir("/proc/self/fdinfo");
	struct dirent *e;

	memset(ret, 0, sizeof(*ret));
	assert_non_null(d);
	while ((e = readdir(d))) {
		_fclose_ FILE *f = NULL;
		char path[300], line[256];
		uint32_t prog = 0, link = 0;

		(void)snprintf(path, sizeof(path), "/proc/self/fdinfo/%s", e->d_name);
		f = fopen(path, "re");
		while (f && fgets(line, sizeof(line), f)) {
			if (strncmp(line, "prog_id:", 8) == 0)
				prog = (uint32_t)strtoul(line + 8, NULL, 10);
			if (strncmp(line, "link_id:", 8) == 0)
				link = (uint32_t)strtoul(line + 8, NULL, 10);
		}
		if (link && ret->n_link < MAX_IDS)
			ret->link[ret->n_link++] = link;
		else if (prog && ret->n_prog < MAX_IDS)
			ret->prog[ret->n_prog++] = prog;
	}
}

static size_t alive(const struct ids *ids)
{
	size_t n = 0;

	for (size_t i = 0; i < ids->n_prog; i++) {
		_close_ int fd = bpf_prog_get_fd_by_id(ids->prog[i]);

		n += fd >= 0;
	}
	for (size_t i = 0; i < ids->n_link; i++) {
		_close_ int fd = bpf_link_get_fd_by_id(ids->link[i]);

		n += fd >= 0;
	}
	return n;
}

/* The kernel frees after a grace period. */
static size_t alive_at_last(const struct ids *ids)
{
	static const struct timespec pause = {.tv_nsec = 10000000};

	for (int i = 0; i < 6000 && alive(ids); i++)
		(void)nanosleep(&pause, NULL); /* lint: allow(sleeps) a bounded poll */
	return alive(ids);
}

static void nothing_is_left(const struct probe_options *o)
{
	struct ids ids;
	struct rig g;

	rig_load(&g, o, 1 << 16);
	rig_attach(&g);
	own_ids(&ids);
	assert_true(ids.n_prog >= 4);
	assert_true(ids.n_link >= 4);
	assert_int_equal(alive(&ids), ids.n_prog + ids.n_link);
	rig_free(&g);
	assert_int_equal(alive_at_last(&ids), 0);
}

static void nothing_is_left_behind(void **state)
{
	struct probe_options o = rig_options();

	(void)state;
	nothing_is_left(&o);
	if (!o.features.perf_uprobe)
		return;
	o.features.uprobe_multi = false;
	nothing_is_left(&o);
	o.features.cookie = false;
	nothing_is_left(&o);
}

static void detached_is_silent(void **state)
{
	struct probe_options o = rig_options();
	struct rig g;
	uint32_t again;
	pid_t pid;

	(void)state;
	rig_load(&g, &o, 1 << 20);
	rig_attach(&g);
	probe_detach(g.probe, g.interp);
	probe_detach(g.probe, g.interp); /* harmless, as is any number */
	probe_detach(g.probe, 0);
	probe_detach(g.probe, UINT32_MAX);
	pid = rig_python(&g, "import colorsys");
	rig_drain(&g);
	assert_int_equal(rig_count(&g, LMMSD_EV_LOAD_START, pid, NULL), 0);
	assert_int_equal(probe_attach(g.probe, g.fd, g.target, &again), 0);
	pid = rig_python(&g, "import colorsys");
	rig_drain(&g);
	assert_int_equal(rig_count(&g, LMMSD_EV_LOAD_START, pid, "colorsys"), 1);
	rig_free(&g);
}

static void failed_attach_leaves_nothing(void **state)
{
	struct probe_options o = rig_options();
	_close_ int dir = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct ids before, after;
	struct rig g;
	uint32_t id = 77;

	(void)state;
	rig_load(&g, &o, 1 << 16);
	rig_attach(&g);
	own_ids(&before);
	assert_true(probe_attach(g.probe, dir, g.target, &id) < 0);
	assert_int_equal(id, 77);
	own_ids(&after);
	assert_int_equal(before.n_link, after.n_link);
	assert_int_equal(probe_attach(g.probe, g.fd, g.target, &id), 0);
	assert_int_equal(id, g.interp + 1);
	rig_free(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(features_of_this_kernel),
		cmocka_unit_test(every_way_sees_the_same),
		cmocka_unit_test(only_the_watched),
		cmocka_unit_test(only_that_user),
		cmocka_unit_test(uses_are_exact),
		cmocka_unit_test(statements_of_modules_are_exact),
		cmocka_unit_test(names_without_a_hash_are_one_key),
		cmocka_unit_test(too_many_keys_are_counted),
		cmocka_unit_test(nothing_is_left_behind),
		cmocka_unit_test(detached_is_silent),
		cmocka_unit_test(failed_attach_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
