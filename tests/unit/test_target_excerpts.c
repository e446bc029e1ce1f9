/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
// tier: test
// wrap: malloc calloc realloc reallocarray strdup strndup
/*
 * probe/target: builds of CPython 3.13.5 by clang 16 and BOLT, and gcc 12, as excerpts of their files, against what was seen to be
 * right when they ran; and the same with one thing broken.
 */
#include <elf.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "unit/excerpt.h"
#include "unit/no_memory.h"

#define DIR "tests/unit/pythons/"
#define SPLIT DIR "bolt-split-3.13.excerpt"
/* In bolt-split, the second copy; its first text is 0x1000 bytes lower in the file than in memory. */
#define OLD_REF 0x39eec0
#define OLD_CALL 0x39eed4
#define NEW_CALL 0x9b0504
#define OLD_BEGIN 0x39e790
#define OLD_TEXT 0x1000
#define RUNTIME_POINTER 0x498478
/* the names, from the begin of _PyRuntime */
#define FIND_AND_LOAD 0xb480
#define HANDLE_FROMLIST 0xb558

static int open_excerpt(const char *path)
{
	int fd = excerpt_open(path);

	assert_true(fd >= 0);
	return fd;
}

static struct target *examine(int fd)
{
	struct target *t = NULL;

	assert_int_equal(target_open(fd, "python3.13", TARGET_WANT_AUTO, &t), 0);
	assert_true(t->is_python);
	return t;
}

static void put(int fd, uint64_t at, const void *b, size_t n)
{
	assert_int_equal(pwrite(fd, b, n, (off_t)at), n);
}

static size_t count(const struct target *t, uint8_t kind)
{
	size_t n = 0;

	for (size_t i = 0; i < t->n_sites; i++)
		n += t->site[i].site.kind == kind;
	return n;
}

static void check_refused(int fd, const char *why)
{
	_cleanup_(target_freep) struct target *t = examine(fd);

	assert_non_null(t->refused);
	assert_string_equal(t->refused, why);
}

/* The section header of BOLT's note, and where it stands. */
static uint64_t bolt_note(int fd, Elf64_Shdr *ret)
{
	Elf64_Ehdr eh;
	Elf64_Shdr names;
	char name[16];

	assert_int_equal(pread(fd, &eh, sizeof(eh), 0), sizeof(eh));
	assert_int_equal(pread(fd, &names, sizeof(names),
			       (off_t)(eh.e_shoff + eh.e_shstrndx * sizeof(names))),
			 sizeof(names));
	for (uint64_t i = 0; i < eh.e_shnum; i++) {
		uint64_t at = eh.e_shoff + i * sizeof(*ret);

		assert_int_equal(pread(fd, ret, sizeof(*ret), (off_t)at), sizeof(*ret));
		assert_int_equal(pread(fd, name, sizeof(name),
				       (off_t)(names.sh_offset + ret->sh_name)),
				 sizeof(name));
		if (memcmp(name, ".note.bolt_info", sizeof(name)) == 0)
			return at;
	}
	fail();
	return 0;
}

static void test_sites(void **state _unused_)
{
	static const char *const names[] = {
		"clang",	   "bolt-split",	"bolt-profile", "bolt-stripped",
		"bolt-skip-funcs", "bolt-use-old-text", "bolt-hugify",	"bolt-force-patch",
		"gcc-o3-shared",   "gcc-no-plt",
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		_cleanup_(target_freep) struct target *t = NULL;
		_free_ char *found = NULL, *path = NULL, *sites = NULL;
		_close_ int fd = -1;
		char wanted[4096] = "";
		size_t n;
		FILE *f;

		assert_true(asprintf(&path, DIR "%s-3.13.excerpt", names[i]) > 0);
		assert_true(asprintf(&sites, DIR "%s-3.13.sites", names[i]) > 0);
		fd = open_excerpt(path);
		t = examine(fd);
		f = open_memstream(&found, &n);
		excerpt_describe(f, t);
		assert_int_equal(fclose(f), 0);
		f = fopen(sites, "re");
		assert_non_null(f);
		n = fread(wanted, 1, sizeof(wanted) - 1, f);
		assert_int_equal(fclose(f), 0);
		wanted[n] = '\0';
		assert_string_equal(found, wanted);
	}
}

/* Nothing calls the second copy's begin: where it begins is not known. */
static void test_no_begin(void **state _unused_)
{
	_close_ int fd = open_excerpt(SPLIT);
	static uint8_t text[1 << 20];

	for (uint64_t at = 0; at < 12; at++) {
		ssize_t n = pread(fd, text, sizeof(text), (off_t)(at << 20));

		for (ssize_t i = 0; i + 5 <= n; i++) {
			uint64_t va = (at << 20) + (uint64_t)i, base = va < 0x600000 ? OLD_TEXT : 0;
			int32_t disp;

			memcpy(&disp, text + i + 1, sizeof(disp));
			if (text[i] == 0xe8 && va + base + 5 + (uint64_t)(int64_t)disp == OLD_BEGIN)
				put(fd, va, "\x90", 1);
		}
	}
	check_refused(fd, "a second copy of its import code cannot be probed");
}

/* The second copy's call cannot be probed: with a segment prefix the kernel refuses the place. */
static void test_no_place(void **state _unused_)
{
	_close_ int fd = open_excerpt(SPLIT);

	/* xor %eax,%eax; call, one byte earlier, gives room for the prefix: 2e e8 */
	put(fd, OLD_CALL - OLD_TEXT - 2, "\x29\xc0\x2e\xff\xd3\x90\x90", 7);
	check_refused(fd, "a second copy of its import code cannot be probed");
}

/* The copy that the symbols name does what the search does not know: nor would it find others. */
static void test_other_code(void **state _unused_)
{
	_close_ int fd = open_excerpt(SPLIT);

	/* nothing is zero that is known to be */
	put(fd, NEW_CALL - 5, "\x45\x89\xf0\x90\x90", 5);
	check_refused(
		fd, "its import code stands in it more than once, and not all copies can be found");
}

/* A further call of the method at this place in _PyRuntime, in no function, where the file has nothing. */
static void put_stray_call(int fd, uint32_t number)
{
	const uint64_t at = 0x1fff00, next = at + OLD_TEXT + 12;
	uint8_t code[] = {0xbe, 0,    0,    0, 0,	  /* mov $NUMBER,%esi */
			  0x48, 0x03, 0x35, 0, 0, 0,   0, /* add RUNTIME(%rip),%rsi */
			  0x31, 0xc0,			  /* xor %eax,%eax */
			  0xe8, 0,    0,    0, 0, 0xc3};
	int32_t disp = (int32_t)(RUNTIME_POINTER - next);
	uint8_t is[64], none[64] = {0};

	assert_int_equal(pread(fd, is, sizeof(is), (off_t)at), sizeof(is));
	assert_memory_equal(is, none, sizeof(is));
	memcpy(code + 1, &number, sizeof(number));
	memcpy(code + 8, &disp, sizeof(disp));
	put(fd, at, code, sizeof(code));
}

static void test_stray_call(void **state _unused_)
{
	_close_ int fd = open_excerpt(SPLIT);

	put_stray_call(fd, FIND_AND_LOAD);
	check_refused(fd, "a second copy of its import code cannot be probed");
}

/* More references than are looked at. */
static void test_many_references(void **state _unused_)
{
	_close_ int fd = open_excerpt(SPLIT);

	for (uint64_t i = 0; i < 40; i++)
		put(fd, 0x1fff00 + 8 * i, "\xbe\x80\xb4\x00\x00", 5);
	check_refused(
		fd, "its import code stands in it more than once, and not all copies can be found");
}

/* Uses pass through more functions than are known: none is counted, for half of them would be worse. */
static void test_some_of_the_uses(void **state _unused_)
{
	_close_ int fd = open_excerpt(SPLIT);
	_cleanup_(target_freep) struct target *t = NULL;

	put_stray_call(fd, HANDLE_FROMLIST);
	t = examine(fd);
	assert_null(t->refused);
	assert_string_equal(t->degraded, "uses cannot be counted: not all copies of the import "
					 "function could be found");
	assert_int_equal(count(t, LMMSD_SITE_IMPORT), 0);
	assert_int_equal(count(t, LMMSD_SITE_CALL_START), 4);
	assert_int_equal(count(t, LMMSD_SITE_BODY_START), 1);
}

/* What importlib calls cannot be told: given up, one by one. */
static void test_methods(void **state _unused_)
{
	_close_ int fd = open_excerpt(SPLIT);
	_cleanup_(target_freep) struct target *t = NULL;
	static uint8_t data[0x1e8000];

	assert_int_equal(pread(fd, data, sizeof(data), 0), sizeof(data));
	for (size_t i = 0; i + 13 < sizeof(data); i++)
		if (memcmp(data + i, "exec", 5) == 0 || memcmp(data + i, "compile", 8) == 0)
			put(fd, i, "X", 1);
	t = examine(fd);
	assert_null(t->refused);
	assert_string_equal(
		t->degraded,
		"bodies are not timed: another copy of the code may run; compilation is not seen: "
		"another copy of the code may run");
	assert_int_equal(count(t, LMMSD_SITE_BODY_START), 0);
	assert_int_equal(count(t, LMMSD_SITE_BODY_DONE), 0);
	assert_int_equal(count(t, LMMSD_SITE_COMPILE), 0);
	assert_int_equal(count(t, LMMSD_SITE_EXT_EXEC), 1);
	assert_int_equal(t->interp_flags, LMMSD_INTERP_EXT);
}

/* -hugify is an option wherever it stands in BOLT's command line; a part of another word is none. */
static void test_hugify(void **state _unused_)
{
	static const struct {
		const char *text;
		bool refused;
	} cases[] = {
		{" -hugify", true},   {" --hugify -o x", true}, {" -hugify=1", true},
		{" x-hugify", false}, {" -hugify-x", false},	{" -hugif", false},
		{"-hugify", false},   {" --hugify", true},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		_cleanup_(target_freep) struct target *t = NULL;
		_close_ int fd = open_excerpt(SPLIT);
		size_t n = strlen(cases[i].text);
		Elf64_Shdr sh = {0};
		uint64_t at = bolt_note(fd, &sh);

		sh.sh_size = n; /* nothing ends the text but its size */
		put(fd, sh.sh_offset, cases[i].text, n);
		put(fd, at, &sh, sizeof(sh));
		t = examine(fd);
		assert_int_equal(t->refused != NULL, cases[i].refused);
		if (t->refused)
			assert_non_null(strstr(t->refused, "-hugify"));
	}
}

/* Any result will do: what counts is that the sanitizers are silent, and that it ends. */
static void try_file(int fd)
{
	_cleanup_(target_freep) struct target *t = NULL;
	int r = target_open(fd, "python3.13", TARGET_WANT_AUTO, &t);

	assert_true(r == 0 || r == -ENOEXEC);
	assert_int_equal(r == 0, t != NULL);
}

static Elf64_Phdr last_text(int fd, uint64_t *ret_at)
{
	Elf64_Ehdr eh;
	Elf64_Phdr ph, found = {0};

	assert_int_equal(pread(fd, &eh, sizeof(eh), 0), sizeof(eh));
	for (uint64_t i = 0; i < eh.e_phnum; i++) {
		uint64_t at = eh.e_phoff + i * sizeof(ph);

		assert_int_equal(pread(fd, &ph, sizeof(ph), (off_t)at), sizeof(ph));
		if (ph.p_type == PT_LOAD && (ph.p_flags & PF_X)) {
			found = ph;
			*ret_at = at;
		}
	}
	assert_true(found.p_filesz > 0);
	return found;
}

/* More text than is looked through, and text that is not there. */
static void test_too_much(void **state _unused_)
{
	static const uint64_t sizes[] = {65u << 20, 1ULL << 40, UINT64_MAX};
	static const char why[] =
		"its import code stands in it more than once, and not all copies can be found";

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		_close_ int fd = open_excerpt(SPLIT);
		uint64_t at = 0;
		Elf64_Phdr ph = last_text(fd, &at);

		ph.p_filesz = sizes[i];
		put(fd, at, &ph, sizeof(ph));
		check_refused(fd, why);
	}
}

/* Text in which everything looks like what is searched for. */
static void test_nothing_but_matches(void **state _unused_)
{
	static const uint8_t patterns[][8] = {
		{0xe8, 0xe8, 0xe8, 0xe8, 0xe8, 0xe8, 0xe8, 0xe8},
		{0xe8, 0xf8, 0xff, 0xff, 0xff, 0xe8, 0x00, 0x00},
		{0x48, 0x8d, 0x35, 0x80, 0xb4, 0x00, 0x00, 0xbe},
		{0xbe, 0x80, 0xb4, 0x00, 0x00, 0x48, 0x03, 0x35},
		{0x74, 0x00, 0x75, 0xfc, 0x74, 0xfa, 0x74, 0xf8},
	};
	static uint8_t text[1 << 20];

	for (size_t i = 0; i < ARRAY_LEN(patterns); i++) {
		_close_ int fd = open_excerpt(SPLIT);
		uint8_t code[0x800];

		/* but for the copy that is known, what it is found by, and a reference in the pattern's midst */
		for (size_t k = 0; k < sizeof(text); k++)
			text[k] = patterns[i][k % sizeof(patterns[i])];
		assert_int_equal(pread(fd, code, sizeof(code), OLD_BEGIN - OLD_TEXT), sizeof(code));
		put(fd, 0x200000, text, sizeof(text));
		put(fd, 0x300000, text, 0xa0000);
		put(fd, OLD_REF - OLD_TEXT, code + (OLD_REF - OLD_BEGIN), OLD_CALL + 5 - OLD_REF);
		try_file(fd);
	}
}

static void test_wrong_bytes(void **state _unused_)
{
	static const uint8_t values[] = {0x00, 0xff, 0xe9, 0x74};
	static const uint64_t places[] = {OLD_BEGIN - OLD_TEXT, OLD_REF - OLD_TEXT, NEW_CALL - 24};

	for (size_t p = 0; p < ARRAY_LEN(places); p++)
		for (uint64_t at = places[p]; at < places[p] + 32; at += 9) {
			_close_ int fd = open_excerpt(SPLIT);

			put(fd, at, &values[at % ARRAY_LEN(values)], 1);
			try_file(fd);
		}
}

/* Either that is said, or all is found. */
static void test_no_memory(void **state _unused_)
{
	_close_ int fd = open_excerpt(SPLIT);
	_cleanup_(target_freep) struct target *all = examine(fd);
	bool failed = true;
	size_t said = 0;

	for (long n = 0; failed; n += n < 8 ? 1 : 2) {
		_cleanup_(target_freep) struct target *t = NULL;
		int r;

		nomem_once(n);
		r = target_open(fd, "python3.13", TARGET_WANT_AUTO, &t);
		failed = nomem_end();
		said += r == -ENOMEM;
		if (r == -ENOMEM)
			continue;
		assert_int_equal(r, 0);
		assert_null(t->refused);
		assert_null(t->degraded);
		assert_int_equal(t->n_sites, all->n_sites);
	}
	assert_true(said > 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sites),
		cmocka_unit_test(test_no_begin),
		cmocka_unit_test(test_no_place),
		cmocka_unit_test(test_other_code),
		cmocka_unit_test(test_stray_call),
		cmocka_unit_test(test_many_references),
		cmocka_unit_test(test_some_of_the_uses),
		cmocka_unit_test(test_methods),
		cmocka_unit_test(test_hugify),
		cmocka_unit_test(test_too_much),
		cmocka_unit_test(test_nothing_but_matches),
		cmocka_unit_test(test_wrong_bytes),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
