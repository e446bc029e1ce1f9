/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Months of synthetic runs, the same ones for the same arguments, and what it costs to store and to read them.
 *
 *   gen fill DB [RUNS [APPS [MODULES [DAYS]]]]   straight through the aggregation (no raw runs): 1000000 50 300 30
 *   gen put DB [RUNS [APPS [MODULES]]]           through store_put() and its queue, as the daemon does: 20000 20 300
 *   gen read DB                                  every app's history, as a review reads it: seconds, memory, sums
 *
 * The days end with 2026-10-31. Each line that it prints is "name value unit".
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
#include "store/names.h"
#include "store/rows.h"
#include "store/store.h"

#define NOON_NS 43200000000000LL

struct plan {
	uint64_t runs, apps, modules, days;
};

/* One app's modules: a tree of loads, and more importers that find them cached. */
struct shape {
	uint32_t n;
	uint32_t *parent;  /* owned; of module i, below i; 0: the program */
	uint32_t *other;   /* owned; a second importer, below i */
	uint64_t *self_ns; /* owned */
	uint8_t *
		used_pct; /* owned; 0: imported at module level; else inside a function, in that share of runs */
};

static uint64_t rng_next(uint64_t *state)
{
	uint64_t x = *state += 0x9e3779b97f4a7c15;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

static _Noreturn void die(const char *what, const char *why)
{
	fprintf(stderr, "gen: %s: %s\n", what, why);
	exit(1);
}

static void *must(void *p)
{
	if (!p)
		die("memory", strerror(ENOMEM));
	return p;
}

static double now_s(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void shape_make(struct shape *s, uint64_t app, uint64_t modules)
{
	uint64_t seed = app * 7919 + 17;

	s->n = (uint32_t)modules;
	s->parent = must(calloc(modules, sizeof(*s->parent)));
	s->other = must(calloc(modules, sizeof(*s->other)));
	s->self_ns = must(calloc(modules, sizeof(*s->self_ns)));
	s->used_pct = must(calloc(modules, sizeof(*s->used_pct)));
	for (uint32_t i = 0; i < s->n; i++) {
		uint64_t r = rng_next(&seed);
		uint32_t near = i > 20 ? 20 : i;

		/* 0.1 to 3 ms, and one in 40 of up to 100 ms */
		s->self_ns[i] = 100000 + r % 2900000 + (r >> 32) % 40 / 39 * (r % 97000000);
		s->parent[i] = i ? i - 1 - (uint32_t)(rng_next(&seed) % near) : 0;
		s->other[i] = i ? (uint32_t)(rng_next(&seed) % i) : 0;
		s->used_pct[i] = rng_next(&seed) % 10 ? 0 : (uint8_t)(rng_next(&seed) % 100 + 1);
	}
}

static void shape_free(struct shape *s)
{
	free(s->parent);
	free(s->other);
	free(s->self_ns);
	free(s->used_pct);
}

/* About normal, in thousandths. */
static uint64_t noise(uint64_t *seed)
{
	uint64_t r = rng_next(seed), sum = 0;

	for (int i = 0; i < 4; i++)
		sum += (r >> (16 * i)) & 63;
	return 940 + sum / 2;
}

/* Times of one run: 6 % of noise for all of it, as much for each module. */
static void run_times(const struct shape *s, uint64_t *seed, struct sto_run *r)
{
	uint64_t all = noise(seed);

	for (uint32_t i = 0; i < s->n; i++) {
		struct sto_mod *m = &r->mods[i];

		m->self_ns = s->self_ns[i] / 1000 * all / 1000 * noise(seed);
		m->total_ns = m->self_ns;
		m->flags = STO_MOD_LOAD | STO_MOD_TIMED | (s->used_pct[i] ? 0 : STO_MOD_START);
		m->uses[LMMSD_PLACE_MODULE] = s->used_pct[i] ? 0 : 2;
		m->uses[LMMSD_PLACE_FUNCTION] = s->used_pct[i] ?
							rng_next(seed) % 100 < s->used_pct[i] :
							0;
		m->place = s->used_pct[i] ? LMMSD_PLACE_FUNCTION : LMMSD_PLACE_MODULE;
		if (s->used_pct[i] && !m->uses[LMMSD_PLACE_FUNCTION])
			m->flags = 0;
	}
	for (uint32_t i = s->n - 1; i > 0; i--)
		if (r->mods[i].flags & STO_MOD_START)
			r->mods[s->parent[i]].total_ns += r->mods[i].total_ns;
	for (uint32_t i = 0; i < s->n; i++)
		r->mods[i].saving_ns = s->other[i] == s->parent[i] ? r->mods[i].total_ns :
								     r->mods[i].self_ns;
	r->cold_start_ns = r->mods[0].total_ns;
	r->interpreter_ns = 12000 * noise(seed);
}

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
			.file = r->mods[from].file,
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

static void fill_app(struct db *db, struct names *names, const struct plan *p, uint64_t app)
{
	uint64_t runs = p->runs / p->apps / p->days, seed = app + 1;
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
			if (agg_add_run(&a, &r) < 0)
				die("agg_add_run", strerror(ENOMEM));
		}
		if (rows_save(db, r.app, r.day, &a) < 0)
			die("rows_save", db->error);
	}
	if (db_exec(db, "COMMIT") < 0)
		die("commit", db->error);
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

/* The shape as a measured process, its times from r. */
static void to_process(const struct shape *s, const struct sto_run *r, struct mdl_process *p,
		       const char *const *names)
{
	uint64_t at = p->begin_ns;

	for (uint32_t i = 0; i < s->n; i++) {
		const struct sto_mod *m = &r->mods[i];

		p->modules[i].saving_ns = m->saving_ns;
		p->modules[i].uses = 0;
		for (int k = 0; k < LMMSD_PLACE_MAX; k++)
			p->modules[i].uses += p->modules[i].uses_by_place[k] = m->uses[k];
		p->loads[i] = (struct mdl_load){
			.name = names[i],
			.start_ns = at++,
			.total_ns = m->total_ns,
			.self_ns = m->self_ns,
			.parent = i && !s->used_pct[i] ? (int32_t)s->parent[i] : -1,
			.place = m->place,
			.kind = LMMSD_KIND_BYTECODE,
			.status = MDL_LOADED,
		};
	}
	p->cold_start_ns = r->cold_start_ns;
	p->interpreter_ns = r->interpreter_ns;
}

static void process_make(const struct shape *s, struct intern *pool, struct mdl_process *p,
			 const char **names)
{
	char text[128];

	*p = (struct mdl_process){.from_start = true,
				  .ended = true,
				  .usage = true,
				  .py_version = 0x030b02f0,
				  .n_loads = s->n,
				  .n_modules = s->n,
				  .n_edges = 2 * s->n};
	p->loads = must(calloc(p->n_loads, sizeof(*p->loads)));
	p->modules = must(calloc(p->n_modules, sizeof(*p->modules)));
	p->edges = must(calloc(p->n_edges, sizeof(*p->edges)));
	for (uint32_t i = 0; i < s->n; i++) {
		(void)snprintf(text, sizeof(text), "pkg%02u.module%03u", i / 20, i);
		p->modules[i].name = names[i] = must((void *)(uintptr_t)intern_str(pool, text));
		(void)snprintf(text, sizeof(text),
			       "/usr/lib/python3/dist-packages/pkg%02u/module%03u.py", i / 20, i);
		p->modules[i].file = intern_str(pool, text);
		(void)snprintf(text, sizeof(text), "pkg%02u", i / 20);
		p->modules[i].distribution = intern_str(pool, text);
		p->modules[i].version = intern_str(pool, "1.0");
	}
	for (uint32_t i = 0; i < p->n_edges; i++) {
		uint32_t to = i / 2, from = i % 2 ? s->other[to] : s->parent[to];

		p->edges[i] = (struct mdl_edge){
			.importer = to ? names[from] : intern_str(pool, "__main__"),
			.module = names[to],
			.file = p->modules[from].file,
			.count = 1,
			.line = (int32_t)(to % 50 + 1 + i % 2),
			.place = s->used_pct[to] ? LMMSD_PLACE_FUNCTION : LMMSD_PLACE_MODULE,
			.loaded = i % 2 == 0,
		};
	}
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
