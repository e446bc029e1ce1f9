/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Out of memory: whichever allocation fails, an interval stays whole, and its events are all there or -ENOMEM. */
// wrap: malloc calloc realloc reallocarray strdup strndup
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <cjson/cJSON.h>

#include "analysis/savings.h"
#include "export/emf.h"
#include "metrics/interval.h"
#include "unit/fake_profile.h"
#include "unit/no_memory.h"

static const uint64_t none[LMMSD_LOST_MAX];
static void *json_malloc(size_t size)
{
	return nomem_fails() ? NULL : __real_malloc(size);
}

static int on_line(void *arg, const char *line, size_t len)
{
	++*(size_t *)arg;
	return line[len] ? -EINVAL : 0;
}

static int one_round(struct fake *f, long n, bool *ret_failed)
{
	const struct interval_limits limits = {1, 1, 1};
	const struct emf_options o = {
		.namespace = "lmmsd", .host = "h", .max_bytes = EMF_MAX_BYTES};
	_cleanup_(interval_freep) struct interval *i = NULL;
	_cleanup_(interval_free_takenp) struct mdl_interval *t = NULL;
	uint64_t left_out = 0;
	size_t lines = 0;
	int r;

	nomem_once(n);
	r = interval_new(&limits, 0, &i);
	for (size_t k = 0; !r && k < f->profile.n_processes; k++)
		r = interval_add(i, f->profile.processes[k]);
	if (!r)
		r = interval_take(i, 60, none, &t);
	if (r && i) { /* all stays for the next call */
		assert_int_equal(interval_take(i, 120, none, &t), 0);
		*ret_failed = nomem_end();
		return r;
	}
	if (!r)
		r = emf_interval(t, &o, on_line, &lines, &left_out);
	*ret_failed = nomem_end();
	if (!r)
		assert_true(left_out == 0 && lines == 5);
	return r;
}

static void test_every_allocation(void **state _unused_)
{
	static cJSON_Hooks hooks = {.malloc_fn = json_malloc, .free_fn = free};
	bool failed;
	struct fake f;
	long n = 0;
	int r;

	cJSON_InitHooks(&hooks);
	fake_init(&f);
	for (int k = 0; k < 3; k++) {
		struct mdl_process *p = fake_process(&f, k ? "shop" : "tab\tin\xc3\xa9", 100);

		(void)fake_leaf(&f, "__main__", "yaml", LMMSD_PLACE_MODULE, 20000000);
		(void)fake_leaf(&f, "__main__", "json", LMMSD_PLACE_MODULE, 10000000);
		p->modules[0].distribution = "PyYAML";
		p->modules[0].version = "6.0";
		fake_started(&f);
		fake_done(&f);
		assert_int_equal(savings_process(p), 0);
	}
	do {
		r = one_round(&f, n++, &failed);
		assert_true(r == 0 || (failed && r == -ENOMEM));
	} while (failed);
	assert_true(n > 100);
	fake_free(&f);
	cJSON_InitHooks(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_allocation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
