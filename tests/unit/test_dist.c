/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* facts: whose file is it, and was its .pyc used; in roots that hold made-up site directories. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <time.h>

#include "facts/cache.h"
#include "facts/dist.h"
#include "facts/dist_int.h"
#include "facts/place.h"
#include "facts/pyc.h"
#include "facts/record.h"
#include "facts/site_int.h"
#include "fake_tree.h"

#define SITE "usr/lib/python3.11/site-packages/"
#define DEBIAN "usr/lib/python3/dist-packages/"

static struct tree tree;
static struct dist *d;

static int set_up(void **state _unused_)
{
	return tree_make(&tree) < 0 ? -1 : dist_new(&d);
}

static int tear_down(void **state _unused_)
{
	d = dist_free(d);
	return tree_remove(&tree);
}

/* A wheel: its metadata and its RECORD. */
static void add_wheel(const char *site, const char *entry, const char *metadata, const char *record)
{
	char path[512];

	(void)snprintf(path, sizeof(path), "%s%s.dist-info/METADATA", site, entry);
	tree_text(&tree, path, metadata);
	(void)snprintf(path, sizeof(path), "%s%s.dist-info/RECORD", site, entry);
	tree_text(&tree, path, record);
}

/* want: "name version"; "name": no version; NULL: no distribution. */
static void expect(const char *module, const char *file, const char *want)
{
	struct dist_found found = {};
	char got[600] = "";
	int r = dist_find(d, tree.fd, module, file, &found);

	if (r == 0)
		(void)snprintf(got, sizeof(got), "%s%s%s", found.name, found.version ? " " : "",
			       found.version ? found.version : "");
	if (r != (want ? 0 : -ENODATA) || strcmp(got, want ? want : "") != 0)
		fail_msg("%s in %s: %d, '%s', not '%s'", module, file, r, got, want ? want : "");
}

static void places(void **state _unused_)
{
	static const struct {
		const char *module, *file, *site, *rel;
	} cases[] = {
		{"a", "/s/a.py", "/s", "a.py"},
		{"a", "/s/a/__init__.py", "/s", "a/__init__.py"},
		{"a.b", "/s/a/b.py", "/s", "a/b.py"},
		{"a.b.c", "/s/a/b/c/__init__.py", "/s", "a/b/c/__init__.py"},
		{"a.b", "/s/a/b.cpython-311-x86_64-linux-gnu.so", "/s",
		 "a/b.cpython-311-x86_64-linux-gnu.so"},
		{"os.path", "/s/posixpath.py", "/s", "posixpath.py"},
		{"x", "/s/pkg/__init__.py", "/s", "pkg/__init__.py"},
		{"__main__", "/s/pkg/prog.py", "/s/pkg", "prog.py"},
		{"a", "/a.py", "", "a.py"},
		{"a", "/a/__init__.py", "", "a/__init__.py"},
		{"a.b", "/a/b.py", "", "a/b.py"},
		{"a.b", "//s//a//b.py", "//s", "a//b.py"},
	};
	struct place p;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_true(place_find(cases[i].module, cases[i].file, &p));
		assert_int_equal(p.site_len, strlen(cases[i].site));
		assert_memory_equal(cases[i].file, cases[i].site, p.site_len);
		assert_string_equal(p.rel, cases[i].rel);
	}
	assert_false(place_find("a", "a.py", &p));
	assert_false(place_find("a", "<string>", &p));
	assert_false(place_find("a", "", &p));
	assert_false(place_find("a", "/", &p));
	assert_false(place_find("a", "/s/", &p));
}

static void standard_libraries(void **state _unused_)
{
	static const char *const yes[] = {"/usr/lib/python3.11", "/x/lib/python3.13t",
					  "/usr/lib/python3.9/lib-dynload",
					  "/usr/lib/python311.zip", "/lib/python2.7"};
	static const char *const no[] = {"/usr/lib/python3/dist-packages",
					 "/usr/lib/python3",
					 "/usr/lib/python3.11/site-packages",
					 "/home/u/python-3.11",
					 "/srv/pythonic",
					 "/lib-dynload",
					 "",
					 "/"};

	for (size_t i = 0; i < ARRAY_LEN(yes); i++)
		assert_true(place_is_stdlib(yes[i], strlen(yes[i])));
	for (size_t i = 0; i < ARRAY_LEN(no); i++)
		assert_false(place_is_stdlib(no[i], strlen(no[i])));
}

static void wheels(void **state _unused_)
{
	add_wheel(
		SITE, "PyYAML-6.0",
		"Metadata-Version: 2.1\nName: PyYAML\r\nVersion:  6.0.1 \n\nName: no\n",
		"_yaml/__init__.py,sha256=x,1\nyaml/__init__.py,sha256=x,2\nyaml/_yaml.cpython-311-x86_64-linux-gnu.so,,\n"
		"yaml/__pycache__/x.cpython-311.pyc,,\n../../../bin/tool.py,,\nPyYAML-6.0.dist-info/METADATA,,\n");
	add_wheel(SITE, "six-1.16.0", "Name: six\nVersion: 1.16.0\n",
		  "six.py,,\n__pycache__/six.cpython-311.pyc,,\n");
	add_wheel(SITE, "odd-1", "Name: odd\nVersion: 1\n",
		  "\"odd,name/__init__.py\",,\nodd/data.txt,,\n");
	expect("yaml", "/" SITE "yaml/__init__.py", "PyYAML 6.0.1");
	expect("yaml.loader", "/" SITE "yaml/loader.py", "PyYAML 6.0.1");
	expect("yaml.new.deep", "/" SITE "yaml/new/deep.py", "PyYAML 6.0.1");
	expect("_yaml", "/" SITE "_yaml/__init__.py", "PyYAML 6.0.1");
	expect("six", "/" SITE "six.py", "six 1.16.0");
	expect("odd,name", "/" SITE "odd,name/__init__.py", "odd 1");
	expect("tool", "/" SITE "tool.py", NULL);
	expect("other", "/" SITE "other/__init__.py", NULL);
	expect("json", "/usr/lib/python3.11/json/__init__.py", NULL);
	expect("_csv", "/usr/lib/python3.11/lib-dynload/_csv.cpython-311-x86_64-linux-gnu.so",
	       NULL);
	expect("relative", "relative.py", NULL);
	expect("frozen", "<frozen importlib._bootstrap>", NULL);
	expect("gone", "/no/such/dir/gone.py", NULL);
}

static void debian(void **state _unused_)
{
	tree_text(&tree, DEBIAN "PyGObject-3.42.2.egg-info",
		  "Metadata-Version: 1\nName: PyGObject\nVersion: 3.42.2\n");
	tree_text(&tree, DEBIAN "Pygments-2.14.0.egg-info/PKG-INFO",
		  "Name: Pygments\nVersion: 2.14.0\n");
	tree_text(&tree, DEBIAN "Pygments-2.14.0.egg-info/top_level.txt", "pygments\n");
	tree_text(&tree, DEBIAN "dbus_python-1.3.2.egg-info/PKG-INFO", "");
	tree_text(&tree, DEBIAN "Some.Thing-1.0-py3.egg-info/top_level.txt", "\n st\n");
	tree_text(&tree, DEBIAN "blinker-1.5.dist-info/METADATA", "name: blinker\nversion: 1.5\n");
	tree_text(&tree, DEBIAN "cryptography.egg-info/top_level.txt", "cryptography\n");
	tree_text(&tree, DEBIAN "cryptography-38.0.4.dist-info/METADATA",
		  "Name: cryptography\nVersion: 38.0.4\n");
	tree_text(&tree, DEBIAN "cryptography-38.0.4.dist-info/top_level.txt", "cryptography\n");
	expect("pygments.lexers", "/" DEBIAN "pygments/lexers/__init__.py", "Pygments 2.14.0");
	expect("pygobject", "/" DEBIAN "pygobject/__init__.py", "PyGObject 3.42.2");
	/* Nothing but the name tells. */
	expect("blinker.base", "/" DEBIAN "blinker/base.py", "blinker 1.5");
	expect("dbus_python", "/" DEBIAN "dbus_python.py", "dbus_python 1.3.2");
	expect("some_thing", "/" DEBIAN "some_thing/__init__.py", "Some.Thing 1.0");
	expect("cryptography.x", "/" DEBIAN "cryptography/x.py", "cryptography 38.0.4");
}

static void namespaces(void **state _unused_)
{
	add_wheel(SITE, "google_auth-2.0", "Name: google-auth\nVersion: 2.0\n",
		  "google/auth/__init__.py,,\ngoogle/auth/transport/x.py,,\n");
	add_wheel(SITE, "google_cloud_storage-3.0", "Name: google-cloud-storage\nVersion: 3.0\n",
		  "google/cloud/storage/__init__.py,,\n");
	/* Modules of two in one directory: their RECORDs are asked again. */
	add_wheel(SITE, "jaraco.text-3.1", "Name: jaraco.text\nVersion: 3.1\n",
		  "jaraco/text.py,,\n");
	add_wheel(SITE, "jaraco.functools-4.1", "Name: jaraco.functools\nVersion: 4.1\n",
		  "./jaraco/functools.py,,\n");
	/* By RECORD alone: the names say nothing. */
	add_wheel(SITE, "one-1", "Name: one\nVersion: 1\n", "shared/x.py,,\n");
	add_wheel(SITE, "two-2", "Name: two\nVersion: 2\n", "shared/y.py,,\n");
	tree_text(&tree, DEBIAN "zope.interface-5.5.egg-info/PKG-INFO",
		  "Name: zope.interface\nVersion: 5.5\n");
	tree_text(&tree, DEBIAN "zope.interface-5.5.egg-info/top_level.txt", "zope\n");
	tree_text(&tree, DEBIAN "zope.event-4.6.egg-info/PKG-INFO",
		  "Name: zope.event\nVersion: 4.6\n");
	tree_text(&tree, DEBIAN "zope.event-4.6.egg-info/top_level.txt", "zope\n");
	expect("google.auth", "/" SITE "google/auth/__init__.py", "google-auth 2.0");
	expect("google.auth.new", "/" SITE "google/auth/new.py", "google-auth 2.0");
	expect("google.cloud.storage", "/" SITE "google/cloud/storage/__init__.py",
	       "google-cloud-storage 3.0");
	expect("google.cloud.other", "/" SITE "google/cloud/other.py", NULL);
	expect("jaraco.text", "/" SITE "jaraco/text.py", "jaraco.text 3.1");
	expect("jaraco.functools", "/" SITE "jaraco/functools.py", "jaraco.functools 4.1");
	expect("jaraco.third", "/" SITE "jaraco/third.py", NULL);
	expect("shared.x", "/" SITE "shared/x.py", "one 1");
	expect("shared.y", "/" SITE "shared/y.py", "two 2");
	expect("shared.z", "/" SITE "shared/z.py", NULL);
	expect("zope.interface.adapter", "/" DEBIAN "zope/interface/adapter.py",
	       "zope.interface 5.5");
	expect("zope.event", "/" DEBIAN "zope/event/__init__.py", "zope.event 4.6");
	expect("zope.schema", "/" DEBIAN "zope/schema/__init__.py", NULL);
}

static void other_installers(void **state _unused_)
{
	/* pip of old */
	tree_text(&tree, SITE "old-1.0.egg-info/PKG-INFO", "Name: old\nVersion: 1.0\n");
	tree_text(&tree, SITE "old-1.0.egg-info/installed-files.txt",
		  "../oldpkg/__init__.py\n../oldpkg/a.py\nPKG-INFO\n");
	/* An egg directory, an egg in a zip, and an egg directory that says nothing */
	tree_text(&tree, SITE "egg-2.0-py3.11.egg/EGG-INFO/PKG-INFO",
		  "Name: egg-name\nVersion: 2.0.1\n");
	tree_text(&tree, SITE "egg-2.0-py3.11.egg/EGG-INFO/top_level.txt", "eggpkg\n");
	tree_text(&tree, SITE "zip-3.0-py3.11.egg", "PK");
	tree_text(&tree, SITE "bare-4.egg/bare.py", "");
	/* No metadata at all: the directory's name */
	tree_dir(&tree, SITE "nameonly-5.1.dist-info");
	tree_dir(&tree, SITE "noversion.egg-info");
	expect("oldpkg.a", "/" SITE "oldpkg/a.py", "old 1.0");
	expect("eggpkg", "/" SITE "egg-2.0-py3.11.egg/eggpkg/__init__.py", "egg-name 2.0.1");
	expect("zippkg.x", "/" SITE "zip-3.0-py3.11.egg/zippkg/x.py", "zip 3.0");
	expect("bare", "/" SITE "bare-4.egg/bare.py", "bare 4");
	expect("z", "/srv/app.pyz/z.py", NULL);
	expect("nameonly", "/" SITE "nameonly.py", "nameonly 5.1");
	expect("noversion", "/" SITE "noversion.py", "noversion");
}

static void editable_installs(void **state _unused_)
{
	/* Where the project has an egg-info beside the source, that is it; else the site directory knows. */
	add_wheel(SITE, "shop-0.1", "Name: shop\nVersion: 0.1\n",
		  "__editable__.shop-0.1.pth,,\nshop-0.1.dist-info/METADATA,,\n");
	tree_text(&tree, SITE "shop-0.1.dist-info/direct_url.json",
		  "{\"dir_info\": {\"editable\" : true}, \"url\": \"file:///srv/shop\"}");
	add_wheel(SITE, "fixed-1", "Name: fixed\nVersion: 1\n", "x,,\n");
	tree_text(&tree, SITE "fixed-1.dist-info/direct_url.json",
		  "{\"url\": \"file:///srv/fixed\", \"dir_info\": {}}");
	tree_text(&tree, SITE "dev.egg-link", "/srv/dev/src\n../\n");
	tree_text(&tree, "srv/shop/src/shop/__init__.py", "");
	tree_text(&tree, "srv/shopping/x.py", "");
	tree_text(&tree, "srv/fixed/fixed.py", "");
	tree_text(&tree, "srv/dev/src/dev/__init__.py", "");
	tree_text(&tree, "srv/egg/egg.py", "");
	tree_text(&tree, "srv/egg/egg.egg-info/PKG-INFO", "Name: egg\nVersion: 7\n");
	expect("egg", "/srv/egg/egg.py", "egg 7");
	expect("shop", "/srv/shop/src/shop/__init__.py", NULL); /* not yet */
	assert_int_equal(dist_prepare(d, tree.fd, "yaml", "/" SITE "yaml/__init__.py"), 0);
	expect("shop", "/srv/shop/src/shop/__init__.py", "shop 0.1");
	expect("x", "/srv/shopping/x.py", NULL);
	expect("fixed", "/srv/fixed/fixed.py", NULL);
	expect("dev", "/srv/dev/src/dev/__init__.py", "dev");
	/* Another root has its own. */
	_close_ int other = openat(tree.fd, "srv", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct dist_found found;

	tree_text(&tree, "srv/srv/shop/x.py", "");
	assert_int_equal(dist_find(d, other, "x", "/srv/shop/x.py", &found), -ENODATA);
}

static void changes_are_seen(void **state _unused_)
{
	struct dist_stats before, after;
	struct dist_found found;

	add_wheel(SITE, "a-1", "Name: a\nVersion: 1\n", "a.py,,\n");
	expect("a", "/" SITE "a.py", "a 1");
	expect("a", "/" SITE "a.py", "a 1");
	dist_stats(d, &before);
	assert_int_equal(before.sites, 1);
	assert_int_equal(renameat(tree.fd, SITE "a-1.dist-info", tree.fd, SITE "a-2.dist-info"), 0);
	tree_text(&tree, SITE "a-2.dist-info/METADATA", "Name: a\nVersion: 2\n");
	/* Not at once, and the directory's time may stand still for a moment. */
	do {
		tree_dir(&tree, SITE "x");
		assert_int_equal(unlinkat(tree.fd, SITE "x", AT_REMOVEDIR), 0);
		assert_int_equal(dist_find(d, tree.fd, "a", "/" SITE "a.py", &found), 0);
	} while (strcmp(found.version, "2") != 0);
	dist_stats(d, &after);
	assert_int_equal(after.sites, 1);
}

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

#define TREE_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(places),
		cmocka_unit_test(standard_libraries),
		TREE_TEST(wheels),
		TREE_TEST(debian),
		TREE_TEST(namespaces),
		TREE_TEST(other_installers),
		TREE_TEST(editable_installs),
		TREE_TEST(changes_are_seen),
		TREE_TEST(many_directories),
		TREE_TEST(corrupt_metadata),
		TREE_TEST(hostile_files),
		TREE_TEST(huge_records),
		TREE_TEST(many_distributions),
		TREE_TEST(pyc_files),
		TREE_TEST(records),
		TREE_TEST(answers_hold_for_a_while),
		TREE_TEST(answers_are_bounded),
		TREE_TEST(record_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
