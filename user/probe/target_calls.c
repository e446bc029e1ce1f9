/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Calls of interest in a function, and the first cheap instruction after a call. */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "probe/target_find.h"
#include "probe/target_walk.h"

#define MAX_CALLEES                                                                                \
	48 /* functions that a function calls, looked into when it has no such call itself */
#define CALLEE_SIZE 4096 /* bytes: a local function's size is not known */
#define MAX_STEPS 48

struct search {
	struct target_calls *calls; /* borrowed */
	target_judge judge;
	void *arg;
	bool collect; /* callees */
	uint64_t callee[MAX_CALLEES];
	size_t n_callees;
};

static void add_callee(struct search *s, uint64_t va)
{
	for (size_t i = 0; i < s->n_callees; i++)
		if (s->callee[i] == va)
			return;
	if (s->n_callees < MAX_CALLEES)
		s->callee[s->n_callees++] = va;
}

static void visit(struct code *c, const struct code_insn *insn, const struct code_state *state,
		  void *arg)
{
	struct search *s = arg;
	enum target_verdict verdict;
	enum callee callee;

	if (s->collect && insn->kind == CODE_JMP && state->reg[RSP].kind == VAL_FRAME &&
	    state->reg[RSP].v == 0)
		add_callee(s, insn->target); /* maybe a tail call */
	if (insn->kind != CODE_CALL && insn->kind != CODE_CALL_IND)
		return;
	callee = code_callee(c, insn);
	if (callee == CALLEE_UNKNOWN && insn->kind == CODE_CALL && s->collect)
		add_callee(s, insn->target);
	verdict = s->judge(callee, insn, state, s->arg);
	if (verdict == TARGET_NO)
		return;
	if (s->calls->n == TARGET_MAX_CALLS) {
		s->calls->lost = true;
		return;
	}
	s->calls->call[s->calls->n++] = (struct target_call){
		.va = insn->va,
		.next = insn->next,
		.target = insn->target,
		.emulated = insn->emulated,
		.verdict = verdict,
		.state = *state,
	};
}

size_t target_count(const struct target_calls *calls, enum target_verdict verdict)
{
	size_t n = 0;

	for (size_t i = 0; i < calls->n; i++)
		n += calls->call[i].verdict == verdict;
	return n;
}

int target_find_calls(struct code *c, uint64_t va, uint64_t size, bool deeper, target_judge judge,
		      void *arg, struct target_calls *ret)
{
	struct search s = {.calls = ret, .judge = judge, .arg = arg, .collect = deeper};
	int r;

	ret->n = 0;
	ret->lost = false;
	r = code_walk(c, va, size, visit, &s, NULL);
	s.collect = false;
	for (size_t i = 0; r == 0 && i < s.n_callees && target_count(ret, TARGET_YES) == 0; i++)
		r = code_walk(c, s.callee[i], CALLEE_SIZE, visit, &s, NULL);
	return r;
}

int target_after_call(struct code *c, const struct target_call *call, bool joined,
		      struct lmmsd_site *site)
{
	static const struct code_val result = {VAL_RESULT, 0};
	struct code_state s = call->state;
	struct lmmsd_site last = *site;
	struct code_insn insn;
	uint64_t at = call->next;

	code_after_call(&s, result);
	last.va = 0;
	for (int i = 0; i < MAX_STEPS && code_decode(c, at, &insn); i++) {
		if (insn.emulated && s.reg[RSP].kind == VAL_FRAME &&
		    code_find_val(&s, result, RAX, &last.arg[0])) {
			last.va = at;
			last.sp_delta = (int32_t)-s.reg[RSP].v;
			if (insn.kind != CODE_JMP || !joined)
				break;
		}
		if (insn.kind != CODE_JMP && (insn.kind != CODE_OTHER || insn.emulated))
			break;
		code_step(c, &insn, &s);
		at = insn.kind == CODE_JMP ? insn.target : insn.next;
	}
	if (last.va == 0)
		return -ENOENT;
	*site = last;
	return 0;
}

bool target_add_once(struct target *t, const struct telf *f, const struct lmmsd_site *site)
{
	for (size_t i = 0; i < t->n_sites; i++)
		if (t->site[i].site.va == site->va && t->site[i].site.kind == site->kind)
			return true;
	return target_add(t, f, site, 0);
}

/* A site at the call itself and one after it. */
bool target_add_pair(struct target *t, const struct telf *f, struct code *c,
		     const struct target_call *call, struct lmmsd_site *start, uint8_t done_kind)
{
	struct lmmsd_site done = {.kind = done_kind};

	if (!call->emulated || call->state.reg[RSP].kind != VAL_FRAME ||
	    target_after_call(c, call, false, &done) < 0)
		return false;
	start->va = call->va;
	start->sp_delta = (int32_t)-call->state.reg[RSP].v;
	return target_add(t, f, start, 0) && target_add_once(t, f, &done);
}
