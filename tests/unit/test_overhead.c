/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* The share of the processors over the last one to two minutes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app/overhead.h"

#define CPUS 4

static void is(double a, double b)
{
	if (a < b - 1e-9 || a > b + 1e-9)
		fail_msg("%g, should be %g", a, b);
}

static void test_from_the_start(void **state)
{
	struct overhead o;

	(void)state;
	overhead_begin(&o, 100);
	is(overhead_ratio(&o, 100, 0.5, CPUS),
	   0.125); /* as if a second had passed: no division by nothing */
	is(overhead_ratio(&o, 110, 2, CPUS), 0.05);
}

/* What was long ago counts no longer: a burst is seen, and so is its end. */
static void test_of_late(void **state)
{
	struct overhead o;
	double cost = 0;

	(void)state;
	overhead_begin(&o, 0);
	for (int s = 1; s <= 86400; s++)
		overhead_note(&o, s, 0);
	is(overhead_ratio(&o, 86400, 0, CPUS), 0);
	for (int s = 1; s <= 120; s++)
		overhead_note(&o, 86400 + s, cost += 1); /* one processor of four */
	is(overhead_ratio(&o, 86400 + 120, cost, CPUS), 0.25);
	for (int s = 121; s <= 240; s++)
		overhead_note(&o, 86400 + s, cost);
	is(overhead_ratio(&o, 86400 + 240, cost, CPUS), 0);
}

/* Noted only now and then: a busy loop has no ticks. */
static void test_gaps(void **state)
{
	struct overhead o;

	(void)state;
	overhead_begin(&o, 0);
	overhead_note(&o, 1000, 100);
	is(overhead_ratio(&o, 1000, 100, CPUS), 0.025);
	overhead_note(&o, 2000, 300);
	is(overhead_ratio(&o, 2000, 300, CPUS), 0.05);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_from_the_start),
		cmocka_unit_test(test_of_late),
		cmocka_unit_test(test_gaps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
