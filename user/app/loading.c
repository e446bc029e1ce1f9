/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "app/loading.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#include "base/cleanup.h"

struct loading {
	struct probe_options options;
	pthread_t thread;
	bool begun;
	int done; /* owned: an eventfd; readable: the thread has no more to do with the rest */
	struct probe *probe; /* owned */
	int error;
};

static void *load(void *arg)
{
	struct loading *l = arg;

	l->error = probe_new(&l->options, &l->probe);
	(void)eventfd_write(l->done, 1);
	return NULL;
}

int loading_begin(const struct probe_options *options, struct loading **ret)
{
	struct loading *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return -ENOMEM;
	l->options = *options;
	l->done = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = l->done < 0 ? -errno : -pthread_create(&l->thread, NULL, load, l);
	if (r) {
		(void)loading_free(l);
		return r;
	}
	l->begun = true;
	*ret = l;
	return 0;
}

int loading_wait(struct loading *l, int stop_fd, struct probe **ret)
{
	struct pollfd p[2] = {{.fd = l->done, .events = POLLIN},
			      {.fd = stop_fd,
			       .events = POLLIN}}; /* poll() passes by an fd below 0 */

	while (!p[0].revents && !p[1].revents)
		if (poll(p, ARRAY_LEN(p), -1) < 0 && errno != EINTR)
			return -errno;
	if (p[1].revents)
		return -ECANCELED;
	if (l->error)
		return l->error;
	*ret = TAKE_PTR(l->probe);
	return 0;
}

struct loading *loading_free(struct loading *l)
{
	if (!l)
		return NULL;
	if (l->begun)
		(void)pthread_join(l->thread, NULL);
	(void)probe_free(l->probe);
	closep(&l->done);
	free(l);
	return NULL;
}
