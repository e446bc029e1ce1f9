/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* review, check. */
#include <errno.h>

#include "analysis/appraise.h"
#include "app/ctl.h"
#include "app/options.h"
#include "base/log.h"
#include "base/num.h"

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
	if (c->format)
		(void)export_check_format_from_name(c->format, &format);
	else if (c->output)
		(void)export_check_format_from_suffix(c->output, &format);
	r = ctl_begin(c, &out, &style);
	if (!r)
		r = ctl_end(c, out, export_check(format, &slow, &style, outfile_stream(out)));
	return r ? r : slow.n ? EXIT_GATE : EXIT_DONE;
}
