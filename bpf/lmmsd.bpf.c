/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Entry points only. One program serves all probes of all interpreters: its cookie names the site, and the site says
 * what kind it is. So an interpreter costs one uprobe_multi link, where attach and detach wait for the kernel's RCU
 * once. All are entry probes: a return probe rewrites return addresses, and programs that switch stacks die of it.
 */
#include "use.bpf.h"

/* The kinds that do not need the frame cost nothing for it. */
static __always_inline bool needs_frame(const struct hit *h)
{
	return h->site->kind != LMMSD_SITE_COMPILE &&
	       (h->site->kind != LMMSD_SITE_EXT_EXEC || !h->t->last_start);
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

static __always_inline void handle(struct pt_regs *ctx, struct hit *h)
{
	struct lmmsd_use_key key = {};
	struct scratch *s;
	int where;

	if (h->site->kind == LMMSD_SITE_IMPORT && !use_count(ctx, h, &key))
		return; /* by far the most frequent */
	s = scratch_get();
	if (!s)
		return;
	h->frame = needs_frame(h) ? current_frame(h) : 0;
	where = begin(ctx, h, s, &key);
	if (where < 0)
		return;
	if (where > 0 && where < 128)
		where_fill(h->in, s, h->frame, (void *)(s->rec + where));
	if (scratch_send(s) && h->site->kind == LMMSD_SITE_IMPORT)
		bpf_map_delete_elem(&uses, &key); /* nobody would know what it counts */
}

SEC("uprobe")
int import_probe(struct pt_regs *ctx)
{
	struct hit h;

	if (!hit_open(ctx, &h))
		return 0;
	handle(ctx, &h);
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
