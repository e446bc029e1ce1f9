/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "app/service.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "app/options.h"
#include "app/service_int.h"
#include "base/log.h"

#define TICK_US (1000ull * 1000)
#define RESCAN_TICKS 30
#define STATUS_TICKS 10
/* All within the 30 s that the unit gives to stop. */
#define REVIEWER_WAIT_MS 5000
#define CLOUDWATCH_WAIT_MS 1000
#define STORE_WAIT_MS 15000

static int on_records(sd_event_source *es, int fd, uint32_t revents, void *arg)
{
	struct service *s = arg;
	int r = session_work(s->session);

	(void)es;
	(void)fd;
	(void)revents;
	return r < 0 ? sd_event_exit(s->event, r) : 0;
}

static int on_stop(sd_event_source *es, const struct signalfd_siginfo *si, void *arg)
{
	struct service *s = arg;

	(void)es;
	(void)si;
	return sd_event_exit(s->event, 0);
}

static int on_duration(sd_event_source *es, uint64_t usec, void *arg)
{
	struct service *s = arg;

	(void)es;
	(void)usec;
	return sd_event_exit(s->event, 0);
}

static bool same(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

/* What a running daemon cannot change. */
static const char *fixed_setting(const struct config *a, const struct config *b)
{
	return !same(a->db, b->db)				 ? "service.db" :
	       !same(a->reviews, b->reviews)			 ? "service.reviews" :
	       !same(a->web_listen, b->web_listen)		 ? "web.listen_address" :
	       a->probe != b->probe				 ? "observe.probe" :
	       a->usage != b->usage				 ? "observe.usage" :
	       a->uid_given != b->uid_given || a->uid != b->uid	 ? "observe.uid" :
	       memcmp(&a->limits, &b->limits, sizeof(a->limits)) ? "limits" :
	       a->store.keep_days != b->store.keep_days		 ? "service.keep_days" :
	       a->store.keep_mib != b->store.keep_mib		 ? "service.keep_mib" :
								   NULL;
}

/* From now on to where the new configuration says. */
/* Both are made before either takes its place: a configuration is taken whole, or not at all. */
struct outlets {
	bool new_cloudwatch, new_textfile;
	struct cloudwatch *cloudwatch; /* owned; NULL: off */
	struct textfile *textfile;     /* owned; NULL: off */
};

static int make_outlets(struct service *s, const struct config *c, struct outlets *ret)
{
	int r = 0;

	ret->new_cloudwatch = !cloudwatch_same(s->config, c);
	ret->new_textfile = !same(s->config->textfile.path, c->textfile.path);
	if (ret->new_cloudwatch)
		r = cloudwatch_new(s->event, c,
				   graph_host(sink_graph(session_sink(s->session)))->name,
				   service_lost, s, &ret->cloudwatch);
	if (!r && ret->new_textfile)
		r = textfile_new(s->event, c, service_metrics_page, s, &ret->textfile);
	return r;
}

static void free_outlets(struct outlets *o)
{
	(void)cloudwatch_free(o->cloudwatch);
	(void)textfile_free(o->textfile);
}

static void take_outlets(struct service *s, const struct config *c, struct outlets *o)
{
	if (o->new_cloudwatch) {
		cloudwatch_finish(s->cloudwatch, 0);
		s->dropped_before += cloudwatch_dropped(s->cloudwatch);
		(void)cloudwatch_free(s->cloudwatch);
		s->cloudwatch = TAKE_PTR(o->cloudwatch);
	}
	if (o->new_textfile) {
		(void)textfile_free(s->textfile);
		s->textfile = TAKE_PTR(o->textfile);
	} else if (s->textfile) {
		textfile_every(s->textfile, c);
	}
}

/* The new configuration as far as a running daemon can take it; what it cannot take stays as it is. */
static int take_config(struct service *s, struct config **c)
{
	_cleanup_(config_freep) struct config *mine = *c;
	_cleanup_(free_outlets) struct outlets outlets = {0};
	const char *fixed = fixed_setting(s->config, *c);
	struct config *before;
	const struct config *old;
	struct appname *names = NULL;
	int r = appname_new(*c, &names);

	*c = NULL;
	if (r)
		return r;
	if (fixed)
		log_warning("%s was changed in the configuration: that needs a restart", fixed);
	if (!same(s->config->db, mine->db) || !same(s->config->reviews, mine->reviews)) {
		char *db = strdup(s->config->db), *reviews = strdup(s->config->reviews);

		free(mine->db);
		free(mine->reviews);
		mine->db = db;
		mine->reviews = reviews;
	}
	r = mine->db && mine->reviews ? make_outlets(s, mine, &outlets) : -ENOMEM;
	if (!r)
		r = reviewer_reload(s->reviewer, mine);
	if (r) {
		(void)appname_free(names);
		return r;
	}
	take_outlets(s, mine, &outlets);
	(void)appname_free(s->names);
	s->names = names;
	before = s->reloaded;
	old = s->config;
	s->config = s->reloaded = TAKE_PTR(mine);
	service_metrics_reload(s, old);
	service_web_reload(s);
	(void)config_free(before);
	return 0;
}

static int on_reload(sd_event_source *es, const struct signalfd_siginfo *si, void *arg)
{
	struct service *s = arg;
	_cleanup_(config_freep) struct config *c = NULL;
	_buf_ struct buf error = {0};
	int r;

	(void)es;
	(void)si;
	service_notify_reloading();
	r = options_parse(s->argc, s->argv, &c, &error);
	if (r) {
		log_error("the configuration stays as it was: %s",
			  *buf_str(&error) ? buf_str(&error) : strerror(-r));
	} else {
		r = take_config(s, &c);
		if (r)
			log_error("the configuration stays as it was: %s", strerror(-r));
		else
			log_info("the configuration was read again");
	}
	service_notify_ready(s);
	return 0;
}

static int on_tick(sd_event_source *es, uint64_t usec, void *arg)
{
	struct service *s = arg;
	uint64_t now;
	int r = session_tick(s->session);

	(void)usec;
	s->ticks++;
	if (r >= 0)
		r = service_checkpoint(s);
	if (r >= 0 && s->ticks % RESCAN_TICKS == 0)
		r = session_tidy(s->session);
	if (r < 0)
		return sd_event_exit(s->event, r);
	service_store_losses(s);
	service_watch_store(s);
	service_metrics_work(s);
	service_web_tick(s);
	if (s->ticks % STATUS_TICKS == 0) {
		service_metrics_tick(s);
		service_notify_status(s);
	}
	(void)sd_event_now(s->event, CLOCK_MONOTONIC, &now);
	(void)sd_event_source_set_time(es, now + TICK_US);
	return sd_event_source_set_enabled(es, SD_EVENT_ONESHOT);
}

static int set_up_loop(struct service *s)
{
	int r = sd_event_add_signal(s->event, NULL, SIGTERM, on_stop, s);

	if (r >= 0)
		r = sd_event_add_signal(s->event, NULL, SIGINT, on_stop, s);
	if (r >= 0)
		r = sd_event_add_signal(s->event, NULL, SIGHUP, on_reload, s);
	if (r >= 0)
		r = sd_event_add_io(s->event, NULL, session_event_fd(s->session), EPOLLIN,
				    on_records, s);
	if (r >= 0)
		r = sd_event_add_time_relative(s->event, NULL, CLOCK_MONOTONIC, TICK_US, 0, on_tick,
					       s);
	if (r >= 0 && s->config->duration_ns)
		r = sd_event_add_time_relative(s->event, NULL, CLOCK_MONOTONIC,
					       s->config->duration_ns / 1000, 0, on_duration, s);
	if (r >= 0)
		r = sd_event_set_watchdog(s->event, true); /* as systemd asked for; 0: it did not */
	return r < 0 ? r : 0;
}

/* The live processes too, as they are now. */
static int finish(struct service *s)
{
	struct store_stats st;
	int r, r2;

	service_notify_stopping();
	service_web_end(s);
	r = session_finish(s->session);
	if (r)
		log_error("cannot complete the observation: %s", strerror(-r));
	service_store_losses(s);
	cloudwatch_finish(s->cloudwatch, CLOUDWATCH_WAIT_MS);
	s->reviewer = reviewer_stop(s->reviewer, REVIEWER_WAIT_MS);
	r2 = store_flush(s->writer, STORE_WAIT_MS);
	store_writer_stats(s->writer, &st);
	/* what is written and not counted in yet the next start does */
	if (r2 < 0 && (st.queued || st.last_error)) {
		log_error("the database '%s' could not take the last %llu runs: %s", s->config->db,
			  (unsigned long long)st.queued,
			  st.last_error ? st.error : "the disk does not answer");
		r = -EIO;
	} else {
		service_watch_store(s);
	}
	s->writer = store_close_writer(s->writer, 1000);
	return r;
}

static int loop(struct service *s)
{
	int r = set_up_loop(s);

	if (r < 0) {
		log_error("cannot set up the event loop: %s", strerror(-r));
		return r;
	}
	r = reviewer_start(s->config, &s->reviewer);
	if (r) {
		log_error("cannot start the reviewer: %s", strerror(-r));
		return r;
	}
	r = service_web_begin(s);
	if (r) {
		log_error("cannot start the web server: %s", strerror(-r));
		return r;
	}
	service_notify_ready(s);
	r = sd_event_loop(s->event);
	if (r < 0)
		log_error("the observation ended early: %s", strerror(-r));
	return r;
}

int service_run(const struct config *config, int argc, char *argv[])
{
	_cleanup_(service_done) struct service s = {.config = config, .argc = argc, .argv = argv};
	int r = service_prepare(&s), r2;

	if (r)
		return s.exit_code ? s.exit_code : (int)options_exit_code(r);
	r = loop(&s);
	r2 = finish(&s);
	return r < 0 || r2 < 0 ? EXIT_INTERNAL : EXIT_DONE;
}
