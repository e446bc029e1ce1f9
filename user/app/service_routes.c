/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* What is served. */
#include <string.h>

#include "app/records.h"
#include "app/service_web.h"
#include "export/metrics.h"

#define FRESH_NS                                                                                   \
	(1000ull * 1000000) /* a page of counters serves everyone who asks within this time */

/* ---- pages that the loop's thread makes */

static int make_counters(struct service *s, enum cached which, struct buf *ret)
{
	struct mdl_metrics m;
	struct reviewer_counts rc = {0};
	struct store_stats st;
	int r = service_metrics_take(s, &m);

	if (r)
		return r;
	if (which == CACHED_LANDING) {
		struct export_landing l = {
			.host = graph_host(sink_graph(session_sink(s->session)))->name};

		if (s->reviewer)
			reviewer_counts(s->reviewer, &rc);
		store_writer_stats(s->writer, &st);
		l.newest_review = *rc.newest ? rc.newest : NULL;
		l.problem = st.last_error ? st.error : NULL;
		r = export_landing(&m, &l, ret);
	} else {
		r = export_metrics(which == CACHED_OPEN ? EXPORT_METRICS_OPENMETRICS :
							  EXPORT_METRICS_TEXT,
				   &m, ret);
	}
	metrics_snapshot_free(&m);
	return r;
}

/* One body for everyone: slow readers hold it together, and whoever asks often costs nothing. */
static int counters(struct service *s, enum cached which, const char *type, struct web_page **ret)
{
	struct service_web *sw = s->web;
	struct buf body = {0};
	struct web_page *page = NULL;
	int r;

	if (sw->cache[which].page && records_now() - sw->cache[which].made_ns < FRESH_NS) {
		*ret = web_page_ref(sw->cache[which].page);
		return 0;
	}
	r = make_counters(s, which, &body);
	if (r)
		buf_free(&body);
	else
		r = web_page_new(200, type, &body, &page);
	if (!r && which != CACHED_LANDING)
		r = web_page_header(page, "Vary", "Accept");
	if (r) {
		(void)web_page_unref(page);
		return r;
	}
	(void)web_page_unref(sw->cache[which].page);
	sw->cache[which].page = page;
	sw->cache[which].made_ns = records_now();
	*ret = web_page_ref(page);
	return 0;
}

static int on_metrics(void *arg, const struct web_request *r, struct web_page **ret)
{
	enum export_metrics_format f = export_metrics_negotiate(web_request_header(r, "Accept"));

	return counters(arg, f == EXPORT_METRICS_OPENMETRICS ? CACHED_OPEN : CACHED_TEXT,
			export_metrics_mime(f), ret);
}

static int on_landing(void *arg, const struct web_request *r, struct web_page **ret)
{
	(void)r;
	return counters(arg, CACHED_LANDING, "text/html; charset=utf-8", ret);
}

static int on_healthy(void *arg, const struct web_request *r, struct web_page **ret)
{
	(void)arg;
	(void)r;
	return web_page_text(200, ret, "healthy");
}

/* The loop runs only when all is attached. */
static int on_ready(void *arg, const struct web_request *r, struct web_page **ret)
{
	(void)arg;
	(void)r;
	return web_page_text(200, ret, "ready");
}

/* ---- pages of the worker thread: these touch nothing of the service but its struct pages */

static int on_review(void *arg, const struct web_request *r, struct web_page **ret)
{
	return pages_review(((struct service *)arg)->web->pages, r, ret);
}

static int on_stored(void *arg, const struct web_request *r, struct web_page **ret)
{
	return pages_stored(((struct service *)arg)->web->pages, r, ret);
}

static const struct web_route routes[] = {
	{"/", on_landing, false, false},
	{"/metrics", on_metrics, false, false},
	{"/-/healthy", on_healthy, false, true},
	{"/-/ready", on_ready, false, true},
	{"/api/v1/review", on_review, true, false},
	{"/reviews/*", on_stored, true, false},
};

const struct web_route *service_web_routes(size_t *ret_n)
{
	*ret_n = ARRAY_LEN(routes);
	return routes;
}
