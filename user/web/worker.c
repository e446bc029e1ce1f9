/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* A thread for what takes long. What is done goes back to the loop's thread by an eventfd: the library is not called here. */
#include <errno.h>
#include <sys/eventfd.h>
#include <time.h>

#include "web/web_int.h"

static struct web_request *next(struct worker *w)
{
	struct web_request *r;

	(void)pthread_mutex_lock(&w->lock);
	while (!w->first && !w->stop)
		(void)pthread_cond_wait(&w->wake, &w->lock);
	r = w->first;
	if (r) {
		w->first = r->next;
		if (!w->first)
			w->last = &w->first;
	}
	(void)pthread_mutex_unlock(&w->lock);
	return r;
}

/* What waits is finished also after the stop: its connection must go on to be closed. */
static void *run(void *arg)
{
	struct worker *w = arg;
	struct web_request *r;

	while ((r = next(w))) {
		if (!w->stop)
			w->work(r);
		else
			r->error = -ESHUTDOWN;
		(void)pthread_mutex_lock(&w->lock);
		r->next = w->done;
		w->done = r;
		(void)pthread_mutex_unlock(&w->lock);
		(void)eventfd_write(w->fd, 1);
	}
	return NULL;
}

int worker_start(struct worker *w, void (*work)(struct web_request *r), int fd, unsigned int max)
{
	int r;

	w->work = work;
	w->fd = fd;
	w->max = max;
	w->last = &w->first;
	(void)pthread_mutex_init(&w->lock, NULL);
	(void)pthread_cond_init(&w->wake, NULL);
	r = pthread_create(&w->thread, NULL, run, w);
	w->started = r == 0;
	return -r;
}

bool worker_stop(struct worker *w, unsigned int wait_ms)
{
	struct timespec ts;

	if (!w->started)
		return true;
	(void)pthread_mutex_lock(&w->lock);
	w->stop = true;
	(void)pthread_cond_signal(&w->wake);
	(void)pthread_mutex_unlock(&w->lock);
	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	ts.tv_sec += wait_ms / 1000;
	ts.tv_nsec += (long)(wait_ms % 1000) * 1000000;
	ts.tv_sec += ts.tv_nsec / 1000000000;
	ts.tv_nsec %= 1000000000;
	if (pthread_clockjoin_np(w->thread, NULL, CLOCK_MONOTONIC, &ts)) {
		(void)pthread_detach(w->thread);
		return false;
	}
	w->started = false;
	return true;
}

int worker_put(struct worker *w, struct web_request *r)
{
	int e = 0;

	(void)pthread_mutex_lock(&w->lock);
	if (w->n >= w->max) {
		e = -EBUSY;
	} else {
		w->n++;
		r->next = NULL;
		*w->last = r;
		w->last = &r->next;
		(void)pthread_cond_signal(&w->wake);
	}
	(void)pthread_mutex_unlock(&w->lock);
	return e;
}

struct web_request *worker_take(struct worker *w)
{
	struct web_request *r;

	if (!w->started)
		return NULL;
	(void)pthread_mutex_lock(&w->lock);
	r = w->done;
	if (r) {
		w->done = r->next;
		w->n--;
	}
	(void)pthread_mutex_unlock(&w->lock);
	return r;
}
