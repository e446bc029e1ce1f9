/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* What is written down in a database beside runs, and two databases made one. */
#include "fake_store.h"
#include <fcntl.h>
#include <sys/wait.h>

static void fill(struct fake_store *s)
{
	fake_store_open(s);
	for (int i = 0; i < 50; i++)
		fake_put_run(s, "shop", 1, fake_noon(i % 5));
	fake_store_flush(s);
	fake_store_close(s);
}

static void test_marks(void **state)
{
	struct fake_store *s = *state;
	struct store *e;
	char value[16];

	fill(s);
	e = fake_store_reader(s, STORE_EDIT);
	assert_int_equal(store_mark_get(e, "review/2023-11", value, sizeof(value)), -ENOENT);
	assert_int_equal(store_mark_set(e, "review/2023-11", "done"), 1);
	assert_int_equal(store_mark_set(e, "review/2023-11", "done"), 0);
	assert_int_equal(store_mark_get(e, "review/2023-11", value, sizeof(value)), 0);
	assert_string_equal(value, "done");
	assert_int_equal(store_mark_set(e, "review/2023-11", "again"), 1);
	assert_int_equal(store_mark_get(e, "review/2023-11", value, 5), -ENAMETOOLONG);
	assert_int_equal(store_mark_set(e, "review/2023-12", "done"), 1);
	assert_int_equal(store_mark_set(e, "review0", "done"), 1);
	assert_int_equal(store_mark_drop(e, "review/2023-12", "review0"), 1);
	assert_int_equal(store_mark_drop(e, "review/2023-12", "review0"), 0);
	assert_int_equal(store_mark_get(e, "review/2023-12", value, sizeof(value)), -ENOENT);
	assert_int_equal(store_mark_get(e, "review/2023-11", value, sizeof(value)), 0);
	assert_int_equal(store_mark_get(e, "review0", value, sizeof(value)), 0);
	e = store_close(e);
}

static void test_triggers(void **state)
{
	struct fake_store *s = *state;
	struct mdl_trigger t = {.at_ns = 5,
				.app = "shop",
				.kind = "regression",
				.module = "web",
				.before = "10 ms",
				.after = "20 ms",
				.why = "it's slower"};
	struct store_triggers l;
	struct store *e;

	fake_store_open(s);
	assert_int_equal(store_put_trigger(s->w, &t), 0);
	fake_store_flush(s);
	e = fake_store_reader(s, STORE_EDIT);
	t.at_ns = 3;
	t.app = "other";
	t.module = NULL;
	assert_int_equal(store_trigger_add(e, &t), 0);
	assert_int_equal(store_triggers(e, NULL, 0, 10, &l), 0);
	assert_int_equal(l.n, 2);
	assert_string_equal(l.triggers[0].app, "other");
	assert_string_equal(l.triggers[0].module, "");
	assert_string_equal(l.triggers[1].why, "it's slower");
	assert_int_equal(l.triggers[1].at_ns, 5);
	store_triggers_free(&l);
	assert_int_equal(store_triggers(e, "shop", 0, 5, &l), 0);
	assert_int_equal(l.n, 0);
	store_triggers_free(&l);
	e = store_close(e);
}

static void test_verdicts(void **state)
{
	struct fake_store *s = *state;
	const struct mdl_verdict v[] = {
		{.module = "web",
		 .tier = MDL_FUNCTION_LEVEL,
		 .place = LMMSD_PLACE_MODULE,
		 .action = "defer",
		 .ms = 150.5,
		 .usage_pct = 12.5,
		 .saving_ms = 140},
		{.module = "json", .tier = MDL_MODULE_LEVEL, .action = "keep"},
	};
	struct store_verdicts l;
	struct store *e;

	fill(s);
	e = fake_store_reader(s, STORE_EDIT);
	assert_int_equal(store_verdicts_save(e, "shop", 24286, v, 2), 0);
	assert_int_equal(store_verdicts_save(e, "shop", 24286, v, 2), 0);
	assert_int_equal(store_verdicts(e, "shop", 24286, &l), 0);
	assert_int_equal(l.n, 2);
	assert_string_equal(l.verdicts[0].module, "json");
	assert_string_equal(l.verdicts[1].action, "defer");
	assert_string_equal(l.verdicts[1].module, "web");
	assert_int_equal(l.verdicts[1].tier, MDL_FUNCTION_LEVEL);
	assert_int_equal(l.verdicts[1].place, LMMSD_PLACE_MODULE);
	assert_true(l.verdicts[1].ms == 150.5 && l.verdicts[1].usage_pct == 12.5 &&
		    l.verdicts[1].saving_ms == 140);
	store_verdicts_free(&l);
	assert_int_equal(store_verdicts(e, "shop", 24287, &l), 0);
	assert_int_equal(l.n, 0);
	store_verdicts_free(&l);
	e = store_close(e);
}

static void test_losses(void **state)
{
	struct fake_store *s = *state;
	uint64_t lost[LMMSD_LOST_MAX] = {[LMMSD_LOST_RING_FULL] = 3, [LMMSD_LOST_NO_MEMORY] = 1};
	uint64_t got[LMMSD_LOST_MAX];
	struct store *r;

	fake_store_open(s);
	store_put_lost(s->w, lost);
	store_put_lost(s->w, lost);
	fake_store_flush(s);
	r = fake_store_reader(s, STORE_READ);
	assert_int_equal(store_losses(r, store_today() - 1, store_today() + 1, got), 0);
	assert_int_equal(got[LMMSD_LOST_RING_FULL], 6);
	assert_int_equal(got[LMMSD_LOST_NO_MEMORY], 2);
	assert_int_equal(got[LMMSD_LOST_STORE_FULL], 0);
	assert_int_equal(store_losses(r, 0, 5, got), 0);
	assert_int_equal(got[LMMSD_LOST_RING_FULL], 0);
	r = store_close(r);
}

static void test_baselines(void **state)
{
	struct fake_store *s = *state;
	struct mdl_history *h;
	struct mdl_baseline b, *back = NULL;
	struct store_baselines l;
	struct store *e;

	fill(s);
	h = fake_history(s, "shop", 0, 9);
	assert_int_equal(store_baseline_of(h, "before", &b), 0);
	b.saved_ns = 77;
	e = fake_store_reader(s, STORE_EDIT);
	assert_int_equal(store_baseline_load(e, "shop", "before", &back), -ENOENT);
	assert_int_equal(store_baseline_save(e, &b), 0);
	assert_int_equal(store_baseline_save(e, &b), 0);
	assert_int_equal(store_baseline_load(e, "shop", "before", &back), 0);
	assert_int_equal(back->saved_ns, 77);
	assert_int_equal(back->runs, 50);
	assert_int_equal(back->since_day, FAKE_DAY(0));
	assert_true(sketch_equal(&back->cold_start, &h->cold_start));
	assert_true(sketch_equal(&back->interpreter, &h->interpreter));
	assert_int_equal(back->n_values, 50);
	assert_memory_equal(back->values, h->values, 50 * sizeof(*h->values));
	assert_int_equal(back->n_modules, 3);
	assert_string_equal(back->modules[2].name, "web");
	assert_int_equal(back->modules[2].saving_ns, 5 * FAKE_MS);
	assert_int_equal(back->modules[2].total_ns, 5 * FAKE_MS);
	assert_null(back->modules[2].version);
	assert_true(back->modules[2].start_pct == 100 && back->modules[0].start_pct == 0);
	back = store_baseline_free(back);
	assert_int_equal(store_baselines(e, &l), 0);
	assert_int_equal(l.n, 1);
	assert_string_equal(l.baselines[0].name, "before");
	assert_string_equal(l.baselines[0].app, "shop");
	store_baselines_free(&l);
	assert_int_equal(store_baseline_delete(e, "other", "before"), -ENOENT);
	assert_int_equal(store_baseline_delete(e, NULL, "before"), 0);
	assert_int_equal(store_baseline_delete(e, NULL, "before"), -ENOENT);
	e = store_close(e);
	free((void *)(uintptr_t)b.modules);
	h = store_history_free(h);
}

static void assert_same(const struct mdl_history *a, const struct mdl_history *b)
{
	assert_memory_equal(a->runs, b->runs, sizeof(a->runs));
	assert_true(sketch_equal(&a->cold_start, &b->cold_start));
	assert_int_equal(a->uses, b->uses);
	assert_int_equal(a->n_days, b->n_days);
	assert_int_equal(a->n_values, b->n_values);
	assert_int_equal(a->n_modules, b->n_modules);
	for (size_t i = 0; i < a->n_modules; i++) {
		assert_string_equal(a->modules[i].name, b->modules[i].name);
		assert_true(sketch_equal(&a->modules[i].total, &b->modules[i].total));
		assert_true(sketch_equal(&a->modules[i].self, &b->modules[i].self));
		assert_int_equal(a->modules[i].runs_used, b->modules[i].runs_used);
		assert_int_equal(a->modules[i].place, b->modules[i].place);
		assert_int_equal(a->modules[i].saving.n, b->modules[i].saving.n);
	}
	assert_int_equal(a->n_edges, b->n_edges);
	for (size_t i = 0; i < a->n_edges; i++) {
		assert_string_equal(a->edges[i].importer_name, b->edges[i].importer_name);
		assert_int_equal(a->edges[i].module, b->edges[i].module);
		assert_int_equal(a->edges[i].runs, b->edges[i].runs);
		assert_int_equal(a->edges[i].loads, b->edges[i].loads);
	}
}

/* Two hosts' databases made one are as if one had seen all. */
static void test_merging_is_adding(void **state)
{
	struct fake_store *s = *state;
	struct mdl_history *all, *merged;
	struct store *e;
	char host[3][128];

	for (int k = 0; k < 3; k++) {
		(void)snprintf(host[k], sizeof(host[k]), "%s/host%d.db", s->dir, k);
		memcpy(s->path, host[k], sizeof(s->path));
		fake_store_open(s);
		if (k == 1)
			fake_put_run(s, "elsewhere", 1, fake_noon(0)); /* other ids */
		for (int i = 0; i < 40; i++)
			if (k == 2 || i % 2 == k)
				fake_put_run(s, "shop", 1 + i / 100.0, fake_noon(i / 10));
		if (k == 0)
			fake_store_flush(s);
		fake_store_close(s);
	}
	all = fake_history(s, "shop", 0, 9);
	memcpy(s->path, host[0], sizeof(s->path));
	e = fake_store_reader(s, STORE_EDIT);
	assert_int_equal(store_merge(e, host[1]), 0);
	assert_int_equal(store_merge(e, "/no/such/file"), -ENOENT);
	e = store_close(e);
	merged = fake_history(s, "shop", 0, 9);
	assert_same(all, merged);
	all = store_history_free(all);
	merged = store_history_free(merged);
	merged = fake_history(s, "elsewhere", 0, 9);
	assert_int_equal(merged->runs_plain, 1);
	merged = store_history_free(merged);
}

#define WITH_STORE(f) cmocka_unit_test_setup_teardown(f, fake_store_setup, fake_store_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_STORE(test_marks),	    WITH_STORE(test_triggers),
		WITH_STORE(test_verdicts),  WITH_STORE(test_losses),
		WITH_STORE(test_baselines), WITH_STORE(test_merging_is_adding),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
