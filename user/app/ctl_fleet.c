/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* The review of many hosts, from what Prometheus has of them. */
#include <errno.h>
#include <math.h>
#include <string.h>
#include <time.h>

#include "analysis/appraise.h"
#include "app/ctl.h"
#include "app/options.h"
#include "base/log.h"
#include "fleet/fleet.h"
#include "model/metrics.h"
#include "review/review.h"

#define NS_PER_S 1000000000

/* Both periods, and what is made of them. */
struct material {
	const struct ctl *c;		 /* borrowed */
	struct fleet *fleet;		 /* owned */
	struct fleet_answer now, before; /* owned */
	struct reviewing_period period_before;
	struct rv_thresholds thresholds;
	struct rv_app **app; /* owned, as what it points to */
	size_t n;
};

static void material_clear(struct material *m)
{
	for (size_t i = 0; i < m->n; i++)
		(void)appraise_app_free(m->app[i]);
	free(m->app);
	fleet_answer_clear(&m->now);
	fleet_answer_clear(&m->before);
	(void)fleet_free(m->fleet);
}

static int failed(const struct material *m, int r, const struct buf *error)
{
	log_error("cannot ask Prometheus at '%s': %s", fleet_url(m->fleet),
		  error->len ? buf_str(error) : strerror(-r));
	return r == -EACCES ? EXIT_NOT_PERMITTED : r == -ENOMEM ? EXIT_INTERNAL : EXIT_NOT_FOUND;
}

static int open_fleet(struct material *m)
{
	const struct fleet_options o = {
		.url = m->c->prometheus,
		.headers_file = m->c->prometheus_headers,
		.ca_file = m->c->prometheus_ca,
		.timeout_s = FLEET_TIMEOUT_S,
		.answer_max = FLEET_ANSWER_MAX,
	};
	_buf_ struct buf error = {0};
	int r = fleet_new(&o, &m->fleet, &error);

	if (!r)
		return 0;
	log_error("%s", error.len ? buf_str(&error) : strerror(-r));
	return (int)options_exit_code(r);
}

/* What has not come yet cannot be asked for. */
static struct fleet_period times_of(const struct reviewing_period *p)
{
	struct fleet_period f = {.since_day = p->since,
				 .until_day = p->until,
				 .since_s = store_day_start(p->since) / NS_PER_S,
				 .until_s = store_day_start(p->until) / NS_PER_S};
	int64_t now = (int64_t)time(NULL);

	if (f.until_s > now && f.since_s < now)
		f.until_s = now;
	return f;
}

static int nothing(const struct material *m)
{
	char period[64];

	reviewing_label(&m->c->period, period, sizeof(period));
	if (!m->now.hosts)
		log_error(
			"no metric of lmmsd in %s at '%s': let it scrape 'lmmsd --service', port 9748 of each host",
			period, fleet_url(m->fleet));
	else if (m->c->app)
		log_error("no run of '%s' in %s on the %zu hosts of '%s'", m->c->app, period,
			  m->now.hosts, fleet_url(m->fleet));
	else
		log_error("no run in %s on the %zu hosts of '%s'", period, m->now.hosts,
			  fleet_url(m->fleet));
	return EXIT_NOT_FOUND;
}

static int read_both(struct material *m)
{
	struct fleet_period p = times_of(&m->c->period);
	_buf_ struct buf error = {0};
	int r = fleet_read(m->fleet, &p, m->c->app, &m->now, &error);

	if (r && r != -ENODATA)
		return failed(m, r, &error);
	if (r || !m->now.n)
		return nothing(m);
	p = times_of(&m->period_before);
	r = fleet_read(m->fleet, &p, m->c->app, &m->before, &error);
	/* that there was none before is no failure */
	return r && r != -ENODATA ? failed(m, r, &error) : 0;
}

static const struct mdl_history *find(const struct fleet_answer *a, const char *app)
{
	for (size_t i = 0; i < a->n; i++)
		if (!strcmp(a->history[i]->app, app))
			return a->history[i];
	return NULL;
}

static int appraise(const struct material *m, const struct mdl_history *now, struct rv_app **ret)
{
	const struct mdl_history *before = find(&m->before, now->app);
	struct mdl_baseline baseline;
	struct appraise_input in = {.now = now,
				    .before = before,
				    .thresholds = &m->thresholds,
				    .basis = reviewing_basis(m->c->config)};
	char label[64];
	int r = 0;

	reviewing_label(&m->period_before, label, sizeof(label));
	if (before && before->runs[MDL_RUN_WARM]) {
		r = store_baseline_of(before, label, &baseline);
		in.baseline = r ? NULL : &baseline;
	}
	if (!r)
		r = appraise_app(&in, ret);
	if (in.baseline)
		free((void *)(uintptr_t)baseline.modules);
	return r;
}

static bool is_bound(const struct fleet_answer *a, double ms)
{
	for (size_t i = 0; i < a->n_bounds; i++)
		if (fabs(a->bounds_ms[i] - ms) < ms * 1e-6)
			return true;
	return false;
}

static void say_note(const struct material *m, struct buf *b)
{
	const struct rv_thresholds *t = &m->thresholds;
	const double limits[] = {t->fast_ms, t->slow_ms, t->warn_ms};

	buf_addf(
		b,
		"From Prometheus at %s: %zu host%s. Times are rebuilt from histogram buckets: on which side of a "
		"threshold a median lies is exact, its value is as close as the bucket is wide, and a module's own time "
		"is a mean. Counts and savings are exact as far as the hosts were scraped. Lines of imports are not known.",
		fleet_url(m->fleet), m->now.hosts, m->now.hosts == 1 ? "" : "s");
	buf_addf(
		b,
		" Single times are not known: a start that got longer or shorter is told only where the histograms leave no "
		"doubt, a module never. Of a module that is imported in %d ways or more not all are known: what to defer with it is "
		"not said.",
		MDL_IMPORTERS);
	if (m->now.late)
		buf_addf(
			b,
			" Of %zu the first samples are later than their daemon's start: counted from those on.",
			m->now.late);
	for (size_t i = 0; i < ARRAY_LEN(limits); i++)
		if (!is_bound(&m->now, limits[i]))
			buf_addf(
				b,
				" No host has %g ms as a bound: near it tiers are estimates; give lmmsctl the hosts' "
				"thresholds (--config).",
				limits[i]);
}

static int finish(struct material *m, struct rv_review **ret)
{
	const struct fleet_period p = times_of(&m->c->period);
	_buf_ struct buf note = {0}, host = {0};
	char label[64];
	struct review_input in = {
		.version = LMMSD_VERSION,
		.label = label,
		.since_s = p.since_s,
		.until_s = store_day_start(p.until_day) / NS_PER_S,
		.basis = reviewing_basis(m->c->config),
		.thresholds = &m->thresholds,
		.lost = m->now.lost,
		.daemon = true, /* whose metrics these are */
	};
	int r;

	reviewing_label(&m->c->period, label, sizeof(label));
	buf_addf(&host, "%zu host%s", m->now.hosts, m->now.hosts == 1 ? "" : "s");
	say_note(m, &note);
	if (buf_error(&host) || buf_error(&note))
		return -ENOMEM;
	in.host = buf_str(&host);
	in.note = buf_str(&note);
	r = review_new(&in, m->app, m->n, appraise_app_free, ret);
	if (!r)
		m->n = 0; /* they are the review's */
	return r;
}

int ctl_fleet_review(const struct ctl *c, struct rv_review **ret)
{
	_cleanup_(material_clear) struct material m = {
		.c = c,
		.period_before = reviewing_before(&c->period),
		.thresholds = reviewing_thresholds(c->config),
	};
	int r = open_fleet(&m);

	if (!r)
		r = read_both(&m);
	if (r)
		return r;
	m.app = calloc(m.now.n, sizeof(struct rv_app *));
	r = m.app ? 0 : -ENOMEM;
	for (size_t i = 0; i < m.now.n && !r; i++) {
		r = appraise(&m, m.now.history[i], &m.app[m.n]);
		m.n += r == 0;
	}
	if (!r)
		r = finish(&m, ret);
	if (!r)
		return 0;
	log_error("cannot review what Prometheus at '%s' has: %s", fleet_url(m.fleet),
		  strerror(-r));
	return EXIT_INTERNAL;
}
