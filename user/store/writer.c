/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* The caller's side of the writer: a queue, and never a wait for the disk. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "store/writer_int.h"

const struct store_options store_default_options = {
	.keep_days = 30,
	.keep_bytes = 512ULL << 20,
	.queue_runs = 4096,
	.queue_bytes = 64ULL << 20,
	.commit_ms = 1000,
	.fold_ms = 30000,
	.max_apps = 5000,
	.max_modules = 20000,
	.max_edges = 50000,
};

uint64_t writer_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

int64_t writer_now_ns(const struct store_writer *w)
{
	struct timespec ts;

	if (w->options.now_ns)
		return w->options.now_ns(w->options.now_arg);
	(void)clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/* The lock goes with the process, however it ends. */
static int take_lock(const char *path, int *ret, char *reason)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	_close_ int fd = -EBADF;
	char name[4096];

	if (snprintf(name, sizeof(name), "%s-lock", path) >= (int)sizeof(name)) {
		(void)snprintf(reason, STORE_REASON_MAX, "its name is too long");
		return -ENAMETOOLONG;
	}
	fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		int error = errno;

		(void)snprintf(reason, STORE_REASON_MAX, "cannot open '%.300s': %s", name,
			       strerror(error));
		return -error;
	}
	if (fcntl(fd, F_OFD_SETLK, &lock) < 0) {
		(void)snprintf(
			reason, STORE_REASON_MAX,
			"another lmmsd writes to it: end that one, or name another file with --db");
		return errno == EAGAIN || errno == EACCES ? -EBUSY : -errno;
	}
	*ret = TAKE_FD(fd);
	return 0;
}

int store_check(const char *path, char *reason)
{
	struct stat st;
	struct db *db;
	int r = 0;

	if (stat(path, &st) < 0)
		return 0;
	db = calloc(1, sizeof(*db));
	if (!db)
		return -ENOMEM;
	if (!S_ISREG(st.st_mode))
		r = db_foreign(db, S_ISDIR(st.st_mode) ? "a directory" : "no plain file");
	else if (st.st_size > 0 && db_open(db, path, SQLITE_OPEN_READONLY) == 0)
		r = db_identify(db, path);
	r = r == -EPROTO || r == -EMEDIUMTYPE ? r : 0;
	if (r < 0)
		(void)snprintf(reason, STORE_REASON_MAX, "%s", db->error);
	db_close(db);
	free(db);
	return r;
}

static void writer_free(struct store_writer *w)
{
	for (struct sto_rec *r = w->s.first, *next; r; r = next) {
		next = r->next;
		(void)sto_rec_free(r);
	}
	for (struct sto_rec *r = w->s.written, *next; r; r = next) {
		next = r->next;
		(void)sto_rec_free(r);
	}
	writer_close_db(w);
	if (w->lock_fd >= 0)
		(void)close(w->lock_fd);
	(void)pthread_mutex_destroy(&w->lock);
	(void)pthread_cond_destroy(&w->wake);
	(void)pthread_cond_destroy(&w->done);
	free(w->path);
	free(w);
}

static int start(struct store_writer *w)
{
	pthread_condattr_t attr;
	int r;

	w->s.last = &w->s.first;
	w->s.last_trigger = &w->s.first_trigger;
	w->s.last_written = &w->s.written;
	w->last_fold_ms = w->last_prune_ms = writer_ms();
	writer_look_at_clock(w);
	w->prune_runs = WRITER_PRUNE_RUNS;
	(void)pthread_mutex_init(&w->lock, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&w->wake, &attr);
	(void)pthread_cond_init(&w->done, &attr);
	(void)pthread_condattr_destroy(&attr);
	r = pthread_create(&w->thread, NULL, writer_thread, w);
	return -r;
}

int store_open_writer(const char *path, const struct store_options *options,
		      struct store_writer **ret, struct store_open_report *report, char *reason)
{
	struct store_writer *w = calloc(1, sizeof(*w));
	int r;

	if (report)
		*report = (struct store_open_report){0};
	*reason = '\0';
	if (!w)
		return -ENOMEM;
	w->lock_fd = -EBADF;
	w->options = options ? *options : store_default_options;
	if (w->options.commit_ms == 0 || w->options.commit_ms > 2000)
		w->options.commit_ms = 2000;
	w->path = strdup(path);
	r = w->path ? store_check(path, reason) : -ENOMEM;
	if (r == 0)
		r = take_lock(path, &w->lock_fd, reason);
	if (r == 0)
		r = writer_open_db(w, ASIDE_BAD, report, reason);
	if (r == 0) {
		r = start(w);
		if (r < 0)
			(void)snprintf(reason, STORE_REASON_MAX, "no thread: %s", strerror(-r));
	}
	if (r < 0)
		writer_free(w);
	else
		*ret = w;
	return r;
}

static void until(struct timespec *ts, uint64_t ms)
{
	*ts = (struct timespec){(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};
}

struct store_writer *store_close_writer(struct store_writer *w, unsigned int wait_ms)
{
	struct timespec ts;

	if (!w)
		return NULL;
	(void)pthread_mutex_lock(&w->lock);
	w->s.closing = true;
	w->s.close_by_ms = writer_ms() + wait_ms;
	(void)pthread_cond_signal(&w->wake);
	(void)pthread_mutex_unlock(&w->lock);
	until(&ts, writer_ms() + wait_ms + 1000);
	/* A disk that does not answer keeps the thread and what it uses; the process ends without them. */
	if (pthread_clockjoin_np(w->thread, NULL, CLOCK_MONOTONIC, &ts) != 0)
		(void)pthread_detach(w->thread);
	else
		writer_free(w);
	return NULL;
}

static void drop(struct store_writer *w, unsigned int reason)
{
	w->s.lost[reason]++;
	w->s.stats.lost[reason]++;
	w->s.stats.dropped++;
}

int store_put(struct store_writer *w, const struct mdl_process *p,
	      const struct store_put_info *info)
{
	struct sto_rec *rec;
	int r = sto_rec_new(p, info, &rec);

	(void)pthread_mutex_lock(&w->lock);
	w->s.stats.put++;
	if (r < 0) {
		drop(w, LMMSD_LOST_NO_MEMORY);
	} else if (w->s.n >= w->options.queue_runs ||
		   w->s.bytes + rec->bytes > w->options.queue_bytes) {
		drop(w, LMMSD_LOST_STORE_FULL);
		r = -ENOBUFS;
	} else {
		if (!w->s.first)
			w->s.oldest_ms = writer_ms();
		*w->s.last = rec;
		w->s.last = &rec->next;
		w->s.bytes += rec->bytes;
		/* it wakes by itself for the first one, and when it should not wait */
		if (w->s.n++ == 0 || w->s.n == w->options.queue_runs / 4)
			(void)pthread_cond_signal(&w->wake);
		rec = NULL;
	}
	(void)pthread_mutex_unlock(&w->lock);
	if (r != -ENOMEM && r != -EINVAL)
		(void)sto_rec_free(rec);
	return r;
}

void store_put_lost(struct store_writer *w, const uint64_t lost[LMMSD_LOST_MAX])
{
	(void)pthread_mutex_lock(&w->lock);
	for (unsigned int i = 0; i < LMMSD_LOST_MAX; i++)
		w->s.lost[i] += lost[i];
	(void)pthread_mutex_unlock(&w->lock);
}

int store_flush(struct store_writer *w, unsigned int wait_ms)
{
	struct timespec ts;
	uint64_t asked;
	int r = 0;

	until(&ts, writer_ms() + wait_ms);
	(void)pthread_mutex_lock(&w->lock);
	asked = ++w->s.flush_asked;
	(void)pthread_cond_signal(&w->wake);
	while (w->s.flush_done < asked && r == 0)
		r = -pthread_cond_timedwait(&w->done, &w->lock, &ts);
	if (w->s.flush_done >= asked)
		r = 0;
	else if (w->s.stats.last_error)
		r = w->s.stats.last_error;
	(void)pthread_mutex_unlock(&w->lock);
	return r;
}

void store_writer_stats(struct store_writer *w, struct store_stats *ret)
{
	(void)pthread_mutex_lock(&w->lock);
	*ret = w->s.stats;
	ret->queued = w->s.n;
	ret->queued_bytes = w->s.bytes;
	(void)pthread_mutex_unlock(&w->lock);
}
