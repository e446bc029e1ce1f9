/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
// wrap: malloc calloc realloc reallocarray strdup strndup
/* graph/ and decode/ when memory runs out: each allocation of a long story fails once, and from then on. */
#include <errno.h>
#include <stdlib.h>

#include "decode/decode.h"
#include "unit/evbuild.h"
#include "unit/no_memory.h"
#include "unit/recbuild.h"

static void tell_loads(struct story *s)
{
	const struct ev_where w = {.importer = "", .file = "", .func = ""};

	for (uint64_t i = 0; i < 80; i++) {
		char name[] = "p.aa";

		name[2] = (char)('a' + i / 26);
		name[3] = (char)('a' + i % 26);
		use(s, key(s, i, LMMSD_PLACE_MODULE, 0), name, "", 0,
		    where(AT_MODULE, "__main__", 1));
		load(s, 1000 + i * 10, 900, 1, name, "__main__", AT_MODULE);
		load(s, 1001 + i * 10, 800, 2, "p", "__main__", BY_IMPORTLIB);
		ext(s, 1002 + i * 10, "p", "/p.so");
		done(s, 1003 + i * 10, 800, 2);
		body(s, 1004 + i * 10, 850, 2, name, name, w);
		body_done(s, 1005 + i * 10, 850, 2);
		done(s, 1006 + i * 10, 900, 1);
		dist(s, name, "d", 0, "f");
	}
	for (uint64_t i = 0; i < 20; i++)
		load(s, 2000 + i, 900 - i, 10 + i, "deep", "m", AT_FUNC);
	use(s, key(s, 1000, LMMSD_PLACE_MODULE, 1), "rel", "pkg", 0, where(AT_MODULE, "pkg.m", 1));
}

static void tell_all(struct graph *g)
{
	struct story s = {.g = g, .tgid = 100, .tid = 100, .start_ns = 50, .may_fail = true}, t;
	struct mdl_process *m = NULL;
	int r;

	host(&s, true);
	interp(&s, LMMSD_INTERP_BODIES);
	proc(&s, 100, LMMSD_PROC_EXEC);
	body(&s, 200, 950, 0, "__main__", "/x.py", where(0, "", 0));
	tell_loads(&s);
	fork_to(&s, 3000, 200, 60);
	t = s;
	t.tid = 101;
	load(&t, 3001, 900, 1, "t", "m", AT_FUNC);
	r = graph_snapshot(g, 100, 50, 3002, &m);
	assert_true(r == 0 || r == -ENOMEM || r == -ESRCH);
	assert_true((r == 0) == (m != NULL));
	graph_process_free(m);
	leave(&s, 3010, 0, 0);
	while ((m = take(&s)))
		graph_process_free(m);
	assert_int_equal(graph_finish(g, 4000), 0);
	while ((m = take(&s)))
		graph_process_free(m);
}

/* With memory again, all is as ever. */
static void tell_after(struct graph *g)
{
	struct story s = {.g = g, .tgid = 300, .tid = 300, .start_ns = 70};
	struct mdl_process *m;

	proc(&s, 5000, LMMSD_PROC_EXEC);
	load(&s, 5100, 900, 1, "a", "__main__", AT_MODULE);
	load(&s, 5200, 800, 2, "b", "a", AT_MODULE);
	done(&s, 5300, 800, 2);
	done(&s, 5400, 900, 1);
	leave(&s, 5500, 0, 0);
	m = take(&s);
	assert_non_null(m);
	assert_int_equal(m->pid, 300);
	assert_int_equal(m->n_loads, 2);
	assert_int_equal(load_named(m, "a")->self_ns, 200);
	assert_true(edge_of(m, "a", "b")->loaded);
	graph_process_free(m);
	assert_null(take(&s));
}

static void test_graph(void **state)
{
	long n = 0;

	(void)state;
	for (int mode = 0; mode < 2; mode++) {
		bool failed = true;

		for (n = 0; failed; n++) {
			struct graph *g = NULL;
			int r;

			if (mode == 0)
				nomem_once(n);
			else
				nomem_from(n);
			r = graph_new(&graph_default_limits, &g);
			if (r == 0)
				tell_all(g);
			failed = nomem_end();
			assert_true(r == 0 || (r == -ENOMEM && !g));
			if (g)
				tell_after(g);
			graph_free(g);
		}
		assert_true(n > 50);
	}
}

static int decode_both(struct decoder *d, const struct rec *in, const struct rec *name)
{
	struct ev ev;
	int r = decoder_next(d, in->bytes, in->len, &ev);

	if (r == 0)
		r = decoder_next(d, name->bytes, name->len, &ev);
	if (r == 0)
		assert_int_equal(strlen(ev.compile.file), 400);
	return r;
}

static void test_decode(void **state)
{
	struct lmmsd_ev_interp fixed = {.interp = 1, .version = 0x030b0000};
	struct lmmsd_ev_compile c = {.file_len = 400};
	struct rec in, name;
	bool failed = true;

	(void)state;
	rec_begin(&in, LMMSD_EV_INTERP, &fixed, sizeof(fixed));
	rec_begin(&name, LMMSD_EV_COMPILE, &c, sizeof(c));
	for (int i = 0; i < 400; i++)
		rec_add(&name, "x", 1);
	for (long n = 0; failed; n++) {
		struct decoder *d = NULL;
		int r;

		nomem_once(n);
		r = decoder_new(&d);
		if (r == 0)
			r = decode_both(d, &in, &name);
		failed = nomem_end();
		assert_int_equal(r, failed ? -ENOMEM : 0);
		/* It works on afterwards. */
		if (d)
			assert_int_equal(decode_both(d, &in, &name), 0);
		decoder_free(d);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_graph),
		cmocka_unit_test(test_decode),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
