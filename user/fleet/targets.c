/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Which hosts there were, and when their daemons began and ended. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "fleet/ask.h"

#define START "process_start_time_seconds"
#define NEAR_S                                                                                     \
	600 /* around a start its predecessor's last sample is looked for; hosts' clocks may be off so much */
#define COARSE_S 300 /* as far as an instant query looks back */
#define TARGETS_MOST 100000
#define RESTARTS_MOST 1000 /* of one host in a period */
#define READINGS_MOST 1000000

void targets_clear(struct targets *t)
{
	free(t->target);
	(void)intern_free(t->strings);
	buf_free(&t->jobs);
	*t = (struct targets){0};
}

static int by_name(const void *a, const void *b)
{
	const struct answer_label *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static bool is_own_label(const char *name)
{
	return strcmp(name, "__name__") != 0 && strcmp(name, "version") != 0 &&
	       strcmp(name, "libbpf") != 0;
}

/* What scraping added to a series, in one order, as a selector. NULL: no memory. */
static const char *selector_of(struct intern *strings, const struct answer_series *s)
{
	struct answer_label label[ANSWER_LABELS_MOST];
	_buf_ struct buf b = {0};
	size_t n = 0;

	for (size_t i = 0; i < s->n_labels; i++)
		if (is_own_label(s->label[i].name))
			label[n++] = s->label[i];
	qsort(label, n, sizeof(*label), by_name);
	for (size_t i = 0; i < n; i++) {
		buf_addf(&b, "%s%s=\"", i ? "," : "", label[i].name);
		ask_quote(&b, label[i].value);
		buf_addc(&b, '"');
	}
	return buf_error(&b) ? NULL : intern_str(strings, buf_str(&b));
}

static int by_selector(const void *a, const void *b)
{
	const struct target *x = a, *y = b;

	return strcmp(x->selector, y->selector);
}

static int add_target(const struct answer_series *s, void *arg)
{
	struct targets *t = arg;
	const char *selector = selector_of(t->strings, s);

	if (!selector)
		return -ENOMEM;
	if (t->n >= TARGETS_MOST)
		return -E2BIG;
	if (ARRAY_ROOM(t->target, t->n, t->cap) < 0)
		return -ENOMEM;
	t->target[t->n++] = (struct target){
		.selector = selector, .last_start = NAN, .start_since = NAN, .start_until = NAN};
	return 0;
}

/* "lmmsd|lmmsd-ci": only their series of a common name are asked for. */
static int add_job(const struct answer_series *s, void *arg)
{
	struct buf *jobs = arg;

	if (jobs->len)
		buf_addc(jobs, '|');
	for (const char *at = answer_get(s, "job"); *at; at++) {
		/* \\ in a PromQL string is the \ of the regular expression */
		if (strchr("\\.+*?()|[]{}^$\"", *at))
			buf_adds(jobs, *at == '"' ? "\\" : *at == '\\' ? "\\\\\\" : "\\\\");
		buf_addc(jobs, *at);
	}
	return buf_error(jobs);
}

static void one_of_each(struct targets *t)
{
	size_t n = 0;

	if (t->n)
		qsort(t->target, t->n, sizeof(*t->target), by_selector);
	for (size_t i = 0; i < t->n; i++)
		if (!n || t->target[n - 1].selector != t->target[i].selector)
			t->target[n++] = t->target[i];
	t->n = n;
}

struct starts {
	struct targets *targets;
	size_t member; /* of struct target */
};

static int set_start(const struct answer_series *s, void *arg)
{
	const struct starts *to = arg;
	struct target key = {.selector = selector_of(to->targets->strings, s)};
	struct target *t;

	if (!key.selector)
		return -ENOMEM;
	t = bsearch(&key, to->targets->target, to->targets->n, sizeof(key), by_selector);
	if (t && s->n_samples)
		memcpy((char *)t + to->member, &s->sample[s->n_samples - 1].v, sizeof(double));
	return 0;
}

static int read_starts(struct fleet *f, struct targets *t, size_t member, double time_s,
		       int64_t range_s, struct buf *error)
{
	struct starts to = {.targets = t, .member = member};
	_buf_ struct buf q = {0};

	if (range_s)
		buf_addf(&q, "last_over_time(" START "{job=~\"%s\"}[%llds])", buf_str(&t->jobs),
			 (long long)range_s);
	else
		buf_addf(&q, START "{job=~\"%s\"}", buf_str(&t->jobs));
	if (buf_error(&q))
		return -ENOMEM;
	return ask(f, buf_str(&q), time_s, set_start, &to, error);
}

int targets_find(struct fleet *f, const struct fleet_period *p, struct targets *ret,
		 struct buf *error)
{
	/* also whom a query at the period's begin still sees, though it ended just before */
	int64_t range = p->until_s - p->since_s + COARSE_S;
	_buf_ struct buf q = {0};
	int r = intern_new(&ret->strings);

	if (r < 0)
		return r;
	buf_addf(&q, "last_over_time(lmmsd_build_info[%llds])", (long long)range);
	if (buf_error(&q))
		return -ENOMEM;
	r = ask(f, buf_str(&q), (double)p->until_s, add_target, ret, error);
	if (r < 0)
		return r;
	if (!ret->n)
		return -ENODATA;
	one_of_each(ret);
	buf_reset(&q);
	buf_addf(&q, "group by (job) (last_over_time(lmmsd_build_info[%llds]))", (long long)range);
	r = ask(f, buf_str(&q), (double)p->until_s, add_job, &ret->jobs, error);
	if (r == 0)
		r = read_starts(f, ret, offsetof(struct target, last_start), (double)p->until_s,
				range, error);
	if (r == 0)
		r = read_starts(f, ret, offsetof(struct target, start_until), (double)p->until_s, 0,
				error);
	if (r == 0)
		r = read_starts(f, ret, offsetof(struct target, start_since), (double)p->since_s, 0,
				error);
	return r;
}

/* ---- the way back from a host's last sample to its first one in the period */

struct walk {
	struct fleet *f;
	const struct fleet_period *p;
	const struct target *t;
	struct readings *to;
	struct buf *error;
};

/* A sample of START. */
struct seen {
	double t, start;
	bool found;
};

struct search {
	double before, not_start; /* a sample before this time, of another start; NAN: of any */
	bool first;		  /* rather the first than the last */
	struct seen *seen;
};

static int look(const struct answer_series *s, void *arg)
{
	const struct search *search = arg;

	for (size_t i = 0; i < s->n_samples; i++) {
		const struct answer_sample *x = &s->sample[i];

		if (x->t > search->before)
			break;
		if (x->v == search->not_start) {
			/* behind the first of these nothing is an older one's */
			if (!search->first)
				break;
			continue;
		}
		*search->seen = (struct seen){.t = x->t, .start = x->v, .found = true};
		if (search->first)
			break;
	}
	return 0;
}

/* Raw samples of (to - NEAR_S, to]. */
static int look_near(struct walk *w, double to, const struct search *search)
{
	_buf_ struct buf q = {0};

	buf_addf(&q, START "{%s}[%ds]", w->t->selector, NEAR_S);
	return buf_error(&q) ?
		       -ENOMEM :
		       ask(w->f, buf_str(&q), to, look, (void *)(uintptr_t)search, w->error);
}

static int take_value(const struct answer_series *s, void *arg)
{
	double *value = arg;

	if (s->n_samples)
		*value = s->sample[0].v;
	return 0;
}

/* About when the last (or the first) sample of the period up to a time was; NAN: there is none. */
static int look_far(struct walk *w, double to, bool first, double *ret)
{
	double range = to - (double)w->p->since_s;
	_buf_ struct buf q = {0};

	*ret = NAN;
	if (range < 1)
		return 0;
	buf_addf(&q, "%s_over_time(timestamp(" START "{%s})[%.0fs:%ds])", first ? "min" : "max",
		 w->t->selector, range, COARSE_S);
	return buf_error(&q) ? -ENOMEM : ask(w->f, buf_str(&q), to, take_value, ret, w->error);
}

static int add_reading(struct walk *w, double time_s, double sign)
{
	struct readings *to = w->to;

	if (to->n >= READINGS_MOST)
		return -E2BIG;
	if (ARRAY_ROOM(to->reading, to->n, to->cap) < 0)
		return -ENOMEM;
	to->reading[to->n++] =
		(struct reading){.selector = w->t->selector, .time_s = time_s, .sign = sign};
	return 0;
}

/* The last sample up to a time, in the period. */
static int last_sample(struct walk *w, double to, struct seen *ret)
{
	const struct search any = {.before = to, .not_start = NAN, .seen = ret};
	double about;
	int r;

	*ret = (struct seen){0};
	r = look_near(w, to, &any);
	if (r < 0 || ret->found)
		return r;
	r = look_far(w, to, false, &about);
	if (r < 0 || isnan(about))
		return r;
	/* the query's steps may end before the last sample does */
	about += COARSE_S + 1;
	return look_near(w, about < to ? about : to, &any);
}

/* The last sample of the daemon that ran before the one which began at `start`. */
static int previous(struct walk *w, double start, double last, struct seen *ret)
{
	double to = start + NEAR_S / 2 < last ? start + NEAR_S / 2 : last;
	const struct search older = {.before = to, .not_start = start, .seen = ret};
	int r;

	*ret = (struct seen){0};
	r = look_near(w, to, &older);
	if (r == 0 && !ret->found)
		r = last_sample(w, start - NEAR_S / 2, ret);
	ret->found = ret->found && ret->start != start && ret->t > (double)w->p->since_s;
	return r;
}

/* What is to be taken off: what the period's first daemon had counted before. first: its start. */
static int settle_begin(struct walk *w, double first)
{
	double since = (double)w->p->since_s, about;
	struct seen seen = {0};
	const struct search there = {.before = since, .not_start = NAN, .seen = &seen};
	const struct search begin = {
		.before = INFINITY, .not_start = NAN, .first = true, .seen = &seen};
	int r = 0;

	if (w->t->start_since == first)
		return 0; /* the sum at the begin takes it off */
	/* Another one was there at the begin, and is no part of the period. */
	if (!isnan(w->t->start_since)) {
		r = look_near(w, since, &there);
		if (r == 0 && seen.found)
			r = add_reading(w, seen.t, 1);
	}
	if (r < 0 || first >= since)
		return r;
	/* It ran before there were samples: what it counted until then is not known to be of the period. */
	w->to->late++;
	r = look_far(w, (double)w->p->until_s, true, &about);
	seen.found = false;
	if (r == 0 && !isnan(about))
		r = look_near(w, about, &begin);
	return r == 0 && seen.found ? add_reading(w, seen.t, -1) : r;
}

static int walk_back(struct walk *w)
{
	double start = w->t->last_start, last = (double)w->p->until_s;
	struct seen seen = {0};
	int r = 0;

	if (isnan(w->t->start_until)) {
		r = last_sample(w, last, &seen);
		if (r < 0)
			return r;
		if (!seen.found) {
			w->to->absent++;
			return settle_begin(w, INFINITY);
		}
		/* seen from the period's begin, but before it */
		w->to->absent += seen.t <= (double)w->p->since_s;
		r = add_reading(w, seen.t, 1);
		last = seen.t;
	}
	for (size_t n = 0; r == 0 && start > (double)w->p->since_s && n < RESTARTS_MOST; n++) {
		r = previous(w, start, last, &seen);
		if (r < 0 || !seen.found)
			break;
		w->to->restarts++;
		r = add_reading(w, seen.t, 1);
		start = seen.start;
		last = seen.t;
	}
	return r < 0 ? r : settle_begin(w, start);
}

int readings_find(struct fleet *f, const struct fleet_period *p, const struct targets *t,
		  struct readings *ret, struct buf *error)
{
	int r = 0;

	for (size_t i = 0; i < t->n && r == 0; i++) {
		struct walk w = {.f = f, .p = p, .t = &t->target[i], .to = ret, .error = error};

		/* a host that ran through costs no query */
		if (isnan(w.t->last_start)) {
			buf_addf(
				error,
				"there is no %s of {%s}: let scraping keep it, it tells when the daemon began",
				START, w.t->selector);
			return -EREMOTEIO;
		}
		r = walk_back(&w);
	}
	return r;
}
