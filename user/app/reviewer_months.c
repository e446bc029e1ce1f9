/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Calendar months in local time: each gets its review once, also when the daemon slept over its end. */
#include <errno.h>
#include <string.h>

#include "app/reviewer_int.h"
#include "app/reviewing.h"
#include "base/fdio.h"
#include "base/log.h"
#include "export/review.h"

#define SETTLE_NS (5ll * 60 * 1000000000) /* a month's last runs should be counted in */
#define CATCH_UP_MONTHS 24
#define HELD_NS (3600ll * 1000000000)

static int write_file(const char *dir, int32_t month, enum export_review_format format,
		      const struct rv_review *review)
{
	_cleanup_(outfile_closep) struct outfile *out = NULL;
	_buf_ struct buf path = {0};
	int r;

	buf_addf(&path, "%s/lmmsd-%04d-%02d%s", dir, month / 12, month % 12 + 1,
		 export_review_suffix(format));
	r = buf_error(&path);
	if (!r)
		r = outfile_open(buf_str(&path), &out);
	if (!r)
		r = export_review(format, review, NULL, outfile_stream(out));
	return r ? r : outfile_commit(out);
}

static int write_files(const char *dir, int32_t month, const struct rv_review *review)
{
	static const enum export_review_format formats[] = {
		EXPORT_REVIEW_TEXT, EXPORT_REVIEW_MARKDOWN, EXPORT_REVIEW_JSON, EXPORT_REVIEW_HTML};
	int r = 0;

	for (size_t i = 0; !r && i < ARRAY_LEN(formats); i++)
		r = write_file(dir, month, formats[i], review);
	return r;
}

static void count(struct reviewer *r)
{
	(void)pthread_mutex_lock(&r->lock);
	r->counts.reviews++;
	(void)pthread_mutex_unlock(&r->lock);
}

static int make(struct reviewer *r, const struct reviewer_settings *s, struct store *store,
		int32_t month, const char *mark)
{
	_cleanup_(reviewing_freep) struct rv_review *review = NULL;
	const struct reviewing in = {
		.store = store,
		.period = reviewing_month(month),
		.thresholds = s->thresholds,
		.basis = s->basis,
		.monthly = true,
		.max_modules = REVIEWING_MODULES_MOST,
		.stop = &r->stop,
	};
	char label[64];
	int e = reviewing_make(&in, &review);

	if (e)
		return e;
	reviewing_label(&in.period, label, sizeof(label));
	if (!review->n_apps) {
		log_info("no run in %s: no review", label);
		return store_mark_set(store, mark, "empty");
	}
	e = write_files(s->reviews, month, review);
	if (!e)
		e = reviewing_keep(store, month, review);
	/* Last: until then a new start does it all again, with the same outcome. */
	if (!e)
		e = store_mark_set(store, mark, "done");
	if (e < 0)
		return e;
	count(r);
	log_info(
		"the review of %s is in '%s/lmmsd-%04d-%02d.html' (also .txt, .md, .json): %zu app%s, %zu change%s advised",
		label, s->reviews, month / 12, month % 12 + 1, review->n_apps,
		review->n_apps == 1 ? "" : "s", review->n_steps, review->n_steps == 1 ? "" : "s");
	return 0;
}

/* A month that is not over was marked by a clock that was ahead for a while: its review is written again. */
static int unmark(struct store *store, int32_t now)
{
	char from[32];
	int e;

	reviewing_mark(now, from, sizeof(from));
	e = store_mark_drop(store, from, REVIEWING_MARK_END);
	if (e > 0)
		log_info(
			"the clock was ahead and has gone back: what was reviewed too early is reviewed again");
	return e < 0 ? e : 0;
}

/*
 * An hour of the same month: before a host has asked others for the time it may say a month that is long over, whose
 * followers have their reviews for good.
 */
static bool has_held(struct reviewer *r, int32_t now, int64_t passed_ns)
{
	if (r->month_now != now) {
		r->month_now = now;
		r->month_since_ns = passed_ns;
	}
	return passed_ns - r->month_since_ns >= HELD_NS;
}

/* Those of [month, end) that have none yet. One that fails does not keep the others waiting: the first error. */
static int make_all(struct reviewer *r, const struct reviewer_settings *s, struct store *store,
		    int32_t month, int32_t end)
{
	int first = 0;

	for (; month < end; month++) {
		char mark[32], value[16];
		int e;

		if (atomic_load(&r->stop))
			return -ECANCELED;
		reviewing_mark(month, mark, sizeof(mark));
		if (store_mark_get(store, mark, value, sizeof(value)) == 0)
			continue;
		e = make(r, s, store, month, mark);
		if (e == -ECANCELED)
			return e;
		if (e < 0 && !first)
			first = e;
	}
	return first;
}

int reviewer_months(struct reviewer *r, const struct reviewer_settings *s, struct store *store,
		    int64_t now_ns, int64_t passed_ns)
{
	int32_t now = reviewing_month_of(store_day_of(now_ns - SETTLE_NS)), first, last, month, end;
	bool held = has_held(r, now, passed_ns);
	int e;

	if (now == r->month_done)
		return 0;
	e = store_span(store, &first, &last);
	if (e)
		return e == -ENOENT ? 0 : e;
	month = reviewing_month_of(first);
	/* Before the first run the clock is wrong itself: a host without one begins in 1970. */
	if (held && now >= month)
		e = unmark(store, now);
	if (e)
		return e;
	if (month < now - CATCH_UP_MONTHS)
		month = now - CATCH_UP_MONTHS;
	/* A month after the last run has no mark, since the clock may be wrong. */
	end = reviewing_month_of(last) + 1;
	if (end > now)
		end = now;
	e = make_all(r, s, store, month, end);
	if (!e && held)
		r->month_done = now;
	return e;
}
