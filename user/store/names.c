/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "store/names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "store/agg.h"

static const char select_id[] = "SELECT id FROM name WHERE s = ?1";
static const char select_pkg[] = "SELECT id FROM pkg WHERE distribution = ?1 AND version = ?2";

void names_init(struct names *n, struct db *db)
{
	*n = (struct names){.db = db};
}

void names_clear(struct names *n)
{
	n->pool = intern_free(n->pool);
	sto_map_free(&n->by_pointer);
	sto_map_free(&n->pkgs);
}

int names_find(struct db *db, const char *s, uint32_t *ret)
{
	sqlite3_stmt *st;
	int r = db_prepare(db, select_id, &st);

	if (r < 0)
		return r;
	db_bind_text(st, 1, s);
	r = db_step(db, st);
	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	*ret = (uint32_t)db_u64(st, 0);
	(void)sqlite3_reset(st);
	return 0;
}

static int insert(struct db *db, const char *s, uint32_t *ret)
{
	static const char sql[] = "INSERT INTO name(s) VALUES(?1)";
	sqlite3_stmt *st;
	int r = db_prepare(db, sql, &st);

	if (r < 0)
		return r;
	db_bind_text(st, 1, s);
	r = db_run(db, st);
	if (r == 0)
		*ret = (uint32_t)sqlite3_last_insert_rowid(db->h);
	return r;
}

/* STO_NONE: there is no room for it. */
static int find_or_insert(struct db *db, const char *s, int64_t max, uint32_t *ret)
{
	static const char count[] = "SELECT max(id) FROM name";
	int64_t last;
	int r = names_find(db, s, ret);

	if (r != -ENOENT)
		return r;
	r = db_int(db, count, &last);
	if (r == 0 && last >= max) {
		*ret = STO_NONE;
		return 0;
	}
	return r < 0 ? r : insert(db, s, ret);
}

static int put(struct names *n, const char *own, bool file, uint32_t *ret)
{
	uint32_t id = sto_map_get(&n->by_pointer, (uintptr_t)own, 0);
	bool over;
	int r;

	if (id == STO_NONE && file)
		id = sto_map_get(&n->by_pointer, (uintptr_t)own, 1);
	if (id != STO_NONE) {
		*ret = id;
		return 0;
	}
	r = find_or_insert(n->db, own, file ? NAMES_FILES_MAX : NAMES_MAX, &id);
	if (r < 0)
		return r;
	over = id == STO_NONE;
	if (over)
		id = file ? 0 : AGG_OTHER_NAME;
	n->over_files += over && file;
	n->over_names += over && !file;
	r = sto_map_put(&n->by_pointer, (uintptr_t)own, over && file, id);
	if (r == 0)
		*ret = id;
	return r;
}

static int put_string(struct names *n, const char *s, bool file, uint32_t *ret)
{
	const char *own;

	if (!*s) {
		*ret = 0;
		return 0;
	}
	if (n->by_pointer.n >= NAMES_CACHED)
		names_clear(n);
	if (!n->pool && intern_new(&n->pool) < 0)
		return -ENOMEM;
	own = intern_str(n->pool, s);
	return own ? put(n, own, file, ret) : -ENOMEM;
}

int names_put(struct names *n, const char *s, uint32_t *ret)
{
	return put_string(n, s, false, ret);
}

int names_put_file(struct names *n, const char *s, uint32_t *ret)
{
	return put_string(n, s, true, ret);
}

static int put_pkg(struct db *db, uint32_t distribution, uint32_t version, uint32_t *ret)
{
	static const char sql[] = "INSERT INTO pkg(distribution, version) VALUES(?1, ?2)";
	sqlite3_stmt *st;
	int r = db_prepare(db, select_pkg, &st);

	if (r < 0)
		return r;
	db_bind_u64(st, 1, distribution);
	db_bind_u64(st, 2, version);
	r = db_step(db, st);
	if (r > 0) {
		*ret = (uint32_t)db_u64(st, 0);
		(void)sqlite3_reset(st);
		return 0;
	}
	if (r == 0)
		r = db_prepare(db, sql, &st);
	if (r < 0)
		return r;
	db_bind_u64(st, 1, distribution);
	db_bind_u64(st, 2, version);
	r = db_run(db, st);
	if (r == 0)
		*ret = (uint32_t)sqlite3_last_insert_rowid(db->h);
	return r;
}

int names_put_pkg(struct names *n, uint32_t distribution, uint32_t version, uint32_t *ret)
{
	uint32_t id = 0;
	int r;

	if (distribution || version) {
		id = sto_map_get(&n->pkgs, distribution, version);
		if (id == STO_NONE) {
			r = put_pkg(n->db, distribution, version, &id);
			if (r == 0)
				r = sto_map_put(&n->pkgs, distribution, version, id);
			if (r < 0)
				return r;
		}
	}
	*ret = id;
	return 0;
}

void texts_free(struct texts *t)
{
	sto_map_free(&t->by_id);
	free(t->strings);
	t->strings = NULL;
	t->n = t->cap = 0;
}

static int keep(struct texts *t, uint32_t id, const char *s)
{
	if (ARRAY_ROOM(t->strings, t->n, t->cap) < 0)
		return -ENOMEM;
	t->strings[t->n] = s;
	return sto_map_put(&t->by_id, id, 0, t->n++);
}

int texts_get(struct texts *t, uint32_t id, const char **ret)
{
	static const char sql[] = "SELECT s FROM name WHERE id = ?1";
	uint32_t i = sto_map_get(&t->by_id, id, 0);
	const char *s = NULL;
	sqlite3_stmt *st;
	int r;

	if (id == 0 || i != STO_NONE) {
		*ret = id ? t->strings[i] : NULL;
		return 0;
	}
	r = db_prepare(t->db, sql, &st);
	if (r < 0)
		return r;
	db_bind_u64(st, 1, id);
	r = db_step(t->db, st);
	if (r < 0)
		return r;
	if (r > 0) {
		s = intern_str(t->pool, db_text(st, 0));
		(void)sqlite3_reset(st);
		if (!s)
			return -ENOMEM;
	}
	r = keep(t, id, s);
	if (r == 0)
		*ret = s;
	return r;
}

int texts_pkg(struct texts *t, uint32_t pkg, const char **ret_distribution,
	      const char **ret_version)
{
	static const char sql[] = "SELECT distribution, version FROM pkg WHERE id = ?1";
	const char *distribution = NULL, *version = NULL;
	uint32_t ids[2] = {0};
	sqlite3_stmt *st;
	int r = 0;

	if (pkg) {
		r = db_prepare(t->db, sql, &st);
		if (r < 0)
			return r;
		db_bind_u64(st, 1, pkg);
		r = db_step(t->db, st);
		if (r > 0) {
			ids[0] = (uint32_t)db_u64(st, 0);
			ids[1] = (uint32_t)db_u64(st, 1);
			(void)sqlite3_reset(st);
		}
	}
	if (r >= 0)
		r = texts_get(t, ids[0], &distribution);
	if (r >= 0)
		r = texts_get(t, ids[1], &version);
	if (r < 0)
		return r;
	*ret_distribution = distribution;
	*ret_version = version;
	return 0;
}
