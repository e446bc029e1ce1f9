/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "graph/index.h"

#include <errno.h>
#include <stdlib.h>

#define FIRST_SLOTS 64u

uint32_t index_next(const struct index *x, uint32_t hash, uint32_t *pos)
{
	if (x->cap == 0)
		return INDEX_NONE;
	while (*pos < x->cap) {
		const struct index_slot *s = &x->slots[(hash + *pos) & (x->cap - 1)];

		++*pos;
		if (s->ref == 0)
			return INDEX_NONE;
		if (s->hash == hash)
			return s->ref - 1;
	}
	return INDEX_NONE;
}

static void put(struct index *x, uint32_t hash, uint32_t ref)
{
	uint32_t i = hash & (x->cap - 1);

	while (x->slots[i].ref != 0)
		i = (i + 1) & (x->cap - 1);
	x->slots[i] = (struct index_slot){.hash = hash, .ref = ref};
}

int index_add(struct index *x, uint32_t hash, uint32_t element)
{
	struct index grown;

	if (x->n >= x->cap / 4 * 3) {
		grown.cap = x->cap ? x->cap * 2 : FIRST_SLOTS;
		grown.n = x->n;
		grown.slots = calloc(grown.cap, sizeof(*grown.slots));
		if (!grown.slots)
			return -ENOMEM;
		for (uint32_t i = 0; i < x->cap; i++)
			if (x->slots[i].ref != 0)
				put(&grown, x->slots[i].hash, x->slots[i].ref);
		free(x->slots);
		*x = grown;
	}
	put(x, hash, element + 1);
	x->n++;
	return 0;
}

void index_free(struct index *x)
{
	free(x->slots);
	*x = (struct index){0};
}
