/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * A review of two months of made-up apps, through the same analysis as real ones: shop/manage.py, whose pandas is to be
 * deferred, whose numpy needs two changes together and whose reports moved into a function last month; worker, in order;
 * an app with hostile names; one that ran once.
 */
#pragma once
#include <stdio.h>

#include "analysis/appraise.h"
#include "analysis/trigger.h"
#include "review/review.h"
#include "unit/fake_history.h"

#define FR_SITE "/usr/lib/python3/dist-packages/"
#define FR_HOSTILE "</script><img src=x onerror=alert(1)>\"'`&\x1b[31m\n|*_\xe2\x80\xae"
#define FR_SINCE 20393 /* 2025-11-01 */
#define FR_DAYS 30

struct fr {
	struct fh *now[4], *before[4];
	struct rv_review *review;
};

static inline void fr_days(struct fh *f, double ms, uint64_t runs)
{
	static const double wave[] = {1, 1.02, 0.99, 1.01, 0.98, 1.03, 1};

	for (int32_t d = 0; d < FR_DAYS; d++)
		fh_day(f, f->h.since_day + d, ms * wave[d % 7], runs / FR_DAYS);
}

static inline void fr_stdlib(struct fh *f)
{
	static const char *const names[] = {"json",    "argparse", "logging",  "datetime",
					    "decimal", "asyncio",  "email",    "http.client",
					    "ssl",     "sqlite3",  "unittest", "typing",
					    "re",      "enum",	   "pathlib"};
	struct mdl_hist_module *m = fh_module(f, "http", 0.3, 0.3, 0);

	m->file = "/usr/lib/python3.11/http/__init__.py";
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		m = fh_module(f, names[i], 1.5 + 1.3 * (double)i, 0.8 + 0.7 * (double)i, 0.4);
		m->file = "/usr/lib/python3.11/module.py";
		(void)fh_edge(f, i % 2 ? "shop" : "__main__", names[i], "/srv/shop/manage.py",
			      (int32_t)i + 3, LMMSD_PLACE_MODULE, true);
	}
	(void)fh_edge(f, "http.client", "http", "/usr/lib/python3.11/http/client.py", 1,
		      LMMSD_PLACE_MODULE, true);
}

static inline void fr_pandas(struct fh *f, const char *version)
{
	static const char *const parts[] = {"pandas.core", "pandas.core.frame", "pandas.io",
					    "pandas._libs", "pandas.plotting"};
	struct mdl_hist_module *m = fh_module(f, "pandas", 412, 12, 388);

	fh_installed(f, m, FR_SITE "pandas/__init__.py", "pandas", version);
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		m = fh_module(f, parts[i], 140 - 25 * (double)i, 70 - 8 * (double)i,
			      140 - 25 * (double)i);
		fh_installed(f, m, FR_SITE "pandas/core.py", "pandas", version);
		(void)fh_edge(f, i == 1 ? "pandas.core" : "pandas", parts[i],
			      FR_SITE "pandas/__init__.py", 10 + (int32_t)i, LMMSD_PLACE_MODULE,
			      true);
	}
	m = fh_module(f, "numpy", 121, 118, 118);
	fh_installed(f, m, FR_SITE "numpy/__init__.py", "numpy", "1.24.2");
	(void)fh_edge(f, "shop.stats", "numpy", "/srv/shop/stats.py", 2, LMMSD_PLACE_MODULE, true);
	(void)fh_edge(f, "shop.plot", "numpy", "/srv/shop/plot.py", 4, LMMSD_PLACE_MODULE, false);
	(void)fh_edge(f, "shop.report", "pandas", "/srv/shop/report.py", 3, LMMSD_PLACE_MODULE,
		      true);
}

static inline struct fh *fr_shop(int32_t since, bool now)
{
	struct fh *f = fh_new("shop/manage.py", since, since + FR_DAYS, 900);
	struct mdl_hist_module *m;

	fr_days(f, now ? 880 : 1490, 900);
	fh_add(&f->h.interpreter, 14.2, 900);
	f->h.runs[MDL_RUN_COLD] = 6;
	f->h.runs[MDL_RUN_COMPILED] = 2;
	m = fh_module(f, "shop", 871, 2.1, 868);
	m->file = "/srv/shop/__init__.py";
	m = fh_module(f, "shop.report", 420, 6, 410);
	m->file = "/srv/shop/report.py";
	m = fh_module(f, "shop.stats", 126, 4, 4);
	m->file = "/srv/shop/stats.py";
	m = fh_module(f, "shop.plot", 9, 8.9, 8.9);
	m->file = "/srv/shop/plot.py";
	m = fh_module(f, "shop.tax", 3.2, 3.2, 0);
	m->file = "/srv/shop/tax.py";
	fh_in_function(f, m, 870);
	(void)fh_edge(f, "shop.report", "shop.tax", "/srv/shop/report.py", 88, LMMSD_PLACE_FUNCTION,
		      true);
	(void)fh_edge(f, "__main__", "shop", "/srv/shop/manage.py", 1, LMMSD_PLACE_MODULE, true);
	(void)fh_edge(f, "shop", "shop.report", "/srv/shop/__init__.py", 2, LMMSD_PLACE_MODULE,
		      true);
	(void)fh_edge(f, "shop", "shop.stats", "/srv/shop/__init__.py", 3, LMMSD_PLACE_MODULE,
		      true);
	(void)fh_edge(f, "shop", "shop.plot", "/srv/shop/__init__.py", 4, LMMSD_PLACE_MODULE, true);
	m = fh_module(f, "sklearn", 640, 600, 600);
	fh_installed(f, m, FR_SITE "sklearn/__init__.py", "scikit-learn", "1.2.1");
	if (now)
		fh_in_function(f, m, 31);
	(void)fh_edge(f, "shop.stats", "sklearn", "/srv/shop/stats.py", 31,
		      now ? LMMSD_PLACE_FUNCTION : LMMSD_PLACE_MODULE, true);
	fr_pandas(f, now ? "2.1.0" : "1.5.3");
	fr_stdlib(f);
	if (now)
		(void)fh_edge(f, "shop", fh_module(f, "requests", 38, 20, 36)->name,
			      "/srv/shop/__init__.py", 6, LMMSD_PLACE_MODULE, true);
	(void)fh_done(f);
	return f;
}

static inline struct fh *fr_worker(int32_t since)
{
	struct fh *f = fh_new("worker", since, since + FR_DAYS, 300);
	struct mdl_hist_module *m = fh_module(f, "worker.main", 31, 30, 31);

	fr_days(f, 62, 300);
	m->file = "/opt/worker/main.py";
	(void)fh_edge(f, "__main__", "worker.main", "/opt/worker/run.py", 1, LMMSD_PLACE_MODULE,
		      true);
	m = fh_module(f, "jsonschema", 140, 136, 0.2);
	fh_installed(f, m, FR_SITE "jsonschema/__init__.py", "jsonschema", "4.10.3");
	(void)fh_edge(f, "worker.main", "jsonschema", "/opt/worker/main.py", 7, LMMSD_PLACE_MODULE,
		      true);
	(void)fh_done(f);
	return f;
}

static inline struct fh *fr_hostile(int32_t since)
{
	struct fh *f = fh_new(FR_HOSTILE, since, since + FR_DAYS, 60);
	struct mdl_hist_module *m = fh_module(f, FR_HOSTILE, 620, 620, 620);

	fr_days(f, 700, 60);
	fh_installed(f, m, FR_SITE FR_HOSTILE ".py", FR_HOSTILE, FR_HOSTILE);
	(void)fh_edge(f, "__main__", FR_HOSTILE, "/srv/" FR_HOSTILE ".py", 5, LMMSD_PLACE_MODULE,
		      true);
	(void)fh_done(f);
	return f;
}

static inline struct fh *fr_once(int32_t since)
{
	struct fh *f = fh_new("tools/once.py", since, since + FR_DAYS, 1);

	fh_day(f, since, 250, 1);
	(void)fh_edge(f, "__main__", fh_module(f, "slowlib", 230, 230, 230)->name,
		      "/srv/tools/once.py", 1, LMMSD_PLACE_MODULE, true);
	(void)fh_done(f);
	return f;
}

/* As store_baseline_of() would. */
static inline void fr_baseline(const struct mdl_history *h, struct mdl_baseline *ret,
			       struct mdl_baseline_module *modules)
{
	*ret = (struct mdl_baseline){.name = "last month",
				     .app = h->app,
				     .since_day = h->since_day,
				     .until_day = h->until_day,
				     .runs = h->runs[MDL_RUN_WARM],
				     .cold_start = h->cold_start,
				     .values = h->values,
				     .n_values = h->n_values,
				     .modules = modules,
				     .n_modules = h->n_modules};
	for (size_t i = 0; i < h->n_modules; i++) {
		const struct mdl_hist_module *m = &h->modules[i];

		modules[i] = (struct mdl_baseline_module){
			.name = m->name,
			.total_ns = sketch_quantile(&m->total, 0.5),
			.self_ns = sketch_quantile(&m->self, 0.5),
			.saving_ns =
				h->runs[MDL_RUN_WARM] ?
					(uint64_t)(m->saving.sum / (double)h->runs[MDL_RUN_WARM]) :
					0,
			.place = m->place,
			.start_pct = h->runs_plain ?
					     100.0 * (double)m->runs_start / (double)h->runs_plain :
					     0,
		};
	}
}

static inline struct rv_app *fr_appraise(const struct fh *now, const struct fh *before)
{
	static struct mdl_baseline_module modules[FH_MODULES];
	struct mdl_baseline baseline;
	struct rv_app *app = NULL;
	struct appraise_input in = {
		.now = &now->h,
		.before = before ? &before->h : NULL,
		.thresholds = &review_default_thresholds,
	};

	if (before) {
		fr_baseline(&before->h, &baseline, modules);
		in.baseline = &baseline;
	}
	if (appraise_app(&in, &app) < 0)
		abort();
	return app;
}

/* n: how many of the four apps. */
static inline void fr_init(struct fr *r, size_t n)
{
	uint64_t lost[LMMSD_LOST_MAX] = {[LMMSD_LOST_RING_FULL] = 17};
	struct review_input in = {
		.version = "1.0.0",
		.host = "build-7",
		.label = "November 2025",
		.since_s = 1761955200,
		.until_s = 1764547200,
		.lost = lost,
		.monthly = true,
		.daemon = true,
		.n_earlier = 2,
	};
	struct rv_app *apps[4];

	*r = (struct fr){.now = {fr_shop(FR_SINCE, true), fr_worker(FR_SINCE), fr_hostile(FR_SINCE),
				 fr_once(FR_SINCE)},
			 .before = {fr_shop(FR_SINCE - FR_DAYS, false),
				    fr_worker(FR_SINCE - FR_DAYS)}};
	for (size_t i = 0; i < n; i++)
		apps[i] = fr_appraise(r->now[i], r->before[i]);
	if (review_new(&in, apps, n, appraise_app_free, &r->review) < 0)
		abort();
}

static inline void fr_free(struct fr *r)
{
	(void)review_free(r->review, appraise_app_free);
	for (size_t i = 0; i < 4; i++) {
		if (r->now[i])
			fh_free(r->now[i]);
		if (r->before[i])
			fh_free(r->before[i]);
	}
}
