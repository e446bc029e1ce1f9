/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "export/rows.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define NO_ROW (MDL_LOAD_MAIN | MDL_LOAD_INHERITED)

struct name_module {
	const char *name;		 /* borrowed */
	const struct mdl_module *module; /* borrowed */
	int32_t row;			 /* that stands for it; -1: none yet */
};

void rows_clear(struct rows *r)
{
	free(r->row);
	free(r->unloaded);
	*r = (struct rows){.first = -1, .last = -1};
}

static int by_name(const void *a, const void *b)
{
	const struct name_module *x = a, *y = b;
	int r = strcmp(x->name, y->name);

	return r ? r : (x->module > y->module) - (x->module < y->module);
}

static struct name_module *find(struct name_module *names, size_t n, const char *name)
{
	struct name_module key = {.name = name};
	size_t low = 0, high = n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int r = strcmp(key.name, names[mid].name);

		if (!r)
			return &names[mid];
		if (r < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return NULL;
}

static void link_row(struct rows *r, int32_t i)
{
	struct row *row = &r->row[i];
	int32_t *first = row->parent < 0 ? &r->first : &r->row[row->parent].first;
	int32_t *last = row->parent < 0 ? &r->last : &r->row[row->parent].last;

	if (*last < 0)
		*first = i;
	else
		r->row[*last].next = i;
	*last = i;
}

static void add_rows(struct rows *r, const struct mdl_process *p, int32_t *row_of)
{
	for (size_t i = 0; i < p->n_loads; i++) {
		const struct mdl_load *l = &p->loads[i];
		int32_t parent = l->parent;

		row_of[i] = -1;
		/* A parent comes before its child; anything else is damage. */
		if (parent >= 0 && (size_t)parent < i)
			parent = row_of[parent];
		else
			parent = -1;
		if (l->flags & NO_ROW)
			continue; /* what it loads is outermost: __main__ is never inside a row */
		row_of[i] = (int32_t)r->n;
		r->row[r->n] = (struct row){
			.load = l,
			.parent = parent,
			.depth = parent < 0 ? 0 : r->row[parent].depth + 1,
			.first = -1,
			.last = -1,
			.next = -1,
		};
		link_row(r, (int32_t)r->n++);
	}
}

/* Finds each row's module, and for each module the row that stands for it: as it says itself, else the first. */
static void tie_modules(struct rows *r, const struct mdl_process *p, const int32_t *row_of,
			struct name_module *names)
{
	for (size_t i = 0; i < p->n_modules; i++) {
		const struct mdl_module *m = &p->modules[i];
		bool has = m->load >= 0 && (size_t)m->load < p->n_loads;

		names[i] = (struct name_module){
			.name = m->name,
			.module = m,
			.row = has && !strcmp(p->loads[m->load].name, m->name) ? row_of[m->load] :
										 -1,
		};
	}
	qsort(names, p->n_modules, sizeof(*names), by_name);
	for (size_t i = 0; i < r->n; i++) {
		struct name_module *name = find(names, p->n_modules, r->row[i].load->name);

		if (!name)
			continue;
		r->row[i].module = name->module;
		if (name->row < 0)
			name->row = (int32_t)i;
	}
	for (size_t i = 0; i < p->n_modules; i++)
		if (names[i].row >= 0 && r->row[names[i].row].module == names[i].module)
			r->row[names[i].row].stands = true;
}

static bool is_program(const struct mdl_process *p, const struct mdl_module *m)
{
	return m->uses == 0 && m->load >= 0 && (size_t)m->load < p->n_loads &&
	       p->loads[m->load].flags & MDL_LOAD_MAIN;
}

static void add_unloaded(struct rows *r, const struct mdl_process *p, struct name_module *names)
{
	for (size_t i = 0; i < p->n_modules; i++) {
		const struct mdl_module *m = &p->modules[i];
		const struct name_module *name = find(names, p->n_modules, m->name);

		if (name && name->row < 0 && !is_program(p, m))
			r->unloaded[r->n_unloaded++] = m;
	}
}

int rows_init(struct rows *ret, const struct mdl_process *p)
{
	_cleanup_(rows_clear) struct rows r = {.first = -1, .last = -1};
	_free_ struct name_module *names = NULL;
	_free_ int32_t *row_of = NULL;

	if (p->n_loads >= INT32_MAX || p->n_modules >= INT32_MAX)
		return -EINVAL;
	r.row = calloc(p->n_loads + 1, sizeof(*r.row));
	r.unloaded = calloc(p->n_modules + 1, sizeof(*r.unloaded));
	names = calloc(p->n_modules + 1, sizeof(*names));
	row_of = calloc(p->n_loads + 1, sizeof(*row_of));
	if (!r.row || !r.unloaded || !names || !row_of)
		return -ENOMEM;
	add_rows(&r, p, row_of);
	tie_modules(&r, p, row_of, names);
	add_unloaded(&r, p, names);
	*ret = r;
	r = (struct rows){.first = -1, .last = -1};
	return 0;
}

int32_t rows_next_preorder(const struct rows *r, int32_t row)
{
	if (r->row[row].first >= 0)
		return r->row[row].first;
	while (row >= 0 && r->row[row].next < 0)
		row = r->row[row].parent;
	return row < 0 ? -1 : r->row[row].next;
}

int32_t rows_first_postorder(const struct rows *r, int32_t row)
{
	while (row >= 0 && r->row[row].first >= 0)
		row = r->row[row].first;
	return row;
}

int32_t rows_next_postorder(const struct rows *r, int32_t row)
{
	if (r->row[row].next >= 0)
		return rows_first_postorder(r, r->row[row].next);
	return r->row[row].parent;
}

bool rows_cold_start_known(const struct mdl_process *p)
{
	return p->from_start && (p->cold_start_ns > 0 || p->main_ns > 0);
}
