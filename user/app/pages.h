/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* The pages that need the disk, made on the web server's worker thread: reviews from the database, and the files of stored ones. */
#pragma once
#include "app/config.h"
#include "web/web.h"

struct pages;
int pages_new(const struct config *config, struct pages **ret);
struct pages *pages_free(struct pages *p); /* NULL */
/* Other thresholds. -ENOMEM: they stay as they were. */
int pages_reload(struct pages *p, const struct config *config);
/* What is being made ends soon. */
void pages_stop(struct pages *p);

/* /api/v1/review?month=YYYY-MM&app=... */
int pages_review(struct pages *p, const struct web_request *r, struct web_page **ret);
/* /reviews/ and /reviews/NAME */
int pages_stored(struct pages *p, const struct web_request *r, struct web_page **ret);

/* "2026-11" to year * 12 + month - 1. -EINVAL. */
int pages_month(const char *text, size_t len, int32_t *ret);
/* Is this the name of a stored review's file, "lmmsd-2026-11.html"? Its suffix's media type, else NULL. */
const char *pages_review_type(const char *name);
