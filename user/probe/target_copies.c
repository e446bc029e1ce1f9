/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Further copies of the import code in one file.
 *
 * BOLT writes the functions that it optimised into a new executable segment and leaves the old text where it was. The
 * symbols name the new copies, but what BOLT did not move (the evaluation loop, for one) may still call the old ones: both
 * run. A copy is told by what it refers to. importlib's method names are objects at one address in the file, whichever
 * copy uses them, so each instruction that loads the address of "_find_and_load" belongs to a copy of the call that
 * loads, and each that loads that of "_handle_fromlist" to a copy of PyImport_ImportModuleLevelObject. The function around
 * it is the nearest place before it that is called directly, from which control flow leads to the instruction, and at
 * whose returns the stack is as it was at its begin.
 *
 * Other old copies BOLT disables: their first instruction is a jump to the new one.
 *
 * All references must be explained in this way; otherwise loads would be missing and nobody would notice: the file is
 * refused.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "probe/target_find.h"
#include "probe/target_state.h"
#include "probe/target_walk.h"

#define MAX_TEXTS 4
#define MAX_TEXT (128u << 20) /* bytes of all executable segments together */
#define MAX_REFS 16
#define MAX_STEPS 32 /* instructions from a reference to its call */
#define MAX_ENTRIES 256
#define REACH 8192 /* bytes from a function's begin to the reference */
#define PAIR 24	   /* bytes before the second of two instructions that make an address */
#define NEAR 128   /* bytes from a reference to its call, in the copy that the symbol names */

struct text {
	uint64_t va;
	size_t n;
	uint8_t *bytes; /* owned */
};

struct copies {
	struct target *t; /* borrowed */
	struct telf *f;	  /* borrowed */
	struct code *c;	  /* owned: the scan has a budget of its own */
	struct text text[MAX_TEXTS];
	size_t n_texts;
};

static void copies_done(struct copies *k)
{
	for (size_t i = 0; i < k->n_texts; i++)
		free(k->text[i].bytes);
	(void)code_free(k->c);
}

bool target_has_copies(const struct telf *f)
{
	size_t n = 0;
	Elf64_Shdr s;

	for (size_t i = 0; i < f->n_phdrs; i++)
		n += f->phdr[i].p_type == PT_LOAD && (f->phdr[i].p_flags & PF_X);
	return n > 1 || telf_section(f, ".bolt.org.text", &s) == 0 ||
	       telf_section(f, ".note.bolt_info", &s) == 0;
}

static int copies_read(struct copies *k)
{
	size_t all = 0;

	for (size_t i = 0; i < k->f->n_phdrs; i++) {
		const Elf64_Phdr *p = &k->f->phdr[i];
		struct text *x = &k->text[k->n_texts];

		if (p->p_type != PT_LOAD || !(p->p_flags & PF_X) || p->p_filesz < 8)
			continue;
		if (k->n_texts == MAX_TEXTS || p->p_filesz > MAX_TEXT - all)
			return -ENOTSUP;
		all += p->p_filesz;
		*x = (struct text){.va = p->p_vaddr, .n = p->p_filesz};
		x->bytes = malloc(x->n);
		if (!x->bytes)
			return -ENOMEM;
		k->n_texts++;
		if (telf_read(k->f, p->p_offset, x->bytes, x->n) < 0)
			return -ENOTSUP;
	}
	return 0;
}

static uint64_t relative_target(const struct text *x, size_t i)
{
	int32_t disp;

	memcpy(&disp, x->bytes + i, sizeof(disp));
	return x->va + i + 4 + (uint64_t)(int64_t)disp;
}

/* lea REG, [rip + disp] with the displacement at i. */
static bool is_lea(const struct text *x, size_t i)
{
	return i >= 3 && (x->bytes[i - 3] & 0xfb) == 0x48 && x->bytes[i - 2] == 0x8d &&
	       (x->bytes[i - 1] & 0xc7) == 0x05;
}

/* mov REG, imm32 (a program that is not position-independent) with the number at i. */
static bool is_mov(const struct text *x, size_t i, uint64_t to)
{
	uint32_t imm;

	memcpy(&imm, x->bytes + i, sizeof(imm));
	return i >= 1 && imm == to && (x->bytes[i - 1] & 0xf8) == 0xb8;
}

/*
 * add REG, [rip + disp] with the displacement at i, of a pointer in the file to which a number is added that stands a
 * little before it, as clang writes the address of a field of _PyRuntime.
 */
static bool is_add(const struct copies *k, const struct text *x, size_t i, uint64_t to)
{
	uint64_t pointer;
	uint32_t imm;

	if (i < 3 + PAIR || (x->bytes[i - 3] & 0xfb) != 0x48 || x->bytes[i - 2] != 0x03 ||
	    (x->bytes[i - 1] & 0xc7) != 0x05 ||
	    telf_pointer(k->f, relative_target(x, i), &pointer) < 0 || to - pointer > INT32_MAX)
		return false;
	for (size_t at = i - 3 - PAIR; at + sizeof(imm) <= i - 3; at++) {
		memcpy(&imm, x->bytes + at, sizeof(imm));
		if (imm == to - pointer)
			return true;
	}
	return false;
}

/*
 * Is the address that the instruction at ref loads the second argument of the next call? Elsewhere it is not a method:
 * all names are interned when the interpreter starts.
 */
static bool is_method(struct copies *k, uint64_t ref, uint64_t to)
{
	struct code_state s = {0};
	struct code_insn insn;
	unsigned int size;
	enum code_reg r;

	if (!code_decode(k->c, ref, &insn) || insn.cs->detail->x86.op_count == 0)
		return false;
	r = state_reg(insn.cs->detail->x86.operands[0].reg, &size);
	if (r == CODE_REGS)
		return false;
	code_step(k->c, &insn, &s);
	s.reg[r] = (struct code_val){VAL_CONST, (int64_t)to};
	for (int i = 0; i < MAX_STEPS; i++) {
		if (!code_decode(k->c, insn.kind == CODE_JMP ? insn.target : insn.next, &insn) ||
		    insn.kind == CODE_RET || insn.kind == CODE_STOP)
			return false;
		if (insn.kind == CODE_CALL || insn.kind == CODE_CALL_IND)
			return s.reg[RSI].kind == VAL_CONST && (uint64_t)s.reg[RSI].v == to;
		code_step(k->c, &insn, &s);
	}
	return false;
}

/* Where the address `to` is loaded to call that method. More than fit: -E2BIG. */
static int find_refs(struct copies *k, uint64_t to, uint64_t *ret, size_t *n)
{
	*n = 0;
	for (size_t t = 0; t < k->n_texts; t++) {
		const struct text *x = &k->text[t];

		for (size_t i = 0; i + 4 <= x->n; i++) {
			uint64_t va;

			if ((relative_target(x, i) == to && is_lea(x, i)) || is_add(k, x, i, to))
				va = x->va + i - 3;
			else if (is_mov(x, i, to))
				va = x->va + i - 1;
			else
				continue;
			if (!is_method(k, va, to))
				continue;
			if (*n == MAX_REFS)
				return -E2BIG;
			ret[(*n)++] = va;
		}
	}
	return 0;
}

static int downwards(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x > *y ? -1 : *x < *y;
}

/* Places that are called directly, in (ref - REACH, ref], the nearest first. */
static size_t find_entries(const struct copies *k, uint64_t ref, uint64_t *ret)
{
	size_t n = 0, kept = 0;

	for (size_t t = 0; t < k->n_texts; t++) {
		const struct text *x = &k->text[t];

		for (size_t i = 1; i + 4 <= x->n && n < MAX_ENTRIES; i++)
			if (x->bytes[i - 1] == 0xe8 && ref - relative_target(x, i) < REACH)
				ret[n++] = relative_target(x, i);
	}
	qsort(ret, n, sizeof(*ret), downwards);
	for (size_t i = 0; i < n; i++)
		if (i == 0 || ret[i] != ret[i - 1])
			ret[kept++] = ret[i];
	return kept;
}

/* A walk from a place that may be a function's begin. */
struct passage {
	uint64_t ref, method;
	bool reached; /* control flow leads to ref */
	bool unsound; /* a return with the stack elsewhere than at the begin */
	bool returned;
	struct target_calls calls; /* with the method's address as their second argument */
};

static void visit(struct code *c _unused_, const struct code_insn *insn, const struct code_state *s,
		  void *arg)
{
	struct passage *p = arg;

	p->reached |= insn->va == p->ref;
	if (insn->kind == CODE_RET) {
		p->returned = true;
		p->unsound |= s->reg[RSP].kind == VAL_FRAME && s->reg[RSP].v != 0;
	}
	if ((insn->kind != CODE_CALL && insn->kind != CODE_CALL_IND) ||
	    s->reg[RSI].kind != VAL_CONST || (uint64_t)s->reg[RSI].v != p->method)
		return;
	if (p->calls.n == TARGET_MAX_CALLS) {
		p->calls.lost = true;
		return;
	}
	p->calls.call[p->calls.n++] = (struct target_call){
		.va = insn->va,
		.next = insn->next,
		.target = insn->target,
		.emulated = insn->emulated,
		.verdict = TARGET_YES,
		.state = *s,
	};
}

/* The function around ref. -ENOENT: none that can be proven. */
static int find_function(struct copies *k, uint64_t ref, uint64_t method, uint64_t *ret_va,
			 struct passage *ret)
{
	uint64_t entry[MAX_ENTRIES];
	size_t n = find_entries(k, ref, entry);

	for (size_t i = 0; i < n; i++) {
		*ret = (struct passage){.ref = ref, .method = method};
		if (code_walk(k->c, entry[i], ref - entry[i] + REACH, visit, ret, NULL) < 0)
			continue;
		if (ret->reached && ret->returned && !ret->unsound) {
			*ret_va = entry[i];
			return 0;
		}
	}
	return -ENOENT;
}

/* Has a site of this kind that stands in (ref, ref + NEAR]. */
static bool has_site_near(const struct target *t, uint64_t ref, uint8_t kind)
{
	for (size_t i = 0; i < t->n_sites; i++)
		if (t->site[i].site.kind == kind && t->site[i].site.va - ref <= NEAR)
			return true;
	return false;
}

static bool has_site(const struct target *t, uint64_t va, uint8_t kind)
{
	for (size_t i = 0; i < t->n_sites; i++)
		if (t->site[i].site.va == va && t->site[i].site.kind == kind)
			return true;
	return false;
}

/* The function that begins at va is the known copy: a walk from there comes to one of its sites of this kind. */
static bool is_known_copy(struct copies *k, uint64_t va, uint8_t kind)
{
	for (size_t i = 0; i < k->t->n_sites; i++) {
		const struct lmmsd_site *site = &k->t->site[i].site;
		struct passage p = {.ref = site->va};

		if (site->kind == kind && code_walk(k->c, va, REACH, visit, &p, NULL) == 0 &&
		    p.reached)
			return true;
	}
	return false;
}

/* Is the nearest function before ref nothing but a jump to the known copy? */
static bool is_disabled(struct copies *k, uint64_t ref, uint8_t kind)
{
	uint64_t entry[MAX_ENTRIES];
	struct code_insn insn;

	return find_entries(k, ref, entry) > 0 && code_decode(k->c, entry[0], &insn) &&
	       insn.kind == CODE_JMP && is_known_copy(k, insn.target, kind);
}

/* The calls of _find_and_load in the function around ref. */
static int add_calls(struct copies *k, uint64_t ref, uint64_t method)
{
	struct passage p;
	uint64_t va;

	if (is_disabled(k, ref, LMMSD_SITE_CALL_START))
		return 0;
	if (find_function(k, ref, method, &va, &p) < 0 || p.calls.n == 0 || p.calls.lost)
		return -ENOENT;
	for (size_t i = 0; i < p.calls.n; i++) {
		struct lmmsd_site start = {
			.kind = LMMSD_SITE_CALL_START,
			.method_proven = 1,
			.arg[0] = {.how = LMMSD_ARG_REG, .size = 8, .reg = code_pt_regs[RDX]},
		};

		if (has_site(k->t, p.calls.call[i].va, LMMSD_SITE_CALL_START))
			continue;
		if (!target_add_pair(k->t, k->f, k->c, &p.calls.call[i], &start,
				     LMMSD_SITE_CALL_DONE))
			return -ENOENT;
	}
	return 0;
}

static int copies_of_call(struct copies *k, uint64_t method, const char **ret_why)
{
	uint64_t ref[MAX_REFS];
	size_t n, explained = 0;
	int r = find_refs(k, method, ref, &n);

	*ret_why = "its import code stands in it more than once, and not all copies can be found";
	if (r < 0)
		return -ENOENT;
	for (size_t i = 0; i < n; i++)
		explained += has_site_near(k->t, ref[i], LMMSD_SITE_CALL_START);
	/* the copy that is known is found in this way too; so others will be */
	if (explained == 0)
		return -ENOENT;
	*ret_why = "a second copy of its import code cannot be probed";
	for (size_t i = 0; r == 0 && i < n; i++)
		if (!has_site_near(k->t, ref[i], LMMSD_SITE_CALL_START))
			r = add_calls(k, ref[i], method);
	return r;
}

/* Is ref in the copy that the symbol names, or in a part that was split off it? */
static bool in_named_copy(struct copies *k, uint64_t ref)
{
	struct passage p = {.ref = ref};
	uint64_t va, size;

	return target_function(k->f, "PyImport_ImportModuleLevelObject", &va, &size) == 0 &&
	       code_walk(k->c, va, size, visit, &p, NULL) == 0 && p.reached;
}

/* The begin of PyImport_ImportModuleLevelObject's copy around ref, where uses are seen. */
static int add_entry_of(struct copies *k, uint64_t ref)
{
	struct lmmsd_site site = {.kind = LMMSD_SITE_IMPORT};
	struct passage p;
	uint64_t va;

	if (in_named_copy(k, ref) || is_disabled(k, ref, LMMSD_SITE_IMPORT))
		return 0;
	if (find_function(k, ref, 0, &va, &p) < 0 ||
	    target_entry_x86(k->c, va, ref - va + REACH, 0x1f, &site) < 0)
		return -ENOENT;
	return target_add_once(k->t, k->f, &site) ? 0 : -ENOENT;
}

static int copies_of_entry(struct copies *k, uint64_t fromlist)
{
	uint64_t ref[MAX_REFS];
	size_t n;
	int r = find_refs(k, fromlist, ref, &n);

	for (size_t i = 0; r == 0 && i < n; i++)
		r = add_entry_of(k, ref[i]);
	return r == 0 && n > 0 ? 0 : -ENOENT;
}

int target_copies(struct target *t, struct telf *f, const struct target_names *names,
		  const char **ret_why, const char **ret_degraded)
{
	_cleanup_(copies_done) struct copies k = {.t = t, .f = f};
	size_t first;
	int r;

	*ret_degraded = NULL;
	*ret_why = "its import code stands in it more than once, and none of it can be proven";
	if (names->find_and_load == 0)
		return -ENOENT;
	r = code_new(f, &k.c);
	if (r == 0)
		r = copies_read(&k);
	if (r == 0)
		r = copies_of_call(&k, names->find_and_load, ret_why);
	if (r < 0)
		return r == -ENOMEM ? r : -ENOENT;
	first = t->n_sites;
	if (names->handle_fromlist == 0 || copies_of_entry(&k, names->handle_fromlist) < 0) {
		/* Half of the uses would be worse than none. */
		t->n_sites = first;
		target_drop(t, LMMSD_SITE_IMPORT);
		*ret_degraded = "not all copies of the import function could be found";
	}
	return 0;
}
