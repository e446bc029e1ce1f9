/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/store_int.h"

/*
 * A database that was closed in order has no WAL, and one in a place where we may not write cannot be given one: it is
 * read as it stands. Nobody who could write there is about to, since the writer would have made a WAL first.
 */
static int open_immutable(struct store *s)
{
	_buf_ struct buf b = {0};
	int r;

	buf_adds(&b, "file:");
	for (const char *c = s->path; *c; c++) {
		if (*c == '?' || *c == '#' || *c == '%')
			buf_addf(&b, "%%%02x", (unsigned char)*c);
		else
			buf_addc(&b, *c);
	}
	buf_adds(&b, "?immutable=1");
	if (buf_error(&b) < 0)
		return -ENOMEM;
	db_close(&s->db);
	r = db_open(&s->db, buf_str(&b), SQLITE_OPEN_READONLY | SQLITE_OPEN_URI);
	return r < 0 ? r : db_schema_check(&s->db);
}

static bool has_wal(const char *path)
{
	char name[4096];
	struct stat st;

	return snprintf(name, sizeof(name), "%s-wal", path) < (int)sizeof(name) &&
	       stat(name, &st) == 0 && st.st_size > 0;
}

static int open_db(struct store *s)
{
	struct stat st;
	int r;

	if (stat(s->path, &st) < 0) {
		r = -errno;
		(void)snprintf(s->db.error, sizeof(s->db.error), "%s",
			       r == -ENOENT ?
				       "there is no such file: has lmmsd --service run yet?" :
				       strerror(-r));
		return r;
	}
	if (!S_ISREG(st.st_mode))
		return db_foreign(&s->db, S_ISDIR(st.st_mode) ? "a directory" : "no plain file");
	r = db_open(&s->db, s->path,
		    s->mode == STORE_EDIT ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY);
	if (r == 0)
		r = db_identify(&s->db, s->path);
	if (r == 0)
		r = db_schema_check(&s->db);
	if ((r == -EACCES || r == -EROFS || r == -ENOENT) && s->mode == STORE_READ &&
	    access(s->path, R_OK) == 0 && !has_wal(s->path) && st.st_size > 0)
		r = open_immutable(s);
	if (r == 0)
		r = db_exec(&s->db, "PRAGMA foreign_keys = ON; PRAGMA cache_size = -16384");
	if (r == 0 && s->mode == STORE_EDIT)
		r = db_exec(&s->db, "PRAGMA synchronous = NORMAL");
	return r;
}

int store_open(const char *path, enum store_mode mode, struct store **ret, char *reason)
{
	struct store *s = calloc(1, sizeof(*s));
	int r;

	*reason = '\0';
	if (!s)
		return -ENOMEM;
	s->mode = mode;
	s->path = strdup(path);
	r = s->path ? open_db(s) : -ENOMEM;
	if (r == -EUCLEAN)
		(void)snprintf(
			reason, STORE_REASON_MAX,
			"it is damaged (%.200s): lmmsd --service keeps it aside and begins a new one",
			s->db.error);
	else if (r < 0)
		(void)snprintf(reason, STORE_REASON_MAX, "%s", s->db.error);
	if (r < 0)
		(void)store_close(s);
	else
		*ret = s;
	return r;
}

struct store *store_close(struct store *s)
{
	if (!s)
		return NULL;
	db_close(&s->db);
	free(s->path);
	free(s);
	return NULL;
}

const char *store_error(const struct store *s)
{
	return s->db.error;
}

int store_begin(struct store *s)
{
	return db_exec(&s->db, "BEGIN");
}

int store_begin_edit(struct store *s)
{
	if (s->mode == STORE_EDIT)
		return db_exec(&s->db, "BEGIN IMMEDIATE");
	(void)snprintf(s->db.error, sizeof(s->db.error), "it was opened for reading only");
	return -EROFS;
}

int store_end(struct store *s, int r)
{
	if (r >= 0) {
		int ended = db_exec(&s->db, "COMMIT");

		if (ended == 0)
			return r;
		r = ended;
	}
	(void)sqlite3_exec(s->db.h, "ROLLBACK", NULL, NULL, NULL);
	return r;
}
