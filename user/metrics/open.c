/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Processes that go on: what was counted of each, so that nothing counts twice. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "metrics/state.h"

#define MAX_OPEN 65536
#define FAILURES_MOST ((1u << 29) - 1)

struct counted {
	uint32_t hash; /* of the module's name */
	uint32_t failures : 29;
	uint32_t load : 1, imported : 1, in_function : 1;
	uint32_t uses[LMMSD_PLACE_MAX];
};

struct open_run {
	UT_hash_handle hh;
	uint64_t key;
	uint64_t cold_start_ns;	 /* of the copy before */
	struct counted *counted; /* owned, by hash; NULL: nothing was */
	size_t n;
	bool is_counted;
	bool refused;
};

static uint32_t hash_name(const char *s)
{
	uint32_t h = 2166136261;

	for (; *s; s++)
		h = (h ^ (uint8_t)*s) * 16777619;
	return h;
}

static size_t bytes_of(const struct open_run *o)
{
	return sizeof(*o) + o->n * sizeof(*o->counted);
}

static void drop(struct metrics *m, struct open_run *o)
{
	HASH_DEL(m->open, o);
	m->open_bytes -= bytes_of(o);
	free(o->counted);
	free(o);
}

struct open_run *open_find(struct metrics *m, uint64_t key)
{
	struct open_run *o;

	HASH_FIND(hh, m->open, &key, sizeof(key), o);
	return o;
}

bool open_counted(const struct open_run *open)
{
	return open->is_counted;
}

/* The table's order is that of the last touch: whose end was not seen is in front. */
static int put(struct metrics *m, struct open_run *o)
{
	o->refused = false;
	HASH_ADD(hh, m->open, key, sizeof(o->key), o);
	if (!o->refused)
		return 0;
	m->open_bytes -= bytes_of(o);
	free(o->counted);
	free(o);
	return -ENOMEM;
}

static int touch(struct metrics *m, struct open_run *o)
{
	HASH_DEL(m->open, o);
	return put(m, o);
}

static int add(struct metrics *m, const struct mdl_stored *run)
{
	struct open_run *o = calloc(1, sizeof(*o));

	if (!o)
		return -ENOMEM;
	if (HASH_COUNT(m->open) >= MAX_OPEN)
		drop(m, m->open);
	o->key = run->key;
	o->cold_start_ns = run->cold_start_ns;
	m->open_bytes += bytes_of(o);
	return put(m, o);
}

int open_due(struct metrics *m, const struct mdl_stored *run, bool *ret)
{
	struct open_run *o = open_find(m, run->key);

	*ret = false;
	if (!o)
		return add(m, run);
	*ret = o->is_counted || o->cold_start_ns == run->cold_start_ns;
	o->cold_start_ns = run->cold_start_ns;
	/* no room to remember what is counted: when it ends, then */
	if (*ret && !o->is_counted &&
	    m->open_bytes + run->n_modules * sizeof(struct counted) > m->options.open_bytes)
		*ret = false;
	return touch(m, o);
}

static int by_hash(const void *a, const void *b)
{
	const struct counted *x = a, *y = b;

	return (x->hash > y->hash) - (x->hash < y->hash);
}

static uint32_t bounded(uint64_t v, uint32_t max)
{
	return v < max ? (uint32_t)v : max;
}

int open_remember(struct metrics *m, const struct mdl_stored *run)
{
	struct open_run *o = open_find(m, run->key);
	struct counted *c = calloc(run->n_modules + 1, sizeof(*c));

	if (!o || !c) {
		free(c);
		return -ENOMEM;
	}
	for (size_t i = 0; i < run->n_modules; i++) {
		const struct mdl_stored_module *from = &run->modules[i];
		uint64_t uses = 0;

		c[i].hash = hash_name(from->name);
		c[i].failures = bounded(from->failures, FAILURES_MOST) & FAILURES_MOST;
		for (size_t k = 0; k < LMMSD_PLACE_MAX; k++) {
			c[i].uses[k] = bounded(from->uses[k], UINT32_MAX);
			uses += from->uses[k];
		}
		c[i].load = from->loaded;
		c[i].imported = uses > 0;
		c[i].in_function = from->uses[LMMSD_PLACE_FUNCTION] || from->uses[LMMSD_PLACE_LAZY];
	}
	qsort(c, run->n_modules, sizeof(*c), by_hash);
	m->open_bytes -= bytes_of(o);
	free(o->counted);
	o->counted = c;
	o->n = run->n_modules;
	o->is_counted = true;
	m->open_bytes += bytes_of(o);
	return 0;
}

void open_forget(struct metrics *m, uint64_t key)
{
	struct open_run *o = open_find(m, key);

	if (o)
		drop(m, o);
}

void open_free(struct metrics *m)
{
	while (m->open)
		drop(m, m->open);
}

static void all_news(const struct mdl_stored_module *from, struct news *ret)
{
	uint64_t uses = 0;

	*ret = (struct news){.failures = from->failures, .load = from->loaded};
	for (size_t i = 0; i < LMMSD_PLACE_MAX; i++) {
		ret->uses[i] = from->uses[i];
		uses += from->uses[i];
	}
	ret->imported = uses > 0;
	ret->in_function = from->uses[LMMSD_PLACE_FUNCTION] || from->uses[LMMSD_PLACE_LAZY];
}

void open_news(const struct open_run *open, const struct mdl_stored_module *from, struct news *ret)
{
	const struct counted key = {.hash = hash_name(from->name)};
	const struct counted *c = NULL;

	all_news(from, ret);
	if (open && open->n)
		c = bsearch(&key, open->counted, open->n, sizeof(key), by_hash);
	if (!c)
		return;
	ret->failures -= c->failures < ret->failures ? c->failures : ret->failures;
	for (size_t i = 0; i < LMMSD_PLACE_MAX; i++)
		ret->uses[i] -= c->uses[i] < ret->uses[i] ? c->uses[i] : ret->uses[i];
	ret->load = ret->load && !c->load;
	ret->imported = ret->imported && !c->imported;
	ret->in_function = ret->in_function && !c->in_function;
}
