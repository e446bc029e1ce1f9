/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* probe/discover: which files are the same one, and which were seen. */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "probe/discover.h"
#include "probe/discover_int.h"
#include "probe/procfs.h"
#include "unit/fake_host.h"
#include "unit/fake_tree.h"

static const struct discover_id lower = {
	.ino = 7,
	.size = 100,
	.mtime_ns = 1,
	.ctime_ns = 2,
	.btime_ns = 3,
	.dev = 10,
};

static void identity(void **state _unused_)
{
	struct discover_id merged = lower, other = lower;

	merged.dev = 20;
	assert_false(discover_same(&lower, &merged)); /* two file systems with equal numbers */
	merged.overlay = true;
	assert_true(discover_same(&lower, &merged));
	assert_true(discover_same(&merged, &lower));
	other.ctime_ns = 9; /* a link was made */
	assert_true(discover_same(&lower, &other));
	assert_false(discover_rewritten(&lower, &other));
	other.mtime_ns = 9;
	assert_false(discover_same(&lower, &other));
	assert_true(discover_rewritten(&lower, &other));
	other.btime_ns = 9; /* the number was used again */
	assert_false(discover_rewritten(&lower, &other));
	other = lower;
	other.btime_ns = merged.btime_ns = 0; /* no birth times: the change time has to do */
	merged.dev = other.dev;
	other.ctime_ns = 9;
	assert_false(discover_same(&merged, &other));
	assert_true(discover_rewritten(&merged, &other));
}

static void seen_files(void **state _unused_)
{
	struct discover_id merged = lower, image = lower, linked = lower;
	struct seen *s;

	merged.dev = 20;
	merged.overlay = true;
	image.dev = 30;
	linked.ctime_ns = 9;
	assert_int_equal(seen_new(&s), 0);
	assert_int_equal(seen_add(s, &lower), SEEN_NEW);
	assert_int_equal(seen_add(s, &lower), SEEN_KNOWN);
	assert_int_equal(seen_add(s, &merged), SEEN_KNOWN);
	assert_int_equal(seen_add(s, &image), SEEN_NEW); /* another file system, no overlay */
	assert_int_equal(seen_count(s), 2);
	/* Met under another ctime. */
	assert_int_equal(seen_add(s, &linked), SEEN_NEW);
	assert_int_equal(seen_pin(s, &linked), 0);
	assert_int_equal(seen_add(s, &lower), SEEN_RENEWED);
	assert_int_equal(seen_add(s, &lower), SEEN_KNOWN);
	/* What nobody meets any more goes, pinned ones stay. */
	seen_prune(s);
	assert_int_equal(seen_count(s), 2);
	seen_prune(s);
	assert_int_equal(seen_count(s), 1);
	assert_int_equal(seen_add(s, &lower), SEEN_KNOWN);
	seen_forget(s, &lower);
	assert_int_equal(seen_count(s), 0);
	assert_int_equal(seen_add(s, &merged), SEEN_NEW);
	assert_int_equal(seen_add(s, &lower), SEEN_KNOWN);
	(void)seen_free(s);
}

static void seen_files_are_bounded(void **state _unused_)
{
	struct discover_id id = lower;
	struct seen *s;

	assert_int_equal(seen_new(&s), 0);
	id.ino = 1;
	assert_int_equal(seen_pin(s, &id), 0);
	for (id.ino = 2; id.ino < DISCOVER_MAX_SEEN + 1000; id.ino++)
		assert_int_equal(seen_add(s, &id), SEEN_NEW);
	assert_int_equal(seen_count(s), DISCOVER_MAX_SEEN + 1);
	id.ino = 1;
	assert_int_equal(seen_add(s, &id), SEEN_KNOWN);
	id.ino = 2;
	assert_int_equal(seen_add(s, &id), SEEN_NEW); /* the oldest went */
	(void)seen_free(s);
}

static void hard_link_and_rename(void **state _unused_)
{
	struct discover_id id, renewed;
	struct discover_file f;

	add_file("root/usr/bin/python3.11");
	assert_int_equal(discover_add_places(d), 0);
	assert_int_equal(discover_next(d, &f), 1);
	id = f.id;
	discover_file_done(&f);
	assert_int_equal(discover_next(d, &f), 0);
	assert_int_equal(discover_pin(d, &id), 0);
	if (!id.btime_ns) {
		print_message("the temporary directory's file system has no birth times\n");
		skip();
	}
	/* Until the clock of the file system has moved on. */
	do {
		assert_int_equal(linkat(tree.fd, "root/usr/bin/python3.11", tree.fd,
					"root/usr/bin/python3", 0),
				 0);
		assert_int_equal(discover_add_places(d), 0);
		assert_int_equal(discover_next(d, &f), 0);
		assert_int_equal(unlinkat(tree.fd, "root/usr/bin/python3", 0), 0);
	} while (!discover_take_renewed(d, &renewed));
	assert_int_equal(renewed.ino, id.ino);
	assert_true(renewed.ctime_ns != id.ctime_ns);
	/* Written anew: another file. */
	do {
		add_file("root/usr/bin/python3.11");
		assert_int_equal(discover_add_places(d), 0);
	} while (discover_next(d, &f) == 0);
	assert_true(discover_rewritten(&id, &f.id));
	discover_file_done(&f);
}

/* In a mount namespace of its own: 0 when a file is the same through overlayfs and below it, 77: no overlayfs here. */
static int overlay_child(void)
{
	struct discover_id below, merged, copied;
	char options[512], path[128];
	int fd;

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return 77;
	(void)snprintf(options, sizeof(options), "lowerdir=%s/low,upperdir=%s/up,workdir=%s/work",
		       tree.path, tree.path, tree.path);
	(void)snprintf(path, sizeof(path), "%s/merged", tree.path);
	if (mount("overlay", path, "overlay", 0, options) < 0)
		return 77;
	/* By path: tree.fd is still in the mount namespace that has no overlay. */
	if (chdir(tree.path) < 0)
		return 1;
	fd = open("low/python3", O_RDONLY | O_CLOEXEC);
	if (fd < 0 || discover_identify(fd, &below) < 0)
		return 1;
	(void)close(fd);
	fd = open("merged/python3", O_RDONLY | O_CLOEXEC);
	if (fd < 0 || discover_identify(fd, &merged) < 0)
		return 2;
	(void)close(fd);
	if (!merged.overlay || below.overlay || !discover_same(&below, &merged))
		return 3;
	/* After a copy-up it is another file. */
	fd = open("merged/python3", O_RDWR | O_CLOEXEC);
	if (fd < 0 || pwrite(fd, "x", 1, 0) != 1 || discover_identify(fd, &copied) < 0)
		return 4;
	return discover_same(&below, &copied) ? 5 : 0;
}

static void overlayfs(void **state _unused_)
{
	int status;
	pid_t pid;

	add_file("low/python3");
	tree_dir(&tree, "up");
	tree_dir(&tree, "work");
	tree_dir(&tree, "merged");
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(overlay_child());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77) {
		print_message("no overlayfs can be mounted here\n");
		skip();
	}
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(identity),
		cmocka_unit_test(seen_files),
		cmocka_unit_test(seen_files_are_bounded),
		TREE_TEST(hard_link_and_rename),
		TREE_TEST(overlayfs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
