/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "app/emit.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

#include "app/emit_int.h"
#include "base/log.h"

#define PAUSE_MIN_US (1000ull * 1000)
#define PAUSE_MAX_US (60 * PAUSE_MIN_US)
#define TRY_US PAUSE_MIN_US /* a datagram that was refused is known to be by then */
#define ACCURACY_US 10000

void emit_arm(struct emit *e, uint64_t us)
{
	(void)sd_event_source_set_time_relative(e->timer, us);
	(void)sd_event_source_set_enabled(e->timer, SD_EVENT_ONESHOT);
	e->armed = true;
}

static void say_down(struct emit *e, const char *why)
{
	if (e->said)
		return;
	log_error(
		"cannot send metrics to %s: %s: they wait in memory, and are dropped and counted when that is full; the observation goes on",
		e->name, why);
	e->said = true;
}

void emit_say_up(struct emit *e)
{
	if (e->said)
		log_info("metrics go to %s again; %llu events were dropped so far", e->name,
			 (unsigned long long)e->dropped);
	e->said = false;
	e->pause_us = PAUSE_MIN_US;
}

void emit_failed(struct emit *e, int error)
{
	say_down(e, strerror(-error));
	e->on_try = false;
	/* What a file has of a line it keeps; another connection needs the line from its start. */
	if (emit_is_socket(e))
		emit_close(e);
	else if (e->io)
		(void)sd_event_source_set_enabled(e->io, SD_EVENT_OFF);
	emit_arm(e, e->pause_us);
	e->pause_us = e->pause_us * 2 < PAUSE_MAX_US ? e->pause_us * 2 : PAUSE_MAX_US;
}

/* The line behind `before`; NULL: the first one. */
static void take_away(struct emit *e, struct emit_queued *before)
{
	struct emit_queued *q = before ? before->next : e->head;

	if (before)
		before->next = q->next;
	else
		e->head = q->next;
	if (e->tail == q)
		e->tail = before;
	e->bytes -= q->len;
	free(q);
}

static void want_out(struct emit *e, bool want)
{
	uint32_t in = emit_is_socket(e) ? EPOLLIN | EPOLLRDHUP : 0;

	if (!e->io)
		return;
	(void)sd_event_source_set_io_events(e->io, in | (want ? EPOLLOUT : 0));
	(void)sd_event_source_set_enabled(e->io, in || want ? SD_EVENT_ON : SD_EVENT_OFF);
}

static ssize_t write_some(struct emit *e)
{
	const struct emit_queued *q = e->head;
	bool datagram = e->to.kind == ENDPOINT_UDP;
	size_t len = q->len - e->offset - (datagram ? 1 : 0);
	ssize_t n;
	int error = 0;
	socklen_t size = sizeof(error);

	n = send(e->fd, q->text + e->offset, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0 && errno == ENOTSOCK)
		n = write(e->fd, q->text + e->offset, len);
	if (n < 0)
		return -errno;
	/* On the same host a refusal is there at once, and the line is not lost. */
	if (datagram && getsockopt(e->fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error)
		return -error;
	return datagram ? n + 1 : n;
}

void emit_sent(struct emit *e, size_t bytes)
{
	while (e->head && bytes) {
		size_t rest = e->head->len - e->offset, n = bytes < rest ? bytes : rest;

		bytes -= n;
		e->offset += n;
		if (n < rest)
			break;
		e->offset = 0;
		take_away(e, NULL);
		e->sent++;
	}
}

void emit_pump(struct emit *e)
{
	size_t done = 0;

	if (e->disk) {
		emit_disk_send(e);
		return;
	}
	while (e->head && done < EMIT_PUMP_BYTES && !e->on_try) {
		ssize_t n = write_some(e);

		if (n == -EAGAIN || n == -EWOULDBLOCK)
			break;
		if (n == -EINTR)
			continue;
		if (n == -ECONNREFUSED && e->to.kind == ENDPOINT_UDP) {
			emit_next_address(e, (int)n);
			return;
		}
		if (n < 0) {
			emit_failed(e, (int)n);
			return;
		}
		done += (size_t)n;
		emit_sent(e, (size_t)n);
		if (e->offset)
			continue;
		e->on_try = e->said && e->to.kind == ENDPOINT_UDP;
		if (e->on_try)
			emit_arm(e, TRY_US);
		else
			emit_say_up(e);
	}
	want_out(e, e->head && !e->on_try);
}

static int on_timer(sd_event_source *es, uint64_t usec, void *arg)
{
	struct emit *e = arg;

	(void)es;
	(void)usec;
	e->armed = false;
	switch (e->state) {
	case EMIT_RESOLVING:
		emit_resolved(e);
		break;
	case EMIT_CONNECTING:
		emit_next_address(e, -ETIMEDOUT);
		break;
	case EMIT_UP:
		if (e->on_try) {
			e->on_try = false;
			emit_say_up(e);
		}
		emit_pump(e);
		break;
	default:
		if (e->head)
			emit_open(e);
	}
	return 0;
}

int emit_new(sd_event *event, const struct endpoint *to, struct emit **ret)
{
	_cleanup_(emit_freep) struct emit *e = calloc(1, sizeof(*e));
	_buf_ struct buf name = {0};
	int r;

	if (!e)
		return -ENOMEM;
	e->fd = -EBADF;
	e->pause_us = PAUSE_MIN_US;
	e->to = (struct endpoint){.kind = to->kind, .port = to->port};
	e->to.host = to->host ? strdup(to->host) : NULL;
	e->to.path = to->path ? strdup(to->path) : NULL;
	if (to->kind == ENDPOINT_FILE)
		buf_addf(&name, "'%s'", to->path);
	else if (to->kind == ENDPOINT_STDOUT)
		buf_adds(&name, "stdout");
	else
		buf_addf(&name, "the CloudWatch agent at %s://%s%s%s:%u",
			 to->kind == ENDPOINT_TCP ? "tcp" : "udp", strchr(to->host, ':') ? "[" : "",
			 to->host, strchr(to->host, ':') ? "]" : "", to->port);
	e->name = buf_take(&name);
	if (!e->name || (to->host && !e->to.host) || (to->path && !e->to.path))
		return -ENOMEM;
	e->event = sd_event_ref(event);
	r = sd_event_add_time_relative(event, &e->timer, CLOCK_MONOTONIC, 0, ACCURACY_US, on_timer,
				       e);
	if (r >= 0)
		r = sd_event_source_set_enabled(e->timer, SD_EVENT_OFF);
	if (r >= 0 && !emit_is_socket(e))
		r = emit_open_file(e);
	if (r < 0 && r != -ENXIO) /* a FIFO that nobody reads yet */
		return r;
	*ret = TAKE_PTR(e);
	return 0;
}

struct emit *emit_free(struct emit *e)
{
	if (!e)
		return NULL;
	emit_disk_free(e);
	emit_close(e);
	while (e->head)
		take_away(e, NULL);
	(void)sd_event_source_disable_unref(e->timer);
	(void)sd_event_unref(e->event);
	endpoint_free(&e->to);
	free(e->name);
	free(e);
	return NULL;
}

int emit_line(struct emit *e, const char *line, size_t len)
{
	struct emit_queued *q = malloc(sizeof(*q) + len + 1), *kept;

	if (!q) {
		e->dropped++;
		return -ENOMEM;
	}
	*q = (struct emit_queued){.len = len + 1};
	memcpy(q->text, line, len);
	q->text[len] = '\n';
	/* never one that is being sent */
	kept = e->fixed ? e->fixed : e->offset ? e->head : NULL;
	while (e->head && e->bytes + q->len > EMIT_QUEUE_BYTES && (!kept || kept->next)) {
		take_away(e, kept);
		e->dropped++;
		say_down(e, "it does not take them");
	}
	if (e->tail)
		e->tail->next = q;
	else
		e->head = q;
	e->tail = q;
	e->bytes += q->len;
	return 0;
}

void emit_kick(struct emit *e)
{
	if (!e->head)
		return;
	if (e->state == EMIT_UP && e->to.kind == ENDPOINT_FILE && !e->disk && !e->offset &&
	    emit_is_gone(e->fd, e->to.path))
		emit_close(e);
	if (e->state == EMIT_UP && !e->armed)
		emit_pump(e);
	else if (e->state == EMIT_DOWN && !e->armed)
		emit_open(e);
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

void emit_drain(struct emit *e, unsigned int ms)
{
	uint64_t by = now_ms() + ms, now;

	if (e->state == EMIT_RESOLVING)
		emit_wait_resolved(e, ms);
	while (e->disk && e->head && !e->said && (now = now_ms()) < by) {
		emit_disk_send(e);
		emit_disk_wait(e, (unsigned int)(by - now));
	}
	while (!e->disk && e->head && (e->state == EMIT_CONNECTING || e->state == EMIT_UP) &&
	       !e->said && (now = now_ms()) < by) {
		struct pollfd p = {.fd = e->fd, .events = POLLOUT};

		if (poll(&p, 1, (int)(by - now)) <= 0)
			break;
		if (e->state == EMIT_CONNECTING)
			emit_connected(e);
		else
			emit_pump(e);
	}
}

void emit_stats(const struct emit *e, struct emit_stats *ret)
{
	*ret = (struct emit_stats){e->sent, e->dropped, e->bytes, e->said};
}
