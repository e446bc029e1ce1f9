/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* The writer's thread: takes what is queued, writes it, tries again for as long as the disk will not have it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "store/writer_int.h"

#define PRUNE_MS 10000
#define IDLE_MS 10000

static void sleep_until(struct store_writer *w, uint64_t ms)
{
	const struct timespec ts = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};

	(void)pthread_cond_timedwait(&w->wake, &w->lock, &ts);
}

static bool has_lost(const uint64_t lost[LMMSD_LOST_MAX])
{
	for (unsigned int i = 0; i < LMMSD_LOST_MAX; i++)
		if (lost[i])
			return true;
	return false;
}

static bool fold_is_due(const struct store_writer *w)
{
	return w->unfolded && (w->unfolded >= WRITER_FOLD_SOON ||
			       writer_ms() >= w->last_fold_ms + w->options.fold_ms);
}

static bool prune_is_due(const struct store_writer *w)
{
	return !w->last_prune_ms || writer_ms() >= w->last_prune_ms + PRUNE_MS;
}

/* When there is something to do. Under the lock. */
static uint64_t due_ms(const struct store_writer *w)
{
	const struct writer_shared *s = &w->s;
	uint64_t due = writer_ms() + IDLE_MS;
	uint64_t fold = w->last_fold_ms + w->options.fold_ms;

	if (s->closing || s->flush_asked != s->flush_done || s->first_trigger ||
	    s->n >= w->options.queue_runs / 4 || s->bytes >= w->options.queue_bytes / 4 ||
	    fold_is_due(w) || prune_is_due(w))
		return 0;
	if (s->first && s->oldest_ms + w->options.commit_ms < due)
		due = s->oldest_ms + w->options.commit_ms;
	if (w->unfolded && fold < due)
		due = fold;
	return due;
}

/* Takes the queue over. Under the lock. */
static void take(struct store_writer *w)
{
	struct writer_shared *s = &w->s;

	w->batch = s->first;
	w->triggers = s->first_trigger;
	s->first = NULL;
	s->last = &s->first;
	s->first_trigger = NULL;
	s->last_trigger = &s->first_trigger;
	memcpy(w->lost, s->lost, sizeof(w->lost));
	memset(s->lost, 0, sizeof(s->lost));
}

static uint64_t file_bytes(const char *path, const char *suffix)
{
	char name[4096];
	struct stat st;

	if (snprintf(name, sizeof(name), "%s%s", path, suffix) >= (int)sizeof(name) ||
	    stat(name, &st) < 0)
		return 0;
	return (uint64_t)st.st_size;
}

/* Says how the transaction ended. Under the lock. */
static void account(struct store_writer *w, int r)
{
	struct store_stats *stats = &w->s.stats;

	stats->last_error = r;
	if (r == 0) {
		stats->over_names += w->names.over_names;
		stats->over_files += w->names.over_files;
	}
	w->names.over_names = w->names.over_files = 0;
	if (r < 0) {
		stats->errors++;
		(void)snprintf(stats->error, sizeof(stats->error), "%s", w->db.error);
		return;
	}
	stats->error[0] = '\0';
	stats->over_apps = w->over_apps;
}

static void free_written(struct store_writer *w, bool hand_back)
{
	size_t n = 0, bytes = 0, n_triggers = 0;
	struct sto_rec *next;
	struct queued_trigger *next_trigger;

	for (struct sto_rec *r = w->batch; r; r = next, n++) {
		next = r->next;
		bytes += r->bytes;
		if (hand_back)
			writer_hand_back(w, r);
		else
			(void)sto_rec_free(r);
	}
	for (struct queued_trigger *t = w->triggers; t; t = next_trigger, n_triggers++) {
		next_trigger = t->next;
		(void)queued_trigger_free(t);
	}
	w->batch = NULL;
	w->triggers = NULL;
	memset(w->lost, 0, sizeof(w->lost));
	(void)pthread_mutex_lock(&w->lock);
	w->s.n -= n;
	w->s.bytes -= bytes;
	w->s.n_triggers -= n_triggers;
	(void)pthread_mutex_unlock(&w->lock);
}

/* A run that the database will never take must not keep the others waiting. */
static void drop_bad(struct store_writer *w)
{
	struct sto_rec **link = &w->batch;

	while (*link && *link != w->at)
		link = &(*link)->next;
	if (*link) {
		struct sto_rec *bad = *link;

		*link = bad->next;
		w->lost[LMMSD_LOST_BAD_RECORD]++;
		(void)pthread_mutex_lock(&w->lock);
		w->s.n--;
		w->s.bytes -= bad->bytes;
		w->s.stats.lost[LMMSD_LOST_BAD_RECORD]++;
		w->s.stats.dropped++;
		(void)pthread_mutex_unlock(&w->lock);
		(void)sto_rec_free(bad);
	}
	w->at = NULL;
}

/*
 * Damaged while it was in use: opened again, kept aside and a new one begun when the damage shows then, or in_vain: when
 * it was opened again before and that was no help.
 */
static int begin_anew(struct store_writer *w, bool in_vain)
{
	enum writer_aside aside = writer_ms() < w->next_aside_ms ? ASIDE_NEVER :
				  in_vain			 ? ASIDE_ALWAYS :
								   ASIDE_BAD;
	struct store_open_report report = {0};
	char reason[STORE_REASON_MAX] = "";
	uint64_t gap = w->aside_gap_ms * 2;
	int r;

	writer_close_db(w);
	r = writer_open_db(w, aside, &report, reason);
	(void)snprintf(w->db.error, sizeof(w->db.error), "%s", reason);
	if (!report.moved_aside[0])
		return r;
	w->aside_gap_ms = gap < WRITER_ASIDE_MIN_MS ? WRITER_ASIDE_MIN_MS :
			  gap > WRITER_ASIDE_MAX_MS ? WRITER_ASIDE_MAX_MS :
						      gap;
	w->next_aside_ms = writer_ms() + w->aside_gap_ms;
	(void)pthread_mutex_lock(&w->lock);
	memcpy(w->s.stats.moved_aside, report.moved_aside, sizeof(report.moved_aside));
	(void)pthread_mutex_unlock(&w->lock);
	return r;
}

/* Waits before another try, longer each time; false: it is time to give up. */
static bool wait_to_retry(struct store_writer *w, uint64_t *ms)
{
	bool again;
	uint64_t until = writer_ms() + *ms;

	*ms = *ms * 2 < WRITER_RETRY_MAX_MS ? *ms * 2 : WRITER_RETRY_MAX_MS;
	(void)pthread_mutex_lock(&w->lock);
	while (writer_ms() < until && !(w->s.closing && writer_ms() >= w->s.close_by_ms))
		sleep_until(w, until);
	again = !(w->s.closing && writer_ms() >= w->s.close_by_ms);
	(void)pthread_mutex_unlock(&w->lock);
	return again;
}

static int write_step(struct store_writer *w)
{
	uint64_t runs = 0;
	int r = writer_write(w, &runs);
	uint64_t bytes = r == 0 ? file_bytes(w->path, "") + file_bytes(w->path, "-wal") : 0;

	if (r == 0) {
		(void)pthread_mutex_lock(&w->lock);
		w->s.stats.committed += runs;
		w->s.stats.db_bytes = bytes;
		(void)pthread_mutex_unlock(&w->lock);
	}
	return r;
}

static int fold_step(struct store_writer *w)
{
	struct fold_result f = {0};
	int r = writer_fold(w, &f);

	if (r == 0) {
		(void)pthread_mutex_lock(&w->lock);
		w->s.stats.folded += f.runs;
		w->s.stats.over_modules += f.over_mods;
		w->s.stats.over_edges += f.over_edges;
		w->s.stats.lost[LMMSD_LOST_BAD_RECORD] += f.bad;
		w->s.lost[LMMSD_LOST_BAD_RECORD] += f.bad;
		(void)pthread_mutex_unlock(&w->lock);
	}
	return r;
}

/* As many the next time as the time of a step is enough for. */
static void size_prune(struct store_writer *w, uint64_t took_ms)
{
	if (took_ms > WRITER_STEP_MS)
		w->prune_runs /= 2;
	else if (took_ms < WRITER_STEP_MS / 4)
		w->prune_runs *= 2;
	if (w->prune_runs < WRITER_PRUNE_LEAST)
		w->prune_runs = WRITER_PRUNE_LEAST;
	if (w->prune_runs > WRITER_PRUNE_RUNS)
		w->prune_runs = WRITER_PRUNE_RUNS;
}

static int prune_step(struct store_writer *w)
{
	uint64_t runs = 0, began = writer_ms();
	int r = writer_prune(w, w->prune_runs, &runs);

	size_prune(w, writer_ms() - began);
	if (r == 0) {
		(void)pthread_mutex_lock(&w->lock);
		w->s.stats.pruned += runs;
		(void)pthread_mutex_unlock(&w->lock);
	}
	/* more than it may hold: the next slice at once */
	w->last_prune_ms = r == 0 && runs && w->raw_bytes > w->options.keep_bytes ? 0 : writer_ms();
	return r;
}

/* A row that a fold cannot write contradicts those that are there: no run is to blame. */
static bool is_damage(int r, int (*step)(struct store_writer *w))
{
	return r == -EUCLEAN || (r == -EINVAL && step == fold_step);
}

/* One step, tried until it is done; false: given up. */
static bool insist(struct store_writer *w, int (*step)(struct store_writer *w))
{
	uint64_t ms = WRITER_RETRY_MIN_MS;
	bool reopened = false;

	for (;;) {
		bool opened = w->db.h;
		int r = opened ? step(w) : begin_anew(w, false);

		(void)pthread_mutex_lock(&w->lock);
		account(w, r);
		(void)pthread_mutex_unlock(&w->lock);
		if (r == 0 && opened)
			return true;
		if (r == 0)
			continue;
		if (opened && r == -EINVAL && w->at) {
			drop_bad(w);
			continue;
		}
		if (opened && is_damage(r, step)) {
			(void)begin_anew(w, reopened);
			reopened = true;
		} else if (opened && (r == -EBADMSG || r == -EPROTO)) {
			(void)begin_anew(w, false);
		}
		if (!wait_to_retry(w, &ms))
			return false;
	}
}

/*
 * What was taken, then one step of what else is due: what is queued meanwhile does not wait until all of it is done.
 * all: it need not be due. false: given up.
 */
static bool work(struct store_writer *w, bool all)
{
	if ((w->batch || w->triggers || has_lost(w->lost)) && !insist(w, write_step))
		return false;
	free_written(w, w->options.written_bytes > 0);
	if (fold_is_due(w) || (all && w->unfolded)) {
		if (!insist(w, fold_step))
			return false;
		if (w->unfolded == 0)
			w->last_fold_ms = writer_ms();
	}
	return !(prune_is_due(w) || (all && !w->unfolded)) || insist(w, prune_step);
}

/* close_by_ms stays as it is once it is closing. */
static bool is_over(const struct store_writer *w)
{
	return !w->unfolded || writer_ms() >= w->s.close_by_ms;
}

void *writer_thread(void *arg)
{
	struct store_writer *w = arg;
	bool ok = true, closing = false;

	while (ok && !(closing && is_over(w))) {
		uint64_t flush, due;

		(void)pthread_mutex_lock(&w->lock);
		while ((due = due_ms(w)) > writer_ms())
			sleep_until(w, due);
		closing = w->s.closing;
		flush = w->s.flush_asked;
		take(w);
		(void)pthread_mutex_unlock(&w->lock);
		ok = work(w, closing || flush != w->s.flush_done);
		(void)pthread_mutex_lock(&w->lock);
		if (ok && flush != w->s.flush_done && !w->unfolded) {
			w->s.flush_done = flush;
			(void)pthread_cond_broadcast(&w->done);
		}
		(void)pthread_mutex_unlock(&w->lock);
	}
	free_written(w, false);
	if (ok)
		(void)db_exec(&w->db, "DELETE FROM mark WHERE name = 'writing'");
	return NULL;
}
