/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "store/db.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int db_errno(int code)
{
	switch (code & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return 0;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return -EUCLEAN;
	case SQLITE_READONLY:
		return -EROFS;
	case SQLITE_CANTOPEN:
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return -EACCES;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_CONSTRAINT:
	case SQLITE_MISMATCH:
	case SQLITE_TOOBIG:
		return -EINVAL;
	default:
		return -EIO;
	}
}

int db_fail(struct db *db)
{
	int code = db->h ? sqlite3_extended_errcode(db->h) : SQLITE_NOMEM;
	int system = db->h ? sqlite3_system_errno(db->h) : 0;
	int r = db_errno(code);

	(void)snprintf(db->error, sizeof(db->error), "%s%s%s",
		       db->h ? sqlite3_errmsg(db->h) : "out of memory", system ? ": " : "",
		       system ? strerror(system) : "");
	if (r == -EIO && (system == ENOSPC || system == EDQUOT || system == EFBIG))
		return -ENOSPC;
	if (r == -EACCES && system)
		return -system;
	return r < 0 ? r : -EIO;
}

int db_open(struct db *db, const char *path, int flags)
{
	*db = (struct db){0};
	if (sqlite3_open_v2(path, &db->h, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
			    NULL) != SQLITE_OK)
		return db_fail(db);
	(void)sqlite3_busy_timeout(db->h, STORE_BUSY_MS);
	return 0;
}

void db_close(struct db *db)
{
	for (unsigned int i = 0; i < db->n; i++)
		(void)sqlite3_finalize(db->statements[i].stmt);
	db->n = 0;
	(void)sqlite3_close_v2(db->h);
	db->h = NULL;
}

int db_exec(struct db *db, const char *sql)
{
	return sqlite3_exec(db->h, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : db_fail(db);
}

int db_prepare(struct db *db, const char *sql, sqlite3_stmt **ret)
{
	sqlite3_stmt *st;

	for (unsigned int i = 0; i < db->n; i++) {
		if (db->statements[i].sql != sql)
			continue;
		st = db->statements[i].stmt;
		(void)sqlite3_reset(st);
		(void)sqlite3_clear_bindings(st);
		*ret = st;
		return 0;
	}
	if (db->n == DB_STATEMENTS)
		return -ENOBUFS;
	if (sqlite3_prepare_v3(db->h, sql, -1, SQLITE_PREPARE_PERSISTENT, &st, NULL) != SQLITE_OK)
		return db_fail(db);
	db->statements[db->n].sql = sql;
	db->statements[db->n++].stmt = st;
	*ret = st;
	return 0;
}

int db_prepare_i64(struct db *db, const char *sql, const int64_t *values, int n, sqlite3_stmt **ret)
{
	int r = db_prepare(db, sql, ret);

	for (int i = 0; i < n && r == 0; i++)
		db_bind_i64(*ret, i + 1, values[i]);
	return r;
}

int db_step(struct db *db, sqlite3_stmt *st)
{
	int code = sqlite3_step(st), r;

	if (code == SQLITE_ROW)
		return 1;
	r = code == SQLITE_DONE ? 0 : db_fail(db);
	(void)sqlite3_reset(st);
	return r;
}

int db_run(struct db *db, sqlite3_stmt *st)
{
	int r = db_step(db, st);

	if (r > 0)
		(void)sqlite3_reset(st);
	return r < 0 ? r : 0;
}

int db_int(struct db *db, const char *sql, int64_t *ret)
{
	sqlite3_stmt *st;
	int r = db_prepare(db, sql, &st);

	if (r == 0)
		r = db_step(db, st);
	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	*ret = sqlite3_column_int64(st, 0);
	(void)sqlite3_reset(st);
	return 0;
}

void db_bind_u64(sqlite3_stmt *st, int i, uint64_t v)
{
	(void)sqlite3_bind_int64(st, i, v > INT64_MAX ? INT64_MAX : (int64_t)v);
}

void db_bind_i64(sqlite3_stmt *st, int i, int64_t v)
{
	(void)sqlite3_bind_int64(st, i, v);
}

void db_bind_text(sqlite3_stmt *st, int i, const char *s)
{
	if (s)
		(void)sqlite3_bind_text(st, i, s, -1, SQLITE_STATIC);
}

void db_bind_blob(sqlite3_stmt *st, int i, const struct buf *b)
{
	(void)sqlite3_bind_blob64(st, i, b->data ? b->data : "", b->len, SQLITE_STATIC);
}

void db_bind_sketch(sqlite3_stmt *st, int i, const struct sketch *s, struct buf *scratch)
{
	buf_reset(scratch);
	if (s->count == 0)
		return;
	sketch_write(s, scratch);
	db_bind_blob(st, i, scratch);
}

uint64_t db_u64(sqlite3_stmt *st, int i)
{
	int64_t v = sqlite3_column_int64(st, i);

	return v < 0 ? 0 : (uint64_t)v;
}

const char *db_text(sqlite3_stmt *st, int i)
{
	const unsigned char *s = sqlite3_column_text(st, i);

	return s ? (const char *)s : "";
}

int db_sketch(sqlite3_stmt *st, int i, struct sketch *to)
{
	const void *data = sqlite3_column_blob(st, i);
	int len = sqlite3_column_bytes(st, i);

	return data && len > 0 ? sketch_merge_bytes(to, data, (size_t)len) : 0;
}
