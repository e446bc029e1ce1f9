/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
// wrap: malloc calloc realloc reallocarray strdup strndup
/* base/buf: growing buffers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/text.h"
#include "unit/no_memory.h"

static void test_buf_grows(void **state _unused_)
{
	_buf_ struct buf b = {0};

	assert_string_equal(buf_str(&b), "");
	for (int i = 0; i < 1000; i++)
		buf_addf(&b, "%d,", i);
	assert_int_equal(buf_error(&b), 0);
	assert_int_equal(b.len, 10 * 2 + 90 * 3 + 900 * 4);
	assert_int_equal(strlen(buf_str(&b)), b.len);
	assert_true(text_ends_with(buf_str(&b), "998,999,"));
	buf_reset(&b);
	assert_string_equal(buf_str(&b), "");
	buf_addc(&b, 'x');
	buf_add(&b, "\0y", 2);
	assert_int_equal(b.len, 3);
	assert_memory_equal(b.data, "x\0y", 4);
}

static void test_buf_take(void **state _unused_)
{
	_buf_ struct buf b = {0};
	_free_ char *s = buf_take(&b);

	assert_string_equal(s, "");
	assert_null(b.data);
	buf_adds(&b, "abc");
	free(s);
	s = buf_take(&b);
	assert_string_equal(s, "abc");
	assert_int_equal(b.len, 0);
}

static void test_buf_error_sticks(void **state _unused_)
{
	_buf_ struct buf b = {0};

	buf_adds(&b, "kept");
	nomem_from(0);
	for (int i = 0; i < 100; i++)
		buf_adds(&b, "more");
	(void)nomem_end();
	assert_int_equal(buf_error(&b), -ENOMEM);
	size_t len = b.len;
	buf_adds(&b, "x");
	assert_int_equal(b.len, len);
	assert_null(buf_take(&b));
	assert_int_equal(buf_error(&b), 0);
}

static void test_buf_huge_length_is_refused(void **state _unused_)
{
	_buf_ struct buf b = {0};

	buf_add(&b, "x", SIZE_MAX - 1);
	assert_int_equal(buf_error(&b), -ENOMEM);
	assert_int_equal(b.len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_buf_grows),
		cmocka_unit_test(test_buf_take),
		cmocka_unit_test(test_buf_error_sticks),
		cmocka_unit_test(test_buf_huge_length_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
