/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* lmmsctl's lists: apps, modules, baselines, verify. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>

#include "base/text.h"
#include "export/review_int.h"
#include "export/review_table.h"
#include "export/screen.h"

#define NAME_LEAST 12
#define NAME_MOST 60

static const struct export_style plain;

/* {"schema":...} with rows under a key. */
static int write_rows(struct jsonx *j, const char *key, cJSON *rows, FILE *out)
{
	int r;

	jsonx_take(j, key, rows);
	r = jsonx_write(j, out);
	jsonx_clear(j);
	if (r == 0 && fputc('\n', out) == EOF)
		r = -EIO;
	return r;
}

/* Adds an object that is made in j to an array; *array becomes NULL on failure, which the writer reports. */
static size_t widest(const char *name, size_t width)
{
	size_t columns = text_width(name);

	return columns > NAME_MOST ? NAME_MOST : columns > width ? columns : width;
}

static int apps_json(const struct rv_app_line *apps, size_t n, FILE *out)
{
	cJSON *rows = cJSON_CreateArray();
	struct jsonx j;

	for (size_t i = 0; i < n; i++) {
		jsonx_init(&j);
		jsonx_str(&j, "app", apps[i].app);
		jsonx_u64(&j, "runs", apps[i].runs);
		words_json_times(&j, "cold_start", &apps[i].cold_start);
		if (apps[i].last_seen_s)
			jsonx_time(&j, "last_seen", 0, apps[i].last_seen_s * 1000000000);
		else
			jsonx_null(&j, "last_seen");
		jsonx_append(&rows, &j);
	}
	jsonx_init(&j);
	jsonx_str(&j, "schema", "lmms.apps/1");
	return write_rows(&j, "apps", rows, out);
}

int export_apps(enum export_answer_format format, const struct rv_app_line *apps, size_t n,
		const struct export_style *style, FILE *out)
{
	_buf_ struct buf b = {0};
	size_t width = NAME_LEAST;

	if (format == EXPORT_ANSWER_JSON)
		return apps_json(apps, n, out);
	style = style ? style : &plain;
	for (size_t i = 0; i < n; i++)
		width = widest(apps[i].app, width);
	if (!n)
		buf_adds(&b, "No app was seen yet.\n");
	else {
		screen_left(&b, style, "app", width);
		buf_adds(&b, "       runs  cold start       p95  last seen\n");
	}
	for (size_t i = 0; i < n; i++) {
		screen_left(&b, style, apps[i].app, width);
		buf_addf(&b, " %10" PRIu64, apps[i].runs);
		table_ms(&b, apps[i].cold_start.p50, 12);
		table_ms(&b, apps[i].cold_start.p95, 10);
		buf_adds(&b, "  ");
		if (apps[i].last_seen_s)
			words_time(&b, apps[i].last_seen_s);
		else
			buf_addc(&b, '-');
		buf_addc(&b, '\n');
	}
	return screen_flush(&b, out);
}

int export_modules(enum export_answer_format format, const struct rv_app *app,
		   const struct export_style *style, FILE *out)
{
	_buf_ struct buf b = {0};
	cJSON *rows;
	struct jsonx j;

	if (format == EXPORT_ANSWER_TEXT) {
		style = style ? style : &plain;
		text_printable(&b, app->app);
		buf_adds(&b, ": cold start ");
		words_times(&b, &app->cold_start);
		buf_addc(&b, '\n');
		table_modules(&b, style, app, 0, false);
		if (app->cut_modules)
			buf_addf(&b, "and %" PRIu64 " modules more that take least\n",
				 app->cut_modules);
		if (!app->n_modules)
			buf_adds(&b, "No module was imported in this time.\n");
		return screen_flush(&b, out);
	}
	rows = cJSON_CreateArray();
	for (size_t i = 0; rows && i < app->n_modules; i++) {
		cJSON *item = words_json_module(&app->modules[i]);

		if (!item || !cJSON_AddItemToArray(rows, item)) {
			cJSON_Delete(item);
			cJSON_Delete(rows);
			rows = NULL;
		}
	}
	jsonx_init(&j);
	jsonx_str(&j, "schema", "lmms.modules/1");
	jsonx_str(&j, "app", app->app);
	jsonx_u64(&j, "runs", app->runs);
	words_json_times(&j, "cold_start", &app->cold_start);
	return write_rows(&j, "modules", rows, out);
}

static int baselines_json(const struct rv_baseline_line *l, size_t n, FILE *out)
{
	cJSON *rows = cJSON_CreateArray();
	struct jsonx j;

	for (size_t i = 0; i < n; i++) {
		jsonx_init(&j);
		jsonx_str(&j, "name", l[i].name);
		jsonx_str(&j, "app", l[i].app);
		jsonx_time(&j, "saved", 0, l[i].saved_s * 1000000000);
		jsonx_u64(&j, "runs", l[i].runs);
		words_json_times(&j, "cold_start", &l[i].cold_start);
		jsonx_append(&rows, &j);
	}
	jsonx_init(&j);
	jsonx_str(&j, "schema", "lmms.baseline/1");
	return write_rows(&j, "baselines", rows, out);
}

int export_baselines(enum export_answer_format format, const struct rv_baseline_line *baselines,
		     size_t n, const struct export_style *style, FILE *out)
{
	size_t name = NAME_LEAST, app = NAME_LEAST;
	_buf_ struct buf b = {0};

	if (format == EXPORT_ANSWER_JSON)
		return baselines_json(baselines, n, out);
	style = style ? style : &plain;
	for (size_t i = 0; i < n; i++) {
		name = widest(baselines[i].name, name);
		app = widest(baselines[i].app, app);
	}
	if (!n)
		buf_adds(&b, "No baseline is saved.\n");
	else {
		screen_left(&b, style, "baseline", name + 1);
		screen_left(&b, style, "app", app);
		buf_adds(&b, "  cold start       runs  saved\n");
	}
	for (size_t i = 0; i < n; i++) {
		screen_left(&b, style, baselines[i].name, name + 1);
		screen_left(&b, style, baselines[i].app, app);
		table_ms(&b, baselines[i].cold_start.p50, 12);
		buf_addf(&b, " %10" PRIu64 "  ", baselines[i].runs);
		words_time(&b, baselines[i].saved_s);
		buf_addc(&b, '\n');
	}
	return screen_flush(&b, out);
}

static void add_verify(struct buf *b, const struct export_style *style, const char *app,
		       const struct rv_verify *v)
{
	text_printable(b, app);
	buf_adds(b, " against baseline ");
	text_printable(b, v->baseline ? v->baseline : "-");
	buf_addf(b,
		 "\nbefore     %.1f ms (%" PRIu64 " runs)\nnow        %.1f ms (%" PRIu64 " runs)\n",
		 v->baseline_ms, v->baseline_n, v->current_ms, v->current_n);
	buf_addf(b, "shorter by %.1f %% (95 %% %.1f to %.1f), p = %.2g\n", v->improvement_pct,
		 v->lo_pct, v->hi_pct, v->p_value);
	if (!v->full)
		buf_adds(
			b,
			"           fewer than 6 runs on a side: the interval is wider than it looks\n");
	if (isfinite(v->predicted_ms))
		buf_addf(b, "predicted  %.1f ms, really %.1f ms\n", v->predicted_ms, v->real_ms);
	for (size_t i = 0; i < v->n_moved; i++) {
		buf_adds(b, "           left the start: ");
		text_printable(b, v->moved[i].module);
		buf_addf(b, " (%.1f ms)\n", v->moved[i].predicted_ms);
	}
	screen_color(b, style, v->holds ? SCREEN_GOOD : SCREEN_WARN);
	buf_addf(b, "expected   %g %%: %s", v->expected_pct, v->holds ? "holds" : "does not hold");
	screen_color(b, style, SCREEN_PLAIN);
	buf_addc(b, '\n');
}

int export_verify(enum export_answer_format format, const char *app, const struct rv_verify *verify,
		  const struct export_style *style, FILE *out)
{
	_buf_ struct buf b = {0};
	char *text = NULL;
	cJSON *json;

	if (format == EXPORT_ANSWER_TEXT) {
		add_verify(&b, style ? style : &plain, app, verify);
		return screen_flush(&b, out);
	}
	json = words_json_verify(app, verify, true);
	if (json)
		text = cJSON_PrintUnformatted(json);
	cJSON_Delete(json);
	if (!text)
		return -ENOMEM;
	buf_adds(&b, text);
	buf_addc(&b, '\n');
	cJSON_free(text);
	return screen_flush(&b, out);
}
