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
