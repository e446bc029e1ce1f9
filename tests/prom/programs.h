/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* The programs that made-up hosts run: what each imports, how long that takes, and what changes with the month. */
#pragma once
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "unit/fake_profile.h"

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

static inline uint64_t rng_next(uint64_t *state)
{
	uint64_t x = *state += 0x9e3779b97f4a7c15;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

/* 5 % of noise, about normal. */
static inline uint64_t noisy(struct making *m, double us)
{
	uint64_t r = rng_next(&m->seed), sum = 0;

	for (int i = 0; i < 4; i++)
		sum += (r >> (16 * i)) & 63;
	return (uint64_t)(us * m->speed * (0.94 + (double)sum / 2000) * US);
}

static inline bool in_pct(struct making *m, unsigned int pct)
{
	return rng_next(&m->seed) % 100 < pct;
}

static inline bool is_kind(const struct making *m, const char *kind)
{
	return !strcmp(m->kind, kind);
}

/* A module's file and package, by its name: the shop's own code, a package, or the standard library. */
static inline void describe(struct making *m, const char *name)
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

static inline void begin(struct making *m, const char *by, const char *name, uint8_t place,
			 double us)
{
	struct mdl_load *l = fake_begin(&m->f, by, name, place);

	if (is_kind(m, "compiled") && !strcmp(name, "requests"))
		l->kind = LMMSD_KIND_SOURCE;
	describe(m, name);
	fake_spend(&m->f, noisy(m, us));
}

static inline void leaf(struct making *m, const char *by, const char *name, double us)
{
	begin(m, by, name, LMMSD_PLACE_MODULE, us);
	fake_end(&m->f);
}

static inline void late(struct making *m, const char *by, const char *name, double us)
{
	begin(m, by, name, LMMSD_PLACE_FUNCTION, us);
	fake_end(&m->f);
}

static inline void started(struct making *m)
{
	fake_started(&m->f);
	m->start_loads = m->f.p->n_loads;
	m->f.p->interpreter_ns = noisy(m, 18000);
}

/* What everybody imports: small modules, each by several. */
static inline void small_ones(struct making *m, const char *by, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "std%02u", i);
		leaf(m, by, name, 120 + 60 * i % 700);
		if (i)
			fake_use(&m->f, name, "std00", LMMSD_PLACE_MODULE, false);
	}
}

static inline void missing(struct making *m, const char *by, const char *name)
{
	struct mdl_load *l = fake_leaf(&m->f, by, name, LMMSD_PLACE_MODULE, noisy(m, 300));

	l->status = MDL_FAILED;
	fake_module(&m->f, name)->status = MDL_FAILED;
}

static inline void shop(struct making *m)
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

static inline void report(struct making *m)
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
static inline void odd(struct making *m)
{
	fake_process(&m->f, "odd \"app\" \\d+ \xc3\xa9/x.py", 0);
	leaf(m, "__main__", "json", 2000);
	leaf(m, "__main__", "we\"ird", 120000);
	started(m);
}
