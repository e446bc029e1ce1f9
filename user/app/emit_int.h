/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Shared by emit*.c only. */
#pragma once
#include <netdb.h>
#include <stdbool.h>
#include <stddef.h>

#include "app/emit.h"

#define EMIT_PUMP_BYTES ((size_t)1 << 20) /* at once; then events come first */

enum emit_state {
	EMIT_DOWN, /* a timer runs when there is something to send */
	EMIT_RESOLVING,
	EMIT_CONNECTING,
	EMIT_UP,
};

struct emit_queued {
	struct emit_queued *next;
	size_t len;
	char text[]; /* with newline */
};

struct emit_disk; /* emit_disk.c: a thread that writes a file */

struct emit {
	sd_event *event; /* owned reference */
	struct endpoint to;
	char *name; /* owned: for messages */
	enum emit_state state;
	int fd;			     /* -EBADF: there is none, or it is the disk's */
	struct emit_disk *disk;	     /* owned; NULL: what it is sent to does not block */
	sd_event_source *io, *timer; /* owned */
	uint64_t pause_us;	     /* before the next attempt */
	bool armed;		     /* the timer is */

	struct gaicb *lookup;	    /* owned; RESOLVING */
	struct addrinfo *addresses; /* owned */
	struct addrinfo *next;	    /* the one to try next; NULL: none is left */

	struct emit_queued *head, *tail; /* owned */
	struct emit_queued *fixed;	 /* the last one that is being written; NULL: none is */
	size_t offset;			 /* of the head, that is sent already */
	size_t bytes;
	uint64_t sent, dropped;
	bool said;   /* that it is down */
	bool on_try; /* UDP: one was sent to see if it is back */
};

/* emit.c */
void emit_failed(struct emit *e, int error); /* the attempt, or what was up */
void emit_arm(struct emit *e, uint64_t us);
void emit_say_up(struct emit *e);
void emit_pump(struct emit *e);
void emit_sent(struct emit *e, size_t bytes); /* so many of the queue are sent */

/* emit_open.c: from EMIT_DOWN to EMIT_UP. */
void emit_open(struct emit *e);
void emit_resolved(struct emit *e);			  /* looks whether it is */
void emit_wait_resolved(struct emit *e, unsigned int ms); /* waits until it is */
void emit_connected(struct emit *e);			  /* or not: see the socket's error */
void emit_next_address(struct emit *e, int error);	  /* error: of the last one */
int emit_open_file(struct emit *e);
int emit_open_path(const char *path); /* an fd */
bool emit_is_socket(const struct emit *e);
void emit_close(struct emit *e); /* and EMIT_DOWN */

/* emit_disk.c: takes e->fd, which always seems ready and may block; from then on its path is opened there. */
int emit_disk_new(struct emit *e);
void emit_disk_send(struct emit *e);		      /* begins, unless it is at it */
void emit_disk_wait(struct emit *e, unsigned int ms); /* for what was begun, at most so long */
void emit_disk_free(struct emit *e); /* what was begun is written, when the disk takes it */
/* The file was renamed, by logrotate for example: the next line begins a new one. */
bool emit_is_gone(int fd, const char *path);
