/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "store/map.h"

#include <errno.h>
#include <stdlib.h>

#define FIRST_SLOTS 64

static uint64_t mix(uint64_t a, uint64_t b)
{
	uint64_t x = a * 0x9e3779b97f4a7c15 ^ (b + 0x632be59bd9b4e019) * 0xc2b2ae3d27d4eb4f;

	x = (x ^ x >> 32) * 0xd6e8feb86659fd93;
	return x ^ x >> 32;
}

static struct sto_map_slot *find(struct sto_map_slot *slots, uint32_t n, uint64_t a, uint64_t b)
{
	for (uint32_t i = (uint32_t)mix(a, b) & (n - 1);; i = (i + 1) & (n - 1))
		if (slots[i].value == STO_NONE || (slots[i].a == a && slots[i].b == b))
			return &slots[i];
}

uint32_t sto_map_get(const struct sto_map *m, uint64_t a, uint64_t b)
{
	return m->n_slots ? find(m->slots, m->n_slots, a, b)->value : STO_NONE;
}

static int grow(struct sto_map *m)
{
	uint32_t n = m->n_slots ? m->n_slots * 2 : FIRST_SLOTS;
	struct sto_map_slot *slots;

	if (n == 0)
		return -ENOMEM;
	slots = malloc((size_t)n * sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		slots[i].value = STO_NONE;
	for (uint32_t i = 0; i < m->n_slots; i++)
		if (m->slots[i].value != STO_NONE)
			*find(slots, n, m->slots[i].a, m->slots[i].b) = m->slots[i];
	free(m->slots);
	m->slots = slots;
	m->n_slots = n;
	return 0;
}

int sto_map_put(struct sto_map *m, uint64_t a, uint64_t b, uint32_t value)
{
	if (m->n >= m->n_slots / 4 * 3) {
		int r = grow(m);

		if (r < 0)
			return r;
	}
	*find(m->slots, m->n_slots, a, b) = (struct sto_map_slot){a, b, value};
	m->n++;
	return 0;
}

void sto_map_free(struct sto_map *m)
{
	free(m->slots);
	*m = (struct sto_map){0};
}
