/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* apps, modules, deps, why. */
#include <errno.h>
#include <string.h>

#include "analysis/appraise.h"
#include "app/ctl.h"
#include "app/options.h"
#include "base/log.h"

int ctl_apps(struct ctl *c)
{
	_cleanup_(store_apps_free) struct store_apps apps = {0};
	_cleanup_(outfile_closep) struct outfile *out = NULL;
	_free_ struct rv_app_line *lines = NULL;
	struct export_style style;
	int r = ctl_open(c, STORE_READ);

	if (r)
		return r;
	if (!c->period_given)
		c->period = (struct reviewing_period){STORE_DAY_MIN, STORE_DAY_MAX,
						      REVIEWING_NO_MONTH};
	r = store_apps(c->store, c->period.since, c->period.until, &apps);
	if (r)
		return ctl_fail(c, r, "cannot list the apps");
	if (!apps.n && ctl_answer_format(c) == EXPORT_ANSWER_TEXT && !c->period_given)
		log_info("no run yet: start a Python program while 'lmmsd --service' runs");
	r = appraise_apps(apps.apps, apps.n, &lines);
	if (r)
		return ctl_fail(c, r, "cannot list the apps");
	r = ctl_begin(c, &out, &style);
	return r ? r :
		   ctl_end(c, out,
			   export_apps(ctl_answer_format(c), lines, apps.n, &style,
				       outfile_stream(out)));
}

int ctl_modules(struct ctl *c)
{
	_cleanup_(appraise_app_freep) struct rv_app *app = NULL;
	_cleanup_(outfile_closep) struct outfile *out = NULL;
	struct export_style style;
	struct reviewing in;
	int r = ctl_open(c, STORE_READ);

	if (!r)
		r = ctl_need_runs(c);
	if (r)
		return r;
	in = ctl_reviewing(c);
	r = reviewing_app(&in, c->app, &app);
	if (r)
		return ctl_fail(c, r, "cannot read the app");
	r = ctl_begin(c, &out, &style);
	return r ? r :
		   ctl_end(c, out,
			   export_modules(ctl_answer_format(c), app, &style, outfile_stream(out)));
}

static const char *module_name(const void *list, size_t i)
{
	const struct mdl_history *h = list;

	return h->modules[i].name;
}

static int no_module(const struct ctl *c, const struct mdl_history *h)
{
	const char *near = ctl_nearest(c->args[0], module_name, h, h->n_modules);
	char period[64];

	reviewing_label(&c->period, period, sizeof(period));
	if (near)
		log_error("'%s' did not import '%s' in %s: did you mean '%s'?", c->app, c->args[0],
			  period, near);
	else
		log_error(
			"'%s' did not import '%s' in %s: 'lmmsctl modules --app %s' lists what it did",
			c->app, c->args[0], period, c->app);
	return EXIT_NOT_FOUND;
}

static int history(struct ctl *c, struct mdl_history **ret)
{
	int r = ctl_open(c, STORE_READ);

	if (!r)
		r = ctl_need_runs(c);
	if (r)
		return r;
	r = store_history(c->store, c->app, c->period.since, c->period.until, ret);
	return r ? ctl_fail(c, r, "cannot read the app") : 0;
}

int ctl_deps(struct ctl *c)
{
	_cleanup_(store_history_freep) struct mdl_history *h = NULL;
	_cleanup_(outfile_closep) struct outfile *out = NULL;
	struct export_style style;
	struct rv_deps *deps;
	int r = history(c, &h);

	if (r)
		return r;
	r = appraise_deps(h, c->args[0], &deps);
	if (r)
		return r == -ENOENT ? no_module(c, h) : ctl_fail(c, r, "cannot follow the imports");
	r = ctl_begin(c, &out, &style);
	if (!r)
		r = ctl_end(c, out,
			    export_deps(ctl_answer_format(c), deps, &style, outfile_stream(out)));
	(void)appraise_deps_free(deps);
	return r;
}

int ctl_why(struct ctl *c)
{
	_cleanup_(store_history_freep) struct mdl_history *h = NULL;
	_cleanup_(outfile_closep) struct outfile *out = NULL;
	struct export_style style;
	struct rv_reasons *reasons;
	int r = history(c, &h);

	if (r)
		return r;
	r = appraise_reasons(h, c->args[0], &reasons);
	if (r)
		return r == -ENOENT ? no_module(c, h) : ctl_fail(c, r, "cannot follow the imports");
	r = ctl_begin(c, &out, &style);
	if (!r)
		r = ctl_end(c, out,
			    export_reasons(ctl_answer_format(c), reasons, &style,
					   outfile_stream(out)));
	(void)appraise_reasons_free(reasons);
	return r;
}
