/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* From sums by label to histories. Within fleet/ only. */
#pragma once
#include "fleet/cells.h"
#include "fleet/fleet.h"

/* Cells of one app and family, by their other labels. */
struct range {
	const struct cell *cell;
	size_t n;
};

/* Cells settled; fills history, n and bounds_ms of the answer, and lost. 0, -ENOMEM. */
int histories_build(const struct cells *c, const struct fleet_period *p, struct fleet_answer *ret);
struct mdl_history *history_free(struct mdl_history *h); /* NULL */

/* Steps of it; family: [FAM_MAX]. */
int history_whole(struct mdl_history *h, const struct range *family);
int history_modules(struct mdl_history *h, const struct range *family);
/* Rounded; what is below 0 is 0. */
uint64_t history_count(double v);
uint8_t history_place(const char *name);
/* The part with that second label. */
struct range history_module_in(struct range r, const char *module);
/* "" becomes NULL. */
int history_keep(struct mdl_history *h, const char *s, const char **ret);
