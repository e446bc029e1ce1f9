/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <string.h>

#include "analysis/stats.h"
#include "app/ctl_imports.h"
#include "app/options.h"
#include "app/records.h"
#include "base/log.h"
#include "base/text.h"

void imports_progress(const struct imports *i)
{
	uint64_t spent = records_now() - i->began_ns;
	double left = i->done ? (double)spent / (double)i->done * (double)(i->all - i->done) / 1e9 :
				0;
	char line[640]; /* a module's name is whole in it */

	if (!i->done || i->done >= i->all)
		(void)snprintf(line, sizeof(line), "%llu of %llu: import %s",
			       (unsigned long long)i->done, (unsigned long long)i->all,
			       i->m[i->at].name);
	else
		(void)snprintf(line, sizeof(line), "%llu of %llu: import %s, %.0f s left",
			       (unsigned long long)i->done, (unsigned long long)i->all,
			       i->m[i->at].name, ceil(left));
	log_status(line);
}

/* Between the thresholds the use decides, which a module alone cannot show. */
static enum mdl_tier tier_of(const struct imports *i, double ms)
{
	const struct classify_policy *p = &i->ctl->config->policy;

	return ms < p->fast_ms ? MDL_MODULE_LEVEL :
	       ms > p->slow_ms ? MDL_FUNCTION_LEVEL :
				 MDL_TIER_NONE;
}

static int median_of(const double *values, size_t n, struct stats_median *ret)
{
	_cleanup_(stats_dist_clear) struct stats_dist d = {0};
	int r = stats_dist_from_samples(values, n, &d);

	if (!r)
		*ret = stats_median(&d);
	return r;
}

static int say_module(const struct imports *i, const struct imported *m, int width, FILE *out)
{
	struct stats_median total, self;
	_buf_ struct buf name = {0};
	enum mdl_tier tier;
	int r = median_of(m->total, m->n, &total);

	if (!r)
		r = median_of(m->self, m->n, &self);
	if (r)
		return r;
	text_printable(&name, m->name);
	if (!m->n) {
		(void)fprintf(out, "%-*s  no run was counted\n", width, buf_str(&name));
		return 0;
	}
	tier = tier_of(i, total.p50);
	(void)fprintf(out, "%-*s %9.2f  %8.2f .. %-8.2f %9.2f  %s%s\n", width, buf_str(&name),
		      total.p50, total.lo, total.hi, self.p50,
		      tier == MDL_TIER_NONE ? "by use" : classify_tier_name(tier),
		      m->preloaded ? "  (loaded by the interpreter itself)" : "");
	return 0;
}

static void say_failed(const struct imported *m, int width, FILE *out)
{
	_buf_ struct buf name = {0}, error = {0};

	text_printable(&name, m->name);
	text_printable(&error, m->error);
	(void)fprintf(out, "%-*s  cannot be imported: %s\n", width, buf_str(&name),
		      buf_str(&error));
}

static int say_text(const struct imports *i, bool complete, FILE *out)
{
	const struct classify_policy *p = &i->ctl->config->policy;
	int width = 6, r = 0;

	for (size_t k = 0; k < i->n; k++)
		if ((int)strlen(i->m[k].name) > width)
			width = (int)strlen(i->m[k].name);
	(void)fprintf(out, "Each module alone in %llu fresh interpreters of %s %s%s\n\n",
		      (unsigned long long)i->runs, i->python, i->version,
		      complete ? "" : " - STOPPED EARLY: with what there is");
	(void)fprintf(out, "%-*s %9s  %20s %9s  %s\n", width, "MODULE", "TOTAL ms",
		      "95 % interval    ", "SELF ms", "TIER");
	for (size_t k = 0; !r && k < i->n; k++)
		if (!i->m[k].failed)
			r = say_module(i, &i->m[k], width, out);
	for (size_t k = 0; !r && k < i->n; k++)
		if (i->m[k].failed)
			say_failed(&i->m[k], width, out);
	(void)fprintf(
		out,
		"\nTOTAL: median of what the import takes, all that it loads included. Below %g ms MODULE_LEVEL, above %g ms\n"
		"FUNCTION_LEVEL; between them by use (above %g %% MODULE_LEVEL), which the daemon measures.\n",
		p->fast_ms, p->slow_ms, p->usage_pct);
	return r;
}

static void add_number(cJSON *o, const char *key, double v)
{
	if (isfinite(v))
		(void)cJSON_AddNumberToObject(o, key, round(v * 1000) / 1000);
	else
		(void)cJSON_AddNullToObject(o, key);
}

static int add_module(const struct imports *i, const struct imported *m, cJSON *rows)
{
	struct stats_median total, self;
	cJSON *o = cJSON_CreateObject(), *ms = NULL, *ci;
	enum mdl_tier tier;
	int r = o ? median_of(m->total, m->n, &total) : -ENOMEM;

	if (!r)
		r = median_of(m->self, m->n, &self);
	if (r || !cJSON_AddItemToArray(rows, o)) {
		cJSON_Delete(o);
		return r ? r : -ENOMEM;
	}
	(void)cJSON_AddStringToObject(o, "name", m->name);
	ms = cJSON_AddObjectToObject(o, "ms");
	add_number(ms, "p50", total.p50);
	add_number(ms, "p95", total.p95);
	(void)cJSON_AddNumberToObject(ms, "n", (double)m->n);
	ci = m->n ? cJSON_AddArrayToObject(ms, "ci95") : cJSON_AddNullToObject(ms, "ci95");
	if (m->n) {
		(void)cJSON_AddItemToArray(ci, cJSON_CreateNumber(round(total.lo * 1000) / 1000));
		(void)cJSON_AddItemToArray(ci, cJSON_CreateNumber(round(total.hi * 1000) / 1000));
	}
	add_number(o, "self_ms", self.p50);
	tier = m->n ? tier_of(i, total.p50) : MDL_TIER_NONE;
	if (tier == MDL_TIER_NONE)
		(void)cJSON_AddNullToObject(o, "tier"); /* by use */
	else
		(void)cJSON_AddStringToObject(o, "tier", classify_tier_name(tier));
	(void)cJSON_AddBoolToObject(o, "preloaded", m->preloaded);
	ms = cJSON_AddArrayToObject(o, "samples_ms");
	for (size_t k = 0; k < m->n; k++)
		(void)cJSON_AddItemToArray(ms,
					   cJSON_CreateNumber(round(m->total[k] * 1000) / 1000));
	return 0;
}

static int say_json(const struct imports *i, bool complete, FILE *out)
{
	cJSON *o = cJSON_CreateObject(), *rows, *failed;
	char *text;
	int r = 0;

	(void)cJSON_AddStringToObject(o, "schema", "lmms.profile-imports/1");
	(void)cJSON_AddStringToObject(o, "python", i->python);
	(void)cJSON_AddStringToObject(o, "python_version", i->version);
	(void)cJSON_AddNumberToObject(o, "runs", (double)i->runs);
	(void)cJSON_AddBoolToObject(o, "complete", complete);
	rows = cJSON_AddArrayToObject(o, "modules");
	failed = cJSON_AddArrayToObject(o, "failed");
	for (size_t k = 0; !r && k < i->n; k++) {
		if (!i->m[k].failed) {
			r = add_module(i, &i->m[k], rows);
		} else {
			cJSON *f = cJSON_CreateObject();

			(void)cJSON_AddStringToObject(f, "name", i->m[k].name);
			(void)cJSON_AddStringToObject(f, "error", i->m[k].error);
			(void)cJSON_AddItemToArray(failed, f);
		}
	}
	text = r ? NULL : cJSON_Print(o);
	cJSON_Delete(o);
	if (!text)
		return r ? r : -ENOMEM;
	(void)fprintf(out, "%s\n", text);
	cJSON_free(text);
	return 0;
}

static int say(const struct imports *i, bool complete)
{
	_cleanup_(outfile_closep) struct outfile *out = NULL;
	struct export_style style;
	int r = ctl_begin(i->ctl, &out, &style);

	if (r)
		return r;
	r = ctl_answer_format(i->ctl) == EXPORT_ANSWER_JSON ?
		    say_json(i, complete, outfile_stream(out)) :
		    say_text(i, complete, outfile_stream(out));
	return ctl_end(i->ctl, out, r);
}

int imports_say(const struct imports *i, bool complete)
{
	struct ctl *c = i->ctl;
	int r = say(i, complete);

	if (r != EXIT_INTERNAL || !c->output)
		return r;
	/* Minutes of work are not thrown away for a full disk. */
	log_info("the answer is on stdout instead");
	c->format = ctl_answer_format(c) == EXPORT_ANSWER_JSON ? "json" : "text";
	c->output = NULL;
	(void)say(i, complete);
	return r;
}
