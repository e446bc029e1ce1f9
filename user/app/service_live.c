/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Processes that go on. One that imported something is copied into the store within seconds, any other now and then for
 * its use counts; so a kill of the daemon loses no more of a server's start than of a program that ended.
 */
#include <errno.h>
#include <stdlib.h>

#include "app/records.h"
#include "app/service_int.h"

#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(e) ((e)->refused = true)
#include <uthash.h>

#define NEWS_NS (3ull * 1000000000)  /* from the first import that is not stored yet to the copy */
#define BUDGET_NS (100ull * 1000000) /* of one tick: the rest waits for the next */

struct live {
	UT_hash_handle hh;
	struct {
		uint64_t start_ns;
		uint32_t tgid, pad_;
	} key;
	size_t rows, stored_rows;
	uint64_t stored_ns; /* when it was copied, or first seen */
	uint64_t news_ns; /* when rows were first seen to be more than is stored; 0: they are not */
	uint64_t seen;	  /* the last tick with it */
	int64_t offset_ns;
	bool refused;
};

static struct live *find(struct service *s, uint32_t tgid, uint64_t start_ns)
{
	struct live probe = {.key = {start_ns, tgid, 0}}, *l;

	HASH_FIND(hh, s->live, &probe.key, sizeof(probe.key), l);
	return l;
}

static struct live *add(struct service *s, uint32_t tgid, uint64_t start_ns)
{
	struct live *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->key.start_ns = start_ns;
	l->key.tgid = tgid;
	l->stored_ns = records_now();
	l->offset_ns = s->offset_ns;
	HASH_ADD(hh, s->live, key, sizeof(l->key), l);
	if (l->refused) {
		free(l);
		return NULL;
	}
	return l;
}

/* A table that cannot grow costs checkpoints, nothing else. */
static void on_live(void *arg, uint32_t tgid, uint64_t start_ns, size_t rows)
{
	struct service *s = arg;
	struct live *l = find(s, tgid, start_ns);

	if (!l)
		l = add(s, tgid, start_ns);
	if (!l)
		return;
	l->seen = s->ticks;
	l->rows = rows;
	if (rows < l->stored_rows) /* another program by exec */
		l->stored_rows = 0;
	if (rows != l->stored_rows && !l->news_ns)
		l->news_ns = records_now();
}

static bool due(const struct service *s, const struct live *l, uint64_t now)
{
	if (l->news_ns && now - l->news_ns >= NEWS_NS)
		return true;
	return now - l->stored_ns >= s->config->store.checkpoint_s * 1000000000;
}

static int copy(struct service *s, struct live *l)
{
	struct mdl_process *p = NULL;
	int r = session_look(s->session, l->key.tgid, l->key.start_ns, &p);

	l->stored_ns = records_now();
	l->stored_rows = l->rows;
	l->news_ns = 0;
	if (r == -ENOMEM)
		return r;
	if (r)
		return 0; /* it ended meanwhile, and comes by itself */
	service_store(s, p, l->offset_ns);
	(void)graph_process_free(p);
	return 0;
}

int service_checkpoint(struct service *s)
{
	struct live *l, *next;
	uint64_t began = records_now();
	int r = 0;

	s->offset_ns = service_offset_ns();
	session_each_live(s->session, on_live, s);
	HASH_ITER (hh, s->live, l, next) {
		if (l->seen != s->ticks) {
			HASH_DEL(s->live, l);
			free(l);
		} else if (!r && due(s, l, began) && records_now() - began < BUDGET_NS) {
			r = copy(s, l);
		}
	}
	return r;
}

int64_t service_offset_of(struct service *s, uint32_t tgid, uint64_t start_ns)
{
	const struct live *l = find(s, tgid, start_ns);

	return l ? l->offset_ns : service_offset_ns();
}

void service_live_free(struct service *s)
{
	struct live *l, *next;

	HASH_ITER (hh, s->live, l, next) {
		HASH_DEL(s->live, l);
		free(l);
	}
}
