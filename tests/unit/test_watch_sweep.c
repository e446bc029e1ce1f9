/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* app/watch: what is let go, and for whom. The processes are real, the kernel side is not. */
// wrap: probe_exe_verdict probe_exe_undecided probe_exe_forget probe_attach probe_detach
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "app/records.h"
#include "app/watch_int.h"
#include "probe/procfs.h"
#include "unit/fake_python.h"
#include "unit/fake_tree.h"

int __wrap_probe_exe_verdict(struct probe *p, uint64_t ino, uint32_t ctime_s, uint32_t ctime_ns,
			     bool python);
int __wrap_probe_exe_verdict(struct probe *p _unused_, uint64_t ino _unused_,
			     uint32_t ctime_s _unused_, uint32_t ctime_ns _unused_,
			     bool python _unused_)
{
	return 0;
}

bool __wrap_probe_exe_undecided(struct probe *p, uint64_t ino, uint32_t ctime_s, uint32_t ctime_ns);
bool __wrap_probe_exe_undecided(struct probe *p _unused_, uint64_t ino _unused_,
				uint32_t ctime_s _unused_, uint32_t ctime_ns _unused_)
{
	return false;
}

void __wrap_probe_exe_forget(struct probe *p, uint64_t ino, uint32_t ctime_s, uint32_t ctime_ns);
void __wrap_probe_exe_forget(struct probe *p _unused_, uint64_t ino _unused_,
			     uint32_t ctime_s _unused_, uint32_t ctime_ns _unused_)
{
}

static uint32_t attached, detached;

int __wrap_probe_attach(struct probe *p, int fd, const struct target *t, uint32_t *ret_interp);
int __wrap_probe_attach(struct probe *p _unused_, int fd _unused_, const struct target *t _unused_,
			uint32_t *ret_interp)
{
	*ret_interp = ++attached;
	return 0;
}

void __wrap_probe_detach(struct probe *p, uint32_t interp);
void __wrap_probe_detach(struct probe *p _unused_, uint32_t interp)
{
	assert_in_range(interp, 1, attached);
	detached++;
}

#define MOST 4

static struct watch *w;
static struct tree tree;

static int set_up(void **state _unused_)
{
	static char nobody; /* is looked into by no function that is called here */

#if !defined(__x86_64__)
	skip(); /* the images are for one machine */
#endif
	attached = detached = 0;
	assert_int_equal(tree_make(&tree), 0);
	if (watch_new((struct probe *)&nobody, NULL, TARGET_WANT_AUTO, MOST, &w))
		return -1;
	w->maps_ns = UINT64_MAX / 2; /* a round is whole, however many processes this host has */
	return 0;
}

static int tear_down(void **state _unused_)
{
	w = watch_free(w);
	return tree_remove(&tree);
}

/* NAME1 to NAMEn, and what they are. */
static void files(const char *name, unsigned int n, const void *data, size_t len)
{
	char path[64];

	for (unsigned int i = 1; i <= n; i++) {
		(void)snprintf(path, sizeof(path), "%s%u", name, i);
		tree_write(&tree, path, data, len);
	}
}

static void pythons(unsigned int n)
{
	struct image i;

	make_image(&i, DT_GNU_HASH);
	files("python3.", n, i.b, sizeof(i.b));
}

static bool map_file(const char *name, unsigned int i)
{
	_close_ int fd = -EBADF;
	char path[64];

	(void)snprintf(path, sizeof(path), "%s%u", name, i);
	fd = openat(tree.fd, path, O_RDONLY | O_CLOEXEC);
	return fd >= 0 && mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0) != MAP_FAILED;
}

/* A process that maps NAMEfirst to NAMElast, and then OTHER1 to OTHERn. */
static pid_t start(const char *name, unsigned int first, unsigned int last, unsigned int others)
{
	bool ok = true;
	int up[2];
	pid_t pid;
	char c = 0;

	assert_int_equal(pipe2(up, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		for (unsigned int i = first; i <= last; i++)
			ok &= map_file(name, i);
		for (unsigned int i = 1; i <= others; i++)
			ok &= map_file("other", i);
		(void)!write(up[1], ok ? "y" : "n", 1);
		for (;;)
			(void)pause();
	}
	assert_int_equal(read(up[0], &c, 1), 1);
	(void)close(up[0]);
	(void)close(up[1]);
	assert_int_equal(c, 'y'); /* the temporary directory is not mounted noexec */
	return pid;
}

static void end(pid_t pid)
{
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void look_at(pid_t pid)
{
	w->room_ns = 0; /* it is later */
	assert_int_equal(watch_add_pid(w, (uint32_t)pid), 0);
	assert_true(watch_run(w, 0) >= 0);
}

static void sweeps(int n)
{
	for (int i = 0; i < n; i++)
		watch_sweep(w);
}

/* Any user can map as many files as a list has room for. */
static void process_with_many_files(void **state _unused_)
{
	const unsigned int many = PROCFS_MAX_MAPS + 10;
	pid_t python, other;

	pythons(1);
	files("other", many, "0123456789", 10);
	python = start("python3.", 1, 1, many);
	other = start("other", 1, many, 0);
	look_at(python);
	/* the one that was mapped first has the highest address, behind all that are read */
	assert_int_equal(attached, 0);
	assert_int_equal(watch_search_cut(w), 1);
	assert_int_equal(watch_is_python(w, (uint32_t)python), 0);
	end(python);
	python = start("python3.", 1, 1, 0);
	look_at(python);
	assert_int_equal(attached, 1);
	end(python);
	python = start("python3.", 1, 1, many);
	assert_int_equal(watch_is_python(w, (uint32_t)python), 1);
	assert_int_equal(watch_is_python(w, (uint32_t)other), 0);
	assert_int_equal(unlinkat(tree.fd, "python3.1", 0), 0);
	sweeps(3);
	assert_int_equal(detached, 0);
	end(python);
	sweeps(2);
	assert_int_equal(detached, 1);
	end(other);
}

/* What nothing runs makes room for what is run; and what finds none is counted once. */
static void room_for_one_that_runs(void **state _unused_)
{
	pid_t first, second;

	pythons(MOST + 2);
	first = start("python3.", 1, MOST, 0);
	second = start("python3.", MOST + 1, MOST + 2, 0);
	look_at(first);
	assert_int_equal(watch_attached(w), MOST);
	for (int i = 0; i < 3; i++) {
		look_at(second);
		assert_int_equal(attached, MOST);
		assert_int_equal(detached, 0);
		assert_int_equal(watch_no_room(w), 2);
	}
	end(first);
	look_at(second);
	assert_int_equal(attached, MOST + 2);
	assert_true(detached >= 2);
	assert_int_equal(watch_no_room(w), 2);
	assert_int_equal(watch_is_python(w, (uint32_t)second), 1);
	end(second);
}

/* Searching for room reads what everybody maps: not for each of a thousand programs a second. */
static void room_is_not_searched_for_all_the_time(void **state _unused_)
{
	pid_t first, second;
	uint64_t searched;

	pythons(MOST + 2);
	first = start("python3.", 1, MOST, 0);
	second = start("python3.", MOST + 1, MOST + 1, 0);
	look_at(first);
	look_at(second);
	assert_true(w->room_ns > 0);
	end(first);
	searched = w->room_ns = records_now();
	assert_int_equal(watch_add_pid(w, (uint32_t)second), 0);
	assert_true(watch_run(w, 0) >= 0);
	assert_int_equal(w->room_ns, searched);
	assert_int_equal(detached, 0);
	end(second);
}

#define WATCH_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WATCH_TEST(process_with_many_files),
		WATCH_TEST(room_for_one_that_runs),
		WATCH_TEST(room_is_not_searched_for_all_the_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
