/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "app/cloudwatch.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "app/emit.h"
#include "base/log.h"
#include "export/emf.h"
#include "metrics/interval.h"

#define ACCURACY_US 100000

struct cloudwatch {
	struct config_cloudwatch config; /* owned strings: namespace, log_group */
	char *host;			 /* owned */
	enum endpoint_kind kind;
	struct interval *interval; /* owned */
	struct emit *emit;	   /* owned */
	sd_event_source *timer;	   /* owned */
	cloudwatch_lost_fn lost;
	void *arg;
	uint64_t lost_before[LMMSD_LOST_MAX];
	uint64_t left_out; /* runs and metrics for which there was no memory or no room */
};

static int64_t now_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static int on_line(void *arg, const char *line, size_t len)
{
	struct cloudwatch *c = arg;

	(void)emit_line(c->emit, line, len); /* what it cannot take it counts */
	return 0;
}

/* What was lost since the last interval; the present totals become the ones to start from. */
static void lost_since(struct cloudwatch *c, uint64_t ret[LMMSD_LOST_MAX])
{
	uint64_t now[LMMSD_LOST_MAX] = {0};

	c->lost(c->arg, now);
	for (size_t i = 0; i < LMMSD_LOST_MAX; i++) {
		ret[i] = now[i] > c->lost_before[i] ? now[i] - c->lost_before[i] : 0;
		c->lost_before[i] = now[i];
	}
}

static void push(struct cloudwatch *c)
{
	const struct emf_options options = {
		.namespace = c->config.namespace,
		.log_group = c->config.log_group,
		.host = c->host,
		.host_dimension = c->config.host_dimension,
		.max_bytes = c->kind == ENDPOINT_UDP ? EMF_MAX_DATAGRAM : EMF_MAX_BYTES,
	};
	_cleanup_(interval_free_takenp) struct mdl_interval *t = NULL;
	uint64_t lost[LMMSD_LOST_MAX];

	lost_since(c, lost);
	if (interval_take(c->interval, now_ns(), lost, &t) ||
	    emf_interval(t, &options, on_line, c, &c->left_out))
		c->left_out++;
	emit_kick(c->emit);
}

static int on_timer(sd_event_source *es, uint64_t usec, void *arg)
{
	struct cloudwatch *c = arg;
	uint64_t step = c->config.interval_s * 1000000, now = usec;

	push(c);
	/* From when it was due, so that intervals do not drift; after a pause of the host from now. */
	(void)sd_event_now(sd_event_source_get_event(es), CLOCK_MONOTONIC, &now);
	(void)sd_event_source_set_time(es, now > usec + step ? now + step : usec + step);
	return sd_event_source_set_enabled(es, SD_EVENT_ONESHOT);
}

static int copy_config(struct cloudwatch *c, const struct config *config, const char *host)
{
	c->config = config->cloudwatch;
	c->config.endpoint = c->config.from = NULL;
	c->config.namespace = strdup(config->cloudwatch.namespace);
	c->config.log_group = strdup(config->cloudwatch.log_group);
	c->host = strdup(host);
	return c->config.namespace && c->config.log_group && c->host ? 0 : -ENOMEM;
}

static int open_endpoint(struct cloudwatch *c, sd_event *event, const struct config *config,
			 const struct endpoint *to)
{
	int r = emit_new(event, to, &c->emit);

	if (r && r != -ENOMEM)
		log_error(
			"%s: cannot write the metrics for CloudWatch to '%s': %s: change [cloudwatch] endpoint",
			config->cloudwatch.from ? config->cloudwatch.from : "the default",
			to->kind == ENDPOINT_FILE ? to->path : "stdout", strerror(-r));
	return r;
}

int cloudwatch_new(sd_event *event, const struct config *config, const char *host,
		   cloudwatch_lost_fn lost, void *arg, struct cloudwatch **ret)
{
	const struct interval_limits limits = {
		.max_apps = config->cloudwatch.max_apps,
		.max_modules = config->cloudwatch.max_modules,
		.slow_ns = (uint64_t)(config->review.warn_ms * 1e6),
	};
	_endpoint_ struct endpoint to = {0};
	struct cloudwatch *c;
	_buf_ struct buf why = {0};
	int r = endpoint_parse(config->cloudwatch.endpoint, &to, &why);

	*ret = NULL;
	if (r || to.kind == ENDPOINT_OFF)
		return r;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->kind = to.kind;
	c->lost = lost;
	c->arg = arg;
	lost(arg, c->lost_before);
	r = copy_config(c, config, host);
	if (!r)
		r = open_endpoint(c, event, config, &to);
	if (!r)
		r = interval_new(&limits, now_ns(), &c->interval);
	if (!r)
		r = sd_event_add_time_relative(event, &c->timer, CLOCK_MONOTONIC,
					       c->config.interval_s * 1000000, ACCURACY_US,
					       on_timer, c);
	if (r < 0) {
		(void)cloudwatch_free(c);
		return r;
	}
	*ret = c;
	return 0;
}

struct cloudwatch *cloudwatch_free(struct cloudwatch *c)
{
	if (!c)
		return NULL;
	(void)sd_event_source_disable_unref(c->timer);
	(void)emit_free(c->emit);
	(void)interval_free(c->interval);
	free(c->config.namespace);
	free(c->config.log_group);
	free(c->host);
	free(c);
	return NULL;
}

void cloudwatch_add(struct cloudwatch *c, const struct mdl_process *p)
{
	if (c && interval_add(c->interval, p))
		c->left_out++;
}

void cloudwatch_finish(struct cloudwatch *c, unsigned int ms)
{
	if (!c)
		return;
	push(c);
	emit_drain(c->emit, ms);
}

uint64_t cloudwatch_dropped(const struct cloudwatch *c)
{
	struct emit_stats st = {0};

	if (!c)
		return 0;
	emit_stats(c->emit, &st);
	return st.dropped + c->left_out;
}

static bool same(const char *a, const char *b)
{
	return !strcmp(a, b);
}

bool cloudwatch_same(const struct config *a, const struct config *b)
{
	const struct config_cloudwatch *x = &a->cloudwatch, *y = &b->cloudwatch;

	return same(x->endpoint, y->endpoint) && same(x->namespace, y->namespace) &&
	       same(x->log_group, y->log_group) && x->interval_s == y->interval_s &&
	       x->max_apps == y->max_apps && x->max_modules == y->max_modules &&
	       x->host_dimension == y->host_dimension && a->review.warn_ms == b->review.warn_ms;
}
