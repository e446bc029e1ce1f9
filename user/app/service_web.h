/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Between service_web.c (the server's life) and service_routes.c (its pages). */
#pragma once
#include "app/pages.h"
#include "app/service_int.h"
#include "web/config.h"

#define SERVICE_WEB_FDS 16

enum cached { CACHED_TEXT, CACHED_OPEN, CACHED_LANDING, CACHED_MAX };

struct service_web {
	struct web *web;	   /* owned; NULL: it could not be started */
	struct web_config *config; /* owned; NULL: none */
	struct web_config *next;   /* owned: waits until no request is being answered */
	struct pages *pages;	   /* owned */
	int fds[SERVICE_WEB_FDS];  /* owned */
	size_t n_fds;
	bool from_systemd;
	sd_event_source *io, *timer; /* owned */
	struct {
		struct web_page *page; /* owned */
		uint64_t made_ns;
	} cache[CACHED_MAX];
	char *said; /* owned: what was wrong the last time */
	uint64_t retry_at;
	bool reload;
};

/* Their argument is the service. */
const struct web_route *service_web_routes(size_t *ret_n);
