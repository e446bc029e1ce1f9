/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* SQLite, with negative errno and statements that are prepared once. */
#pragma once
#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/sketch.h"
#include "store/store.h"

#define DB_STATEMENTS 96
#define DB_APPLICATION 0x6c6d6d73 /* "lmms" */

struct db {
	sqlite3 *h; /* owned */
	struct {
		const char *sql; /* compared as a pointer: a literal */
		sqlite3_stmt *stmt;
	} statements[DB_STATEMENTS];
	unsigned int n;
	char error[STORE_REASON_MAX];
};

/* flags: SQLITE_OPEN_*. */
int db_open(struct db *db, const char *path, int flags);
void db_close(struct db *db);
/* Sets the error's text, returns the errno of what SQLite said last. */
int db_fail(struct db *db);
int db_errno(int sqlite_code);
int db_exec(struct db *db, const char *sql);
/* Borrowed, ready for binding. sql: a literal. */
int db_prepare(struct db *db, const char *sql, sqlite3_stmt **ret);
/* The same, with the n values for ?1, ?2, ... */
int db_prepare_i64(struct db *db, const char *sql, const int64_t *values, int n,
		   sqlite3_stmt **ret);
/* 1: a row; 0: done; negative errno. Done and failed ones are reset. */
int db_step(struct db *db, sqlite3_stmt *st);
/* For statements without rows. */
int db_run(struct db *db, sqlite3_stmt *st);
int db_int(struct db *db, const char *sql, int64_t *ret); /* one number; literal sql */

/* Binding never fails in a way that the step would not say. */
void db_bind_u64(sqlite3_stmt *st, int i, uint64_t v); /* at most INT64_MAX */
void db_bind_i64(sqlite3_stmt *st, int i, int64_t v);
void db_bind_text(sqlite3_stmt *st, int i,
		  const char *s); /* kept by the caller until the step; NULL: null */
void db_bind_blob(sqlite3_stmt *st, int i, const struct buf *b);
/* An empty sketch is null. scratch: kept until the step. */
void db_bind_sketch(sqlite3_stmt *st, int i, const struct sketch *s, struct buf *scratch);
uint64_t db_u64(sqlite3_stmt *st, int i);
const char *db_text(sqlite3_stmt *st, int i); /* "" for null; borrowed until the next step */
/* Adds the column's sketch; null adds nothing. */
int db_sketch(sqlite3_stmt *st, int i, struct sketch *to);

/*
 * Whose file is the one of a handle that was just opened? Reads bytes only, so that a file of somebody else stays as it
 * is, with nothing beside it. 0: a database of lmmsd, or none yet. -EMEDIUMTYPE: no database of lmmsd; -EPROTO: written
 * by a newer one; -EUCLEAN: a damaged one of lmmsd; error has the reason.
 */
int db_identify(struct db *db, const char *path);
/* These set the error and return -EMEDIUMTYPE, -EPROTO. what: "a text file". */
int db_foreign(struct db *db, const char *what);
int db_newer(struct db *db, int64_t version);

/* Creates the tables, or brings them up to date. -EPROTO, -EMEDIUMTYPE: as of db_identify(). */
int db_schema(struct db *db);
int db_schema_check(struct db *db); /* of a reader: changes nothing */
