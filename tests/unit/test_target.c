/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* probe/target: what is found in a hand-made Python. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fake_python.h"
#include "probe/target_find.h"

static const struct target_site *site(const struct target *t, uint8_t kind)
{
	for (size_t i = 0; i < t->n_sites; i++)
		if (t->site[i].site.kind == kind)
			return &t->site[i];
	fail_msg("no site of kind %u", kind);
	return NULL;
}

static void test_image(void **state _unused_)
{
	static const uint64_t tags[] = {DT_GNU_HASH, DT_HASH};

	for (size_t k = 0; k < ARRAY_LEN(tags); k++) {
		_cleanup_(target_freep) struct target *t = NULL;
		struct image i;

		make_image(&i, tags[k]);
		t = open_image(&i, TARGET_WANT_AUTO);
		assert_true(t->is_python);
		assert_string_equal(t->version_text, "3.12.1");
		assert_int_equal(t->probe, LMMSD_PROBE_CALLSITE);
		assert_int_equal(t->interp.runtime_va, BASE + AT_RUNTIME);
		assert_int_equal(t->interp_flags,
				 LMMSD_INTERP_BODIES | LMMSD_INTERP_COMPILE | LMMSD_INTERP_EXT);
		assert_int_equal(t->n_sites, 7);
		assert_int_equal(site(t, LMMSD_SITE_CALL_START)->file_offset, AT_IMPORT + 8);
		assert_int_equal(site(t, LMMSD_SITE_CALL_START)->site.va, BASE + AT_IMPORT + 8);
		assert_int_equal(site(t, LMMSD_SITE_CALL_START)->site.method_proven, 1);
		assert_int_equal(site(t, LMMSD_SITE_CALL_START)->site.sp_delta, 8);
		assert_int_equal(site(t, LMMSD_SITE_CALL_START)->site.arg[0].reg, 96);
		assert_int_equal(site(t, LMMSD_SITE_CALL_DONE)->file_offset, AT_IMPORT + 16);
		assert_int_equal(site(t, LMMSD_SITE_CALL_DONE)->site.arg[0].reg, 80);
		assert_int_equal(site(t, LMMSD_SITE_IMPORT)->file_offset, AT_IMPORT);
		assert_int_equal(site(t, LMMSD_SITE_IMPORT)->site.arg[4].size, 4);
		assert_int_equal(site(t, LMMSD_SITE_BODY_DONE)->file_offset, AT_EVAL_CODE + 9);
	}
}

/* arm64: the instruction behind the landing pad, and the returns; only the machine itself accepts the file. */
static void test_arm64(void **state _unused_)
{
	static const uint32_t code[] = {
		0xd503233f, /* paciasp */
		0xa9bf7bfd, /* stp x29, x30, [sp, #-16]! */
		0xb4000060, /* cbz x0, +12 */
		0xa8c17bfd, /* ldp x29, x30, [sp], #16 */
		0xd65f03c0, /* ret */
	};
	_cleanup_(target_freep) struct target *t = NULL, *tail = NULL;
	struct image i;

	make_image(&i, DT_GNU_HASH);
	put(&i, offsetof(Elf64_Ehdr, e_machine), EM_AARCH64, 2);
	memcpy(i.b + AT_IMPORT, code, sizeof(code));
	memcpy(i.b + AT_EVAL_CODE, code, sizeof(code));
	put(&i, AT_SYMTAB + 2 * sizeof(Elf64_Sym) + offsetof(Elf64_Sym, st_size), sizeof(code), 8);
	t = open_image(&i, TARGET_WANT_AUTO);
	assert_int_equal(t->probe, LMMSD_PROBE_ENTRY);
	assert_int_equal(site(t, LMMSD_SITE_IMPORT)->file_offset, AT_IMPORT + 4);
	assert_int_equal(site(t, LMMSD_SITE_IMPORT)->site.arg[3].reg, 24);
	assert_int_equal(site(t, LMMSD_SITE_IMPORT_RET)->file_offset, AT_IMPORT + 16);
	assert_int_equal(site(t, LMMSD_SITE_BODY_START)->file_offset, AT_EVAL_CODE + 4);
	assert_int_equal(site(t, LMMSD_SITE_BODY_DONE)->file_offset, AT_EVAL_CODE + 16);
	assert_int_equal(site(t, LMMSD_SITE_BODY_DONE)->site.arg[0].reg, 0);
#ifndef __aarch64__
	assert_non_null(strstr(t->refused, "another machine"));
#endif
	/* a way out that is no return */
	put(&i, AT_EVAL_CODE + 16, 0x14000100, 4);
	tail = open_image(&i, TARGET_WANT_AUTO);
	assert_int_equal(count_sites(tail, LMMSD_SITE_BODY_START), 0);
	assert_int_equal(tail->interp_flags & LMMSD_INTERP_BODIES, 0);
}

/* Two copies of the code, of which the symbols name one: both run. What does not prove the others is refused. */
static void test_bolt(void **state _unused_)
{
	static const char why[] = "its code stands in it more than once, as BOLT leaves it, and "
				  "the call of _find_and_load is not proven";
	_cleanup_(target_freep) struct target *arm = NULL, *x86 = NULL;
	struct image i;

	make_image(&i, DT_GNU_HASH);
	memcpy(i.b + AT_SHSTRTAB + 11, ".bolt.org.text", 15);
	x86 = open_image(&i, TARGET_WANT_ENTRY);
	assert_string_equal(x86->refused, why);
	put(&i, offsetof(Elf64_Ehdr, e_machine), EM_AARCH64, 2);
	put(&i, AT_IMPORT, 0xa9bf7bfd, 4); /* stp; ret */
	put(&i, AT_IMPORT + 4, 0xd65f03c0, 4);
	arm = open_image(&i, TARGET_WANT_AUTO);
	assert_string_equal(arm->refused, why);
}

/* A method that the file does not show is left to the kernel side; another one is no site at all. */
static void test_method(void **state _unused_)
{
	_cleanup_(target_freep) struct target *unknown = NULL, *other = NULL;
	struct image i;

	make_image(&i, DT_GNU_HASH);
	memcpy(i.b + AT_IMPORT + 1, "\x48\x8b\x77\x10\x90\x90\x90", 7); /* mov 16(%rdi),%rsi */
	unknown = open_image(&i, TARGET_WANT_AUTO);
	assert_int_equal(unknown->probe, LMMSD_PROBE_CALLSITE);
	assert_int_equal(site(unknown, LMMSD_SITE_CALL_START)->site.method_proven, 0);
	assert_int_equal(site(unknown, LMMSD_SITE_CALL_START)->site.method, LMMSD_METHOD_STR);
	assert_int_equal(site(unknown, LMMSD_SITE_CALL_START)->site.arg[1].reg, 104);

	make_image(&i, DT_GNU_HASH);
	i.b[AT_STR + 41] = 'F';
	other = open_image(&i, TARGET_WANT_AUTO);
	assert_int_equal(other->probe, LMMSD_PROBE_ENTRY);
	assert_int_equal(count_sites(other, LMMSD_SITE_IMPORT), 1);
	assert_int_equal(count_sites(other, LMMSD_SITE_IMPORT_RET), 1);
	assert_non_null(other->degraded);
}

static void test_no_python(void **state _unused_)
{
	_cleanup_(target_freep) struct target *t = NULL;
	struct image i;

	make_image(&i, DT_GNU_HASH);
	i.b[AT_STRTAB + 24] = 'p';
	t = open_image(&i, TARGET_WANT_AUTO);
	assert_false(t->is_python);
	assert_int_equal(t->n_needed, 1);
	assert_string_equal(t->needed[0], "libx.so");
	assert_string_equal(t->runpath, "$ORIGIN/../lib");
	assert_null(t->refused);
}

static void test_refused(void **state _unused_)
{
	static const struct {
		uint64_t version;
		const char *why;
	} versions[] = {
		{0x031000f0, "version"},  {0x020712f0, "version"},
		{0x030a01f0, "version"},  {0x030c00a1, "pre-release"},
		{0x1030c01f0, "version"}, {0x030d01f0, "debug offsets"},
	};
	struct image i;

	for (size_t k = 0; k < ARRAY_LEN(versions); k++) {
		_cleanup_(target_freep) struct target *t = NULL;

		make_image(&i, DT_GNU_HASH);
		put(&i, AT_VERSION, versions[k].version, 8);
		t = open_image(&i, TARGET_WANT_AUTO);
		assert_true(t->is_python);
		assert_non_null(t->refused);
		assert_non_null(strstr(t->refused, versions[k].why));
		assert_int_equal(t->n_sites, 0);
	}
	_cleanup_(target_freep) struct target *usdt = NULL, *debug = NULL, *foreign = NULL;

	make_image(&i, DT_GNU_HASH);
	usdt = open_image(&i, TARGET_WANT_USDT);
	assert_non_null(usdt->refused);
	add_symbol(&i, "_Py_RefTotal", AT_RUNTIME, 8, STT_OBJECT);
	put_gnu_hash(&i);
	debug = open_image(&i, TARGET_WANT_AUTO);
	assert_non_null(strstr(debug->refused, "debug build"));
	make_image(&i, DT_GNU_HASH);
	put(&i, offsetof(Elf64_Ehdr, e_machine), EM_RISCV, 2);
	foreign = open_image(&i, TARGET_WANT_AUTO);
	assert_non_null(foreign->refused);
}

static void test_usdt(void **state _unused_)
{
	_cleanup_(target_freep) struct target *t = NULL, *wanted = NULL, *half = NULL,
					      *unread = NULL, *unproven = NULL;
	struct image i, vague;

	make_image(&i, DT_GNU_HASH);
	add_note(&i, START, BASE + AT_IMPORT, "8@%rax");
	add_note(&i, "line", BASE + AT_IMPORT, "8@%rax 8@%rdx -4@%ecx");
	add_note(&i, DONE, BASE + AT_IMPORT + 1, "8@-40(%rbp) -4@%r15d");
	t = open_image(&i, TARGET_WANT_USDT);
	assert_int_equal(t->probe, LMMSD_PROBE_USDT);
	assert_int_equal(t->n_sites, 7);
	assert_int_equal(site(t, LMMSD_SITE_USDT_START)->sema_offset, AT_SEMAPHORES);
	assert_int_equal(site(t, LMMSD_SITE_USDT_DONE)->file_offset, AT_IMPORT + 1);
	assert_int_equal(site(t, LMMSD_SITE_USDT_DONE)->site.arg[0].how, LMMSD_ARG_MEM);
	assert_int_equal(site(t, LMMSD_SITE_USDT_DONE)->site.arg[0].off, -40);
	assert_int_equal(site(t, LMMSD_SITE_USDT_DONE)->site.arg[1].size, 4);
	/* the call site goes first: raising the semaphore changes what CPython does */
	wanted = open_image(&i, TARGET_WANT_AUTO);
	assert_int_equal(wanted->probe, LMMSD_PROBE_CALLSITE);
	/* but only if the file proves what is called there */
	vague = i;
	memcpy(vague.b + AT_IMPORT + 1, "\x48\x8b\x77\x10\x90\x90\x90", 7); /* mov 16(%rdi),%rsi */
	unproven = open_image(&vague, TARGET_WANT_AUTO);
	assert_int_equal(unproven->probe, LMMSD_PROBE_USDT);
	/* one that cannot be used makes all useless: its loads would be missed */
	add_note(&i, DONE, BASE + AT_IMPORT + 1, "8@%rax,%rbx 4@%eax");
	unread = open_image(&i, TARGET_WANT_AUTO);
	assert_int_equal(unread->probe, LMMSD_PROBE_CALLSITE);
	/* a start without a done is of no use */
	make_image(&i, DT_GNU_HASH);
	add_note(&i, START, BASE + AT_IMPORT, "8@%rax");
	half = open_image(&i, TARGET_WANT_AUTO);
	assert_int_equal(half->probe, LMMSD_PROBE_CALLSITE);
}

static void test_usdt_arguments(void **state _unused_)
{
	static const struct {
		uint16_t machine;
		const char *text;
		struct lmmsd_arg arg; /* .how 0: not understood */
	} cases[] = {
		{EM_X86_64, "8@%rax", {1, 8, 80, 0}},
		{EM_X86_64, " -4@%edx 8@%rax", {1, 4, 96, 0}},
		{EM_X86_64, "-4@%r15d", {1, 4, 0, 0}},
		{EM_X86_64, "-2@%bx", {1, 4, 40, 0}},
		{EM_X86_64, "1@%sil", {1, 4, 104, 0}},
		{EM_X86_64, "8@(%rsp)", {2, 8, 152, 0}},
		{EM_X86_64, "8@-40(%rbp)", {2, 8, 32, -40}},
		{EM_X86_64, "8@0x10(%r8)", {2, 8, 72, 16}},
		{EM_X86_64, "8@8(%rsp,%rax,8)", {0}},
		{EM_X86_64, "-4@$1", {0}},
		{EM_X86_64, "8@sema(%rip)", {0}},
		{EM_X86_64, "8@%xmm0", {0}},
		{EM_X86_64, "8@%raxx", {0}},
		{EM_X86_64, "8@99999999999(%rbp)", {0}},
		{EM_X86_64, "9@%rax", {0}},
		{EM_X86_64, "8%rax", {0}},
		{EM_X86_64, "8@", {0}},
		{EM_X86_64, "", {0}},
		{EM_AARCH64, "8@x0", {1, 8, 0, 0}},
		{EM_AARCH64, "-4@w19", {1, 4, 152, 0}},
		{EM_AARCH64, "8@x30", {1, 8, 240, 0}},
		{EM_AARCH64, "8@sp", {1, 8, 248, 0}},
		{EM_AARCH64, "8@[sp]", {2, 8, 248, 0}},
		{EM_AARCH64, "8@[sp, 16] 8@x0", {2, 8, 248, 16}},
		{EM_AARCH64, "8@[x29, -8]", {2, 8, 232, -8}},
		{EM_AARCH64, "8@x31", {0}},
		{EM_AARCH64, "8@[x1, x2]", {0}},
		{EM_AARCH64, "8@[x1", {0}},
		{EM_AARCH64, "8@%rax", {0}},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *p = cases[i].text;
		struct lmmsd_arg arg = {0};

		assert_int_equal(target_usdt_arg(cases[i].machine, &p, &arg),
				 cases[i].arg.how != 0);
		assert_memory_equal(&arg, &cases[i].arg, sizeof(arg));
	}
}

/* 3.6 to 3.10 have no Py_Version: name, layout and a string have to agree. */
static const struct old_version {
	const char *name;
	uint64_t runtime_size;
	char strings[24];
	const char *text, *why; /* why: it is refused */
} old_versions[] = {
	{"libpython3.9.so.1.0", 656, "3.9.2", "3.9.2", NULL},
	{"/opt/python3.8/bin/python3.9", 656, "3.9.18", "3.9.18", NULL},
	{"python3.9", 256, "3.9.2+", "3.9.2", NULL}, /* another machine's layout says nothing */
	{"python3.7m", 1520, "3.7.17", "3.7.17", NULL},
	{"python3.8", 1464, "3.8.0rc1", "3.8.0rc1", NULL},
	{"python3.8", 1464, "3.8.0rc2+", "3.8.0rc2", NULL},
	{"python", 672, "3.10.13", "3.10.13", NULL},
	{"python3.9", 656,
	 "3.9.2\0"
	 "3.9.2",
	 "3.9.2", NULL},
	{"python3.9", 656,
	 "3.9.2\0"
	 "3.8.1",
	 "3.9.2", NULL},
	{"python3.9", 656, "versions/3.9.18", "3.9.18", NULL}, /* merged with a path */
	{"python3.9", 656,
	 "/3.9.18\0"
	 "3.9.2",
	 "3.9.2", NULL},
	{"python3.10", 672, "3.10.0b4", "3.10.0b4", "pre-release"},
	{"python3.10", 672, "3.10.0a7+", "3.10.0a7", "pre-release"},
	{"python3.9", 656,
	 "3.9.2\0"
	 "3.9.18",
	 "", "more than one version string"},
	{"python", 256, "3.10.13", "", "its name does not tell it"},
	{"python3.x", 256, "3.10.13", "", "its name does not tell it"},
	{"python3.9999", 256, "3.10.13", "", "its name does not tell it"},
	{"python3.9", 672, "3.9.2", "", "name and layout do not agree"},
	{"python3.6m", 256, "3.6.9", "", "name and layout do not agree"},
	{"python3.5", 256, "3.5.2", "", "not supported"},
	{"python3.12", 256, "3.12.1", "", "not supported"},
	{"python3.9", 656, "3.8.2", "", "string was not found"},
	{"python3.9", 656, "3.9", "", "string was not found"},
	{"python3.9", 656, "3.9.", "", "string was not found"},
	{"python3.9", 656, "3.9.x", "", "string was not found"},
	{"python3.9", 656, "3.x.1", "", "string was not found"},
	{"python3.9", 656, "3.9.256", "", "string was not found"},
	{"python3.9", 656, "3.9.2rc", "", "string was not found"},
	{"python3.9", 656, "3.9.2r1c", "", "string was not found"},
	{"python3.9", 656, "3.9.2a", "", "string was not found"},
	{"python3.9", 656, "3.9.2++", "", "string was not found"},
	{"python3.9", 656, "3.9.2 (main)", "", "string was not found"},
	{"python3.9", 656, "13.9.2", "", "string was not found"},
	{"python3.9", 656, "1.3.9.2", "", "string was not found"},
	{"python3.9", 656, "3.9.000000000000000002", "", "string was not found"},
};

static void make_old(struct image *i, const struct old_version *v)
{
	Elf64_Phdr *load = (Elf64_Phdr *)(void *)(i->b + sizeof(Elf64_Ehdr));
	uint8_t *name;

	make_image(i, DT_GNU_HASH);
	load->p_flags = PF_R | PF_X; /* strings of data that may be written are not looked at */
	name = memmem(i->b + AT_STRTAB, AT_IMPORT - AT_STRTAB, "Py_Version", 10);
	assert_non_null(name);
	name[1] = 'x';
	put(i, AT_SYMTAB + i->n_symbols * sizeof(Elf64_Sym) + offsetof(Elf64_Sym, st_size),
	    v->runtime_size, 8);
	put_gnu_hash(i);
	memcpy(i->b + 0xf00, v->strings, sizeof(v->strings));
}

static void test_old_versions(void **state _unused_)
{
	for (size_t k = 0; k < ARRAY_LEN(old_versions); k++) {
		const struct old_version *v = &old_versions[k];
		_cleanup_(target_freep) struct target *t = NULL;
		_close_ int fd = memfd_create("image", MFD_CLOEXEC);
		struct image i;

		make_old(&i, v);
		assert_int_equal(write(fd, i.b, SIZE), SIZE);
		assert_int_equal(target_open(fd, v->name, TARGET_WANT_AUTO, &t), 0);
		assert_true(t->is_python);
		if (strcmp(t->version_text, v->text) != 0)
			fail_msg("%s of %s: '%s' %s", v->strings, v->name, t->version_text,
				 t->refused ? t->refused : "");
		if (v->why && (!t->refused || !strstr(t->refused, v->why)))
			fail_msg("%s of %s: %s", v->strings, v->name,
				 t->refused ? t->refused : "was taken");
		if (!v->why && t->refused && strstr(t->refused, "version"))
			fail_msg("%s of %s: %s", v->strings, v->name, t->refused);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_image),	       cmocka_unit_test(test_arm64),
		cmocka_unit_test(test_method),	       cmocka_unit_test(test_bolt),
		cmocka_unit_test(test_no_python),      cmocka_unit_test(test_refused),
		cmocka_unit_test(test_old_versions),   cmocka_unit_test(test_usdt),
		cmocka_unit_test(test_usdt_arguments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
