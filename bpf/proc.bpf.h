/* SPDX-License-Identifier: GPL-2.0-only */
/* Processes: facts at the first event, who is watched, fork, exec, exit. */
#pragma once
#include "compat.bpf.h"
#include "maps.bpf.h"

#define MAX_COMPONENTS 24
#define COMPONENT_MAX 256

static __always_inline __u64 leader_start(struct task_struct *task)
{
	return BPF_CORE_READ(task, group_leader, start_time);
}

/* Appends the components of a path, leaf first, across mounts up to the root of the mount namespace. */
GLOBAL __u32 put_path(struct scratch *s, __u64 leaf, __u64 vfsmount, bool *cut)
{
	struct mount *mnt = (void *)vfsmount - bpf_core_field_offset(struct mount, mnt);
	struct dentry *dentry = (void *)leaf;
	__u32 start, i;

	if (!s || !cut)
		return 0;
	start = s->off;
	for (i = 0; i < MAX_COMPONENTS; i++) {
		struct dentry *parent;
		void *at;
		long n;

		if (!dentry)
			break;
		if (dentry == BPF_CORE_READ(mnt, mnt.mnt_root)) {
			struct mount *up = BPF_CORE_READ(mnt, mnt_parent);

			if (!up || up == mnt)
				break;
			dentry = BPF_CORE_READ(mnt, mnt_mountpoint);
			mnt = up;
			continue;
		}
		parent = BPF_CORE_READ(dentry, d_parent);
		if (parent == dentry)
			break;
		at = rec_room(s, COMPONENT_MAX);
		if (!at || s->off - start > LMMSD_PATH_MAX - COMPONENT_MAX) {
			*cut = true;
			break;
		}
		n = bpf_probe_read_kernel_str(at, COMPONENT_MAX,
					      BPF_CORE_READ(dentry, d_name.name));
		if (n <= 0)
			break;
		s->off += (__u32)n;
		dentry = parent;
	}
	if (i == MAX_COMPONENTS)
		*cut = true;
	return s->off - start;
}

static __always_inline __u32 put_cgroup(struct scratch *s, struct task_struct *task, bool *cut)
{
	struct kernfs_node *kn = BPF_CORE_READ(task, cgroups, dfl_cgrp, kn);
	__u32 start = s->off, i;

	for (i = 0; i < MAX_COMPONENTS; i++) {
		struct kernfs_node *parent;
		void *at;
		long n;

		if (!kn)
			break;
		parent = kernfs_parent(kn);
		if (!parent)
			break; /* the root has no name */
		at = rec_room(s, COMPONENT_MAX);
		if (!at || s->off - start > LMMSD_PATH_MAX - COMPONENT_MAX) {
			*cut = true;
			break;
		}
		n = bpf_probe_read_kernel_str(at, COMPONENT_MAX, BPF_CORE_READ(kn, name));
		if (n <= 0)
			break;
		s->off += (__u32)n;
		kn = parent;
	}
	return s->off - start;
}

static __always_inline __u32 put_cmdline(struct scratch *s, struct mm_struct *mm, bool *cut)
{
	__u64 from = BPF_CORE_READ(mm, arg_start), to = BPF_CORE_READ(mm, arg_end);
	void *at = rec_room(s, LMMSD_CMDLINE_MAX);
	__u64 len = to - from;

	if (!from || to <= from || !at)
		return 0;
	if (len > LMMSD_CMDLINE_MAX)
		*cut = true;
	CLAMP(len, LMMSD_CMDLINE_MAX);
	if (bpf_probe_read_user(at, len, (void *)from))
		return 0;
	s->off += (__u32)len;
	return len;
}

/* Sends all that is known of the current process. */
GLOBAL int proc_send(__u64 ts, __u64 start_ns, __u32 flags, __u64 exec_ns)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct scratch *s = scratch_get();
	struct lmmsd_ev_proc *p;
	struct file *exe;
	struct mm_struct *mm;
	bool cut = false,
	     cwd_cut = false; /* of a long one its end stays, which is what an app is named by */

	if (!s)
		return -1;
	p = (void *)s->rec;
	__builtin_memset(p, 0, sizeof(*p));
	s->off = sizeof(*p);
	hdr_fill(&p->h, LMMSD_EV_PROC, 0, ts, start_ns);
	p->ppid = BPF_CORE_READ(task, real_parent, tgid);
	p->uid = (__u32)bpf_get_current_uid_gid();
	p->exec_ns = exec_ns;
	p->cgroup_id = bpf_get_current_cgroup_id();
	bpf_get_current_comm(p->comm, sizeof(p->comm));
	mm = BPF_CORE_READ(task, mm);
	if (mm) {
		p->cmdline_len = put_cmdline(s, mm, &cut);
		exe = BPF_CORE_READ(mm, exe_file);
		if (exe) {
			p->exe_len = put_path(s, (__u64)BPF_CORE_READ(exe, f_path.dentry),
					      (__u64)BPF_CORE_READ(exe, f_path.mnt), &cut);
		}
	}
	p->root_ino = BPF_CORE_READ(task, fs, root.dentry, d_inode, i_ino);
	p->mnt_ns = BPF_CORE_READ(task, nsproxy, mnt_ns, ns.inum);
	p->cgroup_len = put_cgroup(s, task, &cut);
	p->cwd_len = put_path(s, (__u64)BPF_CORE_READ(task, fs, pwd.dentry),
			      (__u64)BPF_CORE_READ(task, fs, pwd.mnt), &cwd_cut);
	p->flags = flags | (cut ? LMMSD_PROC_CUT : 0);
	return scratch_send(s) ? -1 : 0;
}

static __always_inline bool pid_wanted(__u32 tgid)
{
	return !filter_pids || bpf_map_lookup_elem(&watched, &tgid);
}

static __always_inline bool uid_wanted(void)
{
	return !filter_uid || (__u32)bpf_get_current_uid_gid() == wanted_uid;
}

/* First event of a thread: is its process wanted, and was it announced? */
GLOBAL int thread_first(struct thread *t)
{
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;
	struct proc *known;

	if (!t)
		return 0;
	t->asked = -1;
	t->tgid = tgid;
	t->start_ns = leader_start((void *)bpf_get_current_task());
	if (!pid_wanted(tgid) || !uid_wanted()) {
		t->state = THREAD_IGNORED;
		return 0;
	}
	known = bpf_map_lookup_elem(&procs, &tgid);
	if (!known || known->start_ns != t->start_ns) {
		struct proc fresh = {.start_ns = t->start_ns};

		if (bpf_map_update_elem(&procs, &tgid, &fresh, BPF_ANY))
			count_lost(LMMSD_LOST_PROCS_FULL);
		else if (proc_send(bpf_ktime_get_ns(), t->start_ns, LMMSD_PROC_FIRST, 0))
			bpf_map_delete_elem(&procs, &tgid);
	}
	t->state = THREAD_WATCHED;
	return 0;
}

static __always_inline bool thread_wanted(void)
{
	return pid_wanted(bpf_get_current_pid_tgid() >> 32) && uid_wanted();
}

/*
 * The current thread's, made if it is wanted and there is room: others would take it all. Counted by its state: to look it
 * up may fail, on kernels before 6.2.
 */
static __always_inline struct thread *thread_get(void)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct thread *t = bpf_task_storage_get(&threads, task, 0, 0);

	if (t || !thread_wanted() || *(volatile __s32 *)&n_threads >= max_threads)
		return t;
	t = bpf_task_storage_get(&threads, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (t && t->state == THREAD_NEW)
		__sync_fetch_and_add(&n_threads, 1);
	return t;
}

/* The current thread when it is to be observed, else NULL. */
static __always_inline struct thread *thread_watched(void)
{
	struct thread *t;

	if (have_task_storage) {
		t = thread_get();
	} else {
		__u32 zero = 0;

		t = bpf_map_lookup_elem(&cpu_threads, &zero);
		if (t) {
			t->state = THREAD_NEW;
			t->bodies = t->loads = 0;
			t->switches = 1; /* nothing is kept from event to event */
		}
	}
	if (!t) {
		if (thread_wanted())
			count_lost(LMMSD_LOST_SCRATCH);
		return NULL;
	}
	if (t->state == THREAD_NEW)
		thread_first(t);
	return t->state == THREAD_WATCHED ? t : NULL;
}

static __always_inline void exit_send(__u64 ts, __u64 start_ns, __s32 status, __u32 flags)
{
	struct lmmsd_ev_exit e = {.status = status, .flags = flags};

	hdr_fill(&e.h, LMMSD_EV_EXIT, sizeof(e), ts, start_ns);
	(void)send(&e, sizeof(e));
}

static __always_inline void on_exit(struct task_struct *p)
{
	__u64 ts = bpf_ktime_get_ns();
	__u32 tgid = BPF_CORE_READ(p, tgid);
	struct proc *known;
	__s32 status;

	if (have_task_storage && bpf_task_storage_get(&threads, p, 0, 0))
		__sync_fetch_and_add(&n_threads, -1); /* the kernel frees it */
	if (BPF_CORE_READ(p, signal, live.counter) != 0)
		return; /* other threads live on */
	if (filter_pids)
		bpf_map_delete_elem(&watched, &tgid);
	known = bpf_map_lookup_elem(&procs, &tgid);
	if (!known)
		return;
	status = BPF_CORE_READ(p, signal, group_exit_code);
	if (!status)
		status = BPF_CORE_READ(p, group_leader, exit_code);
	if (!status)
		status = BPF_CORE_READ(p, exit_code);
	exit_send(ts, known->start_ns, status, 0);
	bpf_map_delete_elem(&procs, &tgid);
}

static __always_inline void on_fork(struct task_struct *parent, struct task_struct *child)
{
	__u32 from = BPF_CORE_READ(parent, tgid), to = BPF_CORE_READ(child, tgid);
	struct proc fresh = {};
	struct lmmsd_ev_fork e = {};
	struct proc *known;
	__u32 one = 1;

	if (from == to)
		return; /* a thread */
	if (filter_pids) {
		if (!bpf_map_lookup_elem(&watched, &from))
			return;
		if (bpf_map_update_elem(&watched, &to, &one, BPF_ANY)) {
			count_lost(LMMSD_LOST_PROCS_FULL);
			return; /* nothing of it will be seen */
		}
	}
	known = bpf_map_lookup_elem(&procs, &from);
	if (!known)
		return;
	e.child_tgid = to;
	e.child_start_ns = BPF_CORE_READ(child, start_time);
	hdr_fill(&e.h, LMMSD_EV_FORK, sizeof(e), bpf_ktime_get_ns(), known->start_ns);
	fresh.start_ns = e.child_start_ns;
	if (bpf_map_update_elem(&procs, &to, &fresh, BPF_ANY))
		count_lost(LMMSD_LOST_PROCS_FULL);
	(void)send(&e, sizeof(e));
}

static __always_inline void on_exec(void)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;
	__u64 ts = bpf_ktime_get_ns(), start_ns = leader_start(task);
	struct proc *known = bpf_map_lookup_elem(&procs, &tgid);
	struct proc fresh = {.start_ns = start_ns, .exec_ns = ts};
	struct exe_key key = {};
	struct inode *inode;
	__u32 *verdict, pending = EXE_PENDING;

	if (have_task_storage) {
		/* addresses of the old program */
		if (!bpf_task_storage_delete(&threads, bpf_get_current_task_btf()))
			__sync_fetch_and_add(&n_threads, -1);
		bpf_task_storage_delete(&scratches, bpf_get_current_task_btf());
	}
	if (known) {
		exit_send(ts, known->start_ns, 0, LMMSD_EXIT_EXEC);
		bpf_map_delete_elem(&procs, &tgid);
	}
	inode = BPF_CORE_READ(task, mm, exe_file, f_inode);
	if (!inode)
		return;
	key.ino = BPF_CORE_READ(inode, i_ino);
	inode_ctime(inode, &key.ctime_s, &key.ctime_ns);
	verdict = bpf_map_lookup_elem(&exes, &key);
	if (!verdict) {
		struct lmmsd_ev_exe e = {
			.ino = key.ino, .ctime_s = key.ctime_s, .ctime_ns = key.ctime_ns};

		bpf_map_update_elem(&exes, &key, &pending, BPF_ANY);
		hdr_fill(&e.h, LMMSD_EV_EXE, sizeof(e), ts, start_ns);
		/*
		 * Rare, and the sooner an interpreter is attached the more of this process is seen: wakes the reader.
		 */
		if (bpf_ringbuf_output(&events, &e, sizeof(e), BPF_RB_FORCE_WAKEUP)) {
			count_lost(LMMSD_LOST_RING_FULL);
			bpf_map_delete_elem(&exes, &key); /* look again next time */
		}
		return;
	}
	if (*verdict != EXE_PYTHON || !pid_wanted(tgid) || !uid_wanted())
		return;
	if (bpf_map_update_elem(&procs, &tgid, &fresh, BPF_ANY))
		count_lost(LMMSD_LOST_PROCS_FULL);
	else if (proc_send(ts, start_ns, LMMSD_PROC_EXEC, ts))
		bpf_map_delete_elem(&procs, &tgid);
}
