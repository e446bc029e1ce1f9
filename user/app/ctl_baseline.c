/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* baseline, verify. */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "analysis/appraise.h"
#include "analysis/verify.h"
#include "app/ctl.h"
#include "app/options.h"
#include "base/log.h"
#include "base/num.h"

#define NAME_MAX_BYTES 128
#define FEW_RUNS 6

static int print(const struct ctl *c, const struct mdl_baseline *b, size_t n)
{
	_cleanup_(outfile_closep) struct outfile *out = NULL;
	_free_ struct rv_baseline_line *lines = NULL;
	struct export_style style;
	int r = appraise_baselines(b, n, &lines);

	if (r)
		return ctl_fail(c, r, "cannot list the baselines");
	r = ctl_begin(c, &out, &style);
	return r ? r :
		   ctl_end(c, out,
			   export_baselines(ctl_answer_format(c), lines, n, &style,
					    outfile_stream(out)));
}

/* The last day with a warm run, today at best. */
static int last_day(struct ctl *c, struct mdl_history **ret)
{
	_cleanup_(store_history_freep) struct mdl_history *h = NULL;
	int32_t today = store_today();
	size_t i;
	int r = store_history(c->store, c->app, today - CTL_DEFAULT_DAYS + 1, today + 1, &h);

	if (r)
		return ctl_fail(c, r, "cannot read the app");
	for (i = h->n_days; i > 0 && !h->days[i - 1].runs[MDL_RUN_WARM]; i--)
		;
	if (!i) {
		log_error(
			"no warm run of '%s' in the last %d days: run it a few times while 'lmmsd --service' runs",
			c->app, CTL_DEFAULT_DAYS);
		return EXIT_NOT_FOUND;
	}
	r = store_history(c->store, c->app, h->days[i - 1].day, h->days[i - 1].day + 1, ret);
	return r ? ctl_fail(c, r, "cannot read the app") : 0;
}

static int save(struct ctl *c)
{
	_cleanup_(store_history_freep) struct mdl_history *h = NULL;
	struct mdl_baseline b;
	struct timespec now;
	int r;

	if (!c->app || c->n_args != 2 || !*c->args[1] || strlen(c->args[1]) > NAME_MAX_BYTES) {
		log_error(
			"baseline save needs a NAME of at most %d bytes and --app APP: 'lmmsctl apps' lists them",
			NAME_MAX_BYTES);
		return EXIT_USAGE;
	}
	c->period = (struct reviewing_period){STORE_DAY_MIN, STORE_DAY_MAX, REVIEWING_NO_MONTH};
	r = ctl_open(c, STORE_EDIT);
	if (!r)
		r = ctl_need_runs(c);
	if (!r)
		r = last_day(c, &h);
	if (r)
		return r;
	r = store_baseline_of(h, c->args[1], &b);
	if (r)
		return ctl_fail(c, r, "cannot make the baseline");
	(void)clock_gettime(CLOCK_REALTIME, &now);
	b.saved_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
	r = store_baseline_save(c->store, &b);
	r = r ? ctl_fail(c, r, "cannot save the baseline") : print(c, &b, 1);
	if (!r && b.runs < FEW_RUNS)
		log_warning(
			"only %llu warm runs: 'verify' will be less sure; %d or more are better",
			(unsigned long long)b.runs, FEW_RUNS);
	free((void *)(uintptr_t)b.modules);
	return r;
}

static int no_baseline(const struct ctl *c, const char *name)
{
	log_error("no baseline '%s'%s%s: 'lmmsctl baseline list' lists them", name,
		  c->app ? " of " : "", c->app ? c->app : "");
	return EXIT_NOT_FOUND;
}

static int delete (struct ctl *c)
{
	int r;

	if (c->format || c->output) {
		log_error("--format and -o say nothing to baseline delete: it prints nothing");
		return EXIT_USAGE;
	}
	if (c->n_args != 2) {
		log_error("baseline delete needs a NAME: 'lmmsctl baseline list' lists them");
		return EXIT_USAGE;
	}
	r = ctl_open(c, STORE_EDIT);
	if (r)
		return r;
	r = store_baseline_delete(c->store, c->app, c->args[1]);
	if (r == -ENOENT)
		return no_baseline(c, c->args[1]);
	return r < 0 ? ctl_fail(c, r, "cannot delete the baseline") : EXIT_DONE;
}

static int list(struct ctl *c)
{
	_cleanup_(store_baselines_free) struct store_baselines l = {0};
	size_t n = 0;
	int r;

	if (c->n_args != 1) {
		log_error("baseline list takes no NAME");
		return EXIT_USAGE;
	}
	r = ctl_open(c, STORE_READ);
	if (r)
		return r;
	r = store_baselines(c->store, &l);
	if (r)
		return ctl_fail(c, r, "cannot list the baselines");
	for (size_t i = 0; i < l.n; i++)
		if (!c->app || !strcmp(c->app, l.baselines[i].app)) {
			struct mdl_baseline swap = l.baselines[n]; /* all of them stay the list's */

			l.baselines[n++] = l.baselines[i];
			l.baselines[i] = swap;
		}
	return print(c, l.baselines, n);
}

int ctl_baseline(struct ctl *c)
{
	const char *what = c->args[0];

	if (!strcmp(what, "save"))
		return save(c);
	if (!strcmp(what, "list"))
		return list(c);
	if (!strcmp(what, "delete"))
		return delete (c);
	log_error("baseline: '%s' is none of save, list, delete", what);
	return EXIT_USAGE;
}

static int compare(struct ctl *c, const struct mdl_baseline *b, double expected,
		   struct rv_verify **ret)
{
	_cleanup_(store_history_freep) struct mdl_history *h = NULL;
	int r = store_history(c->store, c->app, b->since_day, STORE_DAY_MAX, &h);

	if (!r)
		r = verify_baseline(b, h, expected, ret);
	if (r == -ENODATA) {
		log_error(
			"no warm run of '%s' since the baseline '%s' was saved: run it a few times, then verify",
			c->app, c->baseline);
		return EXIT_NOT_FOUND;
	}
	return r ? ctl_fail(c, r, "cannot verify") : 0;
}

int ctl_verify(struct ctl *c)
{
	_cleanup_(store_baseline_freep) struct mdl_baseline *b = NULL;
	_cleanup_(outfile_closep) struct outfile *out = NULL;
	_cleanup_(verify_freep) struct rv_verify *v = NULL;
	double expected = c->config->review.expect_pct;
	struct export_style style;
	int r;

	if (c->expect && num_double(c->expect, -1000, 100, &expected)) {
		log_error("--expect: '%s' is no percentage from -1000 to 100", c->expect);
		return EXIT_USAGE;
	}
	c->period = (struct reviewing_period){STORE_DAY_MIN, STORE_DAY_MAX, REVIEWING_NO_MONTH};
	r = ctl_open(c, STORE_READ);
	if (!r)
		r = ctl_need_runs(c);
	if (r)
		return r;
	r = store_baseline_load(c->store, c->app, c->baseline, &b);
	if (r)
		return r == -ENOENT ? no_baseline(c, c->baseline) :
				      ctl_fail(c, r, "cannot read the baseline");
	r = compare(c, b, expected, &v);
	if (!r)
		r = ctl_begin(c, &out, &style);
	if (!r)
		r = ctl_end(c, out,
			    export_verify(ctl_answer_format(c), c->app, v, &style,
					  outfile_stream(out)));
	return r ? r : v->holds ? EXIT_DONE : EXIT_GATE;
}
