/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Any set of metrics with the same dimensions, as as many events of the embedded metric format as it takes. */
#pragma once
#include "export/emf.h"
#include "export/jsonx.h"

struct emf_metric {
	const char *name; /* printable ASCII, no dimension's */
	const char *unit; /* of CloudWatch: "Count", "Milliseconds", ... */
	const double *values;
	size_t n; /* none: the metric is left out */
};

struct emf_text {
	const char *name;
	const char *value; /* valid UTF-8; as a dimension: of emf_dimension() */
};

struct emf_doc {
	const struct emf_options *options;
	int64_t timestamp_ms; /* Unix time */
	const struct emf_text *dimensions;
	size_t n_dimensions; /* 1 to EMF_MAX_DIMENSIONS */
	const struct emf_text *properties;
	size_t n_properties; /* in an event that would be too long with them they are left out */
	const struct emf_metric *metrics;
	size_t n_metrics;
};

/* As emf_interval(). Values that are no finite number, or larger than CloudWatch's 2^360, are left out and counted. */
int emf_doc(const struct emf_doc *d, emf_line_fn fn, void *arg, uint64_t *left_out);
