/* SPDX-License-Identifier: GPL-2.0-only */
/* One accessor for each kernel change that matters here; guarded by existence, never by version. */
#pragma once
#include "maps.bpf.h"

static __always_inline void inode_ctime(struct inode *inode, __u32 *sec, __u32 *nsec)
{
	struct inode___6_6 *mid = (void *)inode;
	struct inode___old *old = (void *)inode;

	if (bpf_core_field_exists(inode->i_ctime_sec)) {
		*sec = BPF_CORE_READ(inode, i_ctime_sec);
		/* 4e40eff0b573 (6.13): bit 31 marks a queried multigrain time stamp */
		*nsec = BPF_CORE_READ(inode, i_ctime_nsec) & 0x7fffffff;
	} else if (bpf_core_field_exists(mid->__i_ctime)) {
		*sec = BPF_CORE_READ(mid, __i_ctime.tv_sec);
		*nsec = BPF_CORE_READ(mid, __i_ctime.tv_nsec);
	} else {
		*sec = BPF_CORE_READ(old, i_ctime.tv_sec);
		*nsec = BPF_CORE_READ(old, i_ctime.tv_nsec);
	}
}

static __always_inline struct kernfs_node *kernfs_parent(struct kernfs_node *kn)
{
	struct kernfs_node___old *old = (void *)kn;

	if (bpf_core_field_exists(kn->__parent))
		return BPF_CORE_READ(kn, __parent);
	return (struct kernfs_node *)BPF_CORE_READ(old, parent);
}

/* What pthread_self() is computed from. */
static __always_inline __u64 thread_pointer(void)
{
	struct task_struct *task = (void *)bpf_get_current_task();

#if defined(__TARGET_ARCH_x86)
	return BPF_CORE_READ(task, thread.fsbase);
#else
	return BPF_CORE_READ(task, thread.uw.tp_value);
#endif
}

/* glibc: x86 pthread_self() is the thread pointer; arm64's struct pthread ends at it. musl likewise. */
static __always_inline bool is_this_thread(__u64 pthread, __u64 tp)
{
#if defined(__TARGET_ARCH_x86)
	return pthread == tp;
#else
	return pthread <= tp && tp - pthread < 4096;
#endif
}

static __always_inline __u64 regs_ip(struct pt_regs *ctx)
{
#if defined(__TARGET_ARCH_x86)
	return ctx->ip;
#else
	return ((struct user_pt_regs *)ctx)->pc;
#endif
}

static __always_inline __u64 regs_sp(struct pt_regs *ctx)
{
#if defined(__TARGET_ARCH_x86)
	return ctx->sp;
#else
	return ((struct user_pt_regs *)ctx)->sp;
#endif
}

/* In assembly: clang would make one load with a variable offset of several, which the verifier forbids on ctx. */
#define REG_CASE(ctx, reg, name, v)                                                                \
	case offsetof(struct pt_regs, name):                                                       \
		asm volatile("%0 = *(u64 *)(%1 + %2)"                                              \
			     : "=r"(v)                                                             \
			     : "r"(ctx), "i"(offsetof(struct pt_regs, name)));                     \
		break

/*
 * A register by its offset in struct pt_regs. Nearly always one of those that carry arguments; the others are read as
 * memory, which is a call more.
 */
static __always_inline __u64 regs_get(struct pt_regs *ctx, __u16 reg)
{
	__u64 v = 0;

	switch (reg) {
#if defined(__TARGET_ARCH_x86)
		REG_CASE(ctx, reg, di, v);
		REG_CASE(ctx, reg, si, v);
		REG_CASE(ctx, reg, dx, v);
		REG_CASE(ctx, reg, cx, v);
		REG_CASE(ctx, reg, r8, v);
		REG_CASE(ctx, reg, ax, v);
#else
		REG_CASE(ctx, reg, user_regs.regs[0], v);
		REG_CASE(ctx, reg, user_regs.regs[1], v);
		REG_CASE(ctx, reg, user_regs.regs[2], v);
		REG_CASE(ctx, reg, user_regs.regs[3], v);
		REG_CASE(ctx, reg, user_regs.regs[4], v);
#endif
	default:
		(void)bpf_probe_read_kernel(&v, sizeof(v), (void *)ctx + (reg & 0x1f8));
	}
	return v;
}
