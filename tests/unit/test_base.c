/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
// wrap: realloc calloc malloc
/* base/: buffers, numbers, text, interning, files, the log. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/fdio.h"
#include "base/intern.h"
#include "base/log.h"
#include "base/num.h"
#include "base/text.h"
#include "lmmsd/event.h"

/* Every allocation from here on fails after so many; -1: none does. */
static int allocations_left = -1;

static bool allocation_fails(void)
{
	if (allocations_left < 0)
		return false;
	if (allocations_left == 0)
		return true;
	allocations_left--;
	return false;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);

void *__wrap_malloc(size_t size)
{
	return allocation_fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return allocation_fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
	return allocation_fails() ? NULL : __real_realloc(p, size);
}

/* ---- buf */

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
	allocations_left = 0;
	for (int i = 0; i < 100; i++)
		buf_adds(&b, "more");
	allocations_left = -1;
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

/* ---- num */

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

/* ---- text */

_Static_assert(TEXT_UTF8 == LMMSD_STR_UTF8, "TEXT_UTF8");
_Static_assert(TEXT_LATIN1 == LMMSD_STR_LATIN1, "TEXT_LATIN1");
_Static_assert(TEXT_UCS2 == LMMSD_STR_UCS2, "TEXT_UCS2");
_Static_assert(TEXT_UCS4 == LMMSD_STR_UCS4, "TEXT_UCS4");
_Static_assert(TEXT_CUT == LMMSD_STR_CUT, "TEXT_CUT");

#define BAD "\xef\xbf\xbd"

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

	text_printable(&b, "a\x1b[31m\n\t\x7f \xc2\x9b \xe2\x80\xae \xe2\x81\xa6 h\xc3\xa9");
	assert_string_equal(buf_str(&b),
			    "a\\x1b[31m\\x0a\\x09\\x7f \\u{009b} \\u{202e} \\u{2066} h\xc3\xa9");
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
}

/* ---- intern */

static void test_intern(void **state _unused_)
{
	const char *first[5000];
	struct intern *p;
	char name[32], big[40000];

	assert_int_equal(intern_new(&p), 0);
	for (int i = 0; i < 5000; i++) {
		(void)snprintf(name, sizeof(name), "module_%d", i);
		first[i] = intern_str(p, name);
		assert_string_equal(first[i], name);
	}
	for (int i = 0; i < 5000; i++) {
		(void)snprintf(name, sizeof(name), "module_%d", i);
		assert_ptr_equal(intern_str(p, name), first[i]);
	}
	memset(big, 'x', sizeof(big));
	const char *s = intern_strn(p, big, sizeof(big));
	assert_int_equal(strlen(s), sizeof(big));
	assert_ptr_equal(intern_strn(p, big, sizeof(big)), s);
	assert_ptr_not_equal(intern_strn(p, big, sizeof(big) - 1), s);
	assert_string_equal(intern_str(p, ""), "");
	assert_ptr_equal(intern_strn(p, "module_7xx", 8), first[7]);
	assert_null(intern_free(p));
	assert_null(intern_free(NULL));
}

static void test_intern_without_memory(void **state _unused_)
{
	struct intern *p = NULL;
	char name[32];
	int failed = 0;

	for (allocations_left = 0; allocations_left < 2;) {
		int n = allocations_left;

		assert_int_equal(intern_new(&p), -ENOMEM);
		assert_null(p);
		allocations_left = n + 1;
	}
	allocations_left = -1;
	assert_int_equal(intern_new(&p), 0);
	for (int i = 0; i < 1000; i++) {
		(void)snprintf(name, sizeof(name), "m%d", i);
		allocations_left = -(i % 2); /* every other time: no memory at all */
		const char *s = intern_str(p, name);
		allocations_left = -1;
		failed += !s;
		assert_string_equal(intern_str(p, name), name);
	}
	assert_true(failed >= 3); /* the first chunk, and each time that the table grows */
	(void)intern_free(p);
}

/* ---- files */

static char dir[] = "/tmp/lmmsd-test-base.XXXXXX";

static int make_dir(void **state _unused_)
{
	return mkdtemp(dir) ? chdir(dir) : -1;
}

static int remove_dir(void **state _unused_)
{
	return chdir("/") < 0 ? -1 : rmdir(dir);
}

static void put(const char *path, const char *text)
{
	_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0640);

	assert_true(fd >= 0);
	assert_int_equal(fdio_write_all(fd, text, strlen(text)), 0);
}

static void expect_file(const char *path, const char *want)
{
	_buf_ struct buf b = {0};

	assert_int_equal(fdio_read_file(AT_FDCWD, path, 1 << 20, &b), 0);
	assert_string_equal(buf_str(&b), want);
}

/* Nothing but these names (separated by blanks) in the directory. */
static void expect_names(const char *names)
{
	_closedir_ DIR *d = opendir(".");
	size_t n = 0;

	assert_non_null(d);
	for (struct dirent *e = readdir(d); e; e = readdir(d)) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		if (!strstr(names, e->d_name))
			fail_msg("unexpected file %s", e->d_name);
		n += strlen(e->d_name) + 1;
	}
	assert_int_equal(n, *names ? strlen(names) + 1 : 0);
}

static void test_read_file(void **state _unused_)
{
	_buf_ struct buf b = {0};

	put("f", "0123456789");
	assert_int_equal(fdio_read_file(AT_FDCWD, "f", 10, &b), 0);
	assert_int_equal(fdio_read_file(AT_FDCWD, "f", 10, &b), 0);
	assert_string_equal(buf_str(&b), "01234567890123456789");
	assert_int_equal(fdio_read_file(AT_FDCWD, "f", 9, &b), -EFBIG);
	assert_int_equal(fdio_read_file(AT_FDCWD, "absent", 9, &b), -ENOENT);
	assert_int_equal(fdio_read_file(AT_FDCWD, ".", 9, &b), -EISDIR);
	assert_int_equal(symlink("f", "l"), 0);
	buf_reset(&b);
	assert_int_equal(fdio_readlink(AT_FDCWD, "l", &b), 0);
	assert_string_equal(buf_str(&b), "f");
	assert_int_equal(fdio_readlink(AT_FDCWD, "f", &b), -EINVAL);
	assert_int_equal(unlink("l") | unlink("f"), 0);
}

static void test_outfile_commit(void **state _unused_)
{
	_cleanup_(outfile_closep) struct outfile *o = NULL;
	struct stat st;

	put("out", "old");
	assert_int_equal(chmod("out", 0604), 0);
	assert_int_equal(symlink("out", "link"), 0);
	assert_int_equal(outfile_open("link", &o), 0);
	assert_true(fputs("new", outfile_stream(o)) >= 0);
	expect_file("out", "old");
	assert_int_equal(outfile_commit(o), 0);
	o = outfile_close(o);
	expect_file("out", "new");
	assert_int_equal(lstat("link", &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_int_equal(stat("out", &st), 0);
	assert_int_equal(st.st_mode & 0777, 0604);
	expect_names("out link");
	assert_int_equal(unlink("out") | unlink("link"), 0);
}

static void test_outfile_without_commit(void **state _unused_)
{
	struct outfile *o = NULL;

	assert_int_equal(outfile_open("out", &o), 0);
	assert_true(fputs("half", outfile_stream(o)) >= 0);
	assert_null(outfile_close(o));
	expect_names("");
	assert_null(outfile_close(NULL));
}

static void test_outfile_errors(void **state _unused_)
{
	struct outfile *o = NULL;

	assert_int_equal(outfile_open("no/such/dir/out", &o), -ENOENT);
	assert_int_equal(outfile_open(".", &o), -EISDIR);
	assert_int_equal(outfile_open("/dev/fd/999", &o), -EBADF);
	assert_null(o);
	assert_int_equal(outfile_open("/dev/full", &o), 0);
	assert_true(fputs("text", outfile_stream(o)) >= 0);
	assert_int_equal(outfile_commit(o), -ENOSPC);
	assert_null(outfile_close(o));
	expect_names("");
}

static void test_outfile_of_a_descriptor(void **state _unused_)
{
	struct outfile *o = NULL;
	char path[32];
	_close_ int fd = open("f", O_RDWR | O_CREAT | O_TRUNC, 0600);

	assert_int_equal(fdio_write_all(fd, "before ", 7), 0);
	(void)snprintf(path, sizeof(path), "/dev/fd/%d", fd);
	assert_int_equal(outfile_open(path, &o), 0);
	assert_true(fputs("after", outfile_stream(o)) >= 0);
	assert_int_equal(outfile_commit(o), 0);
	assert_null(outfile_close(o));
	expect_file("f", "before after");
	assert_int_equal(unlink("f"), 0);
}

/* ---- log */

/* What log_line() writes with stderr in a file. */
static void expect_log(const char *want, bool journal, enum log_level max, enum log_level level,
		       const char *text)
{
	_close_ int saved = dup(STDERR_FILENO);
	_close_ int fd = open("log", O_RDWR | O_CREAT | O_TRUNC, 0600);
	struct stat st = {0};
	char stream[64];

	if (saved < 0 || fd < 0 || fstat(fd, &st) < 0)
		fail_msg("cannot make the log file: %s", strerror(errno));
	(void)snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)st.st_dev,
		       (uintmax_t)st.st_ino + !journal);
	assert_int_equal(setenv("JOURNAL_STREAM", stream, 1), 0);
	assert_true(dup2(fd, STDERR_FILENO) >= 0);
	log_setup("lmmsd", max);
	log_status("not drawn: no terminal");
	errno = EXDEV;
	log_line(level, "%s", text);
	int kept = errno;
	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	assert_int_equal(unsetenv("JOURNAL_STREAM"), 0);
	assert_int_equal(kept, EXDEV);
	expect_file("log", want);
	assert_int_equal(unlink("log"), 0);
}

static void test_log(void **state _unused_)
{
	expect_log("lmmsd: hello\n", false, LOG_LEVEL_INFO, LOG_LEVEL_INFO, "hello");
	expect_log("", false, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG, "hello");
	assert_int_equal(log_max(), LOG_LEVEL_INFO);
	expect_log("lmmsd: hello\n", false, LOG_LEVEL_DEBUG, LOG_LEVEL_DEBUG, "hello");
	expect_log("<4>lmmsd: hello\n", true, LOG_LEVEL_INFO, LOG_LEVEL_WARNING, "hello");
	expect_log("<3>lmmsd: two\\x0alines \\x1b[0m " BAD "\n", true, LOG_LEVEL_ERROR,
		   LOG_LEVEL_ERROR, "two\nlines \x1b[0m \xff");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_buf_grows),
		cmocka_unit_test(test_buf_take),
		cmocka_unit_test(test_buf_error_sticks),
		cmocka_unit_test(test_buf_huge_length_is_refused),
		cmocka_unit_test(test_num_u64),
		cmocka_unit_test(test_num_double),
		cmocka_unit_test(test_text_utf8),
		cmocka_unit_test(test_text_other_kinds),
		cmocka_unit_test(test_text_printable),
		cmocka_unit_test(test_text_small),
		cmocka_unit_test(test_intern),
		cmocka_unit_test(test_intern_without_memory),
		cmocka_unit_test(test_read_file),
		cmocka_unit_test(test_outfile_commit),
		cmocka_unit_test(test_outfile_without_commit),
		cmocka_unit_test(test_outfile_errors),
		cmocka_unit_test(test_outfile_of_a_descriptor),
		cmocka_unit_test(test_log),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
