/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
// tier: test: hundreds of killed writers
/* Killed at any instant: nothing but what is stated is lost, and the kill is counted. */
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "unit/fake_store.h"

#define KILLS 200

static uint64_t rng_next(uint64_t *state)
{
	uint64_t x = *state += 0x9e3779b97f4a7c15;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

/* What the child said before it was killed. */
struct said {
	_Atomic uint64_t put, committed;
	_Atomic uint64_t put_at_ms[1 << 20];
};

static _Noreturn void child(struct fake_store *s, struct said *said, unsigned int pause_us)
{
	struct store_stats stats = {0};
	struct fake f;

	if (store_open_writer(s->path, &s->options, &s->w, NULL, s->reason) < 0)
		_exit(3);
	fake_init(&f);
	for (uint32_t i = 0; i < 1 << 20; i++) {
		const struct timespec pause = {0, (long)pause_us * 1000};

		if (i % 64 == 0) {
			fake_free(&f);
			fake_init(&f);
		}
		s->pid = 1000 + i;
		fake_run(s, &f, i % 3 ? "shop" : "batch", 1);
		f.p->ended = i % 5 != 0 || i % 2; /* some are checkpoints */
		if (fake_put(s, &f, fake_noon((int)(i % 3))) < 0)
			break;
		said->put_at_ms[i] = fake_now_ms();
		said->put = i + 1;
		store_writer_stats(s->w, &stats);
		said->committed = stats.committed;
		(void)nanosleep(&pause, NULL); /* lint: allow(sleeps) the pace of the load */
	}
	for (;;)
		(void)pause();
}

static void kill_after(struct fake_store *s, struct said *said, uint64_t us,
		       uint64_t least_committed, unsigned int pause_us)
{
	const struct timespec delay = {(time_t)(us / 1000000), (long)(us % 1000000) * 1000};
	const struct timespec tick = {0, 200000};
	int status;
	pid_t pid;

	said->put = said->committed = 0;
	pid = fork();
	if (pid == 0)
		child(s, said, pause_us);
	while (said->committed < least_committed && waitpid(pid, &status, WNOHANG) == 0)
		(void)nanosleep(&tick, NULL); /* lint: allow(sleeps) a poll */
	(void)nanosleep(&delay, NULL);	      /* lint: allow(sleeps) the random instant */
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
}

static void test_killed_at_random_instants(void **state)
{
	struct fake_store *s = *state;
	struct said *said = mmap(NULL, sizeof(*said), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t seed = 2023;
	int64_t before = 0;

	assert_ptr_not_equal(said, MAP_FAILED);
	s->options.commit_ms = 3;
	s->options.fold_ms = 7; /* so that folds are hit too */
	fake_store_open(s);
	fake_store_close(s);
	for (int i = 0; i < KILLS; i++) {
		int64_t after;

		kill_after(s, said, rng_next(&seed) % 40000, i % 4 != 0, 50);
		fake_assert_clean(s->path);
		after = fake_count(s->path, "SELECT count(*) FROM run");
		/* what the writer had called committed is there, and nothing twice */
		assert_in_range(after - before, said->committed, said->put);
		before = after;
	}
	s->options = store_default_options;
	s->options.keep_days = 100000;
	fake_store_open(s);
	fake_store_flush(s);
	assert_int_equal(fake_count(s->path, "SELECT count(*) FROM run WHERE state = 2"), before);
	fake_assert_clean(s->path);
	assert_int_equal(munmap(said, sizeof(*said)), 0);
}

/* With the defaults: what was put more than the stated 5 s before is there. */
static void test_the_stated_loss(void **state)
{
	struct fake_store *s = *state;
	struct said *said = mmap(NULL, sizeof(*said), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t killed, old = 0;

	assert_ptr_not_equal(said, MAP_FAILED);
	s->options = store_default_options;
	s->options.keep_days = 100000;
	kill_after(s, said, 6000000, 1, 1000);
	killed = fake_now_ms();
	while (old < said->put && said->put_at_ms[old] + STORE_LOSS_S * 1000 < killed)
		old++;
	assert_true(old > 0);
	fake_assert_clean(s->path);
	assert_in_range(fake_count(s->path, "SELECT count(*) FROM run"), old, said->put);
	assert_int_equal(munmap(said, sizeof(*said)), 0);
}

static void test_a_kill_is_counted(void **state)
{
	struct fake_store *s = *state;
	struct store_open_report report = {0};

	for (int i = 0; i < 2; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			fake_store_open(s);
			fake_store_flush(s);
			(void)kill(getpid(), SIGKILL);
		}
		assert_true(pid > 0);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
	}
	for (int i = 0; i < 2; i++) {
		assert_int_equal(store_open_writer(s->path, &s->options, &s->w, &report, s->reason),
				 0);
		/* the second daemon of these was killed, and counted the first; the third counts it; then all is in order */
		assert_int_equal(report.killed, i == 0);
		fake_store_close(s);
		assert_int_equal(fake_count(s->path,
					    "SELECT count FROM lost_day WHERE reason = 'killed'"),
				 2);
	}
}

#define WITH_STORE(f) cmocka_unit_test_setup_teardown(f, fake_store_setup, fake_store_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_STORE(test_killed_at_random_instants),
		WITH_STORE(test_the_stated_loss),
		WITH_STORE(test_a_kill_is_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
