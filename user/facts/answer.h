/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* What is found out about one module: the part of a record that is the same for every process of one root. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "facts/dist.h"
#include "facts/pyc.h"

struct facts_query;

struct answer {
	char *dist;    /* owned; NULL: none */
	char *version; /* owned; NULL */
	char *file;    /* owned: where it is on disk; NULL: it is not */
	uint8_t kind;  /* LMMSD_KIND_*, unless by_pyc */
	bool by_pyc;   /* pyc_judge() of the look tells */
	struct pyc_look look;
};
/* Looks it up on disk. 0, -ENOMEM. */
int answer_find(struct dist *d, int root_fd, const struct facts_query *q, struct answer *ret);
void answer_done(struct answer *a);
