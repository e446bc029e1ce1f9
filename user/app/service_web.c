/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* The web server in the daemon's loop. Whatever is wrong with it is said once; the observation goes on. */
#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <systemd/sd-daemon.h>

#include "app/pages.h"
#include "app/records.h"
#include "app/service_web.h"
#include "base/log.h"
#include "web/config.h"

#define CONNECTIONS 1024
#define FDS_WANTED 16384
#define FRESH_NS                                                                                   \
	(1000ull * 1000000) /* a page of counters serves everyone who asks within this time */
#define RETRY_TICKS 30
#define STOP_MS 3000
/* After the events: they go first when both wait. */
#define PRIORITY (SD_EVENT_PRIORITY_NORMAL + 10)

/* The same trouble is said once. */
static void complain(struct service_web *sw, const char *what)
{
	if (sw->said && !strcmp(sw->said, what))
		return;
	log_error("%s: no metrics and pages are served; the observation goes on", what);
	free(sw->said);
	sw->said = strdup(what);
}

/* ---- the loop */

static void arm(struct service *s)
{
	uint64_t ms = web_timeout_ms(s->web->web), now;

	if (ms == UINT64_MAX) {
		(void)sd_event_source_set_enabled(s->web->timer, SD_EVENT_OFF);
		return;
	}
	(void)sd_event_now(s->event, CLOCK_MONOTONIC, &now);
	(void)sd_event_source_set_time(s->web->timer, now + ms * 1000);
	(void)sd_event_source_set_enabled(s->web->timer, SD_EVENT_ONESHOT);
}

static int on_io(sd_event_source *es, int fd, uint32_t revents, void *arg)
{
	struct service *s = arg;

	(void)es;
	(void)fd;
	(void)revents;
	web_run(s->web->web);
	arm(s);
	return 0;
}

static int on_timer(sd_event_source *es, uint64_t usec, void *arg)
{
	(void)usec;
	return on_io(es, -1, 0, arg);
}

static int join_loop(struct service *s)
{
	struct service_web *sw = s->web;
	int r = sd_event_add_io(s->event, &sw->io, web_fd(sw->web), EPOLLIN, on_io, s);

	if (r >= 0)
		r = sd_event_source_set_priority(sw->io, PRIORITY);
	if (r >= 0)
		r = sd_event_add_time_relative(s->event, &sw->timer, CLOCK_MONOTONIC, 0, 0,
					       on_timer, s);
	if (r >= 0)
		r = sd_event_source_set_priority(sw->timer, PRIORITY);
	return r < 0 ? r : 0;
}

static void leave_loop(struct service_web *sw)
{
	sw->io = sd_event_source_disable_unref(sw->io);
	sw->timer = sd_event_source_disable_unref(sw->timer);
	sw->web = web_stop(sw->web, STOP_MS);
}

/* ---- begin, again and again until it works */

static void take_systemd_sockets(struct service_web *sw, int n)
{
	for (int fd = SD_LISTEN_FDS_START; fd < SD_LISTEN_FDS_START + n; fd++) {
		if (sw->n_fds < SERVICE_WEB_FDS && sd_is_socket(fd, AF_UNSPEC, SOCK_STREAM, 1) > 0)
			sw->fds[sw->n_fds++] = fd;
		else
			(void)close(fd);
	}
	sw->from_systemd = sw->n_fds > 0;
}

/* A connection is a descriptor, and so is a probe. */
static unsigned int connections(void)
{
	struct rlimit l;
	rlim_t wanted;

	if (getrlimit(RLIMIT_NOFILE, &l) < 0)
		return 64;
	wanted = l.rlim_max < FDS_WANTED ? l.rlim_max : FDS_WANTED;
	if (l.rlim_cur < wanted) {
		l.rlim_cur = wanted;
		(void)setrlimit(RLIMIT_NOFILE, &l);
		(void)getrlimit(RLIMIT_NOFILE, &l);
	}
	return l.rlim_cur / 4 < CONNECTIONS ? (unsigned int)l.rlim_cur / 4 + 40 : CONNECTIONS;
}

static int read_config(struct service *s, struct web_config **ret)
{
	_buf_ struct buf error = {0};
	int r = s->config->web_config ? web_config_read(s->config->web_config, ret, &error) : 0;

	if (r)
		complain(s->web, r == -ENOMEM ? "no memory for the web server" : buf_str(&error));
	return r;
}

static void say_serving(struct service_web *sw)
{
	_buf_ struct buf urls = {0};

	for (size_t i = 0; i < sw->n_fds; i++) {
		buf_adds(&urls, i ? " " : "");
		web_url(sw->fds[i], web_config_tls(sw->config), &urls);
	}
	log_info("serving metrics and pages on %s", buf_str(&urls));
	free(sw->said);
	sw->said = NULL;
}

static int start(struct service *s)
{
	struct service_web *sw = s->web;
	_buf_ struct buf error = {0};
	struct web_options o = {
		.arg = s,
		.fds = sw->fds,
		.max_connections = connections(),
	};
	int r = read_config(s, &sw->config);

	o.routes = service_web_routes(&o.n_routes);
	if (r)
		return r;
	if (!sw->n_fds)
		r = web_listen(s->config->web_listen, sw->fds, SERVICE_WEB_FDS, &sw->n_fds, &error);
	o.n_fds = sw->n_fds;
	o.config = sw->config;
	if (!r)
		r = web_start(&o, &sw->web, &error);
	if (!r) {
		r = join_loop(s);
		if (r)
			leave_loop(sw);
	}
	if (r) {
		complain(sw, *buf_str(&error) ? buf_str(&error) : strerror(-r));
		/* Read anew at the next try: by then it may be another, or mended. */
		sw->config = web_config_free(sw->config);
		return r;
	}
	say_serving(sw);
	return 0;
}

int service_web_begin(struct service *s)
{
	int n_fds = sd_listen_fds(1), r;
	struct service_web *sw;

	/* Who connects to a socket of systemd's waits for an answer, whatever the configuration says. */
	if (!strcmp(s->config->web_listen, "off") && n_fds <= 0)
		return 0;
	sw = calloc(1, sizeof(*sw));
	if (!sw)
		return -ENOMEM;
	take_systemd_sockets(sw, n_fds);
	if (!sw->n_fds && !strcmp(s->config->web_listen, "off")) {
		free(sw);
		return 0;
	}
	s->web = sw;
	r = pages_new(s->config, &sw->pages);
	if (r)
		return r;
	sw->retry_at = s->ticks + RETRY_TICKS;
	(void)start(s);
	return 0;
}

/* New settings wait until nothing is being answered, which is soon. */
static void try_reload(struct service *s)
{
	struct service_web *sw = s->web;
	_buf_ struct buf error = {0};
	int r = web_reload(sw->web, sw->next, &error);

	if (r == -EBUSY)
		return;
	sw->reload = false;
	if (r) {
		log_error("the web server stays as it was: %s", buf_str(&error));
		sw->next = web_config_free(sw->next);
		return;
	}
	(void)web_config_free(sw->config);
	sw->config = TAKE_PTR(sw->next);
	for (size_t i = 0; i < CACHED_MAX; i++)
		sw->cache[i].page = web_page_unref(sw->cache[i].page);
	arm(s);
	log_info("the web server has its certificates and passwords anew");
}

void service_web_tick(struct service *s)
{
	struct service_web *sw = s->web;

	if (!sw)
		return;
	if (sw->web && sw->reload)
		try_reload(s);
	if (sw->web || s->ticks < sw->retry_at)
		return;
	sw->retry_at = s->ticks + RETRY_TICKS;
	(void)start(s);
}

void service_web_reload(struct service *s)
{
	struct service_web *sw = s->web;
	_buf_ struct buf error = {0};
	struct web_config *next = NULL;
	int r;

	if (!sw)
		return;
	if (pages_reload(sw->pages, s->config) < 0)
		log_error("no memory for the new settings of the pages");
	if (!sw->web) {
		sw->retry_at = s->ticks;
		return;
	}
	if (!s->config->web_config && !sw->config)
		return;
	r = s->config->web_config ? web_config_read(s->config->web_config, &next, &error) : 0;
	if (r) {
		log_error("the web server stays as it was: %s",
			  *buf_str(&error) ? buf_str(&error) : strerror(-r));
		return;
	}
	(void)web_config_free(sw->next);
	sw->next = next;
	sw->reload = true;
	try_reload(s);
}

void service_web_end(struct service *s)
{
	struct service_web *sw = s->web;

	if (!sw)
		return;
	if (sw->pages)
		pages_stop(sw->pages);
	leave_loop(sw);
	for (size_t i = 0; i < CACHED_MAX; i++)
		(void)web_page_unref(sw->cache[i].page);
	(void)web_config_free(sw->config);
	(void)web_config_free(sw->next);
	for (size_t i = 0; i < sw->n_fds; i++)
		(void)close(sw->fds[i]);
	free(sw->said);
	/* pages stay: a worker that a dead disk keeps may still look at them */
	s->web = NULL;
}
