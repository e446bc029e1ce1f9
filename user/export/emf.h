/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * CloudWatch's embedded metric format: JSON objects, one a line, from which CloudWatch Logs takes metrics. Whatever comes in,
 * each line keeps the format's limits: names and values that CloudWatch accepts, at most so many of each, so many bytes.
 * What does not fit goes into a further line. https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "model/interval.h"

#define EMF_MAX_METRICS 100  /* of a directive */
#define EMF_MAX_VALUES 100   /* of a metric in an event */
#define EMF_MAX_DIMENSIONS 9 /* of a set; CloudWatch itself takes 30 since 2022 */
#define EMF_NAME_MAX 255     /* bytes of a namespace, a metric or a dimension's name */
#define EMF_DIMENSION_MAX                                                                          \
	250 /* bytes of a dimension's value: CloudWatch takes more, the format does not */
/* Of an event: 256 KiB less the 26 bytes that CloudWatch Logs adds to each. */
#define EMF_MAX_BYTES (256 * 1024 - 26)
/* Of an event in a datagram. */
#define EMF_MAX_DATAGRAM (60 * 1024)

struct emf_options {
	const char *namespace; /* as emf_namespace_ok() */
	const char *log_group; /* as emf_log_group_ok(); NULL: the agent's */
	const char *host;
	bool host_dimension; /* the host is a dimension, else a property */
	size_t max_bytes;    /* of an event, without the newline */
};

/* Without newline. An error ends the rendering and is its result. */
typedef int (*emf_line_fn)(void *arg, const char *line, size_t len);

/* All events of an interval. -ENOMEM; *ret_left_out: metrics that no event could take. */
int emf_interval(const struct mdl_interval *t, const struct emf_options *o, emf_line_fn fn,
		 void *arg, uint64_t *ret_left_out);

/* ASCII, 1 to 255 of what CloudWatch allows, and not the cloud's own "AWS/". */
bool emf_namespace_ok(const char *s);
/* 1 to 512 of what CloudWatch Logs allows. */
bool emf_log_group_ok(const char *s);
/*
 * What CloudWatch takes as the value of a dimension: printable ASCII, other characters as \u{NNNN}. A long name ends in a
 * hash of all of it, so that two of them do not become one.
 */
void emf_dimension(struct buf *b, const char *s);
