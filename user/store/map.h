/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Two numbers to one, for the store's own ids. */
#pragma once
#include <stdint.h>

#define STO_NONE UINT32_MAX

struct sto_map_slot {
	uint64_t a, b;
	uint32_t value; /* STO_NONE: free */
};
/* All zero is an empty map. */
struct sto_map {
	struct sto_map_slot *slots; /* owned, a power of two */
	uint32_t n, n_slots;
};

uint32_t sto_map_get(const struct sto_map *m, uint64_t a, uint64_t b); /* STO_NONE */
/* The key must not be there. -ENOMEM. */
int sto_map_put(struct sto_map *m, uint64_t a, uint64_t b, uint32_t value);
void sto_map_free(struct sto_map *m);
