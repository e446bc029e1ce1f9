/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "export/emf_doc.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/cleanup.h"

#define VALUE_MAX 0x1p360

/* A part of a metric that goes into one event. */
struct piece {
	const struct emf_metric *metric;
	const double *values;
	size_t n;
};

struct rendering {
	const struct emf_doc *doc;
	emf_line_fn fn;
	void *arg;
	uint64_t *left_out;
};

static bool good(double v)
{
	return isfinite(v) && fabs(v) <= VALUE_MAX;
}

/* 15 digits: all that whole numbers and ns in ms need, and none that come of rounding. */
static cJSON *number(double v)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "%.15g", v);
	return cJSON_CreateRaw(text);
}

static cJSON *values_of(const struct piece *p)
{
	cJSON *array;

	if (p->n == 1)
		return number(p->values[0]);
	array = cJSON_CreateArray();
	for (size_t i = 0; array && i < p->n; i++) {
		cJSON *v = number(p->values[i]);

		if (!v || !cJSON_AddItemToArray(array, v)) {
			cJSON_Delete(v);
			cJSON_Delete(array);
			return NULL;
		}
	}
	return array;
}

/* Takes item. */
static void append(struct jsonx *j, cJSON *array, cJSON *item)
{
	if (item && array && cJSON_AddItemToArray(array, item))
		return;
	cJSON_Delete(item);
	j->failed = true;
}

/* Takes j's object. */
static cJSON *done(struct jsonx *j)
{
	if (j->failed)
		jsonx_clear(j);
	return j->object;
}

static cJSON *definitions(const struct piece *pieces, size_t n)
{
	struct jsonx all = {.object = cJSON_CreateArray()};

	all.failed = !all.object;
	for (size_t i = 0; i < n; i++) {
		struct jsonx j;

		jsonx_init(&j);
		jsonx_str(&j, "Name", pieces[i].metric->name);
		jsonx_str(&j, "Unit", pieces[i].metric->unit);
		jsonx_u64(&j, "StorageResolution", 60);
		append(&all, all.object, done(&j));
	}
	return done(&all);
}

static cJSON *dimension_sets(const struct emf_doc *d)
{
	struct jsonx set = {.object = cJSON_CreateArray()}, sets = {.object = cJSON_CreateArray()};

	set.failed = !set.object;
	sets.failed = !sets.object;
	for (size_t i = 0; i < d->n_dimensions; i++)
		append(&set, set.object, cJSON_CreateString(d->dimensions[i].name));
	append(&sets, sets.object, done(&set));
	return done(&sets);
}

static cJSON *metadata(const struct emf_doc *d, const struct piece *pieces, size_t n)
{
	struct jsonx aws, directive, list = {.object = cJSON_CreateArray()};

	list.failed = !list.object;
	jsonx_init(&directive);
	jsonx_str(&directive, "Namespace", d->options->namespace);
	jsonx_take(&directive, "Dimensions", dimension_sets(d));
	jsonx_take(&directive, "Metrics", definitions(pieces, n));
	append(&list, list.object, done(&directive));
	jsonx_init(&aws);
	jsonx_i64(&aws, "Timestamp", d->timestamp_ms);
	if (d->options->log_group)
		jsonx_str(&aws, "LogGroupName", d->options->log_group);
	jsonx_take(&aws, "CloudWatchMetrics", done(&list));
	return done(&aws);
}

/* NULL: no memory; to be freed by cJSON_free(). */
static char *event(const struct emf_doc *d, const struct piece *pieces, size_t n, bool properties)
{
	struct jsonx j;
	char *text;

	jsonx_init(&j);
	jsonx_take(&j, "_aws", metadata(d, pieces, n));
	for (size_t i = 0; i < d->n_dimensions; i++)
		jsonx_str(&j, d->dimensions[i].name, d->dimensions[i].value);
	for (size_t i = 0; properties && i < d->n_properties; i++)
		jsonx_str(&j, d->properties[i].name, d->properties[i].value);
	for (size_t i = 0; i < n; i++)
		jsonx_take(&j, pieces[i].metric->name, values_of(&pieces[i]));
	text = j.failed ? NULL : cJSON_PrintUnformatted(j.object);
	jsonx_clear(&j);
	return text;
}

static int put(const struct rendering *r, const struct piece *pieces, size_t n, bool properties)
{
	char *text = event(r->doc, pieces, n, properties);
	size_t len = text ? strlen(text) : 0;
	int e;

	if (!text)
		return -ENOMEM;
	e = len > r->doc->options->max_bytes ? -E2BIG : r->fn(r->arg, text, len);
	cJSON_free(text);
	return e;
}

/* In one event, or without the properties, or in two halves. */
static int fit(const struct rendering *r, const struct piece *pieces, size_t n)
{
	struct piece half;
	int e = put(r, pieces, n, true);

	if (e == -E2BIG && r->doc->n_properties)
		e = put(r, pieces, n, false);
	if (e != -E2BIG)
		return e;
	if (n > 1) {
		e = fit(r, pieces, n / 2);
		return e ? e : fit(r, pieces + n / 2, n - n / 2);
	}
	if (pieces[0].n == 1) {
		*r->left_out += 1;
		return 0;
	}
	half = pieces[0];
	half.n /= 2;
	e = fit(r, &half, 1);
	half.values += half.n;
	half.n = pieces[0].n - half.n;
	return e ? e : fit(r, &half, 1);
}

/* The good values of all metrics, one behind the other in *room, and where those of each begin. */
static size_t gather(const struct emf_doc *d, struct piece *ret, double *room, uint64_t *left_out)
{
	size_t n = 0;

	for (size_t i = 0; i < d->n_metrics; i++) {
		struct piece p = {.metric = &d->metrics[i], .values = room};

		for (size_t k = 0; k < d->metrics[i].n; k++) {
			if (good(d->metrics[i].values[k]))
				room[p.n++] = d->metrics[i].values[k];
			else
				*left_out += 1;
		}
		room += p.n;
		if (p.n)
			ret[n++] = p;
	}
	return n;
}

/* The next event's pieces: of each metric that has values left, up to the format's limits. */
static size_t next_pieces(struct piece *left, size_t n, struct piece *ret)
{
	size_t taken = 0;

	for (size_t i = 0; i < n && taken < EMF_MAX_METRICS; i++) {
		struct piece *to = &ret[taken];

		if (!left[i].n)
			continue;
		*to = left[i];
		to->n = left[i].n < EMF_MAX_VALUES ? left[i].n : EMF_MAX_VALUES;
		left[i].values += to->n;
		left[i].n -= to->n;
		taken++;
	}
	return taken;
}

int emf_doc(const struct emf_doc *d, emf_line_fn fn, void *arg, uint64_t *left_out)
{
	const struct rendering r = {.doc = d, .fn = fn, .arg = arg, .left_out = left_out};
	struct piece now[EMF_MAX_METRICS];
	_free_ struct piece *left = NULL;
	_free_ double *room = NULL;
	size_t values = 0, n;
	int e = 0;

	for (size_t i = 0; i < d->n_metrics; i++)
		values += d->metrics[i].n;
	left = calloc(d->n_metrics + 1, sizeof(*left));
	room = calloc(values + 1, sizeof(*room));
	if (!left || !room)
		return -ENOMEM;
	n = gather(d, left, room, left_out);
	while (!e) {
		size_t taken = next_pieces(left, n, now);

		if (!taken)
			break;
		e = fit(&r, now, taken);
	}
	return e;
}
