/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * The database. Two kinds of handles:
 *
 * struct store_writer: the daemon's, one a database (a lock on DB-lock keeps a second one out). store_put() copies and queues, and
 * never waits for the disk; a thread of its own writes. A kill at any instant loses at most STORE_LOSS_S seconds of runs.
 * WAL with synchronous=NORMAL: a power cut can lose what was committed since the last checkpoint (usually less than a
 * minute), and never corrupts.
 *
 * struct store: reads, or makes small synchronous changes, beside a running daemon or without one. It may wait for the
 * disk (STORE_BUSY_MS for a lock): never use it on the thread that reads events. One thread a handle.
 *
 * int functions return 0 or negative errno unless said otherwise. Out-params are untouched on failure.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/history.h"
#include "model/profile.h"
#include "model/stored.h"

#define STORE_LOSS_S 5
#define STORE_BUSY_MS 10000
#define STORE_REASON_MAX 512
#define STORE_SCHEMA 1 /* PRAGMA user_version */

/* ---- the daemon's side */

struct store_options {
	unsigned int
		keep_days; /* raw runs, from the day they began, once the clock has held for an hour; default 30;
			    * aggregates stay for ever */
	uint64_t keep_bytes;	/* of raw runs; default 512 MiB */
	size_t queue_runs;	/* default 4096 */
	size_t queue_bytes;	/* default 64 MiB */
	unsigned int commit_ms; /* longest wait of a queued run; default 1000, at most 2000 */
	unsigned int fold_ms;	/* how often stored runs go into the aggregates; default 30000 */
	size_t written_bytes;	/* of runs that wait for store_take_written(); default 0: none do */
	size_t max_apps;	/* a day; default 5000; the rest is MDL_OTHER */
	size_t max_modules;	/* of an app a day; default 20000; the rest is MDL_OTHER */
	size_t max_edges; /* of an app a day; default 50000; the rest is left out and counted as LIMIT_EDGES */
	int64_t (*now_ns)(
		void *arg); /* Unix time; NULL: the system's clock. Called on both threads */
	int64_t (*passed_ns)(
		void *arg); /* what has passed, for retention; NULL: CLOCK_MONOTONIC and CLOCK_BOOTTIME */
	void *now_arg;
};
extern const struct store_options store_default_options;

struct store_writer;
struct store_open_report {
	bool created;
	char moved_aside[512]; /* where a corrupt database went, "" when it was sound */
	bool killed; /* an earlier daemon did not end in order; counted as LMMSD_LOST_KILLED */
	uint64_t
		recovered_runs; /* stored by an earlier daemon that ended before it had counted them in */
};
/*
 * May a writer have the file? One that is not there yet: yes. -EMEDIUMTYPE: it is no database of lmmsd; -EPROTO: a newer lmmsd
 * wrote it; reason: STORE_REASON_MAX bytes. Changes nothing, and makes no file beside it.
 */
int store_check(const char *path, char *reason);
/*
 * Opens or creates; directories are not made. reason: STORE_REASON_MAX bytes, one line for a person, on failure and for a corrupt
 * database that was moved aside; report may be NULL. -EBUSY: another daemon has it. -EPROTO, -EMEDIUMTYPE: as of store_check(). -EACCES,
 * -EROFS, -ENOSPC, -EIO, -ENOMEM, ... as the system says. options NULL: the defaults.
 */
int store_open_writer(const char *path, const struct store_options *options,
		      struct store_writer **ret, struct store_open_report *report, char *reason);
/*
 * Writes what is queued (waits at most wait_ms, less when the disk takes it), folds it in, closes. What there is no time to fold
 * in the next writer does. NULL.
 */
struct store_writer *store_close_writer(struct store_writer *w, unsigned int wait_ms);
static inline void store_writer_closep(struct store_writer **w)
{
	(void)store_close_writer(*w, 5000);
}

struct store_put_info {
	const char *app;	    /* NULL: the process's own app, else "" */
	const char *boot_id;	    /* NULL: not known */
	int64_t realtime_offset_ns; /* monotonic + this = Unix time */
};
/*
 * Queues a copy of a run that ended, or (p->ended false) a checkpoint of one that goes on: a later put of the same process
 * (boot, pid, start, exec) takes its place. saving_ns should be filled. Never blocks on the disk. -ENOBUFS: the queue is full,
 * dropped and counted (LMMSD_LOST_STORE_FULL); -ENOMEM: likewise as LMMSD_LOST_NO_MEMORY.
 */
int store_put(struct store_writer *w, const struct mdl_process *p,
	      const struct store_put_info *info);
/* Adds to the host's losses of the day: what was lost since the last call, not totals. Never blocks, never fails. */
void store_put_lost(struct store_writer *w, const uint64_t lost[LMMSD_LOST_MAX]);
/* Queues a trigger. -ENOBUFS, -ENOMEM. */
int store_put_trigger(struct store_writer *w, const struct mdl_trigger *t);
/* Waits until all that was put so far is committed and folded in. -ETIMEDOUT; else the last error of the disk. */
int store_flush(struct store_writer *w, unsigned int wait_ms);

/*
 * The next run that was written, the oldest first, with the class that it has there: 1, 0: none, -ENOMEM: one is lost. Never
 * blocks on the disk. Only with options.written_bytes; what goes beyond these is left out and counted. Free with store_written_free().
 */
int store_take_written(struct store_writer *w, struct mdl_stored **ret);
struct mdl_stored *store_written_free(struct mdl_stored *s); /* NULL */
static inline void store_written_freep(struct mdl_stored **s)
{
	(void)store_written_free(*s);
}

struct store_stats {
	uint64_t put;		       /* store_put() calls */
	uint64_t committed;	       /* runs on disk */
	uint64_t dropped;	       /* runs; also in the losses */
	uint64_t lost[LMMSD_LOST_MAX]; /* those by their reason, and bad ones of the database */
	uint64_t queued, queued_bytes; /* now */
	uint64_t unread;	       /* written, and not kept for store_take_written() */
	uint64_t folded;	       /* runs in the aggregates */
	uint64_t pruned;	       /* raw runs that retention took away */
	uint64_t errors;	       /* failed transactions, each tried again */
	int last_error;		       /* 0: the last transaction went well */
	char error[STORE_REASON_MAX];  /* "" then */
	char moved_aside[512];	       /* where a database went that was damaged while in use; "" */
	uint64_t db_bytes;	       /* database and WAL as of the last commit */
	uint64_t over_apps, over_modules,
		over_edges;		 /* what went to MDL_OTHER or was left out, since opening */
	uint64_t over_names, over_files; /* likewise, for want of room for their names; about */
};
void store_writer_stats(struct store_writer *w, struct store_stats *ret);

/* ---- everyone's side */

struct store;
enum store_mode {
	STORE_READ, /* changes nothing; works on read-only files */
	STORE_EDIT, /* baselines, marks, verdicts, triggers; the database must exist */
};
/* -ENOENT: no such file. -EPROTO: newer. -EMEDIUMTYPE: not ours. -EUCLEAN: corrupt. reason: as above. */
int store_open(const char *path, enum store_mode mode, struct store **ret, char *reason);
struct store *store_close(struct store *s); /* NULL */
static inline void store_closep(struct store **s)
{
	(void)store_close(*s);
}
const char *
store_error(const struct store *s); /* text of the last failure on this handle; borrowed */

/* Days. */
int32_t store_day_of(int64_t unix_ns); /* local calendar day */
int32_t store_day_civil(int year, int month,
			int day); /* month and day from 1; beyond the month: as mktime(3) */
void store_civil_of(int32_t day, int *ret_year, int *ret_month, int *ret_day);
int64_t store_day_start(int32_t day); /* Unix time in ns at which it begins here */
int32_t store_today(void);
#define STORE_DAY_MIN INT32_MIN
#define STORE_DAY_MAX INT32_MAX

/* Apps by name, over [since, until). A name's strings live in the list. */
struct store_apps {
	struct mdl_app *apps;
	size_t n;
	void *strings;
};
int store_apps(struct store *s, int32_t since_day, int32_t until_day, struct store_apps *ret);
void store_apps_free(struct store_apps *a);

/*
 * One app over [since, until), with the runs that are still open or not folded in yet. -ENOENT: the app was never seen; an app
 * without runs in these days gives an empty history.
 */
int store_history(struct store *s, const char *app, int32_t since_day, int32_t until_day,
		  struct mdl_history **ret);
struct mdl_history *store_history_free(struct mdl_history *h); /* NULL */
static inline void store_history_freep(struct mdl_history **h)
{
	(void)store_history_free(*h);
}
/* The first and the last day with any run of any app; -ENOENT: there is none. */
int store_span(struct store *s, int32_t *ret_first, int32_t *ret_last);
/* The host's losses over [since, until): store_put_lost() and the store's own. */
int store_losses(struct store *s, int32_t since_day, int32_t until_day,
		 uint64_t ret[LMMSD_LOST_MAX]);

/* Baselines: a name belongs to an app. Saving again under the same name replaces. */
int store_baseline_save(struct store *s, const struct mdl_baseline *b);
int store_baseline_load(struct store *s, const char *app, const char *name,
			struct mdl_baseline **ret);		  /* -ENOENT */
struct mdl_baseline *store_baseline_free(struct mdl_baseline *b); /* NULL */
static inline void store_baseline_freep(struct mdl_baseline **b)
{
	(void)store_baseline_free(*b);
}
/* app NULL: of all apps. -ENOENT: there is none of that name. */
int store_baseline_delete(struct store *s, const char *app, const char *name);
struct store_baselines {
	struct mdl_baseline *baselines; /* without values and modules; by name, app */
	size_t n;
	void *strings;
};
int store_baselines(struct store *s, struct store_baselines *ret);
void store_baselines_free(struct store_baselines *l);
/* Fills *ret from a history, borrowing from it; its modules array is the caller's to free(). saved_ns is left 0. */
int store_baseline_of(const struct mdl_history *h, const char *name, struct mdl_baseline *ret);

/* Triggers noticed in [since_ns, until_ns), the oldest first. app NULL: of all. */
struct store_triggers {
	struct mdl_trigger *triggers;
	size_t n;
	void *strings;
};
int store_trigger_add(struct store *s, const struct mdl_trigger *t); /* id is the store's to give */
int store_triggers(struct store *s, const char *app, int64_t since_ns, int64_t until_ns,
		   struct store_triggers *ret);
void store_triggers_free(struct store_triggers *l);

/* What a review of month (year * 12 + month - 1) said of an app. Saving replaces. Loading an unknown one gives none. */
struct store_verdicts {
	struct mdl_verdict *verdicts; /* by module */
	size_t n;
	void *strings;
};
int store_verdicts_save(struct store *s, const char *app, int32_t month,
			const struct mdl_verdict *v, size_t n);
int store_verdicts(struct store *s, const char *app, int32_t month, struct store_verdicts *ret);
void store_verdicts_free(struct store_verdicts *l);

/* Small facts by name ("review/2026-10" = "done"). Set: 1 when it was not there or was another, 0 when it is as it was. */
int store_mark_set(struct store *s, const char *name, const char *value);
int store_mark_get(struct store *s, const char *name, char *ret,
		   size_t cap); /* -ENOENT, -ENAMETOOLONG */
/* Takes away those with names in [from, until), in order of bytes: 1 when there were any, else 0. */
int store_mark_drop(struct store *s, const char *from, const char *until);

/* Adds all runs and aggregates of the database at path. Twice the same one counts twice. Needs STORE_EDIT. */
int store_merge(struct store *s, const char *path);
