/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "app/aside.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

struct aside {
	const struct aside_ops *ops; /* borrowed */
	void *job;		     /* owned: by the thread, or lent to the owner */
	void *owner;		     /* borrowed */
	sd_event_source *io;	     /* owned */
	int fd;			     /* eventfd: a job is done */
	bool begun;		     /* of the loop: it was not told yet that it is done */
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake, done;
	/* Under the lock. */
	bool working, stop, ended, orphan;
};

static void release(struct aside *a)
{
	if (a->fd >= 0)
		(void)close(a->fd);
	(void)pthread_mutex_destroy(&a->lock);
	(void)pthread_cond_destroy(&a->wake);
	(void)pthread_cond_destroy(&a->done);
	free(a);
}

/* Under the lock, which it lets go of while it works. */
static void work(struct aside *a)
{
	(void)pthread_mutex_unlock(&a->lock);
	a->ops->work(a->job);
	(void)pthread_mutex_lock(&a->lock);
	a->working = false;
	(void)eventfd_write(a->fd, 1);
	(void)pthread_cond_broadcast(&a->done);
}

static void *aside_thread(void *arg)
{
	struct aside *a = arg;
	bool orphan;

	(void)pthread_mutex_lock(&a->lock);
	while (a->working || !a->stop) {
		if (a->working)
			work(a);
		else
			(void)pthread_cond_wait(&a->wake, &a->lock);
	}
	(void)pthread_mutex_unlock(&a->lock);
	a->ops->end(a->job);
	(void)pthread_mutex_lock(&a->lock);
	a->ended = true;
	orphan = a->orphan;
	(void)pthread_cond_broadcast(&a->done);
	(void)pthread_mutex_unlock(&a->lock);
	if (orphan)
		release(a);
	return NULL;
}

static bool is_working(struct aside *a)
{
	bool working;

	(void)pthread_mutex_lock(&a->lock);
	working = a->working;
	(void)pthread_mutex_unlock(&a->lock);
	return working;
}

static void tell(struct aside *a)
{
	if (!a->begun || is_working(a))
		return;
	a->begun = false;
	a->ops->done(a->owner);
}

static int on_io(sd_event_source *es, int fd, uint32_t revents, void *arg)
{
	eventfd_t n;

	(void)es;
	(void)revents;
	(void)eventfd_read(fd, &n);
	tell(arg);
	return 0;
}

static int start(struct aside *a, sd_event *event)
{
	int r;

	a->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (a->fd < 0)
		return -errno;
	r = sd_event_add_io(event, &a->io, a->fd, EPOLLIN, on_io, a);
	return r < 0 ? r : -pthread_create(&a->thread, NULL, aside_thread, a);
}

int aside_new(sd_event *event, const struct aside_ops *ops, void *job, void *owner,
	      struct aside **ret)
{
	struct aside *a = calloc(1, sizeof(*a));
	pthread_condattr_t attr;
	int r;

	if (!a)
		return -ENOMEM;
	*a = (struct aside){.ops = ops, .job = job, .owner = owner, .fd = -EBADF};
	(void)pthread_mutex_init(&a->lock, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&a->wake, &attr);
	(void)pthread_cond_init(&a->done, &attr);
	(void)pthread_condattr_destroy(&attr);
	r = start(a, event);
	if (r) {
		(void)sd_event_source_disable_unref(a->io);
		release(a);
		return r;
	}
	*ret = a;
	return 0;
}

bool aside_busy(const struct aside *a)
{
	return a->begun;
}

void aside_begin(struct aside *a)
{
	a->begun = true;
	(void)pthread_mutex_lock(&a->lock);
	a->working = true;
	(void)pthread_cond_signal(&a->wake);
	(void)pthread_mutex_unlock(&a->lock);
}

static struct timespec in_ms(unsigned int ms)
{
	struct timespec ts;
	long ns;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	ns = ts.tv_nsec + (long)(ms % 1000) * 1000000;
	return (struct timespec){ts.tv_sec + ms / 1000 + ns / 1000000000, ns % 1000000000};
}

bool aside_wait(struct aside *a, unsigned int ms)
{
	const struct timespec by = in_ms(ms);
	int r = 0;

	(void)pthread_mutex_lock(&a->lock);
	while (a->working && !r)
		r = pthread_cond_timedwait(&a->done, &a->lock, &by);
	(void)pthread_mutex_unlock(&a->lock);
	tell(a);
	return !a->begun;
}

struct aside *aside_free(struct aside *a, unsigned int ms)
{
	const struct timespec by = in_ms(ms);
	pthread_t thread;
	bool ended;
	int r = 0;

	if (!a)
		return NULL;
	(void)sd_event_source_disable_unref(a->io);
	thread = a->thread;
	(void)pthread_mutex_lock(&a->lock);
	a->stop = true;
	(void)pthread_cond_signal(&a->wake);
	while (!a->ended && !r)
		r = pthread_cond_timedwait(&a->done, &a->lock, &by);
	ended = a->ended;
	a->orphan = !ended;
	(void)pthread_mutex_unlock(&a->lock);
	if (!ended) {
		(void)pthread_detach(thread);
		return NULL;
	}
	(void)pthread_join(thread, NULL);
	release(a);
	return NULL;
}
