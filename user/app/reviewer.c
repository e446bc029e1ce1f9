/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "app/reviewer.h"

#include <errno.h>
#include <malloc.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>

#include "app/reviewer_int.h"
#include "app/reviewing.h"
#include "base/cleanup.h"
#include "base/log.h"

#define LOOK_S 60 /* how often the calendar is looked at */
#define NICE 10

static void settings_clear(struct reviewer_settings *s)
{
	free(s->db);
	free(s->reviews);
}

static int settings_of(const struct config *c, struct reviewer_settings *ret)
{
	struct reviewer_settings s = {
		.db = strdup(c->db),
		.reviews = strdup(c->reviews),
		.thresholds = reviewing_thresholds(c),
		.basis = reviewing_basis(c),
		.evaluate_s = c->evaluate_s,
	};

	if (!s.db || !s.reviews) {
		settings_clear(&s);
		return -ENOMEM;
	}
	*ret = s;
	return 0;
}

/* The settings of this round: the strings are copies. */
static int settings_now(struct reviewer *r, struct reviewer_settings *ret)
{
	struct reviewer_settings s;

	(void)pthread_mutex_lock(&r->lock);
	s = r->settings;
	s.db = strdup(s.db);
	s.reviews = strdup(s.reviews);
	(void)pthread_mutex_unlock(&r->lock);
	if (!s.db || !s.reviews) {
		settings_clear(&s);
		return -ENOMEM;
	}
	*ret = s;
	return 0;
}

static int64_t clock_ns(clockid_t clock)
{
	struct timespec ts;

	(void)clock_gettime(clock, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static int64_t now_s(void)
{
	return clock_ns(CLOCK_MONOTONIC) / 1000000000;
}

static int work(struct reviewer *r, const struct reviewer_settings *s, bool evaluate)
{
	_cleanup_(store_closep) struct store *store = NULL;
	char reason[STORE_REASON_MAX];
	int e = store_open(s->db, STORE_EDIT, &store, reason), e2;

	if (e) {
		if (!r->failed)
			log_warning("cannot review: the database '%s': %s", s->db, reason);
		return e;
	}
	e = evaluate ? reviewer_triggers(r, s, store) : 0;
	if (e && e != -ECANCELED && !r->failed)
		log_warning("cannot look for triggers: %s: %s", strerror(-e), store_error(store));
	e2 = reviewer_months(r, s, store, clock_ns(CLOCK_REALTIME), clock_ns(CLOCK_MONOTONIC));
	if (e2 && e2 != -ECANCELED && !r->failed)
		log_warning("cannot write the monthly review to '%s': %s%s%s: it is tried again",
			    s->reviews, strerror(-e2), *store_error(store) ? "; database: " : "",
			    store_error(store));
	return e ? e : e2;
}

static void turn(struct reviewer *r, int64_t *evaluate_at)
{
	struct reviewer_settings s;
	bool evaluate = now_s() >= *evaluate_at;
	int e = settings_now(r, &s);

	if (e)
		return;
	e = work(r, &s, evaluate);
	if (evaluate && e != -ECANCELED)
		*evaluate_at = now_s() + (int64_t)s.evaluate_s;
	(void)pthread_mutex_lock(&r->lock);
	r->counts.failures += e && e != -ECANCELED;
	r->counts.evaluations += evaluate && !e;
	(void)pthread_mutex_unlock(&r->lock);
	r->failed = e && e != -ECANCELED;
	reviewer_newest(r, s.reviews);
	settings_clear(&s);
	if (evaluate)
		(void)malloc_trim(0); /* a review may have taken much more than the daemon needs */
}

/* Until the next look; true: someone asked for it. */
static bool rest(struct reviewer *r, int64_t evaluate_at)
{
	int64_t until = now_s() + LOOK_S;
	struct timespec ts;
	bool kicked;
	int e = 0;

	ts = (struct timespec){.tv_sec = until < evaluate_at ? until : evaluate_at};
	(void)pthread_mutex_lock(&r->lock);
	while (!r->kicked && !atomic_load(&r->stop) && e != ETIMEDOUT)
		e = pthread_cond_timedwait(&r->wake, &r->lock, &ts);
	kicked = r->kicked;
	r->kicked = false;
	(void)pthread_mutex_unlock(&r->lock);
	return kicked;
}

static void *reviewer_thread(void *arg)
{
	struct reviewer *r = arg;
	int64_t evaluate_at = 0;

	/* Of this thread only; a host under load has better things to do than reviews. */
	(void)setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), NICE);
	while (!atomic_load(&r->stop)) {
		turn(r, &evaluate_at);
		if (rest(r, evaluate_at))
			evaluate_at = 0;
	}
	return NULL;
}

static void reviewer_free(struct reviewer *r)
{
	(void)pthread_mutex_destroy(&r->lock);
	(void)pthread_cond_destroy(&r->wake);
	settings_clear(&r->settings);
	free(r);
}

int reviewer_start(const struct config *config, struct reviewer **ret)
{
	struct reviewer *r = calloc(1, sizeof(*r));
	pthread_condattr_t attr;
	int e;

	if (!r)
		return -ENOMEM;
	r->month_done = INT32_MIN;
	e = settings_of(config, &r->settings);
	if (e) {
		free(r);
		return e;
	}
	(void)pthread_mutex_init(&r->lock, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&r->wake, &attr);
	(void)pthread_condattr_destroy(&attr);
	e = pthread_create(&r->thread, NULL, reviewer_thread, r);
	if (e) {
		reviewer_free(r);
		return -e;
	}
	*ret = r;
	return 0;
}

int reviewer_reload(struct reviewer *r, const struct config *config)
{
	struct reviewer_settings s, old;
	int e = settings_of(config, &s);

	if (e)
		return e;
	(void)pthread_mutex_lock(&r->lock);
	old = r->settings;
	r->settings = s;
	r->kicked = true;
	(void)pthread_cond_signal(&r->wake);
	(void)pthread_mutex_unlock(&r->lock);
	settings_clear(&old);
	return 0;
}

struct reviewer *reviewer_stop(struct reviewer *r, unsigned int wait_ms)
{
	struct timespec ts;

	if (!r)
		return NULL;
	(void)pthread_mutex_lock(&r->lock);
	atomic_store(&r->stop, true);
	(void)pthread_cond_signal(&r->wake);
	(void)pthread_mutex_unlock(&r->lock);
	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	ts.tv_sec += wait_ms / 1000;
	if (pthread_clockjoin_np(r->thread, NULL, CLOCK_MONOTONIC, &ts))
		(void)pthread_detach(r->thread);
	else
		reviewer_free(r);
	return NULL;
}

void reviewer_counts(struct reviewer *r, struct reviewer_counts *ret)
{
	(void)pthread_mutex_lock(&r->lock);
	*ret = r->counts;
	(void)pthread_mutex_unlock(&r->lock);
}
