/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Out of memory: whichever allocation fails, the report ends with -ENOMEM or is whole; it is never short in silence.
 */
// wrap: malloc calloc realloc reallocarray strdup strndup
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "analysis/savings.h"
#include "unit/no_memory.h"
#include "unit/render.h"

static struct fake f;
/* cJSON's own are in a library that cannot be wrapped. */
static void *json_malloc(size_t size)
{
	return nomem_fails() ? NULL : __real_malloc(size);
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
	bool failed;
	long n = 0;
	int r;

	assert_non_null(buffer);
	do {
		FILE *out = fmemopen(buffer, 1 << 16, "w");

		assert_non_null(out);
		assert_int_equal(setvbuf(out, NULL, _IONBF, 0), 0);
		memset(buffer, 0, 1 << 16);
		nomem_once(n++);
		r = export_profile(format, &f.profile, &style, out);
		failed = nomem_end();
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
	bool failed;
	long n = 0;
	int r;

	(void)state;
	do {
		fake_module(&f, "shop")->saving_ns = 77;
		nomem_once(n++);
		r = savings_process(f.p);
		failed = nomem_end();
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
