/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* The format is CPython's: what python3 itself prints and what we print of the same loads must be the same lines. */
#include <inttypes.h>
#include <regex.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/render.h"

#define HEADER "import time: self [us] | cumulative | imported package"
#define ROWS_MAX 4096

struct line {
	uint64_t self_us, cumulative_us, start_us;
	uint32_t depth;
	int32_t parent; /* line */
	size_t at;	/* in the text */
	char name[128];
};

static regex_t format;
static struct line lines[ROWS_MAX];

static int set_up(void **state)
{
	(void)state;
	/* Two blanks a level, no blank and no bar in a name: what readers rely on. */
	return regcomp(&format,
		       "^import time: ([ 0-9]{8}[0-9]) \\| ([ 0-9]{9}[0-9]) \\| ((  )*)([^ |]+)$",
		       REG_EXTENDED);
}

static int tear_down(void **state)
{
	(void)state;
	regfree(&format);
	return 0;
}

static size_t parse(const char *text, bool only_rows)
{
	_free_ char *copy = strdup(text);
	size_t n = 0;
	char *rest = copy;

	assert_non_null(copy);
	for (char *line = strsep(&rest, "\n"); line && *line; line = strsep(&rest, "\n")) {
		regmatch_t m[6];
		struct line *l = &lines[n];

		if (!strcmp(line, HEADER) || (!only_rows && strncmp(line, "import time:", 12) != 0))
			continue;
		if (regexec(&format, line, 6, m, 0) != 0)
			fail_msg("not a row: '%s'", line);
		assert_true(n < ROWS_MAX);
		*l = (struct line){
			.self_us = strtoull(line + m[1].rm_so, NULL, 10),
			.cumulative_us = strtoull(line + m[2].rm_so, NULL, 10),
			.depth = (uint32_t)(m[3].rm_eo - m[3].rm_so) / 2,
			.parent = -1,
		};
		(void)snprintf(l->name, sizeof(l->name), "%s", line + m[5].rm_so);
		n++;
	}
	/* The row that a row belongs to is the next one further left; tuna reads from the end for that. */
	for (size_t i = 0; i < n; i++)
		for (size_t j = i + 1; j < n && lines[i].parent < 0; j++) {
			if (lines[j].depth < lines[i].depth) {
				assert_int_equal(lines[j].depth, lines[i].depth - 1);
				lines[i].parent = (int32_t)j;
			}
		}
	for (size_t i = 0; i < n; i++)
		if (lines[i].depth)
			assert_true(lines[i].parent >= 0);
	return n;
}

/* Columns fit together: a row's cumulative is its self and its children's. */
static void check_sums(size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t sum = lines[i].self_us;

		for (size_t j = 0; j < i; j++)
			if (lines[j].parent == (int32_t)i)
				sum += lines[j].cumulative_us;
		assert_int_equal(lines[i].cumulative_us, sum);
	}
}

static void test_shop(void **state)
{
	struct fake f;
	_free_ char *text = NULL;

	(void)state;
	fake_init(&f);
	fake_shop(&f);
	text = render(EXPORT_IMPORTTIME, &f.profile);
	assert_string_equal(text,
			    HEADER "\n"
				   "import time:     12500 |      12500 | site\n"
				   "import time:     10000 |      10000 |   shop.db\n"
				   "import time:         0 |          0 |   "
				   "e\"v\\i\\x0al\\x1b[31m;\\u{202e}\\x20\\x7c\\x20\\x7f\u00e9\n"
				   "import time:      1000 |      11000 | shop\n"
				   "import time:      1235 |       1235 | ujson\n"
				   "import time:      2000 |       2000 | shop\n");
	assert_int_equal(parse(text, true), 6);
	check_sums(6);
	fake_free(&f);
}

/* Rounding: a hundred times 0.5 us below one parent. */
static void test_rounding(void **state)
{
	struct fake f;
	_free_ char *text = NULL;
	char name[16];

	(void)state;
	fake_init(&f);
	(void)fake_process(&f, "app", 1);
	(void)fake_begin(&f, "__main__", "a", LMMSD_PLACE_MODULE);
	for (int i = 0; i < 100; i++) {
		(void)snprintf(name, sizeof(name), "m%d", i);
		(void)fake_leaf(&f, "a", name, LMMSD_PLACE_MODULE, 499 + (uint64_t)i % 3);
	}
	fake_end(&f);
	fake_done(&f);
	text = render(EXPORT_IMPORTTIME, &f.profile);
	assert_int_equal(parse(text, true), 101);
	check_sums(101);
	assert_int_equal(lines[100].self_us, 0);
	assert_int_equal(lines[100].cumulative_us, 66);
	fake_free(&f);
}

/* Two threads at once: whole trees one after the other, so that indentation stays true. */
static void test_threads(void **state)
{
	struct fake f;
	struct mdl_load *l;
	_free_ char *text = NULL;

	(void)state;
	fake_init(&f);
	(void)fake_process(&f, "app", 1);
	(void)fake_begin(&f, "__main__", "a", LMMSD_PLACE_MODULE);
	(void)fake_begin(&f, "__main__", "b", LMMSD_PLACE_MODULE);
	(void)fake_leaf(&f, "a", "a1", LMMSD_PLACE_MODULE, 1 * MS);
	(void)fake_leaf(&f, "b", "b1", LMMSD_PLACE_MODULE, 1 * MS);
	fake_end(&f);
	fake_end(&f);
	fake_done(&f);
	l = f.p->loads;
	l[1].parent = -1;
	l[1].tid = l[3].tid = 2;
	l[2].parent = 0;
	text = render(EXPORT_IMPORTTIME, &f.profile);
	assert_int_equal(parse(text, true), 4);
	assert_string_equal(lines[0].name, "a1");
	assert_string_equal(lines[1].name, "a");
	assert_string_equal(lines[2].name, "b1");
	assert_string_equal(lines[3].name, "b");
	fake_free(&f);
}

static void test_nothing(void **state)
{
	struct mdl_profile none = {0};
	struct fake f;
	_free_ char *text = render(EXPORT_IMPORTTIME, &none), *empty = NULL;

	(void)state;
	assert_string_equal(text, HEADER "\n");
	fake_init(&f);
	(void)fake_process(&f, "app", 1);
	(void)fake_leaf(&f, "__main__", "", LMMSD_PLACE_MODULE, 1 * MS);
	empty = render(EXPORT_IMPORTTIME, &f.profile);
	assert_int_equal(parse(empty, true), 1);
	fake_free(&f);
}

static void test_two_processes(void **state)
{
	struct fake f;

	(void)state;
	fake_init(&f);
	fake_shop(&f);
	fake_shop(&f);
	assert_int_equal(export_profile(EXPORT_IMPORTTIME, &f.profile, NULL, stdout), -E2BIG);
	fake_free(&f);
}

static char *run_python(void)
{
	FILE *in = popen("python3 -X importtime -c 'import json, decimal' 2>&1", "r");
	char *text = NULL;
	size_t len = 0;

	if (!in)
		return NULL;
	if (getdelim(&text, &len, '\0', in) < 0) {
		free(text);
		text = NULL;
	}
	if (pclose(in) != 0) {
		free(text);
		text = NULL;
	}
	return text;
}

static int by_start(const void *a, const void *b)
{
	const struct line *x = a, *y = b;

	if (x->start_us != y->start_us)
		return x->start_us < y->start_us ? -1 : 1;
	if (x->cumulative_us != y->cumulative_us)
		return x->cumulative_us > y->cumulative_us ? -1 : 1;
	/* In no time at all, an outer one still begins before an inner one, and ends after it. */
	return x->depth != y->depth ? (x->depth > y->depth) - (x->depth < y->depth) :
				      (x->at > y->at) - (x->at < y->at);
}

/* The rows of CPython as a measured process, as if each spent its own time after its children. */
static void relive(struct fake *f, size_t n)
{
	uint64_t now_us = 0;

	(void)fake_process(f, "python -c", 7);
	for (size_t i = 0; i < n; i++) {
		/* Its columns are rounded each by itself; ours shall be sums. */
		uint64_t below_us = 0;

		for (size_t j = 0; j < i; j++)
			if (lines[j].parent == (int32_t)i)
				below_us += lines[j].cumulative_us;
		lines[i].cumulative_us = lines[i].self_us + below_us;
		now_us += lines[i].self_us;
		lines[i].start_us = now_us - lines[i].cumulative_us;
		lines[i].at = i;
	}
	qsort(lines, n, sizeof(*lines), by_start);
	for (size_t i = 0; i < n; i++) {
		struct mdl_load *l;

		while (f->n_open > (int32_t)lines[i].depth)
			fake_end(f);
		assert_int_equal(f->n_open, lines[i].depth);
		l = fake_begin(f, "x", lines[i].name, LMMSD_PLACE_MODULE);
		l->self_ns = lines[i].self_us * 1000;
	}
}

static void test_like_cpython(void **state)
{
	_free_ char *theirs = run_python(), *ours = NULL;
	const char *row = theirs;
	struct fake f;
	size_t n, i = 0;

	(void)state;
	if (!theirs) {
		print_message("skipped: python3 does not run here\n");
		skip();
	}
	assert_non_null(strstr(theirs, HEADER "\n"));
	n = parse(theirs, false);
	assert_true(n > 20);
	fake_init(&f);
	relive(&f, n);
	ours = render(EXPORT_IMPORTTIME, &f.profile);
	assert_memory_equal(ours, HEADER "\n", strlen(HEADER "\n"));
	assert_int_equal(parse(ours, true), n);
	check_sums(n);
	/* Line by line, all but the cumulative column is the same to the byte. */
	row = strstr(theirs, "import time:");
	for (const char *line = ours; *line; i++) {
		size_t len = strcspn(line, "\n"), their_len = strcspn(row, "\n");

		assert_int_equal(len, their_len);
		if (i) {
			assert_memory_equal(line, row, strlen("import time: 123456789 | "));
			assert_string_not_equal(line, "");
			assert_memory_equal(line + 35, row + 35, len - 35);
		}
		line += len + 1;
		row = strstr(row + their_len, "\nimport time:");
		row = row ? row + 1 : "";
	}
	assert_int_equal(i, n + 1);
	fake_free(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shop),	      cmocka_unit_test(test_rounding),
		cmocka_unit_test(test_threads),	      cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_two_processes), cmocka_unit_test(test_like_cpython),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
