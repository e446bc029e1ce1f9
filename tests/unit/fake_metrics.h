/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Runs to count, and the counters of a page. */
#pragma once
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "metrics/metrics.h"

#define FAKE_NOW_S 1700000000

static const struct metrics_options fake_metrics_options = {.max_apps = 32,
							    .max_modules = 50,
							    .max_series = 4000,
							    .fast_ms = 10,
							    .slow_ms = 100};

static inline struct mdl_stored_module fake_stored_module(const char *name, double ms,
							  double saving_ms)
{
	return (struct mdl_stored_module){
		.name = name,
		.importer = "__main__",
		.total_ns = (uint64_t)(ms * 1e6),
		.self_ns = (uint64_t)(ms * 5e5),
		.saving_ns = (uint64_t)(saving_ms * 1e6),
		.uses = {[LMMSD_PLACE_MODULE] = 1},
		.place = LMMSD_PLACE_MODULE,
		.loaded = true,
		.timed = true,
		.at_start = true,
	};
}

static inline void fake_count_at(struct metrics *m, const char *app, uint64_t key, bool ended,
				 uint8_t class, const struct mdl_stored_module *modules, size_t n,
				 int64_t now_s)
{
	struct mdl_stored run = {
		.key = key,
		.app = app,
		.class = class,
		.ended = ended,
		.interpreter_ns = 12000000,
		.modules = modules,
		.n_modules = n,
	};

	for (size_t i = 0; i < n; i++)
		run.cold_start_ns += modules[i].total_ns;
	assert_int_equal(metrics_add(m, &run, now_s), 0);
}

static inline void fake_count(struct metrics *m, const char *app, uint64_t key, bool ended,
			      uint8_t class, const struct mdl_stored_module *modules, size_t n)
{
	fake_count_at(m, app, key, ended, class, modules, n, FAKE_NOW_S);
}

static inline const struct mdl_metrics_app *fake_app(const struct mdl_metrics *s, const char *app)
{
	for (size_t i = 0; i < s->n_apps; i++)
		if (!strcmp(s->apps[i].app, app))
			return &s->apps[i];
	return NULL;
}

static inline const struct mdl_metrics_module *fake_module_of(const struct mdl_metrics *s,
							      const char *app, const char *module)
{
	const struct mdl_metrics_app *a = fake_app(s, app);

	for (size_t i = 0; a && i < a->n_modules; i++)
		if (!strcmp(a->modules[i]->module, module))
			return a->modules[i];
	return NULL;
}
