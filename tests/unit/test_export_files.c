/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/fdio.h"
#include "unit/render.h"

struct place {
	struct fake f;
	char dir[64];
};

static int set_up(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	if (!p)
		return -1;
	fake_init(&p->f);
	fake_shop(&p->f);
	(void)snprintf(p->dir, sizeof(p->dir), "/tmp/lmmsd-test-XXXXXX");
	*state = p;
	return mkdtemp(p->dir) ? 0 : -1;
}

static int tear_down(void **state)
{
	struct place *p = *state;
	_closedir_ DIR *dir = opendir(p->dir);
	struct dirent *entry;

	if (!dir)
		return -1;
	while ((entry = readdir(dir)))
		(void)unlinkat(dirfd(dir), entry->d_name, 0);
	(void)rmdir(p->dir);
	fake_free(&p->f);
	free(p);
	return 0;
}

static size_t count_files(const struct place *p)
{
	_closedir_ DIR *dir = opendir(p->dir);
	struct dirent *entry;
	size_t n = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir)))
		n += entry->d_name[0] != '.' || strlen(entry->d_name) > 2;
	return n;
}

static char *read_back(const struct place *p, const char *name)
{
	_buf_ struct buf path = {0};
	struct buf text = {0};

	buf_addf(&path, "%s/%s", p->dir, name);
	if (fdio_read_file(AT_FDCWD, buf_str(&path), 1 << 20, &text) < 0)
		fail_msg("no file %s", buf_str(&path));
	return buf_take(&text);
}

static int export_to(const struct place *p, enum export_format format, const char *name,
		     size_t *ret_files)
{
	_buf_ struct buf path = {0};

	buf_addf(&path, "%s/%s", p->dir, name);
	return export_profile_to(format, &p->f.profile, NULL, buf_str(&path), ret_files);
}

static void test_names(void **state)
{
	enum export_format format = EXPORT_FOLDED;

	(void)state;
	for (int i = EXPORT_TREE; i <= EXPORT_FOLDED; i++) {
		const char *name = export_format_name((enum export_format)i);

		assert_int_equal(export_format_from_name(name, &format), 0);
		assert_int_equal(format, i);
		assert_non_null(strstr(EXPORT_FORMATS, name));
	}
	format = EXPORT_JSON;
	assert_int_equal(export_format_from_name("text", &format), -EINVAL);
	assert_int_equal(export_format_from_name("", &format), -EINVAL);
	assert_int_equal(export_format_from_name("JSON", &format), -EINVAL);
	assert_int_equal(format, EXPORT_JSON);
}

static void test_suffixes(void **state)
{
	static const struct {
		const char *path;
		enum export_format format;
	} cases[] = {
		{"a.json", EXPORT_JSON},
		{"/x/a.speedscope.json", EXPORT_SPEEDSCOPE},
		{"a.perfetto.json", EXPORT_PERFETTO},
		{"a.trace.json", EXPORT_PERFETTO},
		{"a.txt", EXPORT_TEXT},
		{"a.log", EXPORT_IMPORTTIME},
		{"a.b.importtime", EXPORT_IMPORTTIME},
		{"a.folded", EXPORT_FOLDED},
	};
	enum export_format format = EXPORT_TABLE;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(export_format_from_suffix(cases[i].path, &format), 0);
		assert_int_equal(format, cases[i].format);
	}
	format = EXPORT_TABLE;
	assert_int_equal(export_format_from_suffix("a", &format), -EINVAL);
	assert_int_equal(export_format_from_suffix("", &format), -EINVAL);
	assert_int_equal(export_format_from_suffix("a.json.gz", &format), -EINVAL);
	assert_int_equal(export_format_from_suffix("json", &format), -EINVAL);
	assert_int_equal(format, EXPORT_TABLE);
	/* each format's own leads back to it */
	for (int f = EXPORT_JSON; f <= EXPORT_FOLDED; f++) {
		assert_int_equal(export_format_from_suffix(export_suffix(f), &format), 0);
		assert_int_equal(format, f);
	}
	assert_string_equal(export_suffix(EXPORT_TREE), ".txt");
}

static void test_one_file(void **state)
{
	struct place *p = *state;
	_free_ char *expected = render(EXPORT_IMPORTTIME, &p->f.profile), *text = NULL;
	size_t n = 99;

	assert_int_equal(export_to(p, EXPORT_IMPORTTIME, "out.log", &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(count_files(p), 1);
	text = read_back(p, "out.log");
	assert_string_equal(text, expected);
}

static void test_file_a_process(void **state)
{
	struct place *p = *state;
	_free_ char *expected = render(EXPORT_IMPORTTIME, &p->f.profile), *text = NULL,
		    *again = NULL;
	size_t n = 0;

	(void)fake_process(&p->f, "other", 77);
	fake_shop(&p->f); /* the pid a second time */
	assert_int_equal(export_to(p, EXPORT_IMPORTTIME, "out.v1.log", &n), 0);
	assert_int_equal(n, 3);
	assert_int_equal(count_files(p), 3);
	text = read_back(p, "out.v1.4242.log");
	assert_string_equal(text, expected);
	again = read_back(p, "out.v1.4242-2.log");
	assert_string_equal(again, expected);
	free(read_back(p, "out.v1.77.log"));
	/* Without a suffix, and a name that begins with a dot. */
	assert_int_equal(export_to(p, EXPORT_IMPORTTIME, ".out", NULL), 0);
	free(read_back(p, ".out.77"));
	/* Other formats have room for all. */
	assert_int_equal(export_to(p, EXPORT_JSON, "out.json", &n), 0);
	assert_int_equal(n, 1);
}

static void test_no_place(void **state)
{
	struct place *p = *state;
	size_t n = 99;

	(void)fake_process(&p->f, "other", 77);
	assert_int_equal(export_profile_to(EXPORT_IMPORTTIME, &p->f.profile, NULL, "-", &n),
			 -E2BIG);
	assert_int_equal(export_profile_to(EXPORT_IMPORTTIME, &p->f.profile, NULL, "/dev/null", &n),
			 -E2BIG);
	assert_int_equal(export_profile_to(EXPORT_IMPORTTIME, &p->f.profile, NULL, "/dev/stdout",
					   &n),
			 -E2BIG);
	assert_int_equal(export_profile_to(EXPORT_IMPORTTIME, &p->f.profile, NULL, p->dir, &n),
			 -E2BIG);
	assert_int_equal(export_to(p, EXPORT_IMPORTTIME, "no/such/out.log", &n), -ENOENT);
	assert_int_equal(n, 99);
	assert_int_equal(count_files(p), 0);
}

#define T(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_suffixes),
		T(test_one_file),
		T(test_file_a_process),
		T(test_no_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
