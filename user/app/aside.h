/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Work that a disk may keep waiting for as long as it likes, off the daemon's loop: a thread that has one job, over and over. While it
 * works the job is the thread's, else its owner's, who is on the loop.
 */
#pragma once
#include <stdbool.h>
#include <systemd/sd-event.h>

struct aside_ops {
	void (*work)(void *job);   /* on the thread */
	void (*end)(void *job);	   /* on the thread, at the end: frees it */
	void (*done)(void *owner); /* on the loop: the job is the owner's again */
};

struct aside;
/* event, ops, owner: borrowed. job: taken, when it goes well. */
int aside_new(sd_event *event, const struct aside_ops *ops, void *job, void *owner,
	      struct aside **ret);
bool aside_busy(const struct aside *a);
/* Only while it is not busy. */
void aside_begin(struct aside *a);
/* Without the loop: until the job is done, at most so many ms, and it was told. false: it goes on. */
bool aside_wait(struct aside *a, unsigned int ms);
/*
 * Ends the job when what is begun is done, of which nothing is told; waits for that at most so many ms. NULL: what goes on frees
 * itself.
 */
struct aside *aside_free(struct aside *a, unsigned int ms);
