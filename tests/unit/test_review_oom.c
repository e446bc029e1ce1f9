/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
// wrap: malloc calloc realloc reallocarray strdup strndup
/* Out of memory: whichever allocation fails, a review is whole or ends with -ENOMEM; it is never short in silence. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <cjson/cJSON.h>

#include "export/review.h"
#include "unit/fake_review.h"
#include "unit/no_memory.h"

#define PAGE_MAX (1 << 18)

/* cJSON's own are in a library that cannot be wrapped. */
static void *json_malloc(size_t size)
{
	return nomem_fails() ? NULL : __real_malloc(size);
}

static int write_to(char *page, enum export_review_format format, const struct rv_review *review)
{
	FILE *out = fmemopen(page, PAGE_MAX, "w");
	int r;

	assert_non_null(out);
	assert_int_equal(setvbuf(out, NULL, _IONBF, 0), 0);
	memset(page, 0, PAGE_MAX);
	r = export_review(format, review, NULL, out);
	assert_int_equal(fclose(out), 0);
	return r;
}

/* Each of the first allocations fails once, then some of the many that the rows make. */
static void run(enum export_review_format format)
{
	static cJSON_Hooks hooks = {.malloc_fn = json_malloc, .free_fn = free};
	_free_ char *whole = calloc(1, PAGE_MAX), *page = calloc(1, PAGE_MAX);
	bool failed = true;
	struct fr f;
	long n = 0;

	cJSON_InitHooks(&hooks);
	fr_init(&f, 1);
	assert_true(whole && page);
	assert_int_equal(write_to(whole, format, f.review), 0);
	for (; failed; n += n < 400 ? 1 : 37) {
		int r;

		nomem_once(n);
		r = write_to(page, format, f.review);
		failed = nomem_end();
		assert_true(r == 0 || (failed && r == -ENOMEM));
		if (r == 0 && strcmp(page, whole) != 0) {
			size_t same = 0;

			while (page[same] == whole[same])
				same++;
			fail_msg("allocation %ld: '%.60s' instead of '%.60s'", n, page + same,
				 whole + same);
		}
	}
	assert_true(n > 20);
	fr_free(&f);
	cJSON_InitHooks(NULL);
}

static void test_text(void **state _unused_)
{
	run(EXPORT_REVIEW_TEXT);
}

static void test_markdown(void **state _unused_)
{
	run(EXPORT_REVIEW_MARKDOWN);
}

static void test_json(void **state _unused_)
{
	run(EXPORT_REVIEW_JSON);
}

static void test_html(void **state _unused_)
{
	run(EXPORT_REVIEW_HTML);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_markdown),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_html),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
