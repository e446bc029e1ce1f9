/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "app/appname.h"

#include <errno.h>
#include <string.h>

#include "app/appid.h"
#include "base/cleanup.h"
#include "base/log.h"

struct appname {
	struct appid_rules *rules; /* owned */
};

static enum appid_source source(enum config_match match)
{
	return match == CONFIG_MATCH_UNIT      ? APPID_UNIT :
	       match == CONFIG_MATCH_CONTAINER ? APPID_CONTAINER :
						 APPID_COMMAND;
}

int appname_new(const struct config *config, struct appname **ret)
{
	struct appname *a = calloc(1, sizeof(*a));
	char error[128] = "";
	int r;

	if (!a)
		return -ENOMEM;
	r = appid_rules_new(&a->rules);
	for (size_t i = 0; !r && i < config->n_rules; i++) {
		r = appid_rules_add(a->rules, source(config->rules[i].match),
				    config->rules[i].pattern, config->rules[i].name, error,
				    sizeof(error));
		if (r == -EINVAL)
			log_error("[app.rules] %s = %s: %s", config->rules[i].name,
				  config->rules[i].pattern, error);
	}
	if (r) {
		(void)appname_free(a);
		return r;
	}
	*ret = a;
	return 0;
}

struct appname *appname_free(struct appname *a)
{
	if (!a)
		return NULL;
	(void)appid_rules_free(a->rules);
	free(a);
	return NULL;
}

/* What the code of __main__ stands in; CPython tells an absolute one since 3.9. */
static const char *main_file(const struct mdl_process *p)
{
	for (size_t i = 0; i < p->n_loads; i++)
		if (p->loads[i].flags & MDL_LOAD_MAIN)
			return p->loads[i].file;
	for (size_t i = 0; i < p->n_edges; i++)
		if (p->edges[i].importer && !strcmp(p->edges[i].importer, "__main__"))
			return p->edges[i].file;
	return NULL;
}

int appname_set(const struct appname *a, struct mdl_process *p)
{
	const struct appid_facts facts = {
		.exe = p->exe,
		.cmdline = p->cmdline,
		.cmdline_len = p->cmdline_len,
		.cgroup = p->cgroup,
		.cwd = p->cwd && p->cwd[0] ? p->cwd : NULL,
		.main = main_file(p),
		.comm = p->comm,
	};
	char name[APPID_MAX + 1];
	int r = appid_name(a->rules, &facts, name);

	if (r)
		return r;
	free(p->app);
	p->app = strdup(name);
	return p->app ? 0 : -ENOMEM;
}
