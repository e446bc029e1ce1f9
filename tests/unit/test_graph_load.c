/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* graph/: what a load is: its body, its kind, who asked for it and from where; the main program and the cold start. */
#include "evbuild.h"

static const struct ev_where nobody = {.importer = "", .file = "", .func = ""};

static struct mdl_process *end(struct story *s)
{
	struct mdl_process *m;

	leave(s, 9000, 0, 0);
	m = take(s);
	assert_non_null(m);
	graph_free(s->g);
	return m;
}

static void test_body(void **state)
{
	struct story s = story_from_start();
	struct mdl_process *m;

	(void)state;
	load(&s, 1000, 900, 1, "a", "__main__", AT_MODULE);
	body(&s, 1020, 850, 11, "finders_exec", "<string>", nobody); /* before a's own */
	body_done(&s, 1030, 850, 11);
	compile(&s, 1050, "/lib/a.py");
	body(&s, 1100, 850, 11, "a", "/lib/a.py", nobody);
	load(&s, 1200, 800, 2, "b", "a", AT_MODULE);
	body(&s, 1250, 750, 12, "b", "/lib/b.py", nobody);
	/* exec() in b's body: of a string, and of code that calls itself a */
	body(&s, 1260, 700, 13, "namedtuple_X", "<string>", nobody);
	body_done(&s, 1270, 700, 13);
	body(&s, 1260, 700, 13, "b", "<string>", nobody);
	body_done(&s, 1270, 700, 13);
	body_done(&s, 1290, 750, 12);
	done(&s, 1300, 800, 2);
	load(&s, 1310, 800, 2, "os", "a", AT_MODULE);
	body(&s, 1320, 750, 12, "os", "<frozen os>", nobody);
	body_done(&s, 1330, 750, 12);
	done(&s, 1340, 800, 2);
	body_done(&s, 1400, 850, 11);
	done(&s, 1500, 900, 1);
	m = end(&s);
	assert_int_equal(m->n_loads, 3);
	assert_int_equal(load_named(m, "a")->exec_ns, 300);
	assert_int_equal(load_named(m, "a")->kind, LMMSD_KIND_SOURCE);
	assert_string_equal(load_named(m, "a")->file, "/lib/a.py");
	assert_int_equal(load_named(m, "b")->exec_ns, 40);
	assert_int_equal(load_named(m, "b")->kind, LMMSD_KIND_BYTECODE);
	assert_string_equal(module_named(m, "b")->file, "/lib/b.py");
	assert_int_equal(load_named(m, "os")->kind, LMMSD_KIND_FROZEN);
	assert_null(load_named(m, "os")->file);
	assert_int_equal(load_named(m, "a")->flags, 0);
	graph_process_free(m);
}

static void spent(struct story *s, uint32_t ns, struct ev ev)
{
	ev.spent_ns = ns;
	tell(s, ev);
}

/* What the probes took before an event, they took of the load that was the innermost then. */
static void test_probes_time(void **state)
{
	struct story s = story_from_start();
	struct mdl_process *m;

	(void)state;
	load(&s, 1000, 900, 1, "a", "__main__", AT_MODULE);
	spent(&s, 32,
	      (struct ev){.kind = LMMSD_EV_LOAD_START,
			  .ts_ns = 1100,
			  .load = {.sp = 800, .name = "b", .where = where(AT_MODULE, "a", 2)}});
	spent(&s, 64,
	      (struct ev){.kind = LMMSD_EV_COMPILE, .ts_ns = 1200, .compile = {"/lib/b.py"}});
	spent(&s, 5000,
	      (struct ev){.kind = LMMSD_EV_LOAD_DONE,
			  .ts_ns = 1300,
			  .done = {.sp = 800, .frame = 2, .found = 1}});
	spent(&s, 96,
	      (struct ev){.kind = LMMSD_EV_LOAD_DONE,
			  .ts_ns = 1500,
			  .done = {.sp = 900, .frame = 1, .found = 1}});
	spent(&s, 128,
	      (struct ev){.kind = LMMSD_EV_COMPILE, .ts_ns = 1600, .compile = {"/lib/c.py"}});
	m = end(&s);
	assert_int_equal(load_named(m, "a")->spent_ns, 32 + 96);
	/* no more than the load itself */
	assert_int_equal(load_named(m, "b")->self_ns, 200);
	assert_int_equal(load_named(m, "b")->spent_ns, 200);
	graph_process_free(m);
}

/* Where compilation cannot be seen, nothing is said of it. */
static void test_kind_unknown(void **state)
{
	struct story s = story_begin(NULL);
	struct mdl_process *m;

	(void)state;
	interp(&s, LMMSD_INTERP_BODIES);
	proc(&s, 100, LMMSD_PROC_EXEC);
	load(&s, 1000, 900, 1, "a", "__main__", AT_MODULE);
	body(&s, 1100, 850, 11, "a", "/lib/a.py", nobody);
	body_done(&s, 1400, 850, 11);
	done(&s, 1500, 900, 1);
	load(&s, 1600, 900, 1, "b", "__main__", AT_MODULE);
	body(&s, 1610, 850, 11, "b", "/lib/b.py", nobody);
	body_done(&s, 1620, 850, 11);
	done(&s, 1630, 900, 1);
	dist(&s, "b", "bee", LMMSD_KIND_SOURCE, "/elsewhere");
	m = end(&s);
	assert_int_equal(load_named(m, "a")->kind, LMMSD_KIND_UNKNOWN);
	assert_null(module_named(m, "a")->distribution);
	assert_int_equal(module_named(m, "b")->kind, LMMSD_KIND_SOURCE);
	assert_string_equal(module_named(m, "b")->distribution, "bee");
	assert_string_equal(module_named(m, "b")->version, "1.0");
	assert_string_equal(module_named(m, "b")->file, "/lib/b.py");
	graph_process_free(m);
}

static void test_ext(void **state)
{
	struct story s = story_from_start();
	struct mdl_process *m;

	(void)state;
	load(&s, 1000, 900, 1, "_io", "a", AT_MODULE);
	ext(&s, 1010, "io", "");
	done(&s, 1020, 900, 1);
	load(&s, 1100, 900, 1, "pkg._fast", "a", AT_MODULE);
	/* it imports another one by itself; then its own slot runs */
	load(&s, 1110, 800, 2, "pkg._base", "a", BY_IMPORTLIB);
	ext(&s, 1115, "_base", "/pkg/_base.so");
	done(&s, 1120, 800, 2);
	load(&s, 1121, 800, 2, "space", "a", BY_IMPORTLIB); /* its done is late */
	ext(&s, 1130, "_fast", "/pkg/_fast.so");
	done(&s, 1135, 800, 2);
	done(&s, 1140, 900, 1);
	load(&s, 1200, 900, 1, "py", "a", AT_MODULE);
	body(&s, 1210, 850, 11, "py", "/py.py", nobody);
	ext(&s, 1220, "other", "/other.so"); /* by import_module: not py's */
	body_done(&s, 1230, 850, 11);
	done(&s, 1240, 900, 1);
	load(&s, 1300, 900, 1, "alias", "a", AT_MODULE);
	ext(&s, 1310, "quite_another", "/alias.so");
	done(&s, 1340, 900, 1);
	m = end(&s);
	assert_int_equal(load_named(m, "_io")->kind, LMMSD_KIND_BUILTIN);
	assert_int_equal(load_named(m, "pkg._fast")->kind, LMMSD_KIND_EXTENSION);
	assert_string_equal(load_named(m, "pkg._fast")->file, "/pkg/_fast.so");
	assert_null(load_named(m, "space")->file);
	assert_string_equal(load_named(m, "pkg._base")->file, "/pkg/_base.so");
	assert_string_equal(load_named(m, "py")->file, "/py.py");
	assert_int_equal(load_named(m, "py")->kind, LMMSD_KIND_BYTECODE);
	assert_int_equal(load_named(m, "alias")->kind, LMMSD_KIND_EXTENSION);
	graph_process_free(m);
}

/* C code of a module asks through importlib's frames: the module asks, not who asked for it. */
static void test_asked_by_c(void **state)
{
	struct story s = story_from_start();
	struct ev_where w = where(AT_MODULE, "a", 1), inner = where(BY_IMPORTLIB, "a", 2);
	struct mdl_process *m;

	(void)state;
	w.code = inner.code = 0x77;
	w.instr = inner.instr = 12;
	load_at(&s, 1000, 900, "pkg._fast", w);
	load_at(&s, 1010, 800, "pkg", inner);
	done(&s, 1020, 800, 2);
	load_at(&s, 1030, 800, "numbers", inner);
	done(&s, 1040, 800, 2);
	done(&s, 1050, 900, 1);
	m = end(&s);
	assert_string_equal(load_named(m, "pkg")->importer, "a");
	assert_string_equal(load_named(m, "numbers")->importer, "pkg._fast");
	assert_int_equal(load_named(m, "numbers")->line, 0);
	assert_int_equal(load_named(m, "numbers")->place, LMMSD_PLACE_MODULE);
	graph_process_free(m);
}

static void test_namespace(void **state)
{
	struct story s = story_from_start();
	struct mdl_process *m;
	const char *files[] = {"/x/ns/real/__init__.py", "/x/ns/mod.py", "/yyy/elsewhere.py"};
	const char *names[] = {"ns.real", "ns.mod", "odd.mod"};

	(void)state;
	load(&s, 900, 800, 2, "ns", "m", BY_IMPORTLIB);
	done(&s, 910, 800, 2);
	load(&s, 920, 800, 2, "odd", "m", BY_IMPORTLIB);
	done(&s, 930, 800, 2);
	for (uint64_t i = 0; i < 3; i++) {
		load(&s, 1000 + i * 100, 900, 1, names[i], "m", AT_MODULE);
		body(&s, 1010 + i * 100, 850, 11, names[i], files[i], nobody);
		body_done(&s, 1020 + i * 100, 850, 11);
		done(&s, 1030 + i * 100, 900, 1);
	}
	m = end(&s);
	assert_int_equal(module_named(m, "ns")->kind, LMMSD_KIND_NAMESPACE);
	assert_int_equal(load_named(m, "ns")->kind, LMMSD_KIND_NAMESPACE);
	assert_int_equal(module_named(m, "ns.real")->kind, LMMSD_KIND_BYTECODE);
	assert_int_equal(module_named(m, "odd")->kind, LMMSD_KIND_UNKNOWN);
	graph_process_free(m);
}

/* importlib.import_module: no search is seen, only the body. */
static void test_body_only(void **state)
{
	struct story s = story_from_start();
	struct mdl_process *m;

	(void)state;
	load(&s, 1000, 900, 1, "a", "__main__", AT_MODULE);
	body(&s, 1010, 880, 11, "a", "/a.py", nobody);
	compile(&s, 1050, "/csv.py");
	body(&s, 1100, 800, 12, "csv", "/csv.py", where(BY_CALL | LMMSD_WHERE_INTERNAL, "a", 12));
	load(&s, 1200, 700, 3, "_csv", "csv", AT_MODULE);
	done(&s, 1250, 700, 3);
	body_done(&s, 1300, 800, 12);
	body_done(&s, 1350, 880, 11);
	done(&s, 1400, 900, 1);
	/* importlib.reload */
	body(&s, 1500, 800, 12, "csv", "/csv.py", where(BY_CALL, "b", 12));
	body_done(&s, 1600, 800, 12);
	/* exec(code, module.__dict__) by hand: none of our business */
	body(&s, 1700, 800, 12, "csv", "/csv.py",
	     where(LMMSD_WHERE_FRAME | LMMSD_WHERE_FUNC, "b", 12));
	body_done(&s, 1750, 800, 12);
	m = end(&s);
	assert_int_equal(m->n_loads, 4);
	assert_int_equal(load_named(m, "csv")->flags, MDL_LOAD_BODY_ONLY);
	assert_int_equal(load_named(m, "csv")->place, LMMSD_PLACE_DYNAMIC);
	assert_int_equal(load_named(m, "csv")->kind, LMMSD_KIND_SOURCE);
	assert_string_equal(load_named(m, "csv")->file, "/csv.py");
	assert_string_equal(load_named(m, "csv")->importer, "a");
	assert_int_equal(load_named(m, "csv")->total_ns, 200);
	assert_int_equal(load_named(m, "csv")->exec_ns, 200);
	assert_int_equal(load_named(m, "csv")->self_ns, 150);
	assert_string_equal(parent_of(m, "csv"), "a");
	assert_string_equal(parent_of(m, "_csv"), "csv");
	assert_int_equal(load_named(m, "a")->self_ns, 200);
	assert_int_equal(module_named(m, "csv")->n_loads, 2);
	assert_int_equal(module_named(m, "csv")->uses, 2);
	assert_int_equal(edge_of(m, "a", "csv")->count, 1);
	assert_true(edge_of(m, "a", "csv")->loaded);
	assert_int_equal(edge_of(m, "b", "csv")->place, LMMSD_PLACE_DYNAMIC);
	for (unsigned int i = 0; i < LMMSD_LOST_MAX; i++)
		assert_int_equal(m->lost[i], 0);
	graph_process_free(m);
}

static void test_place(void **state)
{
	static const struct {
		uint32_t flags;
		uint8_t place;
	} rows[] = {
		{AT_MODULE, LMMSD_PLACE_MODULE},
		{AT_FUNC, LMMSD_PLACE_FUNCTION},
		{STMT | LMMSD_WHERE_CLASS, LMMSD_PLACE_CLASS},
		{BY_IMPORTLIB, LMMSD_PLACE_MODULE},
		{BY_IMPORTLIB | LMMSD_WHERE_DYNAMIC, LMMSD_PLACE_DYNAMIC},
		{BY_CALL, LMMSD_PLACE_DYNAMIC},
		{LMMSD_WHERE_FRAME | LMMSD_WHERE_FUNC, LMMSD_PLACE_DYNAMIC}, /* __import__() */
		{LMMSD_WHERE_FRAME | LMMSD_WHERE_FUNC | LMMSD_WHERE_CAPI, LMMSD_PLACE_FUNCTION},
		{0, LMMSD_PLACE_UNKNOWN},
		{LMMSD_WHERE_FUNC, LMMSD_PLACE_UNKNOWN},
	};
	struct story s = story_from_start();
	struct mdl_process *m;
	const size_t n = sizeof(rows) / sizeof(rows[0]);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		load(&s, 1000 + i * 10, 900, 1, "x", "m", rows[i].flags);
		done(&s, 1005 + i * 10, 900, 1);
	}
	m = end(&s);
	assert_int_equal(m->n_loads, n);
	for (size_t i = 0; i < n; i++)
		if (m->loads[i].place != rows[i].place)
			fail_msg("row %zu: place %d", i, m->loads[i].place);
	/* Without a frame nothing is known of an importer. */
	assert_null(m->loads[n - 1].importer);
	graph_process_free(m);
}

/* Parent packages and submodules when the walk found no frame: as of the load that they belong to. */
static void test_relatives(void **state)
{
	struct story s = story_from_start();
	struct mdl_process *m;

	(void)state;
	load(&s, 1000, 900, 1, "p.q", "m", AT_FUNC);
	load(&s, 1010, 800, 2, "p", "", LMMSD_WHERE_INTERNAL);
	done(&s, 1020, 800, 2);
	done(&s, 1030, 900, 1);
	load(&s, 1040, 800, 2, "p.q.sub", "", LMMSD_WHERE_INTERNAL);
	done(&s, 1050, 800, 2);
	load(&s, 1060, 800, 2, "stranger", "", LMMSD_WHERE_INTERNAL);
	done(&s, 1070, 800, 2);
	m = end(&s);
	assert_string_equal(load_named(m, "p")->importer, "m");
	assert_int_equal(load_named(m, "p")->place, LMMSD_PLACE_FUNCTION);
	assert_int_equal(load_named(m, "p")->line, 7);
	assert_string_equal(load_named(m, "p.q.sub")->importer, "m");
	assert_null(load_named(m, "stranger")->importer);
	graph_process_free(m);
}

static void test_lazy(void **state)
{
	struct story s = story_from_start();
	const uint32_t user = LMMSD_WHERE_FRAME |
			      LMMSD_WHERE_FUNC; /* the instruction loads a name */
	struct mdl_process *m;

	(void)state;
	lazy(&s, 1000, 950, 1);
	load(&s, 1010, 900, 1, "a.b", "m", user);
	load(&s, 1020, 800, 2, "a", "m", BY_IMPORTLIB);
	done(&s, 1030, 800, 2);
	load(&s, 1040, 800, 3, "plain", "a.b", AT_MODULE);
	done(&s, 1050, 800, 3);
	done(&s, 1060, 900, 1);
	load(&s, 1070, 900, 1, "a.b.sub", "m", user); /* fromlist's, by the module's getattr */
	done(&s, 1080, 900, 1);
	load(&s, 1090, 900, 1, "later", "m", AT_FUNC);
	done(&s, 1100, 900, 1);
	load(&s, 1110, 960, 4, "call", "n", user);
	done(&s, 1120, 960, 4);
	m = end(&s);
	assert_int_equal(load_named(m, "a.b")->place, LMMSD_PLACE_LAZY);
	assert_int_equal(load_named(m, "a.b")->flags, MDL_LOAD_LAZY);
	assert_int_equal(load_named(m, "a")->place, LMMSD_PLACE_LAZY);
	assert_int_equal(load_named(m, "plain")->place, LMMSD_PLACE_MODULE);
	assert_int_equal(load_named(m, "a.b.sub")->place, LMMSD_PLACE_LAZY);
	assert_int_equal(load_named(m, "later")->place, LMMSD_PLACE_FUNCTION);
	assert_int_equal(load_named(m, "call")->place, LMMSD_PLACE_DYNAMIC);
	graph_process_free(m);
}

/* site, then __main__: a, b (nested), a function's c while starting, d at the end of main; then later ones. */
static void start_up(struct story *s)
{
	load(s, 200, 900, 0, "site", "", 0);
	done(s, 300, 900, 0);
	body(s, 1000, 950, 0, "__main__", "<frozen runpy>", nobody);
	body(s, 1000, 940, 0, "__main__", "/app/x.py", nobody);
	load(s, 1100, 900, 1, "a", "__main__", AT_MODULE);
	load(s, 1150, 800, 2, "b", "a", AT_MODULE);
	done(s, 1180, 800, 2);
	done(s, 1200, 900, 1);
	load(s, 1300, 900, 3, "c", "util", AT_FUNC);
	done(s, 1340, 900, 3);
	load(s, 1400, 900, 1, "d", "__main__", AT_MODULE);
	done(s, 1410, 900, 1);
	load(s, 1500, 900, 3, "later", "__main__", AT_FUNC);
	done(s, 1700, 900, 3);
	body_done(s, 2000, 940, 0);
	load(s, 2100, 900, 4, "atexit_thing", "util", AT_FUNC);
	done(s, 2200, 900, 4);
}

static void test_main(void **state)
{
	struct story s = story_from_start();
	struct mdl_process *m;
	const struct mdl_load *main_load;

	(void)state;
	start_up(&s);
	body(&s, 3000, 940, 0, "__main__", "<string>", nobody); /* exec() later on */
	body(&s, 3000, 940, 0, "__main__", "/other.py", where(BY_CALL, "pdb", 0));
	m = end(&s);
	main_load = load_named(m, "__main__");
	assert_int_equal(m->main_ns, 1000);
	assert_int_equal(m->interpreter_ns, 900);
	assert_int_equal(main_load->flags, MDL_LOAD_MAIN);
	assert_int_equal(main_load->total_ns, 1000);
	assert_int_equal(main_load->self_ns, 0);
	assert_string_equal(main_load->file, "/app/x.py");
	assert_string_equal(parent_of(m, "a"), "");
	assert_int_equal(load_named(m, "a")->depth, 0);
	/* site, a with b, c, d */
	assert_int_equal(m->cold_start_ns, 100 + 100 + 40 + 10);
	assert_int_equal(m->n_modules, 7);
	graph_process_free(m);
}

static void test_cold_start_without_imports(void **state)
{
	struct story s = story_from_start();
	struct mdl_process *m;

	(void)state;
	load(&s, 200, 900, 0, "site", "", 0);
	done(&s, 300, 900, 0);
	body(&s, 1000, 950, 0, "__main__", "<string>", nobody);
	load(&s, 1300, 900, 3, "c", "util", AT_FUNC);
	done(&s, 1340, 900, 3);
	m = end(&s);
	assert_int_equal(m->cold_start_ns, 100);
	graph_process_free(m);
}

static void test_cold_start_embedding(void **state)
{
	struct story s = story_from_start();
	struct mdl_process *m;

	(void)state;
	load(&s, 200, 900, 0, "site", "", 0);
	done(&s, 300, 900, 0);
	load(&s, 1300, 900, 3, "c", "util", AT_FUNC);
	done(&s, 1340, 900, 3);
	m = end(&s);
	assert_int_equal(m->cold_start_ns, 140);
	assert_int_equal(m->main_ns, 0);
	graph_process_free(m);
}

static void test_cold_start_not_seen(void **state)
{
	struct story s = story_begin(NULL), late;
	struct mdl_process *m;

	(void)state;
	proc(&s, 100, LMMSD_PROC_FIRST);
	start_up(&s);
	late = s;
	late.tgid = late.tid = 101;
	load(&late, 200, 900, 0, "x", "", 0); /* no facts at all */
	done(&late, 300, 900, 0);
	leave(&late, 8000, 0, 0);
	m = take(&late);
	assert_int_equal(m->cold_start_ns, 0);
	assert_false(m->from_start);
	assert_string_equal(m->comm, "");
	graph_process_free(m);
	m = end(&s);
	assert_false(m->from_start);
	assert_int_equal(m->cold_start_ns, 0);
	assert_int_equal(m->main_ns, 0);
	graph_process_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_body),
		cmocka_unit_test(test_probes_time),
		cmocka_unit_test(test_kind_unknown),
		cmocka_unit_test(test_ext),
		cmocka_unit_test(test_asked_by_c),
		cmocka_unit_test(test_namespace),
		cmocka_unit_test(test_body_only),
		cmocka_unit_test(test_place),
		cmocka_unit_test(test_relatives),
		cmocka_unit_test(test_lazy),
		cmocka_unit_test(test_main),
		cmocka_unit_test(test_cold_start_without_imports),
		cmocka_unit_test(test_cold_start_embedding),
		cmocka_unit_test(test_cold_start_not_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
