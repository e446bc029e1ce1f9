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
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/savings.h"
#include "base/buf.h"
#include "base/num.h"
#include "export/metrics.h"
#include "metrics/metrics.h"
#include "store/store.h"
#include "unit/fake_profile.h"

#define BOOT "0f9c2c5e-1111-2222-3333-444455556666"
#define US 1000ULL
#define NEW_MONTH 1790812800 /* 2026-10-01 */

struct making {
	struct fake f;
	double speed;
	uint64_t seed;
	int64_t at_s;
	const char *kind;
	size_t start_loads; /* loads that are the start */
};

static _Noreturn void die(const char *what, const char *why)
{
	fprintf(stderr, "hosts: %s: %s\n", what, why);
	exit(1);
}

static uint64_t rng_next(uint64_t *state)
{
	uint64_t x = *state += 0x9e3779b97f4a7c15;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

/* 5 % of noise, about normal. */
static uint64_t noisy(struct making *m, double us)
{
	uint64_t r = rng_next(&m->seed), sum = 0;

	for (int i = 0; i < 4; i++)
		sum += (r >> (16 * i)) & 63;
	return (uint64_t)(us * m->speed * (0.94 + (double)sum / 2000) * US);
}

static bool in_pct(struct making *m, unsigned int pct)
{
	return rng_next(&m->seed) % 100 < pct;
}

static bool is_kind(const struct making *m, const char *kind)
{
	return !strcmp(m->kind, kind);
}

/* A module's file and package, by its name: the shop's own code, a package, or the standard library. */
static void describe(struct making *m, const char *name)
{
	static const char *const own[] = {"shop.", "reports."}, *const packages[] = {
									"requests", "sqlalchemy",
									"pandas",   "numpy",
									"yaml",	    "tensor",
									"near",	    "dep"};
	struct mdl_module *mod = fake_module(&m->f, name);
	char text[256], package[64];

	if (mod->file)
		return;
	(void)snprintf(text, sizeof(text), "/usr/lib/python3.11/%s.py", name);
	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		if (!strncmp(name, own[i], strlen(own[i])))
			(void)snprintf(text, sizeof(text), "/srv/app/%s.py", name);
	for (size_t i = 0; i < ARRAY_LEN(packages); i++)
		if (!strncmp(name, packages[i], strlen(packages[i]))) {
			(void)snprintf(package, sizeof(package), "%.*s", (int)strcspn(name, "."),
				       name);
			(void)snprintf(text, sizeof(text), "/usr/lib/python3/dist-packages/%s.py",
				       name);
			mod->distribution = fake_str(&m->f, package);
			mod->version = fake_str(&m->f,
						m->at_s < NEW_MONTH || i != 1 ? "1.4" : "2.0");
		}
	mod->file = fake_str(&m->f, text);
	mod->kind = LMMSD_KIND_BYTECODE;
}

static void begin(struct making *m, const char *by, const char *name, uint8_t place, double us)
{
	struct mdl_load *l = fake_begin(&m->f, by, name, place);

	if (is_kind(m, "compiled") && !strcmp(name, "requests"))
		l->kind = LMMSD_KIND_SOURCE;
	describe(m, name);
	fake_spend(&m->f, noisy(m, us));
}

static void leaf(struct making *m, const char *by, const char *name, double us)
{
	begin(m, by, name, LMMSD_PLACE_MODULE, us);
	fake_end(&m->f);
}

static void late(struct making *m, const char *by, const char *name, double us)
{
	begin(m, by, name, LMMSD_PLACE_FUNCTION, us);
	fake_end(&m->f);
}

static void started(struct making *m)
{
	fake_started(&m->f);
	m->start_loads = m->f.p->n_loads;
	m->f.p->interpreter_ns = noisy(m, 18000);
}

/* What everybody imports: small modules, each by several. */
static void small_ones(struct making *m, const char *by, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "std%02u", i);
		leaf(m, by, name, 120 + 60 * i % 700);
		if (i)
			fake_use(&m->f, name, "std00", LMMSD_PLACE_MODULE, false);
	}
}

static void missing(struct making *m, const char *by, const char *name)
{
	struct mdl_load *l = fake_leaf(&m->f, by, name, LMMSD_PLACE_MODULE, noisy(m, 300));

	l->status = MDL_FAILED;
	fake_module(&m->f, name)->status = MDL_FAILED;
}

static void shop(struct making *m)
{
	bool october = m->at_s >= NEW_MONTH;

	fake_process(&m->f, "shop/manage.py", 0);
	small_ones(m, "__main__", 12);
	begin(m, "__main__", "shop.settings", LMMSD_PLACE_MODULE, 700);
	leaf(m, "shop.settings", "json", 1900);
	missing(m, "shop.settings", "simplejson");
	fake_end(&m->f);
	begin(m, "__main__", "shop.db", LMMSD_PLACE_MODULE, 900);
	begin(m, "shop.db", "sqlalchemy", LMMSD_PLACE_MODULE, 21000);
	leaf(m, "sqlalchemy", "sqlalchemy.engine", 14000);
	leaf(m, "sqlalchemy", "sqlalchemy.orm", october ? 47000 : 27000);
	fake_use(&m->f, "sqlalchemy", "json", LMMSD_PLACE_MODULE, false);
	fake_end(&m->f);
	fake_end(&m->f);
	begin(m, "__main__", "shop.report", LMMSD_PLACE_MODULE, 800);
	begin(m, "shop.report", "pandas", LMMSD_PLACE_MODULE, 31000);
	begin(m, "pandas", "numpy", LMMSD_PLACE_MODULE, 41000);
	leaf(m, "numpy", "numpy.linalg", 68000);
	fake_end(&m->f);
	leaf(m, "pandas", "pandas.core", 160000);
	fake_end(&m->f);
	fake_end(&m->f);
	/* numpy has two importers: without pandas it stays */
	begin(m, "__main__", "shop.stats", LMMSD_PLACE_MODULE, 600);
	fake_use(&m->f, "shop.stats", "numpy", LMMSD_PLACE_MODULE, false);
	leaf(m, "shop.stats", "near.slow", 100900 / m->speed);
	leaf(m, "shop.stats", "near.fast", 9800 / m->speed);
	fake_end(&m->f);
	/* these two must be changed together */
	begin(m, "__main__", "requests", LMMSD_PLACE_MODULE, 12000);
	leaf(m, "requests", "requests.sessions", 33000);
	fake_use(&m->f, "requests", "json", LMMSD_PLACE_MODULE, false);
	fake_end(&m->f);
	begin(m, "__main__", "shop.api", LMMSD_PLACE_MODULE, 500);
	fake_use(&m->f, "shop.api", "requests", LMMSD_PLACE_MODULE, false);
	if (october)
		leaf(m, "shop.api", "dep.new", 43000);
	else
		leaf(m, "shop.api", "dep.old", 24000);
	fake_end(&m->f);
	started(m);
	if (in_pct(m, october ? 85 : 30))
		late(m, "shop.settings", "yaml", 14000);
	if (in_pct(m, 95))
		late(m, "shop.report", "colorsys", 900);
	for (unsigned int i = 0; i < 5; i++)
		fake_use(&m->f, "shop.api", "requests", LMMSD_PLACE_FUNCTION, false);
	if (in_pct(m, 97))
		fake_use(&m->f, "shop.db", "sqlalchemy", LMMSD_PLACE_FUNCTION, false);
}

static void report(struct making *m)
{
	fake_process(&m->f, "report", 0);
	small_ones(m, "__main__", 20);
	begin(m, "__main__", "reports.main", LMMSD_PLACE_MODULE, 2500);
	begin(m, "reports.main", "tensor", LMMSD_PLACE_MODULE, 210000);
	leaf(m, "tensor", "tensor.ops", 420000);
	fake_end(&m->f);
	leaf(m, "reports.main", "yaml", 15000);
	fake_end(&m->f);
	begin(m, "reports.main", "ctypes", LMMSD_PLACE_DYNAMIC, 5200);
	fake_end(&m->f);
	started(m);
}

/* A name that must be escaped on all ways. */
static void odd(struct making *m)
{
	fake_process(&m->f, "odd \"app\" \\d+ \xc3\xa9/x.py", 0);
	leaf(m, "__main__", "json", 2000);
	leaf(m, "__main__", "we\"ird", 120000);
	started(m);
}

static void text_json(const char *s)
{
	putchar('"');
	for (; s && *s; s++) {
		if (*s == '"' || *s == '\\')
			putchar('\\');
		putchar(*s);
	}
	putchar('"');
}

static void numbers_json(const uint64_t v[LMMSD_PLACE_MAX])
{
	for (int i = 0; i < LMMSD_PLACE_MAX; i++)
		printf("%s%" PRIu64, i ? "," : "[", v[i]);
	putchar(']');
}

static void module_json(const struct making *m, const struct mdl_module *mod)
{
	const struct mdl_process *p = m->f.p;
	const struct mdl_load *l = mod->load < 0 ? NULL : &p->loads[mod->load];
	bool loaded = l && l->status == MDL_LOADED;

	printf("{\"name\":");
	text_json(mod->name);
	printf(",\"distribution\":");
	text_json(mod->distribution);
	printf(",\"version\":");
	text_json(mod->version);
	printf(",\"file\":");
	text_json(mod->file);
	printf(",\"loaded\":%d,\"failed\":%d,\"start\":%d", loaded, l && !loaded,
	       loaded && (size_t)mod->load < m->start_loads);
	printf(",\"total\":%" PRIu64 ",\"self\":%" PRIu64 ",\"saving\":%" PRIu64
	       ",\"place\":%d,\"uses\":",
	       loaded ? l->total_ns : 0, loaded ? l->self_ns : 0, mod->saving_ns,
	       loaded ? l->place : 0);
	numbers_json(mod->uses_by_place);
	putchar('}');
}

static void run_json(const struct making *m)
{
	const struct mdl_process *p = m->f.p;

	printf("{\"t\":%" PRId64 ",\"pid\":%" PRIu32 ",\"app\":", m->at_s, p->pid);
	text_json(p->app);
	printf(",\"cold_start\":%" PRIu64 ",\"interpreter\":%" PRIu64 ",\"modules\":[",
	       p->cold_start_ns, p->interpreter_ns);
	for (size_t i = 0; i < p->n_modules; i++) {
		printf("%s", i ? "," : "");
		module_json(m, &p->modules[i]);
	}
	printf("],\"edges\":[");
	for (size_t i = 0; i < p->n_edges; i++) {
		printf("%s[", i ? "," : "");
		text_json(p->edges[i].importer);
		putchar(',');
		text_json(p->edges[i].module);
		printf(",%d,%d]", p->edges[i].place, p->edges[i].loaded);
	}
	printf("]}\n");
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
