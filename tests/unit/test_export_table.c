/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* The table of several processes, and what fits into the width of a terminal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/text.h"
#include "export/screen.h"
#include "unit/fake_report.h"
#include "unit/has.h"
#include "unit/render.h"

static size_t longest_line(const char *text)
{
	size_t longest = 0;

	while (*text) {
		size_t len = strcspn(text, "\n");
		_free_ char *line = strndup(text, len);

		assert_non_null(line);
		if (text_width(line) > longest)
			longest = text_width(line);
		text += len + (text[len] == '\n');
	}
	return longest;
}

/* 60 levels of long names, each below the one before. */
static void fake_deep(uint32_t pid)
{
	char name[512], above[512] = "__main__";

	fake_done(&f);
	(void)fake_process(
		&f, "an/app/with/a/long/path/and/a/long/name/that/no/terminal/has/room/for.py",
		pid);
	for (int i = 0; i < 60; i++) {
		struct mdl_load *l;

		(void)snprintf(name, sizeof(name), "level%02d.%0*d", i, 3 * i, i);
		l = fake_begin(&f, above, name, LMMSD_PLACE_FUNCTION);
		l->importer_file = fake_str(
			&f, "/srv/a/long/way/down/from/the/root/of/this/system/to/module.py");
		l->line = 1000 + i;
		fake_spend(&f, 5 * MS);
		(void)snprintf(above, sizeof(above), "%s", name);
	}
	while (f.n_open)
		fake_end(&f);
	fake_started(&f);
	for (size_t i = 0; i < f.p->n_modules; i++)
		f.p->modules[i].saving_ns = (300 - 5 * i) * MS;
}

static void test_widths(void **state)
{
	(void)state;
	fake_deep(9);
	for (unsigned int width = 80; width < 260; width += 7) {
		struct export_style style = {.width = width, .utf8 = width % 2};
		_free_ char *tree = render_last(EXPORT_TREE, &style),
			    *table = render_last(EXPORT_TABLE, &style);

		if (longest_line(tree) > width || longest_line(table) > width)
			fail_msg("%zu and %zu columns of %u in:\n%s%s", longest_line(tree),
				 longest_line(table), width, tree, table);
		/* However narrow, the beginning of a name and the end of a path can be read. */
		has(tree, "level00");
		has(table, "module.py:1000");
	}
}

/* Deeper than can be drawn: the depth in numbers. */
static void test_deep(void **state)
{
	struct export_style style = {.width = 120};
	_free_ char *tree = NULL;

	(void)state;
	fake_deep(9);
	tree = render_last(EXPORT_TREE, &style);
	has(tree, "(50) ");
	has(tree, "60 loads in all");
}

/* Runs of "b" of 10, 20 and 60 ms, one more forked and one that failed; one of "a" of 1 s. */
static void fake_runs(void)
{
	static const uint64_t ms[] = {60, 10, 20, 20};

	for (size_t i = 0; i < ARRAY_LEN(ms); i++) {
		fake_done(&f);
		(void)fake_process(&f, "b", 10 + (uint32_t)i);
		(void)fake_leaf(&f, "__main__", "m", LMMSD_PLACE_MODULE, ms[i] * MS);
		fake_started(&f);
		fake_module(&f, "m")->saving_ns = ms[i] * MS;
		fake_module(&f, "m")->tier = i ? MDL_FUNCTION_LEVEL : MDL_MODULE_LEVEL;
		fake_module(&f, "m")->share_pct = 50;
	}
	f.p->forked = true;
	f.p->exit_status = 11;
	f.profile.processes[f.profile.n_processes - 2]->exit_status = 2 << 8;
	f.profile.processes[f.profile.n_processes - 3]->exit_status = 2 << 8;
	fake_done(&f);
	(void)fake_process(&f, "a", 20);
	(void)fake_leaf(&f, "__main__", "m", LMMSD_PLACE_MODULE, 1000 * MS);
	fake_started(&f);
	fake_done(&f);
}

static void test_table(void **state)
{
	_free_ char *text = NULL;

	(void)state;
	fake_runs();
	f.profile.processes++;
	f.profile.n_processes--;
	text = render(EXPORT_TEXT, &f.profile);
	f.profile.processes--;
	f.profile.n_processes++;
	assert_string_equal(
		text,
		"5 processes of 2 apps\n"
		"\n"
		"a   python 3.11.2   1 run\n"
		"  cold start     1000.0 ms\n"
		"\n"
		"    saving     total      self    uses   share   runs  tier  module            imported at\n"
		"       0.0    1000.0    1000.0       1   0.00%      1        m                 by __main__\n"
		"\n"
		"b   python 3.11.2   3 runs and 1 forked\n"
		"  ended badly         3  (exit 2, signal 11)\n"
		"  cold start      20.00 ms   median of 3, 10.00 to 60.00\n"
		"\n"
		"    saving     total      self    uses   share   runs  tier  module            imported at\n"
		"     20.00     20.00     20.00       1  50.00%      4  func  m                 by __main__\n"
		"\n"
		"Numbers are medians over the runs.\n" LEGEND);
}

static void test_nothing(void **state)
{
	struct mdl_profile none = {.complete = true};
	_free_ char *tree = render(EXPORT_TREE, &none), *table = render(EXPORT_TABLE, &none);

	(void)state;
	assert_string_equal(tree, "No Python process was seen.\n");
	assert_string_equal(table, "No Python process was seen.\n");
	fake_done(&f);
	(void)fake_process(&f, "", 7);
	free(tree);
	tree = render_last(EXPORT_TREE, NULL);
	assert_true(text_starts_with(tree, "python   python 3.11.2   pid 7   exit 0\n"));
	has(tree, "0 loads in all");
	free(table);
	table = render_last(EXPORT_TABLE, NULL);
	has(table, "python   python 3.11.2   1 run\n");
}

static void test_cells(void **state)
{
	struct export_style style = {.utf8 = true};
	_buf_ struct buf b = {0};

	(void)state;
	assert_int_equal(screen_cut(&b, &style, "abcdefghij", 5), 5);
	assert_string_equal(buf_str(&b), "a…hij");
	buf_reset(&b);
	assert_int_equal(screen_cut(&b, &style, "äöüßäöüßäöüß", 7), 7);
	assert_string_equal(buf_str(&b), "äö…äöüß");
	buf_reset(&b);
	screen_left(&b, &style, "ab", 4);
	assert_string_equal(buf_str(&b), "ab  ");
	buf_reset(&b);
	screen_cut_front(&b, &style, "/srv/shop/models.py:12", 14);
	assert_string_equal(buf_str(&b), "…/models.py:12");
	buf_reset(&b);
	screen_cut_front(&b, &style, "abcdefghij", 3);
	assert_string_equal(buf_str(&b), "…ij");
}

static void test_paths(void **state)
{
	(void)state;
	assert_string_equal(screen_short_path("/usr/lib/python3/dist-packages/yaml/__init__.py"),
			    "yaml/__init__.py");
	assert_string_equal(
		screen_short_path("/v/lib/python3.11/site-packages/a/site-packages/b.py"), "b.py");
	assert_string_equal(screen_short_path("/usr/lib/python3.11/json/decoder.py"),
			    "json/decoder.py");
	assert_string_equal(screen_short_path("/srv/shop/models.py"), "/srv/shop/models.py");
	assert_string_equal(screen_short_path("/usr/lib/python3"), "/usr/lib/python3");
	assert_true(screen_is_local("/srv/shop/models.py"));
	assert_false(screen_is_local("/usr/lib/python3.11/json/decoder.py"));
	assert_false(screen_is_local("<frozen os>"));
	assert_false(screen_is_local(NULL));
	assert_false(screen_is_local(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_table),
		T(test_nothing),
		T(test_widths),
		T(test_deep),
		cmocka_unit_test(test_cells),
		cmocka_unit_test(test_paths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
