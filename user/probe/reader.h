/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * The reader of the ring: a thread that does nothing but move records into a bounded queue, so that no attach, file
 * or disk of the rest can make the kernel's ring overflow.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct reader;
/* ring_fd: the ring buffer map, borrowed. max_bytes: of the queue. */
int reader_start(int ring_fd, size_t max_bytes, struct reader **ret);
/* Readable when records wait. */
int reader_event_fd(const struct reader *r);
/* Moves what is in the ring now into the queue, without waiting for the thread's next round. */
int reader_kick(struct reader *r);
/*
 * Calls fn for each waiting record, in order; stops early when it returns negative, and returns that (the records behind
 * it are dropped and counted). Else the number of records.
 */
int reader_drain(struct reader *r, int (*fn)(void *arg, const void *rec, size_t len), void *arg);
uint64_t reader_dropped(const struct reader *r); /* queue was full */
uint64_t reader_records(const struct reader *r);
struct reader *reader_stop(struct reader *r); /* joins the thread; NULL */
static inline void reader_stopp(struct reader **r)
{
	(void)reader_stop(*r);
}
