/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Several processes: an app after the other, the one that spent most time starting first. */
#include "export/table.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "export/formats.h"
#include "export/python.h"
#include "export/rows.h"
#include "export/screen.h"

#define WAYS_MAX 40 /* bytes of the ways to end, about */

struct group {
	const struct mdl_process **runs; /* borrowed: into the sorted list */
	size_t n;
	uint64_t weight_ns;
};

struct ordered {
	const struct mdl_process *p;
	size_t at; /* qsort is not stable */
};

static const char *app_of(const struct mdl_process *p)
{
	return p->app && *p->app ? p->app : "python";
}

static int by_app(const void *a, const void *b)
{
	const struct ordered *x = a, *y = b;
	int r = strcmp(app_of(x->p), app_of(y->p));

	return r ? r : (x->at > y->at) - (x->at < y->at);
}

static int by_weight(const void *a, const void *b)
{
	const struct group *x = a, *y = b;

	if (x->weight_ns != y->weight_ns)
		return x->weight_ns > y->weight_ns ? -1 : 1;
	return strcmp(app_of(x->runs[0]), app_of(y->runs[0]));
}

static int by_value(const void *a, const void *b)
{
	uint64_t x, y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return (x > y) - (x < y);
}

struct table_spread table_spread(uint64_t *values, size_t n)
{
	uint64_t low, high;

	qsort(values, n, sizeof(*values), by_value);
	low = values[(n - 1) / 2];
	high = values[n / 2];
	return (struct table_spread){
		.median = low + (high - low) / 2,
		.min = values[0],
		.max = values[n - 1],
	};
}

static void add_spread(struct buf *b, const struct table_app *app, const char *name,
		       uint64_t *values, size_t n)
{
	struct table_spread s;

	if (!n)
		return;
	s = table_spread(values, n);
	buf_addf(b, "  %-12s", name);
	screen_color(b, app->style, SCREEN_BOLD);
	screen_ms(b, s.median, app->decimals, 9);
	screen_color(b, app->style, SCREEN_PLAIN);
	buf_adds(b, " ms");
	if (n > 1) {
		buf_adds(b, "   median of ");
		buf_addf(b, "%zu, ", n);
		screen_ms(b, s.min, app->decimals, 0);
		buf_adds(b, " to ");
		screen_ms(b, s.max, app->decimals, 0);
	}
	buf_addc(b, '\n');
}

/* "  ended badly   2 (exit 1, signal 9)": each way once. */
static void add_failures(struct buf *b, const struct table_app *app)
{
	_buf_ struct buf ways = {0};
	size_t failed = 0;

	for (size_t i = 0; i < app->n_runs; i++) {
		bool known = false;

		if (!app->runs[i]->ended || !app->runs[i]->exit_status)
			continue;
		failed++;
		if (ways.len > WAYS_MAX)
			continue;
		for (size_t j = 0; j < i && !known; j++)
			known = app->runs[j]->ended &&
				app->runs[j]->exit_status == app->runs[i]->exit_status;
		if (known)
			continue;
		if (ways.len)
			buf_adds(&ways, ", ");
		screen_end(&ways, app->runs[i]);
	}
	if (!failed)
		return;
	screen_color(b, app->style, SCREEN_WARN);
	buf_addf(b, "  %-12s%9zu  (", "ended badly", failed);
	screen_join(b, &ways);
	buf_addc(b, ')');
	screen_color(b, app->style, SCREEN_PLAIN);
	buf_addc(b, '\n');
}

static void add_title(struct buf *b, const struct table_app *app)
{
	size_t forked = 0, late = 0, on = 0;
	char version[PYTHON_VERSION_SIZE];

	for (size_t i = 0; i < app->n_runs; i++) {
		forked += app->runs[i]->forked;
		late += !app->runs[i]->from_start;
		on += !app->runs[i]->ended;
	}
	buf_addc(b, '\n');
	screen_color(b, app->style, SCREEN_BOLD);
	screen_cut(b, app->style, app_of(app->runs[0]), screen_title_width(app->style));
	screen_color(b, app->style, SCREEN_PLAIN);
	if (python_version(app->runs[0]->py_version, version))
		buf_addf(b, "   python %s", version);
	buf_addf(b, "   %zu run%s", app->n_runs - forked, app->n_runs - forked == 1 ? "" : "s");
	if (forked)
		buf_addf(b, " and %zu forked", forked);
	buf_addc(b, '\n');
	if (on)
		buf_addf(b, "  %-12s%9zu\n", on == 1 ? "runs on" : "run on", on);
	if (late)
		buf_addf(b, "  %-12s%9zu  what was imported before has no times\n", "ran already",
			 late);
	add_failures(b, app);
}

static int write_app(const struct group *group, const struct export_style *style, FILE *out)
{
	struct table_app app = {.runs = group->runs, .n_runs = group->n, .style = style};
	_free_ uint64_t *cold = calloc(group->n, sizeof(*cold)),
			*interp = calloc(group->n, sizeof(*interp));
	size_t n_cold = 0, n_interp = 0;
	_buf_ struct buf b = {0};
	int r;

	if (!cold || !interp)
		return -ENOMEM;
	for (size_t i = 0; i < group->n; i++) {
		if (rows_cold_start_known(group->runs[i]) && !group->runs[i]->forked)
			cold[n_cold++] = group->runs[i]->cold_start_ns;
		if (group->runs[i]->interpreter_ns)
			interp[n_interp++] = group->runs[i]->interpreter_ns;
	}
	app.cold_start_ns = n_cold ? table_spread(cold, n_cold).median : 0;
	app.decimals = screen_decimals(app.cold_start_ns);
	add_title(&b, &app);
	add_spread(&b, &app, "cold start", cold, n_cold);
	add_spread(&b, &app, "interpreter", interp, n_interp);
	r = table_add_modules(&b, &app);
	return r < 0 ? r : screen_flush(&b, out);
}

/* Runs by app in *ret_runs, which the groups point into. */
static int make_groups(const struct mdl_profile *profile, const struct mdl_process ***ret_runs,
		       struct group **ret_groups, size_t *ret_n)
{
	size_t n = profile->n_processes, n_groups = 0;
	_free_ struct ordered *ordered = calloc(n + 1, sizeof(*ordered));
	_free_ const struct mdl_process **runs = calloc(n + 1, sizeof(*runs));
	_free_ struct group *groups = calloc(n + 1, sizeof(*groups));

	if (!ordered || !runs || !groups)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		ordered[i] = (struct ordered){.p = profile->processes[i], .at = i};
	qsort(ordered, n, sizeof(*ordered), by_app);
	for (size_t i = 0; i < n; i++) {
		runs[i] = ordered[i].p;
		if (i == 0 || strcmp(app_of(runs[i]), app_of(runs[i - 1])) != 0)
			groups[n_groups++].runs = &runs[i];
		groups[n_groups - 1].n++;
		groups[n_groups - 1].weight_ns += runs[i]->cold_start_ns;
	}
	qsort(groups, n_groups, sizeof(*groups), by_weight);
	*ret_n = n_groups;
	*ret_runs = TAKE_PTR(runs);
	*ret_groups = TAKE_PTR(groups);
	return 0;
}

int export_table(const struct mdl_profile *profile, const struct export_style *style, FILE *out)
{
	_free_ const struct mdl_process **runs = NULL;
	_free_ struct group *groups = NULL;
	_buf_ struct buf b = {0};
	size_t n;
	int r = make_groups(profile, &runs, &groups, &n);

	if (r < 0)
		return r;
	screen_lost(&b, style, profile->lost, profile->complete);
	if (n)
		buf_addf(&b, "%zu process%s of %zu app%s\n", profile->n_processes,
			 profile->n_processes == 1 ? "" : "es", n, n == 1 ? "" : "s");
	else
		buf_adds(&b, "No Python process was seen.\n");
	r = screen_flush(&b, out);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = write_app(&groups[i], style, out);
	if (r < 0 || !n)
		return r;
	buf_addc(&b, '\n');
	screen_color(&b, style, SCREEN_DIM);
	buf_adds(&b, "Numbers are medians over the runs.\n");
	buf_adds(&b, screen_legend(style));
	screen_color(&b, style, SCREEN_PLAIN);
	return screen_flush(&b, out);
}
