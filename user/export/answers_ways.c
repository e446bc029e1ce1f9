/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* `deps` and `why`: what brings what. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>

#include "base/text.h"
#include "export/review_int.h"
#include "export/review_table.h"
#include "export/screen.h"

#define ROWS_SHOWN 60
#define NAME_WIDTH 52
#define DEPTH_SHOWN 16

static const struct export_style plain;

static int finish(struct jsonx *j, FILE *out)
{
	int r = jsonx_write(j, out);

	jsonx_clear(j);
	if (r == 0 && fputc('\n', out) == EOF)
		r = -EIO;
	return r;
}

static void append(cJSON **array, cJSON *item)
{
	if (*array && item && cJSON_AddItemToArray(*array, item))
		return;
	cJSON_Delete(item);
	cJSON_Delete(*array);
	*array = NULL;
}

static cJSON *take(struct jsonx *j)
{
	cJSON *object = j->failed ? NULL : TAKE_PTR(j->object);

	jsonx_clear(j);
	return object;
}

static int deps_json(const struct rv_deps *d, FILE *out)
{
	cJSON *rows = cJSON_CreateArray(), *rollups = cJSON_CreateArray();
	struct jsonx j;

	for (size_t i = 0; i < d->n; i++) {
		const struct rv_dep *row = &d->rows[i];

		jsonx_init(&j);
		jsonx_str(&j, "name", row->name);
		jsonx_str(&j, "distribution", row->distribution);
		jsonx_str(&j, "via", row->via >= 0 ? d->rows[row->via].name : NULL);
		jsonx_u64(&j, "depth", row->depth);
		jsonx_double(&j, "ms", row->total_ms);
		jsonx_double(&j, "self_ms", row->self_ms);
		jsonx_bool(&j, "only_here", row->only);
		append(&rows, take(&j));
	}
	for (size_t i = 0; i < d->n_rollups; i++) {
		jsonx_init(&j);
		jsonx_str(&j, "distribution", d->rollups[i].distribution);
		jsonx_u64(&j, "modules", d->rollups[i].modules);
		jsonx_double(&j, "self_ms", d->rollups[i].self_ms);
		jsonx_double(&j, "saving_ms", d->rollups[i].saving_ms);
		append(&rollups, take(&j));
	}
	jsonx_init(&j);
	jsonx_str(&j, "schema", "lmms.deps/1");
	jsonx_str(&j, "app", d->app);
	jsonx_str(&j, "module", d->module);
	jsonx_double(&j, "ms", d->total_ms);
	jsonx_double(&j, "saving_ms", d->only_ms);
	jsonx_double(&j, "shared_ms", d->shared_ms);
	jsonx_take(&j, "deps", rows);
	jsonx_take(&j, "distributions", rollups);
	return finish(&j, out);
}

static void deps_text(struct buf *b, const struct export_style *style, const struct rv_deps *d)
{
	text_printable(b, d->module);
	buf_adds(b, " in ");
	text_printable(b, d->app);
	buf_addf(b, ": pulls in %zu modules", d->n ? d->n - 1 : 0);
	if (isfinite(d->only_ms)) {
		buf_adds(b, "; without it the start is ");
		words_ms(b, d->only_ms);
		buf_adds(b, " ms shorter, ");
		words_ms(b, d->shared_ms);
		buf_adds(b, " ms stay since others need them\n\n");
	} else {
		buf_adds(b, " where it is loaded; it is no part of the start\n\n");
	}
	screen_left(b, style, "module", NAME_WIDTH);
	buf_adds(b, "       ms     self  gone without it\n");
	for (size_t i = 0; i < d->n && i < ROWS_SHOWN; i++) {
		const struct rv_dep *row = &d->rows[i];
		size_t indent = 2 * (size_t)(row->depth < DEPTH_SHOWN ? row->depth : DEPTH_SHOWN);

		screen_pad(b, indent);
		screen_left(b, style, row->name, NAME_WIDTH - indent);
		table_ms(b, row->total_ms, 9);
		table_ms(b, row->self_ms, 9);
		buf_adds(b, row->only ? "  yes\n" : "  no, shared\n");
	}
	if (d->n > ROWS_SHOWN)
		buf_addf(b, "and %zu more (--format json)\n", d->n - ROWS_SHOWN);
	if (d->n_rollups)
		buf_adds(b, "\nBy distribution, all of its modules together:\n");
	for (size_t i = 0; i < d->n_rollups; i++) {
		buf_adds(b, "  ");
		screen_left(b, style, d->rollups[i].distribution, NAME_WIDTH - 2);
		buf_addf(b, "%9" PRIu64 " modules, saves ", d->rollups[i].modules);
		words_ms(b, d->rollups[i].saving_ms);
		buf_adds(b, " ms\n");
	}
}

int export_deps(enum export_answer_format format, const struct rv_deps *deps,
		const struct export_style *style, FILE *out)
{
	_buf_ struct buf b = {0};

	if (format == EXPORT_ANSWER_JSON)
		return deps_json(deps, out);
	deps_text(&b, style ? style : &plain, deps);
	return screen_flush(&b, out);
}

static cJSON *importer_of(const struct rv_site *s, double alone_ms)
{
	_cleanup_(jsonx_clear) struct jsonx j = {0};

	j.object = words_json_site(s);
	j.failed = !j.object;
	jsonx_bool(&j, "at_start", isfinite(alone_ms));
	jsonx_bool(&j, "only_because_of_it", s->inside);
	jsonx_double(&j, "alone_saves_ms", alone_ms);
	return j.failed ? NULL : TAKE_PTR(j.object);
}

static cJSON *path_of(const struct rv_reasons *r, size_t path)
{
	cJSON *array = cJSON_CreateArray();

	for (size_t i = r->path[path]; array && i < r->path[path + 1]; i++)
		append(&array, cJSON_CreateString(r->step[i]));
	return array;
}

static int reasons_json(const struct rv_reasons *r, FILE *out)
{
	cJSON *importers = cJSON_CreateArray(), *paths = cJSON_CreateArray();
	cJSON *cut = cJSON_CreateArray();
	struct jsonx j;

	for (size_t i = 0; i < r->n_sites; i++)
		append(&importers, importer_of(&r->sites[i], r->alone_ms[i]));
	for (size_t i = 0; i < r->n_paths; i++)
		append(&paths, path_of(r, i));
	for (size_t i = 0; i < r->n_cut; i++)
		append(&cut, words_json_site(&r->cut[i]));
	jsonx_init(&j);
	jsonx_str(&j, "schema", "lmms.why/1");
	jsonx_str(&j, "app", r->app);
	jsonx_str(&j, "module", r->module);
	jsonx_u64(&j, "runs", r->runs);
	jsonx_double(&j, "ms", r->total_ms);
	jsonx_double(&j, "saving_ms", r->saving_ms);
	jsonx_take(&j, "importers", importers);
	jsonx_take(&j, "paths", paths);
	jsonx_bool(&j, "more_paths", r->more_paths);
	jsonx_bool(&j, "can_be_deferred", r->cut_possible && r->n_cut);
	jsonx_take(&j, "defer_together", cut);
	jsonx_double(&j, "defer_together_saves_ms", r->cut_ms);
	return finish(&j, out);
}

static void add_importer(struct buf *b, const struct rv_site *s, double alone_ms)
{
	_buf_ struct buf site = {0};

	words_site(&site, s);
	buf_adds(b, "  ");
	text_printable(b, s->importer ? s->importer : "(unknown)");
	buf_adds(b, "  ");
	text_printable(b, buf_str(&site));
	buf_addf(b, "  (%s%s)  ", jsonx_place(s->place), s->cached ? ", found it loaded" : "");
	if (!isfinite(alone_ms))
		buf_adds(b, "does not run at start\n");
	else if (alone_ms < 0.005)
		buf_adds(b, "deferring only this one saves nothing\n");
	else
		buf_addf(b, "deferring this one saves %.2f ms\n", alone_ms);
}

static void add_importers(struct buf *b, const struct rv_reasons *r)
{
	size_t inside = 0;

	buf_addf(b, "\nImported by:\n");
	for (size_t i = 0; i < r->n_sites; i++) {
		if (r->sites[i].inside)
			inside++;
		else
			add_importer(b, &r->sites[i], r->alone_ms[i]);
	}
	if (inside)
		buf_addf(b, "  and by %zu import%s of modules that are there only because of it\n",
			 inside, inside == 1 ? "" : "s");
}

static void add_cut(struct buf *b, const struct rv_reasons *r)
{
	if (!isfinite(r->saving_ms)) {
		buf_adds(b, "\nIt is no part of the start: there is nothing to defer.\n");
		return;
	}
	if (!r->cut_possible || !r->n_cut) {
		buf_adds(b,
			 "\nIt is also brought in from outside the app's own code: no change there "
			 "keeps it out of the start.\n");
		return;
	}
	buf_addf(b, "\nTo keep it out of the start%s:\n",
		 r->n_cut > 1 ? ", change all of these together" : "");
	for (size_t i = 0; i < r->n_cut; i++) {
		_buf_ struct buf site = {0};

		words_site(&site, &r->cut[i]);
		buf_adds(b, "  defer import ");
		text_printable(b, r->cut[i].module);
		buf_adds(b, " at ");
		text_printable(b, buf_str(&site));
		buf_addc(b, '\n');
	}
	buf_adds(b, "  saves ");
	words_ms(b, r->cut_ms);
	buf_adds(b, " ms\n");
}

static void reasons_text(struct buf *b, const struct rv_reasons *r)
{
	text_printable(b, r->module);
	buf_adds(b, " in ");
	text_printable(b, r->app);
	buf_adds(b, ": takes ");
	words_ms(b, r->total_ms);
	if (isfinite(r->saving_ms)) {
		buf_adds(b, " ms; without it the start is ");
		words_ms(b, r->saving_ms);
		buf_adds(b, " ms shorter\n");
	} else {
		buf_adds(b, " ms\n");
	}
	add_importers(b, r);
	buf_adds(b, r->n_paths ? "\nWays from the program, shortest first:\n" :
				 "\nNo way from the program to it is known.\n");
	for (size_t i = 0; i < r->n_paths; i++) {
		buf_adds(b, "  ");
		for (size_t k = r->path[i]; k < r->path[i + 1]; k++) {
			buf_adds(b, k > r->path[i] ? " -> " : "");
			text_printable(b, r->step[k]);
		}
		buf_addc(b, '\n');
	}
	if (r->more_paths)
		buf_adds(b, "  there may be more\n");
	add_cut(b, r);
}

int export_reasons(enum export_answer_format format, const struct rv_reasons *reasons,
		   const struct export_style *style, FILE *out)
{
	_buf_ struct buf b = {0};

	(void)style;
	if (format == EXPORT_ANSWER_JSON)
		return reasons_json(reasons, out);
	reasons_text(&b, reasons);
	return screen_flush(&b, out);
}
