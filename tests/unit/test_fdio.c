/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* base/fdio: whole reads, and outputs that appear complete or not at all. */
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/text.h"
#include "lmmsd/event.h"
#include "unit/fake_dir.h"

static void put(const char *path, const char *text)
{
	_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0640);

	assert_true(fd >= 0);
	assert_int_equal(fdio_write_all(fd, text, strlen(text)), 0);
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

/* Nothing is left, nothing changed, and a FIFO is not opened: its reader would see an end. */
static void test_outfile_check(void **state _unused_)
{
	char data[8] = "";
	int fd;

	assert_int_equal(outfile_check("new"), 0);
	assert_int_equal(access("new", F_OK), -1);
	assert_int_equal(outfile_check("no/such"), -ENOENT);
	assert_int_equal(outfile_check("."), -EISDIR);
	assert_int_equal(outfile_check("/dev/null"), 0);
	assert_int_equal(outfile_check("-"), 0);
	assert_int_equal(mkfifo("fifo", 0600), 0);
	fd = open("fifo", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(outfile_check("fifo"), 0);
	assert_int_equal(read(fd, data, sizeof(data)), 0); /* no writer yet; a hang-up is POLLHUP */
	assert_int_equal(poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 0), 0);
	assert_int_equal(close(fd), 0);
	assert_int_equal(unlink("fifo"), 0);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read_file),
		cmocka_unit_test(test_outfile_commit),
		cmocka_unit_test(test_outfile_without_commit),
		cmocka_unit_test(test_outfile_errors),
		cmocka_unit_test(test_outfile_check),
		cmocka_unit_test(test_outfile_of_a_descriptor),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
