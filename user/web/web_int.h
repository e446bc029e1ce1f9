/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Shared by the room's files only. */
#pragma once
#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/cleanup.h"
#include "web/auth.h"
#include "web/web.h"

#define WEB_MAX_SOCKETS 16
#define WEB_MEMORY 8192 /* of a connection: request line and headers */
#define WEB_MAX_SLOW 8	/* pages of the worker: being made, waiting, being sent */
/* How long a connection may keep the server waiting. */
#define WEB_FRESH_S 10 /* until its first request is complete */
#define WEB_SEND_S 20  /* until the answer is taken */
#define WEB_IDLE_S 120 /* until the next request is complete */

enum client_state { CLIENT_FRESH, CLIENT_WORKER, CLIENT_SENDING, CLIENT_IDLE };

/* A connection. */
struct client {
	struct client *next, *prev;
	struct web_server *server; /* borrowed */
	int fd;			   /* borrowed from microhttpd */
	enum client_state state;
	uint64_t since_ms; /* in this state */
	bool evicted;
};

/* One listening socket. */
struct web_server {
	struct web *web;	   /* borrowed */
	struct MHD_Daemon *daemon; /* owned */
	struct client *clients;	   /* the oldest first */
	struct client *last;
	unsigned int n;
};

enum phase { PHASE_NEW, PHASE_AUTH, PHASE_AUTHED, PHASE_PAGE, PHASE_MADE };

struct web_request {
	struct web_request *next;	   /* in the worker's queues */
	struct web *web;		   /* borrowed */
	struct MHD_Connection *connection; /* borrowed */
	struct client *client;		   /* borrowed */
	const struct web_route *route;
	struct web_page *page; /* owned: what the worker made */
	char *path;	       /* owned */
	struct auth *auth;     /* a reference, while user and password are checked */
	char *user, *password; /* owned */
	enum phase phase;
	bool authed, slow;
	int error;
};

/* A thread with a queue. */
struct worker {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct web_request *first, **last; /* waiting */
	struct web_request *done;	   /* for the loop */
	void (*work)(struct web_request *r);
	int fd;		     /* eventfd, borrowed: something is done */
	unsigned int n, max; /* waiting and being worked on */
	bool stop, started;
};
int worker_start(struct worker *w, void (*work)(struct web_request *r), int fd, unsigned int max);
/* false: it does not come back. */
bool worker_stop(struct worker *w, unsigned int wait_ms);
int worker_put(struct worker *w, struct web_request *r); /* -EBUSY */
struct web_request *worker_take(struct worker *w);	 /* what is done; NULL */

struct web {
	struct web_options options;
	int epoll_fd, event_fd;
	struct web_server servers[WEB_MAX_SOCKETS];
	struct worker pages, passwords;
	struct auth *auth;		 /* a reference; NULL: no passwords */
	const struct web_config *config; /* borrowed; NULL */
	unsigned int slow; /* requests that hold a page of the worker, or wait for one */
	bool reloading;	   /* waits for the workers to be done: they get nothing new */
	uint64_t swept_ms;
	struct web_stats stats;
};

uint64_t web_now_ms(void);
/* answer.c: makes the page of a slow route; and microhttpd's callbacks. */
void answer_make(struct web_request *r);
enum MHD_Result answer_request(void *arg, struct MHD_Connection *connection, const char *url,
			       const char *method, const char *version, const char *upload,
			       size_t *upload_size, void **state);
void answer_completed(void *arg, struct MHD_Connection *connection, void **state,
		      enum MHD_RequestTerminationCode why);
/* client.c */
void client_notify(void *arg, struct MHD_Connection *connection, void **context,
		   enum MHD_ConnectionNotificationCode what);
void client_set(struct client *c, enum client_state state);
void client_sweep(struct web_server *s, uint64_t now_ms);
/* page.c */
struct MHD_Response *page_response(struct web_page *p);
unsigned int page_status(const struct web_page *p);
/* Adds the configured headers, once. */
void page_dress(struct web_page *p, const struct web_pairs *headers);
