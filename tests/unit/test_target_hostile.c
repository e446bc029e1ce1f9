/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
// wrap: malloc calloc realloc reallocarray strdup strndup
/* probe/target: a hand-made Python that is broken in every way, and no memory. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "unit/fake_python.h"
#include "unit/no_memory.h"

/* Any result will do: what counts is that the sanitizers are silent, and that it ends. */
static void try_bytes(const uint8_t *b, size_t n)
{
	_cleanup_(target_freep) struct target *t = NULL;
	int r = open_bytes(b, n, TARGET_WANT_AUTO, &t);

	assert_true(r == 0 || r == -ENOEXEC);
	assert_int_equal(r == 0, t != NULL);
}

static void test_truncated(void **state _unused_)
{
	struct image i;

	make_full(&i);
	for (size_t n = 0; n < SIZE; n++)
		try_bytes(i.b, n);
}

static void test_every_byte_wrong(void **state _unused_)
{
	static const uint8_t values[] = {0x00, 0x7f, 0x80, 0xff};
	struct image i;

	make_full(&i);
	for (size_t at = 0; at < SIZE; at++) {
		uint8_t was = i.b[at];

		for (size_t k = 0; k < ARRAY_LEN(values) && was != 0; k++) {
			i.b[at] = values[k];
			try_bytes(i.b, SIZE);
		}
		i.b[at] = was;
	}
}

static void test_every_word_wrong(void **state _unused_)
{
	static const uint64_t values[] = {0,	     1,		 SIZE,	     BASE,
					  INT64_MAX, 1ULL << 63, UINT64_MAX, UINT32_MAX};
	struct image i;

	make_full(&i);
	for (size_t at = 0; at + 8 <= SIZE; at += 4)
		for (size_t k = 0; k < ARRAY_LEN(values); k++) {
			struct image broken = i;

			put(&broken, at, values[k], k & 1 ? 4 : 8);
			if (memcmp(broken.b, i.b, SIZE) != 0)
				try_bytes(broken.b, SIZE);
		}
}

static void test_cycles(void **state _unused_)
{
	static const uint8_t codes[][8] = {
		{0xeb, 0xfe},			      /* jmp to itself */
		{0x74, 0xfe, 0xeb, 0xfc},	      /* je to itself, jmp to it */
		{0x50, 0xeb, 0xfd},		      /* a stack that grows for ever */
		{0xeb, 0xff, 0xc0, 0xc3},	      /* into the middle of itself */
		{0xe8, 0xfb, 0xff, 0xff, 0xff, 0xc3}, /* a call of itself */
		{0x74, 0x00, 0x74, 0xfc, 0x74, 0xfa, 0x75, 0xf8},
	};
	struct image i;

	for (size_t k = 0; k < ARRAY_LEN(codes); k++) {
		make_full(&i);
		memcpy(i.b + AT_IMPORT, codes[k], sizeof(codes[k]));
		memcpy(i.b + AT_EVAL_CODE, codes[k], sizeof(codes[k]));
		try_bytes(i.b, SIZE);
	}
	/* nothing but conditional jumps, each a block's begin */
	make_full(&i);
	memset(i.b + AT_IMPORT, 0x74, SIZE - AT_IMPORT);
	try_bytes(i.b, SIZE);
	make_full(&i);
	memset(i.b + AT_IMPORT, 0x90, AT_VERSION - AT_IMPORT);
	try_bytes(i.b, SIZE);
	/* a hash chain that leads back to its begin */
	make_image(&i, DT_HASH);
	put(&i, AT_HASH + 12 + 4, 2, 4);
	put(&i, AT_HASH + 12 + 8, 1, 4);
	try_bytes(i.b, SIZE);
}

static void test_bad_notes(void **state _unused_)
{
	static const uint32_t sizes[] = {0, 1, 3, 7, 9, 24, 25, 0x7fffffff, 0xfffffffc, UINT32_MAX};
	struct image i;

	for (size_t k = 0; k < ARRAY_LEN(sizes); k++) {
		make_full(&i);
		put(&i, AT_NOTES, sizes[k], 4);
		try_bytes(i.b, SIZE);
		make_full(&i);
		put(&i, AT_NOTES + 4, sizes[k], 4);
		try_bytes(i.b, SIZE);
		make_full(&i);
		put(&i, AT_SHDRS + 2 * sizeof(Elf64_Shdr) + offsetof(Elf64_Shdr, sh_size), sizes[k],
		    8);
		try_bytes(i.b, SIZE);
	}
}

static void test_overlapping_segments(void **state _unused_)
{
	Elf64_Phdr ph[2] = {
		{.p_type = PT_LOAD,
		 .p_flags = PF_X,
		 .p_vaddr = BASE - 16,
		 .p_offset = UINT64_MAX - 8,
		 .p_filesz = UINT64_MAX},
		{.p_type = PT_DYNAMIC, .p_offset = 8, .p_filesz = SIZE},
	};
	struct image i;

	make_full(&i);
	memcpy(i.b + sizeof(Elf64_Ehdr), ph, sizeof(ph));
	try_bytes(i.b, SIZE);
	ph[0].p_offset = 0;
	ph[1].p_offset = AT_DYNAMIC;
	memcpy(i.b + sizeof(Elf64_Ehdr), ph, sizeof(ph));
	try_bytes(i.b, SIZE);
}

static void test_no_memory(void **state _unused_)
{
	struct image i;
	int r = -ENOMEM;

	make_full(&i);
	for (int n = 0; r == -ENOMEM; n++) {
		_cleanup_(target_freep) struct target *t = NULL;

		nomem_from(n);
		r = open_bytes(i.b, SIZE, TARGET_WANT_CALLSITE, &t);
		(void)nomem_end();
		assert_true(n < 1000);
		assert_int_equal(r == 0, t != NULL);
		if (r == 0)
			assert_int_equal(t->n_sites, 7);
	}
	assert_int_equal(r, 0);
}

static void test_no_file(void **state _unused_)
{
	_close_ int dir = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC),
		    null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct target *t = NULL;

	assert_int_equal(target_open(dir, "/", TARGET_WANT_AUTO, &t), -ENOEXEC);
	assert_int_equal(target_open(null, "/dev/null", TARGET_WANT_AUTO, &t), -ENOEXEC);
	assert_int_equal(target_open(-1, "x", TARGET_WANT_AUTO, &t), -EBADF);
	assert_int_equal(open_bytes((const uint8_t *)"#!/bin/sh\n", 10, TARGET_WANT_AUTO, &t),
			 -ENOEXEC);
	assert_null(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_every_byte_wrong),
		cmocka_unit_test(test_every_word_wrong),
		cmocka_unit_test(test_cycles),
		cmocka_unit_test(test_bad_notes),
		cmocka_unit_test(test_overlapping_segments),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_no_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
