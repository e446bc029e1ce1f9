/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "decode/bodies.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* A failed add says so in the element and leaves the table as it was. */
#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(e) ((e)->refused = true)
#include <uthash.h>

struct entry {
	UT_hash_handle hh;
	struct {
		uint32_t tid, number;
	} key;
	bool refused;
	struct body_text text; /* points behind the struct */
	char data[];
};

struct owner {
	UT_hash_handle hh;
	struct {
		uint64_t start_ns;
		uint32_t tgid, pad_;
	} key;
	bool refused;
	struct entry *entries; /* owned table */
};

struct bodies {
	struct owner *owners; /* owned table; uthash keeps the order of insertion */
	size_t n;
};

int bodies_new(struct bodies **ret)
{
	*ret = calloc(1, sizeof(**ret));
	return *ret ? 0 : -ENOMEM;
}

static void drop_entry(struct bodies *b, struct owner *o, struct entry *e)
{
	HASH_DEL(o->entries, e);
	free(e);
	b->n--;
}

static void drop_owner(struct bodies *b, struct owner *o)
{
	struct entry *e, *next;

	HASH_ITER (hh, o->entries, e, next)
		drop_entry(b, o, e);
	HASH_DEL(b->owners, o);
	free(o);
}

struct bodies *bodies_free(struct bodies *b)
{
	struct owner *o, *next;

	if (!b)
		return NULL;
	HASH_ITER (hh, b->owners, o, next)
		drop_owner(b, o);
	free(b);
	return NULL;
}

static struct owner *find_owner(const struct bodies *b, uint32_t tgid, uint64_t start_ns)
{
	struct owner probe = {.key = {start_ns, tgid, 0}}, *o;

	HASH_FIND(hh, b->owners, &probe.key, sizeof(probe.key), o);
	return o;
}

static struct entry *find_entry(const struct owner *o, const struct body_key *key)
{
	struct entry probe = {.key = {key->tid, key->number}}, *e;

	HASH_FIND(hh, o->entries, &probe.key, sizeof(probe.key), e);
	return e;
}

static struct owner *need_owner(struct bodies *b, const struct body_key *key)
{
	struct owner *o = find_owner(b, key->tgid, key->start_ns);

	if (o)
		return o;
	o = calloc(1, sizeof(*o));
	if (!o)
		return NULL;
	o->key.start_ns = key->start_ns;
	o->key.tgid = key->tgid;
	HASH_ADD(hh, b->owners, key, sizeof(o->key), o);
	if (o->refused) {
		free(o);
		return NULL;
	}
	return o;
}

static struct entry *copy(const struct body_key *key, const struct body_text *t)
{
	size_t name = strlen(t->name) + 1, file = strlen(t->file) + 1;
	struct entry *e = calloc(1, sizeof(*e) + name + file + t->linetab_len);
	char *at;

	if (!e)
		return NULL;
	at = e->data;
	e->key.tid = key->tid;
	e->key.number = key->number;
	e->text = *t;
	e->text.name = memcpy(at, t->name, name);
	e->text.file = memcpy(at + name, t->file, file);
	at += name + file;
	if (t->linetab_len > 0)
		memcpy(at, t->linetab, t->linetab_len);
	e->text.linetab = (const uint8_t *)at;
	return e;
}

int bodies_enter(struct bodies *b, const struct body_key *key, const struct body_text *text)
{
	struct entry *e = copy(key, text), *before;
	struct owner *o;

	if (!e)
		return -ENOMEM;
	if (b->n >= BODIES_MAX)
		drop_owner(b, b->owners);
	o = need_owner(b, key);
	if (!o) {
		free(e);
		return -ENOMEM;
	}
	before = find_entry(o, key);
	if (before)
		drop_entry(b, o, before);
	HASH_ADD(hh, o->entries, key, sizeof(e->key), e);
	if (e->refused) {
		free(e);
		return -ENOMEM;
	}
	b->n++;
	return 0;
}

const struct body_text *bodies_find(const struct bodies *b, const struct body_key *key)
{
	const struct owner *o = find_owner(b, key->tgid, key->start_ns);
	const struct entry *e = o ? find_entry(o, key) : NULL;

	return e ? &e->text : NULL;
}

void bodies_leave(struct bodies *b, const struct body_key *key)
{
	struct owner *o = find_owner(b, key->tgid, key->start_ns);
	struct entry *e = o ? find_entry(o, key) : NULL;

	if (!e)
		return;
	drop_entry(b, o, e);
	if (!o->entries)
		drop_owner(b, o);
}

void bodies_exit(struct bodies *b, uint32_t tgid, uint64_t start_ns)
{
	struct owner *o = find_owner(b, tgid, start_ns);

	if (o)
		drop_owner(b, o);
}

size_t bodies_count(const struct bodies *b)
{
	return b->n;
}
