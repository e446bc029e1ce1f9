/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* app/aside: a job that waits for something keeps nobody else waiting. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "app/aside.h"
#include "base/cleanup.h"

#define WAIT_MS 10000

/* Works until its pipe is written to, or is closed. */
struct job {
	int gate;
	atomic_int works, ends;
};

struct owner {
	struct aside *a;
	struct job *job;
	int gate, told;
};

static sd_event *event;
static struct job job;

static void do_work(void *arg)
{
	struct job *j = arg;
	char c;

	(void)!read(j->gate, &c, 1);
	j->works++;
}

static void do_end(void *arg)
{
	struct job *j = arg;

	j->ends++;
}

static void on_done(void *arg)
{
	struct owner *o = arg;

	o->told++;
}

static const struct aside_ops ops = {do_work, do_end, on_done};

static void begin(struct owner *o)
{
	int p[2];

	assert_int_equal(pipe(p), 0);
	job = (struct job){.gate = p[0]};
	*o = (struct owner){.gate = p[1], .job = &job};
	assert_int_equal(aside_new(event, &ops, &job, o, &o->a), 0);
}

static void open_gate(struct owner *o)
{
	assert_int_equal(write(o->gate, "", 1), 1);
}

static void end(struct owner *o)
{
	assert_int_equal(close(o->gate), 0);
	assert_int_equal(close(job.gate), 0);
}

static void test_one_after_the_other(void **state _unused_)
{
	struct owner o;

	begin(&o);
	for (int i = 1; i <= 3; i++) {
		assert_false(aside_busy(o.a));
		aside_begin(o.a);
		assert_true(aside_busy(o.a));
		assert_true(sd_event_run(event, 0) >= 0);
		assert_int_equal(o.told, i - 1);
		open_gate(&o);
		for (int k = 0; k < 10 && o.told < i; k++)
			assert_true(sd_event_run(event, WAIT_MS * 1000ull) >= 0);
		assert_int_equal(o.told, i);
	}
	o.a = aside_free(o.a, WAIT_MS);
	assert_int_equal(job.works, 3);
	assert_int_equal(job.ends, 1);
	end(&o);
}

static void test_wait(void **state _unused_)
{
	struct owner o;

	begin(&o);
	assert_true(aside_wait(o.a, WAIT_MS));
	aside_begin(o.a);
	assert_false(aside_wait(o.a, 1));
	assert_int_equal(o.told, 0);
	open_gate(&o);
	assert_true(aside_wait(o.a, WAIT_MS));
	assert_int_equal(o.told, 1);
	assert_true(sd_event_run(event, 0) >= 0);
	assert_int_equal(o.told, 1);
	o.a = aside_free(o.a, WAIT_MS);
	assert_int_equal(job.ends, 1);
	end(&o);
}

/* Its owner is gone, it ends by itself: what is lost is for the sanitizer to see. */
static void test_end_while_it_works(void **state _unused_)
{
	struct owner o;

	begin(&o);
	aside_begin(o.a);
	o.a = aside_free(o.a, 1);
	assert_int_equal(job.ends, 0);
	open_gate(&o);
	for (int i = 0; i < WAIT_MS && !job.ends; i++)
		(void)usleep(1000); /* lint: allow(sleeps) a bounded poll */
	assert_int_equal(job.works, 1);
	assert_int_equal(job.ends, 1);
	assert_int_equal(o.told, 0);
	end(&o);
}

/* What was begun last is done before the end. */
static void test_end_of_what_was_begun(void **state _unused_)
{
	struct owner o;

	begin(&o);
	open_gate(&o);
	aside_begin(o.a);
	o.a = aside_free(o.a, WAIT_MS);
	assert_int_equal(job.works, 1);
	assert_int_equal(job.ends, 1);
	end(&o);
}

static int set_up(void **state _unused_)
{
	return sd_event_new(&event) < 0 ? -1 : 0;
}

static int tear_down(void **state _unused_)
{
	(void)sd_event_unref(event);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_after_the_other),
		cmocka_unit_test(test_wait),
		cmocka_unit_test(test_end_while_it_works),
		cmocka_unit_test(test_end_of_what_was_begun),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
