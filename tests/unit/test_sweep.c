/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* app/sweep: use keys of nobody go, however many there are. The kernel's table is ours here. */
// wrap: probe_use_some probe_use_count probe_follows
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "app/sweep.h"
#include "base/cleanup.h"

#define MAX_KEYS 65536

static struct lmmsd_use_key table[MAX_KEYS];
static bool there[MAX_KEYS];
static uint32_t n_keys;

int __wrap_probe_use_some(struct probe *p, uint32_t *pos, struct lmmsd_use_key *keys, uint32_t *n);
int __wrap_probe_use_some(struct probe *p _unused_, uint32_t *pos, struct lmmsd_use_key *keys,
			  uint32_t *n)
{
	uint32_t found = 0;

	assert_true(*n >= PROBE_USE_SOME);
	for (; *pos < n_keys && found < *n; (*pos)++)
		if (there[*pos])
			keys[found++] = table[*pos];
	*n = found;
	return *pos == n_keys ? -ENOENT : 0;
}

int __wrap_probe_use_count(struct probe *p, const struct lmmsd_use_key *key, bool take,
			   uint64_t *ret);
int __wrap_probe_use_count(struct probe *p _unused_, const struct lmmsd_use_key *key, bool take,
			   uint64_t *ret)
{
	assert_true(take);
	assert_true(there[key->name]);
	there[key->name] = false;
	*ret = 1;
	return 0;
}

#define FOLLOWED 7

bool __wrap_probe_follows(struct probe *p, uint32_t tgid, uint64_t start_ns);
bool __wrap_probe_follows(struct probe *p _unused_, uint32_t tgid, uint64_t start_ns _unused_)
{
	return tgid == FOLLOWED;
}

static struct sink *sink;
static struct sweep *sweep;

static int set_up(void **state _unused_)
{
	static char nobody; /* is looked into by no function that is called here */
	const struct graph_limits limits = graph_default_limits;

	n_keys = 0;
	assert_int_equal(sink_new(&limits, &sink), 0);
	return sweep_new((struct probe *)&nobody, sink, &sweep);
}

static int tear_down(void **state _unused_)
{
	sweep = sweep_free(sweep);
	sink = sink_free(sink);
	return 0;
}

/* So many keys of each of so many processes. */
static void add(uint32_t first_tgid, uint32_t processes, uint32_t each)
{
	for (uint32_t i = 0; i < processes * each; i++) {
		assert_true(n_keys < MAX_KEYS);
		there[n_keys] = true;
		table[n_keys] = (struct lmmsd_use_key){
			.tgid = first_tgid + i / each, .start_ns = 1, .name = n_keys};
		n_keys++;
	}
}

static size_t left(void)
{
	size_t n = 0;

	for (uint32_t i = 0; i < n_keys; i++)
		n += there[i];
	return n;
}

static void look(void)
{
	sweep_keys(sweep);
	for (int i = 0; i < 10; i++)
		sweep_keys_on(sweep);
}

static void taken_at_the_second_look(void **state _unused_)
{
	add(FOLLOWED, 1, 10);
	add(1000, 5000, 1);
	look();
	assert_int_equal(left(), 5010);
	look();
	assert_int_equal(left(), 10);
}

/* While one look takes away, it finds those that the next one takes away. */
static void more_come_meanwhile(void **state _unused_)
{
	uint32_t tgid = 1000;

	for (int i = 0; i < 12; i++) {
		add(tgid, 5000, 1);
		tgid += 5000;
		look();
		assert_in_range(left(), 5000, 5000);
	}
	look();
	assert_int_equal(left(), 0);
}

/* A look of several calls goes on where it was, whatever went meanwhile. */
static void table_that_is_full(void **state _unused_)
{
	add(1000, 1, MAX_KEYS - 1);
	add(1001, 1, 1);
	sweep_keys(sweep);
	memset(there, 0, (MAX_KEYS - 1) * sizeof(*there));
	for (int i = 0; i < 10; i++)
		sweep_keys_on(sweep);
	assert_int_equal(left(), 1);
	look();
	assert_int_equal(left(), 0);
}

#define SWEEP_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SWEEP_TEST(taken_at_the_second_look),
		SWEEP_TEST(more_come_meanwhile),
		SWEEP_TEST(table_that_is_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
