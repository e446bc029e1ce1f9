/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * The daemon's second thread: writes the review of each month that has ended and looks for what asks for a new
 * profile. It has its own handle on the database, and whatever it waits for, the reading of events goes on.
 */
#pragma once
#include <stdint.h>

#include "app/config.h"
#include "model/review.h"

#define REVIEWER_KINDS (RV_DEPENDENCY_UPDATE + 1)

struct reviewer;
/* config: copied from, here and in reviewer_reload(). The database must exist. */
int reviewer_start(const struct config *config, struct reviewer **ret);
/* New thresholds; and looks at once. -ENOMEM: they stay as they were. */
int reviewer_reload(struct reviewer *r, const struct config *config);
/* Waits at most wait_ms for what it is at; a disk that does not answer keeps the thread. NULL. */
struct reviewer *reviewer_stop(struct reviewer *r, unsigned int wait_ms);

struct reviewer_counts {
	uint64_t triggers[REVIEWER_KINDS]; /* noticed, by enum rv_change_kind */
	uint64_t reviews;		   /* written */
	uint64_t failures;		   /* of reviews and evaluations; each is tried again */
	uint64_t evaluations;
	int64_t last_review_s; /* Unix time at which the newest stored one was written; 0: none */
	char newest[32];       /* its file's name, "lmmsd-2026-11.html"; "": none */
};
void reviewer_counts(struct reviewer *r, struct reviewer_counts *ret);
