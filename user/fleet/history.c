/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Sums by label to histories: what the store would have built of the same runs, less files and lines. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "fleet/history.h"
#include "fleet/rebuild.h"

#define NS_PER_S 1e9
#define ORIGIN_APP "app"

struct mdl_history *history_free(struct mdl_history *h)
{
	if (!h)
		return NULL;
	for (size_t i = 0; i < h->n_modules; i++) {
		sketch_free(&h->modules[i].total);
		sketch_free(&h->modules[i].self);
	}
	sketch_free(&h->cold_start);
	sketch_free(&h->interpreter);
	free(h->modules);
	free(h->edges);
	free(h->values);
	free(h->rebuilt);
	free(h->arrays);
	(void)intern_free(h->strings);
	free(h);
	return NULL;
}

/* Differences of large counters of floating-point numbers can come out a little below 0. */
uint64_t history_count(double v)
{
	return v > 0.5 ? v < 1e15 ? (uint64_t)(v + 0.5) : (uint64_t)1e15 : 0;
}

static double sum_of(struct range r)
{
	double sum = 0;

	for (size_t i = 0; i < r.n; i++)
		sum += r.cell[i].value;
	return sum;
}

struct range history_module_in(struct range r, const char *module)
{
	size_t low = 0, high = r.n, n = 0;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (strcmp(r.cell[mid].label[1], module) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	while (low + n < r.n && !strcmp(r.cell[low + n].label[1], module))
		n++;
	return (struct range){.cell = n ? r.cell + low : NULL, .n = n};
}

static double le_of(const char *s)
{
	char *end;
	double v = strtod(s, &end);

	return *s && !*end ? v : NAN;
}

/* le: which label. One bound may be written in two ways: "1" in one format, "1.0" in the other. Returns how many. */
static size_t bounds_of(struct range buckets, size_t le,
			struct rebuild_bucket bucket[REBUILD_BUCKETS_MOST])
{
	size_t n = 0;

	for (size_t i = 0; i < buckets.n && n < REBUILD_BUCKETS_MOST; i++) {
		double bound = le_of(buckets.cell[i].label[le]);
		size_t at = 0;

		while (at < n && bucket[at].le_s != bound)
			at++;
		if (at == n)
			bucket[n++] = (struct rebuild_bucket){.le_s = bound};
		bucket[at].count += buckets.cell[i].value;
	}
	return n;
}

/* squared: NAN when it is not known. */
static int sketch_of(struct range buckets, size_t le, struct range sum, double squared,
		     struct sketch *ret)
{
	struct rebuild_bucket bucket[REBUILD_BUCKETS_MOST];
	size_t n = bounds_of(buckets, le, bucket);

	return rebuild_sketch(bucket, n, sum.n ? sum_of(sum) : NAN, squared, ret);
}

int history_keep(struct mdl_history *h, const char *s, const char **ret)
{
	*ret = s && *s ? intern_str(h->strings, s) : NULL;
	return s && *s && !*ret ? -ENOMEM : 0;
}

uint8_t history_place(const char *name)
{
	static const char *const names[LMMSD_PLACE_MAX] = {
		[LMMSD_PLACE_UNKNOWN] = "unknown",   [LMMSD_PLACE_MODULE] = "module",
		[LMMSD_PLACE_FUNCTION] = "function", [LMMSD_PLACE_CLASS] = "class",
		[LMMSD_PLACE_DYNAMIC] = "dynamic",   [LMMSD_PLACE_LAZY] = "lazy"};

	for (uint8_t i = 0; i < LMMSD_PLACE_MAX; i++)
		if (!strcmp(names[i], name))
			return i;
	return LMMSD_PLACE_UNKNOWN;
}

/* ---- the app as a whole */

static void fill_classes(struct mdl_history *h, const struct range *family)
{
	static const struct {
		const char *name;
		enum mdl_run_class class;
	} classes[] = {{"cold", MDL_RUN_COLD},
		       {"compiled", MDL_RUN_COMPILED},
		       {"forked", MDL_RUN_FORKED},
		       {"partial", MDL_RUN_PARTIAL}};
	struct range other = family[FAM_OTHER_RUNS];
	uint64_t plain = history_count(sum_of(family[FAM_RUNS])), sum;

	h->runs[MDL_RUN_WARM] = history_count(sum_of(family[FAM_WARM]));
	for (size_t i = 0; i < other.n; i++)
		for (size_t k = 0; k < ARRAY_LEN(classes); k++)
			if (!strcmp(other.cell[i].label[1], classes[k].name))
				h->runs[classes[k].class] = history_count(other.cell[i].value);
	sum = h->runs[MDL_RUN_WARM] + h->runs[MDL_RUN_COLD] + h->runs[MDL_RUN_COMPILED];
	if (plain > sum)
		h->runs[MDL_RUN_COLD] += plain - sum;
	h->runs_plain = h->runs[MDL_RUN_WARM] + h->runs[MDL_RUN_COLD] + h->runs[MDL_RUN_COMPILED];
}

static int fill_known(struct mdl_history *h, const struct range *family)
{
	struct rebuild_bucket bucket[REBUILD_BUCKETS_MOST];
	size_t n = bounds_of(family[FAM_COLD_BUCKET], 1, bucket);
	struct range sum = family[FAM_COLD_SUM];

	return rebuild_known(bucket, n, sum.n ? sum_of(sum) : NAN, &h->rebuilt);
}

static int fill_starts(struct mdl_history *h, const struct range *family)
{
	struct range squared = family[FAM_COLD_SQUARED];
	int r = sketch_of(family[FAM_COLD_BUCKET], 1, family[FAM_COLD_SUM],
			  squared.n ? sum_of(squared) : NAN, &h->cold_start);

	if (r == 0)
		r = fill_known(h, family);
	if (r == 0)
		r = sketch_of(family[FAM_INTERPRETER_BUCKET], 1, family[FAM_INTERPRETER_SUM], NAN,
			      &h->interpreter);
	if (r < 0 || !h->cold_start.count)
		return r;
	h->n_values = h->cold_start.count < MDL_HIST_VALUES ? (size_t)h->cold_start.count :
							      MDL_HIST_VALUES;
	h->values = calloc(h->n_values, sizeof(*h->values));
	if (!h->values) {
		h->n_values = 0;
		return -ENOMEM;
	}
	sketch_sample(&h->cold_start, h->values, h->n_values);
	return 0;
}

int history_whole(struct mdl_history *h, const struct range *family)
{
	fill_classes(h, family);
	h->uses = history_count(sum_of(family[FAM_APP_USES]));
	h->usage = sum_of(family[FAM_USAGE_COUNTED]) > 0 || h->uses;
	return fill_starts(h, family);
}

/* ---- modules */

/* Of all that say something, what most hosts say; of equally many the later version. */
static const struct cell *present_info(struct range info)
{
	const struct cell *best = NULL;

	for (size_t i = 0; i < info.n; i++) {
		const struct cell *c = &info.cell[i];

		if (!best || c->value > best->value ||
		    (c->value == best->value && strverscmp(c->label[3], best->label[3]) > 0))
			best = c;
	}
	return best;
}

static int fill_info(struct mdl_history *h, struct range info, struct mdl_version *version,
		     struct mdl_hist_module *m)
{
	const struct cell *c = present_info(info);
	int r = 0;

	if (!c)
		return 0;
	r = history_keep(h, c->label[2], &m->distribution);
	if (r == 0)
		r = history_keep(h, c->label[3], &m->version);
	if (*c->label[5])
		m->origin = !strcmp(c->label[5], ORIGIN_APP) ? MDL_ORIGIN_APP : MDL_ORIGIN_FOREIGN;
	*version = (struct mdl_version){.distribution = m->distribution,
					.version = m->version,
					.runs = m->runs_loaded,
					.first_day = h->since_day,
					.last_day = h->until_day - 1};
	m->versions = version;
	m->n_versions = 1;
	return r;
}

static void fill_places(struct mdl_hist_module *m, struct range uses, struct range loads)
{
	for (size_t i = 0; i < uses.n; i++) {
		uint8_t place = history_place(uses.cell[i].label[2]);
		uint64_t n = history_count(uses.cell[i].value);

		m->uses_by_place[place] += n;
		m->uses += n;
		/* in how many runs is not told by place: at most in all that imported it */
		m->runs_by_place[place] = m->uses_by_place[place] < m->runs_imported ?
						  m->uses_by_place[place] :
						  m->runs_imported;
	}
	for (size_t i = 0; i < loads.n; i++) {
		uint8_t place = history_place(loads.cell[i].label[2]);

		m->loads_by_place[place] += history_count(loads.cell[i].value);
		m->runs_loaded += history_count(loads.cell[i].value);
	}
	for (uint8_t i = 0; i < LMMSD_PLACE_MAX; i++)
		if (m->loads_by_place[i] > m->loads_by_place[m->place])
			m->place = i;
}

/* Only the sum of own times is known: the median is taken for their mean. */
static int fill_self(struct mdl_hist_module *m, struct range self)
{
	double sum = sum_of(self);
	double mean = m->total.count ? sum / (double)m->total.count * NS_PER_S : 0;

	return m->total.count && mean >= 0 && mean < SKETCH_MAX_NS ?
		       sketch_add_n(&m->self, (uint64_t)mean, m->total.count) :
		       0;
}

static bool has_modules(int family)
{
	const char *second = families[family].labels[1];

	return second && !strcmp(second, "module");
}

static int fill_module(struct mdl_history *h, const struct range *family, const char *name,
		       struct mdl_version *version, struct mdl_hist_module *m)
{
	struct range of[FAM_MAX];
	int r;

	*m = (struct mdl_hist_module){.first_day = INT32_MIN, .last_day = h->until_day - 1};
	for (int i = 0; i < FAM_MAX; i++)
		of[i] = has_modules(i) ? history_module_in(family[i], name) : (struct range){0};
	m->name = intern_str(h->strings, name);
	if (!m->name)
		return -ENOMEM;
	m->runs_imported = history_count(sum_of(of[FAM_USING]));
	m->runs_used = history_count(sum_of(of[FAM_USING_IN_FUNCTION]));
	m->runs_start = history_count(sum_of(of[FAM_STARTS]));
	m->failures = history_count(sum_of(of[FAM_FAILURES]));
	fill_places(m, of[FAM_USES], of[FAM_LOADS]);
	r = sketch_of(of[FAM_IMPORT_BUCKET], 2, of[FAM_IMPORT_SUM], NAN, &m->total);
	if (r == 0)
		r = fill_self(m, of[FAM_SELF]);
	m->saving.n = m->total.count < h->runs[MDL_RUN_WARM] ? m->total.count :
							       h->runs[MDL_RUN_WARM];
	m->saving.sum = fmax(0, sum_of(of[FAM_DEFERRABLE])) * NS_PER_S;
	return r < 0 ? r : fill_info(h, of[FAM_INFO], version, m);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The names of all modules, each once, in order. */
static int names_of(const struct range *family, const char ***ret, size_t *ret_n)
{
	size_t n = 0, kept = 0;
	const char **name;

	for (int i = 0; i < FAM_MAX; i++)
		n += has_modules(i) ? family[i].n : 0;
	name = calloc(n + 1, sizeof(*name));
	if (!name)
		return -ENOMEM;
	n = 0;
	for (int i = 0; i < FAM_MAX; i++)
		for (size_t k = 0; has_modules(i) && k < family[i].n; k++)
			name[n++] = family[i].cell[k].label[1];
	qsort(name, n, sizeof(*name), by_text);
	for (size_t i = 0; i < n; i++)
		if (!kept || name[kept - 1] != name[i])
			name[kept++] = name[i];
	*ret = name;
	*ret_n = kept;
	return 0;
}

/* What is there only by its name and has not happened in the period. */
static bool is_idle(const struct mdl_hist_module *m)
{
	return !m->uses && !m->runs_imported && !m->runs_loaded && !m->failures && !m->total.count;
}

int history_modules(struct mdl_history *h, const struct range *family)
{
	_free_ const char **name = NULL;
	struct mdl_version *versions;
	size_t n;
	int r = names_of(family, &name, &n);

	if (r < 0)
		return r;
	h->arrays = versions = calloc(n + 1, sizeof(*versions));
	h->modules = calloc(n + 1, sizeof(*h->modules));
	if (!versions || !h->modules)
		return -ENOMEM;
	for (size_t i = 0; i < n && r == 0; i++) {
		struct mdl_hist_module *m = &h->modules[h->n_modules];

		r = fill_module(h, family, name[i], &versions[i], m);
		if (r == 0 && is_idle(m)) {
			sketch_free(&m->total);
			sketch_free(&m->self);
		} else {
			h->n_modules++;
		}
	}
	return r;
}
