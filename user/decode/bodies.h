/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Module bodies that run: what a BODY_ENTER said, for the records that name only the body's number. A body is forgotten
 * at its BODY_LEAVE and with its process. Whatever a stream says, no more than BODIES_MAX are kept: the processes that were
 * heard of first lose theirs.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

#define BODIES_MAX 16384

struct body_key {
	uint64_t start_ns;
	uint32_t tgid, tid;
	uint32_t number; /* of the thread's */
};

struct body_text {
	const char *name, *file; /* "" when absent; UTF-8 */
	const uint8_t *linetab;
	uint16_t linetab_len;
	int32_t firstlineno;
	uint32_t flags; /* LMMSD_WHERE_CUT or 0 */
};

struct bodies;
int bodies_new(struct bodies **ret);
struct bodies *bodies_free(struct bodies *b); /* NULL */

/* Copies. One with this key is replaced. -ENOMEM: it is not known, then. */
int bodies_enter(struct bodies *b, const struct body_key *key, const struct body_text *text);
/* Borrowed until the next call that changes b; NULL: not known. */
const struct body_text *bodies_find(const struct bodies *b, const struct body_key *key);
void bodies_leave(struct bodies *b, const struct body_key *key);
void bodies_exit(struct bodies *b, uint32_t tgid, uint64_t start_ns);
size_t bodies_count(const struct bodies *b);
