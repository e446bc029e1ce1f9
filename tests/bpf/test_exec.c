/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* What the kernel side tells of programs that start: each unknown one once, the known ones by their verdict. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <stdio.h>
#include <sys/stat.h>

#include "rig.h"

/* A program that nobody has seen: a copy of true. */
struct copy {
	char dir[64], path[80];
};

static void copy_true(struct copy *c)
{
	_fclose_ FILE *from = fopen("/bin/true", "re"), *to = NULL;
	char block[4096];
	size_t n;

	(void)snprintf(c->dir, sizeof(c->dir), "/tmp/lmmsd-bpf-XXXXXX");
	assert_non_null(mkdtemp(c->dir));
	(void)snprintf(c->path, sizeof(c->path), "%s/prog", c->dir);
	to = fopen(c->path, "we");
	assert_non_null(from);
	assert_non_null(to);
	while ((n = fread(block, 1, sizeof(block), from)) > 0)
		assert_int_equal(fwrite(block, 1, n, to), n);
	assert_int_equal(fflush(to), 0);
	assert_int_equal(fchmod(fileno(to), 0755), 0);
}

static void remove_copy(const struct copy *c)
{
	(void)unlink(c->path);
	(void)rmdir(c->dir);
}

/* Runs it, and reads what was said of it. */
static pid_t run(struct rig *g, const struct copy *c)
{
	const char *const argv[] = {c->path, NULL};
	pid_t pid = rig_run(g, argv);

	rig_drain(g);
	return pid;
}

static const struct rig_event *find(const struct rig *g, uint16_t kind, pid_t pid)
{
	for (size_t i = 0; i < g->n; i++)
		if (g->events[i].kind == kind && g->events[i].tgid == (uint32_t)pid)
			return &g->events[i];
	return NULL;
}

static void unknown_programs_are_told_once(void **state)
{
	struct probe_options o = rig_options();
	const struct rig_event *e;
	struct rig_event first;
	struct copy c;
	struct stat st;
	struct rig g;
	pid_t pid;

	(void)state;
	copy_true(&c);
	rig_load(&g, &o, 1 << 20);
	pid = run(&g, &c);
	e = find(&g, LMMSD_EV_EXE, pid);
	assert_non_null(e);
	first = *e;
	assert_int_equal(stat(c.path, &st), 0);
	assert_int_equal(first.ino, st.st_ino);
	assert_int_equal(first.ctime_s, (uint32_t)st.st_ctim.tv_sec);
	assert_int_equal(first.ctime_ns, (uint32_t)st.st_ctim.tv_nsec);
	assert_int_equal(rig_count(&g, LMMSD_EV_PROC, pid, NULL), 0);

	pid = run(&g, &c);
	assert_null(find(&g, LMMSD_EV_EXE, pid));

	probe_exe_forget(g.probe, first.ino, first.ctime_s, first.ctime_ns);
	pid = run(&g, &c);
	assert_non_null(find(&g, LMMSD_EV_EXE, pid));
	rig_free(&g);
	remove_copy(&c);
}

static void verdicts(void **state)
{
	struct probe_options o = rig_options();
	const struct rig_event *e;
	struct rig_event first;
	struct copy c;
	struct rig g;
	pid_t pid;

	(void)state;
	copy_true(&c);
	rig_load(&g, &o, 1 << 20);
	pid = run(&g, &c);
	assert_non_null(find(&g, LMMSD_EV_EXE, pid));
	first = *find(&g, LMMSD_EV_EXE, pid);

	assert_int_equal(
		probe_exe_verdict(g.probe, first.ino, first.ctime_s, first.ctime_ns, false), 0);
	pid = run(&g, &c);
	assert_null(find(&g, LMMSD_EV_EXE, pid));
	assert_null(find(&g, LMMSD_EV_PROC, pid));
	assert_null(find(&g, LMMSD_EV_EXIT, pid));

	assert_int_equal(probe_exe_verdict(g.probe, first.ino, first.ctime_s, first.ctime_ns, true),
			 0);
	pid = run(&g, &c);
	assert_null(find(&g, LMMSD_EV_EXE, pid));
	e = find(&g, LMMSD_EV_PROC, pid);
	assert_non_null(e);
	assert_true(e->flags & LMMSD_PROC_EXEC);
	assert_non_null(find(&g, LMMSD_EV_EXIT, pid));
	rig_free(&g);
	remove_copy(&c);
}

/* The same inode, changed: an upgrade in place is another program. */
static void a_changed_file_is_another(void **state)
{
	struct probe_options o = rig_options();
	const struct rig_event *e;
	struct copy c;
	struct rig g;
	pid_t pid;

	(void)state;
	copy_true(&c);
	rig_load(&g, &o, 1 << 20);
	pid = run(&g, &c);
	e = find(&g, LMMSD_EV_EXE, pid);
	assert_non_null(e);
	assert_int_equal(probe_exe_verdict(g.probe, e->ino, e->ctime_s, e->ctime_ns, false), 0);
	/* ctime moves with the clock's tick, some milliseconds */
	for (uint32_t ns = e->ctime_ns, same = 1; same;) {
		struct stat st;

		assert_int_equal(chmod(c.path, 0700), 0);
		assert_int_equal(stat(c.path, &st), 0);
		same = (uint32_t)st.st_ctim.tv_nsec == ns;
	}
	pid = run(&g, &c);
	assert_non_null(find(&g, LMMSD_EV_EXE, pid));
	rig_free(&g);
	remove_copy(&c);
}

static void children_are_followed(void **state)
{
	struct probe_options o = rig_options();
	struct rig g;
	size_t forks = 0, exits = 0;
	pid_t pid;

	(void)state;
	pid = rig_observe(&g, &o,
			  "import os\n"
			  "for _ in range(3):\n"
			  "    p = os.fork()\n"
			  "    if not p:\n"
			  "        import colorsys\n"
			  "        os._exit(0)\n"
			  "    os.waitpid(p, 0)\n");
	rig_nothing_lost(&g);
	assert_int_equal(rig_count(&g, LMMSD_EV_FORK, pid, NULL), 3);
	for (size_t i = 0; i < g.n; i++) {
		bool theirs = g.events[i].tgid != (uint32_t)pid;

		forks += theirs && strcmp(g.events[i].name, "colorsys") == 0 &&
			 g.events[i].kind == LMMSD_EV_LOAD_START;
		exits += theirs && g.events[i].kind == LMMSD_EV_EXIT;
	}
	assert_int_equal(forks, 3);
	assert_int_equal(exits, 3);
	rig_free(&g);
}

/* One that finds no room among the watched is counted, and not taken for one that imports nothing. */
static void children_without_room_are_counted(void **state)
{
	struct probe_options o = rig_options();
	struct rig g;
	pid_t pid;

	(void)state;
	o.max_procs = 4;
	rig_load(&g, &o, 1 << 20);
	rig_attach(&g);
	for (uint32_t i = 1; i < 4; i++) /* beyond what a pid can be */
		assert_int_equal(probe_watch_pid(g.probe, (1u << 22) + i), 0);
	pid = rig_python(&g, "import os\n"
			     "p = os.fork()\n"
			     "if not p:\n"
			     "    os._exit(0)\n"
			     "os.waitpid(p, 0)\n");
	rig_drain(&g);
	assert_int_equal(rig_lost(&g, LMMSD_LOST_PROCS_FULL), 1);
	assert_int_equal(rig_count(&g, LMMSD_EV_FORK, pid, NULL), 0);
	assert_int_equal(rig_count(&g, LMMSD_EV_EXIT, pid, NULL), 1);
	rig_free(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unknown_programs_are_told_once),
		cmocka_unit_test(verdicts),
		cmocka_unit_test(a_changed_file_is_another),
		cmocka_unit_test(children_are_followed),
		cmocka_unit_test(children_without_room_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
