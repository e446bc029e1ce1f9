/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* analysis/savings: dominators of any graph, against their definition. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "analysis/savings.h"
#include "unit/fake_profile.h"

#define UNREACHED UINT32_MAX

static void expect(size_t n, const uint64_t *weight, const struct savings_edge *edges,
		   size_t n_edges, const uint32_t *idom, const uint64_t *saving)
{
	uint32_t got_idom[16];
	uint64_t got_saving[16];

	assert_true(n <= 16);
	assert_int_equal(savings_dominators(n, weight, edges, n_edges, got_idom, got_saving), 0);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(got_idom[i], idom[i]);
		assert_int_equal(got_saving[i], saving[i]);
	}
}

static void test_diamond(void **state)
{
	const uint64_t weight[] = {0, 1, 2, 4, 8};
	const struct savings_edge edges[] = {{0, 1}, {0, 2}, {1, 3}, {2, 3}, {3, 4}};

	(void)state;
	expect(5, weight, edges, 5, (uint32_t[]){0, 0, 0, 0, 3}, (uint64_t[]){15, 1, 2, 12, 8});
}

static void test_chain_and_cycle(void **state)
{
	const uint64_t weight[] = {0, 1, 2, 4};
	const struct savings_edge chain[] = {{0, 1}, {1, 2}, {2, 3}};
	const struct savings_edge cycle[] = {{0, 1}, {1, 2}, {2, 3}, {3, 1}, {2, 2}, {3, 2}};
	/* Two ways into the cycle: neither of its modules leads to the other alone. */
	const struct savings_edge entered[] = {{0, 1}, {1, 2}, {2, 3}, {3, 1}, {0, 3}, {0, 3}};

	(void)state;
	expect(4, weight, chain, 3, (uint32_t[]){0, 0, 1, 2}, (uint64_t[]){7, 7, 6, 4});
	expect(4, weight, cycle, 6, (uint32_t[]){0, 0, 1, 2}, (uint64_t[]){7, 7, 6, 4});
	expect(4, weight, entered, 6, (uint32_t[]){0, 0, 1, 0}, (uint64_t[]){7, 3, 2, 4});
}

static void test_unreachable(void **state)
{
	const uint64_t weight[] = {0, 1, 2, 4};
	const struct savings_edge edges[] = {{0, 1}, {2, 3}, {3, 2}, {3, 1}};

	(void)state;
	expect(4, weight, edges, 4, (uint32_t[]){0, 0, UNREACHED, UNREACHED},
	       (uint64_t[]){1, 1, 0, 0});
	expect(1, weight, NULL, 0, (uint32_t[]){0}, (uint64_t[]){0});
}

static void test_wrong_input(void **state)
{
	const uint64_t weight[] = {0, 1};
	const struct savings_edge edges[] = {{0, 2}};
	uint32_t idom[2];
	uint64_t saving[2];

	(void)state;
	assert_int_equal(savings_dominators(2, weight, edges, 1, idom, saving), -EINVAL);
	assert_int_equal(savings_dominators(0, weight, edges, 0, idom, saving), -EINVAL);
}

static void test_no_overflow(void **state)
{
	const uint64_t weight[] = {0, UINT64_MAX, UINT64_MAX};
	const struct savings_edge edges[] = {{0, 1}, {1, 2}};

	(void)state;
	expect(3, weight, edges, 2, (uint32_t[]){0, 0, 1},
	       (uint64_t[]){UINT64_MAX, UINT64_MAX, UINT64_MAX});
}

static uint32_t random_below(uint64_t *seed, uint32_t n)
{
	*seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)((*seed >> 33) % n);
}

/* What is reached from 0 without going through `without`; a bit a node. */
static uint32_t reached(const struct savings_edge *edges, size_t n_edges, uint32_t without)
{
	uint32_t set = without == 0 ? 0 : 1, before;

	do {
		before = set;
		for (size_t i = 0; i < n_edges; i++)
			if (edges[i].to != without && set >> edges[i].from & 1)
				set |= 1U << edges[i].to;
	} while (set != before);
	return set;
}

/* By definition: the saving of a module is what cannot be reached without it. */
static void test_definition(void **state)
{
	uint64_t seed = 42;

	(void)state;
	for (int round = 0; round < 3000; round++) {
		uint32_t n = 2 + random_below(&seed, 13);
		size_t n_edges = random_below(&seed, 3 * n);
		struct savings_edge edges[64];
		uint64_t weight[16], saving[16];
		uint32_t idom[16], all;

		for (uint32_t i = 0; i < n; i++)
			weight[i] = 1ULL << i;
		for (size_t i = 0; i < n_edges; i++)
			edges[i] = (struct savings_edge){random_below(&seed, n),
							 random_below(&seed, n)};
		assert_int_equal(savings_dominators(n, weight, edges, n_edges, idom, saving), 0);
		all = reached(edges, n_edges, UINT32_MAX);
		for (uint32_t i = 0; i < n; i++) {
			bool in = all >> i & 1;

			assert_int_equal(saving[i], in ? all & ~reached(edges, n_edges, i) : 0);
			assert_int_equal(idom[i] == UNREACHED, !in);
		}
	}
}

/* 200,000 modules in shapes that make simple algorithms quadratic and recursive ones overflow. */
static void test_large(void **state)
{
	const uint32_t n = 200000;
	struct savings_edge *edges = calloc(4 * (size_t)n, sizeof(*edges));
	uint64_t *weight = calloc(n, sizeof(*weight)), *saving = calloc(n, sizeof(*saving)),
		 seed = 7;
	uint32_t *idom = calloc(n, sizeof(*idom));
	size_t n_edges = 0;
	clock_t start = clock();

	(void)state;
	assert_true(edges && weight && saving && idom);
	/* A chain with edges back and forth between neighbours, and one from the end to every module. */
	for (uint32_t i = 1; i < n; i++) {
		weight[i] = 1;
		edges[n_edges++] = (struct savings_edge){i - 1, i};
		edges[n_edges++] = (struct savings_edge){i, i - 1};
		edges[n_edges++] = (struct savings_edge){n - 1, i};
	}
	assert_int_equal(savings_dominators(n, weight, edges, n_edges, idom, saving), 0);
	for (uint32_t i = 1; i < n; i++) {
		assert_int_equal(idom[i], i - 1);
		assert_int_equal(saving[i], n - i);
	}
	/* With a second way to the end the first leads to nothing alone. */
	edges[n_edges++] = (struct savings_edge){0, n - 1};
	assert_int_equal(savings_dominators(n, weight, edges, n_edges, idom, saving), 0);
	for (uint32_t i = 1; i < n; i++)
		assert_int_equal(idom[i], 0);
	n_edges = 0;
	for (uint32_t i = 1; i < n; i++)
		for (int k = 0; k < 4; k++)
			edges[n_edges++] = (struct savings_edge){random_below(&seed, i), i};
	assert_int_equal(savings_dominators(n, weight, edges, n_edges, idom, saving), 0);
	assert_int_equal(saving[0], n - 1);
	/* Half a second in an optimised build; a quadratic one takes minutes. */
	assert_true((clock() - start) / CLOCKS_PER_SEC < 20);
	free(edges);
	free(weight);
	free(saving);
	free(idom);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_diamond),	    cmocka_unit_test(test_chain_and_cycle),
		cmocka_unit_test(test_unreachable), cmocka_unit_test(test_wrong_input),
		cmocka_unit_test(test_no_overflow), cmocka_unit_test(test_definition),
		cmocka_unit_test(test_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
