/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "app/sweep.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "app/records.h"
#include "base/cleanup.h"
#include "probe/procfs.h"

#define MAX_SUSPECTS 8192
#define BATCHES_PER_CALL 8

struct suspect {
	uint64_t start_ns;
	uint32_t tgid;
};

struct suspects {
	struct suspect at[MAX_SUSPECTS];
	size_t n;
	bool full; /* also when each stands there once */
};

/* Those of the look before, sorted, and those of this one. What finds no room is found the next time. */
struct looks {
	struct suspects before, now;
};

struct sweep {
	struct probe *probe; /* borrowed */
	struct sink *sink;   /* borrowed */
	int proc_fd;	     /* -EBADF: pids are not the host's */
	struct looks owners; /* of keys */
	struct looks live;
	uint32_t pos; /* in the table, of this look */
	bool going;   /* this look has begun */
	struct lmmsd_use_key keys[PROBE_USE_SOME];
};

int sweep_new(struct probe *probe, struct sink *sink, struct sweep **ret)
{
	_cleanup_(sweep_freep) struct sweep *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->probe = probe;
	s->sink = sink;
	s->proc_fd = -EBADF;
	/* In a PID namespace of our own a pid here names another process: then all are left as they are. */
	if (procfs_host_pids())
		(void)procfs_open("/proc", &s->proc_fd);
	*ret = TAKE_PTR(s);
	return 0;
}

struct sweep *sweep_free(struct sweep *s)
{
	if (!s)
		return NULL;
	closep(&s->proc_fd);
	free(s);
	return NULL;
}

static int by_process(const void *a, const void *b)
{
	const struct suspect *x = a, *y = b;

	if (x->tgid != y->tgid)
		return x->tgid < y->tgid ? -1 : 1;
	return x->start_ns == y->start_ns ? 0 : x->start_ns < y->start_ns ? -1 : 1;
}

/* Sorted, each once. */
static void tidy(struct suspects *s)
{
	size_t n = 0;

	qsort(s->at, s->n, sizeof(*s->at), by_process);
	for (size_t i = 0; i < s->n; i++)
		if (n == 0 || by_process(&s->at[n - 1], &s->at[i]))
			s->at[n++] = s->at[i];
	s->n = n;
}

static void suspect(struct suspects *s, uint32_t tgid, uint64_t start_ns)
{
	if (s->full)
		return;
	s->at[s->n++] = (struct suspect){start_ns, tgid};
	if (s->n < MAX_SUSPECTS)
		return;
	tidy(s);
	s->full = s->n > MAX_SUSPECTS / 2; /* or the sorting would not pay */
}

static bool suspected(const struct suspects *s, uint32_t tgid, uint64_t start_ns)
{
	struct suspect key = {start_ns, tgid};

	return s->n && bsearch(&key, s->at, s->n, sizeof(key), by_process);
}

static void look_ends(struct looks *l)
{
	tidy(&l->now);
	memcpy(l->before.at, l->now.at, l->now.n * sizeof(*l->now.at));
	l->before.n = l->now.n;
	l->now.n = 0;
	l->now.full = false;
}

static void look_at_key(struct sweep *s, const struct lmmsd_use_key *key)
{
	const struct lmmsd_use_key *keys;
	uint64_t count;
	size_t n;

	if (graph_use_keys(sink_graph(s->sink), key->tgid, key->start_ns, &keys, &n) != -ESRCH ||
	    probe_follows(s->probe, key->tgid, key->start_ns))
		return;
	/* What goes now takes no room from those that this look finds. */
	if (suspected(&s->owners.before, key->tgid, key->start_ns))
		(void)probe_use_count(s->probe, key, true, &count);
	else
		suspect(&s->owners.now, key->tgid, key->start_ns);
}

void sweep_keys_on(struct sweep *s)
{
	for (size_t i = 0; s->going && i < BATCHES_PER_CALL; i++) {
		uint32_t n = ARRAY_LEN(s->keys);

		s->going = !probe_use_some(s->probe, &s->pos, s->keys, &n);
		for (uint32_t k = 0; k < n; k++)
			look_at_key(s, &s->keys[k]);
		if (!s->going)
			look_ends(&s->owners);
	}
}

void sweep_keys(struct sweep *s)
{
	if (!s->going)
		s->pos = 0;
	s->going = true;
	sweep_keys_on(s);
}

/* The kernel side deletes a process when it ends, whether the record of that found room or not. */
static void on_live(uint32_t tgid, uint64_t start_ns, void *arg)
{
	struct sweep *s = arg;

	if (!probe_follows(s->probe, tgid, start_ns))
		suspect(&s->live.now, tgid, start_ns);
}

/* It may also have found no room there: only /proc tells. A process that cannot be looked at is not gone. */
static bool is_gone(const struct sweep *s, const struct procfs_clock *clock,
		    const struct suspect *p)
{
	_close_ int fd = -EBADF;
	struct procfs_stat st;
	int r = procfs_pid_open(s->proc_fd, p->tgid, &fd);

	if (!r)
		r = procfs_stat(fd, &st);
	if (r)
		return r == -ESRCH;
	return st.state == 'Z' || !procfs_start_matches(clock, st.start_boot_ns, p->start_ns);
}

int sweep_processes(struct sweep *s)
{
	struct procfs_clock clock;
	int r = 0;

	if (s->proc_fd < 0)
		return 0;
	procfs_clock_now(&clock);
	graph_each_live(sink_graph(s->sink), on_live, s);
	tidy(&s->live.now);
	for (size_t i = 0; i < s->live.now.n && !r; i++) {
		const struct suspect *p = &s->live.now.at[i];
		uint8_t rec[RECORDS_MAX];

		if (suspected(&s->live.before, p->tgid, p->start_ns) && is_gone(s, &clock, p))
			r = sink_put(s->sink, rec,
				     records_exit(rec, sizeof(rec), p->tgid, p->start_ns));
	}
	look_ends(&s->live);
	return r;
}
