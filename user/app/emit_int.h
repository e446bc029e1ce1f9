/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Shared by emit*.c only. */
#pragma once
#include <netdb.h>
#include <stdbool.h>
#include <stddef.h>

#include "app/emit.h"

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

struct emit {
	sd_event *event; /* owned reference */
	struct endpoint to;
	char *name; /* owned: for messages */
	enum emit_state state;
	int fd;
	sd_event_source *io, *timer; /* owned */
	uint64_t pause_us;	     /* before the next attempt */
	bool armed;		     /* the timer is */

	struct gaicb *lookup;	    /* owned; RESOLVING */
	struct addrinfo *addresses; /* owned */
	struct addrinfo *next;	    /* the one to try next; NULL: none is left */

	struct emit_queued *head, *tail; /* owned */
	size_t offset;			 /* of the head, that is sent already */
	size_t bytes;
	uint64_t sent, dropped;
	bool said;   /* that it is down */
	bool on_try; /* UDP: one was sent to see if it is back */
};

/* emit.c */
void emit_failed(struct emit *e, int error); /* the attempt, or what was up */
void emit_arm(struct emit *e, uint64_t us);
void emit_pump(struct emit *e);

/* emit_open.c: from EMIT_DOWN to EMIT_UP. */
void emit_open(struct emit *e);
void emit_resolved(struct emit *e);			  /* looks whether it is */
void emit_wait_resolved(struct emit *e, unsigned int ms); /* waits until it is */
void emit_connected(struct emit *e);			  /* or not: see the socket's error */
void emit_next_address(struct emit *e, int error);	  /* error: of the last one */
int emit_open_file(struct emit *e);
bool emit_is_socket(const struct emit *e);
void emit_close(struct emit *e); /* and EMIT_DOWN */
