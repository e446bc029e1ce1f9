/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Who has series of its own: the dearest, with some reluctance to change. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "metrics/state.h"

#define HALF_LIFE_S 86400
#define DEARER 2.0	/* so many times, to take another's place */
#define MIN_COST_NS 1e5 /* a module that loads faster earns no series */

/* Cut where a character begins. */
static void set_name(char to[METRICS_NAME_MAX + 1], const char *s)
{
	size_t len = strnlen(s, METRICS_NAME_MAX + 1);

	if (len > METRICS_NAME_MAX)
		for (len = METRICS_NAME_MAX; len > 0 && (s[len] & 0xc0) == 0x80;)
			len--;
	memcpy(to, s, len);
	to[len] = '\0';
}

int slots_set_string(char **to, const char *s)
{
	char text[METRICS_NAME_MAX + 1], *copy;

	if (!s) {
		free(*to);
		*to = NULL;
		return 0;
	}
	set_name(text, s);
	if (*to && !strcmp(*to, text))
		return 0;
	copy = strdup(text);
	if (!copy)
		return -ENOMEM;
	free(*to);
	*to = copy;
	return 0;
}

static void module_clear(struct module *x)
{
	free(x->importer);
	free(x->distribution);
	free(x->version);
	for (size_t i = 0; i < MDL_IMPORTERS; i++)
		free(x->importers[i]);
}

static void module_drop(struct app *a, struct module *x)
{
	HASH_DEL(a->modules, x);
	module_clear(x);
	free(x);
}

static void app_clear(struct app *a)
{
	while (a->modules)
		module_drop(a, a->modules);
	module_clear(&a->other);
}

static void app_drop(struct metrics *m, struct app *a)
{
	HASH_DEL(m->apps, a);
	app_clear(a);
	free(a);
}

void slots_free(struct metrics *m)
{
	while (m->apps)
		app_drop(m, m->apps);
	app_clear(&m->other);
}

void slots_app_init(struct app *a, const char *name, int64_t now_s)
{
	*a = (struct app){.v.created_s = now_s};
	set_name(a->name, name);
	a->v.app = a->name;
	set_name(a->other.name, MDL_OTHER);
	a->other.v.module = a->other.name;
}

/* ---- how many series there are */

static size_t places(const uint64_t v[LMMSD_PLACE_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < LMMSD_PLACE_MAX; i++)
		n += v[i] > 0;
	return n;
}

size_t slots_module_series(const struct mdl_metrics_module *v)
{
	bool timed = false;

	for (size_t i = 0; i <= MDL_IMPORT_BOUNDS; i++)
		timed = timed || v->import[i];
	/* the histogram, self time, saving, tier; the facts */
	return (timed ? MDL_IMPORT_BOUNDS + 3 + 3 : 0) + places(v->uses) + places(v->loads) +
	       (v->failures > 0) + (v->runs_using > 0) + (v->runs_using_in_function > 0) +
	       (v->start_runs > 0) + v->n_importers + 1;
}

static size_t app_series(const struct app *a)
{
	size_t n = METRICS_APP_SERIES - METRICS_MODULE_SERIES + METRICS_APP_CREATED;
	const struct module *x;

	n += slots_module_series(&a->other.v);
	for (x = a->modules; x; x = x->hh.next)
		n += slots_module_series(&x->v);
	return n;
}

static size_t count_series(const struct metrics *m)
{
	size_t n = METRICS_OWN_SERIES + app_series(&m->other);

	for (const struct app *a = m->apps; a; a = a->hh.next)
		n += app_series(a);
	return n;
}

/* ---- who goes */

static bool spend(struct budget *b, int64_t now_s)
{
	if (now_s > b->at_s)
		b->left = fmin(b->max, b->left + (double)(now_s - b->at_s) * b->per_s);
	b->at_s = now_s;
	if (b->left < 1)
		return false;
	b->left -= 1;
	return true;
}

static struct module *cheapest_of(struct app *a)
{
	struct module *least = NULL;

	for (struct module *x = a->modules; x; x = x->hh.next)
		if (!least || x->cost_ns < least->cost_ns)
			least = x;
	return least;
}

static struct module *cheapest(struct metrics *m, struct app **ret_of)
{
	struct module *least = NULL;

	for (struct app *a = m->apps; a; a = a->hh.next) {
		struct module *x = cheapest_of(a);

		if (x && (!least || x->cost_ns < least->cost_ns)) {
			least = x;
			*ret_of = a;
		}
	}
	return least;
}

static struct app *cheapest_app(struct metrics *m)
{
	struct app *least = NULL;

	for (struct app *a = m->apps; a; a = a->hh.next)
		if (!least || a->cost_ns < least->cost_ns)
			least = a;
	return least;
}

void slots_trim(struct metrics *m)
{
	m->series = count_series(m);
	while (m->series > m->options.max_series) {
		struct app *of = NULL;
		struct module *x = cheapest(m, &of);

		if (x)
			module_drop(of, x);
		else if (m->apps)
			app_drop(m, cheapest_app(m));
		else
			return;
		m->series = count_series(m);
	}
}

/* ---- apps */

static void decay(struct metrics *m, int64_t now_s)
{
	double by;

	if (now_s - m->decayed_s < HALF_LIFE_S / 24)
		return;
	by = exp2((double)(m->decayed_s - now_s) / HALF_LIFE_S);
	for (struct app *a = m->apps; a; a = a->hh.next)
		a->cost_ns *= by;
	for (size_t i = 0; i < METRICS_CANDIDATES; i++)
		m->candidates[i].cost_ns *= by;
	m->decayed_s = now_s;
}

static uint64_t hash_name(const char *s)
{
	uint64_t h = 14695981039346656037u;

	for (; *s; s++)
		h = (h ^ (uint8_t)*s) * 1099511628211u;
	return h | 1;
}

/* What the app has cost so far, as far as is remembered; the cheapest of the remembered gives way. */
static struct candidate *candidate(struct metrics *m, const char *name, double cost_ns)
{
	uint64_t hash = hash_name(name);
	struct candidate *least = &m->candidates[0];

	for (size_t i = 0; i < METRICS_CANDIDATES; i++) {
		struct candidate *c = &m->candidates[i];

		if (c->hash == hash) {
			c->cost_ns += cost_ns;
			return c;
		}
		if (c->cost_ns < least->cost_ns)
			least = c;
	}
	*least = (struct candidate){hash, cost_ns};
	return least;
}

static bool room_for(const struct metrics *m, size_t series)
{
	return m->series + series <= m->options.max_series;
}

static bool app_may_come(struct metrics *m, const char *name, double cost_ns, int64_t now_s)
{
	struct candidate *c;
	struct app *least;

	if (HASH_COUNT(m->apps) < m->options.max_apps && room_for(m, METRICS_APP_SERIES))
		return true;
	c = candidate(m, name, cost_ns);
	least = cheapest_app(m);
	if (!least || c->cost_ns <= DEARER * least->cost_ns || !spend(&m->app_changes, now_s))
		return false;
	*c = (struct candidate){0};
	app_drop(m, least);
	m->series = count_series(m);
	return true;
}

struct app *slots_app(struct metrics *m, const struct mdl_stored *run, int64_t now_s)
{
	char name[METRICS_NAME_MAX + 1];
	struct app *a;

	decay(m, now_s);
	set_name(name, run->app);
	HASH_FIND_STR(m->apps, name, a);
	if (a)
		return a;
	if (!strcmp(name, MDL_OTHER))
		return &m->other;
	if (!app_may_come(m, name, (double)run->cold_start_ns, now_s)) {
		m->refused_apps++;
		return &m->other;
	}
	a = malloc(sizeof(*a));
	if (!a)
		return NULL;
	slots_app_init(a, name, now_s);
	HASH_ADD_STR(m->apps, name, a);
	if (a->refused) {
		free(a);
		return NULL;
	}
	return a;
}

/* ---- modules */

static bool module_may_come(struct metrics *m, struct app *a, double cost_ns, int64_t now_s)
{
	bool full = HASH_COUNT(a->modules) >= m->options.max_modules;
	struct app *of = a;
	struct module *least;

	if (cost_ns < MIN_COST_NS)
		return false;
	if (!full && room_for(m, METRICS_MODULE_SERIES))
		return true;
	least = full ? cheapest_of(a) : cheapest(m, &of);
	if (!least || cost_ns <= DEARER * least->cost_ns || !spend(&m->module_changes, now_s))
		return false;
	module_drop(of, least);
	m->series = count_series(m);
	return full || room_for(m, METRICS_MODULE_SERIES);
}

struct module *slots_find_module(struct app *a, const char *name)
{
	char cut[METRICS_NAME_MAX + 1];
	struct module *x;

	set_name(cut, name);
	HASH_FIND_STR(a->modules, cut, x);
	return x;
}

struct module *slots_module(struct metrics *m, struct app *a, const struct mdl_stored_module *from,
			    int64_t now_s)
{
	char name[METRICS_NAME_MAX + 1];
	struct module *x;

	if (a == &m->other)
		return &a->other;
	set_name(name, from->name);
	HASH_FIND_STR(a->modules, name, x);
	if (x)
		return x;
	if (!strcmp(name, MDL_OTHER))
		return &a->other;
	if (!from->timed || !module_may_come(m, a, (double)from->total_ns, now_s)) {
		m->refused_modules++;
		return &a->other;
	}
	x = calloc(1, sizeof(*x));
	if (!x)
		return NULL;
	memcpy(x->name, name, sizeof(x->name));
	x->v.module = x->name;
	x->cost_ns = (double)from->total_ns;
	HASH_ADD_STR(a->modules, name, x);
	if (x->refused) {
		free(x);
		return NULL;
	}
	m->series += METRICS_MODULE_SERIES;
	return x;
}
