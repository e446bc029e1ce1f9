/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* facts/dist: which distribution a file belongs to, by what each installer writes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "facts/dist.h"
#include "facts/place.h"
#include "facts/site_int.h"
#include "unit/fake_site.h"
#include "unit/fake_tree.h"

#define DEBIAN "usr/lib/python3/dist-packages/"

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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
