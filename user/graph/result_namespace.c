/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Namespace packages have neither code nor file: what shows them is a module below them whose file lies in a
 * directory of their name, as in a/b.py for a.b.
 */
#include <errno.h>
#include <string.h>

#include "graph/state.h"

/* Cuts the last component off path[0..*len); its start and length. False: none is left. */
static bool cut(const char *path, size_t *len, const char **ret, size_t *ret_len)
{
	size_t end = *len, from;

	while (end > 0 && path[end - 1] == '/')
		end--;
	for (from = end; from > 0 && path[from - 1] != '/';)
		from--;
	if (from == end)
		return false;
	*ret = path + from;
	*ret_len = end - from;
	*len = from;
	return true;
}

/* Is the module called name[0..len) one without code of its own? Then the directory shows what it is. */
static int mark(struct result *r, const char *name, size_t len)
{
	const char *own = intern_strn(r->m->strings, name, len);
	struct mdl_module *mod;

	if (!own)
		return -ENOMEM;
	mod = graph_result_module(r, own);
	if (!mod || mod->load < 0 || mod->kind != LMMSD_KIND_UNKNOWN || mod->file)
		return 0;
	if (mod->status != MDL_LOADED || r->p->loads[mod->load].body || r->p->loads[mod->load].ext)
		return 0;
	mod->kind = LMMSD_KIND_NAMESPACE;
	r->m->loads[mod->load].kind = LMMSD_KIND_NAMESPACE;
	return 0;
}

static int parents(struct result *r, const char *name, const char *file)
{
	size_t name_len = strlen(name), file_len = strlen(file), n;
	const char *part;
	int res = 0;

	if (!cut(file, &file_len, &part, &n))
		return 0;
	if (strncmp(part, "__init__.", 9) == 0 && !cut(file, &file_len, &part, &n))
		return 0;
	while (res == 0) {
		size_t end = name_len, from;

		while (end > 0 && name[end - 1] != '.')
			end--;
		if (end == 0)
			break;
		name_len = end - 1;
		for (from = name_len; from > 0 && name[from - 1] != '.';)
			from--;
		if (!cut(file, &file_len, &part, &n) || n != name_len - from ||
		    memcmp(part, name + from, n) != 0)
			break;
		res = mark(r, name, name_len);
	}
	return res;
}

int graph_result_namespaces(struct result *r)
{
	int res = 0;

	/* Without their bodies all modules look like this. */
	if (!(r->interp_flags & LMMSD_INTERP_BODIES))
		return 0;
	for (size_t i = 0; i < r->m->n_loads && res == 0; i++) {
		const struct mdl_load *l = &r->m->loads[i];

		if (l->file && l->status == MDL_LOADED &&
		    !(l->flags & (MDL_LOAD_MAIN | MDL_LOAD_INHERITED)))
			res = parents(r, l->name, l->file);
	}
	return res;
}
