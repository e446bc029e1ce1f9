/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Reports as strings, and the profile that most tests of export/ look at. */
#pragma once
#include <cjson/cJSON.h>
#include <stdio.h>

#include "export/export.h"
#include "unit/fake_profile.h"

#define MS 1000000ULL
/* Quotes, control characters, a bidi override, a terminal escape, and the separators of the line formats. */
#define HOSTILE "e\"v\\i\nl\x1b[31m;\u202e | \x7f\u00e9"

/* Owned by the caller. */
static inline char *render_styled(enum export_format format, const struct mdl_profile *profile,
				  const struct export_style *style)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	assert(out);
	if (export_profile(format, profile, style, out) != 0)
		abort();
	if (fclose(out) != 0)
		abort();
	return text;
}

static inline char *render(enum export_format format, const struct mdl_profile *profile)
{
	return render_styled(format, profile, NULL);
}

static inline cJSON *render_json(enum export_format format, const struct mdl_profile *profile)
{
	_free_ char *text = render(format, profile);
	const char *end = NULL;
	cJSON *json = cJSON_ParseWithOpts(text, &end, true);

	if (!json)
		(void)fprintf(stderr, "no JSON from: %s\n", end);
	return json;
}

/* A member on a path like "processes.0.modules.3.name"; NULL: none. */
static inline const cJSON *at(const cJSON *json, const char *path)
{
	while (json && *path) {
		size_t len = strcspn(path, ".");
		char key[64];

		if (len >= sizeof(key))
			return NULL;
		memcpy(key, path, len);
		key[len] = '\0';
		json = cJSON_IsArray(json) ? cJSON_GetArrayItem(json, (int)strtol(key, NULL, 10)) :
					     cJSON_GetObjectItemCaseSensitive(json, key);
		path += len + (path[len] == '.');
	}
	return json;
}

static inline double number(const cJSON *json, const char *path)
{
	const cJSON *item = at(json, path);

	return cJSON_IsNumber(item) ? item->valuedouble : -12345;
}

static inline const char *string(const cJSON *json, const char *path)
{
	const cJSON *item = at(json, path);

	return cJSON_IsString(item) ? item->valuestring : "(no string)";
}

static inline bool is_null(const cJSON *json, const char *path)
{
	return cJSON_IsNull(at(json, path));
}

/*
 * site (12.5 ms), then __main__ with shop (1 + 10 + 0.000001 ms: shop.db, hostile), a failed json, shop again by
 * a reload on a second thread, all below the main program; os was used only.
 */
static inline void fake_shop(struct fake *f)
{
	struct mdl_load *l;
	struct mdl_module *m;

	(void)fake_process(f, "shop/manage.py", 4242);
	fake_spend(f, 1 * MS);
	(void)fake_leaf(f, NULL, "site", LMMSD_PLACE_UNKNOWN, 12 * MS + 500000);
	f->p->main_ns = f->now_ns;
	f->p->interpreter_ns = f->now_ns - f->p->begin_ns;
	l = fake_begin(f, NULL, "__main__", LMMSD_PLACE_UNKNOWN);
	l->flags = MDL_LOAD_MAIN;
	fake_module(f, "__main__")->uses = 0;
	l = fake_begin(f, "__main__", "shop", LMMSD_PLACE_MODULE);
	l->importer_file = fake_str(f, "/srv/shop/manage.py");
	l->line = 3;
	fake_spend(f, 1 * MS);
	l = fake_leaf(f, "shop", "shop.db", LMMSD_PLACE_MODULE, 10 * MS);
	l->kind = LMMSD_KIND_SOURCE;
	l->file = fake_str(f, "/srv/shop/db.py");
	l->exec_ns = 7 * MS;
	(void)fake_leaf(f, "shop", HOSTILE, LMMSD_PLACE_FUNCTION, 1);
	fake_end(f);
	l = fake_leaf(f, "__main__", "ujson", LMMSD_PLACE_MODULE, 1234567);
	l->status = MDL_FAILED;
	fake_module(f, "ujson")->status = MDL_FAILED;
	fake_end(f);
	f->p->cold_start_ns = 12500000 + 11000001 + 1234567;
	f->n_open = 0;
	f->tid = 4243;
	l = fake_leaf(f, "shop.db", "shop", LMMSD_PLACE_DYNAMIC, 2 * MS);
	l->flags = MDL_LOAD_BODY_ONLY | MDL_LOAD_OPEN;
	fake_use(f, "shop", "os", LMMSD_PLACE_MODULE, false);
	m = fake_module(f, "shop.db");
	m->distribution = fake_str(f, "shop");
	m->version = fake_str(f, "2.1");
	m->tier = MDL_FUNCTION_LEVEL;
	m->saving_ns = 10 * MS;
	m->share_pct = 12.5;
	fake_module(f, "shop")->saving_ns = 11000001;
	fake_done(f);
}
