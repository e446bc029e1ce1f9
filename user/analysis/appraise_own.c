/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Whose code a module is: the app's own can be changed, what is installed beside it cannot. */
#include <string.h>

#include "analysis/appraise_int.h"
#include "base/cleanup.h"
#include "base/installed.h"
#include "base/text.h"

bool appraise_is_program(const char *name)
{
	return !strcmp(name, "__main__") || !strcmp(name, "__mp_main__");
}

static char plain(char c)
{
	return c == '-' ? '_' : c;
}

/*
 * First dotted part of the module is what the app is called: "shop.db" of "shop/manage.py", "black.main" of "black",
 * "pre_commit.main" of "pre-commit".
 */
static bool named_like_app(const struct mdl_history *h, const char *module)
{
	size_t len = strcspn(module, "."), i = 0;

	while (i < len && plain(h->app[i]) == plain(module[i]))
		i++;
	return len && i == len && strchr("./:-", h->app[len]);
}

/* What installers write above the one import that matters. */
static bool is_preamble(const char *module)
{
	static const char *const names[] = {"sys", "re", "os", "__future__", "importlib_metadata"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (!strcmp(module, names[i]))
			return true;
	return text_starts_with(module, "importlib");
}

static bool in_bin(const char *file)
{
	const char *slash = file ? strrchr(file, '/') : NULL;

	return slash && slash - file >= 4 && !strncmp(slash - 4, "/bin", 4);
}

const char *appraise_own_distribution(const struct mdl_history *h)
{
	const char *found = NULL;

	if (strpbrk(h->app, "/ "))
		return NULL;
	for (size_t i = 0; i < h->n_edges; i++) {
		const struct mdl_hist_edge *e = &h->edges[i];
		const struct mdl_hist_module *m = e->module < h->n_modules ?
							  &h->modules[e->module] :
							  NULL;

		if (!m || !e->importer_name || !appraise_is_program(e->importer_name) ||
		    is_preamble(m->name) || m->kind == LMMSD_KIND_NAMESPACE)
			continue;
		if (!in_bin(e->file) || !m->distribution || !*m->distribution ||
		    (found && strcmp(found, m->distribution) != 0))
			return NULL;
		found = m->distribution;
	}
	return found;
}

bool appraise_is_own(const struct mdl_history *h, const struct mdl_hist_module *m,
		     const char *distribution)
{
	if (m->kind == LMMSD_KIND_BUILTIN || m->kind == LMMSD_KIND_FROZEN)
		return false;
	if (named_like_app(h, m->name))
		return true;
	if (distribution && m->distribution && !strcmp(m->distribution, distribution))
		return true;
	if (m->origin != MDL_ORIGIN_BY_FILE)
		return m->origin == MDL_ORIGIN_APP;
	return m->file && *m->file && !m->distribution && !installed_file(m->file);
}
