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
#include "probe/target_pursuit.h"
#include "probe/target_walk.h"

struct copies {
	struct target *t; /* borrowed */
	struct telf *f;	  /* borrowed */
	struct code *c;	  /* owned: the search has a budget of its own */
	struct text_refs refs;
};

static void copies_freep(struct copies **k)
{
	if (*k)
		(void)code_free((*k)->c);
	free(*k);
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

		if (site->kind == kind && code_walk(k->c, va, TEXT_REACH, visit, &p, NULL) == 0 &&
		    p.reached)
			return true;
	}
	return false;
}

/* The function around ref: 1: *ret_va. 0: it is nothing but a jump to the known copy. -ENOENT: none can be proven. */
static int find_function(struct copies *k, const struct text_ref *ref, uint8_t kind,
			 uint64_t *ret_va, struct passage *ret)
{
	for (size_t i = 0; i < ref->n_entries; i++) {
		uint64_t va = ref->entry[i];
		struct code_insn insn;

		if (code_decode(k->c, va, &insn) && insn.kind == CODE_JMP &&
		    is_known_copy(k, insn.target, kind))
			return 0;
		*ret = (struct passage){.ref = ref->va, .method = k->refs.to};
		if (code_walk(k->c, va, ref->va - va + TEXT_REACH, visit, ret, NULL) == 0 &&
		    ret->reached && ret->returned && !ret->unsound) {
			*ret_va = va;
			return 1;
		}
	}
	return -ENOENT;
}

/* Adds the pairs around calls of _find_and_load in the function around ref. */
static int add_calls(struct copies *k, const struct text_ref *ref)
{
	struct passage p;
	uint64_t va;
	int r = find_function(k, ref, LMMSD_SITE_CALL_START, &va, &p);

	if (r <= 0)
		return r;
	if (p.calls.n == 0 || p.calls.lost)
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

/* All references to the method's name that lead to a call of it, and what may be the functions around them. */
static int find_refs(struct copies *k, uint64_t to)
{
	size_t n = 0;
	int r = text_refs(k->f, to, k->t->interp.runtime_va, &k->refs);

	for (size_t i = 0; r == 0 && i < k->refs.n; i++)
		if (target_pursue(k->c, &k->refs, &k->refs.ref[i]))
			k->refs.ref[n++] = k->refs.ref[i];
	k->refs.n = n;
	return r == 0 ? text_entries(k->f, &k->refs) : r;
}

/* Is each call that is known found from a reference, too? So others of the same code will be. */
static bool finds_known(const struct copies *k)
{
	for (size_t i = 0; i < k->t->n_sites; i++) {
		const struct lmmsd_site *site = &k->t->site[i].site;
		bool found = site->kind != LMMSD_SITE_CALL_START;

		for (size_t j = 0; !found && j < k->refs.n; j++)
			found = k->refs.ref[j].call == site->va;
		if (!found)
			return false;
	}
	return true;
}

static int copies_of_call(struct copies *k, uint64_t method, const char **ret_why)
{
	int r;

	*ret_why = "its import code stands in it more than once, and not all copies can be found";
	r = find_refs(k, method);
	if (r < 0 || !finds_known(k))
		return r < 0 ? r : -ENOENT;
	*ret_why = "a second copy of its import code cannot be probed";
	for (size_t i = 0; r == 0 && i < k->refs.n; i++)
		if (!has_site(k->t, k->refs.ref[i].call, LMMSD_SITE_CALL_START))
			r = add_calls(k, &k->refs.ref[i]);
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
static int add_entry_of(struct copies *k, const struct text_ref *ref)
{
	struct lmmsd_site site = {.kind = LMMSD_SITE_IMPORT};
	struct passage p;
	uint64_t va;
	int r = find_function(k, ref, LMMSD_SITE_IMPORT, &va, &p);

	if (r <= 0)
		return r;
	if (target_entry_x86(k->c, va, ref->va - va + TEXT_REACH, 0x1f, &site) < 0)
		return -ENOENT;
	return target_add_once(k->t, k->f, &site) ? 0 : -ENOENT;
}

static int copies_of_entry(struct copies *k, uint64_t fromlist)
{
	size_t n_known = 0;
	int r = find_refs(k, fromlist);

	for (size_t i = 0; r == 0 && i < k->refs.n; i++)
		if (in_named_copy(k, k->refs.ref[i].va))
			n_known++;
		else
			r = add_entry_of(k, &k->refs.ref[i]);
	return r == 0 && n_known == 0 ? -ENOENT : r;
}

int target_copies(struct target *t, struct telf *f, const struct target_names *names,
		  const char **ret_why, const char **ret_degraded)
{
	_cleanup_(copies_freep) struct copies *k = calloc(1, sizeof(*k));
	size_t first;
	int r;

	*ret_degraded = NULL;
	*ret_why = "its import code stands in it more than once, and none of it can be proven";
	if (!k)
		return -ENOMEM;
	k->t = t;
	k->f = f;
	if (names->find_and_load == 0)
		return -ENOENT;
	r = code_new(f, &k->c);
	if (r == 0)
		r = copies_of_call(k, names->find_and_load, ret_why);
	if (r < 0)
		return r == -ENOMEM ? r : -ENOENT;
	first = t->n_sites;
	r = names->handle_fromlist == 0 ? -ENOENT : copies_of_entry(k, names->handle_fromlist);
	if (r == -ENOMEM)
		return r;
	if (r < 0) {
		/* Half of the uses would be worse than none. */
		t->n_sites = first;
		target_drop(t, LMMSD_SITE_IMPORT);
		*ret_degraded = "not all copies of the import function could be found";
	}
	return 0;
}
