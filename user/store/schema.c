/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * The tables. Each migration is applied once, in order, and never changed after a release.
 * Times are ns; days are local calendar days since 1970-01-01; columns of bytes begin with their version.
 */
#include <errno.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "store/db.h"

static const char initial[] =
	/* Every string once; 0 is none, 1 stands for what went beyond the limits. */
	"CREATE TABLE name(id INTEGER PRIMARY KEY, s TEXT NOT NULL UNIQUE) STRICT;"
	"INSERT INTO name VALUES(0, ''), (1, '_other');"
	"CREATE TABLE pkg(id INTEGER PRIMARY KEY,"
	" distribution INTEGER NOT NULL REFERENCES name, version INTEGER NOT NULL REFERENCES name,"
	" UNIQUE(distribution, version)) STRICT;"
	"INSERT INTO pkg VALUES(0, 0, 0);"

	/*
	 * Raw runs, as long as retention lets them. state: 0 goes on (a checkpoint), 1 over and not in the aggregates, 2 in them.
	 * key: of the process, while it goes on. bytes: of its data, which stands apart since this row changes.
	 */
	"CREATE TABLE run(id INTEGER PRIMARY KEY, app INTEGER NOT NULL REFERENCES name,"
	" day INTEGER NOT NULL, state INTEGER NOT NULL, class INTEGER NOT NULL, key INTEGER NOT NULL,"
	" boot INTEGER NOT NULL, compiled INTEGER NOT NULL, started INTEGER NOT NULL,"
	" duration INTEGER NOT NULL, cold_start INTEGER NOT NULL, interpreter INTEGER NOT NULL,"
	" pid INTEGER NOT NULL, uid INTEGER NOT NULL, python INTEGER NOT NULL,"
	" modules INTEGER NOT NULL, exit INTEGER NOT NULL, ended INTEGER NOT NULL,"
	" bytes INTEGER NOT NULL) STRICT;"
	"CREATE INDEX run_app ON run(app, started);"
	"CREATE INDEX run_todo ON run(app, day) WHERE state < 2;"
	"CREATE INDEX run_open ON run(key) WHERE state = 0;"
	"CREATE TABLE run_data(id INTEGER PRIMARY KEY REFERENCES run ON DELETE CASCADE,"
	" data BLOB NOT NULL) STRICT;"

	/* Aggregates, for ever. */
	"CREATE TABLE app_day(app INTEGER NOT NULL REFERENCES name, day INTEGER NOT NULL,"
	" warm INTEGER NOT NULL, cold INTEGER NOT NULL, compiled INTEGER NOT NULL,"
	" forked INTEGER NOT NULL, partial INTEGER NOT NULL, uses INTEGER NOT NULL,"
	" usage INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,"
	" cold_start BLOB, interpreter BLOB, start_cold BLOB, start_compiled BLOB,"
	" extra BLOB NOT NULL, PRIMARY KEY(app, day)) STRICT, WITHOUT ROWID;"
	"CREATE INDEX app_day_day ON app_day(day);"
	"CREATE TABLE module_day(app INTEGER NOT NULL REFERENCES name, day INTEGER NOT NULL,"
	" module INTEGER NOT NULL REFERENCES name, pkg INTEGER NOT NULL REFERENCES pkg,"
	" file INTEGER NOT NULL REFERENCES name, kind INTEGER NOT NULL,"
	" loaded INTEGER NOT NULL, start INTEGER NOT NULL, imported INTEGER NOT NULL,"
	" used INTEGER NOT NULL, imported_other INTEGER NOT NULL, used_other INTEGER NOT NULL,"
	" failures INTEGER NOT NULL, compiled INTEGER NOT NULL,"
	" saving_n INTEGER NOT NULL, saving REAL NOT NULL, saving_sq REAL NOT NULL,"
	" places BLOB NOT NULL, total BLOB, self BLOB,"
	" PRIMARY KEY(app, day, module, pkg)) STRICT, WITHOUT ROWID;"
	"CREATE TABLE edge_day(app INTEGER NOT NULL REFERENCES name, day INTEGER NOT NULL,"
	" edges BLOB NOT NULL, PRIMARY KEY(app, day)) STRICT;"
	"CREATE TABLE lost_day(day INTEGER NOT NULL, reason TEXT NOT NULL, count INTEGER NOT NULL,"
	" PRIMARY KEY(day, reason)) STRICT, WITHOUT ROWID;"

	/* What people and reviews put down. */
	"CREATE TABLE baseline(id INTEGER PRIMARY KEY, app TEXT NOT NULL, name TEXT NOT NULL,"
	" saved INTEGER NOT NULL, since_day INTEGER NOT NULL, until_day INTEGER NOT NULL,"
	" runs INTEGER NOT NULL, cold_start BLOB, interpreter BLOB, vals BLOB NOT NULL,"
	" UNIQUE(app, name)) STRICT;"
	"CREATE TABLE baseline_module(baseline INTEGER NOT NULL REFERENCES baseline ON DELETE CASCADE,"
	" module TEXT NOT NULL, distribution TEXT, version TEXT, total INTEGER NOT NULL,"
	" self INTEGER NOT NULL, saving INTEGER NOT NULL, place INTEGER NOT NULL,"
	" start_pct REAL NOT NULL, PRIMARY KEY(baseline, module)) STRICT, WITHOUT ROWID;"
	"CREATE TABLE noticed(id INTEGER PRIMARY KEY, at INTEGER NOT NULL, app TEXT NOT NULL,"
	" kind TEXT NOT NULL, module TEXT NOT NULL, before TEXT NOT NULL, after TEXT NOT NULL,"
	" why TEXT NOT NULL) STRICT;"
	"CREATE INDEX noticed_at ON noticed(at);"
	"CREATE TABLE verdict(app TEXT NOT NULL, month INTEGER NOT NULL, module TEXT NOT NULL,"
	" tier INTEGER NOT NULL, place INTEGER NOT NULL, action TEXT NOT NULL, ms REAL NOT NULL,"
	" usage_pct REAL NOT NULL, saving_ms REAL NOT NULL,"
	" PRIMARY KEY(app, month, module)) STRICT, WITHOUT ROWID;"
	"CREATE TABLE mark(name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;";

static const char *const migrations[STORE_SCHEMA] = {initial};

/* 0: new, 1: ours. */
static int look(struct db *db, int64_t *ret_version)
{
	static const char application[] = "PRAGMA application_id",
			  count[] = "SELECT count(*) FROM sqlite_schema";
	static const char user_version[] = "PRAGMA user_version";
	int64_t id = 0, tables = 0, version = 0;
	int r = db_int(db, application, &id);

	if (r == 0)
		r = db_int(db, user_version, &version);
	if (r == 0)
		r = db_int(db, count, &tables);
	if (r < 0)
		return r;
	if (id == 0 && tables == 0 && version == 0)
		return 0;
	if (id != DB_APPLICATION || version < 1)
		return db_foreign(db, "a database of another program");
	if (version > STORE_SCHEMA)
		return db_newer(db, version);
	*ret_version = version;
	return 1;
}

int db_schema_check(struct db *db)
{
	int64_t version;
	int r = look(db, &version);

	if (r < 0)
		return r;
	if (r == 0) {
		(void)snprintf(db->error, sizeof(db->error),
			       "it is empty: lmmsd has not written to it yet");
		return -ENOENT;
	}
	return 0;
}

static int migrate(struct db *db, int64_t from)
{
	char sql[96];
	int r = db_exec(db, "BEGIN IMMEDIATE");

	for (int64_t i = from; i < STORE_SCHEMA && r == 0; i++)
		r = db_exec(db, migrations[i]);
	if (r == 0) {
		(void)snprintf(sql, sizeof(sql), "PRAGMA application_id=%d; PRAGMA user_version=%d",
			       DB_APPLICATION, STORE_SCHEMA);
		r = db_exec(db, sql);
	}
	if (r == 0)
		r = db_exec(db, "COMMIT");
	if (r < 0)
		(void)sqlite3_exec(db->h, "ROLLBACK", NULL, NULL, NULL);
	return r;
}

int db_schema(struct db *db)
{
	int64_t version = 0;
	int r = look(db, &version);

	if (r < 0 || version == STORE_SCHEMA)
		return r < 0 ? r : 0;
	return migrate(db, version);
}
