/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * A recorded event stream: 16 bytes "LMMSREC1", u32 0x01020304 in the writer's byte order, u32 LMMSD_ABI, then
 * records as they came, each padded with zeros to 8 bytes. The last record is LMMSD_EV_END; without it the stream was cut.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct stream_writer;
/* Writes the header. f: borrowed. */
int stream_writer_new(FILE *f, struct stream_writer **ret);
/* Writes as much as the record says it is; -EINVAL when that is more than len. */
int stream_write(struct stream_writer *w, const void *rec, size_t len);
/*
 * Adds an end record with the latest time seen, unless the last one written was an end record (of a caller that
 * knows when the observation stopped); flushes; the first error of all writes.
 */
int stream_writer_finish(struct stream_writer *w);
struct stream_writer *stream_writer_free(struct stream_writer *w); /* NULL */

struct stream_reader;
/* -EBADMSG: no recording; -EPROTO: another byte order or abi. f: borrowed. */
int stream_reader_new(FILE *f, struct stream_reader **ret);
/*
 * 1: a record, borrowed until the next call; 0: the end record was the last one given; -ENODATA: the file ended without one;
 * -EBADMSG: sizes that cannot be; other negative errno.
 */
int stream_read(struct stream_reader *r, const void **ret_rec, size_t *ret_len);
struct stream_reader *stream_reader_free(struct stream_reader *r); /* NULL */
