/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* probe/discover: the usual places, processes and named files, with all that users may put there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/fdio.h"
#include "probe/discover.h"
#include "probe/discover_int.h"
#include "probe/procfs.h"
#include "unit/fake_host.h"
#include "unit/fake_tree.h"

/* A process in the tree whose executable is the file at exe (below root/). */
static void add_process(unsigned int pid, const char *exe, const char *maps)
{
	char path[128], target[256];

	(void)snprintf(path, sizeof(path), "proc/%u/exe", pid);
	(void)snprintf(target, sizeof(target), "%s/root%s", tree.path, exe);
	tree_link(&tree, path, target);
	(void)snprintf(path, sizeof(path), "proc/%u/root", pid);
	tree_link(&tree, path, "../../root");
	(void)snprintf(path, sizeof(path), "proc/%u/maps", pid);
	tree_text(&tree, path, maps);
}

static void usual_places(void **state _unused_)
{
	static const char *const files[] = {
		"root/usr/bin/python3.11",
		"root/usr/bin/python3.13t",
		"root/usr/lib/x86_64-linux-gnu/libpython3.11.so.1.0",
		"root/opt/py/lib/libpython3.9d.so.1.0",
		"root/opt/conda/envs/e/bin/python3.8",
		"root/root/.pyenv/versions/3.7.1/bin/python3.7m",
		"root/home/u/.local/share/uv/python/cpython-3.12/bin/python3.12",
		"root/home/u/miniconda3/bin/python3.10",
		"root/usr/libexec/platform-python3.6",
		/* none of these */
		"root/usr/bin/python3.11-config",
		"root/usr/bin/pythontex",
		"root/usr/bin/ipython3",
		"root/usr/lib/python3.11/python3.11",
		"root/usr/lib/libpython3.11.a",
		"root/usr/lib/libpython3.11.so.hmac",
		"root/home/u/python3",
		"root/opt/.hidden/bin/python3",
	};

	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		add_file(files[i]);
	tree_link(&tree, "root/usr/bin/python3", "python3.11");
	tree_link(&tree, "root/bin", "usr/bin");
	tree_link(&tree, "root/usr/lib/libpython3.11.so", "x86_64-linux-gnu/libpython3.11.so.1.0");
	tree_write(&tree, "root/usr/local/bin/python3", "#!/bin/sh\n",
		   10); /* too short for an ELF file */
	assert_int_equal(discover_add_places(d), 0);
	EXPECT("/home/u/.local/share/uv/python/cpython-3.12/bin/python3.12",
	       "/home/u/miniconda3/bin/python3.10", "/opt/conda/envs/e/bin/python3.8",
	       "/opt/py/lib/libpython3.9d.so.1.0", "/root/.pyenv/versions/3.7.1/bin/python3.7m",
	       "/usr/bin/python3.11", "/usr/bin/python3.13t",
	       "/usr/lib/x86_64-linux-gnu/libpython3.11.so.1.0", "/usr/libexec/platform-python3.6");
	assert_int_equal(discover_add_places(d), 0);
	expect(NULL, 0);
}

static void hostile_places(void **state _unused_)
{
	struct discover_stats st;

	tree_dir(&tree, "root/usr/bin/python3.1"); /* a directory */
	assert_int_equal(mkfifoat(tree.fd, "root/usr/bin/python3.2", 0644),
			 0);					 /* would block an open() */
	tree_link(&tree, "root/usr/bin/python3.3", "python3.3"); /* a loop */
	tree_link(&tree, "root/usr/bin/python3.4",
		  "/proc/self/exe"); /* in the root there is none */
	tree_link(&tree, "root/usr/bin/python3.5", "../../../../../etc/passwd");
	tree_link(&tree, "root/usr/bin/python3.6", "/nowhere");
	add_file("secret/python3.7");
	tree_link(&tree, "root/usr/bin/python3.7", "../../../secret/python3.7");
	add_file("root/data/bin/python3.8");
	tree_link(&tree, "root/home/u/.pyenv/versions/3.8", "/data"); /* a home's directory link */
	tree_link(&tree, "root/home/v/.pyenv", "/data");
	add_file("root/home/u/real/bin/python3.11");
	tree_link(&tree, "root/home/u/.pyenv/versions/3.11", "../../real");
	add_file("root/data/versions/3.8/bin/python3.9");
	add_file("root/data/python3.10");
	tree_link(&tree, "root/home/u/.pyenv/versions/3.10/bin/python3.10",
		  "/data/python3.10"); /* a file's is fine */
	assert_int_equal(discover_add_places(d), 0);
	EXPECT("/data/python3.10");
	discover_stats(d, &st);
	assert_int_equal(st.examined, 1);
	assert_int_equal(st.cut, 0);
}

/* Nothing that a name leads to is opened here but by the scout. */
struct sent {
	size_t opened, walked;
};

static int scout_open(void *arg, int fd, const char *path)
{
	((struct sent *)arg)->opened++;
	if (strstr(path, "hung"))
		return -ETIMEDOUT;
	return fdio_open_beneath(fd, path, 0, 0);
}

static int scout_walk(void *arg, int fd, int (*found)(void *found_arg, const char *path),
		      void *found_arg, uint64_t *ret_cut)
{
	((struct sent *)arg)->walked++;
	++*ret_cut;
	assert_int_equal(fd, root_fd);
	assert_int_equal(found(found_arg, "/usr/bin/python3.11"), 0);
	return found(found_arg, "/hung/python3.11");
}

static void scout_goes_first(void **state _unused_)
{
	static const char *const needed[] = {"libpython3.9.so.1.0"};
	struct sent sent = {0};
	const struct discover_scout scout = {.open = scout_open, .walk = scout_walk, .arg = &sent};
	char shown[] = "/bin/prog";
	struct discover_file program = {.fd = -1, .path = shown};
	struct discover_stats st;

	discover_send(d, &scout);
	add_file("root/usr/bin/python3.11");
	add_file("root/usr/bin/python3.12"); /* which the scout does not tell */
	add_file("root/hung/python3.11");
	assert_int_equal(discover_add_places(d), 0);
	EXPECT("/usr/bin/python3.11");
	assert_int_equal(sent.walked, 1);
	assert_int_equal(sent.opened, 2);
	discover_stats(d, &st);
	assert_int_equal(st.cut, 1);
	assert_int_equal(st.unreadable, 1);
	add_file("root/hung/lib/libpython3.9.so.1.0");
	add_file("root/fine/lib/libpython3.9.so.1.0");
	assert_int_equal(discover_add_needed(d, &program, needed, 1, NULL, "/hung/lib:/fine/lib"),
			 0);
	EXPECT("/fine/lib/libpython3.9.so.1.0");
}

static void long_library_path(void **state _unused_)
{
	static const char *const needed[] = {"libpython3.9.so.1.0"};
	char shown[] = "/bin/prog", list[] = "/x:/x:/x:/x:/x:/x:/x:/x:/x:/x:/x:/x:/x:/x:/x:/x:"
					     "/x:/x:/x:/x:/x:/x:/x:/x:/x:/x:/x:/x:/x:/x:/x:/x:"
					     "/x:/x:/x:/x:/x:/x:/x:/x:/x:/x:/x:/x:/x:/x:/x:/x:"
					     "/x:/x:/x:/x:/x:/x:/x:/x:/x:/x:/x:/x:/x:/x:/x:/x:/x";
	struct discover_file program = {.fd = -1, .path = shown};
	struct discover_stats st;

	assert_int_equal(discover_add_needed(d, &program, needed, 1, NULL, list + 3), 0);
	discover_stats(d, &st);
	assert_int_equal(st.cut, 0);
	assert_int_equal(discover_add_needed(d, &program, needed, 1, NULL, list), 0);
	discover_stats(d, &st);
	assert_int_equal(st.cut, 1);
}

static void huge_home(void **state _unused_)
{
	struct discover_stats st;
	char path[128];

	for (int i = 0; i < 5000; i++) {
		(void)snprintf(path, sizeof(path), "root/home/u/.local/bin/x%d", i);
		tree_text(&tree, path, "");
	}
	assert_int_equal(discover_add_places(d), 0);
	expect(NULL, 0);
	discover_stats(d, &st);
	assert_true(st.cut > 0);
}

static void processes(void **state _unused_)
{
	char maps[1024], link[256];

	add_file("root/usr/bin/python3.11");
	add_file("root/usr/bin/bash");
	add_file("root/lib/libpython3.9.so.1.0");
	add_file("root/lib/libpython3.8.so.1.0");
	add_file("root/lib/libpython3.7.so.1.0"); /* took the place of the mapped one */
	add_file("root/lib/_x.cpython-311-x86_64-linux-gnu.so");
	add_process(10, "/usr/bin/python3.11", "");
	add_process(11, "/usr/bin/python3.11", "");
	add_process(12, "/usr/bin/bash", "");
	/* An embedding program: one library through map_files, one by name, one with another inode than the map says. */
	(void)snprintf(
		maps, sizeof(maps),
		"1000-2000 r-xp 00000000 00:01 %llu /lib/libpython3.9.so.1.0\n"
		"3000-4000 r-xp 00000000 00:01 %llu /gone/libpython3.8.so.1.0 (deleted)\n"
		"5000-6000 r-xp 00000000 00:01 999999999 /lib/libpython3.7.so.1.0\n"
		"7000-8000 r-xp 00000000 00:01 %llu /lib/_x.cpython-311-x86_64-linux-gnu.so\n",
		(unsigned long long)inode("root/lib/libpython3.9.so.1.0"),
		(unsigned long long)inode("root/lib/libpython3.8.so.1.0"),
		(unsigned long long)inode("root/lib/_x.cpython-311-x86_64-linux-gnu.so"));
	add_process(13, "/usr/bin/bash", maps);
	(void)snprintf(link, sizeof(link), "%s/root/lib/libpython3.8.so.1.0", tree.path);
	tree_link(&tree, "proc/13/map_files/3000-4000", link);
	tree_dir(&tree, "proc/14"); /* ends as we look */
	assert_int_equal(discover_add_processes(d), 0);
	EXPECT("/gone/libpython3.8.so.1.0", "/lib/libpython3.9.so.1.0", "/usr/bin/bash",
	       "/usr/bin/python3.11");
	assert_int_equal(discover_add_pid(d, 10), 0);
	assert_int_equal(discover_add_pid(d, 99), 0);
	expect(NULL, 0);
}

static void pid_is_told(void **state _unused_)
{
	struct discover_file f;

	add_file("root/usr/bin/python3.11");
	add_process(10, "/usr/bin/python3.11", "");
	assert_int_equal(discover_add_pid(d, 10), 0);
	assert_int_equal(discover_next(d, &f), 1);
	assert_int_equal(f.pid, 10);
	assert_false(f.named);
	discover_file_done(&f);
	assert_int_equal(f.fd, -1);
	assert_null(f.path);
}

static void named_files(void **state _unused_)
{
	char path[256];
	struct discover_file f;

	add_file("root/srv/prog");
	(void)snprintf(path, sizeof(path), "%s/root/srv/prog", tree.path);
	assert_int_equal(discover_add_path(d, path), 0);
	assert_int_equal(discover_add_path(d, "/nowhere/at/all"), 0);
	assert_int_equal(discover_add_path(d, "/dev/null"), 0);
	assert_int_equal(discover_add_path(d, tree.path), 0);
	assert_int_equal(discover_next(d, &f), 1);
	assert_true(f.named);
	assert_int_equal(f.pid, 0);
	assert_string_equal(f.path, "/srv/prog");
	discover_file_done(&f);
	assert_int_equal(discover_add_path(d, path), 0);
	assert_int_equal(discover_next(d, &f), 0);
}

/* This host's own /proc and root. */
static void this_process_is_found(void **state _unused_)
{
	_cleanup_(discover_freep) struct discover *real = NULL;
	_close_ int proc = -EBADF, root = -EBADF;
	struct discover_file f;
	struct stat st;

	assert_int_equal(procfs_open("/proc", &proc), 0);
	root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(discover_new(proc, root, &real), 0);
	assert_int_equal(discover_add_pid(real, (uint32_t)getpid()), 0);
	assert_int_equal(discover_next(real, &f), 1);
	assert_int_equal(stat("/proc/self/exe", &st), 0);
	assert_int_equal(f.id.ino, st.st_ino);
	assert_int_equal(f.id.ctime_ns, st.st_ctim.tv_sec * 1000000000 + st.st_ctim.tv_nsec);
	assert_string_equal(strrchr(f.path, '/'), "/test_discover");
	discover_file_done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TREE_TEST(usual_places),
		TREE_TEST(hostile_places),
		TREE_TEST(scout_goes_first),
		TREE_TEST(long_library_path),
		TREE_TEST(huge_home),
		TREE_TEST(processes),
		TREE_TEST(pid_is_told),
		TREE_TEST(named_files),
		cmocka_unit_test(this_process_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
