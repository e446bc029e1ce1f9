/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
// tier: test: thousands of simulated app-months
/*
 * Simulated app-months: calm ones must stay calm, and a real step must be seen within days. The generator is
 * deterministic. What it makes: run times with long tails, days that hang together, bad days, weekends that are different or
 * empty, from one run a day to fifty, modules that are imported in some runs only.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "analysis/trigger.h"
#include "unit/fake_history.h"

#define MODULES 40
#define BEFORE 28
#define MONTH 30
#define START_DAY 20000
#define SAMPLES 24 /* of a day's runs that get values of their own */

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

static double normal(struct random *r)
{
	return sqrt(-2 * log(1 - uniform(r))) * cos(6.283185307179586 * uniform(r));
}

struct app {
	struct random random;
	double runs;	     /* a day */
	double run_sigma;    /* of single runs */
	double tail;	     /* share of runs with a long tail */
	double day_sigma;    /* of days, which hang together */
	double bad_days;     /* share */
	double weekend;	     /* ln of the factor of times */
	double weekend_runs; /* factor */
	double base[MODULES], share[MODULES], weekend_share[MODULES];
	double day; /* state */
	char names[MODULES][24];
};

static void make_app(struct app *a, uint64_t seed)
{
	static const double runs[] = {1, 3, 10, 50};
	static const double sigmas[] = {0.03, 0.08, 0.2, 0.4};
	static const double day_sigmas[] = {0.005, 0.02, 0.04, 0.08};

	*a = (struct app){.random = {.state = seed * 7919 + 13}};
	a->runs = runs[seed % 4];
	a->run_sigma = sigmas[seed / 4 % 4];
	a->day_sigma = day_sigmas[seed / 16 % 4];
	a->tail = 0.05 * uniform(&a->random);
	a->bad_days = 0.04 * uniform(&a->random);
	a->weekend = 0.35 * uniform(&a->random) - 0.1;
	a->weekend_runs = seed % 3 ? 0.4 : 0;
	for (int i = 0; i < MODULES; i++) {
		(void)snprintf(a->names[i], sizeof(a->names[i]), "module%02d", i);
		a->base[i] = log(0.2e6) + 5.5 * uniform(&a->random);
		/* most in every run, some in a few, some now and then */
		a->share[i] = i % 4 ? 1 : i % 8 ? 0.02 : uniform(&a->random);
		a->weekend_share[i] = i % 8 ? a->share[i] : uniform(&a->random);
	}
}

static double noise(struct app *a)
{
	double x = a->run_sigma * normal(&a->random);

	if (uniform(&a->random) < a->tail)
		x += -log(1 - uniform(&a->random)); /* Pareto */
	return x;
}

static bool weekend_of(int32_t day)
{
	int32_t weekday = (day + 4) % 7;

	return weekday == 0 || weekday == 6;
}

/* factor: of module `which` (-1: of all). NULL: no runs that day. */
static struct fh *make_day(struct app *a, int32_t day, int which, double factor)
{
	bool weekend = weekend_of(day);
	double expected = a->runs * (weekend ? a->weekend_runs : 1), level;
	uint64_t runs = (uint64_t)(expected * (0.5 + uniform(&a->random)) + uniform(&a->random));
	double values[MODULES][SAMPLES], cold[SAMPLES] = {0};
	uint64_t n = runs < SAMPLES ? runs : SAMPLES;
	struct fh *f;

	a->day = 0.5 * a->day + a->day_sigma * normal(&a->random) * 0.866;
	level = a->day + (weekend ? a->weekend : 0);
	if (uniform(&a->random) < a->bad_days)
		level += 0.3 + uniform(&a->random);
	if (!runs)
		return NULL;
	f = fh_new("noisy", day, day + 1, runs);
	for (uint64_t k = 0; k < n; k++) {
		double common = noise(a) * 0.7;

		for (int i = 0; i < MODULES; i++) {
			values[i][k] = exp(a->base[i] + level + common + 0.7 * noise(a)) / 1e6 *
				       (which < 0 || which == i ? factor : 1);
			cold[k] += values[i][k];
		}
		fh_add(&f->h.cold_start, cold[k], runs / n + (k < runs % n));
	}
	for (int i = 0; i < MODULES; i++) {
		double share = weekend ? a->weekend_share[i] : a->share[i];
		struct mdl_hist_module *m;
		uint64_t in = 0;

		/* some days have more of it than others */
		if (share < 1)
			share = fmin(1, share * (0.5 + uniform(&a->random)));
		for (uint64_t k = 0; k < runs; k++)
			in += uniform(&a->random) < share;
		if (!in)
			continue;
		m = fh_module(f, a->names[i], 0, 0, 0);
		sketch_free(&m->self);
		sketch_free(&m->total);
		for (uint64_t k = 0; k < n && k < in; k++) {
			fh_add(&m->self, values[i][k], (in + n - 1) / n);
			fh_add(&m->total, values[i][k], (in + n - 1) / n);
		}
		m->runs_start = m->runs_imported = m->runs_loaded = in;
		m->runs_used = in / 3;
	}
	(void)fh_done(f);
	return f;
}

static void add_day(struct trigger *t, struct fh *f)
{
	if (!f)
		return;
	assert_int_equal(trigger_add_day(t, &f->h), 0);
	fh_free(f);
}

static size_t calm_month(uint64_t seed, bool say)
{
	_cleanup_(trigger_freep) struct trigger *t = NULL;
	_free_ struct rv_change *changes = NULL;
	struct app a;
	size_t n = 0;

	make_app(&a, seed);
	assert_int_equal(trigger_new(NULL, &t), 0);
	for (int32_t d = 0; d < BEFORE + MONTH; d++)
		add_day(t, make_day(&a, START_DAY + d, -1, 1));
	assert_int_equal(trigger_changes(t, START_DAY + BEFORE, &changes, &n), 0);
	for (size_t i = 0; i < n && say; i++)
		print_message("seed %d (%g runs, sigma %g, day %g): day %d %s %s %s -> %s: %s\n",
			      (int)seed, a.runs, a.run_sigma, a.day_sigma,
			      (int)(changes[i].day - START_DAY), trigger_kind_name(changes[i].kind),
			      changes[i].module ? changes[i].module : "(app)", changes[i].before,
			      changes[i].after, changes[i].why);
	return n;
}

static void test_calm(void **state)
{
	size_t alarms = 0, months = 192;

	(void)state;
	for (uint64_t seed = 0; seed < months; seed++)
		alarms += calm_month(seed, true);
	print_message("%zu false alarms in %zu calm app-months\n", alarms, months);
	assert_true(alarms * 100 < months);
}

/* Days until a step of a module is told; -1: never. */
static int32_t days_to_see(uint64_t seed, int which, double factor, enum rv_change_kind kind)
{
	_cleanup_(trigger_freep) struct trigger *t = NULL;
	_free_ struct rv_change *changes = NULL;
	int32_t step = START_DAY + BEFORE + 3;
	struct app a;
	size_t n = 0;

	make_app(&a, seed);
	assert_int_equal(trigger_new(NULL, &t), 0);
	for (int32_t d = START_DAY; d < START_DAY + BEFORE + MONTH; d++)
		add_day(t, make_day(&a, d, which, d >= step ? factor : 1));
	assert_int_equal(trigger_changes(t, step, &changes, &n), 0);
	for (size_t i = 0; i < n; i++)
		if (changes[i].kind == kind && !changes[i].module == (which < 0) &&
		    (which < 0 || !strcmp(changes[i].module, a.names[which])))
			return (int32_t)(changes[i].day - step);
	return -1;
}

/* A step of the whole start by 30 %, in apps with ten runs a day and more whose days repeat to 4 %. */
static void step_seen(size_t sigma, int32_t most_days, size_t least_pct)
{
	size_t seen = 0, tries = 0;

	for (uint64_t seed = 0; seed < 96; seed++) {
		int32_t days;

		if (seed % 4 < 2 || seed / 16 % 4 > 2 || seed / 4 % 4 != sigma)
			continue;
		days = days_to_see(seed, -1, 1.3, RV_REGRESSION);
		tries++;
		seen += days >= 0 && days <= most_days;
	}
	print_message("+30 %%, runs of kind %zu: %zu of %zu within %d days\n", sigma, seen, tries,
		      (int)most_days);
	assert_true(tries >= 8);
	assert_true(seen * 100 >= tries * least_pct);
}

static void test_step_seen(void **state)
{
	(void)state;
	/* runs that scatter by 3, 8 and 20 % */
	step_seen(0, 5, 100);
	step_seen(1, 5, 100);
	step_seen(2, 10, 70);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_calm),
		cmocka_unit_test(test_step_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
