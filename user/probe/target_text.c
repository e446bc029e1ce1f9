/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "probe/target_text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define MAX_TEXT (64u << 20) /* bytes of all executable segments together */
#define WINDOW 65536
#define LAP 16 /* bytes that two windows share: what is looked for is shorter */

/* Called for windows over all text; what stands in the lap is seen twice. */
typedef int (*look)(const uint8_t *b, size_t n, uint64_t va, void *arg);

static int scan(const struct telf *f, look look_at, void *arg)
{
	_free_ uint8_t *window = malloc(WINDOW);
	uint64_t all = 0;
	int r = 0;

	if (!window)
		return -ENOMEM;
	for (size_t i = 0; i < f->n_phdrs; i++) {
		const Elf64_Phdr *p = &f->phdr[i];

		if (p->p_type != PT_LOAD || !(p->p_flags & PF_X))
			continue;
		if (p->p_filesz > MAX_TEXT - all)
			return -E2BIG;
		all += p->p_filesz;
		for (uint64_t at = 0; r == 0 && at < p->p_filesz; at += WINDOW - LAP) {
			uint64_t left = p->p_filesz - at;
			size_t n = left < WINDOW ? (size_t)left : WINDOW;

			if (telf_read(f, p->p_offset + at, window, n) < 0)
				return -EFAULT;
			r = look_at(window, n, p->p_vaddr + at, arg);
		}
	}
	return r;
}

static uint32_t load32(const uint8_t *b)
{
	uint32_t v;

	memcpy(&v, b, sizeof(v));
	return v;
}

static uint64_t relative(uint32_t disp, uint64_t next)
{
	return next + (uint64_t)(int64_t)(int32_t)disp;
}

static int add_ref(struct text_refs *refs, uint64_t va, bool is_number)
{
	for (size_t i = 0; i < refs->n; i++)
		if (refs->ref[i].va == va)
			return 0;
	if (refs->n == TEXT_MAX_REFS)
		return -E2BIG;
	refs->ref[refs->n].is_number = is_number;
	refs->ref[refs->n].n_entries = 0;
	refs->ref[refs->n++].va = va;
	return 0;
}

/* mov $NUMBER,%REG32 with the number at b; with a prefix for r8 to r15 if that is what the byte before is. */
static int add_mov(struct text_refs *refs, const uint8_t *b, uint64_t va, bool is_number)
{
	int r;

	if ((b[-1] & 0xf8) != 0xb8)
		return 0;
	r = add_ref(refs, va - 1, is_number);
	return r == 0 && b[-2] == 0x41 ? add_ref(refs, va - 2, is_number) : r;
}

/* lea NUMBER(%REG),%REG; add $NUMBER,%REG: the register that is added to holds _PyRuntime's address. */
static int add_sum(struct text_refs *refs, const uint8_t *b, uint64_t va)
{
	bool wide = (b[-3] & 0xf8) == 0x48;

	if (wide && b[-2] == 0x8d && (b[-1] & 0xc0) == 0x80 && (b[-1] & 7) != 4)
		return add_ref(refs, va - 3, false);
	if (wide && b[-2] == 0x81 && (b[-1] & 0xf8) == 0xc0)
		return add_ref(refs, va - 3, false);
	return b[-2] == 0x48 && b[-1] == 0x05 ? add_ref(refs, va - 2, false) : 0;
}

static int look_for_refs(const uint8_t *b, size_t n, uint64_t va, void *arg)
{
	struct text_refs *refs = arg;
	int r = 0;

	for (size_t i = 3; r == 0 && i + 4 <= n; i++) {
		uint32_t v = load32(b + i);

		/* lea to(%rip),%REG */
		if (v == (uint32_t)(refs->to - (va + i + 4)) &&
		    relative(v, va + i + 4) == refs->to && (b[i - 3] & 0xfb) == 0x48 &&
		    b[i - 2] == 0x8d && (b[i - 1] & 0xc7) == 0x05)
			r = add_ref(refs, va + i - 3, false);
		else if (v == refs->to) /* not position-independent */
			r = add_mov(refs, b + i, va + i, false);
		else if (v == refs->number && v != 0)
			r = (b[i - 1] & 0xf8) == 0xb8 ? add_mov(refs, b + i, va + i, true) :
							add_sum(refs, b + i, va + i);
	}
	return r;
}

int text_refs(const struct telf *f, uint64_t to, uint64_t runtime, struct text_refs *ret)
{
	ret->to = to;
	ret->number = runtime != 0 && to > runtime && to - runtime <= INT32_MAX ? to - runtime : 0;
	ret->n = 0;
	return scan(f, look_for_refs, ret);
}

/* Keeps the nearest, in order. */
static void add_entry(struct text_ref *ref, uint64_t va)
{
	size_t at = ref->n_entries;

	while (at > 0 && ref->entry[at - 1] < va)
		at--;
	if (at == TEXT_MAX_ENTRIES || (at > 0 && ref->entry[at - 1] == va))
		return;
	if (ref->n_entries < TEXT_MAX_ENTRIES)
		ref->n_entries++;
	memmove(&ref->entry[at + 1], &ref->entry[at],
		(ref->n_entries - at - 1) * sizeof(ref->entry[0]));
	ref->entry[at] = va;
}

static int look_for_entries(const uint8_t *b, size_t n, uint64_t va, void *arg)
{
	struct text_refs *refs = arg;

	for (size_t i = 0; i + 5 <= n; i++) {
		uint64_t to;

		if (b[i] != 0xe8)
			continue;
		to = relative(load32(b + i + 1), va + i + 5);
		for (size_t k = 0; k < refs->n; k++)
			if (refs->ref[k].va - to < TEXT_REACH)
				add_entry(&refs->ref[k], to);
	}
	return 0;
}

int text_entries(const struct telf *f, struct text_refs *refs)
{
	return refs->n == 0 ? 0 : scan(f, look_for_entries, refs);
}
