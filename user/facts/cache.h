/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Answers of the last seconds: the runs of an app ask the same of the same files again and again, and each answer takes
 * a dozen system calls.
 */
#pragma once
#include <stdint.h>

#include "facts/answer.h"

#define CACHE_NS 10000000000 /* how long an answer holds */
#define CACHE_MAX 8192	     /* answers */

struct cache;
int cache_new(struct cache **ret);
struct cache *cache_free(struct cache *c); /* NULL */
/* The answer to this query at now_ns (any clock that does not go back), borrowed until the next call; NULL: none. */
const struct answer *cache_get(struct cache *c, int root_fd, const struct facts_query *q,
			       uint64_t now_ns);
/* Takes the answer, also on failure. *ret: it, borrowed as above. 0, -ENOMEM. */
int cache_put(struct cache *c, int root_fd, const struct facts_query *q, uint64_t now_ns,
	      struct answer *a, const struct answer **ret);
