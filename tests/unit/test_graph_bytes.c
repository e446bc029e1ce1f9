/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
// wrap: malloc calloc realloc reallocarray free
/* graph/: one budget of memory for all processes, against what was allocated in truth. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#include "unit/evbuild.h"

#define BUDGET (32u << 20)
#define HOGS 40
#define PUSHY 12000 /* processes */

static size_t taken; /* bytes that are allocated now */

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__real_reallocarray(void *p, size_t n, size_t size);
void *__wrap_reallocarray(void *p, size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
void __real_free(void *p);
void __wrap_free(void *p);

void *__wrap_malloc(size_t size)
{
	void *p = __real_malloc(size);

	taken += p ? malloc_usable_size(p) : 0;
	return p;
}

void *__wrap_calloc(size_t n, size_t size)
{
	void *p = __real_calloc(n, size);

	taken += p ? malloc_usable_size(p) : 0;
	return p;
}

void *__wrap_reallocarray(void *p, size_t n, size_t size)
{
	size_t before = p ? malloc_usable_size(p) : 0;
	void *q = __real_reallocarray(p, n, size);

	taken += q ? malloc_usable_size(q) - before : 0;
	return q;
}

void *__wrap_realloc(void *p, size_t size)
{
	return __wrap_reallocarray(p, 1, size);
}

void __wrap_free(void *p)
{
	taken -= p ? malloc_usable_size(p) : 0;
	__real_free(p);
}

static size_t counted(const struct story *s)
{
	struct graph_counts c;

	graph_counts(s->g, &c);
	return c.bytes;
}

static struct story budget_begin(void)
{
	struct graph_limits limits = graph_default_limits;

	limits.bytes = BUDGET;
	limits.processes = PUSHY + HOGS;
	return story_begin(&limits);
}

static struct story process(const struct story *s, uint32_t tgid)
{
	struct story t = *s;

	t.tgid = t.tid = tgid;
	proc(&t, 100, LMMSD_PROC_EXEC);
	return t;
}

/* A name of its own for each i, with as many bytes as pad says. */
static void load_padded(struct story *s, uint64_t i, int pad)
{
	char name[512];

	(void)snprintf(name, sizeof(name), "%0*llu", pad, (unsigned long long)i);
	load(s, 1000 + i * 10, 900, 1, name, "m", AT_MODULE);
	done(s, 1005 + i * 10, 900, 1);
}

static void use_padded(struct story *s, uint64_t i, int pad)
{
	char name[512];

	(void)snprintf(name, sizeof(name), "u%0*llu", pad, (unsigned long long)i);
	use(s, key(s, i, LMMSD_PLACE_MODULE, 0), name, "", 0, where(AT_MODULE, "m", 1));
}

static void check_newcomer(const struct story *s, uint32_t tgid)
{
	struct story t = process(s, tgid);
	struct mdl_process *m;

	for (uint64_t i = 0; i < 20; i++)
		load_padded(&t, i, 10);
	leave(&t, 5000, 0, 0);
	m = take(&t);
	assert_non_null(m);
	assert_int_equal(m->pid, tgid);
	assert_string_equal(m->exe, "/usr/bin/python3.11");
	assert_int_equal(m->n_loads, 20);
	assert_int_equal(m->lost[LMMSD_LOST_LIMIT_MODULES], 0);
	graph_process_free(m);
}

static void check_all_given_back(struct story *s)
{
	struct mdl_process *m;

	assert_int_equal(graph_finish(s->g, 9000), 0);
	while ((m = take(s)))
		graph_process_free(m);
	assert_int_equal(counted(s), 0);
}

static void test_hogs(void **state)
{
	struct story s = budget_begin(), hog[HOGS];
	size_t before = taken, least = SIZE_MAX;
	struct mdl_process *m;

	(void)state;
	for (uint32_t k = 0; k < HOGS; k++) {
		hog[k] = process(&s, 1000 + k);
		for (uint64_t i = 0; i < 2000; i++) {
			load_padded(&hog[k], i, 400);
			use_padded(&hog[k], i, 400);
		}
		assert_true(taken - before < BUDGET + BUDGET / 4);
	}
	assert_true(graph_lost(s.g)[LMMSD_LOST_LIMIT_MODULES] > HOGS * 1000);
	assert_true(graph_lost(s.g)[LMMSD_LOST_LIMIT_EDGES] > HOGS * 1000);
	assert_int_equal(graph_lost(s.g)[LMMSD_LOST_DONE_WITHOUT_START], 0);
	check_newcomer(&s, 500);
	for (uint32_t k = 0; k < HOGS; k++) {
		leave(&hog[k], 90000, 0, 0);
		m = take(&hog[k]);
		least = m->n_loads < least ? m->n_loads : least;
		graph_process_free(m);
	}
	assert_true(least >= 10); /* the last one too */
	check_newcomer(&s, 501);
	check_all_given_back(&s);
	graph_free(s.g);
}

/* Each with next to nothing: these have only the reserve, and are not let in beyond it. */
static void test_many_small(void **state)
{
	struct story s = budget_begin();
	size_t before = taken;

	(void)state;
	for (uint32_t k = 0; k < PUSHY; k++) {
		struct story t = process(&s, 1000 + k);

		load_padded(&t, k, 10);
	}
	assert_true(taken - before < BUDGET + BUDGET / 4);
	assert_true(graph_lost(s.g)[LMMSD_LOST_LIMIT_PROCESSES] > 0);
	check_all_given_back(&s);
	check_newcomer(&s, 500);
	graph_free(s.g);
}

/* Threads with many open loads are memory too. */
static void test_threads(void **state)
{
	struct story s = budget_begin();
	size_t before = taken;

	(void)state;
	for (uint32_t k = 0; k < 50; k++) {
		struct story t = process(&s, 1000 + k);

		for (uint32_t tid = 1; tid < 100; tid++) {
			t.tid = tid;
			for (uint64_t i = 0; i < 30; i++)
				load(&t, 1000 + i, 900 - i, 1 + i, "deep", "m", AT_MODULE);
		}
		assert_true(taken - before < BUDGET + BUDGET / 4);
	}
	check_newcomer(&s, 500);
	check_all_given_back(&s);
	graph_free(s.g);
}

/* What is counted is what is allocated, but for the hash tables' few words; and all of it is given back. */
static void test_exact(void **state)
{
	struct story s = story_begin(NULL), t;
	size_t before = taken, half;
	struct mdl_process *m;

	(void)state;
	assert_int_equal(counted(&s), 0);
	t = process(&s, 200);
	for (uint64_t i = 0; i < 3000; i++) {
		load_padded(&t, i, (int)(i % 500));
		use_padded(&t, i, 20);
		dist(&t, "m", "d", 0, "f");
	}
	for (uint64_t i = 0; i < 100; i++)
		load(&t, 99000 + i, 900 - i, 1 + i, "deep", "m", AT_MODULE);
	half = counted(&s);
	assert_in_range(taken - before, half, half + half / 100);
	fork_to(&t, 99500, 201, 50);
	assert_true(counted(&s) > half);
	t.tgid = 201;
	leave(&t, 99600, 0, LMMSD_EXIT_EXEC); /* dropped */
	assert_int_equal(counted(&s), half);
	t.tgid = 200;
	leave(&t, 99700, 0, 0);
	assert_in_range(counted(&s), half / 2, half);
	m = take(&t);
	assert_non_null(m);
	assert_int_equal(counted(&s), 0);
	graph_process_free(m);
	graph_free(s.g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hogs),
		cmocka_unit_test(test_many_small),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_exact),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
