/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* metrics/interval: which runs count, who gets a name, that it stays bounded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "analysis/savings.h"
#include "metrics/interval.h"
#include "unit/fake_profile.h"

#define MS 1000000ull
#define HOUR_NS 3600000000000LL

static const uint64_t none[LMMSD_LOST_MAX];

static struct interval *make(size_t apps, size_t modules)
{
	const struct interval_limits limits = {apps, modules, 500 * MS};
	struct interval *i = NULL;

	assert_int_equal(interval_new(&limits, 0, &i), 0);
	return i;
}

/* A run of app: a load of so many ms of each module, one behind the other. */
static struct mdl_process *run(struct fake *f, const char *app, const char *const *modules,
			       uint64_t ms)
{
	struct mdl_process *p = fake_process(f, app, 100 + (uint32_t)f->profile.n_processes);

	for (; *modules; modules++)
		(void)fake_leaf(f, "__main__", *modules, LMMSD_PLACE_MODULE, ms * MS);
	p->interpreter_ns = 7 * MS;
	fake_started(f);
	fake_done(f);
	assert_int_equal(savings_process(p), 0);
	return p;
}

static struct mdl_interval *take(struct interval *i, int64_t now_ns)
{
	struct mdl_interval *t = NULL;

	assert_int_equal(interval_take(i, now_ns, none, &t), 0);
	return t;
}

static const struct mdl_interval_app *app_of(const struct mdl_interval *t, const char *name)
{
	for (size_t k = 0; k < t->n_apps; k++)
		if (!strcmp(t->apps[k].name, name))
			return &t->apps[k];
	return NULL;
}

static const struct mdl_interval_module *module_of(const struct mdl_interval_app *a,
						   const char *name)
{
	for (size_t k = 0; a && k < a->n_modules; k++)
		if (!strcmp(a->modules[k].name, name))
			return &a->modules[k];
	return NULL;
}

static void test_adds_up(void **state _unused_)
{
	static const char *const modules[] = {"json", "yaml", NULL};
	_cleanup_(interval_freep) struct interval *i = make(10, 10);
	_cleanup_(interval_free_takenp) struct mdl_interval *t = NULL, *next = NULL;
	uint64_t lost[LMMSD_LOST_MAX] = {[LMMSD_LOST_RING_FULL] = 3};
	const struct mdl_interval_app *a;
	const struct mdl_interval_module *m;
	struct fake f;

	fake_init(&f);
	assert_int_equal(interval_add(i, run(&f, "shop", modules, 20)), 0);
	assert_int_equal(interval_add(i, run(&f, "shop", modules, 600)), 0);
	assert_int_equal(interval_take(i, 60, lost, &t), 0);
	assert_true(t->since_ns == 0 && t->until_ns == 60 && t->runs == 2 && t->n_apps == 1);
	assert_int_equal(t->lost[LMMSD_LOST_RING_FULL], 3);
	a = app_of(t, "shop");
	assert_non_null(a);
	assert_int_equal(a->runs, 2);
	assert_int_equal(a->slow_imports, 2);
	assert_true(a->cold_start.n == 2 && a->cold_start.ns[0] == 40 * MS &&
		    a->cold_start.ns[1] == 1200 * MS);
	assert_true(a->interpreter.n == 2 && a->interpreter.ns[0] == 7 * MS);
	assert_int_equal(a->n_modules, 2);
	m = module_of(a, "yaml");
	assert_non_null(m);
	assert_true(m->runs_using == 2 && m->self_ns == 620 * MS && m->saving_ns == 620 * MS);
	assert_true(m->total.n == 2 && m->total.ns[1] == 600 * MS && m->failures == 0);

	/* nothing of it is left for the next */
	next = take(i, 120);
	assert_true(next->since_ns == 60 && next->runs == 0 && next->n_apps == 0);
	fake_free(&f);
}

/* Only plain runs, and times only of those in which nothing had to be compiled that usually is not. */
static void test_which_runs(void **state _unused_)
{
	static const char *const modules[] = {"json", NULL};
	_cleanup_(interval_freep) struct interval *i = make(10, 10);
	_cleanup_(interval_free_takenp) struct mdl_interval *t = NULL, *later = NULL;
	struct mdl_process *p;
	struct fake f;

	fake_init(&f);
	p = run(&f, "shop", modules, 20);
	p->from_start = false;
	assert_int_equal(interval_add(i, p), 0);
	p = run(&f, "shop", modules, 20);
	p->forked = true;
	assert_int_equal(interval_add(i, p), 0);
	p = run(&f, "shop", modules, 300);
	p->loads[0].kind = LMMSD_KIND_SOURCE;
	assert_int_equal(interval_add(i, p), 0);
	assert_int_equal(interval_add(i, run(&f, "shop", modules, 20)), 0);
	t = take(i, 60);
	assert_int_equal(t->runs, 2);
	assert_true(app_of(t, "shop")->cold_start.n == 1 &&
		    app_of(t, "shop")->cold_start.ns[0] == 20 * MS);
	assert_int_equal(module_of(app_of(t, "shop"), "json")->runs_using, 2);
	assert_int_equal(module_of(app_of(t, "shop"), "json")->self_ns, 20 * MS);

	/* an app that has no place for its .pyc files compiles them in each run */
	for (int k = 0; k < 6; k++) {
		p = run(&f, "readonly", modules, 300);
		p->loads[0].kind = LMMSD_KIND_SOURCE;
		assert_int_equal(interval_add(i, p), 0);
	}
	later = take(i, 120);
	assert_int_equal(app_of(later, "readonly")->runs, 6);
	assert_int_equal(app_of(later, "readonly")->cold_start.n, 3);
	fake_free(&f);
}

static void test_goes_on(void **state _unused_)
{
	static const char *const modules[] = {"json", NULL};
	_cleanup_(interval_freep) struct interval *i = make(10, 10);
	_cleanup_(interval_free_takenp) struct mdl_interval *t = NULL;
	struct mdl_process *p;
	struct fake f;

	fake_init(&f);
	p = run(&f, "server", modules, 20);
	p->ended = false;
	assert_int_equal(interval_add(i, p), 0); /* in the middle of its start, perhaps */
	p->end_ns = p->begin_ns + INTERVAL_LIVE_NS;
	assert_int_equal(interval_add(i, p), 0);
	assert_int_equal(interval_add(i, p), 0);
	p->ended = true;
	assert_int_equal(interval_add(i, p), 0);
	t = take(i, 60);
	assert_int_equal(t->runs, 1);
	assert_int_equal(app_of(t, "server")->cold_start.n, 1);
	fake_free(&f);
}

/* What the interpreter loads before the program begins has no name. */
static void test_before_main(void **state _unused_)
{
	static const char *const modules[] = {"encodings", "yaml", NULL};
	_cleanup_(interval_freep) struct interval *i = make(10, 10);
	_cleanup_(interval_free_takenp) struct mdl_interval *t = NULL;
	struct mdl_process *p;
	struct fake f;

	fake_init(&f);
	p = run(&f, "shop", modules, 20);
	p->main_ns = p->loads[1].start_ns;
	assert_int_equal(interval_add(i, p), 0);
	t = take(i, 60);
	assert_int_equal(t->apps[0].n_modules, 2);
	assert_string_equal(t->apps[0].modules[0].name, "yaml");
	assert_string_equal(t->apps[0].modules[1].name, MDL_OTHER);
	assert_int_equal(t->apps[0].modules[1].self_ns, 20 * MS);
	fake_free(&f);
}

static void test_failures(void **state _unused_)
{
	static const char *const modules[] = {"big", "small", NULL};
	_cleanup_(interval_freep) struct interval *i = make(10, 1);
	_cleanup_(interval_free_takenp) struct mdl_interval *t = NULL;
	const struct mdl_interval_app *a;
	struct mdl_process *p;
	struct fake f;

	fake_init(&f);
	assert_int_equal(interval_add(i, run(&f, "shop", modules, 20)), 0);
	p = run(&f, "shop", modules, 20);
	p->loads[0].status = p->loads[1].status = MDL_FAILED;
	p->modules[0].status = p->modules[1].status = MDL_FAILED;
	assert_int_equal(interval_add(i, p), 0);
	t = take(i, 60);
	a = app_of(t, "shop");
	assert_int_equal(a->n_modules, 2);
	assert_string_equal(a->modules[1].name, MDL_OTHER);
	assert_int_equal(a->modules[0].failures, 1);
	assert_int_equal(a->modules[1].failures, 1);
	/* the self time of a run that did not fail, whoever has the name */
	assert_int_equal(a->modules[0].self_ns, 20 * MS);
	assert_int_equal(a->modules[1].self_ns, 20 * MS);
	assert_int_equal(a->modules[1].total.n, 0);
	fake_free(&f);
}

/* The costliest have the names, and keep them for an hour. */
static void test_names(void **state _unused_)
{
	static const char *const one[] = {"a", NULL}, *const two[] = {"a", "b", NULL};
	_cleanup_(interval_freep) struct interval *i = make(2, 1);
	_cleanup_(interval_free_takenp) struct mdl_interval *t = NULL, *next = NULL, *hour = NULL;
	struct fake f;

	fake_init(&f);
	assert_int_equal(interval_add(i, run(&f, "cheap", one, 1)), 0);
	assert_int_equal(interval_add(i, run(&f, "dear", two, 90)), 0);
	assert_int_equal(interval_add(i, run(&f, "middle", one, 50)), 0);
	t = take(i, 60);
	assert_int_equal(t->n_apps, 3);
	assert_string_equal(t->apps[0].name, "dear");
	assert_string_equal(t->apps[1].name, "middle");
	assert_string_equal(t->apps[2].name, MDL_OTHER);
	assert_true(t->apps[2].runs == 1 && t->apps[2].cold_start.n == 1 &&
		    t->apps[2].n_modules == 0);
	assert_int_equal(t->apps[0].n_modules, 2);
	assert_string_equal(t->apps[0].modules[1].name, MDL_OTHER);

	for (int k = 0; k < 3; k++)
		assert_int_equal(interval_add(i, run(&f, "cheap", one, 2000)), 0);
	assert_int_equal(interval_add(i, run(&f, "middle", one, 50)), 0);
	next = take(i, 120);
	assert_string_equal(next->apps[0].name, "middle");
	assert_string_equal(next->apps[1].name, MDL_OTHER);
	assert_int_equal(next->n_apps, 2);

	assert_int_equal(interval_add(i, run(&f, "cheap", one, 2000)), 0);
	hour = take(i, HOUR_NS);
	assert_string_equal(hour->apps[0].name, "cheap");
	fake_free(&f);
}

/* Thousands of apps and modules, one of which matters. */
static void test_hostile(void **state _unused_)
{
	static const char *const good[] = {"pandas", NULL};
	_cleanup_(interval_freep) struct interval *i = make(5, 5);
	size_t others = 0, seen = 0, pandas = 0;
	struct fake f;

	for (int round = 0; round < 3; round++) {
		_cleanup_(interval_free_takenp) struct mdl_interval *t = NULL;

		fake_init(&f);
		for (int k = 0; k < 2000; k++) {
			char app[700], names[4][700];
			const char *modules[5] = {names[0], names[1], names[2], names[3], NULL};

			(void)snprintf(app, sizeof(app), "app-%d-%d%0600d", round, k, k);
			for (int j = 0; j < 4; j++)
				(void)snprintf(names[j], sizeof(names[j]), "m%d.%d%0600d", k, j, j);
			assert_int_equal(interval_add(i, run(&f, app, modules, 1)), 0);
		}
		for (int k = 0; k < 50; k++)
			assert_int_equal(interval_add(i, run(&f, "real", good, 400)), 0);
		t = take(i, (round + 1) * 60000000000LL);
		assert_int_equal(t->runs, 2050);
		assert_true(t->n_apps <= 6);
		for (size_t k = 0; k < t->n_apps; k++) {
			assert_true(t->apps[k].n_modules <= 6);
			assert_true(strlen(t->apps[k].name) <= 256);
			assert_true(t->apps[k].cold_start.n <= INTERVAL_APP_VALUES);
			pandas += module_of(&t->apps[k], "pandas") != NULL;
			others += !strcmp(t->apps[k].name, MDL_OTHER);
		}
		seen += app_of(t, "real") != NULL;
		fake_free(&f);
	}
	assert_int_equal(others, 3);
	assert_int_equal(seen, 3);
	assert_int_equal(pandas, 3);
}

/* Likewise the modules of one app. */
static void test_hostile_modules(void **state _unused_)
{
	static const char *const good[] = {"pandas", NULL};
	_cleanup_(interval_freep) struct interval *i = make(5, 5);
	_cleanup_(interval_free_takenp) struct mdl_interval *t = NULL;
	uint64_t self_ns = 0;
	struct fake f;

	fake_init(&f);
	for (int k = 0; k < 500; k++) {
		char names[4][40];
		const char *modules[5] = {names[0], names[1], names[2], names[3], NULL};

		for (int j = 0; j < 4; j++)
			(void)snprintf(names[j], sizeof(names[j]), "m%d.%d", k, j);
		assert_int_equal(interval_add(i, run(&f, "shop", modules, 1)), 0);
	}
	for (int k = 0; k < 5; k++)
		assert_int_equal(interval_add(i, run(&f, "shop", good, 400)), 0);
	t = take(i, 60);
	assert_int_equal(t->apps[0].n_modules, 6);
	assert_string_equal(t->apps[0].modules[0].name, "pandas");
	for (size_t k = 0; k < 6; k++)
		self_ns += t->apps[0].modules[k].self_ns;
	assert_int_equal(self_ns, (500 * 4 + 5 * 400) * MS); /* nothing got lost */
	fake_free(&f);
}

static void test_many_values(void **state _unused_)
{
	static const char *const modules[] = {"json", NULL};
	_cleanup_(interval_freep) struct interval *i = make(5, 5);
	_cleanup_(interval_free_takenp) struct mdl_interval *t = NULL;
	const struct mdl_interval_app *a;
	uint64_t sum = 0;
	struct fake f;

	fake_init(&f);
	for (uint64_t k = 1; k <= 4000; k++)
		assert_int_equal(interval_add(i, run(&f, "shop", modules, k)), 0);
	t = take(i, 60);
	a = app_of(t, "shop");
	assert_int_equal(a->runs, 4000);
	assert_int_equal(a->cold_start.n, INTERVAL_APP_VALUES);
	assert_int_equal(a->cold_start.seen, 4000);
	assert_int_equal(module_of(a, "json")->total.n, INTERVAL_MODULE_VALUES);
	assert_int_equal(module_of(a, "json")->self_ns, 4000ull * 4001 / 2 * MS);
	for (size_t k = 0; k < a->cold_start.n; k++)
		sum += a->cold_start.ns[k] / MS;
	/* an even sample: the mean of 1..4000 is 2000.5, of 1000 of them within 5 standard errors */
	assert_true(sum / 1000 > 2000 - 185 && sum / 1000 < 2001 + 185);
	fake_free(&f);
}

/* Where there is room each has its name, however many there are and however long it is. */
static void test_many_apps(void **state _unused_)
{
	enum { APPS = 120, MODULES = 60 };
	_cleanup_(interval_freep) struct interval *i = make(APPS, MODULES);
	_cleanup_(interval_free_takenp) struct mdl_interval *t = NULL;
	char app[40], module[40];
	const char *modules[] = {module, "common", NULL};
	struct fake f;

	fake_init(&f);
	for (int k = 0; k < 2 * APPS; k++) {
		(void)snprintf(app, sizeof(app), "%0*d", 3 + k % 20, k % APPS);
		(void)snprintf(module, sizeof(module), "m%0*d", 3 + k % 15, k % (MODULES - 1));
		assert_int_equal(interval_add(i, run(&f, k < APPS ? app : "000", modules, 20)), 0);
	}
	t = take(i, 60);
	assert_int_equal(t->runs, 2 * APPS);
	assert_int_equal(t->n_apps, APPS);
	for (int k = 0; k < APPS; k++) {
		const struct mdl_interval_app *a;
		uint64_t runs = k == 0 ? APPS + 1 : 1;

		(void)snprintf(app, sizeof(app), "%0*d", 3 + k % 20, k);
		a = app_of(t, app);
		assert_non_null(a);
		assert_int_equal(a->runs, runs);
		assert_int_equal(module_of(a, "common")->runs_using, runs);
	}
	fake_free(&f);
}

/* Servers that go on count once each, whichever of them ends first. */
static void test_many_servers(void **state _unused_)
{
	enum { SERVERS = 1000, MANY = 20000 };
	static const char *const modules[] = {"json", NULL};
	_cleanup_(interval_freep) struct interval *i = make(10, 10);
	_cleanup_(interval_free_takenp) struct mdl_interval *t = NULL, *later = NULL, *many = NULL;
	struct mdl_process *p;
	struct fake f;

	fake_init(&f);
	p = run(&f, "server", modules, 20);
	p->ended = false;
	p->end_ns = p->begin_ns + INTERVAL_LIVE_NS;
	for (int twice = 0; twice < 2; twice++)
		for (uint32_t k = 0; k < SERVERS; k++) {
			p->pid = k + 1;
			p->start_ns = k / 7;
			assert_int_equal(interval_add(i, p), 0);
		}
	t = take(i, 60);
	assert_int_equal(t->runs, SERVERS);
	p->ended = true;
	for (uint32_t k = 0; k < SERVERS; k++) {
		p->pid = k * 7 % SERVERS + 1;
		p->start_ns = k * 7 % SERVERS / 7;
		assert_int_equal(interval_add(i, p), 0);
	}
	later = take(i, 120);
	assert_int_equal(later->runs, 0);
	/* more than are remembered: still none is left out */
	p->ended = false;
	for (uint32_t k = 0; k < MANY; k++) {
		p->pid = SERVERS + k + 1;
		assert_int_equal(interval_add(i, p), 0);
	}
	many = take(i, 180);
	assert_int_equal(many->runs, MANY);
	fake_free(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_adds_up),		cmocka_unit_test(test_which_runs),
		cmocka_unit_test(test_goes_on),		cmocka_unit_test(test_before_main),
		cmocka_unit_test(test_failures),	cmocka_unit_test(test_names),
		cmocka_unit_test(test_hostile),		cmocka_unit_test(test_many_values),
		cmocka_unit_test(test_hostile_modules), cmocka_unit_test(test_many_apps),
		cmocka_unit_test(test_many_servers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
