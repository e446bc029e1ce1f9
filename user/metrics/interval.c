/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "metrics/interval.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "metrics/interval_int.h"

#define NOT_COUNTED (MDL_LOAD_MAIN | MDL_LOAD_INHERITED)
#define UNTIMED (NOT_COUNTED | MDL_LOAD_OPEN | MDL_LOAD_UNTIMED)
#define FOLLOW_NS                                                                                  \
	500000	   /* a cheaper module gets no row of its own: it is never among the costliest */
#define SAME_MIN 3 /* runs that compiled the same modules before it is the app's manner */

int interval_new(const struct interval_limits *limits, int64_t now_ns, struct interval **ret)
{
	struct interval *i = calloc(1, sizeof(*i));

	if (!i)
		return -ENOMEM;
	i->limits = *limits;
	i->since_ns = now_ns;
	i->ranked_ns = now_ns;
	i->random = 0x9e3779b97f4a7c15;
	*ret = i;
	return 0;
}

void interval_module_free(struct module *m)
{
	free(m->name);
	free(m->distribution);
	free(m->version);
	free(m->total.ns);
	free(m);
}

static void empty_app(struct app *a)
{
	struct module *m, *next;

	HASH_ITER (hh, a->modules, m, next) {
		HASH_DEL(a->modules, m);
		interval_module_free(m);
	}
	free(a->name);
	free(a->cold_start.ns);
	free(a->interpreter.ns);
}

void interval_app_free(struct app *a)
{
	empty_app(a);
	free(a);
}

static void forget_counted(struct interval *i)
{
	struct counted *c, *next;

	HASH_ITER (hh, i->counted, c, next) {
		HASH_DEL(i->counted, c);
		free(c);
	}
}

struct interval *interval_free(struct interval *i)
{
	struct app *a, *next;

	if (!i)
		return NULL;
	HASH_ITER (hh, i->apps, a, next) {
		HASH_DEL(i->apps, a);
		interval_app_free(a);
	}
	empty_app(&i->other);
	forget_counted(i);
	free(i);
	return NULL;
}

int interval_value(struct mdl_values *v, uint64_t ns, size_t max, uint64_t *random)
{
	uint64_t *grown, at;
	size_t cap;

	v->seen++;
	if (v->n >= max) {
		*random ^= *random << 13;
		*random ^= *random >> 7;
		*random ^= *random << 17;
		at = *random % v->seen;
		if (at < v->n)
			v->ns[at] = ns;
		return 0;
	}
	if (v->n == v->cap) {
		cap = v->cap ? v->cap * 2 : 8;
		grown = reallocarray(v->ns, cap, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		v->ns = grown;
		v->cap = cap;
	}
	v->ns[v->n++] = ns;
	return 0;
}

/* Bytes of a name that are kept: cut where a character begins. */
static size_t bounded(const char *s)
{
	size_t len = strnlen(s, NAME_BYTES_MAX + 1);

	if (len > NAME_BYTES_MAX)
		for (len = NAME_BYTES_MAX; len > 0 && (s[len] & 0xc0) == 0x80;)
			len--;
	return len;
}

/* &i->other where there is no room; NULL: no memory. */
static struct app *app_of(struct interval *i, const char *name, double cost)
{
	size_t len = bounded(name);
	struct app *a;

	HASH_FIND(hh, i->apps, name, len, a);
	if (a)
		return a;
	if (!strcmp(name, MDL_OTHER) || !interval_app_room(i, cost))
		return &i->other;
	a = calloc(1, sizeof(*a));
	if (!a)
		return NULL;
	a->name = strndup(name, len);
	if (a->name) {
		HASH_ADD_KEYPTR(hh, i->apps, a->name, len, a);
		if (!a->refused)
			return a;
	}
	interval_app_free(a);
	return NULL;
}

/* *ret NULL: without a row of its own. */
static int module_of(struct interval *i, struct app *a, const struct mdl_module *from,
		     uint64_t total_ns, uint64_t cost_ns, struct module **ret)
{
	size_t len = bounded(from->name);
	struct module *m;

	HASH_FIND(hh, a->modules, from->name, len, *ret);
	if (*ret || a == &i->other || total_ns < FOLLOW_NS || !strcmp(from->name, MDL_OTHER) ||
	    !interval_module_room(a, (double)cost_ns))
		return 0;
	m = calloc(1, sizeof(*m));
	if (!m)
		return -ENOMEM;
	m->name = strndup(from->name, len);
	if (m->name) {
		HASH_ADD_KEYPTR(hh, a->modules, m->name, len, m);
		if (!m->refused) {
			*ret = m;
			return 0;
		}
	}
	interval_module_free(m);
	return -ENOMEM;
}

static int set_text(char **to, const char *from)
{
	char *copy;

	if (!from || (*to && !strcmp(*to, from)))
		return 0;
	copy = strndup(from, bounded(from));
	if (!copy)
		return -ENOMEM;
	free(*to);
	*to = copy;
	return 0;
}

static int add_module(struct interval *i, struct app *a, const struct mdl_process *p,
		      const struct mdl_module *from, bool warm)
{
	const struct mdl_load *l = from->load >= 0 ? &p->loads[from->load] : NULL;
	bool timed = l && l->status == MDL_LOADED && !(l->flags & UNTIMED);
	/* What the interpreter loads by itself nobody can defer: not worth a name. */
	bool own = l && p->main_ns && l->start_ns < p->main_ns;
	uint64_t self_ns = timed && warm ? l->self_ns : 0;
	uint64_t saving_ns = warm ? from->saving_ns : 0;
	struct module *m;
	int r;

	if ((l && l->flags & MDL_LOAD_MAIN) || !strcmp(from->name, "__main__"))
		return 0;
	a->slow_imports += timed && l->total_ns > i->limits.slow_ns;
	r = module_of(i, a, from, timed && !own ? l->total_ns : 0, self_ns + saving_ns, &m);
	if (r)
		return r;
	if (!m) {
		a->other_self_ns += self_ns;
		return 0;
	}
	m->self_ns += self_ns;
	m->saving_ns += saving_ns;
	m->runs_using += from->uses || l;
	r = set_text(&m->distribution, from->distribution);
	if (!r)
		r = set_text(&m->version, from->version);
	if (!r && timed && warm)
		r = interval_value(&m->total, l->total_ns, INTERVAL_MODULE_VALUES, &i->random);
	return r;
}

static void add_failures(struct app *a, const struct mdl_process *p)
{
	struct module *m;

	for (size_t k = 0; k < p->n_loads; k++) {
		const struct mdl_load *l = &p->loads[k];

		if (l->status != MDL_FAILED || l->flags & NOT_COUNTED)
			continue;
		HASH_FIND(hh, a->modules, l->name, bounded(l->name), m);
		if (m)
			m->failures++;
		else
			a->other_failures++;
	}
}

/* Of the names of what was compiled, in any order; 0: nothing was. */
static uint32_t compiled(const struct mdl_process *p)
{
	uint32_t sum = 0;

	for (size_t k = 0; k < p->n_loads; k++) {
		const struct mdl_load *l = &p->loads[k];
		uint32_t h = 2166136261;

		if (l->kind != LMMSD_KIND_SOURCE || l->status != MDL_LOADED ||
		    l->flags & NOT_COUNTED)
			continue;
		for (const char *s = l->name; *s; s++)
			h = (h ^ (uint8_t)*s) * 16777619;
		sum += h | 1;
	}
	return sum;
}

/* Did nothing have to be compiled but what this app compiles in every run? */
static bool is_warm(struct app *a, const struct mdl_process *p)
{
	uint32_t now = compiled(p);
	bool manner = now && now == a->compiled && a->same >= SAME_MIN;

	a->same = now && now == a->compiled ? a->same + 1 : now != 0;
	a->compiled = now;
	return !now || manner;
}

/* 1: it is in already, or comes later; 0: now is its time. */
static int seen_before(struct interval *i, const struct mdl_process *p)
{
	struct counted probe = {.key = {p->start_ns, p->begin_ns, p->pid, 0}}, *c;

	HASH_FIND(hh, i->counted, &probe.key, sizeof(probe.key), c);
	if (c && p->ended) {
		HASH_DEL(i->counted, c);
		free(c);
		return 1;
	}
	if (c)
		return 1;
	if (p->ended)
		return 0;
	if (p->end_ns < p->begin_ns || p->end_ns - p->begin_ns < INTERVAL_LIVE_NS)
		return 1;
	if (HASH_COUNT(i->counted) >= COUNTED_MAX)
		forget_counted(i);
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->key = probe.key;
	HASH_ADD(hh, i->counted, key, sizeof(c->key), c);
	if (!c->refused)
		return 0;
	free(c);
	return -ENOMEM;
}

int interval_add(struct interval *i, const struct mdl_process *p)
{
	double cost = (double)p->cold_start_ns +
		      1; /* one that costs nothing is worth a name, too */
	struct app *a;
	bool warm;
	int r = 0;

	if (!p->from_start || p->forked)
		return 0;
	r = seen_before(i, p);
	if (r)
		return r < 0 ? r : 0;
	a = app_of(i, p->app && *p->app ? p->app : "python", cost);
	if (!a)
		return -ENOMEM;
	warm = is_warm(a, p);
	i->runs++;
	a->runs++;
	a->cost += cost;
	if (warm)
		r = interval_value(&a->cold_start, p->cold_start_ns, INTERVAL_APP_VALUES,
				   &i->random);
	if (!r && warm && p->interpreter_ns)
		r = interval_value(&a->interpreter, p->interpreter_ns, INTERVAL_APP_VALUES,
				   &i->random);
	for (size_t k = 0; !r && k < p->n_modules; k++)
		r = add_module(i, a, p, &p->modules[k], warm);
	add_failures(a, p);
	return r;
}
