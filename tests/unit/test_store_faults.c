/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* A disk that is full, one that does not answer, one that fails: nothing but what is stated is lost. */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "unit/fake_store.h"
#include "unit/gate_vfs.h"

/* ---- a disk that will not */

static void put_many(struct fake_store *s, int n, int *ret_dropped)
{
	struct fake f;

	*ret_dropped = 0;
	for (int i = 0; i < n; i++) {
		int r;

		fake_init(&f);
		fake_run(s, &f, "shop", 1);
		r = fake_put(s, &f, fake_noon(0));
		assert_true(r == 0 || r == -ENOBUFS);
		*ret_dropped += r < 0;
		fake_free(&f);
	}
}

/* All that was not dropped is there, and the drops are on record. */
static void assert_recovered(struct fake_store *s, int want, int dropped)
{
	uint64_t lost[LMMSD_LOST_MAX];
	struct store_stats stats;
	struct mdl_history *h;
	struct store *r;

	fake_store_flush(s);
	store_writer_stats(s->w, &stats);
	assert_int_equal(stats.committed, want);
	assert_int_equal(stats.dropped, dropped);
	assert_int_equal(stats.last_error, 0);
	assert_int_equal(stats.queued, 0);
	h = fake_history(s, "shop", 0, 1);
	assert_int_equal(h->runs_plain, want);
	h = store_history_free(h);
	r = fake_store_reader(s, STORE_READ);
	assert_int_equal(store_losses(r, store_today() - 1, store_today() + 2, lost), 0);
	assert_int_equal(lost[LMMSD_LOST_STORE_FULL], dropped);
	r = store_close(r);
}

static void test_no_more_room_in_files(void **state)
{
	struct fake_store *s = *state;
	struct rlimit was, none;
	struct store_stats stats;
	int dropped;

	s->options.queue_runs = 50;
	fake_store_open(s);
	fake_put_run(s, "shop", 1, fake_noon(0));
	fake_store_flush(s);
	assert_true(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
	none = was;
	none.rlim_cur = 1;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	put_many(s, 10, &dropped);
	assert_int_equal(dropped, 0);
	fake_wait(s, fake_errors, 2);
	store_writer_stats(s->w, &stats);
	assert_true(stats.last_error == -EIO || stats.last_error == -ENOSPC);
	assert_true(stats.error[0]);
	assert_int_equal(store_flush(s->w, 50), stats.last_error);
	put_many(s, 200, &dropped);
	assert_int_equal(dropped, 160);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
	assert_recovered(s, 51, 160);
}

static void fill_disk(const char *path)
{
	char block[4096] = {1};
	int fd = open(path, O_CREAT | O_WRONLY, 0600);

	assert_true(fd >= 0);
	while (write(fd, block, sizeof(block)) > 0)
		;
	assert_int_equal(errno, ENOSPC);
	assert_int_equal(close(fd), 0);
}

static void test_a_full_disk(void **state)
{
	struct fake_store *s = *state;
	char filler[128];
	int dropped;

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("tmpfs", s->dir, "tmpfs", 0, "size=8m") < 0) {
		print_message("SKIP a full disk: no mounts here\n");
		skip();
	}
	(void)snprintf(filler, sizeof(filler), "%s/filler", s->dir);
	s->options.queue_runs = 500;
	fake_store_open(s);
	put_many(s, 100, &dropped);
	fake_store_flush(s);
	fill_disk(filler);
	put_many(s, 2000, &dropped);
	fake_wait(s, fake_errors, 3);
	assert_true(dropped > 0);
	assert_int_equal(unlink(filler), 0);
	assert_recovered(s, 2100 - dropped, dropped);
	fake_store_close(s);
	fake_assert_clean(s->path);
	assert_int_equal(umount2(s->dir, MNT_DETACH), 0);
}

static void test_a_disk_that_does_not_answer(void **state)
{
	struct fake_store *s = *state;
	struct mdl_history *h;
	uint64_t start;
	int dropped;

	s->options.queue_runs = 100;
	fake_store_open(s);
	fake_put_run(s, "shop", 1, fake_noon(0));
	fake_store_flush(s);
	gate_set(true, SQLITE_OK, SQLITE_OK);
	start = fake_now_ms();
	put_many(s, 1000, &dropped);
	while (!gate_has_waiting())
		(void)sched_yield();
	/* it is written from, yet whoever puts does not wait, and readers read */
	assert_true(fake_now_ms() - start < 5000);
	assert_int_equal(dropped, 900);
	assert_int_equal(store_flush(s->w, 20), -ETIMEDOUT);
	h = fake_history(s, "shop", 0, 1);
	assert_int_equal(h->runs_plain, 1);
	h = store_history_free(h);
	gate_set(false, SQLITE_OK, SQLITE_OK);
	assert_recovered(s, 101, 900);
}

static void test_a_disk_that_fails_for_a_while(void **state)
{
	struct fake_store *s = *state;
	int dropped;

	fake_store_open(s);
	gate_set(false, SQLITE_IOERR_WRITE, SQLITE_OK);
	put_many(s, 100, &dropped);
	fake_wait(s, fake_errors, 3);
	gate_set(false, SQLITE_OK, SQLITE_OK);
	assert_recovered(s, 100, 0);
	fake_store_close(s);
	fake_assert_clean(s->path);
}

static void test_closing_does_not_wait_for_ever(void **state)
{
	struct fake_store *s = *state;
	uint64_t start = fake_now_ms();
	int dropped;

	fake_store_open(s);
	gate_set(false, SQLITE_IOERR_WRITE, SQLITE_OK);
	put_many(s, 10, &dropped);
	fake_wait(s, fake_errors, 1);
	s->w = store_close_writer(s->w, 100);
	gate_set(false, SQLITE_OK, SQLITE_OK);
	assert_true(fake_now_ms() - start < 8000);
	fake_store_open(s);
}

/* Someone else holds the database's lock for longer than a try lasts. */
static void test_a_database_that_is_locked(void **state)
{
	struct fake_store *s = *state;
	int dropped;
	sqlite3 *h;

	fake_store_open(s);
	assert_int_equal(sqlite3_open(s->path, &h), SQLITE_OK);
	assert_int_equal(sqlite3_exec(h, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	put_many(s, 100, &dropped);
	fake_wait(s, fake_errors, 2);
	assert_int_equal(sqlite3_exec(h, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(h), SQLITE_OK);
	assert_recovered(s, 100, 0);
}

/* Damage that shows while it is in use: kept aside, and what is queued goes into the new one. */
static void test_damage_while_in_use(void **state)
{
	struct fake_store *s = *state;
	struct store_stats stats;
	struct mdl_history *h;
	int dropped;

	fake_store_open(s);
	put_many(s, 100, &dropped);
	fake_store_flush(s);
	gate_set(false, SQLITE_CORRUPT, SQLITE_OK);
	put_many(s, 5, &dropped);
	fake_wait(s, fake_errors, 1);
	gate_set(false, SQLITE_OK, SQLITE_OK);
	fake_store_flush(s);
	store_writer_stats(s->w, &stats);
	assert_int_equal(stats.last_error, 0);
	h = fake_history(s, "shop", 0, 1);
	/* it was sound after all, or it stands aside */
	assert_int_equal(h->runs_plain, stats.moved_aside[0] ? 5 : 105);
	h = store_history_free(h);
}

/* ---- the clock */

static int64_t clock_now(void *arg)
{
	return *(_Atomic int64_t *)arg;
}

static void test_a_clock_that_jumps(void **state)
{
	static _Atomic int64_t now;
	struct fake_store *s = *state;
	struct store_stats stats;
	struct mdl_history *h;

	now = fake_noon(20);
	s->options.now_ns = clock_now;
	s->options.now_arg = &now;
	s->options.keep_days = 30;
	fake_store_open(s);
	for (int i = 0; i < 10; i++)
		fake_put_run(s, "shop", 1, fake_noon(20) + i);
	now = fake_noon(20000); /* far ahead: nothing is old because of that */
	for (int i = 0; i < 10; i++)
		fake_put_run(s, "shop", 1, now + i);
	fake_store_flush(s);
	now = fake_noon(2); /* and back */
	for (int i = 0; i < 10; i++)
		fake_put_run(s, "shop", 1, now + i);
	fake_put_run(s, "shop", 1, fake_noon(1));
	fake_store_flush(s);
	store_writer_stats(s->w, &stats);
	assert_int_equal(stats.pruned, 0);
	assert_int_equal(stats.errors, 0);
	fake_store_close(s);
	fake_assert_clean(s->path);
	h = fake_history(s, "shop", 0, 30);
	assert_int_equal(h->runs_plain, 21);
	h = store_history_free(h);
	h = fake_history(s, "shop", -20000, 30000);
	assert_int_equal(h->runs_plain, 31);
	assert_int_equal(h->n_days, 4);
	h = store_history_free(h);
}

#define WITH_STORE(f) cmocka_unit_test_setup_teardown(f, fake_store_setup, fake_store_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_STORE(test_no_more_room_in_files),
		WITH_STORE(test_a_disk_that_does_not_answer),
		WITH_STORE(test_a_disk_that_fails_for_a_while),
		WITH_STORE(test_closing_does_not_wait_for_ever),
		WITH_STORE(test_a_database_that_is_locked),
		WITH_STORE(test_damage_while_in_use),
		WITH_STORE(test_a_clock_that_jumps),
		WITH_STORE(test_a_full_disk), /* last: it leaves the mounts of the others */
	};
	gate_install();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
