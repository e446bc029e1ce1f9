/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "store/writer_int.h"

static int settle(struct db *db)
{
	int r = db_exec(db, "PRAGMA journal_mode = WAL");

	if (r == 0)
		r = db_exec(
			db,
			"PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON;"
			"PRAGMA cache_size = -8192; PRAGMA temp_store = MEMORY;"
			"PRAGMA journal_size_limit = 16777216; PRAGMA wal_autocheckpoint = 1000");
	(void)sqlite3_busy_timeout(db->h, WRITER_BUSY_MS);
	return r;
}

/* Reads all of it, when it is not too large for every start. */
static int check(struct db *db, uint64_t bytes)
{
	static const char sql[] = "PRAGMA quick_check(1)";
	sqlite3_stmt *st;
	int r;

	if (bytes == 0 || bytes > WRITER_CHECK_BYTES)
		return 0;
	r = db_prepare(db, sql, &st);
	if (r == 0)
		r = db_step(db, st);
	if (r <= 0)
		return r;
	r = strcmp(db_text(st, 0), "ok") ? -EUCLEAN : 0;
	if (r < 0)
		(void)snprintf(db->error, sizeof(db->error), "%s", db_text(st, 0));
	(void)sqlite3_reset(st);
	return r;
}

/* The mark of a daemon that writes; it goes when one ends in order. */
static int note_kill(struct store_writer *w, struct store_open_report *report)
{
	static const char sql[] = "SELECT count(*) FROM mark WHERE name = 'writing'";
	int64_t killed = 0;
	int r = w->taken_over ? 0 : db_int(&w->db, sql, &killed);

	if (r == 0 && killed) {
		w->lost[LMMSD_LOST_KILLED] = 1;
		r = writer_write_lost(w);
		w->lost[LMMSD_LOST_KILLED] = 0;
	}
	if (r == 0)
		r = db_exec(&w->db,
			    "INSERT OR IGNORE INTO mark(name, value) VALUES('writing', '')");
	if (r == 0)
		w->taken_over = true;
	if (report)
		report->killed = killed != 0;
	return r;
}

/* What an earlier daemon left: its checkpoints will not go on. Those of this one do. */
static int take_over(struct store_writer *w, struct store_open_report *report)
{
	static const char count[] = "SELECT count(*) FROM run WHERE state < 2 AND state = 1",
			  bytes[] = "SELECT coalesce(sum(bytes), 0) FROM run";
	int64_t n = 0, sum = 0;
	bool again = w->taken_over;
	int r = note_kill(w, report);

	if (r == 0 && !again)
		r = db_exec(&w->db, "UPDATE run SET state = 1 WHERE state = 0");
	if (r == 0)
		r = db_int(&w->db, count, &n);
	if (r == 0)
		r = db_int(&w->db, bytes, &sum);
	if (r < 0)
		return r;
	w->unfolded = (uint64_t)n;
	w->raw_bytes = w->raw_bytes_saved = (uint64_t)sum;
	if (report)
		report->recovered_runs = (uint64_t)n;
	return 0;
}

static int open_once(struct store_writer *w, struct store_open_report *report)
{
	struct stat st = {0};
	int r;

	if (stat(w->path, &st) == 0 && !S_ISREG(st.st_mode))
		return db_foreign(&w->db, S_ISDIR(st.st_mode) ? "a directory" : "no plain file");
	r = db_open(&w->db, w->path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
	if (r == 0)
		r = db_identify(&w->db, w->path);
	if (r == 0)
		r = check(&w->db, (uint64_t)st.st_size);
	/* The tables of a new one before the WAL: from its first page on it says whose it is. */
	if (r == 0)
		r = db_schema(&w->db);
	if (r == 0)
		r = settle(&w->db);
	if (r == 0)
		r = take_over(w, report);
	if (r == 0 && report)
		report->created = st.st_size == 0;
	return r;
}

/* One that nothing has: what was kept before stays. */
static int aside_name(const char *path, char *ret, size_t cap)
{
	time_t now = time(NULL);
	char stamp[32];
	struct tm tm;

	if (!gmtime_r(&now, &tm) || !strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", &tm))
		return -EINVAL;
	for (unsigned int i = 0; i < 100; i++) {
		char nth[16] = "";

		if (i)
			(void)snprintf(nth, sizeof(nth), "-%u", i);
		if (snprintf(ret, cap, "%s.corrupt-%s%s", path, stamp, nth) >= (int)cap)
			return -ENAMETOOLONG;
		if (access(ret, F_OK) < 0)
			return errno == ENOENT ? 0 : -errno;
	}
	return -EEXIST;
}

/* With its WAL, which belongs to it; an old index is of no use. */
static int move_aside(const char *path, char *ret, size_t cap)
{
	static const char *const parts[] = {"", "-wal"};
	char from[4096], to[4096], name[4000];
	int r = aside_name(path, name, sizeof(name));

	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		if (snprintf(from, sizeof(from), "%s%s", path, parts[i]) >= (int)sizeof(from) ||
		    snprintf(to, sizeof(to), "%s%s", name, parts[i]) >= (int)sizeof(to))
			return -ENAMETOOLONG;
		if (rename(from, to) < 0 && (i == 0 || errno != ENOENT))
			return -errno;
		if (i == 0)
			(void)snprintf(ret, cap, "%.*s", (int)cap - 1, to);
	}
	if (snprintf(from, sizeof(from), "%s-shm", path) < (int)sizeof(from))
		(void)unlink(from);
	return 0;
}

/* The one in its place is damaged, and closed: w->db.error has why. */
static int begin_new(struct store_writer *w, struct store_open_report *report, char *reason)
{
	char aside[512] = "", why[STORE_REASON_MAX];
	int r;

	(void)snprintf(why, sizeof(why), "%s", w->db.error);
	r = move_aside(w->path, aside, sizeof(aside));
	if (r < 0)
		(void)snprintf(w->db.error, sizeof(w->db.error),
			       "it is damaged (%.200s), and could not be moved aside: %s", why,
			       strerror(-r));
	else
		r = open_once(w, report);
	if (r == 0)
		(void)snprintf(reason, STORE_REASON_MAX,
			       "was damaged (%.150s): it was kept as '%.200s', a new one was begun",
			       why, aside);
	/* also when the new one cannot be begun yet: it is gone from its place */
	if (aside[0] && report)
		(void)snprintf(report->moved_aside, sizeof(report->moved_aside), "%s", aside);
	return r;
}

int writer_open_db(struct store_writer *w, enum writer_aside aside,
		   struct store_open_report *report, char *reason)
{
	int r = aside == ASIDE_ALWAYS ? -EUCLEAN : open_once(w, report);

	if (r == -EUCLEAN && aside != ASIDE_NEVER) {
		db_close(&w->db);
		r = begin_new(w, report, reason);
	}
	if (r < 0) {
		(void)snprintf(reason, STORE_REASON_MAX, "%s", w->db.error);
		db_close(&w->db);
		return r;
	}
	names_init(&w->names, &w->db);
	return 0;
}

void writer_forget(struct store_writer *w)
{
	names_clear(&w->names);
	classes_clear(&w->classes);
	for (int i = 0; i < WRITER_DAYS; i++) {
		sto_map_free(&w->days[i].apps);
		w->days[i] = (struct writer_day){0};
	}
	w->raw_bytes = w->raw_bytes_saved;
}

void writer_close_db(struct store_writer *w)
{
	writer_forget(w);
	db_close(&w->db);
}
