/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* probe/discover: the libraries that a file needs, and where ld.so.cache says that they are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "probe/discover.h"
#include "probe/discover_int.h"
#include "probe/procfs.h"
#include "unit/fake_host.h"
#include "unit/fake_tree.h"

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

/*
 * 349,000 entries whose keys are 8 MB without an end. They are looked through in no time, or by the end of time: the
 * alarm ends a test that searches the 8 MB for each.
 */
static void endless_ld_so_cache(void **state _unused_)
{
	enum { ENTRIES = 349000, STRINGS = 8 << 20 };
	static const char name[] = "libpython3.9.so.1.0";
	size_t at = 48 + (size_t)ENTRIES * 24, len = at + STRINGS;
	_free_ uint8_t *cache = malloc(len);
	const uint32_t n = ENTRIES;
	const char *found[4];

	assert_non_null(cache);
	memset(cache, 'x', len);
	memcpy(cache, "glibc-ld.so.cache1.1", 20);
	memcpy(cache + 20, &n, 4);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t key = (uint32_t)at + i;

		memcpy(cache + 48 + (size_t)i * 24 + 4, &key, 4);
		memcpy(cache + 48 + (size_t)i * 24 + 8, &key, 4);
	}
	(void)alarm(20);
	for (int i = 0; i < 4; i++)
		assert_int_equal(discover_ldcache(cache, len, name, found, 4), 0);
	/* Each is of that name, and no path has an end. */
	memcpy(cache + at, name, sizeof(name));
	for (uint32_t i = 0; i < n; i++) {
		uint32_t key = (uint32_t)at, value = key + sizeof(name);

		memcpy(cache + 48 + (size_t)i * 24 + 4, &key, 4);
		memcpy(cache + 48 + (size_t)i * 24 + 8, &value, 4);
	}
	assert_int_equal(discover_ldcache(cache, len, name, found, 4), 0);
	(void)alarm(0);
}

static void many_needed_libraries(void **state _unused_)
{
	static const char *const needed[] = {"libpython1.so", "libc.so.6",     "libpython2.so",
					     "libpython3.so", "libpython4.so", "libpython5.so"};
	char shown[] = "/bin/prog";
	struct discover_file program = {.fd = -1, .path = shown};
	struct discover_stats st;

	for (size_t i = 0; i < ARRAY_LEN(needed); i++) {
		char path[64];

		(void)snprintf(path, sizeof(path), "root/usr/lib/%s", needed[i]);
		add_file(path);
	}
	assert_int_equal(discover_add_needed(d, &program, needed, ARRAY_LEN(needed), NULL, NULL),
			 0);
	EXPECT("/usr/lib/libpython1.so", "/usr/lib/libpython2.so", "/usr/lib/libpython3.so",
	       "/usr/lib/libpython4.so");
	discover_stats(d, &st);
	assert_int_equal(st.cut, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TREE_TEST(needed_libraries),
		TREE_TEST(needed_in_a_process),
		TREE_TEST(ld_so_cache),
		cmocka_unit_test(broken_ld_so_cache),
		cmocka_unit_test(endless_ld_so_cache),
		TREE_TEST(many_needed_libraries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
