/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* The writer of families; shared by metrics*.c only. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "export/metrics.h"

enum metrics_type { METRICS_COUNTER, METRICS_GAUGE, METRICS_HISTOGRAM, METRICS_INFO };

struct metrics_family {
	const char *name; /* without _total and _info */
	enum metrics_type type;
	const char *unit; /* NULL: none; the name ends with it */
	const char *help;
};

struct metrics_writer {
	struct buf *b; /* borrowed */
	bool open;     /* OpenMetrics */
	bool shared;   /* on one page with another program's: no process_* */
	const struct metrics_family *family;
	bool begun; /* its header was written */
};

struct metrics_label {
	const char *name, *value;
};
/* At most so many, NULL names end the list. */
#define METRICS_LABELS 6
struct metrics_labels {
	struct metrics_label l[METRICS_LABELS];
};

/* The header comes with the first sample. */
void metrics_begin(struct metrics_writer *w, const struct metrics_family *f);
/* One sample of a counter, gauge or info; created_s 0: not said. */
void metrics_u64(struct metrics_writer *w, const struct metrics_labels *l, uint64_t v,
		 int64_t created_s);
void metrics_double(struct metrics_writer *w, const struct metrics_labels *l, double v,
		    int64_t created_s);
/* counts: n + 1, not cumulative. */
void metrics_histogram(struct metrics_writer *w, const struct metrics_labels *l,
		       const double *bounds, const uint64_t *counts, size_t n, double sum,
		       int64_t created_s);

void metrics_apps(struct metrics_writer *w, const struct mdl_metrics *m);
void metrics_host(struct metrics_writer *w, const struct mdl_metrics *m);
