/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Facts about processes from /proc. Every reader works below a directory fd, so a fixture tree does as well as /proc.
 * Names and command lines are raw bytes of the target.
 *
 * Errors of all readers: -ESRCH: the process is gone (or was never there); -EACCES: hidden from us (ptrace rules,
 * hidepid); -ENOMEM; -EBADMSG: not what /proc prints.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "lmmsd/event.h"

/* One moment of three clocks, to turn /proc's boot time ticks into CLOCK_MONOTONIC. */
struct procfs_clock {
	uint64_t mono_ns;
	uint64_t boot_ns;
	uint64_t tick_ns; /* resolution of /proc's start times */
};
void procfs_clock_now(struct procfs_clock *ret);

struct procfs_stat {
	uint32_t ppid;
	uint32_t uid;		/* real */
	char state;		/* 'Z': a zombie */
	uint8_t comm[16];	/* NUL-terminated */
	uint64_t start_boot_ns; /* CLOCK_BOOTTIME, rounded down to a tick */
};

/* /proc itself: *ret_fd is owned. */
int procfs_open(const char *path, int *ret_fd);
/* Are pids here the host's, as in events? In a PID namespace of our own each names another process. */
bool procfs_host_pids(void);
/* One process: an owned directory fd that does not move to another process when the pid is used again. */
int procfs_pid_open(int proc_fd, uint32_t pid, int *ret_fd);
/* All pids in ascending order; owned array. At most 4 Mi. */
int procfs_pids(int proc_fd, uint32_t **ret, size_t *ret_n);
/*
 * Descendants of pid, parents before children, without pid itself; at most max, *ret_cut says that there were more.
 * One pass over the live processes: orphans that moved to another parent are not found. Owned array, NULL when empty.
 */
int procfs_children(int proc_fd, uint32_t pid, size_t max, uint32_t **ret, size_t *ret_n,
		    bool *ret_cut);

int procfs_stat(int pid_fd, struct procfs_stat *ret);
/* Estimate of the CLOCK_MONOTONIC start: right within a tick if the host was not suspended since. */
uint64_t procfs_start_mono(const struct procfs_clock *clock, uint64_t start_boot_ns);
/*
 * Can start_mono_ns (task->start_time) belong to the process that /proc says started at start_boot_ns? /proc does not
 * tell how much of the suspended time came before that start, so anything from none to all of it is accepted.
 */
bool procfs_start_matches(const struct procfs_clock *clock, uint64_t start_boot_ns,
			  uint64_t start_mono_ns);

/* Path of the executable, owned, without the kernel's " (deleted)". -ENOENT: a zombie or a kernel thread. */
int procfs_exe(int pid_fd, char **ret_path, bool *ret_deleted);
/*
 * argv strings, each ended by a NUL, at most cap bytes into buf. *ret_cut: there was more. Empty for zombies and
 * kernel threads.
 */
int procfs_cmdline(int pid_fd, char *buf, size_t cap, size_t *ret_len, bool *ret_cut);
/* Value of a variable in the initial environment, owned. -ENXIO: not set within the first 128 KiB. */
int procfs_environ(int pid_fd, const char *name, char **ret);
/* Path in cgroup v2, or in v1's name=systemd where v2 has none; owned, "/" at the root. -ENXIO: none. */
int procfs_cgroup(int pid_fd, char **ret);

/* One executable mapping of a file. */
struct procfs_map {
	uint64_t start, end;
	uint64_t ino;
	uint32_t dev; /* kernel's dev_t: major << 20 | minor */
	bool deleted;
	char *path; /* owned; as the target's mount namespace names it */
};
struct procfs_maps {
	struct procfs_map *map; /* owned array */
	size_t n;
	bool cut; /* there were more than PROCFS_MAX_MAPS */
};
#define PROCFS_MAX_MAPS 4096
/*
 * Executable mappings with a file behind them, in order of address, as they are read: `path` is lent and has the kernel's
 * PROCFS_DELETED where it stands, `deleted` is not set. fn: not 0 ends it, and is returned. *ret_cut: there were more than
 * mappings are looked at.
 */
int procfs_each_map(int pid_fd, int (*fn)(void *arg, struct procfs_map *map), void *arg,
		    bool *ret_cut);
#define PROCFS_DELETED " (deleted)"
/* The same, each (dev, ino) once. */
int procfs_maps(int pid_fd, struct procfs_maps *ret);
void procfs_maps_free(struct procfs_maps *m);

/* Directory of cgroup v2 (unified or hybrid), owned; -ENOENT: not mounted. For procfs_proc_record(). */
int procfs_cgroup_root(int *ret_fd);

#define PROCFS_RECORD_MAX (sizeof(struct lmmsd_ev_proc) + LMMSD_CMDLINE_MAX + 3 * LMMSD_PATH_MAX)
/*
 * An LMMSD_EV_PROC record with LMMSD_PROC_PROCFS. buf: PROCFS_RECORD_MAX bytes. start_ns: the exact start if it is
 * known (from BPF), 0: estimated. cgroup_fd: from procfs_cgroup_root(), or -EBADF: the cgroup id stays 0. What is
 * hidden from us is left empty; only a process that is gone is an error. exec_ns and interp stay 0.
 */
int procfs_proc_record(int proc_fd, int cgroup_fd, uint32_t pid, uint64_t start_ns,
		       const struct procfs_clock *clock, void *buf, size_t *ret_len);
