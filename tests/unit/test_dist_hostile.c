/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* facts/dist: metadata that are damaged, hostile or too many. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "facts/dist.h"
#include "facts/record.h"
#include "facts/site_int.h"
#include "unit/fake_site.h"
#include "unit/fake_tree.h"

static void many_directories(void **state _unused_)
{
	struct dist_stats stats;
	char path[64], file[80];

	for (int i = 0; i < 200; i++) {
		(void)snprintf(path, sizeof(path), "srv/p%d/", i);
		add_wheel(path, "m-1", "Name: m\nVersion: 1\n", "m.py,,\n");
		(void)snprintf(file, sizeof(file), "/%sm.py", path);
		expect("m", file, "m 1");
	}
	expect("m", "/srv/p0/m.py", "m 1"); /* was forgotten */
	dist_stats(d, &stats);
	assert_true(stats.sites < 200);
	assert_true(stats.bytes > 0);
}

static void corrupt_metadata(void **state _unused_)
{
	static const char noise[] =
		"\xff\xfe,\n\"\n\"unclosed\n,,,\n\n/abs/x.py,,\n../x.py,,\n..\n.py,,\n/,\n"
		"\0nul.py,,\nok/a.py,,\n";
	_free_ char *want = NULL;
	char huge[3000], all[300];

	tree_write(&tree, SITE "noise-1.dist-info/RECORD", noise, sizeof(noise) - 1);
	tree_text(&tree, SITE "noise-1.dist-info/METADATA", "Name:\nVersion\nNAME:   \n: x\n");
	memset(huge, 'v', sizeof(huge));
	memcpy(huge, "Name: ", 6);
	huge[sizeof(huge) - 1] = '\0';
	add_wheel(SITE, "huge-1", huge, "hugepkg/a.py,,\n");
	/* Names that are no names. */
	tree_text(&tree, SITE ".dist-info/RECORD", "empty/a.py,,\n");
	tree_text(&tree, SITE "-.egg-info/top_level.txt", "dash\n");
	tree_text(&tree, SITE "-1.dist-info/RECORD", "anon/a.py,,\n");
	expect("ok.a", "/" SITE "ok/a.py", "noise 1");
	expect("x", "/" SITE "x.py", NULL);
	want = strndup(huge + 6, 255);
	assert_non_null(want);
	(void)snprintf(all, sizeof(all), "%s 1", want);
	expect("hugepkg.a", "/" SITE "hugepkg/a.py", all);
	expect("empty.a", "/" SITE "empty/a.py", NULL);
	expect("dash", "/" SITE "dash.py", NULL);
	expect("anon.a", "/" SITE "anon/a.py", NULL);
}

static void hostile_files(void **state _unused_)
{
	_close_ int root = -EBADF, fifo = -EBADF;
	struct dist_found found;
	char piped[64];

	/* Nothing of this may be opened, or lead out of the root. */
	tree_dir(&tree, "root/" SITE "fifo-1.dist-info");
	assert_int_equal(mkfifoat(tree.fd, "root/" SITE "fifo-1.dist-info/RECORD", 0644), 0);
	fifo = openat(tree.fd, "root/" SITE "fifo-1.dist-info/RECORD",
		      O_RDWR | O_NONBLOCK | O_CLOEXEC);
	assert_int_equal(write(fifo, "piped/a.py,,\n", 13), 13);
	tree_text(&tree, "secret/RECORD", "stolen/a.py,,\n");
	tree_text(&tree, "secret/METADATA", "Name: secret\nVersion: 1\n");
	tree_link(&tree, "root/" SITE "out-1.dist-info", "../../../../../../secret");
	tree_link(&tree, "root/" SITE "loop-1.dist-info", "loop-1.dist-info");
	tree_link(&tree, "root/" SITE "magic-1.dist-info", "/proc/self/cwd");
	tree_dir(&tree, "root/" SITE "dir-1.dist-info/RECORD/x");
	root = openat(tree.fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(dist_find(d, root, "stolen.a", "/" SITE "stolen/a.py", &found), -ENODATA);
	assert_int_equal(dist_find(d, root, "piped.a", "/" SITE "piped/a.py", &found), -ENODATA);
	assert_int_equal(read(fifo, piped, sizeof(piped)), 13); /* it is all still there */
	assert_int_equal(dist_find(d, root, "fifo", "/" SITE "fifo.py", &found), 0);
	assert_string_equal(found.name, "fifo");
	assert_int_equal(dist_find(d, root, "x", "/" SITE "../../../../../../secret/x.py", &found),
			 -ENODATA);
	assert_int_equal(dist_find(d, -EBADF, "x", "/" SITE "x.py", &found), -EBADF);
}

static void huge_records(void **state _unused_)
{
	struct dist_stats stats;
	size_t size = 5u << 20, n = 0;
	_free_ char *text = malloc(size + 64);

	assert_non_null(text);
	n += (size_t)snprintf(text, size, "first/a.py,,\n");
	for (unsigned int i = 0; n < size; i++)
		n += (size_t)snprintf(text + n, 64, "big/p%u/m.py,sha256=%040u,1\n", i, i);
	n += (size_t)snprintf(text + n, 64, "last/a.py,,\n");
	tree_write(&tree, SITE "big-1.dist-info/RECORD", text, n);
	expect("first.a", "/" SITE "first/a.py", "big 1");
	expect("big.p5.m", "/" SITE "big/p5/m.py", "big 1");
	expect("last.a", "/" SITE "last/a.py", NULL); /* behind the limit */
	dist_stats(d, &stats);
	assert_true(stats.cut > 0);
	assert_true(stats.bytes < 2 * SITE_MAX_BYTES);
}

static void many_distributions(void **state _unused_)
{
	struct dist_stats stats;
	char path[128];

	for (int i = 0; i < SITE_MAX_DISTS + 50; i++) {
		(void)snprintf(path, sizeof(path), SITE "p%d-1.egg-info", i);
		tree_text(&tree, path, "");
	}
	expect("nobody", "/" SITE "nobody.py", NULL);
	dist_stats(d, &stats);
	assert_true(stats.cut >= 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TREE_TEST(many_directories),   TREE_TEST(corrupt_metadata),
		TREE_TEST(hostile_files),      TREE_TEST(huge_records),
		TREE_TEST(many_distributions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
