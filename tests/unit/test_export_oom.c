/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Out of memory: whichever allocation fails, the report ends with -ENOMEM or is whole; it is never short in silence.
 */
// wrap: malloc calloc realloc strdup strndup
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "analysis/savings.h"
#include "unit/render.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
char *__real_strdup(const char *s);
char *__real_strndup(const char *s, size_t n);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
char *__wrap_strdup(const char *s);
char *__wrap_strndup(const char *s, size_t n);

static struct fake f;
static bool armed;
static bool failed;
static size_t left; /* allocations that succeed before one that does not */

static bool fails(void)
{
	if (!armed)
		return false;
	if (left) {
		left--;
		return false;
	}
	/* Only this one: what comes after it must not be what notices. */
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

char *__wrap_strdup(const char *s)
{
	return fails() ? NULL : __real_strdup(s);
}

char *__wrap_strndup(const char *s, size_t n)
{
	return fails() ? NULL : __real_strndup(s, n);
}

/* cJSON's own are in a library that cannot be wrapped. */
static void *json_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

static int set_up(void **state)
{
	static cJSON_Hooks hooks = {.malloc_fn = json_malloc, .free_fn = free};

	(void)state;
	cJSON_InitHooks(&hooks);
	fake_init(&f);
	fake_shop(&f);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	fake_free(&f);
	cJSON_InitHooks(NULL);
	return 0;
}

static void run(enum export_format format)
{
	struct export_style style = {.width = 130, .utf8 = true, .color = true};
	_free_ char *whole = render_styled(format, &f.profile, &style),
		    *buffer = calloc(1, 1 << 16);
	size_t n = 0;
	int r;

	assert_non_null(buffer);
	do {
		FILE *out = fmemopen(buffer, 1 << 16, "w");

		assert_non_null(out);
		assert_int_equal(setvbuf(out, NULL, _IONBF, 0), 0);
		memset(buffer, 0, 1 << 16);
		left = n++;
		armed = true;
		failed = false;
		r = export_profile(format, &f.profile, &style, out);
		armed = false;
		(void)fclose(out);
		assert_true(r == 0 || (failed && r == -ENOMEM));
		if (r == 0)
			assert_string_equal(buffer, whole);
	} while (failed);
	/* It must have failed at least once for this to say something. */
	assert_true(n > 3);
}

static void test_tree(void **state)
{
	(void)state;
	run(EXPORT_TREE);
}

static void test_table(void **state)
{
	(void)state;
	run(EXPORT_TABLE);
}

static void test_json(void **state)
{
	(void)state;
	run(EXPORT_JSON);
}

static void test_importtime(void **state)
{
	(void)state;
	run(EXPORT_IMPORTTIME);
}

static void test_speedscope(void **state)
{
	(void)state;
	run(EXPORT_SPEEDSCOPE);
}

static void test_perfetto(void **state)
{
	(void)state;
	run(EXPORT_PERFETTO);
}

static void test_folded(void **state)
{
	(void)state;
	run(EXPORT_FOLDED);
}

static void test_savings(void **state)
{
	size_t n = 0;
	int r;

	(void)state;
	do {
		fake_module(&f, "shop")->saving_ns = 77;
		left = n++;
		armed = true;
		failed = false;
		r = savings_process(f.p);
		armed = false;
		assert_int_equal(r, failed ? -ENOMEM : 0);
		/* Half a result would be a wrong one. */
		assert_true(r == 0 || fake_module(&f, "shop")->saving_ns == 77);
	} while (failed);
	assert_true(n > 20);
	assert_true(fake_module(&f, "shop")->saving_ns != 77);
}

#define T(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_tree),	    T(test_table),    T(test_json),   T(test_importtime),
		T(test_speedscope), T(test_perfetto), T(test_folded), T(test_savings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
