/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* decode/: each kind of record, and what hostile ones do. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "decode/decode.h"
#include "recbuild.h"
#include "unit/decoding.h"

static void check_header(const struct ev *ev, uint16_t kind)
{
	assert_int_equal(ev->kind, kind);
	assert_int_equal(ev->ts_ns, 5);
	assert_int_equal(ev->tgid, 6);
	assert_int_equal(ev->tid, 7);
	assert_int_equal(ev->start_ns, 8);
}

static void test_load(void **state)
{
	struct lmmsd_ev_load fixed = {.h = {.ts_ns = 5, .tgid = 6, .tid = 7, .start_ns = 8},
				      .sp = 9,
				      .interp = 3,
				      .name_len = 4,
				      .where = {.frame = 10,
						.code = 11,
						.flags = LMMSD_WHERE_FRAME | LMMSD_WHERE_FUNC,
						.firstlineno = 20,
						.instr = 4,
						.importer_len = 6,
						.importer_kind = LMMSD_STR_LATIN1,
						.file_len = 4,
						.file_kind = LMMSD_STR_UCS2,
						.func_len = 1,
						.linetab_len = 4}};
	struct lmmsd_ev_interp in = {.interp = 3, .version = 0x030a00f0, .path_len = 2};
	struct decoder *d = begin();
	struct rec r;
	struct ev ev;

	(void)state;
	rec_begin(&r, LMMSD_EV_INTERP, &in, sizeof(in));
	rec_add(&r, "/p", 2);
	assert_int_equal(decode(d, &r, &ev), 0);
	assert_int_equal(ev.interp_info.version, 0x030a00f0);
	assert_string_equal(ev.interp_info.path, "/p");
	rec_begin(&r, LMMSD_EV_LOAD_START, &fixed, sizeof(fixed));
	rec_add(&r, "json", 4);
	rec_add(&r,
		"m\xf3"
		"dulo",
		6);
	rec_add(&r, "\x21\x6a\x57\x57", 4);
	rec_add(&r, "f", 1);
	rec_add(&r, "\2\1\4\2", 4);
	assert_int_equal(decode(d, &r, &ev), 0);
	check_header(&ev, LMMSD_EV_LOAD_START);
	assert_int_equal(ev.load.sp, 9);
	assert_int_equal(ev.interp, 3);
	assert_string_equal(ev.load.name, "json");
	assert_string_equal(ev.load.body_file, "");
	assert_string_equal(ev.load.where.importer, "m\xc3\xb3"
						    "dulo");
	assert_string_equal(ev.load.where.file, "\xe6\xa8\xa1\xe5\x9d\x97");
	assert_string_equal(ev.load.where.func, "f");
	assert_int_equal(ev.load.where.frame, 10);
	assert_int_equal(ev.load.where.code, 11);
	assert_int_equal(ev.load.where.linetab_len, 4);
	assert_memory_equal(ev.load.where.linetab, "\2\1\4\2", 4);
	assert_int_equal(ev.load.where.line, 23);
	/* Another interpreter, of which nothing is known: no line. */
	fixed.interp = 4;
	memcpy(r.bytes + offsetof(struct lmmsd_ev_load, interp), &fixed.interp, 4);
	assert_int_equal(decode(d, &r, &ev), 0);
	assert_int_equal(ev.load.where.line, 0);
	decoder_free(d);
}

/* A relative name is the package less level - 1 of its parts, and the name behind it. */
static void test_relative_names(void **state)
{
	static const struct {
		const char *sent;
		uint8_t level;
		const char *name; /* NULL: refused */
	} cases[] = {
		{"pkg.sub/mod", 1, "pkg.sub.mod"},
		{"pkg.sub/mod", 2, "pkg.mod"},
		{"pkg.sub/mod", 3, "mod"}, /* CPython refuses it: beyond the top */
		{"pkg.sub/mod", 127, "mod"},
		{"pkg.sub/mod", 2 | LMMSD_LOAD_UNSURE, "pkg.mod"},
		{"pkg/mod.deep", 1, "pkg.mod.deep"},
		{"pkg.sub/", 1, "pkg.sub"}, /* from . import x */
		{"pkg.sub/", 2, "pkg"},
		{"pkg/", 2, ""},
		{"/mod", 1, "mod"},
		{"/", 1, ""},
		{".a./mod", 2, ".a.mod"},
		{"pkg/a/b", 1, "pkg.a/b"},
		{"pkg.mod", 0, "pkg.mod"},
		{"pkg/mod", 0, "pkg/mod"},
		{"pkg.mod", 1, NULL},
		{"", 1, NULL},
	};
	struct decoder *d = begin();
	struct rec r;
	struct ev ev;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct lmmsd_ev_load fixed = {.name_len = (uint16_t)strlen(cases[i].sent),
					      .level = cases[i].level};
		int got;

		rec_begin(&r, LMMSD_EV_LOAD_START, &fixed, sizeof(fixed));
		rec_add(&r, cases[i].sent, fixed.name_len);
		got = decode(d, &r, &ev);
		assert_int_equal(got, cases[i].name ? 0 : -EBADMSG);
		if (!cases[i].name)
			continue;
		assert_string_equal(ev.load.name, cases[i].name);
		assert_int_equal(ev.load.unsure, cases[i].level > 127);
	}
	decoder_free(d);
}

static void test_cut_names(void **state)
{
	struct lmmsd_ev_ext fixed = {.name_len = 3, .file_len = 5};
	struct decoder *d = begin();
	struct rec r;
	struct ev ev;

	(void)state;
	fixed.name_kind = LMMSD_STR_UTF8 | LMMSD_STR_CUT;
	rec_begin(&r, LMMSD_EV_EXT_EXEC, &fixed, sizeof(fixed));
	rec_add(&r, "ab\xc3", 3);
	rec_add(&r,
		"a\0\xff"
		"bc",
		5);
	assert_int_equal(decode(d, &r, &ev), 0);
	assert_string_equal(ev.ext.name, "ab\xe2\x80\xa6");
	assert_string_equal(ev.ext.file, "a\xef\xbf\xbd\xef\xbf\xbd"
					 "bc");
	decoder_free(d);
}

static void test_proc(void **state)
{
	struct lmmsd_ev_proc fixed = {.flags = LMMSD_PROC_EXEC,
				      .ppid = 2,
				      .uid = 3,
				      .interp = 4,
				      .exec_ns = 5,
				      .cgroup_id = 6,
				      .comm = {'0', '1', '2', '3', '4', '5', '6', '7', '8', '9',
					       'a', 'b', 'c', 'd', 'e', 'f'},
				      .cmdline_len = 9,
				      .exe_len = 18,
				      .cgroup_len = 1,
				      .cwd_len = 9};
	struct decoder *d = begin();
	struct rec r;
	struct ev ev;

	(void)state;
	rec_begin(&r, LMMSD_EV_PROC, &fixed, sizeof(fixed));
	rec_add(&r, "py\0\xff\0\0-c", 9); /* its last NUL was cut off */
	rec_add(&r, "python3\0bin\0\0us\xffr", 18);
	rec_add(&r, "", 1);
	rec_add(&r, "shop\0srv\0", 9);
	assert_int_equal(decode(d, &r, &ev), 0);
	assert_string_equal(ev.proc.cwd, "/srv/shop");
	assert_string_equal(ev.proc.comm, "0123456789abcdef");
	assert_string_equal(ev.proc.exe, "/us\xef\xbf\xbdr/bin/python3");
	assert_string_equal(ev.proc.cgroup, "/");
	assert_int_equal(ev.proc.cmdline_len, 11);
	assert_memory_equal(ev.proc.cmdline, "py\0\xef\xbf\xbd\0\0-c\0", 11);
	assert_int_equal(ev.proc.flags, LMMSD_PROC_EXEC);
	assert_int_equal(ev.proc.ppid, 2);
	assert_int_equal(ev.proc.uid, 3);
	assert_int_equal(ev.interp, 4);
	assert_int_equal(ev.proc.exec_ns, 5);
	assert_int_equal(ev.proc.cgroup_id, 6);
	decoder_free(d);
}

static void test_use(void **state)
{
	struct lmmsd_ev_use fixed = {
		.name_len = 1, .package_len = 2, .flags = LMMSD_USEF_IS_PACKAGE};
	struct lmmsd_ev_uses count = {.count = 12};
	struct decoder *d = begin();
	struct rec r;
	struct ev ev;

	(void)state;
	fixed.key.name = 99;
	fixed.key.level = -1;
	fixed.where.func_len = 1;
	rec_begin(&r, LMMSD_EV_USE, &fixed, sizeof(fixed));
	rec_add(&r, "mpkf", 4);
	assert_int_equal(decode(d, &r, &ev), 0);
	assert_string_equal(ev.use.name, "m");
	assert_string_equal(ev.use.package, "pk");
	assert_string_equal(ev.use.where.func, "f");
	assert_int_equal(ev.use.flags, LMMSD_USEF_IS_PACKAGE);
	assert_int_equal(ev.use.key.name, 99);
	assert_int_equal(ev.use.key.level, -1);
	count.key = fixed.key;
	rec_begin(&r, LMMSD_EV_USES, &count, sizeof(count));
	assert_int_equal(decode(d, &r, &ev), 0);
	assert_int_equal(ev.uses.count, 12);
	assert_memory_equal(&ev.uses.key, &fixed.key, sizeof(fixed.key));
	decoder_free(d);
}

static void test_plain(void **state)
{
	struct lmmsd_ev_fork f = {.child_tgid = 1, .child_start_ns = 2};
	struct lmmsd_ev_exit x = {.status = -3, .flags = LMMSD_EXIT_EXEC};
	struct lmmsd_ev_done n = {.sp = 4, .frame = 5, .interp = 6, .found = -1};
	struct lmmsd_ev_exe p = {.ino = 7, .ctime_s = 8, .ctime_ns = 9};
	struct lmmsd_ev_lost l = {.count = {[63] = 10}};
	struct decoder *d = begin();
	struct rec r;
	struct ev ev;

	(void)state;
	rec_begin(&r, LMMSD_EV_FORK, &f, sizeof(f));
	assert_int_equal(decode(d, &r, &ev), 0);
	assert_int_equal(ev.fork.child_tgid, 1);
	assert_int_equal(ev.fork.child_start_ns, 2);
	rec_begin(&r, LMMSD_EV_EXIT, &x, sizeof(x));
	assert_int_equal(decode(d, &r, &ev), 0);
	assert_int_equal(ev.exit.status, -3);
	assert_int_equal(ev.exit.flags, LMMSD_EXIT_EXEC);
	rec_begin(&r, LMMSD_EV_BODY_DONE, &n, sizeof(n));
	assert_int_equal(decode(d, &r, &ev), 0);
	assert_int_equal(ev.done.sp, 4);
	assert_int_equal(ev.done.frame, 5);
	assert_int_equal(ev.interp, 6);
	assert_int_equal(ev.done.found, -1);
	rec_begin(&r, LMMSD_EV_EXE, &p, sizeof(p));
	assert_int_equal(decode(d, &r, &ev), 0);
	assert_int_equal(ev.exe.ino, 7);
	assert_int_equal(ev.exe.ctime_ns, 9);
	rec_begin(&r, LMMSD_EV_LOST, &l, sizeof(l));
	assert_int_equal(decode(d, &r, &ev), 0);
	assert_int_equal(ev.lost.count[63], 10);
	rec_begin(&r, LMMSD_EV_END, &l.h, sizeof(l.h));
	assert_int_equal(decode(d, &r, &ev), 0);
	assert_int_equal(ev.kind, LMMSD_EV_END);
	decoder_free(d);
}

static void test_user_space(void **state)
{
	struct lmmsd_ev_host h = {.realtime_offset_ns = -1,
				  .name_len = 1,
				  .kernel_len = 2,
				  .arch_len = 3,
				  .boot_id_len = 1,
				  .version_len = 1,
				  .usage = 1};
	struct lmmsd_ev_dist t = {
		.name_len = 1, .dist_len = 2, .version_len = 0, .file_len = 3, .kind = 6};
	struct lmmsd_ev_compile c = {.file_len = 4};
	struct decoder *d = begin();
	struct rec r;
	struct ev ev;

	(void)state;
	rec_begin(&r, LMMSD_EV_HOST, &h, sizeof(h));
	rec_add(&r, "akkxxxbv", 8);
	assert_int_equal(decode(d, &r, &ev), 0);
	assert_string_equal(ev.host.name, "a");
	assert_string_equal(ev.host.kernel, "kk");
	assert_string_equal(ev.host.arch, "xxx");
	assert_string_equal(ev.host.boot_id, "b");
	assert_string_equal(ev.host.version, "v");
	assert_int_equal(ev.host.realtime_offset_ns, -1);
	assert_int_equal(ev.host.usage, 1);
	rec_begin(&r, LMMSD_EV_DIST, &t, sizeof(t));
	rec_add(&r, "nddfff", 6);
	assert_int_equal(decode(d, &r, &ev), 0);
	assert_string_equal(ev.dist.name, "n");
	assert_string_equal(ev.dist.dist, "dd");
	assert_string_equal(ev.dist.version, "");
	assert_string_equal(ev.dist.file, "fff");
	assert_int_equal(ev.dist.kind, 6);
	rec_begin(&r, LMMSD_EV_COMPILE, &c, sizeof(c));
	rec_add(&r, "x.py", 4);
	assert_int_equal(decode(d, &r, &ev), 0);
	assert_string_equal(ev.compile.file, "x.py");
	decoder_free(d);
}

static void set_header(struct rec *r, uint16_t abi, uint16_t kind, uint32_t size)
{
	struct lmmsd_hdr h;

	memcpy(&h, r->bytes, sizeof(h));
	h.abi = abi;
	h.kind = kind;
	h.size = size;
	memcpy(r->bytes, &h, sizeof(h));
}

static void test_refused(void **state)
{
	struct lmmsd_ev_ext fixed = {.name_len = 3, .file_len = 5};
	struct decoder *d = begin();
	struct rec r;
	struct ev ev;

	(void)state;
	rec_begin(&r, LMMSD_EV_EXT_EXEC, &fixed, sizeof(fixed));
	rec_add(&r, "abcdefgh", 8);
	for (size_t len = 0; len < r.len; len++) {
		struct rec cut = r;

		cut.len = len;
		assert_int_equal(decode(d, &cut, &ev), -EBADMSG);
		if (len >= sizeof(struct lmmsd_hdr)) {
			set_header(&cut, LMMSD_ABI, LMMSD_EV_EXT_EXEC, (uint32_t)len);
			assert_int_equal(decode(d, &cut, &ev), -EBADMSG);
		}
	}
	assert_int_equal(decode(d, &r, &ev), 0);
	set_header(&r, LMMSD_ABI + 1, LMMSD_EV_EXT_EXEC, (uint32_t)r.len);
	assert_int_equal(decode(d, &r, &ev), -EPROTO);
	set_header(&r, LMMSD_ABI, 1000, (uint32_t)r.len);
	assert_int_equal(decode(d, &r, &ev), -EOPNOTSUPP);
	set_header(&r, LMMSD_ABI, LMMSD_EV_EXT_EXEC, 31);
	assert_int_equal(decode(d, &r, &ev), -EBADMSG);
	set_header(&r, LMMSD_ABI, LMMSD_EV_EXT_EXEC, UINT32_MAX);
	assert_int_equal(decode(d, &r, &ev), -EBADMSG);
	/* Longer names than any kernel side sends. */
	fixed.name_len = LMMSD_NAME_MAX + 1;
	fixed.file_len = 0;
	rec_begin(&r, LMMSD_EV_EXT_EXEC, &fixed, sizeof(fixed));
	for (int i = 0; i < LMMSD_NAME_MAX + 1; i++)
		rec_add(&r, "n", 1);
	assert_int_equal(decode(d, &r, &ev), -EBADMSG);
	fixed.name_len = 4;
	fixed.name_kind = 3; /* no such encoding */
	rec_begin(&r, LMMSD_EV_EXT_EXEC, &fixed, sizeof(fixed));
	rec_add(&r, "abcd", 4);
	assert_int_equal(decode(d, &r, &ev), -EBADMSG);
	decoder_free(d);
	assert_null(decoder_free(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_load),	   cmocka_unit_test(test_relative_names),
		cmocka_unit_test(test_cut_names),  cmocka_unit_test(test_proc),
		cmocka_unit_test(test_use),	   cmocka_unit_test(test_plain),
		cmocka_unit_test(test_user_space), cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
