/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* review, check. */
#include <errno.h>

#include "analysis/appraise.h"
#include "app/ctl.h"
#include "app/options.h"
#include "base/log.h"
#include "base/num.h"

#define NAME_APPS 3

static int make(struct ctl *c, struct rv_review **ret)
{
	struct reviewing in;
	int r;

	if (c->prometheus)
		return ctl_fleet_review(c, ret);
	r = ctl_open(c, STORE_READ);
	if (!r)
		r = ctl_need_runs(c);
	if (r)
		return r;
	in = ctl_reviewing(c);
	r = reviewing_make(&in, ret);
	return r ? ctl_fail(c, r, "cannot review") : 0;
}

int ctl_review(struct ctl *c)
{
	_cleanup_(reviewing_freep) struct rv_review *review = NULL;
	_cleanup_(outfile_closep) struct outfile *out = NULL;
	enum export_review_format format = EXPORT_REVIEW_TEXT;
	struct export_style style;
	int r = make(c, &review);

	if (r)
		return r;
	if (c->format)
		(void)export_review_format_from_name(c->format, &format);
	else if (c->output)
		(void)export_review_format_from_suffix(c->output, &format);
	r = ctl_begin(c, &out, &style);
	return r ? r : ctl_end(c, out, export_review(format, review, &style, outfile_stream(out)));
}

static void free_slow(struct rv_slow_list *l)
{
	free(l->slow);
}

/* That nothing slow was found there says nothing. Names of some. */
static void name_unmeasured(const struct rv_review *review, size_t all, struct buf *b)
{
	size_t n = 0;

	for (size_t i = 0; i < review->n_apps && n < NAME_APPS; i++)
		if (!appraise_measured(review->apps[i]))
			buf_addf(b, "%s'%s'", n++ ? ", " : "", review->apps[i]->app);
	if (all > n)
		buf_addf(b, " and %zu more apps", all - n);
}

/* A gate does not hold because nothing was measured. */
static int need_times(const struct ctl *c, const struct rv_review *review,
		      const struct rv_slow_list *slow)
{
	_buf_ struct buf apps = {0};
	char period[64];

	if (!slow->n_unmeasured)
		return 0;
	name_unmeasured(review, slow->n_unmeasured, &apps);
	reviewing_label(&c->period, period, sizeof(period));
	if (slow->n_apps) {
		log_warning("not checked, no warm run in %s yet: %s; run each a few times", period,
			    buf_str(&apps));
		return 0;
	}
	log_error(
		"no warm run of %s in %s yet: run %s a few times while 'lmmsd --service' runs, then check",
		buf_str(&apps), period, slow->n_unmeasured == 1 ? "it" : "each");
	return EXIT_NOT_FOUND;
}

int ctl_check(struct ctl *c)
{
	_cleanup_(reviewing_freep) struct rv_review *review = NULL;
	_cleanup_(outfile_closep) struct outfile *out = NULL;
	_cleanup_(free_slow) struct rv_slow_list slow = {0};
	enum export_check_format format = EXPORT_CHECK_TEXT;
	double max_ms = c->config->review.warn_ms;
	struct export_style style;
	int r;

	if (c->max_ms && num_double(c->max_ms, 0, 3600000, &max_ms)) {
		log_error("--max-ms: '%s' is no number from 0 to 3600000", c->max_ms);
		return EXIT_USAGE;
	}
	r = make(c, &review);
	if (r)
		return r;
	r = appraise_slow(review->apps, review->n_apps, max_ms, &slow);
	if (r)
		return ctl_fail(c, r, "cannot check");
	r = need_times(c, review, &slow);
	if (r)
		return r;
	if (c->format)
		(void)export_check_format_from_name(c->format, &format);
	else if (c->output)
		(void)export_check_format_from_suffix(c->output, &format);
	r = ctl_begin(c, &out, &style);
	if (!r)
		r = ctl_end(c, out, export_check(format, &slow, &style, outfile_stream(out)));
	return r ? r : slow.n ? EXIT_GATE : EXIT_DONE;
}
