/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* lmms.review/1 as in interface.md. An app at a time, so that memory does not grow with their number. */
#include <errno.h>
#include <math.h>

#include "export/review_int.h"

static cJSON *pair(double lo, double hi)
{
	_cleanup_(jsonx_clear) struct jsonx j = {0};
	cJSON *array = cJSON_CreateArray();
	const char *const keys[] = {"lo", "hi"};

	jsonx_init(&j);
	jsonx_double(&j, keys[0], lo);
	jsonx_double(&j, keys[1], hi);
	for (int i = 0; array && !j.failed && i < 2; i++) {
		cJSON *item = cJSON_DetachItemFromObjectCaseSensitive(j.object, keys[i]);

		if (!item || !cJSON_AddItemToArray(array, item))
			j.failed = true;
	}
	if (j.failed) {
		cJSON_Delete(array);
		return NULL;
	}
	return array;
}

/* The object for the caller; NULL when something could not be added. */
static cJSON *take(struct jsonx *j)
{
	cJSON *object = j->failed ? NULL : TAKE_PTR(j->object);

	jsonx_clear(j);
	return object;
}

void words_json_times(struct jsonx *to, const char *key, const struct rv_times *t)
{
	struct jsonx j;

	jsonx_init(&j);
	jsonx_double(&j, "p50", t->p50);
	jsonx_double(&j, "p95", t->p95);
	jsonx_u64(&j, "n", t->n);
	jsonx_take(&j, "ci95", t->n ? pair(t->lo, t->hi) : cJSON_CreateNull());
	jsonx_bool(&j, "ci_full", t->full);
	jsonx_take(to, key, take(&j));
}

cJSON *words_json_site(const struct rv_site *s)
{
	struct jsonx j;

	jsonx_init(&j);
	jsonx_str(&j, "importer", s->importer);
	jsonx_str(&j, "module", s->module);
	jsonx_str(&j, "file", s->file);
	if (s->line > 0)
		jsonx_i64(&j, "line", s->line);
	else
		jsonx_null(&j, "line");
	jsonx_str(&j, "placement", jsonx_place(s->place));
	jsonx_bool(&j, "own", s->own);
	jsonx_bool(&j, "cached", s->cached);
	jsonx_u64(&j, "runs", s->runs);
	return take(&j);
}

/* Of n items, each made by its index. */
#define ARRAY_OF(n, make)                                                                          \
	({                                                                                         \
		cJSON *array_ = cJSON_CreateArray();                                               \
		for (size_t i = 0; array_ && i < (n); i++) {                                       \
			cJSON *item_ = (make);                                                     \
			if (!item_ || !cJSON_AddItemToArray(array_, item_)) {                      \
				cJSON_Delete(item_);                                               \
				cJSON_Delete(array_);                                              \
				array_ = NULL;                                                     \
			}                                                                          \
		}                                                                                  \
		array_;                                                                            \
	})

static cJSON *importers_of(const struct rv_module *m)
{
	cJSON *array = cJSON_CreateArray();

	for (size_t i = 0; array && i < m->n_sites; i++) {
		const char *name = m->sites[i].importer;
		bool again = !name;
		cJSON *item;

		for (size_t k = 0; k < i && !again; k++)
			again = m->sites[k].importer == name;
		if (again)
			continue;
		item = cJSON_CreateString(name);
		if (!item || !cJSON_AddItemToArray(array, item)) {
			cJSON_Delete(item);
			cJSON_Delete(array);
			return NULL;
		}
	}
	return array;
}

cJSON *words_json_module(const struct rv_module *m)
{
	struct jsonx j;

	jsonx_init(&j);
	jsonx_str(&j, "name", m->name);
	jsonx_str(&j, "distribution", m->distribution);
	jsonx_str(&j, "version", m->version);
	jsonx_str(&j, "file", m->file);
	words_json_times(&j, "ms", &m->ms);
	jsonx_double(&j, "self_ms", m->self_ms);
	jsonx_double(&j, "share_pct", m->share_pct);
	jsonx_double(&j, "run_pct", m->run_pct);
	jsonx_double(&j, "usage_pct", m->usage_pct);
	jsonx_double(&j, "used_pct", m->used_pct);
	jsonx_str(&j, "usage_evidence", m->evidence == RV_EVIDENCE_IN_USE ? "in_use" : "imported");
	jsonx_str(&j, "placement", jsonx_place(m->placement));
	jsonx_bool(&j, "placement_mixed", m->placement_mixed);
	jsonx_bool(&j, "at_start", m->at_start);
	jsonx_str(&j, "tier", jsonx_tier(m->tier));
	jsonx_str(&j, "tier_now", jsonx_tier(m->tier_now));
	jsonx_str(&j, "tier_before", jsonx_tier(m->tier_before));
	jsonx_bool(&j, "interval_spans_threshold", m->spans);
	jsonx_bool(&j, "tier_kept", m->kept);
	jsonx_str(&j, "action", words_action(m->action));
	jsonx_str(&j, "reason", m->reason);
	jsonx_double(&j, "saving_ms", m->saving_ms);
	jsonx_take(&j, "importers", importers_of(m));
	jsonx_take(&j, "sites", ARRAY_OF(m->n_sites, words_json_site(&m->sites[i])));
	jsonx_u64(&j, "sites_left_out", m->more_sites);
	jsonx_take(&j, "defer_together", ARRAY_OF(m->n_cut, words_json_site(&m->cut[i])));
	jsonx_u64(&j, "defer_together_left_out", m->more_cut);
	jsonx_take(&j, "chain", ARRAY_OF(m->n_chain, cJSON_CreateString(m->chain[i])));
	jsonx_str(&j, "brought_by", m->brought_by);
	jsonx_bool(&j, "slow", m->slow);
	jsonx_bool(&j, "worth_a_look", m->doubt);
	return take(&j);
}

static cJSON *change_of(const struct rv_change *c)
{
	_buf_ struct buf day = {0};
	struct jsonx j;

	jsonx_init(&j);
	jsonx_str(&j, "kind", words_change(c->kind));
	jsonx_str(&j, "module", c->module);
	jsonx_str(&j, "before", c->before);
	jsonx_str(&j, "after", c->after);
	jsonx_double(&j, "before_value", c->before_value);
	jsonx_double(&j, "after_value", c->after_value);
	if (c->day == INT64_MIN) {
		jsonx_null(&j, "day");
	} else {
		words_day(&day, c->day);
		jsonx_buf(&j, "day", &day);
	}
	jsonx_str(&j, "why", c->why);
	return take(&j);
}

static cJSON *moved_of(const struct rv_moved *m)
{
	struct jsonx j;

	jsonx_init(&j);
	jsonx_str(&j, "module", m->module);
	jsonx_double(&j, "predicted_ms", m->predicted_ms);
	return take(&j);
}

cJSON *words_json_verify(const char *app, const struct rv_verify *v, bool whole)
{
	struct jsonx j;

	jsonx_init(&j);
	if (whole)
		jsonx_str(&j, "schema", "lmms.verify/1");
	if (app)
		jsonx_str(&j, "app", app);
	jsonx_str(&j, "baseline", v->baseline);
	jsonx_double(&j, "baseline_ms", v->baseline_ms);
	jsonx_u64(&j, "baseline_n", v->baseline_n);
	jsonx_double(&j, "current_ms", v->current_ms);
	jsonx_u64(&j, "current_n", v->current_n);
	jsonx_double(&j, "improvement_pct", v->improvement_pct);
	jsonx_take(&j, "ci95", pair(v->lo_pct, v->hi_pct));
	jsonx_bool(&j, "ci_full", v->full);
	jsonx_double(&j, "p_value", v->p_value);
	jsonx_double(&j, "expected_pct", v->expected_pct);
	jsonx_bool(&j, "holds", v->holds);
	jsonx_double(&j, "predicted_ms", v->predicted_ms);
	jsonx_double(&j, "real_ms", v->real_ms);
	jsonx_take(&j, "moved", ARRAY_OF(v->n_moved, moved_of(&v->moved[i])));
	jsonx_str(&j, "text", v->text);
	return take(&j);
}

static cJSON *check_of(const struct rv_check *c)
{
	struct jsonx j;

	jsonx_init(&j);
	jsonx_str(&j, "item", c->item);
	jsonx_bool(&j, "done", c->done);
	jsonx_str(&j, "evidence", c->evidence);
	return take(&j);
}

static cJSON *day_of(const struct rv_day *d)
{
	_buf_ struct buf day = {0};
	struct jsonx j;

	words_day(&day, d->day);
	jsonx_init(&j);
	jsonx_buf(&j, "day", &day);
	jsonx_double(&j, "p50", d->p50_ms);
	jsonx_u64(&j, "n", d->n);
	return take(&j);
}

static int write_app(const struct rv_app *a, FILE *out)
{
	_cleanup_(jsonx_clear) struct jsonx j = {0};

	jsonx_init(&j);
	jsonx_str(&j, "app", a->app);
	jsonx_u64(&j, "runs", a->runs);
	jsonx_bool(&j, "uses_counted", a->uses_counted);
	jsonx_u64(&j, "warm_runs", a->warm);
	jsonx_u64(&j, "cold_cache_runs", a->cold);
	jsonx_u64(&j, "after_change_runs", a->after_change);
	words_json_times(&j, "cold_start", &a->cold_start);
	words_json_times(&j, "interpreter", &a->interpreter);
	words_json_times(&j, "cold_start_before", &a->before);
	jsonx_double(&j, "noise_ms", a->noise_ms);
	jsonx_double(&j, "can_save_ms", a->can_save_ms);
	jsonx_take(&j, "history", ARRAY_OF(a->n_days, day_of(&a->days[i])));
	jsonx_take(&j, "modules", ARRAY_OF(a->n_modules, words_json_module(&a->modules[i])));
	jsonx_u64(&j, "modules_left_out", a->cut_modules);
	jsonx_take(&j, "changes", ARRAY_OF(a->n_changes, change_of(&a->changes[i])));
	jsonx_u64(&j, "changes_left_out", a->cut_changes);
	jsonx_take(&j, "verify",
		   a->verify ? words_json_verify(NULL, a->verify, false) : cJSON_CreateNull());
	jsonx_take(&j, "checklist", ARRAY_OF(a->n_checklist, check_of(&a->checklist[i])));
	return jsonx_write(&j, out);
}

static cJSON *thresholds_of(const struct rv_thresholds *t)
{
	struct jsonx j;

	jsonx_init(&j);
	jsonx_double(&j, "fast_ms", t->fast_ms);
	jsonx_double(&j, "slow_ms", t->slow_ms);
	jsonx_double(&j, "usage_pct", t->usage_pct);
	jsonx_double(&j, "warn_ms", t->warn_ms);
	jsonx_double(&j, "expect_pct", t->expect_pct);
	jsonx_double(&j, "often_pct", t->often_pct);
	jsonx_double(&j, "noise_ms", t->noise_ms);
	jsonx_u64(&j, "min_runs", t->min_runs);
	return take(&j);
}

static cJSON *step_of(const struct rv_step *s)
{
	struct jsonx j;

	jsonx_init(&j);
	jsonx_str(&j, "app", s->app);
	jsonx_str(&j, "module", s->module);
	jsonx_str(&j, "action", words_action(s->action));
	jsonx_double(&j, "saving_ms", s->saving_ms);
	jsonx_double(&j, "saving_pct", s->saving_pct);
	jsonx_double(&j, "saving_period_s", s->month_s);
	jsonx_take(&j, "sites", ARRAY_OF(s->n_sites, words_json_site(&s->sites[i])));
	jsonx_u64(&j, "sites_left_out", s->more_sites);
	jsonx_str(&j, "text", s->text);
	return take(&j);
}

static int write_head(const struct rv_review *r, FILE *out)
{
	_cleanup_(jsonx_clear) struct jsonx j = {0};
	struct jsonx period;
	_buf_ struct buf headline = {0};

	words_headline(&headline, r);
	jsonx_init(&period);
	/* ns of Unix time go through the monotonic pair as offset */
	jsonx_time(&period, "since", 0, r->since_s * 1000000000);
	jsonx_time(&period, "until", 0, r->until_s * 1000000000);
	jsonx_str(&period, "label", r->label);
	jsonx_init(&j);
	jsonx_str(&j, "schema", "lmms.review/1");
	jsonx_str(&j, "version", r->version);
	jsonx_str(&j, "host", r->host);
	if (r->note)
		jsonx_str(&j, "note", r->note);
	jsonx_take(&j, "period", take(&period));
	jsonx_str(&j, "usage_basis", r->basis == RV_BASIS_SHARE ? "share_pct" : "run_pct");
	jsonx_take(&j, "thresholds", thresholds_of(&r->thresholds));
	jsonx_take(&j, "lost", jsonx_lost(r->lost));
	jsonx_buf(&j, "headline", &headline);
	jsonx_take(&j, "steps", ARRAY_OF(r->n_steps, step_of(&r->steps[i])));
	return jsonx_write_open(&j, out);
}

int export_review_json(const struct rv_review *r, FILE *out)
{
	int e = write_head(r, out);

	if (e < 0)
		return e;
	(void)fputs(",\"apps\":[", out);
	for (size_t i = 0; i < r->n_apps; i++) {
		if (i)
			(void)fputc(',', out);
		e = write_app(r->apps[i], out);
		if (e < 0)
			return e;
	}
	(void)fputs("]}\n", out);
	return ferror(out) ? -EIO : 0;
}
