/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#pragma once
#include "store/names.h"
#include "store/rows.h"

struct store {
	struct db db;
	enum store_mode mode;
	char *path; /* owned */
};

/* Of a read transaction: what is read belongs together. */
int store_begin(struct store *s);
/* Of a changing one: -EROFS on a handle that reads. */
int store_begin_edit(struct store *s);
/* Commits when r is 0, else undoes; the result of both. */
int store_end(struct store *s, int r);

/* Adds all of an app to a, with runs that are not in the aggregates; ret_open: those not ended. */
int store_load(struct store *s, uint32_t app, int32_t since_day, int32_t until_day, struct agg *a,
	       uint64_t *ret_open);
/* a into a history. The caller frees h on failure too. */
int store_build(struct store *s, struct agg *a, struct mdl_history *h);
/* Its recent runs and values. */
int store_recent(struct store *s, uint32_t app, struct mdl_history *h);
