/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Entry points only. One program serves all probes of all interpreters: its cookie names the site, and the site says
 * what kind it is. So an interpreter costs one uprobe_multi link, where attach and detach wait for the kernel's RCU
 * once. All are entry probes: a return probe rewrites return addresses, and programs that switch stacks die of it.
 */
#include "use.bpf.h"

/* The frame of who asks. Other kinds need none, or find out by themselves whether they do. */
static __always_inline __u64 asking_frame(const struct hit *h)
{
	switch (h->site->kind) {
	case LMMSD_SITE_IMPORT:
	case LMMSD_SITE_USDT_START:
	case LMMSD_SITE_CALL_START:
	case LMMSD_SITE_IMPORT_LOAD:
	case LMMSD_SITE_LAZY_WAKE:
		return h->frame		 ? h->frame :
		       asked_just_now(h) ? h->t->asked_frame :
					   current_frame(h);
	default:
		return 0;
	}
}

static __always_inline int begin(struct pt_regs *ctx, struct hit *h, struct scratch *s,
				 const struct lmmsd_use_key *key)
{
	switch (h->site->kind) {
	case LMMSD_SITE_IMPORT:
		return use_begin(ctx, h, s, key);
	case LMMSD_SITE_USDT_START:
	case LMMSD_SITE_CALL_START:
	case LMMSD_SITE_IMPORT_LOAD:
		return load_begin(ctx, h, s);
	case LMMSD_SITE_USDT_DONE:
	case LMMSD_SITE_CALL_DONE:
	case LMMSD_SITE_IMPORT_RET:
	case LMMSD_SITE_BODY_DONE:
		return done_begin(ctx, h, s);
	case LMMSD_SITE_BODY_START:
	case LMMSD_SITE_MAIN:
		return body_begin(ctx, h, s);
	case LMMSD_SITE_EXT_EXEC:
		return ext_begin(ctx, h, s);
	case LMMSD_SITE_COMPILE:
		return compile_begin(ctx, h, s);
	case LMMSD_SITE_LAZY_WAKE:
		return lazy_begin(ctx, h, s);
	default:
		return SEND_NOTHING;
	}
}

/* What user space does not know of. */
static __always_inline void unsent(const struct hit *h, const struct lmmsd_use_key *key)
{
	if (h->site->kind == LMMSD_SITE_IMPORT)
		use_drop(h, key);
	else
		lists_give_up(h); /* an end must not be taken for another's */
}

/* Not inlined: the kernel adds up the stacks of all calls, and hit_open() has deep ones of its own. */
static __noinline int handle(struct pt_regs *ctx, struct hit *h)
{
	struct lmmsd_use_key key = {};
	struct scratch *s;
	int where;
	__u64 at;

	if (h->site->kind == LMMSD_SITE_IMPORT &&
	    (use_at(ctx, h) || use_is_noise(ctx, h) || !use_count(ctx, h, &key)))
		return 0; /* by far the most frequent */
	s = scratch_for(h);
	if (!s)
		return 0;
	h->frame = asking_frame(h);
	where = begin(ctx, h, s, &key);
	if (where < 0)
		return 0;
	/* Through memory: the verifier forgets which kind it was, and walks what follows once for all of them. */
	s->where = where;
	s->asker = h->frame;
	barrier();
	at = s->where;
	h->frame = s->asker;
	CLAMP(at, 128);
	if (at)
		where_fill(h, s, (void *)(s->rec + at));
	if (h->site->kind == LMMSD_SITE_IMPORT && use_learn(h, s))
		use_drop(h, &key);
	else if (!scratch_send(s))
		begun(h, s);
	else
		unsent(h, &key);
	return 1;
}

SEC("uprobe")
int import_probe(struct pt_regs *ctx)
{
	struct hit h;
	int r;

	if (!hit_open(ctx, &h))
		return 0;
	r = handle(ctx, &h);
	barrier_var(
		r); /* or clang drops the value and leaves a pointer in its register, which the verifier refuses */
	spent_add(&h);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int process_exec(__u64 *ctx)
{
	on_exec();
	return 0;
}

SEC("tp_btf/sched_process_fork")
int process_fork(__u64 *ctx)
{
	on_fork((struct task_struct *)ctx[0], (struct task_struct *)ctx[1]);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int process_exit(__u64 *ctx)
{
	on_exit((struct task_struct *)ctx[0]);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
