/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * The memory of all processes together: graph_limits.bytes. Each process's part is taken from what it holds, never
 * added up, so that what it gives back is what it was charged.
 */
#include "graph/state.h"

#define SHARE                                                                                      \
	8 /* the part of what is left that a process may hold when the budget is half used up */
#define SMALL 1024 /* the part of the budget that a process may hold whatever is left */
#define RESERVE 8  /* the part of the budget that is there for this, on top of it */

static size_t index_bytes(const struct index *x)
{
	return x->cap * sizeof(*x->slots);
}

static size_t held(const struct proc *p)
{
	size_t n = sizeof(*p) + p->thread_bytes;

	n += p->strings ? intern_bytes(p->strings) : 0;
	n += p->cap_loads * sizeof(*p->loads) + p->cap_facts * sizeof(*p->facts);
	n += p->cap_uses * (sizeof(*p->uses) + sizeof(*p->keys));
	return n + index_bytes(&p->use_index) + index_bytes(&p->fact_index);
}

void graph_charge(struct proc *p)
{
	size_t now = held(p);

	p->budget->used += now - p->bytes;
	p->bytes = now;
}

/*
 * What a process holds is not taken away from it again, so it must not hold much when little is left: each one that
 * takes all it can get leaves eight ninths to who comes next. Arrays double, so none can pass the budget with that.
 */
bool graph_may_grow(const struct proc *p)
{
	const struct budget *b = p->budget;

	if (b->used < b->max / 2)
		return true;
	if (b->used < b->max && p->bytes < (b->max - b->used) / SHARE)
		return true;
	return p->bytes < b->max / SMALL && graph_may_begin(b);
}

bool graph_may_begin(const struct budget *b)
{
	return b->used < b->max + b->max / RESERVE;
}
