/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "app/roots.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>

#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(e) ((e)->refused = true)
#include <uthash.h>

#include "base/cleanup.h"

#define MAX_ROOTS 256
#define MAX_PROCESSES 65536

struct root {
	uint32_t mnt_ns;
	uint64_t ino;
	int fd;		  /* owned */
	uint64_t n_users; /* processes */
};

struct user {
	UT_hash_handle hh;
	struct {
		uint64_t start_ns;
		uint32_t tgid;
		uint32_t pad_;
	} key;
	bool refused;
	uint32_t mnt_ns;
	uint64_t ino;
};

struct roots {
	struct root root[MAX_ROOTS]; /* 0: our own, always */
	size_t n;
	struct user *users; /* owned */
	uint64_t full;
};

static uint32_t mount_namespace(const char *path)
{
	struct stat st;

	return stat(path, &st) ? 0 : (uint32_t)st.st_ino;
}

int roots_new(struct roots **ret)
{
	struct roots *r = calloc(1, sizeof(*r));
	struct stat st;

	if (!r)
		return -ENOMEM;
	r->root[0].fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (r->root[0].fd < 0 || fstat(r->root[0].fd, &st)) {
		int err = -errno;

		(void)roots_free(r);
		return err;
	}
	r->root[0].mnt_ns = mount_namespace("/proc/self/ns/mnt");
	r->root[0].ino = st.st_ino;
	r->n = 1;
	*ret = r;
	return 0;
}

struct roots *roots_free(struct roots *r)
{
	struct user *u, *next;

	if (!r)
		return NULL;
	HASH_ITER (hh, r->users, u, next) {
		HASH_DEL(r->users, u);
		free(u);
	}
	for (size_t i = 0; i < r->n; i++)
		closep(&r->root[i].fd);
	free(r);
	return NULL;
}

static struct root *root_of(struct roots *r, uint32_t mnt_ns, uint64_t ino)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->root[i].mnt_ns == mnt_ns && r->root[i].ino == ino)
			return &r->root[i];
	return NULL;
}

static struct user *user_of(struct roots *r, uint32_t tgid, uint64_t start_ns)
{
	struct user probe = {.key = {start_ns, tgid, 0}};
	struct user *u;

	HASH_FIND(hh, r->users, &probe.key, sizeof(probe.key), u);
	return u;
}

static void user_add(struct roots *r, uint32_t tgid, uint64_t start_ns, uint32_t mnt_ns,
		     uint64_t ino)
{
	struct user *u = user_of(r, tgid, start_ns);
	struct root *root = root_of(r, mnt_ns, ino);

	if (u || !root)
		return;
	if (HASH_COUNT(r->users) >= MAX_PROCESSES) {
		r->full++;
		return;
	}
	u = calloc(1, sizeof(*u));
	if (!u)
		return;
	u->key.start_ns = start_ns;
	u->key.tgid = tgid;
	u->mnt_ns = mnt_ns;
	u->ino = ino;
	HASH_ADD(hh, r->users, key, sizeof(u->key), u);
	if (u->refused) {
		free(u);
		return;
	}
	root->n_users++;
}

/* The process may have ended, and its pid be another's: what is opened must be what was announced. */
static void open_root(struct roots *r, uint32_t tgid, uint32_t mnt_ns, uint64_t ino)
{
	_close_ int fd = -EBADF;
	struct statx st;
	char path[64];

	if (r->n == MAX_ROOTS) {
		r->full++;
		return;
	}
	(void)snprintf(path, sizeof(path), "/proc/%u/root", tgid);
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	/* DONT_SYNC: its file system, which may be a server that is gone, is not waited for */
	if (fd < 0 || statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_INO, &st) ||
	    st.stx_ino != ino)
		return;
	(void)snprintf(path, sizeof(path), "/proc/%u/ns/mnt", tgid);
	if (mount_namespace(path) != mnt_ns)
		return;
	r->root[r->n++] = (struct root){.mnt_ns = mnt_ns, .ino = ino, .fd = TAKE_FD(fd)};
}

void roots_note(struct roots *r, uint32_t tgid, uint64_t start_ns, uint32_t mnt_ns,
		uint64_t root_ino)
{
	if (!mnt_ns)
		return;
	roots_forget(r, tgid, start_ns); /* an exec may come with another root */
	if (!root_of(r, mnt_ns, root_ino))
		open_root(r, tgid, mnt_ns, root_ino);
	user_add(r, tgid, start_ns, mnt_ns, root_ino);
}

void roots_fork(struct roots *r, uint32_t tgid, uint64_t start_ns, uint32_t child,
		uint64_t child_start_ns)
{
	struct user *u = user_of(r, tgid, start_ns);

	if (u)
		user_add(r, child, child_start_ns, u->mnt_ns, u->ino);
}

int roots_find(struct roots *r, uint32_t tgid, uint64_t start_ns)
{
	struct user *u = user_of(r, tgid, start_ns);
	struct root *root = u ? root_of(r, u->mnt_ns, u->ino) : NULL;

	return root ? root->fd : -EBADF;
}

void roots_forget(struct roots *r, uint32_t tgid, uint64_t start_ns)
{
	struct user *u = user_of(r, tgid, start_ns);
	struct root *root = u ? root_of(r, u->mnt_ns, u->ino) : NULL;

	if (!u)
		return;
	if (root)
		root->n_users--;
	HASH_DEL(r->users, u);
	free(u);
}

uint64_t roots_full(const struct roots *r)
{
	return r->full;
}

void roots_sweep(struct roots *r)
{
	for (size_t i = 1; i < r->n; i++) {
		if (r->root[i].n_users)
			continue;
		closep(&r->root[i].fd);
		r->root[i--] = r->root[--r->n];
	}
}
