/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* The metrics that a review needs, and sums of their values by label. Within fleet/ only. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/intern.h"

enum family {
	FAM_RUNS,
	FAM_WARM,
	FAM_OTHER_RUNS,
	FAM_COLD_BUCKET,
	FAM_COLD_SUM,
	FAM_COLD_SQUARED,
	FAM_INTERPRETER_BUCKET,
	FAM_INTERPRETER_SUM,
	FAM_APP_USES,
	FAM_USAGE_COUNTED,
	FAM_IMPORT_BUCKET,
	FAM_IMPORT_SUM,
	FAM_SELF,
	FAM_DEFERRABLE,
	FAM_USING,
	FAM_USING_IN_FUNCTION,
	FAM_USES,
	FAM_LOADS,
	FAM_STARTS,
	FAM_FAILURES,
	FAM_INFO,
	FAM_IMPORTERS,
	FAM_LOST,
	FAM_MAX
};
#define CELL_LABELS 6
struct family_info {
	const char *name;
	const char *labels[CELL_LABELS]; /* NULL behind the last */
	bool gauge;			 /* says what is, not what has come together */
};
extern const struct family_info families[FAM_MAX];

struct cell {
	const char *label[CELL_LABELS]; /* pooled; of the family's labels; NULL: it has no more */
	double value;
	uint8_t family;
};
#define CELLS_MOST 4000000

/* All zero but the pool is an empty table. */
struct cells {
	struct intern *strings; /* owned */
	struct cell *cell;	/* owned */
	size_t n, cap;
	size_t settled; /* so many were there when equal ones were last added up */
};
int cells_init(struct cells *c); /* 0, -ENOMEM */
void cells_clear(struct cells *c);
/* label: get() of each of the family's labels, "" when the series has it not. -ENOMEM, -E2BIG: too many. */
int cells_add(struct cells *c, enum family family,
	      const char *(*get)(const void *of, const char *label), const void *of, double value);
/* Adds up equal ones; in order of app, family, and the other labels. */
void cells_settle(struct cells *c);
