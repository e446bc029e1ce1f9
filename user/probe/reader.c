/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "probe/reader.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "base/cleanup.h"

#define ROUND_MS 50

struct queue {
	uint8_t *data; /* owned */
	size_t len, cap;
};

struct reader {
	struct ring_buffer *ring; /* owned; only touched under `lock` */
	pthread_t thread;
	bool running;
	pthread_mutex_t lock;
	struct queue fill;  /* under lock: where records go */
	struct queue drain; /* the consumer's */
	size_t max;
	int event_fd;
	int stop_fd;
	_Atomic uint64_t dropped, records;
};

static int queue_add(struct reader *r, const void *rec, size_t len)
{
	struct queue *q = &r->fill;
	uint32_t size = (uint32_t)len;
	size_t need = q->len + sizeof(size) + len;

	if (need > r->max)
		return -ENOBUFS;
	if (need > q->cap) {
		size_t cap = q->cap ? q->cap * 2 : 1 << 18;
		uint8_t *data;

		while (cap < need)
			cap *= 2;
		data = realloc(q->data, cap);
		if (!data)
			return -ENOMEM;
		q->data = data;
		q->cap = cap;
	}
	memcpy(q->data + q->len, &size, sizeof(size));
	memcpy(q->data + q->len + sizeof(size), rec, len);
	q->len = need;
	return 0;
}

static int on_record(void *arg, void *rec, size_t len)
{
	struct reader *r = arg;

	if (queue_add(r, rec, len))
		atomic_fetch_add(&r->dropped, 1);
	else
		atomic_fetch_add(&r->records, 1);
	return 0;
}

int reader_kick(struct reader *r)
{
	uint64_t one = 1;
	bool some;
	int n;

	(void)pthread_mutex_lock(&r->lock);
	n = ring_buffer__consume(r->ring);
	some = r->fill.len > 0;
	(void)pthread_mutex_unlock(&r->lock);
	if (some && write(r->event_fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
		return -errno;
	return n < 0 ? n : 0;
}

/* Nothing wakes this thread but the ring at a quarter full, the end, and the clock. */
static void *reader_run(void *arg)
{
	struct reader *r = arg;
	struct epoll_event ev[2];
	_close_ int ep = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event ring = {.events = EPOLLIN, .data.u32 = 0};
	struct epoll_event stop = {.events = EPOLLIN, .data.u32 = 1};
	bool end = false;

	if (ep >= 0) {
		(void)epoll_ctl(ep, EPOLL_CTL_ADD, ring_buffer__epoll_fd(r->ring), &ring);
		(void)epoll_ctl(ep, EPOLL_CTL_ADD, r->stop_fd, &stop);
	}
	while (!end) {
		int n = epoll_wait(ep, ev, 2, ROUND_MS);

		for (int i = 0; i < n; i++)
			end |= ev[i].data.u32 == 1;
		if (n < 0 && errno != EINTR)
			end = true;
		(void)reader_kick(r);
	}
	return NULL;
}

int reader_start(int ring_fd, size_t max_bytes, struct reader **ret)
{
	_cleanup_(reader_stopp) struct reader *r = calloc(1, sizeof(*r));
	sigset_t all, old;
	int err;

	if (!r)
		return -ENOMEM;
	r->max = max_bytes;
	r->event_fd = -EBADF;
	r->stop_fd = -EBADF;
	(void)pthread_mutex_init(&r->lock, NULL);
	r->ring = ring_buffer__new(ring_fd, on_record, r, NULL);
	if (!r->ring)
		return -errno;
	r->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (r->event_fd < 0 || r->stop_fd < 0)
		return -errno;
	(void)sigfillset(&all); /* signals are the main thread's */
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(&r->thread, NULL, reader_run, r);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (err)
		return -err;
	r->running = true;
	*ret = TAKE_PTR(r);
	return 0;
}

int reader_event_fd(const struct reader *r)
{
	return r->event_fd;
}

int reader_drain(struct reader *r, int (*fn)(void *arg, const void *rec, size_t len), void *arg)
{
	struct queue q;
	uint64_t ticks;
	int n = 0, err = 0;

	if (read(r->event_fd, &ticks, sizeof(ticks)) < 0 && errno != EAGAIN)
		return -errno;
	(void)pthread_mutex_lock(&r->lock);
	q = r->fill;
	r->fill = r->drain;
	r->fill.len = 0;
	(void)pthread_mutex_unlock(&r->lock);
	r->drain = q;
	for (size_t at = 0; at + sizeof(uint32_t) <= q.len;) {
		uint32_t size;

		memcpy(&size, q.data + at, sizeof(size));
		at += sizeof(size);
		if (!err)
			err = fn(arg, q.data + at, size);
		if (err)
			atomic_fetch_add(&r->dropped, 1);
		else
			n++;
		at += size;
	}
	return err ? err : n;
}

uint64_t reader_dropped(const struct reader *r)
{
	return atomic_load(&r->dropped);
}

uint64_t reader_records(const struct reader *r)
{
	return atomic_load(&r->records);
}

struct reader *reader_stop(struct reader *r)
{
	uint64_t one = 1;

	if (!r)
		return NULL;
	if (r->running) {
		(void)!write(r->stop_fd, &one, sizeof(one));
		(void)pthread_join(r->thread, NULL);
	}
	ring_buffer__free(r->ring);
	closep(&r->event_fd);
	closep(&r->stop_fd);
	free(r->fill.data);
	free(r->drain.data);
	(void)pthread_mutex_destroy(&r->lock);
	free(r);
	return NULL;
}
