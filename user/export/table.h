/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* The runs of one app, summed up. Only within export/. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "export/export.h"
#include "model/profile.h"

struct table_app {
	const struct mdl_process **runs; /* borrowed */
	size_t n_runs;
	const struct export_style *style; /* borrowed */
	int decimals;
	uint64_t cold_start_ns; /* median; 0: not measured */
};

/* Median, least and greatest; sorts values. n > 0. */
struct table_spread {
	uint64_t median, min, max;
};
struct table_spread table_spread(uint64_t *values, size_t n);

/* Adds the modules of the app, the ones that save most first. 0 or -ENOMEM. */
int table_add_modules(struct buf *b, const struct table_app *app);
