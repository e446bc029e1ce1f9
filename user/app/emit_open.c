/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* How an endpoint is opened without waiting: look the name up, connect to its addresses one by one, or open the file. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

#include "app/emit_int.h"

#define LOOK_US 50000			 /* how often it is asked if a name is found */
#define CONNECT_US (10ull * 1000 * 1000) /* then the other side does not answer */
#define FILE_MODE 0640

bool emit_is_socket(const struct emit *e)
{
	return e->to.kind == ENDPOINT_TCP || e->to.kind == ENDPOINT_UDP;
}

static void forget_lookup(struct emit *e)
{
	struct gaicb *g = e->lookup;

	e->lookup = NULL;
	if (!g)
		return;
	/* One that is under way writes into it when it is done: then it has to stay. */
	if (gai_error(g) == EAI_INPROGRESS && gai_cancel(g) != EAI_CANCELED)
		return;
	if (g->ar_result)
		freeaddrinfo(g->ar_result);
	free((void *)(uintptr_t)g->ar_service);
	free((void *)(uintptr_t)g->ar_name);
	free((void *)(uintptr_t)g->ar_request);
	free(g);
}

static void drop_fd(struct emit *e)
{
	e->io = sd_event_source_disable_unref(e->io);
	if (e->fd >= 0)
		(void)close(e->fd);
	e->fd = -EBADF;
	e->offset = 0;
}

void emit_close(struct emit *e)
{
	drop_fd(e);
	forget_lookup(e);
	if (e->addresses)
		freeaddrinfo(e->addresses);
	e->addresses = e->next = NULL;
	e->state = EMIT_DOWN;
}

/* The other side closed, or has an error for us. What an agent may say is of no interest. */
static void on_news(struct emit *e, uint32_t revents)
{
	char nothing[512];
	int error = 0;
	socklen_t size = sizeof(error);
	ssize_t n;

	if (!emit_is_socket(e)) {
		emit_failed(e, -EPIPE);
		return;
	}
	(void)getsockopt(e->fd, SOL_SOCKET, SO_ERROR, &error, &size);
	if (error) {
		if (e->on_try) { /* the one that was sent to see */
			e->dropped++;
			e->sent--;
		}
		emit_failed(e, -error);
		return;
	}
	n = recv(e->fd, nothing, sizeof(nothing), MSG_DONTWAIT);
	if (e->to.kind == ENDPOINT_UDP || n > 0 ||
	    (n < 0 && errno == EAGAIN && !(revents & (EPOLLHUP | EPOLLRDHUP))))
		return;
	/* An agent that was started anew: no word of it if the next attempt goes well. */
	emit_close(e);
	if (e->head)
		emit_arm(e, e->pause_us);
}

static int on_io(sd_event_source *es, int fd, uint32_t revents, void *arg)
{
	struct emit *e = arg;

	(void)es;
	(void)fd;
	if (e->state == EMIT_CONNECTING) {
		emit_connected(e);
		return 0;
	}
	if (revents & (EPOLLIN | EPOLLERR | EPOLLHUP | EPOLLRDHUP))
		on_news(e, revents);
	if (e->state == EMIT_UP && revents & EPOLLOUT)
		emit_pump(e);
	return 0;
}

void emit_connected(struct emit *e)
{
	int error = 0;
	socklen_t size = sizeof(error);

	if (getsockopt(e->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
		error = errno;
	if (error) {
		emit_next_address(e, -error);
		return;
	}
	(void)sd_event_source_set_enabled(e->timer, SD_EVENT_OFF);
	e->armed = false;
	e->state = EMIT_UP;
	emit_pump(e);
}

/* 0: under way or done. */
static int connect_to(struct emit *e, const struct addrinfo *a)
{
	int type = e->to.kind == ENDPOINT_TCP ? SOCK_STREAM : SOCK_DGRAM;
	int r;

	e->fd = socket(a->ai_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (e->fd < 0)
		return -errno;
	r = connect(e->fd, a->ai_addr, a->ai_addrlen) < 0 ? -errno : 0;
	if (r && r != -EINPROGRESS)
		return r;
	e->state = r ? EMIT_CONNECTING : EMIT_UP;
	r = sd_event_add_io(e->event, &e->io, e->fd, EPOLLIN | EPOLLRDHUP | EPOLLOUT, on_io, e);
	if (r < 0 && r != -ESTALE) /* the loop has ended: emit_drain() looks itself */
		return r;
	emit_arm(e, CONNECT_US);
	return 0;
}

void emit_next_address(struct emit *e, int error)
{
	while (e->next) {
		const struct addrinfo *a = e->next;

		e->next = a->ai_next;
		drop_fd(e);
		error = connect_to(e, a);
		if (error == 0) {
			if (e->state == EMIT_UP)
				emit_connected(e);
			return;
		}
	}
	emit_failed(e, error);
}

static int of_lookup(int r)
{
	return r == EAI_SYSTEM && errno ? -errno : r == EAI_MEMORY ? -ENOMEM : -EHOSTUNREACH;
}

void emit_resolved(struct emit *e)
{
	int r = gai_error(e->lookup);

	if (r == EAI_INPROGRESS) {
		emit_arm(e, LOOK_US);
		return;
	}
	if (r == 0) {
		e->addresses = e->next = e->lookup->ar_result;
		e->lookup->ar_result = NULL;
	}
	forget_lookup(e);
	if (r)
		emit_failed(e, of_lookup(r));
	else
		emit_next_address(e, -EHOSTUNREACH);
}

void emit_wait_resolved(struct emit *e, unsigned int ms)
{
	const struct timespec most = {ms / 1000, (long)(ms % 1000) * 1000000};
	const struct gaicb *list[] = {e->lookup};

	(void)gai_suspend(list, 1, &most);
	emit_resolved(e);
}

/* On a thread of the C library: DNS may take its time. */
static int begin_lookup(struct emit *e, const struct addrinfo *hints, const char *port)
{
	struct gaicb *g = calloc(1, sizeof(*g));
	struct addrinfo *request = malloc(sizeof(*request));
	int r = EAI_MEMORY;

	e->lookup = g;
	if (!g || !request) {
		free(request);
		return -ENOMEM;
	}
	*request = *hints;
	g->ar_request = request;
	g->ar_name = strdup(e->to.host);
	g->ar_service = strdup(port);
	if (g->ar_name && g->ar_service)
		r = getaddrinfo_a(GAI_NOWAIT, &g, 1, NULL);
	if (r)
		return of_lookup(r);
	e->state = EMIT_RESOLVING;
	emit_arm(e, LOOK_US);
	return 0;
}

static void open_socket(struct emit *e)
{
	struct addrinfo hints = {
		.ai_family = AF_UNSPEC,
		.ai_socktype = e->to.kind == ENDPOINT_TCP ? SOCK_STREAM : SOCK_DGRAM,
		.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
	};
	char port[8];
	int r;

	(void)snprintf(port, sizeof(port), "%u", e->to.port);
	if (getaddrinfo(e->to.host, port, &hints, &e->addresses) == 0) {
		e->next = e->addresses;
		emit_next_address(e, -EHOSTUNREACH);
		return;
	}
	e->addresses = NULL;
	hints.ai_flags = AI_NUMERICSERV;
	r = begin_lookup(e, &hints, port);
	if (r) {
		e->state = EMIT_DOWN;
		emit_failed(e, r);
	}
}

/*
 * stdout may be shared with other programs, so O_NONBLOCK must not be set on it: it is opened anew where it is a file or a
 * pipe; on a socket MSG_DONTWAIT does.
 */
static int open_stdout(void)
{
	struct stat st;
	int fd;

	if (fstat(STDOUT_FILENO, &st) < 0)
		return -errno;
	fd = S_ISSOCK(st.st_mode) ? fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3) :
				    open("/proc/self/fd/1",
					 O_WRONLY | O_APPEND | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	return fd < 0 ? -errno : fd;
}

int emit_open_path(const char *path)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_CLOEXEC | O_NOCTTY,
		      FILE_MODE);

	return fd < 0 ? -errno : fd;
}

int emit_open_file(struct emit *e)
{
	int fd = e->to.kind == ENDPOINT_STDOUT ? open_stdout() : emit_open_path(e->to.path);
	int r;

	if (fd < 0)
		return fd;
	drop_fd(e);
	e->fd = fd;
	r = sd_event_add_io(e->event, &e->io, fd, 0, on_io, e);
	if (r == -EPERM) /* neither pipe nor socket */
		r = emit_disk_new(e);
	if (r < 0 && r != -ESTALE) {
		drop_fd(e);
		return r;
	}
	e->state = EMIT_UP;
	return 0;
}

void emit_open(struct emit *e)
{
	int r;

	if (emit_is_socket(e)) {
		open_socket(e);
		return;
	}
	r = emit_open_file(e);
	if (r)
		emit_failed(e, r);
	else
		emit_pump(e);
}
