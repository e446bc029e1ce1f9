/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * A function's control flow: blocks begin at the entry and where jumps lead. What is known at a block's begin is
 * what all paths to it know. Blocks are run in turn, each again when less is known at its begin or when another one was
 * found to begin inside of it, until nothing changes; then all once more for the visitor.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "probe/target_state.h"
#include "probe/target_walk.h"

#define MAX_BLOCKS 1024
#define BUCKETS 2048
#define MAX_ROUNDS 64

struct block {
	uint64_t va;
	uint64_t end; /* of what was run of it last */
	bool again;
	struct code_state in;
};

struct walk {
	struct code *c; /* borrowed */
	uint64_t entry, size;
	struct block *blocks; /* owned */
	size_t n, cap;
	uint16_t bucket[BUCKETS]; /* index of a block + 1, open addressing */
	code_visit visit;	  /* NULL while the states are still found */
	void *arg;
	bool changed;
	size_t at; /* which block is run */
	int error;
};

static void walk_freep(struct walk **w)
{
	if (*w)
		free((*w)->blocks);
	free(*w);
}

static struct block *find(struct walk *w, uint64_t va, size_t *ret_bucket)
{
	size_t at = (size_t)(va * 0x9e3779b97f4a7c15ULL >> 32) % BUCKETS;

	while (w->bucket[at] && w->blocks[w->bucket[at] - 1].va != va)
		at = (at + 1) % BUCKETS;
	*ret_bucket = at;
	return w->bucket[at] ? &w->blocks[w->bucket[at] - 1] : NULL;
}

/* Those that a new block begins inside of: they end there from now on. */
static void cut_blocks(struct walk *w, uint64_t va)
{
	for (size_t i = 0; i < w->n; i++)
		if (w->blocks[i].va < va && va < w->blocks[i].end)
			w->blocks[i].again = true;
}

/* A path reaches va knowing s. */
static void reach(struct walk *w, uint64_t va, const struct code_state *s)
{
	size_t at;
	struct block *b = find(w, va, &at);

	if (b) {
		if (state_meet(&b->in, s))
			w->changed = b->again = true;
		return;
	}
	if (w->n == MAX_BLOCKS) {
		w->error = -ENOTSUP;
		return;
	}
	if (w->n == w->cap) {
		size_t cap = w->cap ? w->cap * 2 : 64;
		struct block *bigger = realloc(w->blocks, cap * sizeof(*bigger));

		if (!bigger) {
			code_fail(w->c);
			w->error = -ENOMEM;
			return;
		}
		w->blocks = bigger;
		w->cap = cap;
	}
	cut_blocks(w, va);
	b = &w->blocks[w->n++];
	*b = (struct block){.va = va, .end = va, .again = true, .in = *s};
	w->bucket[at] = (uint16_t)w->n;
	w->changed = true;
}

/*
 * A jump out of the function is one to a part that was split off (".cold") while the stack frame stands, and a
 * tail call once it is gone.
 */
static bool stays(const struct walk *w, const struct code_insn *insn, const struct code_state *s)
{
	if (insn->target - w->entry < w->size)
		return true;
	return insn->kind == CODE_JCC || s->reg[RSP].kind != VAL_FRAME || s->reg[RSP].v != 0;
}

/* Runs the block at va to its end. Bytes that are no instruction end it: code does not get there. */
static void run_block(struct walk *w, uint64_t va, struct code_state *s)
{
	struct code_insn insn;
	size_t unused;

	for (;;) {
		if (!code_decode(w->c, va, &insn))
			return;
		if (w->blocks[w->at].end < insn.next)
			w->blocks[w->at].end = insn.next;
		if (w->visit)
			w->visit(w->c, &insn, s, w->arg);
		if (insn.kind == CODE_RET || insn.kind == CODE_STOP)
			return;
		if ((insn.kind == CODE_CALL || insn.kind == CODE_CALL_IND) &&
		    code_callee(w->c, &insn) == CALLEE_NORETURN)
			return;
		if ((insn.kind == CODE_JMP || insn.kind == CODE_JCC) && stays(w, &insn, s) &&
		    !w->visit)
			reach(w, insn.target, s);
		if (insn.kind == CODE_JMP)
			return;
		code_step(w->c, &insn, s);
		va = insn.next;
		if (find(w, va, &unused)) {
			if (!w->visit)
				reach(w, va, s);
			return;
		}
	}
}

static int by_va(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static int list_targets(const struct walk *w, struct code_targets *ret)
{
	struct code_targets t = {.va = calloc(w->n, sizeof(*t.va))};

	if (!t.va) {
		code_fail(w->c);
		return -ENOMEM;
	}
	/* the entry is a block although no jump leads there: harmless */
	for (; t.n < w->n; t.n++)
		t.va[t.n] = w->blocks[t.n].va;
	qsort(t.va, t.n, sizeof(*t.va), by_va);
	*ret = t;
	return 0;
}

void code_targets_free(struct code_targets *t)
{
	free(t->va);
	*t = (struct code_targets){0};
}

bool code_targets_between(const struct code_targets *t, uint64_t from, uint64_t to)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->va[i] > from && t->va[i] <= to)
			return true;
	return false;
}

int code_walk(struct code *c, uint64_t entry, uint64_t size, code_visit visit, void *arg,
	      struct code_targets *targets)
{
	_cleanup_(walk_freep) struct walk *w = calloc(1, sizeof(*w));
	struct code_state s;

	if (!w) {
		code_fail(c);
		return -ENOMEM;
	}
	w->c = c;
	w->entry = entry;
	w->size = size;
	code_state_entry(&s);
	reach(w, entry, &s);
	for (size_t round = 0; w->changed; round++) {
		if (round == MAX_ROUNDS)
			return -ENOTSUP;
		w->changed = false;
		for (w->at = 0; w->at < w->n; w->at++) {
			struct block *b = &w->blocks[w->at];

			if (!b->again)
				continue;
			b->again = false;
			s = b->in;
			run_block(w, b->va, &s);
		}
	}
	if (w->error < 0 || code_exhausted(c)) /* states are not final */
		return w->error < 0 ? w->error : -ENOTSUP;
	w->visit = visit;
	w->arg = arg;
	for (w->at = 0; visit && w->at < w->n; w->at++) {
		s = w->blocks[w->at].in;
		run_block(w, w->blocks[w->at].va, &s);
	}
	return targets ? list_targets(w, targets) : 0;
}
