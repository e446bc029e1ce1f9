/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * What many hosts measured, from a Prometheus that scrapes their lmmsd, or from anything with its HTTP API (Thanos, Mimir,
 * VictoriaMetrics): the same plain histories as the store's, merged over the hosts. Waits for the network; one thread a handle.
 *
 * What is exact: counters are read at the two ends of the period and at the last scrape before each restart of a daemon
 * (process_start_time_seconds tells those), never with increase(), which extrapolates and misses a counter's first value. So
 * runs, uses, loads, failures, savings and edges are the sums of the hosts', as far as they were scraped.
 *
 * What is not: times. A sketch is rebuilt from the histogram's buckets (rebuild.h). A median is on the right side of each bound, so a
 * tier is exact where the policy's thresholds are bounds; its value is known to the bucket. Files and lines are not known.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "model/history.h"

#define FLEET_TIMEOUT_S 120
#define FLEET_ANSWER_MAX (256ul << 20)

struct fleet_options {
	const char *url; /* http or https; user:password@ for basic authentication, else ~/.netrc */
	const char
		*headers_file;	/* "NAME: VALUE" a line, as for a bearer token or a tenant; NULL */
	const char *ca_file;	/* PEM; NULL: the system's */
	unsigned int timeout_s; /* of a query */
	size_t answer_max;	/* bytes of an answer */
};

struct fleet;
/* -EINVAL, or that of a file in the options. *error: one line for a person, as in all calls that take it. */
int fleet_new(const struct fleet_options *o, struct fleet **ret, struct buf *error);
struct fleet *fleet_free(struct fleet *f); /* NULL */
static inline void fleet_freep(struct fleet **f)
{
	(void)fleet_free(*f);
}
/* The URL without password, for messages. Borrowed. */
const char *fleet_url(const struct fleet *f);

struct fleet_period {
	int32_t since_day, until_day; /* for the histories */
	int64_t since_s, until_s;     /* Unix time of the same */
};

struct fleet_answer {
	struct mdl_history **history; /* owned, by app; only apps with runs */
	size_t n;
	uint64_t lost[LMMSD_LOST_MAX]; /* of all hosts */
	size_t hosts;		       /* with lmmsd in the period */
	size_t restarts;	       /* of their daemons */
	size_t late; /* hosts that ran before the first sample there is of them: counted from that on */
	double bounds_ms[16]; /* of the import times' histograms, rising */
	size_t n_bounds;
	size_t queries; /* that were asked */
};
/*
 * app: NULL for all. -ENODATA: no host with lmmsd in the period; *error then is empty. -EACCES: the server wants to know who asks.
 * -EREMOTEIO: it says that it cannot. -EBADMSG: what answers is no Prometheus. -EFBIG, -ETIMEDOUT, -EHOSTUNREACH, -ENOMEM.
 */
int fleet_read(struct fleet *f, const struct fleet_period *p, const char *app,
	       struct fleet_answer *ret, struct buf *error);
void fleet_answer_clear(struct fleet_answer *a);
