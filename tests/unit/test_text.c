/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* base/num and base/text: numbers and text from outside. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/num.h"
#include "base/text.h"
#include "lmmsd/event.h"

#define BAD "\xef\xbf\xbd"

static void test_num_u64(void **state _unused_)
{
	static const struct {
		const char *s;
		int r;
		uint64_t v;
	} rows[] = {
		{"0", 0, 0},
		{"007", 0, 7},
		{"18446744073709551615", 0, UINT64_MAX},
		{"18446744073709551616", -ERANGE, 0},
		{"99999999999999999999999", -ERANGE, 0},
		{"99999999999999999999999x", -EINVAL, 0},
		{"", -EINVAL, 0},
		{" 1", -EINVAL, 0},
		{"1 ", -EINVAL, 0},
		{"+1", -EINVAL, 0},
		{"-1", -EINVAL, 0},
		{"0x10", -EINVAL, 0},
		{"1.0", -EINVAL, 0},
		{"1e3", -EINVAL, 0},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t v = 42;

		assert_int_equal(num_u64(rows[i].s, 0, UINT64_MAX, &v), rows[i].r);
		assert_int_equal(v, rows[i].r ? 42 : rows[i].v);
	}
	uint64_t v = 42;
	assert_int_equal(num_u64("4", 5, 6, &v), -ERANGE);
	assert_int_equal(num_u64("7", 5, 6, &v), -ERANGE);
	assert_int_equal(v, 42);
	assert_int_equal(num_u64("6", 5, 6, &v), 0);
	assert_int_equal(v, 6);
}

static void test_num_double(void **state _unused_)
{
	static const struct {
		const char *s;
		int r;
		double v;
	} rows[] = {
		{"0", 0, 0},	       {"2.5", 0, 2.5},	    {".5", 0, .5},
		{"1e3", 0, 1000},      {"-2", 0, -2},	    {"1e999", -ERANGE, 0},
		{"2000", -ERANGE, 0},  {"-5", -ERANGE, 0},  {"", -EINVAL, 0},
		{"inf", -EINVAL, 0},   {"nan", -EINVAL, 0}, {"0x1", -EINVAL, 0},
		{" 1", -EINVAL, 0},    {"1 ", -EINVAL, 0},  {"+1", -EINVAL, 0},
		{"1.2.3", -EINVAL, 0}, {"e", -EINVAL, 0},   {"1s", -EINVAL, 0},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		double v = 42;

		assert_int_equal(num_double(rows[i].s, -3, 1000, &v), rows[i].r);
		assert_true(v == (rows[i].r ? 42 : rows[i].v));
	}
}

_Static_assert(TEXT_UTF8 == LMMSD_STR_UTF8, "TEXT_UTF8");

_Static_assert(TEXT_LATIN1 == LMMSD_STR_LATIN1, "TEXT_LATIN1");

_Static_assert(TEXT_UCS2 == LMMSD_STR_UCS2, "TEXT_UCS2");

_Static_assert(TEXT_UCS4 == LMMSD_STR_UCS4, "TEXT_UCS4");

_Static_assert(TEXT_CUT == LMMSD_STR_CUT, "TEXT_CUT");

static void expect_utf8(uint8_t kind, const void *data, size_t len, const char *want)
{
	_buf_ struct buf b = {0};

	text_utf8(&b, kind, data, len);
	assert_int_equal(buf_error(&b), 0);
	assert_string_equal(buf_str(&b), want);
	assert_int_equal(b.len, strlen(want));
}

static void test_text_utf8(void **state _unused_)
{
#define U(s, want) expect_utf8(TEXT_UTF8, s, sizeof(s) - 1, want)
	U("", "");
	U("plain", "plain");
	U("a\0b", "a" BAD "b");
	U("h\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\x8d", "h\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\x8d");
	U("\x80", BAD);
	U("\xff\xfe", BAD BAD);
	U("\xc0\xaf", BAD BAD);			   /* overlong */
	U("\xe0\x80\xaf", BAD BAD BAD);		   /* overlong */
	U("\xed\xa0\x80", BAD BAD BAD);		   /* surrogate */
	U("\xf4\x90\x80\x80", BAD BAD BAD BAD);	   /* beyond U+10FFFF */
	U("\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf"); /* U+10FFFF */
	U("\xe2\x82", BAD);			   /* ends too early: one replacement */
	U("\xe2\x82x", BAD "x");
	U("\xf0\x9f\x90", BAD);
	U("\xc3", BAD);
#undef U
	expect_utf8(TEXT_UTF8 | TEXT_CUT, "ab\xe2\x82", 4, "ab");
	expect_utf8(TEXT_UTF8 | TEXT_CUT, "ab\xff", 3, "ab" BAD);
}

static void test_text_other_kinds(void **state _unused_)
{
	const uint16_t ucs2[] = {'a', 0x20ac, 0xd83d, 0xdc0d, 0};
	const uint32_t ucs4[] = {'a', 0x1f40d, 0x110000, 0xdfff};

	expect_utf8(TEXT_LATIN1, "h\xe9\0", 3, "h\xc3\xa9" BAD);
	expect_utf8(TEXT_UCS2, ucs2, sizeof(ucs2), "a\xe2\x82\xac" BAD BAD BAD);
	expect_utf8(TEXT_UCS2, ucs2, 3, "a" BAD);
	expect_utf8(TEXT_UCS2 | TEXT_CUT, ucs2, 3, "a");
	expect_utf8(TEXT_UCS4, ucs4, sizeof(ucs4), "a\xf0\x9f\x90\x8d" BAD BAD);
	expect_utf8(TEXT_UCS4, ucs4, 7, "a" BAD);
}

static void test_text_printable(void **state _unused_)
{
	_buf_ struct buf b = {0};

	text_printable(
		&b, "a\x1b[31m\n\t\x7f \xc2\x9b \xe2\x80\xae \xe2\x81\xa6 \xef\xbf\xbf h\xc3\xa9");
	assert_string_equal(
		buf_str(&b),
		"a\\x1b[31m\\x0a\\x09\\x7f \\u{009b} \\u{202e} \\u{2066} \\u{ffff} h\xc3\xa9");
}

static void test_text_small(void **state _unused_)
{
	assert_int_equal(text_width(""), 0);
	assert_int_equal(text_width("h\xc3\xa9 \xf0\x9f\x90\x8d"), 4);
	assert_true(text_starts_with("abc", "ab"));
	assert_true(text_starts_with("abc", ""));
	assert_false(text_starts_with("ab", "abc"));
	assert_true(text_ends_with("abc", "bc"));
	assert_true(text_ends_with("abc", ""));
	assert_false(text_ends_with("bc", "abc"));
	assert_true(text_has_suffix("a.b/c.d"));
	assert_true(text_has_suffix("c."));
	assert_true(text_has_suffix(".c.d"));
	assert_false(text_has_suffix("a.b/c"));
	assert_false(text_has_suffix(".c"));
	assert_false(text_has_suffix("a/.."));
	assert_false(text_has_suffix("-"));
	assert_false(text_has_suffix(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_num_u64),	       cmocka_unit_test(test_num_double),
		cmocka_unit_test(test_text_utf8),      cmocka_unit_test(test_text_other_kinds),
		cmocka_unit_test(test_text_printable), cmocka_unit_test(test_text_small),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
