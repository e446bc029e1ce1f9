/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a thread is in the middle of: loads, and module bodies that user space was told of when they began, under a
 * number. An import statement of such a body needs neither strings nor a counter: nearly all imports of a start are such,
 * and each of these statements runs once. They cost a quarter of what the others do.
 *
 * A body is on its thread's list from its BODY_ENTER to its BODY_LEAVE; in between a frame holds its code object, so that
 * the address cannot come to mean another. Whatever does not fit takes the long way, which is always right.
 */
#pragma once
#include "where.bpf.h"

/* scratch_get(), with what is known of the strings of this very interpreter. */
static __always_inline struct scratch *scratch_for(const struct hit *h)
{
	struct scratch *s = scratch_get();

	if (s && (!have_task_storage || s->known_of != h->interp)) {
		/* another process's, or another libpython's in this one */
		__builtin_memset(&s->known, 0, sizeof(s->known));
		s->known_of = h->interp;
	}
	return s;
}

GLOBAL __u64 current_frame(const struct lmmsd_interp *in, __u64 bias)
{
	__u64 ts;

	if (!in)
		return 0;
	ts = tstate_find(in, bias);
	if (!ts)
		count_lost(LMMSD_LOST_THREAD_UNKNOWN);
	return tstate_frame(in, ts);
}

/*
 * Both lists are stacks, whose stack pointers fall from entry to entry. In a thread that switches stacks they do not: it
 * shows when something begins above, or ends below, what began last. Such a thread's lists are given up for good; it
 * goes the long way.
 */
static __always_inline void lists_give_up(struct thread *t)
{
	t->loads = t->bodies = 0;
	t->switches = 1;
}

/* Would this begin above what began last? */
static __always_inline bool ends_cross(const struct ends *list, __u32 n, __u64 sp)
{
	return n && list[(n - 1) & (MAX_ENDS - 1)].sp <= sp;
}

/* Something begins. True: there is room for it on the list of n entries. */
static __always_inline bool ends_push(const struct hit *h, struct thread *t, struct ends *list,
				      __u32 n, __u64 sp)
{
	if (t->switches || n >= MAX_ENDS)
		return false;
	if (ends_cross(list, n, sp)) {
		lists_give_up(t);
		return false;
	}
	list[n & (MAX_ENDS - 1)].sp = sp;
	list[n & (MAX_ENDS - 1)].frame = h->frame;
	list[n & (MAX_ENDS - 1)].name = h->name;
	return true;
}

/* Something ends: h->frame is set. True: it is the last of the list's n entries. */
static __always_inline bool ends_pop(struct hit *h, struct thread *t, const struct lmmsd_interp *in,
				     const struct ends *list, __u32 n, __u64 sp)
{
	if (n) {
		const struct ends *e = &list[(n - 1) & (MAX_ENDS - 1)];

		if (e->sp == sp) {
			h->frame = e->frame;
			return true;
		}
		if (e->sp < sp)
			lists_give_up(t);
	}
	h->frame = current_frame(in, h->bias);
	return false;
}

static __always_inline struct body *body_top(struct thread *t)
{
	__u32 n = t->bodies;

	return n ? &t->body[(n - 1) & (MAX_ENDS - 1)] : NULL;
}

/*
 * The last event of the thread was a use by a statement of the innermost body: the call of _find_and_load is that same
 * import's, since another import would have come by its entry.
 */
static __always_inline bool asked_just_now(const struct hit *h, const struct thread *t)
{
	return h->kind == LMMSD_SITE_CALL_START && h->asked >= 0 && t->bodies;
}

/* Says that the innermost body asks. False: user space could not tell the line. */
static __always_inline bool where_body(struct lmmsd_where *w, const struct body *b, __s32 instr)
{
	if (instr < 0 || instr > b->most)
		return false;
	w->code = b->code;
	w->instr = instr;
	w->firstlineno = b->id;
	w->flags |= LMMSD_WHERE_BODY | LMMSD_WHERE_FRAME | LMMSD_WHERE_MODBODY;
	return true;
}

/*
 * Fills w, which lies in the record, and appends its strings. The record's fixed part and earlier strings stand
 * already. w->frame stays the current frame, by which a start pairs with its done, not that of who asked.
 */
GLOBAL int where_fill(struct thread *t, struct scratch *s, const struct lmmsd_interp *in,
		      struct lmmsd_where *w)
{
	const struct body *b;
	struct walk *walk;
	struct hit *h;
	int r;

	if (!t || !s || !in || !w)
		return 0;
	h = &t->hit;
	b = body_top(t);
	walk = &s->walk;
	w->frame = h->frame;
	if (!h->frame)
		return 0; /* interpreter start-up: nobody's import */
	if (b && asked_just_now(h, t)) {
		w->flags = LMMSD_WHERE_STMT;
		if (where_body(w, b, h->asked))
			return 0;
	}
	walk->frame = h->frame;
	walk->body = b ? b->code : 0;
	r = frame_walk(in, s, walk);
	w->flags = walk->flags;
	if (r < 0 || (r == WALK_BODY && b && where_body(w, b, walk->instr)))
		return 0;
	if (r == WALK_BODY && bpf_probe_read_user(s->code, sizeof(s->code), (void *)walk->code))
		return 0;
	w->code = walk->code;
	w->instr = walk->instr;
	w->flags |= LMMSD_WHERE_FRAME;
	return where_code(in, s, w);
}

/* A body's record was sent. */
static __always_inline void body_push(const struct hit *h, struct thread *t,
				      const struct lmmsd_ev_enter *e, const struct body *known)
{
	__u32 n = t->bodies;
	struct body *b = &t->body[n & (MAX_ENDS - 1)];

	if (!ends_push(h, t, t->body_ends, n, e->b.sp))
		return;
	*b = *known;
	b->id = e->body;
	b->frame = 0;
	b->last = -1;
	/* put_linetab() has how many bytes of table an instruction needs */
	b->most = !e->cut		   ? 0x7fffffff :
		  e->body_linetab_len < 64 ? -1 :
					     (e->body_linetab_len - 64U) >> 1;
	t->bodies = n + 1;
}

/* The body that began at this stack pointer is done: its number, 0 when it has none. */
static __always_inline __u32 body_pop(struct hit *h, struct thread *t,
				      const struct lmmsd_interp *in)
{
	__u32 n = t->bodies;

	if (!ends_pop(h, t, in, t->body_ends, n, h->sp))
		return 0;
	t->bodies = n - 1;
	return t->body[(n - 1) & (MAX_ENDS - 1)].id;
}

#define TABLE_GUESS 512

/*
 * A bytes object, whose size stands before its bytes: both with one read, as in put_short(), of as much as this code may
 * need. Returns the length; 0: it takes the long way, with *size.
 */
static __always_inline __u32 put_whole_table(const struct lmmsd_interp *in, struct scratch *s,
					     __u64 table, __s64 *size)
{
	__u64 o = s->off - 16, guess = TABLE_GUESS, length;
	__u8 *at;

	if (in->bytes_data - in->ob_size != 16)
		return 0;
	barrier_var(o);
	if (!table || o > REC_CAP - 16 - LMMSD_BODYTAB_MAX)
		return 0;
	if (in->instr_mode == LMMSD_INSTR_PTR)
		/* two bytes of table for three of code, or less */
		guess = code_u64(s, in->ob_size) * 4 / 3 + 64;
	at = s->rec + o;
	s->kept[0] = *(__u64 *)at;
	s->kept[1] = *(__u64 *)(at + 8);
	CLAMP(guess, LMMSD_BODYTAB_MAX);
	if (bpf_probe_read_user(at, guess + 16, (void *)(table + in->ob_size)))
		guess = 0;
	length = guess ? *(__u64 *)at : rd64(table + in->ob_size);
	*(__u64 *)at = s->kept[0];
	*(__u64 *)(at + 8) = s->kept[1];
	*size = length;
	if (length > guess)
		return 0;
	s->off += (__u32)length;
	return (__u32)length;
}

/* A load's start was sent. */
static __always_inline void load_push(const struct hit *h, struct thread *t, __u64 sp)
{
	__u32 n = t->loads;

	if (ends_push(h, t, t->load_ends, n, sp))
		t->loads = n + 1;
}

static __always_inline void load_pop(struct hit *h, struct thread *t, const struct lmmsd_interp *in)
{
	__u32 n = t->loads;

	if (ends_pop(h, t, in, t->load_ends, n, h->sp))
		t->loads = n - 1;
}
