/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* probe/discover: a root and a /proc made of files, with all that users may put there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "fake_tree.h"
#include "probe/discover.h"
#include "probe/discover_int.h"
#include "probe/procfs.h"

static struct tree tree;
static int proc_fd, root_fd;
static struct discover *d;

static int set_up(void **state _unused_)
{
	if (tree_make(&tree) < 0)
		return -1;
	(void)mkdirat(tree.fd, "proc", 0755);
	(void)mkdirat(tree.fd, "root", 0755);
	proc_fd = openat(tree.fd, "proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	root_fd = openat(tree.fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return discover_new(proc_fd, root_fd, &d);
}

static int tear_down(void **state _unused_)
{
	d = discover_free(d);
	(void)close(proc_fd);
	(void)close(root_fd);
	return tree_remove(&tree);
}

/* A file large enough to be an ELF file, with its own path as content. */
static void add_file(const char *path)
{
	char data[256] = {};

	(void)snprintf(data, sizeof(data), "%s", path);
	tree_write(&tree, path, data, sizeof(data));
}

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

static uint64_t inode(const char *path)
{
	struct stat st;

	assert_int_equal(fstatat(tree.fd, path, &st, 0), 0);
	return st.st_ino;
}

static int compare_strings(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* All candidates there are now are these, in any order, and each can be read. */
static void expect(const char *const *want, size_t n_want)
{
	struct discover_file f;
	char *found[64];
	size_t n = 0;
	int r;

	while ((r = discover_next(d, &f)) > 0) {
		char data[256];
		struct stat st;

		assert_true(n < ARRAY_LEN(found));
		assert_int_equal(fstat(f.fd, &st), 0);
		assert_int_equal(st.st_ino, f.id.ino);
		assert_int_equal(st.st_size, f.id.size);
		assert_int_equal(pread(f.fd, data, sizeof(data), 0), sizeof(data));
		assert_int_equal(fcntl(f.fd, F_GETFL) & O_ACCMODE, O_RDONLY);
		found[n++] = TAKE_PTR(f.path);
		discover_file_done(&f);
	}
	assert_int_equal(r, 0);
	qsort(found, n, sizeof(found[0]), compare_strings);
	for (size_t i = 0; i < n || i < n_want; i++) {
		const char *base = i < n ? strstr(found[i], "/root/") : NULL;

		/* An executable's path is as the kernel shows it, with the tree in front. */
		base = i >= n				   ? "nothing" :
		       base && strstr(found[i], tree.path) ? base + strlen("/root") :
							     found[i];
		assert_string_equal(base, i < n_want ? want[i] : "nothing more");
	}
	for (size_t i = 0; i < n; i++)
		free(found[i]);
}

#define EXPECT(...)                                                                                \
	do {                                                                                       \
		const char *const want_[] = {__VA_ARGS__};                                         \
		expect(want_, ARRAY_LEN(want_));                                                   \
	} while (0)

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

static void needed_libraries(void **state _unused_)
{
	static const char *const needed[] = {"libc.so.6", "libpython3.9.so.1.0", "libm.so.6"};
	static const struct {
		const char *there, *runpath, *library_path;
		bool found;
	} cases[] = {
		{"/opt/app/lib/libpython3.9.so.1.0", "$ORIGIN/../lib", NULL, true},
		{"/opt/app/lib/libpython3.9.so.1.0", "/x:${ORIGIN}/../lib:/y", NULL, true},
		{"/opt/app/lib/libpython3.9.so.1.0", "$ORIGIN/../$LIB", NULL, true},
		{"/opt/app/lib/libpython3.9.so.1.0", NULL, "/x;/opt/app/lib", true},
		{"/opt/app/lib/libpython3.9.so.1.0", "relative/lib::", "", false},
		{"/opt/app/lib/libpython3.9.so.1.0", NULL, NULL, false},
		{"/usr/lib/libpython3.9.so.1.0", NULL, NULL, true},
		{"/usr/lib/libpython3.9.so.1.0", "/x", "/y", true},
		{"/opt/app/lib/libpython3.8.so.1.0", "$ORIGIN/../lib", NULL, false},
	};
	struct discover_file program = {.fd = -1};

	add_file("root/opt/app/bin/prog");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char path[128], shown[] = "/opt/app/bin/prog";

		program.path = shown;
		(void)snprintf(path, sizeof(path), "root%s", cases[i].there);
		add_file(path);
		assert_int_equal(discover_add_needed(d, &program, needed, ARRAY_LEN(needed),
						     cases[i].runpath, cases[i].library_path),
				 0);
		expect(&cases[i].there, cases[i].found ? 1 : 0);
		assert_int_equal(unlinkat(tree.fd, path, 0), 0);
	}
}

static void needed_in_a_process(void **state _unused_)
{
	static const char *const needed[] = {"libpython3.9.so.1.0"};
	char shown[] = "/bin/prog";
	struct discover_file program = {.fd = -1, .pid = 10, .path = shown};

	add_file("container/bin/prog");
	add_file("container/weird/libpython3.9.so.1.0");
	tree_link(&tree, "proc/10/root", "../../container");
	tree_write(&tree, "proc/10/environ", "A=b\0LD_LIBRARY_PATH=/nope:/weird\0", 34);
	assert_int_equal(discover_add_needed(d, &program, needed, 1, NULL, NULL), 0);
	assert_int_equal(discover_next(d, &program), 1);
	assert_int_equal(program.pid, 10);
	assert_int_equal(program.id.ino, inode("container/weird/libpython3.9.so.1.0"));
	discover_file_done(&program);
	assert_int_equal(discover_next(d, &program), 0);
}

struct cache_file {
	uint8_t data[512];
	size_t len;
};

/* ld.so.cache in the new format, at `at` in the file: one entry a pair. */
static void make_cache(struct cache_file *c, size_t at, const char *const pairs[][2], uint32_t n)
{
	uint32_t strings = 48 + n * 24;

	memset(c->data + at, 0, sizeof(c->data) - at);
	memcpy(c->data + at, "glibc-ld.so.cache1.1", 20);
	memcpy(c->data + at + 20, &n, 4);
	for (uint32_t i = 0; i < n; i++)
		for (uint32_t k = 0; k < 2; k++) {
			size_t len = strlen(pairs[i][k]) + 1;

			memcpy(c->data + at + 48 + i * 24 + 4 + k * 4, &strings, 4);
			memcpy(c->data + at + strings, pairs[i][k], len);
			strings += (uint32_t)len;
		}
	c->len = at + strings;
}

static void ld_so_cache(void **state _unused_)
{
	static const char *const pairs[][2] = {
		{"libc.so.6", "/lib/libc.so.6"},
		{"libpython3.9.so.1.0", "/odd/libpython3.9.so.1.0"},
		{"libpython3.9.so.1.0", "/second"},
	};
	static const char *const needed[] = {"libpython3.9.so.1.0"};
	char shown[] = "/bin/prog";
	struct discover_file program = {.fd = -1, .path = shown};
	struct cache_file c;
	const char *found[4];

	make_cache(&c, 0, pairs, 3);
	assert_int_equal(discover_ldcache(c.data, c.len, "libpython3.9.so.1.0", found, 4), 2);
	assert_string_equal(found[0], "/odd/libpython3.9.so.1.0");
	assert_string_equal(found[1], "/second");
	assert_int_equal(discover_ldcache(c.data, c.len, "libpython3.9.so.1.0", found, 1), 1);
	assert_int_equal(discover_ldcache(c.data, c.len, "libpython3.9.so", found, 4), 0);
	/* Behind an old-format table of two entries. */
	memset(c.data, 0, sizeof(c.data));
	make_cache(&c, 40, pairs, 3);
	memcpy(c.data, "ld.so-1.7.0\0\2\0\0\0", 16);
	assert_int_equal(discover_ldcache(c.data, c.len, "libpython3.9.so.1.0", found, 4), 2);
	assert_string_equal(found[0], "/odd/libpython3.9.so.1.0");

	make_cache(&c, 0, pairs, 3);
	tree_write(&tree, "root/etc/ld.so.cache", c.data, c.len);
	add_file("root/odd/libpython3.9.so.1.0");
	assert_int_equal(discover_add_needed(d, &program, needed, 1, NULL, NULL), 0);
	EXPECT("/odd/libpython3.9.so.1.0");
}

static void broken_ld_so_cache(void **state _unused_)
{
	static const char *const pairs[][2] = {{"libpython3.9.so.1.0", "/odd/libpython3.9.so.1.0"}};
	struct cache_file c, whole;
	const char *found[4];

	make_cache(&whole, 0, pairs, 1);
	/* Each cut, in memory of just that size, so that a read behind it is caught. */
	for (size_t len = 0; len < whole.len; len++) {
		_free_ uint8_t *cut = malloc(len ? len : 1);

		assert_non_null(cut);
		memcpy(cut, whole.data, len);
		assert_int_equal(discover_ldcache(cut, len, pairs[0][0], found, 4), 0);
	}
	for (size_t at = 12; at < 60; at += 4) {
		c = whole;
		memset(c.data + at, 0xff, 4);
		(void)discover_ldcache(c.data, c.len, pairs[0][0], found, 4);
	}
	c = whole;
	memcpy(c.data, "ld.so-1.7.0\0\xff\xff\xff\xff", 16);
	assert_int_equal(discover_ldcache(c.data, c.len, pairs[0][0], found, 4), 0);
}

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

#define TREE_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TREE_TEST(usual_places),
		TREE_TEST(hostile_places),
		TREE_TEST(huge_home),
		TREE_TEST(processes),
		TREE_TEST(pid_is_told),
		TREE_TEST(named_files),
		TREE_TEST(needed_libraries),
		TREE_TEST(needed_in_a_process),
		TREE_TEST(ld_so_cache),
		cmocka_unit_test(broken_ld_so_cache),
		cmocka_unit_test(identity),
		cmocka_unit_test(seen_files),
		cmocka_unit_test(seen_files_are_bounded),
		TREE_TEST(hard_link_and_rename),
		TREE_TEST(overlayfs),
		cmocka_unit_test(this_process_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
