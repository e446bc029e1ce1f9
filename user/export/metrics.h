/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Counters as Prometheus reads them, and as a page for people. Knows nothing of HTTP but the names of the media types. */
#pragma once
#include <stdbool.h>

#include "base/buf.h"
#include "model/metrics.h"

enum export_metrics_format {
	EXPORT_METRICS_TEXT,	    /* text format 0.0.4 */
	EXPORT_METRICS_OPENMETRICS, /* OpenMetrics 1.0 */
	EXPORT_METRICS_TEXTFILE,    /* as TEXT, without process_*: node_exporter has its own */
};

/* Static: what stands in Content-Type. */
const char *export_metrics_mime(enum export_metrics_format format);
/* What an Accept header asks for; NULL or "": text. A header that cannot be met gets text too, as every exporter does. */
enum export_metrics_format export_metrics_negotiate(const char *accept);
/* Appends the whole page. Series that were 0 all the time are left out. 0, -ENOMEM. */
int export_metrics(enum export_metrics_format format, const struct mdl_metrics *m, struct buf *out);

/* What the landing page says beside the counters. */
struct export_landing {
	const char *host;	   /* NULL */
	const char *newest_review; /* file name, as "lmmsd-2026-11.html"; NULL: none yet */
	const char *problem;	   /* what does not work now, in a sentence; NULL */
};
/* One HTML page, nothing loaded from elsewhere. 0, -ENOMEM. */
int export_landing(const struct mdl_metrics *m, const struct export_landing *l, struct buf *out);
