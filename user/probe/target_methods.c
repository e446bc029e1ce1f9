/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Functions that no symbol names are named by the tables of Python's modules: PyMethodDef { "exec", builtin_exec, flags,
 * doc }.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "probe/target_find.h"

#define MAX_NAMES                                                                                  \
	64 /* places where the string stands: the linker may have merged it with the end of others */
#define MAX_SCAN (32ULL << 20)
#define WINDOW 65536
#define FUNCTION_SIZE 4096 /* bytes: of a function without a symbol */
#define MAX_TRIES 4096	   /* pointers to the name */
#define METH_MAX 0x1ff	   /* all METH_ flags of 3.6 to 3.14 */

struct names {
	const char *name;
	uint64_t va[MAX_NAMES];
	size_t n;
};

/* Calls look(window, n, va, arg) for all file data of segments that are (not) writable; windows overlap by 16 bytes. */
typedef void (*look)(const uint8_t *window, size_t n, uint64_t va, void *arg);
static int scan(const struct telf *f, bool writable, look look_at, void *arg)
{
	_free_ uint8_t *window = malloc(WINDOW);
	uint64_t budget = MAX_SCAN;

	if (!window)
		return -ENOMEM;
	for (size_t i = 0; i < f->n_phdrs; i++) {
		const Elf64_Phdr *p = &f->phdr[i];

		if (p->p_type != PT_LOAD || writable != !!(p->p_flags & PF_W))
			continue;
		for (uint64_t at = 0; at < p->p_filesz && budget >= WINDOW; at += WINDOW - 16) {
			size_t n = telf_peek_va(f, p->p_vaddr + at, false, window, WINDOW);

			if (n == 0)
				break;
			budget -= WINDOW;
			look_at(window, n, p->p_vaddr + at, arg);
		}
	}
	return 0;
}

static void look_for_name(const uint8_t *window, size_t n, uint64_t va, void *arg)
{
	const uint8_t *end = window + n;
	struct names *names = arg;
	size_t length = strlen(names->name) + 1;

	for (const uint8_t *p = window; (p = memmem(p, (size_t)(end - p), names->name, length));
	     p++)
		if (names->n < MAX_NAMES)
			names->va[names->n++] = va + (uint64_t)(p - window);
}

static bool is_name(const struct names *names, uint64_t va)
{
	for (size_t i = 0; i < names->n; i++)
		if (names->va[i] == va)
			return true;
	return false;
}

struct table_search {
	struct telf *f; /* borrowed */
	const struct names *names;
	struct target_methods *methods;
	size_t tries;
};

/* A pointer to the name stands at va: is it the begin of a method's entry? */
static void try_entry(struct table_search *s, uint64_t va)
{
	uint64_t function, file_offset;
	uint32_t flags;

	if (s->tries++ >= MAX_TRIES)
		return;
	if (telf_pointer(s->f, va + 8, &function) < 0 ||
	    telf_offset(s->f, function, true, &file_offset) < 0)
		return;
	if (telf_read_va(s->f, va + 16, &flags, sizeof(flags)) < 0 || flags == 0 ||
	    flags > METH_MAX)
		return;
	if (s->methods->n < TARGET_MAX_METHODS)
		s->methods->function[s->methods->n++] = function;
}

/* Programs at a fixed address have no relocations: the pointers stand in the data. */
static void look_for_entry(const uint8_t *window, size_t n, uint64_t va, void *arg)
{
	struct table_search *s = arg;

	for (size_t at = -va & 7; n >= 8 && at <= n - 8; at += 8) {
		uint64_t v;

		memcpy(&v, window + at, sizeof(v));
		if (v != 0 && is_name(s->names, v))
			try_entry(s, va + at);
	}
}

int target_methods(struct telf *f, const char *name, struct target_methods *ret)
{
	struct names names = {.name = name};
	struct table_search s = {.f = f, .names = &names, .methods = ret};
	Elf64_Rela unused;
	int r;

	ret->n = 0;
	r = scan(f, false, look_for_name, &names);
	if (r < 0 || names.n == 0)
		return r < 0 ? r : -ENOENT;
	(void)telf_reloc(f, 0, &unused); /* reads them */
	for (size_t i = 0; i < f->n_relocs; i++)
		if (ELF64_R_TYPE(f->relocs[i].r_info) == R_X86_64_RELATIVE &&
		    is_name(&names, (uint64_t)f->relocs[i].r_addend))
			try_entry(&s, f->relocs[i].r_offset);
	return ret->n > 0 ? 0 : scan(f, true, look_for_entry, &s);
}

static enum target_verdict judge(enum callee callee, const struct code_insn *insn,
				 const struct code_state *s, void *arg)
{
	const enum callee *wanted = arg;

	(void)insn, (void)s;
	return callee == *wanted ? TARGET_YES : TARGET_NO;
}

int target_calls_of(struct code *c, uint64_t va, enum callee callee, struct target_calls *ret)
{
	return target_find_calls(c, va, FUNCTION_SIZE, true, judge, &callee, ret);
}

bool target_method_calls(struct telf *f, struct code *c, const char *name, enum callee callee)
{
	struct target_methods methods;
	struct target_calls calls;
	int r = target_methods(f, name, &methods);

	if (r == -ENOMEM)
		code_fail(c);
	if (r < 0)
		return false;
	for (size_t i = 0; i < methods.n; i++)
		if (target_calls_of(c, methods.function[i], callee, &calls) == 0 && calls.n > 0)
			return true;
	return false;
}
