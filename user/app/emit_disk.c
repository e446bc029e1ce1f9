/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Files: a disk may not answer, so they are opened again and written on a thread. The lines stay in the queue until they are. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "app/aside.h"
#include "app/emit_int.h"

#define FREE_MS 100

struct batch {
	char *path; /* owned; NULL: stdout */
	int fd;	    /* owned; -EBADF: not open */
	struct buf text;
	bool whole; /* it begins with the start of a line */
	size_t written;
	int error;
};

struct emit_disk {
	struct aside *aside; /* owned */
	struct batch *batch; /* its job: not looked at while that is busy */
};

bool emit_is_gone(int fd, const char *path)
{
	struct stat there, ours;

	return fstat(fd, &ours) < 0 || stat(path, &there) < 0 || there.st_ino != ours.st_ino ||
	       there.st_dev != ours.st_dev;
}

static int open_again(struct batch *b)
{
	if (b->fd >= 0 && b->path && b->whole && emit_is_gone(b->fd, b->path)) {
		(void)close(b->fd);
		b->fd = -EBADF;
	}
	if (b->fd < 0)
		b->fd = emit_open_path(b->path);
	return b->fd < 0 ? b->fd : 0;
}

static void write_batch(void *job)
{
	struct batch *b = job;

	b->error = open_again(b);
	while (!b->error && b->written < b->text.len) {
		ssize_t n = write(b->fd, b->text.data + b->written, b->text.len - b->written);

		if (n > 0)
			b->written += (size_t)n;
		else if (n == 0 || errno != EINTR)
			b->error = n ? -errno : -EIO;
	}
}

static void batch_free(void *job)
{
	struct batch *b = job;

	if (b->fd >= 0)
		(void)close(b->fd);
	free(b->path);
	buf_free(&b->text);
	free(b);
}

static void on_written(void *owner)
{
	struct emit *e = owner;
	struct batch *b = e->disk->batch;

	buf_free(&b->text);
	e->fixed = NULL;
	emit_sent(e, b->written);
	if (b->error) {
		emit_failed(e, b->error);
		return;
	}
	emit_say_up(e);
	emit_disk_send(e);
}

int emit_disk_new(struct emit *e)
{
	static const struct aside_ops ops = {write_batch, batch_free, on_written};
	struct emit_disk *d = calloc(1, sizeof(*d));
	struct batch *b = calloc(1, sizeof(*b));
	int r = d && b ? 0 : -ENOMEM;

	if (!r && e->to.path) {
		b->path = strdup(e->to.path);
		r = b->path ? 0 : -ENOMEM;
	}
	if (!r)
		r = aside_new(e->event, &ops, b, e, &d->aside);
	if (r) {
		if (b)
			free(b->path);
		free(b);
		free(d);
		return r;
	}
	b->fd = TAKE_FD(e->fd);
	d->batch = b;
	e->disk = d;
	return 0;
}

void emit_disk_send(struct emit *e)
{
	struct batch *b = e->disk->batch;

	if (!e->head || aside_busy(e->disk->aside))
		return;
	b->whole = !e->offset;
	b->written = 0;
	for (struct emit_queued *q = e->head; q && b->text.len < EMIT_PUMP_BYTES; q = q->next) {
		size_t from = q == e->head ? e->offset : 0;

		buf_add(&b->text, q->text + from, q->len - from);
		e->fixed = q;
	}
	if (buf_error(&b->text)) {
		buf_free(&b->text);
		e->fixed = NULL;
		emit_failed(e, -ENOMEM);
		return;
	}
	aside_begin(e->disk->aside);
}

void emit_disk_wait(struct emit *e, unsigned int ms)
{
	(void)aside_wait(e->disk->aside, ms);
}

void emit_disk_free(struct emit *e)
{
	if (e->disk)
		(void)aside_free(e->disk->aside, FREE_MS);
	free(e->disk);
	e->disk = NULL;
	e->fixed = NULL;
}
