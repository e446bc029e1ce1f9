/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* The processes there are, and what stat and status say of one. */
#include "probe/procfs.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "probe/procfs_read.h"

#define MAX_PIDS (4u << 20) /* the kernel's PID_MAX_LIMIT */

static uint64_t clock_ns(clockid_t id)
{
	struct timespec ts = {};

	(void)clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

void procfs_clock_now(struct procfs_clock *ret)
{
	long hz = sysconf(_SC_CLK_TCK);

	/* Boot time last: what passes between the two must not look like less than no suspended time. */
	ret->mono_ns = clock_ns(CLOCK_MONOTONIC);
	ret->boot_ns = clock_ns(CLOCK_BOOTTIME);
	ret->tick_ns = 1000000000 / (uint64_t)(hz > 0 ? hz : 100);
}

static uint64_t suspended_ns(const struct procfs_clock *clock)
{
	uint64_t s = clock->boot_ns > clock->mono_ns ? clock->boot_ns - clock->mono_ns : 0;

	return s < clock->tick_ns ? 0 : s; /* less is the time between the two readings */
}

uint64_t procfs_start_mono(const struct procfs_clock *clock, uint64_t start_boot_ns)
{
	uint64_t s = suspended_ns(clock);

	return start_boot_ns > s ? start_boot_ns - s : 0;
}

bool procfs_start_matches(const struct procfs_clock *clock, uint64_t start_boot_ns,
			  uint64_t start_mono_ns)
{
	uint64_t low = procfs_start_mono(clock, start_boot_ns);

	/* One tick below: the kernel reads the two clocks one after the other. */
	low = low > clock->tick_ns ? low - clock->tick_ns : 0;
	return start_mono_ns >= low && start_mono_ns < start_boot_ns + clock->tick_ns;
}

int procfs_errno(void)
{
	switch (errno) {
	case ENOENT:
	case ENOTDIR:
		return -ESRCH;
	case EPERM:
		return -EACCES;
	default:
		return -errno;
	}
}

int procfs_read(int dir_fd, const char *path, char *buf, size_t cap, size_t *ret_len)
{
	_close_ int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	size_t len = 0;

	if (fd < 0)
		return procfs_errno();
	while (len < cap) {
		ssize_t n = read(fd, buf + len, cap - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return procfs_errno();
		if (n == 0)
			break;
		len += (size_t)n;
	}
	*ret_len = len;
	return 0;
}

bool procfs_number(const char **p, unsigned int base, uint64_t *ret)
{
	const char *s = *p;
	uint64_t v = 0;

	for (;; s++) {
		unsigned int c = (unsigned char)*s, digit;

		if (c >= '0' && c <= '9')
			digit = c - '0';
		else if (base == 16 && c >= 'a' && c <= 'f')
			digit = c - 'a' + 10;
		else
			break;
		if (v > (UINT64_MAX - digit) / base)
			return false;
		v = v * base + digit;
	}
	if (s == *p)
		return false;
	*p = s;
	*ret = v;
	return true;
}

int procfs_open(const char *path, int *ret_fd)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}

/* PROC_PID_INIT_INO of the kernel: the inode number of the host's PID namespace. */
#define HOST_PID_NAMESPACE 0xeffffffcu

bool procfs_host_pids(void)
{
	struct stat st;

	return stat("/proc/self/ns/pid", &st) || st.st_ino == HOST_PID_NAMESPACE;
}

int procfs_pid_open(int proc_fd, uint32_t pid, int *ret_fd)
{
	char name[16];
	int fd;

	(void)snprintf(name, sizeof(name), "%u", pid);
	fd = openat(proc_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return procfs_errno();
	*ret_fd = fd;
	return 0;
}

static bool parse_pid(const char *name, uint32_t *ret)
{
	uint64_t v;

	if (!isdigit((unsigned char)name[0]) || name[0] == '0')
		return false;
	if (!procfs_number(&name, 10, &v) || *name || v > INT32_MAX)
		return false;
	*ret = (uint32_t)v;
	return true;
}

static int compare_u32(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

int procfs_pids(int proc_fd, uint32_t **ret, size_t *ret_n)
{
	_closedir_ DIR *dir = NULL;
	_free_ uint32_t *pids = NULL;
	size_t n = 0, cap = 0;
	struct dirent *de;
	int fd;

	/* A new description: reading must not move the caller's. */
	fd = openat(proc_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	dir = fdopendir(fd);
	if (!dir) {
		int err = -errno;

		(void)close(fd);
		return err;
	}
	while (n < MAX_PIDS && (errno = 0, de = readdir(dir))) {
		uint32_t pid;

		if (!parse_pid(de->d_name, &pid))
			continue;
		if (ARRAY_ROOM(pids, n, cap) < 0)
			return -ENOMEM;
		pids[n++] = pid;
	}
	if (errno)
		return -errno;
	if (n)
		qsort(pids, n, sizeof(*pids), compare_u32);
	*ret = TAKE_PTR(pids);
	*ret_n = n;
	return 0;
}

/* "pid (comm) S ppid …": comm may hold anything, a ')' and newlines too; what follows the last ')' is ours. */
static int parse_stat(char *text, struct procfs_stat *ret, uint64_t *ret_ticks)
{
	char *open = strchr(text, '('), *close = strrchr(text, ')');
	const char *p;
	uint64_t v;
	size_t len;

	if (!open || !close || close < open || close[1] != ' ' || !close[2] || close[3] != ' ')
		return -EBADMSG;
	len = (size_t)(close - open - 1);
	if (len > sizeof(ret->comm) - 1)
		len = sizeof(ret->comm) - 1; /* kernel threads show longer names here */
	memcpy(ret->comm, open + 1, len);
	ret->state = close[2];
	p = close + 4;
	for (int field = 4; field <= 22; field++) {
		if (*p == '-') /* tpgid, priority and nice */
			p++;
		if (!procfs_number(&p, 10, &v) || (*p != ' ' && *p != '\n' && *p))
			return -EBADMSG;
		if (field == 4)
			ret->ppid = (uint32_t)v;
		if (field < 22 && *p++ != ' ')
			return -EBADMSG;
	}
	*ret_ticks = v;
	return 0;
}

static int read_uid(int pid_fd, uint32_t *ret)
{
	char text[4096];
	const char *p;
	size_t len;
	uint64_t v;
	int r;

	r = procfs_read(pid_fd, "status", text, sizeof(text) - 1, &len);
	if (r < 0)
		return r;
	text[len] = '\0';
	/* A newline in the Name line is escaped, so no name can fake this one. */
	p = strstr(text, "\nUid:\t");
	if (!p)
		return -EBADMSG;
	p += strlen("\nUid:\t");
	if (!procfs_number(&p, 10, &v) || v > UINT32_MAX)
		return -EBADMSG;
	*ret = (uint32_t)v;
	return 0;
}

static int read_stat(int pid_fd, struct procfs_stat *ret)
{
	struct procfs_clock clock;
	char text[4096];
	uint64_t ticks;
	size_t len;
	int r;

	*ret = (struct procfs_stat){};
	r = procfs_read(pid_fd, "stat", text, sizeof(text) - 1, &len);
	if (r < 0)
		return r;
	text[len] = '\0';
	r = parse_stat(text, ret, &ticks);
	if (r < 0)
		return r;
	procfs_clock_now(&clock);
	if (ticks > UINT64_MAX / clock.tick_ns)
		return -EBADMSG;
	ret->start_boot_ns = ticks * clock.tick_ns;
	return 0;
}

int procfs_stat(int pid_fd, struct procfs_stat *ret)
{
	struct procfs_stat st;
	int r;

	r = read_stat(pid_fd, &st);
	if (r < 0)
		return r;
	r = read_uid(pid_fd, &st.uid);
	if (r < 0)
		return r;
	*ret = st;
	return 0;
}

struct family {
	uint32_t pid, ppid;
};

static int compare_family(const void *a, const void *b)
{
	const struct family *x = a, *y = b;

	if (x->ppid != y->ppid)
		return x->ppid < y->ppid ? -1 : 1;
	return (x->pid > y->pid) - (x->pid < y->pid);
}

/* Who is whose child, in order of parents. */
static int read_families(int proc_fd, struct family **ret, size_t *ret_n)
{
	_free_ struct family *fam = NULL;
	_free_ uint32_t *pids = NULL;
	size_t n_pids, n = 0;
	int r;

	r = procfs_pids(proc_fd, &pids, &n_pids);
	if (r < 0)
		return r;
	fam = calloc(n_pids + 1, sizeof(*fam));
	if (!fam)
		return -ENOMEM;
	for (size_t i = 0; i < n_pids; i++) {
		_close_ int pid_fd = -EBADF;
		struct procfs_stat st;

		/* Gone or hidden: not to be found. */
		if (procfs_pid_open(proc_fd, pids[i], &pid_fd) < 0 || read_stat(pid_fd, &st) < 0)
			continue;
		fam[n++] = (struct family){.pid = pids[i], .ppid = st.ppid};
	}
	qsort(fam, n, sizeof(*fam), compare_family);
	*ret = TAKE_PTR(fam);
	*ret_n = n;
	return 0;
}

static size_t first_child(const struct family *fam, size_t n, uint32_t ppid)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (fam[mid].ppid < ppid)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

int procfs_children(int proc_fd, uint32_t pid, size_t max, uint32_t **ret, size_t *ret_n,
		    bool *ret_cut)
{
	_free_ struct family *fam = NULL;
	_free_ uint32_t *found = NULL;
	size_t n_fam, n = 0, next = 0;
	uint32_t parent = pid;
	bool cut = false;
	int r;

	r = read_families(proc_fd, &fam, &n_fam);
	if (r < 0)
		return r;
	found = calloc(n_fam + 1, sizeof(*found));
	if (!found)
		return -ENOMEM;
	/* A queue: no more than n_fam members even if pids were used again and the parents form a ring. */
	for (;;) {
		for (size_t i = first_child(fam, n_fam, parent); i < n_fam && fam[i].ppid == parent;
		     i++) {
			if (fam[i].pid == pid || n == n_fam)
				continue;
			if (n == max) {
				cut = true;
				break;
			}
			found[n++] = fam[i].pid;
		}
		if (cut || next == n)
			break;
		parent = found[next++];
	}
	*ret = n ? TAKE_PTR(found) : NULL;
	*ret_n = n;
	*ret_cut = cut;
	return 0;
}
