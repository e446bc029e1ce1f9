/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* A dependency's versions: what comes and what comes back is told, once; environments that take turns are not. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "analysis/trigger.h"
#include "unit/fake_history.h"

#define DAY0 20000
#define BEFORE 38 /* days that the reviewer looks back */
#define MONTH 30
#define MONTHS 128

/* 'M': a and b; '-': not there yet. */
static struct fh *day_with(char which)
{
	static const char *const names[] = {"a", "b", "c"};
	const char *name = names[which < 'a' ? 0 : which - 'a'];
	struct fh *f = fh_new("shop", DAY0, DAY0 + 1, 20);

	if (which == '-') {
		(void)fh_module(f, "other", 50, 1, 1);
		(void)fh_done(f);
		return f;
	}
	fh_installed(f, fh_module(f, "lib", 50, 1, 1), "/x.py", "dist", name);
	name = which == 'M' ? names[1] : name;
	fh_installed(f, fh_module(f, "lib.core", 40, 1, 1), "/y.py", "dist", name);
	(void)fh_done(f);
	return f;
}

/* Days are alike but for their date: each kind is made once. */
static void add_day(struct trigger *t, int32_t day, char which)
{
	static struct fh *made[128];
	struct fh *f = made[(int)which] ? made[(int)which] : day_with(which);

	made[(int)which] = f;
	f->h.since_day = DAY0 + day;
	f->h.until_day = DAY0 + day + 1;
	assert_int_equal(trigger_add_day(t, &f->h), 0);
}

/* versions: a letter a day. told: "before>after@day", each after a blank. */
static void assert_versions(const char *versions, const char *told)
{
	_cleanup_(trigger_freep) struct trigger *t = NULL;
	_free_ struct rv_change *c = NULL;
	char text[256] = "";
	size_t len = 0, n;

	assert_int_equal(trigger_new(NULL, &t), 0);
	for (int32_t d = 0; versions[d]; d++)
		add_day(t, d, versions[d]);
	assert_int_equal(trigger_changes(t, DAY0, &c, &n), 0);
	for (size_t i = 0; i < n; i++) {
		if (c[i].kind == RV_NEW_MODULE)
			continue; /* of a dependency that was not there before */
		assert_int_equal(c[i].kind, RV_DEPENDENCY_UPDATE);
		assert_string_equal(c[i].module, "dist");
		assert_non_null(strstr(c[i].why, "importing lib"));
		len += (size_t)snprintf(text + len, sizeof(text) - len, " %s>%s@%d", c[i].before,
					c[i].after, (int)c[i].day - DAY0);
	}
	assert_string_equal(text, told);
}

static void test_version_back(void **state)
{
	(void)state;
	assert_versions("aaaaaaaabbbbbaaaa", " a>b@8 b>a@13");
	assert_versions("aaaaaaaabbbbbaaaabbb", " a>b@8 b>a@13 a>b@17");
	/* days with both: the change was at noon */
	assert_versions("aaaaaaaaMbbbbMaaaMb", " a>b@8 b>a@13 a>b@17");
	/* a first try, taken back at once */
	assert_versions("aaaaaaaabaaaabbbbbaaa", " a>b@8 b>a@18");
	assert_versions("aaaabbbbccccaaa", " a>b@4 b>c@8 c>a@12");
}

/* Two environments that take turns are no news, whatever their rhythm. */
static void test_versions_by_turns(void **state)
{
	(void)state;
	assert_versions("aaaaabbaaaaabbaaaaabbaaaaabbaaaaabb", " a>b@5");
	assert_versions("abababababababab", " a>b@1");
	assert_versions("MMMMMMaaaMMMbbbMMMaaaaMMMM", "");
	assert_versions("-----MMMMMMM", "");
	assert_versions("aaaaaaaaaaaaabaaaaaaaaaaaaabaaaaaaaa", " a>b@13");
	/* by half weeks: told until it is seen to be a rhythm */
	assert_versions("aaabbbbaaabbbbaaabbbbaaabbbbaaabbbb", " a>b@3 b>a@7 a>b@10 b>a@14");
}

struct random {
	uint64_t state;
};

static double uniform(struct random *r)
{
	uint64_t z = (r->state += 0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return (double)((z ^ (z >> 31)) >> 11) / 9007199254740992.0;
}

/* A day of so many runs, a share of them in the environment with b. */
static char mixed(struct random *r, int runs, double share)
{
	int b = 0;

	for (int i = 0; i < runs; i++)
		b += uniform(r) < share;
	return b == 0 ? 'a' : b == runs ? 'b' : 'M';
}

/* What the reviewer would tell on one day. */
static size_t told_on(const char *versions, int32_t day)
{
	_cleanup_(trigger_freep) struct trigger *t = NULL;
	_free_ struct rv_change *c = NULL;
	size_t n;

	assert_int_equal(trigger_new(NULL, &t), 0);
	for (int32_t d = day - BEFORE; d <= day; d++)
		add_day(t, d, versions[d]);
	assert_int_equal(trigger_changes(t, DAY0 + day, &c, &n), 0);
	return n;
}

/* Of a month in which nothing changes: two environments run, each as often as ever. */
static size_t calm_month(uint64_t seed)
{
	static const int runs[] = {1, 2, 3, 10};
	static const double shares[] = {0.5, 0.4, 0.3, 0.2};
	struct random r = {.state = seed * 7919 + 13};
	char versions[BEFORE + MONTH];
	size_t n = 0;

	for (int32_t d = 0; d < BEFORE + MONTH; d++)
		versions[d] = mixed(&r, runs[seed % 4], shares[seed / 4 % 4]);
	/* a day like the one before has nothing to tell */
	for (int32_t d = BEFORE; d < BEFORE + MONTH; d++)
		n += versions[d] == versions[d - 1] ? 0 : told_on(versions, d);
	return n;
}

static void test_calm(void **state)
{
	size_t alarms = 0;

	(void)state;
	for (uint64_t seed = 0; seed < MONTHS; seed++)
		alarms += calm_month(seed);
	print_message("%zu false alarms in %d months of two environments\n", alarms, MONTHS);
	assert_true(alarms * 100 < MONTHS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_version_back),
		cmocka_unit_test(test_versions_by_turns),
		cmocka_unit_test(test_calm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
