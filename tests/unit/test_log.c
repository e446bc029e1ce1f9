/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#define BAD "\xef\xbf\xbd"

/* base/log: one line a message. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/log.h"
#include "lmmsd/event.h"
#include "unit/fake_dir.h"

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
		cmocka_unit_test(test_log),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
