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

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__real_reallocarray(void *p, size_t n, size_t size);
char *__real_strdup(const char *s);
char *__real_strndup(const char *s, size_t n);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__wrap_reallocarray(void *p, size_t n, size_t size);
char *__wrap_strdup(const char *s);
char *__wrap_strndup(const char *s, size_t n);

static const uint64_t none[LMMSD_LOST_MAX];
static bool armed, failed;
static size_t left; /* allocations that succeed before one that does not */

static bool fails(void)
{
	if (!armed)
		return false;
	if (left) {
		left--;
		return false;
	}
	armed = false;
	failed = true;
	return true;
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
	return fails() ? NULL : __real_realloc(p, size);
}

void *__wrap_reallocarray(void *p, size_t n, size_t size)
{
	return fails() ? NULL : __real_reallocarray(p, n, size);
}

char *__wrap_strdup(const char *s)
{
	return fails() ? NULL : __real_strdup(s);
}

char *__wrap_strndup(const char *s, size_t n)
{
	return fails() ? NULL : __real_strndup(s, n);
}

static void *json_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

static int on_line(void *arg, const char *line, size_t len)
{
	++*(size_t *)arg;
	return line[len] ? -EINVAL : 0;
}

static void arm(size_t n)
{
	left = n;
	failed = false;
	armed = true;
}

static int one_round(struct fake *f, size_t n)
{
	const struct interval_limits limits = {1, 1, 1};
	const struct emf_options o = {
		.namespace = "lmmsd", .host = "h", .max_bytes = EMF_MAX_BYTES};
	_cleanup_(interval_freep) struct interval *i = NULL;
	_cleanup_(interval_free_takenp) struct mdl_interval *t = NULL;
	uint64_t left_out = 0;
	size_t lines = 0;
	int r;

	arm(n);
	r = interval_new(&limits, 0, &i);
	for (size_t k = 0; !r && k < f->profile.n_processes; k++)
		r = interval_add(i, f->profile.processes[k]);
	if (!r)
		r = interval_take(i, 60, none, &t);
	if (r && i) { /* all stays for the next call */
		assert_int_equal(interval_take(i, 120, none, &t), 0);
		armed = false;
		return r;
	}
	if (!r)
		r = emf_interval(t, &o, on_line, &lines, &left_out);
	armed = false;
	if (!r)
		assert_true(left_out == 0 && lines == 5);
	return r;
}

static void test_every_allocation(void **state _unused_)
{
	static cJSON_Hooks hooks = {.malloc_fn = json_malloc, .free_fn = free};
	size_t n = 0;
	struct fake f;
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
		r = one_round(&f, n++);
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
