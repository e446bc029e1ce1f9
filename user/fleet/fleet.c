/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "fleet/fleet.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "fleet/ask.h"
#include "fleet/history.h"

#define NAMES "lmmsd_.+"
#define SCRAPE_S 1 /* all samples of a scrape have one time */
#define FALLBACK                                                                                   \
	1e-6 /* of what a daemon said before it ended, beside what others say at the period's end */

int fleet_new(const struct fleet_options *o, struct fleet **ret, struct buf *error)
{
	struct fleet *f = calloc(1, sizeof(*f));
	int r = f ? http_new(o, &f->http, error) : -ENOMEM;

	if (r < 0) {
		free(f);
		return r;
	}
	*ret = f;
	return 0;
}

struct fleet *fleet_free(struct fleet *f)
{
	if (!f)
		return NULL;
	(void)http_free(f->http);
	free(f);
	return NULL;
}

const char *fleet_url(const struct fleet *f)
{
	return http_shown(f->http);
}

void fleet_answer_clear(struct fleet_answer *a)
{
	for (size_t i = 0; i < a->n; i++)
		(void)history_free(a->history[i]);
	free(a->history);
	*a = (struct fleet_answer){0};
}

/* Where a query's series go. */
struct taking {
	struct cells *cells;
	enum family family; /* FAM_MAX: by its name */
	const char *app;    /* NULL: all */
	double sign;
};

static const char *get(const void *of, const char *label)
{
	return answer_get(of, label);
}

static enum family family_of(const char *name)
{
	for (int i = 0; i < FAM_MAX; i++)
		if (!strcmp(families[i].name, name))
			return (enum family)i;
	return FAM_MAX;
}

static int take(const struct answer_series *s, void *arg)
{
	const struct taking *t = arg;
	enum family family = t->family;
	double value;

	if (family == FAM_MAX) {
		family = family_of(answer_get(s, "__name__"));
		if (family == FAM_MAX)
			return 0;
		if (t->app && family != FAM_LOST && strcmp(answer_get(s, "app"), t->app) != 0)
			return 0;
	}
	value = s->n_samples ? s->sample[s->n_samples - 1].v : NAN;
	if (families[family].gauge && (t->sign < 0 || value <= 0))
		return 0;
	if (families[family].gauge && t->family == FAM_MAX)
		value *= FALLBACK;
	return cells_add(t->cells, family, get, s, value * t->sign);
}

/* One metric of all hosts, added up by the server. */
static int read_family(struct fleet *f, struct taking *to, double time_s, struct buf *error)
{
	const struct family_info *info = &families[to->family];
	_buf_ struct buf q = {0};

	buf_adds(&q, "sum by (");
	for (size_t i = 0; i < CELL_LABELS && info->labels[i]; i++)
		buf_addf(&q, "%s%s", i ? "," : "", info->labels[i]);
	buf_addf(&q, ") (%s", info->name);
	if (to->app && to->family != FAM_LOST) {
		buf_adds(&q, "{app=\"");
		ask_quote(&q, to->app);
		buf_adds(&q, "\"}");
	}
	buf_addc(&q, ')');
	return buf_error(&q) ? -ENOMEM : ask(f, buf_str(&q), time_s, take, to, error);
}

static int read_end(struct fleet *f, struct cells *cells, const char *app, double time_s,
		    double sign, struct buf *error)
{
	int r = 0;

	for (int i = 0; i < FAM_MAX && r == 0; i++) {
		struct taking to = {
			.cells = cells, .family = (enum family)i, .app = app, .sign = sign};

		if (!families[i].gauge || sign > 0)
			r = read_family(f, &to, time_s, error);
	}
	return r;
}

/* Everything of one host at the time of a scrape, raw. */
static int read_host(struct fleet *f, struct cells *cells, const char *app,
		     const struct reading *at, struct buf *error)
{
	struct taking to = {.cells = cells, .family = FAM_MAX, .app = app, .sign = at->sign};
	_buf_ struct buf q = {0};

	buf_addf(&q, "{__name__=~\"" NAMES "\",%s}[%ds]", at->selector, SCRAPE_S);
	return buf_error(&q) ? -ENOMEM : ask(f, buf_str(&q), at->time_s, take, &to, error);
}

static int read_cells(struct fleet *f, const struct fleet_period *p, const char *app,
		      const struct readings *readings, struct cells *cells, struct buf *error)
{
	int r = read_end(f, cells, app, (double)p->until_s, 1, error);

	if (r == 0)
		r = read_end(f, cells, app, (double)p->since_s, -1, error);
	for (size_t i = 0; i < readings->n && r == 0; i++)
		r = read_host(f, cells, app, &readings->reading[i], error);
	return r;
}

int fleet_read(struct fleet *f, const struct fleet_period *p, const char *app,
	       struct fleet_answer *ret, struct buf *error)
{
	struct targets targets = {0};
	struct readings readings = {0};
	struct cells cells = {0};
	size_t before = f->queries;
	int r = cells_init(&cells);

	*ret = (struct fleet_answer){0};
	if (r == 0)
		r = targets_find(f, p, &targets, error);
	if (r == 0)
		r = readings_find(f, p, &targets, &readings, error);
	if (r == 0)
		r = read_cells(f, p, app, &readings, &cells, error);
	if (r == 0) {
		cells_settle(&cells);
		r = histories_build(&cells, p, ret);
	}
	ret->hosts = targets.n - readings.absent;
	ret->restarts = readings.restarts;
	ret->late = readings.late;
	ret->queries = f->queries - before;
	if (r == -E2BIG) {
		buf_reset(error);
		buf_adds(error, "there are more series than lmmsctl takes: ask for one --app");
		r = -EFBIG;
	}
	cells_clear(&cells);
	targets_clear(&targets);
	free(readings.reading);
	return r;
}
