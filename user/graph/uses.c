/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Use keys: what the kernel counts, and what each key means. And what DIST events say of modules. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/buf.h"
#include "graph/state.h"

static uint32_t key_hash(const struct lmmsd_use_key *k)
{
	uint64_t small = (uint64_t)(uint16_t)k->level << 16 | (uint64_t)k->place << 8 | k->flags;

	return index_hash(k->name, k->globals, small);
}

static struct use *find(const struct proc *p, const struct lmmsd_use_key *k)
{
	uint32_t pos = 0, i, hash = key_hash(k);

	while ((i = index_next(&p->use_index, hash, &pos)) != INDEX_NONE)
		if (memcmp(&p->keys[i], k, sizeof(*k)) == 0)
			return &p->uses[i];
	return NULL;
}

static int reserve(struct proc *p)
{
	size_t cap = p->cap_uses ? p->cap_uses * 2 : 128;
	struct lmmsd_use_key *keys;
	struct use *uses;

	if (p->n_uses < p->cap_uses)
		return 0;
	uses = realloc(p->uses, cap * sizeof(*uses));
	if (!uses)
		return -ENOMEM;
	p->uses = uses;
	keys = realloc(p->keys, cap * sizeof(*keys));
	if (!keys)
		return -ENOMEM;
	p->keys = keys;
	p->cap_uses = cap;
	return 0;
}

/* Length of the package that a relative name starts from: `package` less level - 1 trailing parts; 0: beyond it. */
static size_t base_len(const char *package, size_t len, int level)
{
	for (; level > 1 && len > 0; level--)
		while (len > 0 && package[--len] != '.')
			;
	return len;
}

/* The absolute name, added to b; nothing when there is none. */
static void resolve(const struct ev *ev, const char *importer, struct buf *b)
{
	const char *package = ev->use.package, *name = ev->use.name;
	int level = ev->use.key.level;
	size_t len;

	if (level <= 0) {
		buf_adds(b, name);
		return;
	}
	if ((ev->use.flags & LMMSD_USEF_PACKAGE_NONE) || package[0] == '\0') {
		package = importer ? importer : "";
		if (!(ev->use.flags & LMMSD_USEF_IS_PACKAGE))
			level++; /* a module's package is its name less the last part */
	}
	len = base_len(package, strlen(package), level);
	if (len == 0)
		return;
	buf_add(b, package, len);
	if (name[0] != '\0') {
		buf_addc(b, '.');
		buf_adds(b, name);
	}
}

/* What importlib does for itself, and the cached last step of `import a.b`: cpython-imports 1.2, 1.3. */
static bool is_noise(const struct ev *ev, const char *importer)
{
	const struct ev_where *w = &ev->use.where;
	bool io;

	if (!ev->use.keyed)
		return false; /* a statement of a module */
	io = strcmp(ev->use.name, "_io") == 0 || strcmp(ev->use.name, "io") == 0;
	if (w->flags & LMMSD_WHERE_INTERNAL && (io || ev->use.key.globals == 0))
		return true;
	if (io && importer &&
	    (strcmp(importer, "importlib._bootstrap_external") == 0 ||
	     strcmp(importer, "_frozen_importlib_external") == 0))
		return true;
	if (ev->use.key.globals != 0 || ev->use.key.flags & LMMSD_USE_OVERFLOW)
		return false;
	return !(w->flags & LMMSD_WHERE_FRAME) || w->flags & LMMSD_WHERE_STMT;
}

static uint8_t use_place(const struct proc *p, const struct ev *ev)
{
	const struct ev_where *w = &ev->use.where;
	const struct lmmsd_use_key *k = &ev->use.key;
	uint32_t flags = w->flags;
	uint8_t place;

	if (k->place == LMMSD_PLACE_LAZY || graph_lazy_woke(p, ev->tid, w->frame, 0, flags))
		return LMMSD_PLACE_LAZY;
	if (k->flags & LMMSD_USE_CAPI)
		flags |= LMMSD_WHERE_CAPI;
	place = graph_place(flags);
	if (place != LMMSD_PLACE_UNKNOWN || k->flags & LMMSD_USE_CAPI)
		return place;
	return k->place < LMMSD_PLACE_MAX ? k->place : LMMSD_PLACE_UNKNOWN;
}

static int strings(struct proc *p, const struct ev *ev, struct use *u)
{
	const struct ev_where *w = &ev->use.where;
	_buf_ struct buf name = {0};
	struct thread *t = graph_thread_find(p, ev->tid);
	const struct open *top = t ? graph_stack_top(t) : NULL;
	int r = 0;

	if (!(ev->use.key.flags & LMMSD_USE_OVERFLOW))
		r = graph_proc_str(p, w->importer, &u->importer);
	if (r < 0 || is_noise(ev, u->importer))
		return r;
	resolve(ev, u->importer, &name);
	if (buf_error(&name) < 0)
		return -ENOMEM;
	if (u->importer)
		r = graph_proc_str(p, w->file, &u->file);
	u->line = u->importer ? w->line : 0;
	if (graph_asked_by_c(top, w, buf_str(&name)) && top->name[0] != '\0') {
		u->importer = top->name;
		u->file = top->load < 0 ? NULL : p->loads[top->load].m.file;
		u->line = 0;
		u->place = LMMSD_PLACE_MODULE;
	} else if (w->flags & LMMSD_WHERE_INTERNAL && !(w->flags & LMMSD_WHERE_DYNAMIC)) {
		return r; /* importlib's own */
	}
	return r < 0 ? r : graph_proc_str(p, buf_str(&name), &u->module);
}

static uint32_t use_hash(const struct use *u)
{
	return index_hash((uintptr_t)u->importer, (uintptr_t)u->module, (uint32_t)u->line);
}

/* One without a key, of the same statement: its module ran again, by reload() for example. */
static struct use *find_same(const struct proc *p, const struct use *u)
{
	uint32_t pos = 0, i, hash = use_hash(u);

	while ((i = index_next(&p->use_index, hash, &pos)) != INDEX_NONE) {
		struct use *o = &p->uses[i];

		if (p->keys[i].tgid == 0 && o->importer == u->importer && o->module == u->module &&
		    o->line == u->line && o->place == u->place)
			return o;
	}
	return NULL;
}

int graph_use(struct graph *g, struct proc *p, const struct ev *ev)
{
	struct use u = {
		.count = 1, .capi = ev->use.key.flags & LMMSD_USE_CAPI, .place = use_place(p, ev)};
	bool keyed = ev->use.keyed;
	struct use *same;
	int r;

	if (keyed && find(p, &ev->use.key))
		return 0;
	if (p->n_uses >= g->limits.edges || !graph_may_grow(p)) {
		graph_lose(g, p, LMMSD_LOST_LIMIT_EDGES);
		return 0;
	}
	r = strings(p, ev, &u);
	if (r == -ENOSPC)
		graph_lose(g, p, LMMSD_LOST_LIMIT_EDGES);
	if (r < 0 || !u.module)
		return r == -ENOMEM ? r : 0;
	same = keyed ? NULL : find_same(p, &u);
	if (same) {
		same->count++;
		g->counts.uses++;
		return 0;
	}
	r = reserve(p);
	if (r == 0)
		r = index_add(&p->use_index, keyed ? key_hash(&ev->use.key) : use_hash(&u),
			      (uint32_t)p->n_uses);
	graph_charge(p);
	if (r < 0)
		return r;
	p->keys[p->n_uses] = keyed ? ev->use.key : (struct lmmsd_use_key){0};
	p->uses[p->n_uses++] = u;
	g->counts.uses++;
	return 0;
}

/* Absolute counts; that of a key that began anew in the kernel may be less than before. */
void graph_uses(struct graph *g, const struct ev *ev)
{
	const struct lmmsd_use_key *k = &ev->uses.key;
	struct proc *p = NULL;
	struct use *u = NULL;

	while (!u && (p = graph_proc_next(g, k->tgid, k->start_ns, p)))
		u = find(p, k);
	if (!u || ev->uses.count <= u->count)
		return;
	g->counts.uses += ev->uses.count - u->count;
	u->count = ev->uses.count;
}

static uint32_t name_hash(const char *interned)
{
	return index_hash((uintptr_t)interned, 1, 0);
}

static struct fact *fact(const struct proc *p, const char *name)
{
	uint32_t pos = 0, i, hash = name_hash(name);

	while ((i = index_next(&p->fact_index, hash, &pos)) != INDEX_NONE)
		if (p->facts[i].name == name)
			return &p->facts[i];
	return NULL;
}

const struct fact *graph_fact(const struct proc *p, const char *name)
{
	return fact(p, name);
}

static int fact_add(struct graph *g, struct proc *p, const char *name, struct fact **ret)
{
	int r;

	*ret = NULL;
	if (p->n_facts >= g->limits.modules || !graph_may_grow(p)) {
		graph_lose(g, p, LMMSD_LOST_LIMIT_MODULES);
		return 0;
	}
	r = ARRAY_ROOM(p->facts, p->n_facts, p->cap_facts);
	if (r == 0)
		r = index_add(&p->fact_index, name_hash(name), (uint32_t)p->n_facts);
	graph_charge(p);
	if (r < 0)
		return r;
	*ret = &p->facts[p->n_facts++];
	**ret = (struct fact){.name = name};
	return 0;
}

static bool has_module(const struct proc *p, const char *name)
{
	for (size_t i = 0; i < p->n_loads; i++)
		if (strcmp(p->loads[i].m.name, name) == 0)
			return true;
	for (size_t i = 0; i < p->n_uses; i++)
		if (strcmp(p->uses[i].module, name) == 0)
			return true;
	return false;
}

/* Of several programs of one pid: the first that has the module and does not know yet. */
static struct proc *whose(const struct graph *g, const struct ev *ev)
{
	struct proc *first = graph_proc_next(g, ev->tgid, ev->start_ns, NULL), *p = first;
	const char *name;

	if (!first || !graph_proc_next(g, ev->tgid, ev->start_ns, first))
		return first;
	for (; p; p = graph_proc_next(g, ev->tgid, ev->start_ns, p))
		if (has_module(p, ev->dist.name) && graph_proc_str(p, ev->dist.name, &name) == 0 &&
		    !fact(p, name))
			return p;
	return first;
}

static int dist(struct graph *g, struct proc *p, const struct ev *ev)
{
	struct fact in, *f;
	int r = graph_proc_str(p, ev->dist.name, &in.name);

	if (r == 0)
		r = graph_proc_str(p, ev->dist.dist, &in.dist);
	if (r == 0)
		r = graph_proc_str(p, ev->dist.version, &in.version);
	if (r == 0)
		r = graph_proc_str(p, ev->dist.file, &in.file);
	if (r == -ENOSPC)
		graph_lose(g, p, LMMSD_LOST_LIMIT_MODULES);
	if (r < 0 || !in.name)
		return r == -ENOMEM ? r : 0;
	f = fact(p, in.name);
	if (!f) {
		r = fact_add(g, p, in.name, &f);
		if (r < 0 || !f)
			return r;
	}
	in.kind = ev->dist.kind < LMMSD_KIND_MAX ? ev->dist.kind : LMMSD_KIND_UNKNOWN;
	*f = in;
	return 0;
}

int graph_dist(struct graph *g, const struct ev *ev)
{
	struct proc *p = whose(g, ev);

	return p ? dist(g, p, ev) : 0;
}
