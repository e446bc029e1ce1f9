/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Inside graph/: finds an element of an array by hash. The array may move; elements are never taken out. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#define INDEX_NONE UINT32_MAX

struct index {
	struct index_slot {
		uint32_t hash;
		uint32_t ref; /* element + 1; 0: free */
	} * slots;	      /* owned */
	uint32_t cap;	      /* 0 or a power of two */
	uint32_t n;
};

/*
 * The next element with this hash, or INDEX_NONE. *pos begins at 0; the caller compares, and asks again when it is
 * another one.
 */
uint32_t index_next(const struct index *x, uint32_t hash, uint32_t *pos);
/* 0 or -ENOMEM. */
int index_add(struct index *x, uint32_t hash, uint32_t element);
void index_free(struct index *x);

/* Mixes words, interned pointers among them. */
static inline uint32_t index_hash(uint64_t a, uint64_t b, uint64_t c)
{
	uint64_t h = a * 0x9e3779b97f4a7c15u;

	h = (h ^ (h >> 32) ^ b) * 0xd6e8feb86659fd93u;
	h = (h ^ (h >> 32) ^ c) * 0xd6e8feb86659fd93u;
	return (uint32_t)(h ^ (h >> 32));
}
