/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* The reports for people: what they say, and that a target cannot make them say anything else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/text.h"
#include "export/screen.h"
#include "unit/render.h"

static struct fake f;

static int set_up(void **state)
{
	(void)state;
	fake_init(&f);
	fake_shop(&f);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	fake_free(&f);
	return 0;
}

static void has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("'%s' is not in:\n%s", part, text);
}

static void has_not(const char *text, const char *part)
{
	if (strstr(text, part))
		fail_msg("'%s' is in:\n%s", part, text);
}

/* Of the process that was made last only. */
static char *render_last(enum export_format format, const struct export_style *style)
{
	struct mdl_profile last = f.profile;

	last.processes = &f.profile.processes[f.profile.n_processes - 1];
	last.n_processes = 1;
	return render_styled(format, &last, style);
}

#define LEGEND                                                                                     \
	"Times are ms. saving: how much shorter the start would be without the module.\n"          \
	"tier func: import it in the function that needs it; mod: leave it at the top.\n"

static void test_tree(void **state)
{
	_free_ char *text = render(EXPORT_TREE, &f.profile);

	(void)state;
	assert_string_equal(
		text,
		"shop/manage.py   python 3.11.2   pid 4242   exit 0\n"
		"/usr/bin/python3 manage.py check\n"
		"\n"
		"  cold start      24.73 ms   in imports, 6 loads in all\n"
		"  interpreter     13.50 ms   from exec to the program's first statement\n"
		"\n"
		"What would make the start shorter  (rows may contain one another)\n"
		"    saving     total  tier  module            imported at\n"
		"     11.00     11.00        shop              /srv/shop/manage.py:3\n"
		"     10.00     10.00  func  shop.db           by shop\n"
		"\n"
		"Imports, the longest first\n"
		"    total      self    saving  uses  tier  module              imported at\n"
		"    12.50     12.50         -     1        site\n"
		"    11.00      1.00     11.00     2        shop                /srv/shop/manage.py:3\n"
		"    10.00     10.00     10.00     1  func  `-shop.db\n"
		"     2.00      2.00         -     -        shop (did not end)  by shop.db (dynamic)\n"
		"     1.23      1.23         -     1        ujson (failed)\n"
		"\n"
		"Left out: 1 of 6 loads (below 0.25 ms, inside of packages below 0.74 ms).\n"
		"Used, but not loaded while lmmsd watched: 1 module.\n\n" LEGEND);
}

/* Losses come first, with what to do about them. */
static void test_lost(void **state)
{
	static const enum export_format formats[] = {EXPORT_TREE, EXPORT_TABLE, EXPORT_TEXT};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
		_free_ char *lost = NULL, *broken = NULL, *good = render(formats[i], &f.profile);

		has_not(good, "INCOMPLETE");
		f.profile.complete = false;
		broken = render(formats[i], &f.profile);
		assert_true(text_starts_with(broken, "INCOMPLETE: the stream of events broke off"));
		f.profile.lost[LMMSD_LOST_RING_FULL] = 1200;
		f.profile.lost[LMMSD_LOST_NO_MEMORY] = 1;
		lost = render(formats[i], &f.profile);
		assert_true(text_starts_with(
			lost,
			"INCOMPLETE, 1201 events were lost or cut: 1200 ring_full (raise ring_kib in the "
			"configuration), 1 no_memory (lmmsd ran out of memory)\n"));
		f.profile.complete = true;
		memset(f.profile.lost, 0, sizeof(f.profile.lost));
	}
}

static void test_not_from_start(void **state)
{
	_free_ char *text = NULL;

	(void)state;
	f.p->from_start = false;
	f.p->interpreter_ns = 0;
	f.p->ended = false;
	text = render(EXPORT_TREE, &f.profile);
	has(text, "It ran already: what it imported before has no times.\n");
	has(text, "runs on\n");
	has_not(text, "cold start");
	has_not(text, "interpreter  ");
	free(text);
	text = render(EXPORT_TABLE, &f.profile);
	has(text, "  ran already         1  what was imported before has no times\n");
	has(text, "  runs on             1\n");
	has_not(text, "cold start");
}

static void test_no_uses(void **state)
{
	_free_ char *text = NULL;

	(void)state;
	f.p->usage = false;
	text = render(EXPORT_TREE, &f.profile);
	has(text, "    11.00      1.00     11.00     -        shop  ");
}

/* Bytes that a terminal acts on stay out, whoever sends them. */
static void check_printable(const char *text)
{
	for (const unsigned char *s = (const unsigned char *)text; *s; s++)
		if ((*s < 0x20 && *s != '\n') || *s == 0x7f)
			fail_msg("byte %02x in:\n%s", *s, text);
	has_not(text, "\u202e");
	has_not(text, "\xc2\x9b");
}

static void poison(struct mdl_process *p)
{
	for (size_t i = 0; i < p->n_loads; i++) {
		p->loads[i].importer = fake_str(&f, HOSTILE "\xc2\x9b"
							    "2J");
		p->loads[i].importer_file = fake_str(&f, "/x/" HOSTILE ".py");
		p->loads[i].total_ns += 20 * MS;
	}
	for (size_t i = 0; i < p->n_modules; i++)
		p->modules[i].saving_ns = 20 * MS;
	free(p->app);
	p->app = strdup(HOSTILE);
	memcpy(p->cmdline + 4, "\x1b[2J\n\t", 6);
}

static void test_hostile(void **state)
{
	struct export_style style = {.width = 100, .utf8 = true};

	(void)state;
	poison(f.p);
	for (style.width = 0; style.width < 200; style.width += 20) {
		_free_ char *tree = render_styled(EXPORT_TREE, &f.profile, &style);
		_free_ char *table = render_styled(EXPORT_TABLE, &f.profile, &style);

		check_printable(tree);
		check_printable(table);
		if (!style.width)
			has(tree, "\\x1b[");
	}
}

static void test_color(void **state)
{
	struct export_style style = {.color = true};
	_free_ char *text = render_styled(EXPORT_TREE, &f.profile, &style),
		    *plain = render(EXPORT_TREE, &f.profile);

	(void)state;
	has(text, "\033[1;31m    12.50\033[0m");
	has(text, "\033[32m     10.00\033[0m");
	has_not(plain, "\033");
	free(text);
	text = render_styled(EXPORT_TABLE, &f.profile, &style);
	has(text, "\033[32m     10.00\033[0m\033[1;31m     10.00\033[0m");
}

/* Of installed packages only the long ones, of the program's own all above the limit; passing modules are passed. */
static void test_left_out(void **state)
{
	static const char *const inside[] = {"lib.pass", "lib.long"};
	struct export_style style = {.utf8 = true};
	struct mdl_load *l;
	_free_ char *text = NULL;

	(void)state;
	fake_done(&f);
	(void)fake_process(&f, "other", 7);
	(void)fake_begin(&f, "__main__", "lib", LMMSD_PLACE_MODULE);
	fake_spend(&f, 10 * MS);
	for (size_t i = 0; i < ARRAY_LEN(inside); i++) {
		(void)fake_begin(&f, "lib", inside[i], LMMSD_PLACE_MODULE);
		fake_spend(&f, i ? 50 * MS : MS / 10);
	}
	fake_end(&f);
	fake_end(&f);
	(void)fake_leaf(&f, "lib", "lib.short", LMMSD_PLACE_MODULE, 1 * MS);
	l = fake_leaf(&f, "lib", "lib.own", LMMSD_PLACE_MODULE, 2 * MS);
	l->file = fake_str(&f, "/srv/shop/lib/own.py");
	(void)fake_leaf(&f, "lib", "tiny", LMMSD_PLACE_MODULE, MS / 10);
	fake_end(&f);
	fake_started(&f);
	text = render_last(EXPORT_TREE, &style);
	has(text, "  lib\n");
	has(text, "├─lib.long");
	has(text, "└─lib.own");
	has_not(text, "lib.pass");
	has_not(text, "lib.short");
	has_not(text, "tiny");
	has(text, "Left out: 3 of 6 loads (below 0.63 ms, inside of packages below 1.90 ms).");
}

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

/* Where to look first: the largest saving that somebody can act on. */
static void test_savers(void **state)
{
	_free_ char *text = NULL;
	const char *list, *end;

	(void)state;
	fake_done(&f);
	(void)fake_process(&f, "other", 7);
	(void)fake_leaf(&f, "__main__", "small", LMMSD_PLACE_MODULE, 10 * MS);
	(void)fake_leaf(&f, "__main__", "lib", LMMSD_PLACE_MODULE, 100 * MS);
	(void)fake_leaf(&f, "lib", "lib.inside", LMMSD_PLACE_MODULE, 90 * MS);
	(void)fake_leaf(&f, NULL, "encodings", LMMSD_PLACE_UNKNOWN, 50 * MS);
	(void)fake_leaf(&f, "lib", "big", LMMSD_PLACE_MODULE, 200 * MS);
	fake_started(&f);
	for (size_t i = 0; i < f.p->n_modules; i++)
		f.p->modules[i].saving_ns = f.p->loads[i].total_ns;
	text = render_last(EXPORT_TREE, NULL);
	list = strstr(text, "What would make");
	end = strstr(text, "Imports, the longest");
	assert_true(list && end && list < end);
	text[end - text] = '\0';
	assert_string_equal(list,
			    "What would make the start shorter  (rows may contain one another)\n"
			    "    saving     total  tier  module            imported at\n"
			    "     200.0     200.0        big               by lib\n"
			    "     100.0     100.0        lib               by __main__\n"
			    "      10.0      10.0        small             by __main__\n\n");
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

#define T(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_tree),
		T(test_lost),
		T(test_not_from_start),
		T(test_no_uses),
		T(test_hostile),
		T(test_color),
		T(test_left_out),
		T(test_widths),
		T(test_deep),
		T(test_savers),
		T(test_table),
		T(test_nothing),
		cmocka_unit_test(test_cells),
		cmocka_unit_test(test_paths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
