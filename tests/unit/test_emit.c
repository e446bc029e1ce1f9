/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* app/emit: lines to sockets and files that are slow, away, or go away. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "app/emit.h"
#include "base/fdio.h"
#include "base/log.h"

#define WAIT_MS 10000

static char dir[] = "/tmp/lmmsd-test-emit.XXXXXX";
static sd_event *event;

static int set_up(void **state _unused_)
{
	log_setup("lmmsd", (enum log_level)0); /* what it says is the end-to-end tests' to read */
	return mkdtemp(dir) && chdir(dir) == 0 && sd_event_new(&event) >= 0 ? 0 : -1;
}

static int tear_down(void **state _unused_)
{
	(void)sd_event_unref(event);
	return chdir("/") < 0 ? -1 : rmdir(dir);
}

static int bound(int type, uint16_t *port)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
				.sin_port = htons(*port),
				.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), one = 1;

	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	*port = ntohs(a.sin_port);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, 5), 0);
	return fd;
}

static struct emit *make(enum endpoint_kind kind, uint16_t port, char *path)
{
	char host[] = "127.0.0.1";
	const struct endpoint to = {kind, path ? NULL : host, port, path};
	struct emit *e = NULL;

	assert_int_equal(emit_new(event, &to, &e), 0);
	return e;
}

static struct emit_stats stats(const struct emit *e)
{
	struct emit_stats st;

	emit_stats(e, &st);
	return st;
}

static void put(struct emit *e, const char *line)
{
	assert_int_equal(emit_line(e, line, strlen(line)), 0);
}

/* Runs the loop until nothing is queued. */
static void settle(struct emit *e)
{
	for (int i = 0; i < 1000 && stats(e).queued_bytes; i++)
		assert_true(sd_event_run(event, WAIT_MS * 1000ull) >= 0);
	assert_int_equal(stats(e).queued_bytes, 0);
}

static void until_down(struct emit *e)
{
	for (int i = 0; i < 1000 && !stats(e).down; i++)
		assert_true(sd_event_run(event, WAIT_MS * 1000ull) >= 0);
	assert_true(stats(e).down);
}

static void test_tcp(void **state _unused_)
{
	uint16_t port = 0;
	_close_ int listener = bound(SOCK_STREAM, &port);
	_close_ int c = -EBADF;
	_cleanup_(emit_freep) struct emit *e = make(ENDPOINT_TCP, port, NULL);
	char got[64] = "";

	put(e, "one");
	put(e, "two");
	emit_kick(e);
	settle(e);
	c = accept(listener, NULL, NULL);
	assert_true(c >= 0);
	assert_int_equal(recv(c, got, sizeof(got), 0), 8);
	assert_string_equal(got, "one\ntwo\n");
	assert_int_equal(stats(e).sent, 2);
}

static void test_udp(void **state _unused_)
{
	uint16_t port = 0;
	_close_ int fd = bound(SOCK_DGRAM, &port);
	_cleanup_(emit_freep) struct emit *e = make(ENDPOINT_UDP, port, NULL);
	char got[64] = "";

	put(e, "one");
	put(e, "two");
	emit_kick(e);
	settle(e);
	assert_int_equal(recv(fd, got, sizeof(got), 0), 3);
	assert_int_equal(recv(fd, got + 3, sizeof(got) - 3, 0), 3);
	assert_string_equal(got, "onetwo");
}

/* Refused: nothing is lost, and it comes when the other side is there. */
static void comes_back(int type, enum endpoint_kind kind)
{
	uint16_t port = 0;
	int fd = bound(type, &port);
	_cleanup_(emit_freep) struct emit *e = make(kind, port, NULL);

	assert_int_equal(close(fd), 0);
	put(e, "one");
	put(e, "two");
	emit_kick(e);
	until_down(e);
	assert_int_equal(stats(e).sent, 0);
	emit_kick(e); /* in the pause: does nothing */
	fd = bound(type, &port);
	settle(e);
	for (int i = 0; i < 100 && stats(e).down; i++)
		assert_true(sd_event_run(event, WAIT_MS * 1000ull) >= 0);
	assert_true(!stats(e).down && stats(e).sent == 2 && stats(e).dropped == 0);
	assert_int_equal(close(fd), 0);
}

static void test_comes_back(void **state _unused_)
{
	comes_back(SOCK_STREAM, ENDPOINT_TCP);
	comes_back(SOCK_DGRAM, ENDPOINT_UDP);
}

/* Nobody reads: the queue is bounded, what is dropped is counted, what comes is in order and whole. */
static void test_overflow(void **state _unused_)
{
	uint16_t port = 0;
	_close_ int listener = bound(SOCK_STREAM, &port);
	_close_ int c = -EBADF;
	_cleanup_(emit_freep) struct emit *e = make(ENDPOINT_TCP, port, NULL);
	_buf_ struct buf got = {0};
	size_t lines = 0, last = 0;
	char line[4001];

	memset(line, 'x', sizeof(line));
	line[4000] = '\0';
	for (size_t k = 1; k <= 4000; k++) { /* 16 MB */
		(void)snprintf(line, 9, "%08zu", k);
		line[8] = ' ';
		put(e, line);
		emit_kick(e);
		if (k % 50 == 0)
			assert_true(sd_event_run(event, 0) >= 0);
		assert_true(stats(e).queued_bytes <= EMIT_QUEUE_BYTES);
	}
	assert_true(stats(e).dropped > 0 && stats(e).down);
	c = accept(listener, NULL, NULL);
	assert_true(c >= 0);
	while (stats(e).queued_bytes) {
		char part[65536];
		ssize_t n;

		while ((n = recv(c, part, sizeof(part), MSG_DONTWAIT)) > 0)
			buf_add(&got, part, (size_t)n);
		assert_true(sd_event_run(event, 10000) >= 0);
	}
	assert_int_equal(shutdown(c, SHUT_WR), 0);
	e = emit_free(e);
	for (ssize_t n = 1; n > 0;) {
		char part[65536];

		n = recv(c, part, sizeof(part), MSG_DONTWAIT);
		buf_add(&got, part, n > 0 ? (size_t)n : 0);
	}
	for (const char *s = buf_str(&got); *s; s += 4001) {
		size_t k = strtoul(s, NULL, 10);

		assert_true(strlen(s) >= 4001 && s[8] == ' ' && s[4000] == '\n');
		assert_true(k > last);
		last = k;
		lines++;
	}
	assert_int_equal(last, 4000);
	assert_true(lines < 4000 && lines > 100);
}

static char *path_of(const char *name)
{
	static char path[64];

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static size_t size_of(const char *name)
{
	struct stat st = {0};

	assert_int_equal(stat(name, &st), 0);
	return (size_t)st.st_size;
}

static void contains(const char *name, const char *want)
{
	_buf_ struct buf b = {0};

	assert_int_equal(fdio_read_file(AT_FDCWD, name, 1000, &b), 0);
	assert_string_equal(buf_str(&b), want);
}

static void test_file(void **state _unused_)
{
	_cleanup_(emit_freep) struct emit *e = make(ENDPOINT_FILE, 0, path_of("f"));
	struct stat st;

	put(e, "one");
	emit_kick(e);
	settle(e);
	contains("f", "one\n");
	assert_int_equal(rename("f", "g"), 0);
	put(e, "two");
	put(e, "three");
	emit_kick(e);
	settle(e);
	assert_int_equal(stats(e).sent, 3);
	contains("g", "one\n");
	contains("f", "two\nthree\n");
	assert_true(stat("f", &st) == 0 && (st.st_mode & 07777) == 0640);
	assert_true(unlink("f") == 0 && unlink("g") == 0);
}

/* Without the loop; and when the last thing that is done is to let go of it. */
static void test_file_at_the_end(void **state _unused_)
{
	struct emit *e = make(ENDPOINT_FILE, 0, path_of("f"));

	put(e, "one");
	emit_kick(e);
	emit_drain(e, WAIT_MS);
	assert_int_equal(stats(e).sent, 1);
	contains("f", "one\n");
	put(e, "two");
	emit_kick(e);
	e = emit_free(e);
	for (int i = 0; i < WAIT_MS && size_of("f") < 8; i++)
		(void)usleep(1000); /* lint: allow(sleeps) a bounded poll */
	contains("f", "one\ntwo\n");
	assert_int_equal(unlink("f"), 0);
}

/* It goes while there is more than is written at once, and comes back: nothing is lost, and nothing is there twice. */
static void test_file_without_a_place(void **state _unused_)
{
	_cleanup_(emit_freep) struct emit *e = NULL;
	char line[1000];

	assert_int_equal(mkdir("d", 0700), 0);
	e = make(ENDPOINT_FILE, 0, path_of("d/f"));
	assert_int_equal(unlink("d/f"), 0);
	assert_int_equal(rmdir("d"), 0);
	memset(line, 'x', sizeof(line));
	for (int i = 0; i < 3000; i++)
		assert_int_equal(emit_line(e, line, sizeof(line)), 0);
	emit_kick(e);
	until_down(e);
	assert_int_equal(stats(e).queued_bytes, 3000 * (sizeof(line) + 1));
	assert_int_equal(mkdir("d", 0700), 0);
	settle(e);
	assert_true(!stats(e).down && stats(e).sent == 3000 && !stats(e).dropped);
	assert_int_equal(size_of("d/f"), 3000 * (sizeof(line) + 1));
	assert_int_equal(unlink("d/f"), 0);
	assert_int_equal(rmdir("d"), 0);
}

static void test_no_file(void **state _unused_)
{
	const struct endpoint none = {ENDPOINT_FILE, NULL, 0, path_of("no/f")};
	struct emit *e = NULL;

	assert_int_equal(emit_new(event, &none, &e), -ENOENT);
	assert_null(e);
}

/* A FIFO is a file whose reader may come later. */
static void test_fifo(void **state _unused_)
{
	_cleanup_(emit_freep) struct emit *e = NULL;
	_close_ int fd = -EBADF;
	char got[16] = "";

	assert_int_equal(mkfifo("p", 0600), 0);
	e = make(ENDPOINT_FILE, 0, path_of("p"));
	put(e, "one");
	emit_kick(e);
	assert_true(stats(e).down);
	fd = open("p", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	assert_true(fd >= 0);
	settle(e);
	assert_int_equal(read(fd, got, sizeof(got)), 4);
	assert_false(stats(e).down);
	assert_int_equal(unlink("p"), 0);
}

static void test_full_disk(void **state _unused_)
{
	char full[] = "/dev/full";
	_cleanup_(emit_freep) struct emit *e = make(ENDPOINT_FILE, 0, full);

	put(e, "one");
	emit_kick(e);
	until_down(e);
	assert_true(stats(e).down && stats(e).queued_bytes == 4 && stats(e).sent == 0);
	emit_drain(e, 1000); /* does not wait */
}

static void test_drain(void **state _unused_)
{
	uint16_t port = 0;
	_close_ int listener _unused_ = bound(SOCK_STREAM, &port);
	_cleanup_(emit_freep) struct emit *e = make(ENDPOINT_TCP, port, NULL);

	put(e, "one");
	emit_kick(e);
	emit_drain(e, WAIT_MS);
	assert_int_equal(stats(e).sent, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tcp),
		cmocka_unit_test(test_udp),
		cmocka_unit_test(test_comes_back),
		cmocka_unit_test(test_overflow),
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_no_file),
		cmocka_unit_test(test_fifo),
		cmocka_unit_test(test_full_disk),
		cmocka_unit_test(test_drain),
		cmocka_unit_test(test_file_at_the_end),
		cmocka_unit_test(test_file_without_a_place),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
