/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* facts/record: was a .pyc used, and the records that say what is on disk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "facts/cache.h"
#include "facts/dist_int.h"
#include "facts/pyc.h"
#include "facts/record.h"
#include "facts/site_int.h"
#include "unit/fake_site.h"
#include "unit/fake_tree.h"

static int64_t later(int seconds)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (now.tv_sec + seconds) * (int64_t)1000000000;
}

/* A .pyc made from the source as it is, or off by so much. */
static void add_pyc(const char *path, const char *source, uint32_t flags, int off, bool old_format)
{
	uint8_t head[16] = {0x33, 0x0d, 0x0d, 0x0a};
	uint32_t fields[3];
	struct stat st;

	assert_int_equal(fstatat(tree.fd, source, &st, 0), 0);
	fields[0] = flags;
	fields[1] = (uint32_t)(st.st_mtim.tv_sec + off);
	fields[2] = (uint32_t)st.st_size;
	if (old_format)
		memcpy(head + 4, fields + 1, 8);
	else
		memcpy(head + 4, fields, 12);
	tree_write(&tree, path, head, sizeof(head));
}

static void expect_kind(const char *file, uint32_t version, int64_t started, int want)
{
	uint8_t kind = 0xee;

	assert_int_equal(pyc_kind(tree.fd, file, version, started, &kind), 0);
	assert_int_equal(kind, want);
}

static void pyc_files(void **state _unused_)
{
	const uint32_t v311 = 0x030b02f0, v36 = 0x03060ff0, v310 = 0x030a0df0;
	uint8_t kind = 0xee;

	tree_text(&tree, "s/m.py", "x = 1\n");
	expect_kind("/s/m.py", v311, later(10), LMMSD_KIND_SOURCE); /* none */
	add_pyc("s/__pycache__/m.cpython-311.pyc", "s/m.py", 0, 0, false);
	expect_kind("/s/m.py", v311, later(10), LMMSD_KIND_BYTECODE);
	expect_kind("/s/m.py", v311, later(-10), LMMSD_KIND_SOURCE); /* written since the start */
	expect_kind("/s/m.py", v310, later(10), LMMSD_KIND_SOURCE);  /* another version's */
	add_pyc("s/__pycache__/m.cpython-311.pyc", "s/m.py", 0, 1, false);
	expect_kind("/s/m.py", v311, later(10), LMMSD_KIND_SOURCE); /* of another source */
	add_pyc("s/__pycache__/m.cpython-311.pyc", "s/m.py", 1, 1, false);
	expect_kind("/s/m.py", v311, later(10), LMMSD_KIND_BYTECODE); /* by hash */
	tree_text(&tree, "s/__pycache__/m.cpython-311.pyc", "short");
	expect_kind("/s/m.py", v311, later(10), LMMSD_KIND_SOURCE);
	add_pyc("s/__pycache__/m.cpython-311.opt-2.pyc", "s/m.py", 0, 0, false);
	expect_kind("/s/m.py", v311, later(10), LMMSD_KIND_BYTECODE);
	add_pyc("s/__pycache__/m.cpython-36.pyc", "s/m.py", 0, 0, true);
	expect_kind("/s/m.py", v36, later(10), LMMSD_KIND_BYTECODE);
	add_pyc("s/__pycache__/m.cpython-36.pyc", "s/m.py", 0, 1, true);
	expect_kind("/s/m.py", v36, later(10), LMMSD_KIND_SOURCE);
	assert_int_equal(pyc_kind(tree.fd, "/s/gone.py", v311, later(10), &kind), -ENOENT);
	assert_int_equal(pyc_kind(tree.fd, "/s", v311, later(10), &kind), -EINVAL);
	assert_int_equal(pyc_kind(tree.fd, "m.py", v311, later(10), &kind), -EINVAL);
	tree_dir(&tree, "s/dir.py");
	assert_int_equal(pyc_kind(tree.fd, "/s/dir.py", v311, later(10), &kind), -ENOENT);
	assert_int_equal(kind, 0xee);
}

/* want: "module|dist|version|file|kind"; NULL: nothing to say. */
static void check_record(const struct facts_query *q, int root_fd, const char *want, uint64_t ts_ns)
{
	_Alignas(8) char buf[FACTS_RECORD_MAX];
	const struct lmmsd_ev_dist *ev = (const void *)buf;
	const char *s = buf + sizeof(*ev);
	char got[4096];
	size_t len;
	int r;

	memset(buf, 0xee, sizeof(buf));
	r = facts_record(d, root_fd, q, buf, &len);
	assert_int_equal(r, want ? 0 : -ENODATA);
	if (!want)
		return;
	assert_int_equal(ev->h.size, len);
	assert_int_equal(ev->h.kind, LMMSD_EV_DIST);
	assert_int_equal(ev->h.abi, LMMSD_ABI);
	assert_int_equal(ev->h.tgid, 42);
	assert_int_equal(ev->h.start_ns, 43);
	assert_int_equal(ev->h.ts_ns, ts_ns);
	assert_int_equal(len, sizeof(*ev) + ev->name_len + ev->dist_len + ev->version_len +
				      ev->file_len);
	(void)snprintf(got, sizeof(got), "%.*s|%.*s|%.*s|%.*s|%d", ev->name_len, s, ev->dist_len,
		       s + ev->name_len, ev->version_len, s + ev->name_len + ev->dist_len,
		       ev->file_len, s + ev->name_len + ev->dist_len + ev->version_len, ev->kind);
	assert_string_equal(got, want);
}

static void expect_record(const struct facts_query *q, int root_fd, const char *want)
{
	check_record(q, root_fd, want, 44);
}

static void expect_late_record(const struct facts_query *q, const char *want)
{
	check_record(q, tree.fd, want, q->ts_ns);
}

static void records(void **state _unused_)
{
	struct facts_query q = {.tgid = 42,
				.start_ns = 43,
				.ts_ns = 44,
				.version = 0x030b02f0,
				.started_ns = later(10)};

	add_wheel(SITE, "pkg-1", "Name: Pkg\nVersion: 1\n",
		  "pkg/__init__.py,,\npkg/m.py,,\nns/sub/x.py,,\n");
	tree_text(&tree, SITE "pkg/__init__.py", "");
	tree_text(&tree, SITE "pkg/m.py", "");
	tree_text(&tree, SITE "ns/sub/x.py", "");
	add_pyc(SITE "pkg/__pycache__/m.cpython-311.pyc", SITE "pkg/m.py", 0, 0, false);
	q.module = "pkg.m";
	q.file = "/" SITE "pkg/m.py";
	expect_record(&q, tree.fd, "pkg.m|Pkg|1|/" SITE "pkg/m.py|2");
	q.version = 0;
	expect_record(&q, tree.fd, "pkg.m|Pkg|1|/" SITE "pkg/m.py|0");
	q.version = 0x030b02f0;
	expect_record(&q, -EBADF, NULL);
	q.module = "pkg._c";
	q.file = "/" SITE "pkg/_c.abi3.so"; /* not there any more */
	expect_record(&q, tree.fd, "pkg._c|Pkg|1||5");
	expect_record(&q, -EBADF, "pkg._c||||5");
	q.module = "zipimport";
	q.file = "<frozen zipimport>";
	expect_record(&q, tree.fd, "zipimport||||4");
	q.file = "<string>";
	expect_record(&q, tree.fd, NULL);
	q.file = "relative.py";
	expect_record(&q, tree.fd, NULL);
	/* Without a file, by a neighbour. */
	q.file = NULL;
	q.module = "pkg";
	expect_record(&q, tree.fd, NULL);
	q.near = "pkg.m";
	q.near_file = "/" SITE "pkg/m.py";
	expect_record(&q, tree.fd, "pkg|Pkg|1|/" SITE "pkg/__init__.py|1");
	q.module = "pkg._hidden";
	expect_record(&q, tree.fd, "pkg._hidden|Pkg|1||0");
	q.module = "pk";
	expect_record(&q, tree.fd, NULL);
	q.module = "ns";
	q.near = "ns.sub.x";
	q.near_file = "/" SITE "ns/sub/x.py";
	expect_record(&q, tree.fd, "ns||||6");
	q.module = "ns.sub";
	expect_record(&q, tree.fd, "ns.sub||||6");
	q.module = "..";
	q.near = "..x";
	expect_record(&q, tree.fd, NULL);
	q.module = "os";
	q.near = "os.path";
	q.near_file = "/usr/lib/python3.11/posixpath.py";
	expect_record(&q, tree.fd, NULL);
}

static void answers_hold_for_a_while(void **state _unused_)
{
	struct facts_query q = {.tgid = 42,
				.start_ns = 43,
				.ts_ns = 44,
				.version = 0x030b02f0,
				.started_ns = later(10)};

	add_wheel(SITE, "a-1", "Name: a\nVersion: 1\n", "a.py,,\n");
	tree_text(&tree, SITE "a.py", "");
	q.module = "a";
	q.file = "/" SITE "a.py";
	expect_record(&q, tree.fd, "a|a|1|/" SITE "a.py|1");
	add_pyc(SITE "__pycache__/a.cpython-311.pyc", SITE "a.py", 0, 0, false);
	expect_record(&q, tree.fd, "a|a|1|/" SITE "a.py|1");
	q.version = 0x030a02f0; /* another question */
	expect_record(&q, tree.fd, "a|a|1|/" SITE "a.py|1");
	q.version = 0x030b02f0;
	q.ts_ns += CACHE_NS - 1;
	expect_late_record(&q, "a|a|1|/" SITE "a.py|1");
	q.ts_ns++;
	expect_late_record(&q, "a|a|1|/" SITE "a.py|2");
	q.started_ns = later(-10); /* of an earlier process: it wrote the .pyc itself */
	expect_late_record(&q, "a|a|1|/" SITE "a.py|1");
}

static void answers_are_bounded(void **state _unused_)
{
	struct facts_query q = {.tgid = 42, .start_ns = 43, .ts_ns = 44, .file = "/x/a.so"};
	char module[32];

	for (int i = 0; i < CACHE_MAX + 100; i++) {
		const struct answer *a;

		(void)snprintf(module, sizeof(module), "m%d", i);
		q.module = module;
		assert_null(cache_get(dist_cache(d), tree.fd, &q, 0));
		assert_int_equal(cache_put(dist_cache(d), tree.fd, &q, 0,
					   &(struct answer){.kind = 5}, &a),
				 0);
		assert_int_equal(a->kind, 5);
	}
	assert_non_null(cache_get(dist_cache(d), tree.fd, &q, 0));
	q.module = "m99";
	assert_null(cache_get(dist_cache(d), tree.fd, &q, 0));
	q.module = "m100";
	assert_non_null(cache_get(dist_cache(d), tree.fd, &q, 0));
	assert_null(cache_get(dist_cache(d), -EBADF, &q, 0)); /* another root */
}

static void record_limits(void **state _unused_)
{
	struct facts_query q = {.tgid = 42, .start_ns = 43, .ts_ns = 44};
	char name[LMMSD_NAME_MAX + 2], file[LMMSD_PATH_MAX + 200] = "/", want[2048];

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	q.module = name;
	q.file = "/x/a.so";
	expect_record(&q, tree.fd, NULL);
	name[LMMSD_NAME_MAX] = '\0';
	(void)snprintf(want, sizeof(want), "%s||||5", name);
	expect_record(&q, tree.fd, want);
	/* A path that would have to be cut is not said. */
	for (size_t len = 1; len < LMMSD_PATH_MAX; len = strlen(file))
		(void)snprintf(file + len, sizeof(file) - len, "%0100d/", 1);
	(void)snprintf(file + strlen(file), sizeof(file) - strlen(file), "a.so");
	tree_text(&tree, file + 1, "");
	q.file = file;
	q.module = "a";
	expect_record(&q, tree.fd, "a||||5");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TREE_TEST(pyc_files),
		TREE_TEST(records),
		TREE_TEST(answers_hold_for_a_while),
		TREE_TEST(answers_are_bounded),
		TREE_TEST(record_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
