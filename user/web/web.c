/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* The server's life, and its place in the caller's loop. */
#include "web/web.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "web/auth.h"
#include "web/config_int.h"
#include "web/web_int.h"

#define SWEEP_MS 1000
#define MAX_PASSWORDS 16 /* that wait to be checked */

static void work_page(struct web_request *r)
{
	answer_make(r);
}

static void work_password(struct web_request *r)
{
	r->authed = auth_check(r->auth, r->user, r->password);
}

static void stop_server(struct web_server *s)
{
	if (!s->daemon)
		return;
	MHD_stop_daemon(s->daemon);
	s->daemon = NULL;
}

static unsigned int flags_of(const struct web_config *c)
{
	return MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | (web_config_tls(c) ? MHD_USE_TLS : 0);
}

static int start_server(struct web *w, struct web_server *s, int fd, const struct web_config *c)
{
	struct MHD_OptionItem tls[] = {
		{MHD_OPTION_HTTPS_MEM_CERT, 0, NULL},
		{MHD_OPTION_HTTPS_MEM_KEY, 0, NULL},
		{MHD_OPTION_HTTPS_PRIORITIES, 0, NULL},
		{MHD_OPTION_END, 0, NULL},
		{MHD_OPTION_END, 0, NULL},
	};
	const union MHD_DaemonInfo *info;
	struct epoll_event ev = {.events = EPOLLIN};
	int listen_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	if (listen_fd < 0)
		return -errno;
	if (web_config_tls(c)) {
		tls[0].ptr_value = c->cert.data;
		tls[1].ptr_value = c->key.data;
		tls[2].ptr_value = c->priorities;
		if (c->ca.len)
			tls[3] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_TRUST, 0, c->ca.data};
	} else {
		tls[0].option = MHD_OPTION_END;
	}
	*s = (struct web_server){.web = w};
	/* it closes listen_fd when it fails, too, or when it stops */
	s->daemon = MHD_start_daemon(
		flags_of(c), 0, NULL, NULL, answer_request, s, MHD_OPTION_LISTEN_SOCKET, listen_fd,
		MHD_OPTION_CONNECTION_LIMIT, w->options.max_connections,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)WEB_MEMORY, MHD_OPTION_NOTIFY_COMPLETED,
		answer_completed, s, MHD_OPTION_NOTIFY_CONNECTION, client_notify, s,
		MHD_OPTION_ARRAY, tls, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_END);
	if (!s->daemon)
		return -EINVAL;
	info = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	if (!info || epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, info->epoll_fd, &ev) < 0) {
		stop_server(s);
		return -EIO;
	}
	return 0;
}

static int start_servers(struct web *w, const struct web_config *c, struct buf *error)
{
	int r = 0;

	for (size_t i = 0; !r && i < w->options.n_fds; i++)
		r = start_server(w, &w->servers[i], w->options.fds[i], c);
	if (!r && c && c->users.n)
		r = auth_new(&c->users, &w->auth);
	if (r) {
		buf_addf(error, "cannot start the web server: %s",
			 r == -EINVAL && web_config_tls(c) ?
				 "the TLS library refuses the certificate or the settings" :
				 strerror(-r));
		return r;
	}
	w->config = c;
	return 0;
}

static int begin(struct web *w, struct buf *error)
{
	struct epoll_event ev = {.events = EPOLLIN};
	int r = 0;

	w->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	w->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (w->epoll_fd < 0 || w->event_fd < 0 ||
	    epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, w->event_fd, &ev) < 0)
		r = -errno;
	if (!r)
		r = worker_start(&w->pages, work_page, w->event_fd, WEB_MAX_SLOW);
	if (!r)
		r = worker_start(&w->passwords, work_password, w->event_fd, MAX_PASSWORDS);
	if (r)
		buf_addf(error, "cannot start the web server: %s", strerror(-r));
	return r ? r : start_servers(w, w->options.config, error);
}

int web_start(const struct web_options *options, struct web **ret, struct buf *error)
{
	struct web *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return -ENOMEM;
	w->options = *options;
	w->epoll_fd = w->event_fd = -EBADF;
	if (w->options.n_fds > WEB_MAX_SOCKETS)
		w->options.n_fds = WEB_MAX_SOCKETS;
	r = begin(w, error);
	if (r) {
		(void)web_stop(w, 1000);
		return r;
	}
	*ret = w;
	return 0;
}

/* Hands back what the workers have done. true: there was something. */
static bool take_done(struct web *w)
{
	struct web_request *r;
	bool any = false;

	while ((r = worker_take(&w->pages)) || (r = worker_take(&w->passwords))) {
		r->phase = r->phase == PHASE_AUTH ? PHASE_AUTHED : PHASE_MADE;
		MHD_resume_connection(r->connection);
		any = true;
	}
	return any;
}

struct web *web_stop(struct web *w, unsigned int wait_ms)
{
	bool all;

	if (!w)
		return NULL;
	all = worker_stop(&w->pages, wait_ms);
	all = worker_stop(&w->passwords, wait_ms) && all;
	/* A page that a dead disk keeps keeps its connection; the process ends with both. */
	if (!all)
		return NULL;
	w->pages.started = w->passwords.started = true;
	(void)take_done(w);
	for (size_t i = 0; i < w->options.n_fds; i++)
		stop_server(&w->servers[i]);
	(void)auth_unref(w->auth);
	if (w->epoll_fd >= 0)
		(void)close(w->epoll_fd);
	if (w->event_fd >= 0)
		(void)close(w->event_fd);
	free(w);
	return NULL;
}

int web_fd(const struct web *w)
{
	return w->epoll_fd;
}

uint64_t web_timeout_ms(struct web *w)
{
	uint64_t least = UINT64_MAX;

	for (size_t i = 0; i < w->options.n_fds; i++) {
		MHD_UNSIGNED_LONG_LONG ms;

		if (w->servers[i].daemon && MHD_get_timeout(w->servers[i].daemon, &ms) == MHD_YES &&
		    ms < least)
			least = ms;
		if (w->servers[i].n && least > SWEEP_MS)
			least = SWEEP_MS;
	}
	return least;
}

void web_run(struct web *w)
{
	uint64_t now = web_now_ms();
	eventfd_t n;

	(void)eventfd_read(w->event_fd, &n);
	(void)take_done(w);
	for (size_t i = 0; i < w->options.n_fds; i++) {
		if (!w->servers[i].daemon)
			continue;
		if (now - w->swept_ms >= SWEEP_MS)
			client_sweep(&w->servers[i], now);
		(void)MHD_run(w->servers[i].daemon);
	}
	if (now - w->swept_ms >= SWEEP_MS)
		w->swept_ms = now;
}

int web_reload(struct web *w, const struct web_config *config, struct buf *error)
{
	const struct web_config *before = w->config;
	struct auth *auth = w->auth;
	int r;

	/* What waits for a worker must be done with before its connection can end. */
	w->reloading = w->pages.n || w->passwords.n;
	if (w->reloading) {
		buf_adds(error, "requests are being answered");
		return -EBUSY;
	}
	for (size_t i = 0; i < w->options.n_fds; i++)
		stop_server(&w->servers[i]);
	w->auth = NULL;
	r = start_servers(w, config, error);
	if (r == 0) {
		(void)auth_unref(auth);
		return 0;
	}
	for (size_t i = 0; i < w->options.n_fds; i++)
		stop_server(&w->servers[i]);
	(void)auth_unref(w->auth);
	w->auth = NULL;
	if (start_servers(w, before, error) == 0)
		(void)auth_unref(w->auth);
	w->auth = auth;
	return r;
}

void web_stats(const struct web *w, struct web_stats *ret)
{
	*ret = w->stats;
	ret->connections = 0;
	for (size_t i = 0; i < w->options.n_fds; i++)
		ret->connections += w->servers[i].n;
}
