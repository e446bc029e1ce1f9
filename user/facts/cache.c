/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "facts/cache.h"

#include <string.h>
#include <sys/stat.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "facts/record.h"

struct entry {
	char *key; /* owned, binary */
	struct answer answer;
	uint64_t at_ns;
	UT_hash_handle hh;
};

struct cache {
	struct entry *entries; /* oldest first */
};

int cache_new(struct cache **ret)
{
	struct cache *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	*ret = c;
	return 0;
}

static void drop(struct cache *c, struct entry *e)
{
	HASH_DEL(c->entries, e);
	answer_done(&e->answer);
	free(e->key);
	free(e);
}

struct cache *cache_free(struct cache *c)
{
	struct entry *e, *tmp;

	if (!c)
		return NULL;
	HASH_ITER (hh, c->entries, e, tmp) {
		drop(c, e);
	}
	free(c);
	return NULL;
}

/* All that an answer depends on, but for what is on disk. */
static void make_key(int root_fd, const struct facts_query *q, struct buf *key)
{
	const char *const strings[] = {q->module, q->file, q->near, q->near_file};
	struct stat st = {};
	uint64_t numbers[3];

	if (root_fd >= 0 && fstat(root_fd, &st) < 0)
		st = (struct stat){};
	numbers[0] = st.st_dev;
	numbers[1] = st.st_ino;
	numbers[2] = q->version >> 16; /* patch releases share .pyc files */
	buf_add(key, numbers, sizeof(numbers));
	for (size_t i = 0; i < ARRAY_LEN(strings); i++) {
		if (strings[i])
			buf_adds(key, strings[i]);
		buf_addc(key, '\0');
	}
}

const struct answer *cache_get(struct cache *c, int root_fd, const struct facts_query *q,
			       uint64_t now_ns)
{
	_buf_ struct buf key = {};
	struct entry *e;

	make_key(root_fd, q, &key);
	if (buf_error(&key))
		return NULL;
	HASH_FIND(hh, c->entries, key.data, key.len, e);
	if (e && now_ns - e->at_ns < CACHE_NS)
		return &e->answer;
	if (e)
		drop(c, e);
	return NULL;
}

int cache_put(struct cache *c, int root_fd, const struct facts_query *q, uint64_t now_ns,
	      struct answer *a, const struct answer **ret)
{
	struct entry *e = calloc(1, sizeof(*e)), *old;
	_buf_ struct buf key = {};
	size_t len;

	make_key(root_fd, q, &key);
	len = key.len;
	if (!e || buf_error(&key)) {
		free(e);
		answer_done(a);
		return -ENOMEM;
	}
	HASH_FIND(hh, c->entries, key.data, len, old);
	if (old)
		drop(c, old);
	if (HASH_COUNT(c->entries) >= CACHE_MAX)
		drop(c, c->entries);
	e->key = buf_take(&key);
	e->answer = *a;
	e->at_ns = now_ns;
	*a = (struct answer){};
	HASH_ADD_KEYPTR(hh, c->entries, e->key, len, e);
	if (!e->hh.tbl) {
		answer_done(&e->answer);
		free(e->key);
		free(e);
		return -ENOMEM;
	}
	*ret = &e->answer;
	return 0;
}
