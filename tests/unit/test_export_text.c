/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* The report of one process, for people: what it says, and that a target cannot make it say anything else. */
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
			"INCOMPLETE, 1201 events were lost or cut: 1200 ring_full (events came faster than "
			"they could be taken: raise ring_kib in the configuration), 1 no_memory (processes "
			"were left out since lmmsd ran out of memory: give it more)\n"));
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

/* No line is wider than the screen, from 60 columns on. */
static void check_fits(const char *text, size_t width)
{
	for (const char *end; *text; text = end + 1) {
		char line[1024];

		end = strchr(text, '\n');
		assert_non_null(end);
		assert_true((size_t)(end - text) < sizeof(line));
		memcpy(line, text, (size_t)(end - text));
		line[end - text] = '\0';
		if (text_width(line) > width)
			print_error("%zu columns: %s\n", width, line);
		assert_true(text_width(line) <= width);
	}
}

static void test_narrow(void **state)
{
	struct export_style style = {.utf8 = true};

	(void)state;
	(void)fake_leaf(&f, "lib", "a.module.with.quite.a.long.name.of.its.own", LMMSD_PLACE_MODULE,
			100 * MS);
	f.p->modules[f.p->n_modules - 1].saving_ns = 50 * MS;
	for (style.width = 60; style.width < 140; style.width++) {
		_free_ char *tree = render_styled(EXPORT_TREE, &f.profile, &style);
		_free_ char *table = render_styled(EXPORT_TABLE, &f.profile, &style);

		check_fits(tree, style.width);
		check_fits(table, style.width);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_tree),	 T(test_lost),	   T(test_not_from_start),
		T(test_no_uses), T(test_hostile),  T(test_narrow),
		T(test_color),	 T(test_left_out), T(test_savers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
