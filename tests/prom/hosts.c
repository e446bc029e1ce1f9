/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Made-up hosts for the fleet's tests.
 *
 *   hosts put DB SPEED SEED PAGES <SCHEDULE    stores one run a line "UNIX-SECONDS PROGRAM KIND"; prints each as a line of JSON
 *                                        a line "UNIX-SECONDS start" is a new daemon, "UNIX-SECONDS scrape" adds its /metrics to PAGES
 *   hosts merge DB FROM...               a new database with all of these
 *
 * PROGRAM: shop, report, odd. KIND: warm, cold (twice as slow), compiled, forked, partial. The same arguments give the same runs.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/savings.h"
#include "base/buf.h"
#include "base/num.h"
#include "export/metrics.h"
#include "metrics/metrics.h"
#include "prom/run_json.h"
#include "store/store.h"

#define BOOT "0f9c2c5e-1111-2222-3333-444455556666"

static _Noreturn void die(const char *what, const char *why)
{
	fprintf(stderr, "hosts: %s: %s\n", what, why);
	exit(1);
}

static void put_run(struct making *m, struct store_writer *w, uint32_t pid, const char *program)
{
	struct store_put_info info = {.boot_id = BOOT};
	double speed = m->speed;
	int r;

	fake_init(&m->f);
	m->f.now_ns = 3600000000000 + pid * 1000000ULL;
	m->speed *= is_kind(m, "cold") ? 2 : 1;
	if (!strcmp(program, "shop"))
		shop(m);
	else if (!strcmp(program, "report"))
		report(m);
	else
		odd(m);
	m->speed = speed;
	m->f.p->pid = pid;
	m->f.p->forked = is_kind(m, "forked");
	m->f.p->from_start = !is_kind(m, "partial");
	fake_done(&m->f);
	if (savings_process(m->f.p) < 0)
		die("savings_process", "no memory");
	info.realtime_offset_ns = m->at_s * 1000000000 - (int64_t)m->f.p->begin_ns;
	while ((r = store_put(w, m->f.p, &info)) == -ENOBUFS)
		(void)store_flush(w, 60000);
	if (r < 0)
		die("store_put", strerror(-r));
	run_json(m);
	fake_free(&m->f);
}

enum what { RUN, START, SCRAPE };
struct event {
	int64_t at_s;
	enum what what;
};

/* As lmmsd --service has them by default. */
static const struct metrics_options options = {.max_apps = 32,
					       .max_modules = 50,
					       .max_series = 4000,
					       .fast_ms = 10,
					       .slow_ms = 100};

static void write_page(struct metrics *m, int64_t started_s, int64_t at_s, FILE *pages)
{
	struct mdl_metrics s = {.version = "1.0.0",
				.libbpf = "v1.1",
				.created_s = started_s,
				.review_s = NAN,
				.bpf_run_s = NAN,
				.overhead_ratio = NAN,
				.process = {.start_s = (double)started_s + 0.25}};
	_buf_ struct buf b = {0};

	if (metrics_snapshot(m, &s) < 0 || export_metrics(EXPORT_METRICS_TEXT, &s, &b) < 0)
		die("export_metrics", "no memory");
	fprintf(pages, "# scrape %" PRId64 "\n%s", at_s, buf_str(&b));
	metrics_snapshot_free(&s);
}

/* The runs on their way back from the store, as the daemon counts them. */
static void write_pages(struct store_writer *w, const struct event *event, size_t n,
			const char *path)
{
	FILE *pages = fopen(path, "we");
	struct metrics *m = NULL;
	int64_t started_s = 0;

	if (!pages)
		die(path, strerror(errno));
	for (size_t i = 0; i < n; i++) {
		struct mdl_stored *run = NULL;

		if (event[i].what == START) {
			(void)metrics_free(m);
			started_s = event[i].at_s;
			if (metrics_new(&options, started_s, &m) < 0)
				die("metrics_new", "no memory");
		} else if (event[i].what == SCRAPE) {
			write_page(m, started_s, event[i].at_s, pages);
		} else if (store_take_written(w, &run) != 1 ||
			   metrics_add(m, run, event[i].at_s) < 0) {
			die("metrics_add", "a run is missing");
		}
		(void)store_written_free(run);
	}
	(void)metrics_free(m);
	if (fclose(pages))
		die(path, strerror(errno));
}

static enum what put_line(struct store_writer *w, char *line, double speed, uint64_t seed,
			  uint32_t *pid, int64_t *ret_s)
{
	struct making m = {.speed = speed};
	char *rest, *program, *kind;

	line[strcspn(line, "\n")] = '\0';
	m.at_s = *ret_s = strtoll(line, &rest, 10);
	program = *rest == ' ' ? rest + 1 : rest;
	if (!strcmp(program, "start"))
		return START;
	if (!strcmp(program, "scrape"))
		return SCRAPE;
	kind = strchr(program, ' ');
	if (!kind)
		die(line, "is no line of a schedule");
	*kind++ = '\0';
	m.kind = kind;
	m.seed = seed * 1000003 + *pid;
	put_run(&m, w, (*pid)++, program);
	return RUN;
}

static int put(const char *path, double speed, uint64_t seed, const char *pages)
{
	struct store_options o = store_default_options;
	char reason[STORE_REASON_MAX], line[256];
	struct event *event = NULL;
	struct store_writer *w;
	uint32_t pid = 1;
	size_t n = 0;

	o.keep_days = 100000;
	o.queue_runs = 100000;
	o.queue_bytes = o.written_bytes = 1u << 30;
	if (store_open_writer(path, &o, &w, NULL, reason) < 0)
		die(path, reason);
	while (fgets(line, sizeof(line), stdin)) {
		event = fake_grow(event, n, sizeof(*event));
		event[n].what = put_line(w, line, speed, seed, &pid, &event[n].at_s);
		n++;
	}
	if (store_flush(w, 600000) < 0)
		die("store_flush", "the disk");
	write_pages(w, event, n, pages);
	(void)store_close_writer(w, 60000);
	free(event);
	return 0;
}

static int merge(const char *path, char *const *from)
{
	char reason[STORE_REASON_MAX];
	struct store_writer *w;
	struct store *s;

	if (store_open_writer(path, NULL, &w, NULL, reason) < 0)
		die(path, reason);
	(void)store_close_writer(w, 5000);
	if (store_open(path, STORE_EDIT, &s, reason) < 0)
		die(path, reason);
	for (; *from; from++)
		if (store_merge(s, *from) < 0)
			die(*from, store_error(s));
	(void)store_close(s);
	return 0;
}

int main(int argc, char **argv)
{
	double speed;
	uint64_t seed;

	if (argc == 6 && !strcmp(argv[1], "put") && num_double(argv[3], 0.1, 10, &speed) == 0 &&
	    num_u64(argv[4], 0, 1000000, &seed) == 0)
		return put(argv[2], speed, seed, argv[5]);
	if (argc > 3 && !strcmp(argv[1], "merge"))
		return merge(argv[2], argv + 3);
	die("usage", "hosts put DB SPEED SEED PAGES | merge DB FROM...");
}
