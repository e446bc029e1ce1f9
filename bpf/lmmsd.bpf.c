/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Entry points only. The uprobe programs have no target here: user space attaches each to the sites that it found in
 * an interpreter's file, one link a program and file (uprobe_multi), the site's index as cookie. All are entry
 * probes: a return probe rewrites return addresses, and programs that switch stacks die of it.
 */
#include "use.bpf.h"

SEC("uprobe")
int usdt_start(struct pt_regs *ctx)
{
	return load_start(ctx, false);
}

SEC("uprobe")
int usdt_done(struct pt_regs *ctx)
{
	return load_done(ctx, true);
}

SEC("uprobe")
int call_start(struct pt_regs *ctx)
{
	return load_start(ctx, true);
}

SEC("uprobe")
int call_done(struct pt_regs *ctx)
{
	return load_done(ctx, false);
}

SEC("uprobe")
int import_entry(struct pt_regs *ctx)
{
	return use(ctx);
}

SEC("uprobe")
int eval_start(struct pt_regs *ctx)
{
	return body_start(ctx);
}

SEC("uprobe")
int eval_done(struct pt_regs *ctx)
{
	return body_done(ctx);
}

SEC("uprobe")
int ext_start(struct pt_regs *ctx)
{
	return ext_exec(ctx);
}

SEC("uprobe")
int compile_start(struct pt_regs *ctx)
{
	return compile(ctx);
}

SEC("uprobe")
int lazy_start(struct pt_regs *ctx)
{
	return lazy_wake(ctx);
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
