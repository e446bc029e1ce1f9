/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Months of synthetic runs, the same ones for the same arguments, and what it costs to store and to read them.
 *
 *   gen fill DB [RUNS [APPS [MODULES [DAYS]]]]   straight through the aggregation (no raw runs): 1000000 50 300 30
 *   gen put DB [RUNS [APPS [MODULES]]]           through store_put() and its queue, as the daemon does: 20000 20 300
 *   gen read DB                                  every app's history, as a review reads it: seconds, memory, sums
 *
 * The days end with 2026-10-31. Each line that it prints is "name value unit"; fill also says what a review has to find:
 * "truth APP RUNS COLD-MS SAVING-MS", the last of the app's last module.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

#include "base/intern.h"
#include "base/num.h"
#include "process.h"
#include "store/names.h"
#include "store/rows.h"
#include "store/store.h"

#define NOON_NS 43200000000000LL

struct plan {
	uint64_t runs, apps, modules, days;
};

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static uint32_t name(struct names *n, const char *format, uint64_t a, uint64_t b)
{
	char text[128];
	uint32_t id;

	(void)snprintf(text, sizeof(text), format, a, b);
	if (names_put(n, text, &id) < 0)
		die("names", n->db->error);
	return id;
}
#pragma GCC diagnostic pop

/* What stays the same from run to run. */
static void run_make(const struct shape *s, struct names *n, uint64_t app, struct sto_run *r)
{
	*r = (struct sto_run){
		.app = name(n, "shop%02" PRIu64 "/manage.py", app, 0),
		.py_version = 0x030b02f0,
		.ended = true,
		.usage = true,
		.n_mods = s->n,
		.n_edges = 2 * s->n,
	};
	r->mods = must(calloc(r->n_mods, sizeof(*r->mods)));
	r->edges = must(calloc(r->n_edges, sizeof(*r->edges)));
	for (uint32_t i = 0; i < s->n; i++) {
		struct sto_mod *m = &r->mods[i];

		m->name = name(n, "pkg%02" PRIu64 ".module%03" PRIu64, i / 20, i);
		m->file = name(n,
			       "/usr/lib/python3/dist-packages/pkg%02" PRIu64 "/module%03" PRIu64
			       ".py",
			       i / 20, i);
		m->kind = LMMSD_KIND_BYTECODE;
		if (names_put_pkg(n, name(n, "pkg%02" PRIu64, i / 20, 0),
				  name(n, "1.%" PRIu64, i / 20, 0), &m->pkg) < 0)
			die("names", n->db->error);
	}
	for (uint32_t i = 0; i < r->n_edges; i++) {
		uint32_t to = i / 2, from = i % 2 ? s->other[to] : s->parent[to];

		r->edges[i] = (struct sto_edge){
			.importer = to ? r->mods[from].name : name(n, "__main__", 0, 0),
			.module = r->mods[to].name,
			.file = to ? r->mods[from].file :
				     name(n, "/srv/shop%02" PRIu64 "/manage.py", app, 0),
			.line = (int32_t)(to % 50 + 1 + i % 2),
			.count = 1,
			.place = s->used_pct[to] ? LMMSD_PLACE_FUNCTION : LMMSD_PLACE_MODULE,
			.loaded = i % 2 == 0,
		};
	}
}

static int32_t last_day(void)
{
	return store_day_civil(2026, 10, 31);
}

static int by_value(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* What a review has to say of the app: "truth APP RUNS MEDIAN-COLD-START-MS SAVING-MS-OF-THE-LAST-MODULE". */
static void tell_truth(uint64_t app, uint64_t *cold_ns, uint64_t runs, double saving_ns)
{
	qsort(cold_ns, runs, sizeof(*cold_ns), by_value);
	printf("truth shop%02" PRIu64 "/manage.py %" PRIu64 " %.6f %.6f\n", app, runs,
	       (double)cold_ns[(runs - 1) / 2] / 1e6, saving_ns / (double)runs / 1e6);
}

static void fill_app(struct db *db, struct names *names, const struct plan *p, uint64_t app)
{
	uint64_t runs = p->runs / p->apps / p->days, seed = app + 1, n = 0;
	uint64_t *cold_ns = must(calloc(runs * p->days, sizeof(*cold_ns)));
	double saving_ns = 0;
	struct sto_run r;
	struct shape s;

	shape_make(&s, app, p->modules);
	if (db_exec(db, "BEGIN IMMEDIATE") < 0)
		die("begin", db->error);
	run_make(&s, names, app, &r);
	for (uint64_t day = 0; day < p->days; day++) {
		_agg_ struct agg a = {0};

		r.day = last_day() - (int32_t)(p->days - 1 - day);
		for (uint64_t i = 0; i < runs; i++) {
			r.started_ns = store_day_start(r.day) + NOON_NS + (int64_t)i * 1000000000;
			run_times(&s, &seed, &r);
			cold_ns[n++] = r.cold_start_ns;
			if (r.mods[s.n - 1].flags & STO_MOD_LOAD)
				saving_ns += (double)r.mods[s.n - 1].saving_ns;
			if (agg_add_run(&a, &r) < 0)
				die("agg_add_run", strerror(ENOMEM));
		}
		if (rows_save(db, r.app, r.day, &a) < 0)
			die("rows_save", db->error);
	}
	if (db_exec(db, "COMMIT") < 0)
		die("commit", db->error);
	tell_truth(app, cold_ns, n, saving_ns);
	free(cold_ns);
	sto_run_free(&r);
	shape_free(&s);
}

static uint64_t file_size(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
}

static void report(const char *what, double value, const char *unit)
{
	printf("%-28s %14.2f %s\n", what, value, unit);
}

/* The writer makes the tables; then they are filled without it. */
static int fill(const char *path, const struct plan *p)
{
	char reason[STORE_REASON_MAX];
	struct store_writer *w;
	struct names names;
	struct db db;
	double start = now_s();

	if (store_open_writer(path, NULL, &w, NULL, reason) < 0)
		die(path, reason);
	(void)store_close_writer(w, 5000);
	if (db_open(&db, path, SQLITE_OPEN_READWRITE) < 0)
		die(path, db.error);
	names_init(&names, &db);
	for (uint64_t app = 0; app < p->apps; app++)
		fill_app(&db, &names, p, app);
	names_clear(&names);
	db_close(&db);
	report("aggregated", (double)p->runs / (now_s() - start), "runs/s");
	report("stored", (double)file_size(path) / 1e6, "MB");
	report("aggregates_per_run", (double)file_size(path) / (double)p->runs, "bytes");
	report("aggregates_per_module_day",
	       (double)file_size(path) / (double)(p->apps * p->days * p->modules), "bytes");
	return 0;
}

/* Puts until it is taken: this measures the writer, not the queue. */
static void put_app(struct store_writer *w, const struct plan *p, uint64_t app, double *put_s)
{
	struct store_put_info info = {.boot_id = "gen"};
	uint64_t seed = app + 1;
	struct intern *pool = NULL;
	struct mdl_process process;
	const char **names = must(calloc(p->modules, sizeof(*names)));
	struct sto_run r = {0};
	char text[64];
	struct shape s;

	(void)snprintf(text, sizeof(text), "shop%02" PRIu64 "/manage.py", app);
	info.app = text;
	if (intern_new(&pool) < 0)
		die("intern", strerror(ENOMEM));
	shape_make(&s, app, p->modules);
	process_make(&s, pool, &process, names);
	r.mods = must(calloc(s.n, sizeof(*r.mods)));
	for (uint64_t i = 0; i < p->runs / p->apps; i++) {
		double start;
		int res;

		run_times(&s, &seed, &r);
		process.begin_ns = process.start_ns = 3600000000000 + i * 1000000000;
		process.pid = (uint32_t)i;
		info.realtime_offset_ns = store_day_start(last_day());
		to_process(&s, &r, &process, names);
		start = now_s();
		while ((res = store_put(w, &process, &info)) == -ENOBUFS) {
			(void)store_flush(w, 60000);
			start = now_s();
		}
		if (res < 0)
			die("store_put", strerror(-res));
		*put_s += now_s() - start;
	}
	free(process.loads);
	free(process.modules);
	free(process.edges);
	free(r.mods);
	free(names);
	shape_free(&s);
	(void)intern_free(pool);
}

static int put(const char *path, const struct plan *p)
{
	char reason[STORE_REASON_MAX];
	struct store_options options = store_default_options;
	struct store_stats stats;
	struct store_writer *w;
	double start, put_s = 0;

	options.keep_bytes = UINT64_MAX / 2;
	if (store_open_writer(path, &options, &w, NULL, reason) < 0)
		die(path, reason);
	start = now_s();
	for (uint64_t app = 0; app < p->apps; app++)
		put_app(w, p, app, &put_s);
	if (store_flush(w, 600000) < 0)
		die("store_flush", "the disk");
	report("put", put_s * 1e6 / (double)p->runs, "us/run");
	report("ingested", (double)p->runs / (now_s() - start), "runs/s");
	store_writer_stats(w, &stats);
	(void)store_close_writer(w, 60000);
	report("committed", (double)stats.committed, "runs");
	report("stored", (double)file_size(path) / 1e6, "MB");
	report("all_per_run", (double)file_size(path) / (double)p->runs, "bytes");
	return 0;
}

static int read_all(const char *path)
{
	char reason[STORE_REASON_MAX];
	uint64_t runs = 0, rows = 0, edges = 0;
	struct store_apps apps;
	struct rusage usage;
	double start = now_s();
	struct store *s;

	if (store_open(path, STORE_READ, &s, reason) < 0)
		die(path, reason);
	if (store_apps(s, STORE_DAY_MIN, STORE_DAY_MAX, &apps) < 0)
		die("store_apps", store_error(s));
	report("read_apps", now_s() - start, "s");
	for (size_t i = 0; i < apps.n; i++) {
		struct mdl_history *h;

		if (store_history(s, apps.apps[i].name, STORE_DAY_MIN, STORE_DAY_MAX, &h) < 0)
			die("store_history", store_error(s));
		runs += h->runs_plain;
		rows += h->n_modules;
		edges += h->n_edges;
		(void)store_history_free(h);
	}
	(void)getrusage(RUSAGE_SELF, &usage);
	report("read_all", now_s() - start, "s");
	report("peak_memory", (double)usage.ru_maxrss / 1024, "MiB");
	report("apps", (double)apps.n, "");
	report("runs", (double)runs, "");
	report("modules", (double)rows, "");
	report("edges", (double)edges, "");
	store_apps_free(&apps);
	(void)store_close(s);
	return 0;
}

int main(int argc, char **argv)
{
	struct plan p = {.runs = 1000000, .apps = 50, .modules = 300, .days = 30};
	uint64_t *const numbers[] = {&p.runs, &p.apps, &p.modules, &p.days};

	if (argc < 3)
		die("usage", "gen fill|put|read DB [RUNS [APPS [MODULES [DAYS]]]]");
	if (!strcmp(argv[1], "put"))
		p = (struct plan){.runs = 20000, .apps = 20, .modules = 300, .days = 1};
	for (int i = 3; i < argc && i < 7; i++)
		if (num_u64(argv[i], 1, 1000000000, numbers[i - 3]) < 0)
			die(argv[i], "is not a number");
	if (!strcmp(argv[1], "fill"))
		return fill(argv[2], &p);
	if (!strcmp(argv[1], "put"))
		return put(argv[2], &p);
	if (!strcmp(argv[1], "read"))
		return read_all(argv[2]);
	die(argv[1], "is not a thing to do");
}
