/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* The CI gate's answers. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/text.h"
#include "export/review_int.h"
#include "export/screen.h"

#define SARIF_SCHEMA "https://json.schemastore.org/sarif-2.1.0.json"
#define RULE_ID "slow-import"

static const char *const names[] = {
	[EXPORT_CHECK_TEXT] = "text",	  [EXPORT_CHECK_JSON] = "json",
	[EXPORT_CHECK_GITHUB] = "github", [EXPORT_CHECK_JUNIT] = "junit",
	[EXPORT_CHECK_SARIF] = "sarif",
};

int export_check_format_from_name(const char *name, enum export_check_format *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (!strcmp(name, names[i])) {
			*ret = (enum export_check_format)i;
			return 0;
		}
	return -EINVAL;
}

static const struct {
	const char *suffix;
	enum export_check_format format;
} suffixes[] = {
	{".txt", EXPORT_CHECK_TEXT},
	{".json", EXPORT_CHECK_JSON},
	{".sarif", EXPORT_CHECK_SARIF},
	{".xml", EXPORT_CHECK_JUNIT},
};

void export_check_add_suffixes(struct buf *b)
{
	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++)
		buf_addf(b, "%s%s", i ? " " : "", suffixes[i].suffix);
}

int export_check_format_from_suffix(const char *path, enum export_check_format *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++)
		if (text_ends_with(path, suffixes[i].suffix)) {
			*ret = suffixes[i].format;
			return 0;
		}
	return -EINVAL;
}

/* The decision record's line; what stands behind it follows on one of its own. */
static void check_text(struct buf *b, const struct export_style *style,
		       const struct rv_slow_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		const struct rv_slow *s = &l->slow[i];

		if (style)
			screen_color(b, style, SCREEN_WARN);
		buf_adds(b, "WARNING: ");
		text_printable(b, s->module);
		buf_addf(b, " is slow (%.0fms)", s->ms);
		if (style)
			screen_color(b, style, SCREEN_PLAIN);
		buf_adds(b, "\n  in ");
		text_printable(b, s->app);
		if (s->file) {
			buf_adds(b, ", imported at ");
			text_printable(b, s->file);
			if (s->line > 0)
				buf_addf(b, ":%" PRId32, s->line);
		}
		if (s->advice) {
			buf_adds(b, ": ");
			text_printable(b, s->advice);
		}
		buf_addc(b, '\n');
	}
	if (!l->n)
		buf_addf(b, "No import above %g ms (%zu modules of %zu app%s).\n", l->max_ms,
			 l->n_modules, l->n_apps, l->n_apps == 1 ? "" : "s");
}

static int check_json(const struct rv_slow_list *l, FILE *out)
{
	_cleanup_(jsonx_clear) struct jsonx whole = {0};
	cJSON *rows = cJSON_CreateArray();
	int r;

	for (size_t i = 0; i < l->n; i++) {
		struct jsonx j;

		jsonx_init(&j);
		jsonx_str(&j, "app", l->slow[i].app);
		jsonx_str(&j, "module", l->slow[i].module);
		jsonx_double(&j, "ms", l->slow[i].ms);
		jsonx_u64(&j, "n", l->slow[i].n);
		jsonx_str(&j, "file", l->slow[i].file);
		if (l->slow[i].line > 0)
			jsonx_i64(&j, "line", l->slow[i].line);
		else
			jsonx_null(&j, "line");
		jsonx_str(&j, "advice", l->slow[i].advice);
		jsonx_append(&rows, &j);
	}
	jsonx_init(&whole);
	jsonx_str(&whole, "schema", "lmms.check/1");
	jsonx_double(&whole, "max_ms", l->max_ms);
	jsonx_u64(&whole, "apps", l->n_apps);
	jsonx_u64(&whole, "modules", l->n_modules);
	jsonx_u64(&whole, "unmeasured_apps", l->n_unmeasured);
	jsonx_take(&whole, "slow", rows);
	r = jsonx_write(&whole, out);
	return r == 0 && fputc('\n', out) == EOF ? -EIO : r;
}

/* Workflow commands end at the line, and in properties at : and , too. */
static void add_github(struct buf *b, const char *s, bool property)
{
	for (; *s; s++) {
		if (*s == '%' || (uint8_t)*s < 0x20 || (property && (*s == ':' || *s == ',')))
			buf_addf(b, "%%%02X", (unsigned int)(uint8_t)*s);
		else
			buf_addc(b, *s);
	}
}

static void check_github(struct buf *b, const struct rv_slow_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		const struct rv_slow *s = &l->slow[i];

		buf_adds(b, "::warning ");
		if (s->file) {
			buf_adds(b, "file=");
			add_github(b, s->file, true);
			if (s->line > 0)
				buf_addf(b, ",line=%" PRId32, s->line);
			buf_addc(b, ',');
		}
		buf_adds(b, "title=slow import::");
		add_github(b, s->module, false);
		buf_addf(b, " is slow (%.0fms) in ", s->ms);
		add_github(b, s->app, false);
		if (s->advice) {
			buf_adds(b, ": ");
			add_github(b, s->advice, false);
		}
		buf_addc(b, '\n');
	}
}

/* XML 1.0 has no place for most control characters: they are shown as \xNN. */
static void add_xml(struct buf *b, const char *s)
{
	html_text(b, s);
}

static void check_junit(struct buf *b, const struct rv_slow_list *l)
{
	buf_addf(
		b,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n<testsuite "
		"name=\"lmmsctl check\" tests=\"%zu\" failures=\"%zu\" errors=\"0\" skipped=\"0\">\n",
		l->n ? l->n : 1, l->n);
	for (size_t i = 0; i < l->n; i++) {
		const struct rv_slow *s = &l->slow[i];

		buf_adds(b, "<testcase classname=\"");
		add_xml(b, s->app);
		buf_adds(b, "\" name=\"import ");
		add_xml(b, s->module);
		buf_addf(b, "\" time=\"%.6f\">\n<failure type=\"" RULE_ID "\" message=\"WARNING: ",
			 s->ms / 1000);
		add_xml(b, s->module);
		buf_addf(b, " is slow (%.0fms)\">", s->ms);
		if (s->file) {
			add_xml(b, s->file);
			if (s->line > 0)
				buf_addf(b, ":%" PRId32, s->line);
			buf_adds(b, ": ");
		}
		add_xml(b, s->advice ? s->advice : "");
		buf_adds(b, "</failure>\n</testcase>\n");
	}
	if (!l->n)
		buf_addf(b, "<testcase classname=\"lmmsctl\" name=\"no import above %g ms\"/>\n",
			 l->max_ms);
	buf_adds(b, "</testsuite>\n</testsuites>\n");
}

/* A path as a URI reference: bytes outside the unreserved ones are escaped. */
static void add_uri(struct buf *b, const char *path)
{
	if (*path == '/')
		buf_adds(b, "file://");
	for (; *path; path++) {
		uint8_t c = (uint8_t)*path;

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		    (c < 0x80 && strchr("-._~/", c)))
			buf_addc(b, (char)c);
		else
			buf_addf(b, "%%%02X", c);
	}
}

/* One result without a place makes GitHub refuse all: it is then the module's own file, or the app as if it were one. */
static cJSON *sarif_location(const struct rv_slow *s)
{
	const char *path = s->file ? s->file : s->own_file ? s->own_file : s->app;
	_buf_ struct buf uri = {0};
	cJSON *location = cJSON_CreateObject(),
	      *physical = cJSON_AddObjectToObject(location, "physicalLocation");
	cJSON *artifact = cJSON_AddObjectToObject(physical, "artifactLocation");
	cJSON *region = cJSON_AddObjectToObject(physical, "region");

	add_uri(&uri, path);
	if (buf_error(&uri) || !artifact || !region ||
	    !cJSON_AddStringToObject(artifact, "uri", buf_str(&uri)) ||
	    !cJSON_AddNumberToObject(region, "startLine", s->file && s->line > 0 ? s->line : 1)) {
		cJSON_Delete(location);
		return NULL;
	}
	return location;
}

static cJSON *sarif_result(const struct rv_slow *s)
{
	_buf_ struct buf text = {0};
	cJSON *locations = cJSON_CreateArray(), *message = cJSON_CreateObject();
	struct jsonx j;
	cJSON *location;

	buf_adds(&text, s->module);
	buf_addf(&text, " is slow (%.0fms) in ", s->ms);
	buf_adds(&text, s->app);
	if (s->advice)
		buf_addf(&text, ": %s", s->advice);
	jsonx_init(&j);
	jsonx_str(&j, "ruleId", RULE_ID);
	jsonx_str(&j, "level", "warning");
	if (!message || buf_error(&text) ||
	    !cJSON_AddStringToObject(message, "text", buf_str(&text)))
		j.failed = true;
	jsonx_take(&j, "message", message);
	location = sarif_location(s);
	if (!locations || !location || !cJSON_AddItemToArray(locations, location)) {
		cJSON_Delete(location);
		j.failed = true;
	}
	jsonx_take(&j, "locations", locations);
	if (j.failed) {
		jsonx_clear(&j);
		return NULL;
	}
	return j.object;
}

static int check_sarif(const struct rv_slow_list *l, FILE *out)
{
	cJSON *results;
	int r;

	(void)fputs("{\"$schema\":\"" SARIF_SCHEMA
		    "\",\"version\":\"2.1.0\",\"runs\":[{\"tool\":{\"driver\":"
		    "{\"name\":\"lmmsctl\",\"rules\":[{\"id\":\"" RULE_ID
		    "\",\"shortDescription\":{\"text\":\"An import takes longer than allowed\"},"
		    "\"defaultConfiguration\":{\"level\":\"warning\"}}]}},\"results\":",
		    out);
	results = cJSON_CreateArray();
	r = results ? 0 : -ENOMEM;
	for (size_t i = 0; i < l->n && r == 0; i++) {
		cJSON *item = sarif_result(&l->slow[i]);

		if (!item || !cJSON_AddItemToArray(results, item)) {
			cJSON_Delete(item);
			r = -ENOMEM;
		}
	}
	if (r == 0) {
		char *text = cJSON_PrintUnformatted(results);

		r = text ? 0 : -ENOMEM;
		if (text)
			(void)fputs(text, out);
		cJSON_free(text);
	}
	cJSON_Delete(results);
	if (r == 0)
		(void)fputs("}]}\n", out);
	return r < 0 ? r : ferror(out) ? -EIO : 0;
}

int export_check(enum export_check_format format, const struct rv_slow_list *list,
		 const struct export_style *style, FILE *out)
{
	_buf_ struct buf b = {0};

	switch (format) {
	case EXPORT_CHECK_TEXT:
		check_text(&b, style, list);
		break;
	case EXPORT_CHECK_JSON:
		return check_json(list, out);
	case EXPORT_CHECK_GITHUB:
		check_github(&b, list);
		break;
	case EXPORT_CHECK_JUNIT:
		check_junit(&b, list);
		break;
	case EXPORT_CHECK_SARIF:
		return check_sarif(list, out);
	}
	return screen_flush(&b, out);
}
