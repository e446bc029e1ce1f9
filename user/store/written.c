/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Runs on their way back: written, classified, and to be counted by someone else. */
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/installed.h"
#include "store/writer_int.h"

struct written {
	struct mdl_stored run;		   /* first: what the caller holds */
	struct mdl_stored_module *modules; /* owned */
	struct mdl_stored_edge *edges;	   /* owned */
	struct sto_rec *rec;		   /* owned: the strings */
};

static const char *string(const struct sto_rec *rec, uint32_t i)
{
	return i ? rec->text + rec->strings[i] : NULL;
}

static uint8_t origin_of(const struct sto_rec *rec, const struct sto_mod *m)
{
	const char *file = string(rec, m->file);

	if (m->kind == LMMSD_KIND_BUILTIN || m->kind == LMMSD_KIND_FROZEN)
		return MDL_ORIGIN_STDLIB;
	if (m->dist)
		return MDL_ORIGIN_FOREIGN;
	if (!file)
		return MDL_ORIGIN_BY_FILE;
	return installed_file(file) ? MDL_ORIGIN_STDLIB : MDL_ORIGIN_APP;
}

static void fill_modules(struct written *wr)
{
	const struct sto_run *r = &wr->rec->run;

	for (uint32_t i = 0; i < r->n_mods; i++) {
		const struct sto_mod *from = &r->mods[i];
		struct mdl_stored_module *to = &wr->modules[i];

		*to = (struct mdl_stored_module){
			.name = string(wr->rec, from->name),
			.distribution = string(wr->rec, from->dist),
			.version = string(wr->rec, from->version),
			.total_ns = from->total_ns,
			.self_ns = from->self_ns,
			.saving_ns = from->saving_ns,
			.failures = from->failures,
			.origin = origin_of(wr->rec, from),
			.place = from->place,
			.loaded = from->flags & STO_MOD_LOAD,
			.timed = from->flags & STO_MOD_TIMED,
			.at_start = from->flags & STO_MOD_START,
		};
		for (unsigned int k = 0; k < LMMSD_PLACE_MAX; k++)
			to->uses[k] = from->uses[k];
	}
}

/* The edge that caused a load names its importer. */
static int fill_edges(struct written *wr)
{
	const struct sto_run *r = &wr->rec->run;
	_free_ uint32_t *mod_of = calloc(wr->rec->n_strings, sizeof(*mod_of));

	if (!mod_of)
		return -ENOMEM;
	for (uint32_t i = 0; i < r->n_mods; i++)
		mod_of[r->mods[i].name] = i + 1;
	for (uint32_t i = 0; i < r->n_edges; i++) {
		const struct sto_edge *e = &r->edges[i];
		uint32_t mod = mod_of[e->module];

		if (!mod)
			continue;
		wr->edges[wr->run.n_edges++] = (struct mdl_stored_edge){
			.importer = string(wr->rec, e->importer),
			.module = mod - 1,
			.place = e->place,
			.loaded = e->loaded,
		};
		if (e->loaded && e->importer && !wr->modules[mod - 1].importer)
			wr->modules[mod - 1].importer = string(wr->rec, e->importer);
	}
	return 0;
}

/* Takes rec in any case. */
static int make(struct sto_rec *rec, struct mdl_stored **ret)
{
	const struct sto_run *r = &rec->run;
	struct written *wr = calloc(1, sizeof(*wr));

	if (!wr) {
		(void)sto_rec_free(rec);
		return -ENOMEM;
	}
	wr->rec = rec;
	wr->modules = calloc(r->n_mods + 1, sizeof(*wr->modules));
	wr->edges = calloc(r->n_edges + 1, sizeof(*wr->edges));
	if (wr->modules && wr->edges)
		fill_modules(wr);
	if (!wr->modules || !wr->edges || fill_edges(wr) < 0) {
		(void)store_written_free(&wr->run);
		return -ENOMEM;
	}
	wr->run = (struct mdl_stored){
		.key = r->key,
		.app = rec->other ? MDL_OTHER : string(rec, r->app),
		.class = rec->class,
		.usage = r->usage,
		.ended = r->ended,
		.duration_ns = r->duration_ns,
		.cold_start_ns = r->cold_start_ns,
		.interpreter_ns = r->interpreter_ns,
		.modules = wr->modules,
		.n_modules = r->n_mods,
		.edges = wr->edges,
		.n_edges = wr->run.n_edges,
	};
	*ret = &wr->run;
	return 0;
}

struct mdl_stored *store_written_free(struct mdl_stored *s)
{
	struct written *wr = (struct written *)(void *)s;

	if (!wr)
		return NULL;
	(void)sto_rec_free(wr->rec);
	free(wr->modules);
	free(wr->edges);
	free(wr);
	return NULL;
}

/* Under the lock. true: taken over. */
static bool keep(struct writer_shared *s, size_t max_bytes, struct sto_rec *rec)
{
	if (s->written_bytes + rec->bytes > max_bytes) {
		s->stats.unread++;
		return false;
	}
	rec->next = NULL;
	*s->last_written = rec;
	s->last_written = &rec->next;
	s->written_bytes += rec->bytes;
	return true;
}

void writer_hand_back(struct store_writer *w, struct sto_rec *rec)
{
	bool kept;

	(void)pthread_mutex_lock(&w->lock);
	kept = keep(&w->s, w->options.written_bytes, rec);
	(void)pthread_mutex_unlock(&w->lock);
	if (!kept)
		(void)sto_rec_free(rec);
}

int store_take_written(struct store_writer *w, struct mdl_stored **ret)
{
	struct sto_rec *rec;
	int r;

	(void)pthread_mutex_lock(&w->lock);
	rec = w->s.written;
	if (rec) {
		w->s.written = rec->next;
		if (!rec->next)
			w->s.last_written = &w->s.written;
		w->s.written_bytes -= rec->bytes;
	}
	(void)pthread_mutex_unlock(&w->lock);
	if (!rec)
		return 0;
	r = make(rec, ret);
	return r < 0 ? r : 1;
}
