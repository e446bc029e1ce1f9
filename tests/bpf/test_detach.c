/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Going away: nothing is left behind. */
#include <bpf/bpf.h>
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "rig.h"

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
		cmocka_unit_test(nothing_is_left_behind),
		cmocka_unit_test(detached_is_silent),
		cmocka_unit_test(failed_attach_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
