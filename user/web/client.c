/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Connections: how long each has kept the server waiting, and which goes when there are too many. */
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#include "web/web_int.h"

#define SPARE 32 /* connections that are kept free for who comes next */

uint64_t web_now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void link_last(struct client *c)
{
	struct web_server *s = c->server;

	c->next = NULL;
	c->prev = s->last;
	if (s->last)
		s->last->next = c;
	else
		s->clients = c;
	s->last = c;
}

static void unlink_client(struct client *c)
{
	struct web_server *s = c->server;

	if (c->prev)
		c->prev->next = c->next;
	else
		s->clients = c->next;
	if (c->next)
		c->next->prev = c->prev;
	else
		s->last = c->prev;
}

/* The list is in the order of since_ms. */
void client_set(struct client *c, enum client_state state)
{
	c->state = state;
	c->since_ms = web_now_ms();
	unlink_client(c);
	link_last(c);
}

/* The library sees that the connection ended, and closes it. */
static void evict(struct client *c)
{
	if (c->evicted)
		return;
	c->evicted = true;
	c->server->web->stats.evicted++;
	(void)shutdown(c->fd, SHUT_RDWR);
}

static uint64_t patience_ms(enum client_state state)
{
	switch (state) {
	case CLIENT_FRESH:
		return WEB_FRESH_S * 1000;
	case CLIENT_SENDING:
		return WEB_SEND_S * 1000;
	case CLIENT_IDLE:
		return WEB_IDLE_S * 1000;
	default:
		return UINT64_MAX; /* it waits for us */
	}
}

void client_sweep(struct web_server *s, uint64_t now_ms)
{
	for (struct client *c = s->clients; c; c = c->next)
		if (now_ms - c->since_ms > patience_ms(c->state))
			evict(c);
}

/* Room for the one that came: those that never asked for anything first. */
static void make_room(struct web_server *s, const struct client *news)
{
	static const enum client_state order[] = {CLIENT_FRESH, CLIENT_SENDING, CLIENT_IDLE};

	for (size_t i = 0; i < ARRAY_LEN(order); i++) {
		for (struct client *c = s->clients; c; c = c->next) {
			if (c == news || c->evicted || c->state != order[i])
				continue;
			evict(c);
			return;
		}
	}
}

static void begin(struct web_server *s, struct MHD_Connection *connection, void **context)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct client *c = info ? calloc(1, sizeof(*c)) : NULL;

	*context = c; /* without one its requests are refused */
	if (!c)
		return;
	c->server = s;
	c->fd = info->connect_fd;
	c->since_ms = web_now_ms();
	link_last(c);
	s->n++;
	if (s->n + SPARE > s->web->options.max_connections)
		make_room(s, c);
}

void client_notify(void *arg, struct MHD_Connection *connection, void **context,
		   enum MHD_ConnectionNotificationCode what)
{
	struct web_server *s = arg;
	struct client *c = *context;

	if (what == MHD_CONNECTION_NOTIFY_STARTED) {
		begin(s, connection, context);
		return;
	}
	if (!c)
		return;
	unlink_client(c);
	s->n--;
	free(c);
	*context = NULL;
}
