/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* The families of apps and modules. */
#include "export/metrics_int.h"

static const char *const places[LMMSD_PLACE_MAX] = {
	[LMMSD_PLACE_UNKNOWN] = "unknown",   [LMMSD_PLACE_MODULE] = "module",
	[LMMSD_PLACE_FUNCTION] = "function", [LMMSD_PLACE_CLASS] = "class",
	[LMMSD_PLACE_DYNAMIC] = "dynamic",   [LMMSD_PLACE_LAZY] = "lazy",
};

static uint64_t imports(const struct mdl_metrics_module *x)
{
	uint64_t n = 0;

	for (size_t i = 0; i <= MDL_IMPORT_BOUNDS; i++)
		n += x->import[i];
	return n;
}

struct at { /* a module of an app */
	struct metrics_writer *w;
	const struct mdl_metrics *m;
	const struct mdl_metrics_module *x;
	struct metrics_labels l; /* app, module */
};

static void import_seconds(struct at *a)
{
	if (imports(a->x))
		metrics_histogram(a->w, &a->l, a->m->import_bounds, a->x->import, MDL_IMPORT_BOUNDS,
				  a->x->import_s, 0);
}

static void self_seconds(struct at *a)
{
	if (imports(a->x))
		metrics_double(a->w, &a->l, a->x->self_s, 0);
}

static void deferrable(struct at *a)
{
	if (imports(a->x))
		metrics_double(a->w, &a->l, a->x->deferrable_s, 0);
}

static void by_place(struct at *a, const uint64_t v[LMMSD_PLACE_MAX])
{
	for (size_t i = 0; i < LMMSD_PLACE_MAX; i++) {
		if (!v[i])
			continue;
		a->l.l[2] = (struct metrics_label){"placement", places[i]};
		metrics_u64(a->w, &a->l, v[i], 0);
	}
	a->l.l[2] = (struct metrics_label){0};
}

static void uses(struct at *a)
{
	by_place(a, a->x->uses);
}

static void loads(struct at *a)
{
	by_place(a, a->x->loads);
}

static void failures(struct at *a)
{
	if (a->x->failures)
		metrics_u64(a->w, &a->l, a->x->failures, 0);
}

static void runs_using(struct at *a)
{
	if (a->x->runs_using)
		metrics_u64(a->w, &a->l, a->x->runs_using, 0);
}

static void runs_using_in_function(struct at *a)
{
	if (a->x->runs_using_in_function)
		metrics_u64(a->w, &a->l, a->x->runs_using_in_function, 0);
}

static void importers(struct at *a)
{
	for (size_t i = 0; i < a->x->n_importers; i++) {
		const struct mdl_metrics_importer *x = &a->x->importers[i];

		a->l.l[2] = (struct metrics_label){"importer", x->importer};
		a->l.l[3] = (struct metrics_label){
			"placement", places[x->place < LMMSD_PLACE_MAX ? x->place : 0]};
		a->l.l[4] = (struct metrics_label){"loaded", x->loaded ? "true" : "false"};
		metrics_u64(a->w, &a->l, x->runs, 0);
	}
	a->l.l[2] = a->l.l[3] = a->l.l[4] = (struct metrics_label){0};
}

static void start_runs(struct at *a)
{
	if (a->x->start_runs)
		metrics_u64(a->w, &a->l, a->x->start_runs, 0);
}

static void function_level(struct at *a)
{
	if (a->x->tier != MDL_TIER_NONE)
		metrics_u64(a->w, &a->l, a->x->tier == MDL_FUNCTION_LEVEL, 0);
}

static void info(struct at *a)
{
	static const char *const origins[] = {
		[MDL_ORIGIN_APP] = "app",
		[MDL_ORIGIN_FOREIGN] = "package",
		[MDL_ORIGIN_STDLIB] = "stdlib",
	};
	const struct mdl_metrics_module *x = a->x;

	if (!x->distribution && !x->version && !x->importer && !x->origin)
		return;
	a->l.l[2] = (struct metrics_label){"distribution", x->distribution};
	a->l.l[3] = (struct metrics_label){"version", x->version};
	a->l.l[4] = (struct metrics_label){"importer", x->importer};
	a->l.l[5] = (struct metrics_label){
		"origin", x->origin <= MDL_ORIGIN_STDLIB ? origins[x->origin] : NULL};
	metrics_u64(a->w, &a->l, 1, 0);
	a->l.l[2] = a->l.l[3] = a->l.l[4] = a->l.l[5] = (struct metrics_label){0};
}

static const struct {
	struct metrics_family family;
	void (*write)(struct at *a);
} of_modules[] = {
	{{"lmmsd_import_seconds", METRICS_HISTOGRAM, "seconds",
	  "Time of the load of the module with all that it loads in turn; not of runs with a cold cache, nor where something was compiled."},
	 import_seconds},
	{{"lmmsd_import_self_seconds", METRICS_COUNTER, "seconds",
	  "Time of these loads less the loads inside of them."},
	 self_seconds},
	{{"lmmsd_deferrable_seconds", METRICS_COUNTER, "seconds",
	  "What the starts would have been shorter by without this module, in warm runs. Rows contain one another: do not add them up."},
	 deferrable},
	{{"lmmsd_module_uses", METRICS_COUNTER, NULL,
	  "Executions of imports of the module, cached ones included."},
	 uses},
	{{"lmmsd_module_loads", METRICS_COUNTER, NULL,
	  "Runs that loaded the module, by where the import that did it stands."},
	 loads},
	{{"lmmsd_import_failures", METRICS_COUNTER, NULL, "Loads of the module that failed."},
	 failures},
	{{"lmmsd_runs_using", METRICS_COUNTER, NULL, "Runs that imported the module."}, runs_using},
	{{"lmmsd_runs_using_in_function", METRICS_COUNTER, NULL,
	  "Of these, the ones in which an import of it ran inside a function, or a lazy one woke."},
	 runs_using_in_function},
	{{"lmmsd_importer_runs", METRICS_COUNTER, NULL,
	  "Runs in which importer imported the module there; loaded: and caused its load."},
	 importers},
	{{"lmmsd_module_start_runs", METRICS_COUNTER, NULL,
	  "Runs that loaded the module as part of their start."},
	 start_runs},
	{{"lmmsd_module_function_level", METRICS_GAUGE, NULL,
	  "1 if the module is FUNCTION_LEVEL by the policy, 0 if it is MODULE_LEVEL."},
	 function_level},
	{{"lmmsd_module", METRICS_INFO, NULL,
	  "Where the module came from last, and which module causes its load most often."},
	 info},
};

static void modules(struct metrics_writer *w, const struct mdl_metrics *m, size_t family)
{
	metrics_begin(w, &of_modules[family].family);
	for (size_t i = 0; i < m->n_apps; i++) {
		const struct mdl_metrics_app *app = &m->apps[i];

		for (size_t k = 0; k < app->n_modules; k++) {
			struct at a = {.w = w, .m = m, .x = app->modules[k]};

			a.l.l[0] = (struct metrics_label){"app", app->app};
			a.l.l[1] = (struct metrics_label){"module", app->modules[k]->module};
			of_modules[family].write(&a);
		}
	}
}

static const struct metrics_family runs = {"lmmsd_runs", METRICS_COUNTER, NULL,
					   "Runs of the app that were seen from their start."};
static const struct metrics_family warm_runs = {
	"lmmsd_warm_runs", METRICS_COUNTER, NULL,
	"Of these, the ones with a warm cache in which nothing was compiled."};
static const struct metrics_family app_uses = {"lmmsd_app_uses", METRICS_COUNTER, NULL,
					       "Executions of imports in all runs of the app."};
static const struct metrics_family cold_start = {
	"lmmsd_cold_start_seconds", METRICS_HISTOGRAM, "seconds",
	"Time in imports from the start of the program to its last import at module level, in warm runs."};
static const struct metrics_family interpreter = {
	"lmmsd_interpreter_seconds", METRICS_HISTOGRAM, "seconds",
	"Time from exec to the first statement of the program, in warm runs."};

static struct metrics_labels app_label(const struct mdl_metrics_app *a)
{
	return (struct metrics_labels){{{"app", a->app}}};
}

static void counts(struct metrics_writer *w, const struct mdl_metrics *m)
{
	const struct metrics_family *const families[] = {&runs, &warm_runs, &app_uses};

	for (size_t f = 0; f < 3; f++) {
		metrics_begin(w, families[f]);
		for (size_t i = 0; i < m->n_apps; i++) {
			const struct mdl_metrics_app *a = &m->apps[i];
			const struct metrics_labels l = app_label(a);
			const uint64_t v[] = {a->runs, a->warm_runs, a->uses};

			metrics_u64(w, &l, v[f], a->created_s);
		}
	}
}

static const struct metrics_family other_runs = {
	"lmmsd_other_runs", METRICS_COUNTER, NULL,
	"Runs of the app that are not warm: cold and compiled ones were seen from their start."};
static const struct metrics_family usage_counted = {"lmmsd_usage_counted", METRICS_GAUGE, NULL,
						    "1: uses are counted in runs of the app."};
static const struct metrics_family squared = {
	"lmmsd_cold_start_squared_seconds", METRICS_COUNTER, NULL,
	"Sum of squares of the cold starts of warm runs, in square seconds: for their deviation."};

static void classes(struct metrics_writer *w, const struct mdl_metrics *m)
{
	static const char *const names[MDL_RUN_CLASSES] = {[MDL_RUN_COLD] = "cold",
							   [MDL_RUN_COMPILED] = "compiled",
							   [MDL_RUN_FORKED] = "forked",
							   [MDL_RUN_PARTIAL] = "partial"};

	metrics_begin(w, &other_runs);
	for (size_t i = 0; i < m->n_apps; i++)
		for (size_t k = 0; k < MDL_RUN_CLASSES; k++) {
			struct metrics_labels l = app_label(&m->apps[i]);

			l.l[1] = (struct metrics_label){"class", names[k]};
			if (names[k] && m->apps[i].other_runs[k])
				metrics_u64(w, &l, m->apps[i].other_runs[k], 0);
		}
}

static void spreads(struct metrics_writer *w, const struct mdl_metrics *m)
{
	metrics_begin(w, &usage_counted);
	for (size_t i = 0; i < m->n_apps; i++) {
		const struct metrics_labels l = app_label(&m->apps[i]);

		metrics_u64(w, &l, m->apps[i].usage, 0);
	}
	metrics_begin(w, &squared);
	for (size_t i = 0; i < m->n_apps; i++) {
		const struct metrics_labels l = app_label(&m->apps[i]);

		if (m->apps[i].warm_runs)
			metrics_double(w, &l, m->apps[i].cold_start_squared, 0);
	}
}

static void starts(struct metrics_writer *w, const struct mdl_metrics *m)
{
	for (int f = 0; f < 2; f++) {
		metrics_begin(w, f ? &interpreter : &cold_start);
		for (size_t i = 0; i < m->n_apps; i++) {
			const struct mdl_metrics_app *a = &m->apps[i];
			const struct metrics_labels l = app_label(a);

			metrics_histogram(w, &l, m->start_bounds,
					  f ? a->interpreter : a->cold_start, MDL_START_BOUNDS,
					  f ? a->interpreter_s : a->cold_start_s, a->created_s);
		}
	}
}

void metrics_apps(struct metrics_writer *w, const struct mdl_metrics *m)
{
	counts(w, m);
	classes(w, m);
	starts(w, m);
	spreads(w, m);
	for (size_t f = 0; f < sizeof(of_modules) / sizeof(of_modules[0]); f++)
		modules(w, m, f);
}
