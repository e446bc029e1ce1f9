/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* A measured process to what is queued: one pass, no strings compared, since it runs on the thread that reads events. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/map.h"
#include "store/run.h"

#define NOT_COUNTED (MDL_LOAD_MAIN | MDL_LOAD_INHERITED)

struct making {
	const struct mdl_process *p; /* borrowed */
	struct sto_rec *rec;	     /* borrowed */
	struct buf text;
	struct sto_map by_pointer; /* of a string */
	struct sto_map mod_of;	   /* pointer of its name to index in mods */
	uint32_t cap;
	int error;
};

static void making_clear(struct making *m)
{
	buf_free(&m->text);
	sto_map_free(&m->by_pointer);
	sto_map_free(&m->mod_of);
}

/* Cut where a character begins. */
static size_t bounded(const char *s)
{
	size_t len = strnlen(s, STO_NAME_MAX + 1);

	if (len <= STO_NAME_MAX)
		return len;
	for (len = STO_NAME_MAX; len > 0 && (s[len] & 0xc0) == 0x80;)
		len--;
	return len;
}

static uint32_t add_string(struct making *m, const char *s)
{
	struct sto_rec *rec = m->rec;
	uint32_t i;

	if (!s || !*s || m->error)
		return 0;
	i = sto_map_get(&m->by_pointer, (uintptr_t)s, 0);
	if (i != STO_NONE)
		return i;
	if (rec->n_strings == m->cap) {
		uint32_t cap = m->cap ? m->cap * 2 : 256;
		uint32_t *grown = realloc(rec->strings, cap * sizeof(*grown));

		if (!grown) {
			m->error = -ENOMEM;
			return 0;
		}
		rec->strings = grown;
		m->cap = cap;
	}
	i = rec->n_strings++;
	rec->strings[i] = (uint32_t)m->text.len;
	buf_add(&m->text, s, bounded(s));
	buf_addc(&m->text, '\0');
	if (sto_map_put(&m->by_pointer, (uintptr_t)s, 0, i) < 0)
		m->error = -ENOMEM;
	return i;
}

static void add_mods(struct making *m)
{
	const struct mdl_process *p = m->p;
	struct sto_run *r = &m->rec->run;

	for (size_t i = 0; i < p->n_modules && !m->error; i++) {
		const struct mdl_module *from = &p->modules[i];
		struct sto_mod *to = &r->mods[r->n_mods];
		uint64_t uses = 0;

		*to = (struct sto_mod){
			.name = add_string(m, from->name),
			.file = add_string(m, from->file),
			.dist = add_string(m, from->distribution),
			.version = add_string(m, from->version),
			.saving_ns = from->saving_ns,
			.kind = from->kind < LMMSD_KIND_MAX ? from->kind : LMMSD_KIND_UNKNOWN,
		};
		for (unsigned int k = 0; k < LMMSD_PLACE_MAX; k++) {
			to->uses[k] = from->uses_by_place[k];
			uses += to->uses[k];
		}
		if (from->uses > uses)
			to->uses[LMMSD_PLACE_UNKNOWN] += from->uses - uses;
		if (to->name == 0 || sto_map_get(&m->mod_of, (uintptr_t)from->name, 0) != STO_NONE)
			continue;
		if (sto_map_put(&m->mod_of, (uintptr_t)from->name, 0, r->n_mods++) < 0)
			m->error = -ENOMEM;
	}
}

/* The load that stands for the module: the first that ended well. */
static void add_load(struct sto_mod *to, const struct mdl_load *l, uint64_t spent_ns, bool start)
{
	if (l->status == MDL_FAILED)
		to->failures++;
	if (to->flags & STO_MOD_TIMED)
		return;
	if (l->status != MDL_LOADED)
		return;
	to->flags |= STO_MOD_LOAD | (start ? STO_MOD_START : 0);
	to->flags |= l->kind == LMMSD_KIND_SOURCE ? STO_MOD_SOURCE : 0;
	to->place = l->place < LMMSD_PLACE_MAX ? l->place : LMMSD_PLACE_UNKNOWN;
	if (l->flags & MDL_LOAD_OPEN)
		return;
	to->flags |= STO_MOD_TIMED;
	to->total_ns = l->total_ns - spent_ns;
	to->self_ns = l->self_ns - l->spent_ns;
}

/* By load: what probes took of it and of all in it. A parent starts before its child. */
static uint64_t *all_spent(const struct mdl_process *p)
{
	uint64_t *spent = calloc(p->n_loads + 1, sizeof(*spent));

	for (size_t i = p->n_loads; spent && i-- > 0;) {
		int32_t parent = p->loads[i].parent;

		spent[i] += p->loads[i].spent_ns;
		if (spent[i] > p->loads[i].total_ns)
			spent[i] = p->loads[i].total_ns;
		if (parent >= 0 && (size_t)parent < i)
			spent[parent] += spent[i];
	}
	return spent;
}

static uint32_t hash_text(uint32_t h, const char *s)
{
	for (; *s; s++)
		h = (h ^ (uint8_t)*s) * 16777619;
	return h;
}

/*
 * Stored times are without what lmmsd's own probes took of them. The start is the outermost loads that cold_start_ns was
 * summed from: the first ones, until it is used up.
 */
static int add_loads(struct making *m)
{
	const struct mdl_process *p = m->p;
	struct sto_run *r = &m->rec->run;
	_free_ bool *start = calloc(p->n_loads + 1, sizeof(*start));
	_free_ uint64_t *spent = all_spent(p);
	uint64_t sum_ns = 0;

	if (!start || !spent)
		return -ENOMEM;
	for (size_t i = 0; i < p->n_loads; i++) {
		const struct mdl_load *l = &p->loads[i];
		int32_t parent = l->parent;
		uint32_t mod;

		while (parent >= 0 && (size_t)parent < i &&
		       (p->loads[parent].flags & MDL_LOAD_MAIN))
			parent = p->loads[parent].parent;
		if (l->flags & NOT_COUNTED)
			continue;
		if (parent >= 0 && (size_t)parent < i) {
			start[i] = start[parent];
		} else {
			start[i] = sum_ns < p->cold_start_ns;
			sum_ns += l->total_ns;
			if (start[i])
				r->cold_start_ns -= spent[i] < r->cold_start_ns ? spent[i] :
										  r->cold_start_ns;
		}
		mod = sto_map_get(&m->mod_of, (uintptr_t)l->name, 0);
		if (mod == STO_NONE)
			continue;
		add_load(&r->mods[mod], l, spent[i], start[i]);
		if (l->kind == LMMSD_KIND_SOURCE && l->status == MDL_LOADED) /* in any order */
			r->compiled += hash_text(2166136261, l->name) | 1;
	}
	for (uint32_t i = 0; i < r->n_mods; i++)
		r->n_loaded += r->mods[i].flags & STO_MOD_LOAD ? 1 : 0;
	return 0;
}

/* By name: the first load that no importer is known of. */
static int nobodys_loads(const struct mdl_process *p, struct sto_map *ret)
{
	for (uint32_t i = 0; i < p->n_loads; i++)
		if (!p->loads[i].importer &&
		    sto_map_get(ret, (uintptr_t)p->loads[i].name, 0) == STO_NONE &&
		    sto_map_put(ret, (uintptr_t)p->loads[i].name, 0, i) < 0)
			return -ENOMEM;
	return 0;
}

/* Who asked was not seen, as of a C module's imports: then the load that it was in is the reason. */
static const char *importer_of(const struct mdl_process *p, const struct sto_map *nobodys,
			       const struct mdl_edge *e)
{
	uint32_t i = e->importer || !e->loaded ? STO_NONE :
						 sto_map_get(nobodys, (uintptr_t)e->module, 0);
	int32_t parent = i == STO_NONE ? -1 : p->loads[i].parent;

	return parent < 0 || (uint32_t)parent >= i || p->loads[parent].flags & NOT_COUNTED ?
		       e->importer :
		       p->loads[parent].name;
}

static void add_edges(struct making *m)
{
	const struct mdl_process *p = m->p;
	struct sto_run *r = &m->rec->run;
	_cleanup_(sto_map_free) struct sto_map nobodys = {0};

	if (!m->error)
		m->error = nobodys_loads(p, &nobodys);
	for (size_t i = 0; i < p->n_edges && !m->error; i++) {
		const struct mdl_edge *from = &p->edges[i];
		struct sto_edge *to = &r->edges[r->n_edges];

		*to = (struct sto_edge){
			.importer = add_string(m, importer_of(p, &nobodys, from)),
			.module = add_string(m, from->module),
			.file = add_string(m, from->file),
			.line = from->line,
			.count = from->count,
			.place = from->place < LMMSD_PLACE_MAX ? from->place : LMMSD_PLACE_UNKNOWN,
			.loaded = from->loaded,
		};
		r->n_edges += to->module != 0;
	}
}

static uint64_t hash_number(uint64_t h, uint64_t v)
{
	h = (h ^ v) * 0x9e3779b97f4a7c15;
	return h ^ h >> 32;
}

static void add_facts(struct making *m, const struct store_put_info *info)
{
	const struct mdl_process *p = m->p;
	struct sto_run *r = &m->rec->run;
	const char *app = info->app ? info->app : p->app;

	r->boot = info->boot_id && *info->boot_id ? hash_text(2166136261, info->boot_id) | 1 : 0;
	r->key = hash_number(hash_number(hash_number(r->boot, p->pid), p->start_ns), p->begin_ns);
	r->app = add_string(m, app && *app ? app : "python");
	r->started_ns = (int64_t)p->begin_ns + info->realtime_offset_ns;
	r->day = store_day_of(r->started_ns);
	r->uptime_ns = p->begin_ns;
	r->duration_ns = p->end_ns > p->begin_ns ? p->end_ns - p->begin_ns : 0;
	r->cold_start_ns = p->cold_start_ns;
	r->interpreter_ns = p->interpreter_ns;
	r->pid = p->pid;
	r->uid = p->uid;
	r->py_version = p->py_version;
	r->exit_status = p->exit_status;
	r->ended = p->ended;
	r->usage = p->usage;
	r->class = !p->from_start ? MDL_RUN_PARTIAL : p->forked ? MDL_RUN_FORKED : MDL_RUN_WARM;
	memcpy(r->lost, p->lost, sizeof(r->lost));
}

static int make(struct making *m, const struct store_put_info *info)
{
	struct sto_rec *rec = m->rec;
	struct sto_run *r = &rec->run;
	const struct mdl_process *p = m->p;

	r->mods = calloc(p->n_modules + 1, sizeof(*r->mods));
	r->edges = calloc(p->n_edges + 1, sizeof(*r->edges));
	if (!r->mods || !r->edges)
		return -ENOMEM;
	rec->n_strings = 1; /* 0 is none */
	rec->strings = calloc(256, sizeof(*rec->strings));
	if (!rec->strings)
		return -ENOMEM;
	m->cap = 256;
	buf_addc(&m->text, '\0');
	add_facts(m, info);
	add_mods(m);
	if (m->error == 0)
		m->error = add_loads(m);
	add_edges(m);
	if (m->error == 0)
		m->error = buf_error(&m->text);
	if (m->error < 0)
		return m->error;
	rec->bytes = sizeof(*rec) + m->text.len + m->cap * sizeof(*rec->strings) +
		     (p->n_modules + 1) * sizeof(*r->mods) + (p->n_edges + 1) * sizeof(*r->edges);
	rec->text = buf_take(&m->text);
	return rec->text ? 0 : -ENOMEM;
}

int sto_rec_new(const struct mdl_process *p, const struct store_put_info *info,
		struct sto_rec **ret)
{
	_cleanup_(making_clear) struct making m = {.p = p};
	int r;

	if (p->n_modules > UINT32_MAX / 2 || p->n_edges > UINT32_MAX / 2)
		return -EINVAL;
	m.rec = calloc(1, sizeof(*m.rec));
	if (!m.rec)
		return -ENOMEM;
	r = make(&m, info);
	if (r < 0) {
		(void)sto_rec_free(m.rec);
		return r;
	}
	*ret = m.rec;
	return 0;
}

struct sto_rec *sto_rec_free(struct sto_rec *r)
{
	if (!r)
		return NULL;
	sto_run_free(&r->run);
	free(r->text);
	free(r->strings);
	free(r);
	return NULL;
}
