/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* replay/: what is written is read again; what was cut or is no recording is told apart. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "recbuild.h"
#include "replay/stream.h"

/* Two records: 32 + 5 bytes at 40, padded to 40, and 40 bytes. Returns the stream's length. */
static size_t record(char *buf, size_t cap, bool finish)
{
	struct lmmsd_ev_exit x = {.h = {.ts_ns = 70}, .status = 3};
	struct lmmsd_hdr h = {.ts_ns = 90};
	FILE *f = fmemopen(buf, cap, "wb");
	struct stream_writer *w;
	struct rec r;
	long len;

	assert_non_null(f);
	assert_int_equal(stream_writer_new(f, &w), 0);
	rec_begin(&r, 1000, &h, sizeof(h));
	rec_add(&r, "abcde", 5);
	assert_int_equal(stream_write(w, r.bytes, r.len), 0);
	rec_begin(&r, LMMSD_EV_EXIT, &x, sizeof(x));
	/* A ring buffer may hand out more than the record. */
	assert_int_equal(stream_write(w, r.bytes, r.len + 3), 0);
	assert_int_equal(stream_write(w, r.bytes, r.len - 1), -EINVAL);
	if (finish)
		assert_int_equal(stream_writer_finish(w), 0);
	assert_int_equal(fflush(f), 0);
	len = ftell(f);
	assert_null(stream_writer_free(w));
	fclose(f);
	return (size_t)len;
}

static void test_round_trip(void **state)
{
	char buf[512];
	size_t len = record(buf, sizeof(buf), true), got;
	FILE *f = fmemopen(buf, len, "rb");
	struct stream_reader *r;
	struct lmmsd_ev_exit x;
	struct lmmsd_hdr h;
	const void *rec;

	(void)state;
	assert_int_equal(len, 16 + 40 + 40 + 32);
	assert_int_equal(stream_reader_new(f, &r), 0);
	assert_int_equal(stream_read(r, &rec, &got), 1);
	assert_int_equal(got, 37);
	assert_memory_equal((const char *)rec + 32, "abcde", 5);
	assert_int_equal(stream_read(r, &rec, &got), 1);
	assert_int_equal(got, sizeof(x));
	memcpy(&x, rec, sizeof(x));
	assert_int_equal(x.status, 3);
	/* The end comes with the latest time of all. */
	assert_int_equal(stream_read(r, &rec, &got), 1);
	memcpy(&h, rec, sizeof(h));
	assert_int_equal(h.kind, LMMSD_EV_END);
	assert_int_equal(h.ts_ns, 90);
	assert_int_equal(stream_read(r, &rec, &got), 0);
	assert_int_equal(stream_read(r, &rec, &got), 0);
	assert_null(stream_reader_free(r));
	fclose(f);
}

static void test_own_end(void **state)
{
	char buf[512];
	struct lmmsd_hdr h = {.ts_ns = 100};
	FILE *f = fmemopen(buf, sizeof(buf), "wb");
	struct stream_writer *w;
	struct rec r;

	(void)state;
	assert_int_equal(stream_writer_new(f, &w), 0);
	rec_begin(&r, LMMSD_EV_END, &h, sizeof(h));
	assert_int_equal(stream_write(w, r.bytes, r.len), 0);
	assert_int_equal(stream_writer_finish(w), 0);
	assert_int_equal(ftell(f), 16 + 32);
	stream_writer_free(w);
	fclose(f);
}

/* Wherever a stream is cut, its records are read up to there, and it is said. */
static void test_cut(void **state)
{
	char buf[512];
	size_t len = record(buf, sizeof(buf), true), got;
	const void *rec;

	(void)state;
	for (size_t n = 1; n < len; n++) {
		FILE *f = fmemopen(buf, n, "rb");
		struct stream_reader *r = NULL;
		int res = stream_reader_new(f, &r), records = 0;

		if (n < 16) {
			assert_int_equal(res, -EBADMSG);
			assert_null(r);
			fclose(f);
			continue;
		}
		assert_int_equal(res, 0);
		while ((res = stream_read(r, &rec, &got)) == 1)
			records++;
		assert_int_equal(res, -ENODATA);
		assert_int_equal(records, n < 56 ? 0 : n < 96 ? 1 : 2);
		stream_reader_free(r);
		fclose(f);
	}
}

static int open_changed(char *buf, size_t len, size_t at, const void *bytes, size_t n,
			struct stream_reader **r, FILE **f)
{
	memcpy(buf + at, bytes, n);
	*f = fmemopen(buf, len, "rb");
	return stream_reader_new(*f, r);
}

static void test_refused(void **state)
{
	char buf[512];
	struct stream_reader *r = NULL;
	uint16_t size;
	const void *rec;
	size_t len = record(buf, sizeof(buf), true), got;
	FILE *f;

	(void)state;
	assert_int_equal(open_changed(buf, len, 0, "X", 1, &r, &f), -EBADMSG);
	fclose(f);
	assert_int_equal(open_changed(buf, len, 0, "LMMSREC1\1\2\3\4", 12, &r, &f), -EPROTO);
	fclose(f);
	(void)record(buf, sizeof(buf), true);
	assert_int_equal(open_changed(buf, len, 12, "\7", 1, &r, &f), -EPROTO);
	fclose(f);
	assert_null(r);
	for (int i = 0; i < 2; i++) {
		(void)record(buf, sizeof(buf), true);
		size = i == 0 ? 31 : 0xffff;
		assert_int_equal(open_changed(buf, len, 16 + offsetof(struct lmmsd_hdr, size),
					      &size, 2, &r, &f),
				 0);
		/* longer than what is left: cut off */
		assert_int_equal(stream_read(r, &rec, &got), i == 0 ? -EBADMSG : -ENODATA);
		stream_reader_free(r);
		fclose(f);
	}
}

static void test_write_error(void **state)
{
	FILE *f = fopen("/dev/full", "wb");
	struct lmmsd_hdr h = {0};
	struct stream_writer *w;
	struct rec r;
	int res = 0;

	(void)state;
	assert_non_null(f);
	assert_int_equal(stream_writer_new(f, &w), 0);
	rec_begin(&r, 1000, &h, sizeof(h));
	for (int i = 0; i < 1000 && res == 0; i++)
		res = stream_write(w, r.bytes, r.len);
	assert_int_equal(res, -ENOSPC);
	assert_int_equal(stream_writer_finish(w), -ENOSPC);
	stream_writer_free(w);
	fclose(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),  cmocka_unit_test(test_own_end),
		cmocka_unit_test(test_cut),	    cmocka_unit_test(test_refused),
		cmocka_unit_test(test_write_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
