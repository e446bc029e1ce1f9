/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Shared by reviewer*.c only. */
#pragma once
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "app/reviewer.h"
#include "store/store.h"

/* What the thread works by: a copy, so that a reload of the configuration cannot take it away. */
struct reviewer_settings {
	char *db, *reviews; /* owned */
	struct rv_thresholds thresholds;
	enum rv_basis basis;
	uint64_t evaluate_s;
};

struct reviewer {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct reviewer_settings settings; /* under lock */
	struct reviewer_counts counts;	   /* under lock */
	bool kicked;			   /* under lock */
	atomic_bool stop;

	/* Of the thread alone. */
	int64_t evaluated_ns; /* Unix time at which the last good evaluation began; 0: none */
	int32_t month_done;   /* months before this one have their reviews; INT32_MIN: not known */
	int32_t month_now;    /* what the clock says ... */
	int64_t month_since_ns; /* ... since then, CLOCK_MONOTONIC */
	bool failed;		/* the last round failed, which was said */
};

/* Writes the reviews that are due at now_ns, Unix time. passed_ns: CLOCK_MONOTONIC. */
int reviewer_months(struct reviewer *r, const struct reviewer_settings *s, struct store *store,
		    int64_t now_ns, int64_t passed_ns);
/* Which stored review is the newest. */
void reviewer_newest(struct reviewer *r, const char *dir);
/* Looks for triggers in the apps that have run since the last time. */
int reviewer_triggers(struct reviewer *r, const struct reviewer_settings *s, struct store *store);
