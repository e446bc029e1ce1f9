/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* graph/: what a load is: its body and its kind. */
#include "unit/evbuild.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_body),	     cmocka_unit_test(test_probes_time),
		cmocka_unit_test(test_kind_unknown), cmocka_unit_test(test_ext),
		cmocka_unit_test(test_asked_by_c),   cmocka_unit_test(test_namespace),
		cmocka_unit_test(test_body_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
