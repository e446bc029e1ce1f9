/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* A whole session: what it leaves in the kernel and in memory when its processes are over, whatever was lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app/session.h"
#include "probe/procfs.h"
#include "rig.h"

#define RUNS 50
#define QUEUE (16 << 20)

struct bench {
	struct session *session;
	struct target *target;
	int fd;
	size_t ended;  /* processes that were handed out */
	size_t unseen; /* ... whose end was not seen */
};

static void on_process(void *arg, struct mdl_process *p)
{
	struct bench *b = arg;

	b->ended++;
	b->unseen += p->end_unseen;
	(void)graph_process_free(p);
}

static void begin(struct bench *b, size_t max_processes, size_t queue_bytes)
{
	struct session_params p = {
		.probe = rig_options(),
		.limits = graph_default_limits,
		.queue_bytes = queue_bytes,
	};
	const char *what;
	uint32_t interp;

	p.limits.processes = max_processes;
	*b = (struct bench){.fd = open(RIG_PYTHON, O_RDONLY | O_CLOEXEC)};
	if (b->fd < 0 || target_open(b->fd, RIG_PYTHON, TARGET_WANT_AUTO, &b->target) ||
	    !b->target->is_python || b->target->refused)
		skip();
	assert_int_equal(session_new(&p, &b->session, &what), 0);
	session_on_process(b->session, on_process, b);
	assert_int_equal(probe_attach(session_probe(b->session), b->fd, b->target, &interp), 0);
}

static void end(struct bench *b)
{
	b->session = session_free(b->session);
	b->target = target_free(b->target);
	closep(&b->fd);
}

#define PROGRAM                                                                                    \
	"import json, colorsys\n"                                                                  \
	"def f():\n"                                                                               \
	"    import colorsys\n"                                                                    \
	"f()\n"

static void python(struct bench *b)
{
	struct rig g = {.probe = session_probe(b->session)};

	(void)rig_python(&g, PROGRAM);
}

/* One that has imported all that it will, and goes on until its pipe is closed. */
static pid_t python_that_goes_on(struct bench *b, int *ret_hold)
{
	struct rig g = {.probe = session_probe(b->session)};
	int up[2], hold[2];
	char code[256], c;
	pid_t pid;

	assert_int_equal(pipe2(hold, 0), 0);
	assert_int_equal(pipe2(up, 0), 0);
	assert_int_equal(fcntl(hold[1], F_SETFD, FD_CLOEXEC), 0);
	(void)snprintf(code, sizeof(code), PROGRAM "import os; os.write(%d, b'x'); os.read(%d, 1)",
		       up[1], hold[0]);
	pid = rig_start(&g, (const char *const[]){RIG_PYTHON, "-I", "-S", "-c", code, NULL});
	assert_int_equal(read(up[0], &c, 1), 1);
	(void)close(up[0]);
	(void)close(up[1]);
	(void)close(hold[0]);
	*ret_hold = hold[1];
	return pid;
}

static void let_end(pid_t pid, int hold)
{
	int status;

	(void)close(hold);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static size_t keys(const struct bench *b)
{
	struct lmmsd_use_key k[PROBE_USE_SOME];
	uint32_t some, pos = 0;
	size_t n = 0;
	int r;

	do {
		some = ARRAY_LEN(k);
		r = probe_use_some(session_probe(b->session), &pos, k, &some);
		n += some;
	} while (!r);
	assert_int_equal(r, -ENOENT);
	return n;
}

static uint64_t live(const struct bench *b)
{
	struct session_counts c;

	session_counts(b->session, &c);
	return c.graph.processes_live;
}

/* importlib's helpers in C import _io for each file: none of the keys of that stays. */
static void no_key_outlives_its_process(void **state)
{
	struct bench b;

	(void)state;
	begin(&b, 1024, QUEUE);
	for (int i = 0; i < RUNS; i++)
		python(&b);
	assert_true(keys(&b) >= RUNS);
	assert_int_equal(session_flush(b.session), 0);
	assert_int_equal(b.ended, RUNS);
	assert_int_equal(keys(&b), 0);
	end(&b);
}

/* runpy calls __import__ with a package's name alone, and nobody stands behind it who asked. */
static void no_key_of_runpy_stays(void **state)
{
	static const char *const argv[] = {RIG_PYTHON, "-I", "-S", "-m", "email.encoders", NULL};
	struct bench b;

	(void)state;
	begin(&b, 1024, QUEUE);
	for (int i = 0; i < RUNS; i++) {
		struct rig g = {.probe = session_probe(b.session)};

		(void)rig_run(&g, argv);
	}
	assert_int_equal(session_flush(b.session), 0);
	assert_int_equal(b.ended, RUNS);
	assert_int_equal(keys(&b), 0);
	end(&b);
}

/* Of processes that found no room: taken away at the second look, and not while they live. */
static void keys_of_nobody_are_swept(void **state)
{
	struct bench b;
	size_t before, theirs;
	int hold;
	pid_t pid;

	(void)state;
	begin(&b, 0, QUEUE);
	python(&b);
	before = keys(&b);
	pid = python_that_goes_on(&b, &hold);
	assert_int_equal(session_flush(b.session), 0);
	assert_true(before > 0);
	theirs = keys(&b) - before;
	assert_true(theirs > 0);
	assert_int_equal(session_tidy(b.session), 0);
	assert_int_equal(keys(&b), before + theirs);
	assert_int_equal(session_tidy(b.session), 0);
	assert_int_equal(keys(&b), theirs);
	assert_int_equal(session_tidy(b.session), 0);
	assert_int_equal(keys(&b), theirs);
	let_end(pid, hold);
	assert_int_equal(session_flush(b.session), 0);
	assert_int_equal(session_tidy(b.session), 0);
	assert_int_equal(session_tidy(b.session), 0);
	assert_int_equal(keys(&b), 0);
	end(&b);
}

/* Keys of processes that are kept, and that the kernel and user space know, stay and count. */
static void keys_of_the_living_stay(void **state)
{
	struct bench b;
	size_t n;
	int hold;
	pid_t pid;

	(void)state;
	begin(&b, 1024, QUEUE);
	pid = python_that_goes_on(&b, &hold);
	assert_int_equal(session_flush(b.session), 0);
	n = keys(&b);
	assert_true(n > 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(session_tidy(b.session), 0);
	assert_int_equal(keys(&b), n);
	assert_int_equal(live(&b), 1);
	let_end(pid, hold);
	assert_int_equal(session_flush(b.session), 0);
	assert_int_equal(b.ended, 1);
	assert_int_equal(b.unseen, 0);
	assert_int_equal(keys(&b), 0);
	end(&b);
}

/* The queue was full when it ended: it is not taken for running for ever. */
static void an_end_that_was_lost_is_found_out(void **state)
{
	uint64_t lost[LMMSD_LOST_MAX];
	struct bench b;

	(void)state;
	begin(&b, 1024, 4096);
	python(&b);
	assert_int_equal(session_flush(b.session), 0);
	session_lost(b.session, lost);
	assert_true(lost[LMMSD_LOST_QUEUE_FULL] > 0);
	assert_int_equal(live(&b), 1);
	assert_int_equal(session_tidy(b.session), 0);
	assert_int_equal(live(&b), 1);
	assert_int_equal(session_tidy(b.session), 0);
	assert_int_equal(live(&b), 0);
	assert_int_equal(b.ended, 1);
	assert_int_equal(b.unseen, 1);
	assert_int_equal(session_tidy(b.session), 0);
	assert_int_equal(session_tidy(b.session), 0);
	assert_int_equal(keys(&b), 0);
	end(&b);
}

/* The kernel side does not follow it, but it runs: only /proc tells that it has not ended. */
static void the_living_are_not_ended(void **state)
{
	_close_ int proc = -EBADF;
	uint8_t rec[PROCFS_RECORD_MAX];
	struct procfs_clock clock;
	struct bench b;
	int hold[2], status;
	size_t len;
	pid_t pid;

	(void)state;
	begin(&b, 1024, QUEUE);
	assert_int_equal(pipe2(hold, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)close(hold[1]);
		_exit(read(hold[0], &status, 1) == 0 ? 0 : 1);
	}
	assert_int_equal(procfs_open("/proc", &proc), 0);
	procfs_clock_now(&clock);
	assert_int_equal(procfs_proc_record(proc, -EBADF, (uint32_t)pid, 0, &clock, rec, &len), 0);
	assert_int_equal(sink_put(session_sink(b.session), rec, len), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(session_tidy(b.session), 0);
	assert_int_equal(live(&b), 1);
	(void)close(hold[0]);
	let_end(pid, hold[1]);
	assert_int_equal(session_tidy(b.session), 0);
	assert_int_equal(session_tidy(b.session), 0);
	assert_int_equal(live(&b), 0);
	assert_int_equal(b.unseen, 1);
	end(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_key_outlives_its_process),
		cmocka_unit_test(no_key_of_runpy_stays),
		cmocka_unit_test(keys_of_nobody_are_swept),
		cmocka_unit_test(keys_of_the_living_stay),
		cmocka_unit_test(an_end_that_was_lost_is_found_out),
		cmocka_unit_test(the_living_are_not_ended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
