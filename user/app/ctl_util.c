/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include <errno.h>
#include <string.h>

#include "app/ctl.h"
#include "app/options.h"
#include "base/log.h"

#define WORD_MAX 64

struct reviewing ctl_reviewing(const struct ctl *c)
{
	return (struct reviewing){
		.store = c->store,
		.period = c->period,
		.thresholds = reviewing_thresholds(c->config),
		.basis = reviewing_basis(c->config),
		.app = c->app,
	};
}

static int exit_code(int r)
{
	return r == -EPROTO	 ? EXIT_NOT_SUPPORTED :
	       r == -EMEDIUMTYPE ? EXIT_NOT_FOUND :
				   (int)options_exit_code(r);
}

int ctl_open(struct ctl *c, enum store_mode mode)
{
	char reason[STORE_REASON_MAX];
	int r = store_open(c->config->db, mode, &c->store, reason);

	if (!r)
		return 0;
	log_error("cannot open the database '%s': %s%s", c->config->db,
		  *reason ? reason : strerror(-r),
		  r == -EACCES || r == -EPERM ? "; root may, and the group that owns it: lmmsd" :
						"");
	return exit_code(r);
}

int ctl_fail(const struct ctl *c, int r, const char *what)
{
	const char *why = r != -ENOMEM && c->store ? store_error(c->store) : "";

	log_error("%s, database '%s': %s", what, c->config->db, why && *why ? why : strerror(-r));
	return r == -ENOENT ? EXIT_INTERNAL : exit_code(r);
}

static size_t least(size_t a, size_t b, size_t c)
{
	size_t m = a < b ? a : b;

	return m < c ? m : c;
}

/* Levenshtein's distance of the first WORD_MAX bytes. */
static size_t distance(const char *a, const char *b)
{
	size_t row[WORD_MAX + 1], n = strnlen(a, WORD_MAX), m = strnlen(b, WORD_MAX);

	for (size_t j = 0; j <= m; j++)
		row[j] = j;
	for (size_t i = 1; i <= n; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= m; j++) {
			size_t above = row[j];

			row[j] = least(above + 1, row[j - 1] + 1,
				       diagonal + (a[i - 1] != b[j - 1]));
			diagonal = above;
		}
	}
	return row[m];
}

const char *ctl_nearest(const char *s, const char *(*name)(const void *list, size_t i),
			const void *list, size_t n)
{
	size_t best = SIZE_MAX, len = strlen(s);
	const char *found = NULL;

	for (size_t i = 0; i < n; i++) {
		const char *t = name(list, i);
		size_t d = distance(s, t), longer = strlen(t) > len ? strlen(t) : len;

		/* A part of the name is a good guess, too. */
		if (len >= 3 && strstr(t, s))
			d = 1;
		if (d < best && d <= longer / 3 + 1 && d < longer) {
			best = d;
			found = t;
		}
	}
	return found;
}

static const char *app_name(const void *list, size_t i)
{
	const struct mdl_app *apps = list;

	return apps[i].name;
}

static int no_app(const struct ctl *c, const struct store_apps *apps)
{
	const char *near = ctl_nearest(c->app, app_name, apps->apps, apps->n);

	if (near)
		log_error("no app '%s' in '%s': did you mean '%s'?", c->app, c->config->db, near);
	else
		log_error("no app '%s' in '%s': 'lmmsctl apps' lists them", c->app, c->config->db);
	return EXIT_NOT_FOUND;
}

static int no_runs(const struct ctl *c, const struct mdl_app *a)
{
	char period[64];
	int y, m, d;

	reviewing_label(&c->period, period, sizeof(period));
	store_civil_of(store_day_of(a->last_ns), &y, &m, &d);
	log_error(
		"no run of '%s' in %s: the last one was on %04d-%02d-%02d, give --month %04d-%02d",
		c->app, period, y, m, d, y, m);
	return EXIT_NOT_FOUND;
}

static int no_runs_at_all(const struct ctl *c)
{
	char period[64];
	int32_t first, last;
	int y1, m1, d1, y2, m2, d2;

	reviewing_label(&c->period, period, sizeof(period));
	if (store_span(c->store, &first, &last)) {
		log_error("no run in '%s' yet: start a Python program while 'lmmsd --service' runs",
			  c->config->db);
		return EXIT_NOT_FOUND;
	}
	store_civil_of(first, &y1, &m1, &d1);
	store_civil_of(last, &y2, &m2, &d2);
	log_error("no run in %s: '%s' has runs from %04d-%02d-%02d to %04d-%02d-%02d", period,
		  c->config->db, y1, m1, d1, y2, m2, d2);
	return EXIT_NOT_FOUND;
}

int ctl_need_runs(struct ctl *c)
{
	_cleanup_(store_apps_free) struct store_apps in = {0}, all = {0};
	int r = store_apps(c->store, c->period.since, c->period.until, &in);

	if (r)
		return ctl_fail(c, r, "cannot list the apps");
	if (!c->app)
		return in.n ? 0 : no_runs_at_all(c);
	for (size_t i = 0; i < in.n; i++)
		if (!strcmp(in.apps[i].name, c->app))
			return 0;
	r = store_apps(c->store, STORE_DAY_MIN, STORE_DAY_MAX, &all);
	if (r)
		return ctl_fail(c, r, "cannot list the apps");
	for (size_t i = 0; i < all.n; i++)
		if (!strcmp(all.apps[i].name, c->app))
			return no_runs(c, &all.apps[i]);
	return no_app(c, &all);
}
