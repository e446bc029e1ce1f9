/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* A process record as the kernel side would have sent it. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "probe/procfs.h"
#include "probe/procfs_read.h"

/* Components from the leaf up, whole ones only. */
static size_t put_components(const char *path, char *buf, size_t cap, bool *cut)
{
	size_t end = strlen(path), len = 0;

	while (end > 0) {
		size_t start = end, n;

		while (start > 0 && path[start - 1] != '/')
			start--;
		n = end - start;
		if (n > 0) {
			if (n + 1 > cap - len) {
				*cut = true;
				break;
			}
			memcpy(buf + len, path + start, n);
			buf[len + n] = '\0';
			len += n + 1;
		}
		end = start > 0 ? start - 1 : 0;
	}
	return len;
}

static uint64_t cgroup_id(int cgroup_fd, const char *path)
{
	struct stat st;

	while (*path == '/')
		path++;
	/* In cgroup v2 the inode number is the id on 64-bit hosts. A "../" leads out of our cgroup namespace: unknown. */
	if (cgroup_fd < 0 || strncmp(path, "..", 2) == 0)
		return 0;
	if (fstatat(cgroup_fd, *path ? path : ".", &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	return st.st_ino;
}

static int put_exe(int pid_fd, struct lmmsd_ev_proc *ev, char *tail, size_t *at, bool *cut)
{
	_free_ char *path = NULL;
	bool deleted;
	int r;

	r = procfs_exe(pid_fd, &path, &deleted);
	if (r == -ESRCH || r == -ENOMEM)
		return r;
	if (r < 0)
		return 0;
	ev->exe_len = (uint16_t)put_components(path, tail + *at, LMMSD_PATH_MAX, cut);
	*at += ev->exe_len;
	return 0;
}

/* As it is now; a link of /proc is read without the file system that it leads to. */
static void put_cwd(int pid_fd, struct lmmsd_ev_proc *ev, char *tail, size_t *at)
{
	static const char deleted[] = " (deleted)";
	char path[4096];
	ssize_t n = readlinkat(pid_fd, "cwd", path, sizeof(path) - 1);
	bool cut = false;

	if (n <= 0)
		return;
	path[n] = '\0';
	if (path[0] != '/' || text_ends_with(path, deleted))
		return;
	ev->cwd_len = (uint16_t)put_components(path, tail + *at, LMMSD_PATH_MAX, &cut);
	*at += ev->cwd_len;
}

/* Which root directory in which mount namespace: tells containers apart. */
static void put_root(int pid_fd, struct lmmsd_ev_proc *ev)
{
	struct stat st;

	if (fstatat(pid_fd, "root", &st, 0) == 0)
		ev->root_ino = st.st_ino;
	if (fstatat(pid_fd, "ns/mnt", &st, 0) == 0)
		ev->mnt_ns = (uint32_t)st.st_ino;
}

static int put_strings(int pid_fd, int cgroup_fd, struct lmmsd_ev_proc *ev, char *tail,
		       size_t *ret_len)
{
	_free_ char *cgroup = NULL;
	bool cut = false, cmdline_cut;
	size_t at = 0, n;
	int r;

	r = procfs_cmdline(pid_fd, tail, LMMSD_CMDLINE_MAX, &n, &cmdline_cut);
	if (r == -ESRCH || r == -ENOMEM)
		return r;
	if (r == 0) {
		ev->cmdline_len = (uint16_t)n;
		at = n;
		cut = cmdline_cut;
	}
	r = put_exe(pid_fd, ev, tail, &at, &cut);
	if (r < 0)
		return r;
	put_root(pid_fd, ev);
	r = procfs_cgroup(pid_fd, &cgroup);
	if (r == -ESRCH || r == -ENOMEM)
		return r;
	if (r == 0) {
		ev->cgroup_id = cgroup_id(cgroup_fd, cgroup);
		ev->cgroup_len = (uint16_t)put_components(cgroup, tail + at, LMMSD_PATH_MAX, &cut);
		at += ev->cgroup_len;
	}
	put_cwd(pid_fd, ev, tail, &at);
	if (cut)
		ev->flags |= LMMSD_PROC_CUT;
	*ret_len = at;
	return 0;
}

int procfs_proc_record(int proc_fd, int cgroup_fd, uint32_t pid, uint64_t start_ns,
		       const struct procfs_clock *clock, void *buf, size_t *ret_len)
{
	_close_ int pid_fd = -EBADF;
	struct lmmsd_ev_proc ev = {};
	struct procfs_stat st;
	size_t tail;
	int r;

	r = procfs_pid_open(proc_fd, pid, &pid_fd);
	if (r < 0)
		return r;
	r = procfs_stat(pid_fd, &st);
	if (r < 0)
		return r;
	ev.flags = LMMSD_PROC_PROCFS;
	ev.ppid = st.ppid;
	ev.uid = st.uid;
	memcpy(ev.comm, st.comm, sizeof(ev.comm));
	r = put_strings(pid_fd, cgroup_fd, &ev, (char *)buf + sizeof(ev), &tail);
	if (r < 0)
		return r;
	ev.h = (struct lmmsd_hdr){
		.abi = LMMSD_ABI,
		.kind = LMMSD_EV_PROC,
		.size = (uint32_t)(sizeof(ev) + tail),
		.ts_ns = clock->mono_ns,
		.tgid = pid,
		.tid = pid,
		.start_ns = start_ns ? start_ns : procfs_start_mono(clock, st.start_boot_ns),
	};
	memcpy(buf, &ev, sizeof(ev));
	*ret_len = ev.h.size;
	return 0;
}
