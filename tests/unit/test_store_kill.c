/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
// tier: test: hundreds of killed writers
// wrap: clock_gettime pthread_cond_timedwait
/* Killed at any instant: nothing but what is stated is lost, and the kill is counted. */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "unit/fake_store.h"

#define KILLS 20 /* with LMMSD_TIER=all 200 */

static uint64_t rng_next(uint64_t *state)
{
	uint64_t x = *state += 0x9e3779b97f4a7c15;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

/* What the child said before it was killed. */
struct said {
	_Atomic uint64_t put, committed, waited_ms;
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
		said->put = i + 1;
		if (fake_put(s, &f, fake_noon((int)(i % 3))) < 0)
			break;
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
	const char *tier = getenv("LMMSD_TIER");
	int kills = tier && !strcmp(tier, "all") ? 10 * KILLS : KILLS;
	uint64_t seed = 2023;
	int64_t before = 0;

	assert_ptr_not_equal(said, MAP_FAILED);
	s->options.commit_ms = 3;
	s->options.fold_ms = 7; /* so that folds are hit too */
	fake_store_open(s);
	fake_store_close(s);
	for (int i = 0; i < kills; i++) {
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

/* ---- a clock that the test sets, and for what time the writer waits on it */

static struct {
	pthread_mutex_t lock;
	bool on;
	uint64_t now_ms, until_ms;
	unsigned int waits; /* how many there were */
	pthread_cond_t waited;
	pthread_cond_t *wake; /* of the writer, with its lock */
	pthread_mutex_t *wake_lock;
} clock_set = {.lock = PTHREAD_MUTEX_INITIALIZER, .waited = PTHREAD_COND_INITIALIZER};

int __real_clock_gettime(clockid_t id, struct timespec *ts);
int __wrap_clock_gettime(clockid_t id, struct timespec *ts);
int __real_pthread_cond_timedwait(pthread_cond_t *c, pthread_mutex_t *m, const struct timespec *ts);
int __wrap_pthread_cond_timedwait(pthread_cond_t *c, pthread_mutex_t *m, const struct timespec *ts);

int __wrap_clock_gettime(clockid_t id, struct timespec *ts)
{
	int r = __real_clock_gettime(id, ts);

	(void)pthread_mutex_lock(&clock_set.lock);
	if (clock_set.on && id == CLOCK_MONOTONIC) {
		ts->tv_sec = (time_t)(clock_set.now_ms / 1000);
		ts->tv_nsec = (long)(clock_set.now_ms % 1000) * 1000000;
	}
	(void)pthread_mutex_unlock(&clock_set.lock);
	return r;
}

/* Only the test lets time pass: the wait ends when somebody wakes it. */
int __wrap_pthread_cond_timedwait(pthread_cond_t *c, pthread_mutex_t *m, const struct timespec *ts)
{
	if (!clock_set.on)
		return __real_pthread_cond_timedwait(c, m, ts);
	(void)pthread_mutex_lock(&clock_set.lock);
	clock_set.wake = c;
	clock_set.wake_lock = m;
	clock_set.until_ms = (uint64_t)ts->tv_sec * 1000 + (uint64_t)ts->tv_nsec / 1000000;
	clock_set.waits++;
	(void)pthread_cond_broadcast(&clock_set.waited);
	(void)pthread_mutex_unlock(&clock_set.lock);
	return pthread_cond_wait(c, m);
}

/* The writer's wait of this number: until when. */
static uint64_t writer_waits(unsigned int number)
{
	uint64_t until;

	(void)pthread_mutex_lock(&clock_set.lock);
	while (clock_set.waits < number)
		(void)pthread_cond_wait(&clock_set.waited, &clock_set.lock);
	until = clock_set.until_ms;
	(void)pthread_mutex_unlock(&clock_set.lock);
	return until;
}

static void time_passes(uint64_t until_ms)
{
	(void)pthread_mutex_lock(&clock_set.lock);
	clock_set.now_ms = until_ms;
	(void)pthread_mutex_unlock(&clock_set.lock);
	(void)pthread_mutex_lock(clock_set.wake_lock);
	(void)pthread_cond_broadcast(clock_set.wake);
	(void)pthread_mutex_unlock(clock_set.wake_lock);
}

/* Puts one run, and lets as much time pass as the writer lets it wait; says both to the test. */
static _Noreturn void child_on_a_set_clock(struct fake_store *s, struct said *said)
{
	struct store_stats stats = {0};
	struct fake f;
	uint64_t until;

	clock_set.now_ms = 1000000;
	clock_set.on = true;
	if (store_open_writer(s->path, &s->options, &s->w, NULL, s->reason) < 0)
		_exit(3);
	(void)writer_waits(1);
	fake_init(&f);
	fake_run(s, &f, "shop", 1);
	if (fake_put(s, &f, fake_noon(0)) < 0)
		_exit(4);
	until = writer_waits(2);
	said->waited_ms = until - 1000000;
	store_writer_stats(s->w, &stats);
	if (stats.committed)
		_exit(5);
	time_passes(until);
	while (!stats.committed) {
		(void)sched_yield();
		store_writer_stats(s->w, &stats);
	}
	said->committed = stats.committed;
	for (;;)
		(void)pause();
}

/* With the defaults: a run is committed within the stated 5 s, and then no kill takes it away. */
static void test_the_stated_loss(void **state)
{
	struct fake_store *s = *state;
	struct said *said = mmap(NULL, sizeof(*said), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	const struct timespec tick = {0, 1000000};
	int status;
	pid_t pid;

	assert_ptr_not_equal(said, MAP_FAILED);
	s->options = store_default_options;
	s->options.keep_days = 100000;
	pid = fork();
	if (pid == 0)
		child_on_a_set_clock(s, said);
	while (!said->committed && waitpid(pid, &status, WNOHANG) == 0)
		(void)nanosleep(&tick, NULL); /* lint: allow(sleeps) a poll */
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_in_range(said->waited_ms, 1, STORE_LOSS_S * 1000);
	fake_assert_clean(s->path);
	assert_int_equal(fake_count(s->path, "SELECT count(*) FROM run"), 1);
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
