/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Entry points only. One program serves all probes of all interpreters: its cookie names the site, and the site says
 * what kind it is. So an interpreter costs one uprobe_multi link, where attach and detach wait for the kernel's RCU
 * once. All are entry probes: a return probe rewrites return addresses, and programs that switch stacks die of it.
 */
#include "use.bpf.h"

/* The frame of who asks. Other kinds need none, or find out by themselves whether they do. */
static __always_inline __u64 asking_frame(const struct hit *h, const struct thread *t,
					  const struct lmmsd_interp *in)
{
	switch (h->kind) {
	case LMMSD_SITE_IMPORT:
	case LMMSD_SITE_USDT_START:
	case LMMSD_SITE_CALL_START:
	case LMMSD_SITE_IMPORT_LOAD:
	case LMMSD_SITE_LAZY_WAKE:
		return h->frame		    ? h->frame :
		       asked_just_now(h, t) ? t->asked_frame :
					      current_frame(in, h->bias);
	default:
		return 0;
	}
}

static __always_inline int begin(struct hit *h, struct thread *t, struct scratch *s,
				 const struct lmmsd_interp *in, const struct lmmsd_use_key *key)
{
	switch (h->kind) {
	case LMMSD_SITE_IMPORT:
		return use_begin(t, s, in, key);
	case LMMSD_SITE_USDT_START:
	case LMMSD_SITE_CALL_START:
	case LMMSD_SITE_IMPORT_LOAD:
		return load_begin(t, s, in);
	case LMMSD_SITE_USDT_DONE:
	case LMMSD_SITE_CALL_DONE:
	case LMMSD_SITE_IMPORT_RET:
	case LMMSD_SITE_BODY_DONE:
		return done_begin(t, s, in);
	case LMMSD_SITE_BODY_START:
	case LMMSD_SITE_MAIN:
		return body_begin(t, s, in);
	case LMMSD_SITE_EXT_EXEC:
		return ext_begin(t, s, in);
	case LMMSD_SITE_COMPILE:
		return compile_begin(h, t, s, in);
	case LMMSD_SITE_LAZY_WAKE:
		return lazy_begin(h, t, s);
	default:
		return SEND_NOTHING;
	}
}

/* The record was not sent: undo the bookkeeping that assumed it was. */
static __always_inline void unsent(const struct hit *h, struct thread *t,
				   const struct lmmsd_use_key *key)
{
	if (h->kind == LMMSD_SITE_IMPORT)
		use_drop(key);
	else
		lists_give_up(t); /* an end must not be taken for another's */
}

static __always_inline void handle(struct thread *t, const struct lmmsd_interp *in)
{
	struct hit *h = &t->hit;
	struct lmmsd_use_key key = {};
	struct scratch *s;
	__u64 at;
	int where;

	if (h->kind == LMMSD_SITE_IMPORT &&
	    (use_at(t, in) || use_is_noise(t, in) || !use_count(t, in, &key)))
		return; /* by far the most frequent */
	s = scratch_for(h);
	if (!s)
		return;
	h->frame = asking_frame(h, t, in);
	where = begin(h, t, s, in, &key);
	if (where < 0)
		return;
	/* Through memory: the verifier forgets which kind it was, and walks what follows once for all of them. */
	s->where = where;
	barrier();
	at = s->where;
	CLAMP(at, 128);
	if (at)
		where_fill(t, s, in, (void *)(s->rec + at));
	if (h->kind == LMMSD_SITE_IMPORT && use_learn(t, s))
		use_drop(&key);
	else if (!scratch_send(s))
		begun(h, t, s);
	else
		unsent(h, t, &key);
}

SEC("uprobe")
int import_probe(struct pt_regs *ctx)
{
	__u64 ts = bpf_ktime_get_ns();
	struct thread *t = thread_watched();
	const struct lmmsd_interp *in;

	if (!t)
		return 0;
	in = hit_open(ctx, t, ts);
	if (!in)
		return 0;
	handle(t, in);
	spent_add(t, ts);
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
