/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * An answer of Prometheus' HTTP API, {"status","data":{"resultType","result":[...]}}, series by series: the bytes are all there
 * already, and no more than one series is taken apart at a time. Within fleet/ only.
 */
#pragma once
#include <stddef.h>

#include "base/buf.h"

#define ANSWER_SERIES_MOST 262144 /* bytes of one */
#define ANSWER_LABELS_MOST 64	  /* of a series */

struct answer_label {
	const char *name, *value;
};
struct answer_sample {
	double t; /* Unix time in s */
	double v;
};
/* All borrowed, until the callback returns. */
struct answer_series {
	const struct answer_label *label;
	size_t n_labels;
	const struct answer_sample *sample; /* of a vector: one; of a matrix: in order of time */
	size_t n_samples;
};
/* "" when it has none of that name. */
const char *answer_get(const struct answer_series *s, const char *label);

/*
 * Calls each() for every series of a vector or matrix; what it returns below 0 ends the walk and is returned. -EBADMSG: that is no such
 * answer; -EREMOTEIO: the server says it could not, *error has its words; -ENOMEM. data ends with a NUL that len does not count.
 */
int answer_walk(const char *data, size_t len, int (*each)(const struct answer_series *s, void *arg),
		void *arg, struct buf *error);
