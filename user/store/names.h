/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Strings of the database to ids, and back. One connection's. */
#pragma once
#include "base/intern.h"
#include "store/db.h"
#include "store/map.h"

#define NAMES_CACHED 50000
#define NAMES_MAX 4000000 /* in the table, from which none goes; further ones become MDL_OTHER */
#define NAMES_FILES_MAX (NAMES_MAX / 2) /* ... of which files, the most by far, take no more */

struct names {
	struct db *db;	     /* borrowed */
	struct intern *pool; /* owned; NULL: nothing is cached */
	struct sto_map
		by_pointer; /* of a pooled string; with 1: as a file that there is no room for */
	struct sto_map pkgs;
	uint64_t over_names,
		over_files; /* that there was no room for, about; the caller's to reset */
};
void names_init(struct names *n, struct db *db);
/* Forgets what is cached: after a rollback. */
void names_clear(struct names *n);
/* Id of a string, made when it is new. "" is 0. */
int names_put(struct names *n, const char *s, uint32_t *ret);
/* The same of a file's path: 0 when there is no room for more of them. */
int names_put_file(struct names *n, const char *s, uint32_t *ret);
int names_put_pkg(struct names *n, uint32_t distribution, uint32_t version, uint32_t *ret);
/* Id of a known string: -ENOENT. */
int names_find(struct db *db, const char *s, uint32_t *ret);

/* Ids to strings, each asked for once. */
struct texts {
	struct db *db;	      /* borrowed */
	struct intern *pool;  /* borrowed: where the strings live */
	struct sto_map by_id; /* to index in strings */
	const char **strings; /* owned array */
	uint32_t n, cap;
};
void texts_free(struct texts *t);
/* 0 gives NULL; an id that is not there too. */
int texts_get(struct texts *t, uint32_t id, const char **ret);
int texts_pkg(struct texts *t, uint32_t pkg, const char **ret_distribution,
	      const char **ret_version);
