/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Queries, and what was found out of the hosts by them. Within fleet/ only. */
#pragma once
#include <stdarg.h>

#include "fleet/answer.h"
#include "fleet/cells.h"
#include "fleet/fleet.h"
#include "fleet/http.h"

struct fleet {
	struct http *http; /* owned */
	size_t queries;
};

/* An instant query at a time; each series goes to each(). Errors as fleet_read(). */
int ask(struct fleet *f, const char *query, double time_s,
	int (*each)(const struct answer_series *s, void *arg), void *arg, struct buf *error);

/* One host's lmmsd, by all the labels that scraping gave it. */
struct target {
	const char *selector; /* pooled: job="lmmsd",instance="a:9748" */
	double last_start; /* process_start_time_seconds of its last sample in the period; NAN: none */
	double start_since; /* ... at the period's begin; NAN: not there then */
	double start_until; /* ... at its end */
};
struct targets {
	struct target *target; /* owned; by selector */
	size_t n, cap;
	struct intern *strings; /* owned */
	struct buf jobs;	/* owned: a regular expression, as the inside of a PromQL string */
};
void targets_clear(struct targets *t);
/* -ENODATA: there is none. */
int targets_find(struct fleet *f, const struct fleet_period *p, struct targets *ret,
		 struct buf *error);

/* A moment at which a host's counters must be read, besides the period's two ends. */
struct reading {
	const char *selector; /* borrowed from the targets */
	double time_s;	      /* of a sample */
	double sign;	      /* 1: comes to it; -1: was there before */
};
struct readings {
	struct reading *reading; /* owned */
	size_t n, cap;
	size_t restarts, late;
	size_t absent; /* targets that ended before the period */
};
/* Of all targets: where a daemon ended within the period, and where the ends do not say what was there. */
int readings_find(struct fleet *f, const struct fleet_period *p, const struct targets *t,
		  struct readings *ret, struct buf *error);

/* The inside of a PromQL string: \ and " escaped. */
void ask_quote(struct buf *b, const char *s);
