/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Counters that a test fills, and their snapshot. */
#pragma once
#include "fake_metrics.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

struct fixture {
	struct metrics *m;
	struct mdl_metrics s;
};

static inline int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	if (!f || metrics_new(&fake_metrics_options, FAKE_NOW_S, &f->m) < 0)
		return -1;
	*state = f;
	return 0;
}

static inline int teardown(void **state)
{
	struct fixture *f = *state;

	metrics_snapshot_free(&f->s);
	(void)metrics_free(f->m);
	free(f);
	return 0;
}

static inline void take(struct fixture *f)
{
	metrics_snapshot_free(&f->s);
	assert_int_equal(metrics_snapshot(f->m, &f->s), 0);
}
