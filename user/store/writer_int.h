/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Inside the writer: what its two threads share, and what only its own has. */
#pragma once
#include <pthread.h>

#include "store/classes.h"
#include "store/names.h"
#include "store/rows.h"

#define WRITER_TRIGGERS 1024
#define WRITER_DAYS 4	      /* whose apps are remembered */
#define WRITER_FOLD_RUNS 2000 /* a transaction */
#define WRITER_FOLD_SOON 5000 /* runs that wait: fold at once */
#define WRITER_PRUNE_RUNS 500 /* a transaction, fewer when they take longer than a step should */
#define WRITER_PRUNE_LEAST 16
#define WRITER_STEP_MS 500 /* of a fold or of retention, about: what is queued waits meanwhile */
#define WRITER_BUSY_MS 500
#define WRITER_RETRY_MIN_MS 100
#define WRITER_RETRY_MAX_MS 2000
#define WRITER_ASIDE_MIN_MS                                                                        \
	10000 /* between two that are moved aside: a bad disk must not fill up */
#define WRITER_ASIDE_MAX_MS 3600000
#define WRITER_CHECK_BYTES (256ULL << 20) /* larger ones are not read through at every start */

struct queued_trigger {
	struct queued_trigger *next;
	struct mdl_trigger t; /* strings owned */
};

/* Under the lock. */
struct writer_shared {
	struct sto_rec *first, **last;			      /* owned */
	struct queued_trigger *first_trigger, **last_trigger; /* owned */
	uint64_t oldest_ms;				      /* when the first of the queue came */
	struct sto_rec *written, **last_written;	      /* owned: for store_take_written() */
	size_t written_bytes;
	size_t n, bytes, n_triggers;   /* with those that are being written */
	uint64_t lost[LMMSD_LOST_MAX]; /* not on disk yet */
	uint64_t flush_asked, flush_done;
	bool closing;
	uint64_t close_by_ms;
	struct store_stats stats;
};

/* Which apps a day has: bounds their number. */
struct writer_day {
	int32_t day;
	bool filled;
	struct sto_map apps;
};

/* How far Unix time is from CLOCK_BOOTTIME. */
struct writer_clock {
	int64_t seen_ns, since_ns; /* that is said since then, CLOCK_MONOTONIC; 0: nothing yet */
	int64_t trusted_ns;	   /* what was said for an hour the last time */
	bool trusted;
};

struct store_writer {
	struct store_options options;
	char *path; /* owned */
	int lock_fd;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake, done;
	struct writer_shared s;

	/* The writer thread's own. */
	struct db db;
	struct names names;
	struct classes classes;
	struct writer_day days[WRITER_DAYS];
	struct sto_rec *batch;		 /* owned: being written */
	struct sto_rec *at;		 /* borrowed: the one in hand when a transaction failed */
	struct queued_trigger *triggers; /* owned: being written */
	uint64_t lost[LMMSD_LOST_MAX];	 /* being written */
	uint64_t raw_bytes, raw_bytes_saved;
	uint64_t unfolded;		      /* runs, about */
	uint64_t last_fold_ms, last_prune_ms; /* 0: more is to be done at once */
	uint64_t prune_runs;		      /* of the next step */
	struct writer_clock clock;
	uint64_t over_apps;
	bool taken_over;		      /* the database was opened before */
	uint64_t next_aside_ms, aside_gap_ms; /* when another may be moved aside while in use */
};

uint64_t writer_ms(void);			     /* CLOCK_MONOTONIC */
int64_t writer_now_ns(const struct store_writer *w); /* Unix time */

enum writer_aside {
	ASIDE_NEVER,  /* a damaged one is an error */
	ASIDE_BAD,    /* one whose damage shows when it is opened is moved aside */
	ASIDE_ALWAYS, /* it is known to be damaged: w->db.error has why */
};
/* Opens the database of w->path, in order. */
int writer_open_db(struct store_writer *w, enum writer_aside aside,
		   struct store_open_report *report, char *reason);
void writer_close_db(struct store_writer *w);
/* What was cached may have been rolled back. */
void writer_forget(struct store_writer *w);

struct queued_trigger *queued_trigger_free(struct queued_trigger *q); /* NULL */

/* One transaction each; on failure all is as before. */
int writer_write(struct store_writer *w, uint64_t *ret_runs);
int writer_write_lost(struct store_writer *w); /* w->lost, without a transaction of its own */
int writer_fold(struct store_writer *w, struct fold_result *ret);
/* Now and then, and first at the start: whether it jumps. */
void writer_look_at_clock(struct store_writer *w);
int writer_prune(struct store_writer *w, uint64_t max_runs, uint64_t *ret_runs);

/* Takes rec. */
void writer_hand_back(struct store_writer *w, struct sto_rec *rec);

void *writer_thread(void *arg);
