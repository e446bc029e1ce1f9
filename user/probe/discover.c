/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* The queue of things to look at, and the looking. */
#include "probe/discover.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/fdio.h"
#include "probe/discover_int.h"
#include "probe/procfs.h"

#define MIN_ELF_SIZE 64

int discover_new(int proc_fd, int root_fd, struct discover **ret)
{
	_cleanup_(discover_freep) struct discover *d = calloc(1, sizeof(*d));
	char link[32], root[4096];
	ssize_t n;
	int r;

	if (!d)
		return -ENOMEM;
	d->proc_fd = proc_fd;
	d->root_fd = root_fd;
	r = seen_new(&d->seen);
	if (r < 0)
		return r;
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", root_fd);
	n = readlink(link, root, sizeof(root) - 1);
	if (n < 0)
		return -errno;
	root[n] = '\0';
	d->root = strdup(strcmp(root, "/") == 0 ? "" : root);
	if (!d->root)
		return -ENOMEM;
	*ret = TAKE_PTR(d);
	return 0;
}

struct discover *discover_free(struct discover *d)
{
	if (!d)
		return NULL;
	while (d->queue.head < d->queue.tail)
		free(d->queue.job[d->queue.head++].path);
	free(d->queue.job);
	free(d->root);
	(void)seen_free(d->seen);
	free(d);
	return NULL;
}

int discover_push(struct discover *d, const struct discover_job *job, const char *path)
{
	struct discover_queue *q = &d->queue;
	char *copy = NULL;

	if (q->tail - q->head >= DISCOVER_MAX_QUEUE) {
		d->stats.cut++;
		return 0;
	}
	if (q->tail == q->cap && q->head > 0) {
		memmove(q->job, q->job + q->head, (q->tail - q->head) * sizeof(*q->job));
		q->tail -= q->head;
		q->head = 0;
	}
	if (ARRAY_ROOM(q->job, q->tail, q->cap) < 0)
		return -ENOMEM;
	if (path) {
		copy = strdup(path);
		if (!copy)
			return -ENOMEM;
	}
	q->job[q->tail] = *job;
	q->job[q->tail++].path = copy;
	return 0;
}

/* false: empty. The job's path is the caller's. */
static bool pop(struct discover_queue *q, struct discover_job *ret)
{
	if (q->head == q->tail) {
		q->head = q->tail = 0;
		return false;
	}
	*ret = q->job[q->head++];
	return true;
}

void discover_send(struct discover *d, const struct discover_scout *scout)
{
	d->scout = *scout;
}

static int ask_first(const struct discover *d, int path_fd)
{
	return d->scout.answers ? d->scout.answers(d->scout.arg, path_fd) : 0;
}

/* Where an fd leads, without the root's own path. NULL: out of memory or unknown. */
static char *path_of(const struct discover *d, int fd)
{
	char name[32], path[4096];
	size_t root_len = strlen(d->root);
	ssize_t n;

	(void)snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	n = readlink(name, path, sizeof(path) - 1);
	if (n < 0)
		return NULL;
	path[n] = '\0';
	if (root_len && strncmp(path, d->root, root_len) == 0 && path[root_len] == '/')
		return strdup(path + root_len);
	return strdup(path);
}

static int open_exe(struct discover *d, const struct discover_job *job, char **ret_path)
{
	_close_ int pid_fd = -EBADF, fd = -EBADF;
	_free_ char *path = NULL;
	bool deleted;
	int r;

	r = procfs_pid_open(d->proc_fd, job->pid, &pid_fd);
	if (r < 0)
		return r;
	r = procfs_exe(pid_fd, &path, &deleted);
	if (r < 0)
		return r;
	fd = openat(pid_fd, "exe", O_PATH | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	*ret_path = TAKE_PTR(path);
	return TAKE_FD(fd);
}

/* Through map_files, which leads to the inode itself; without the right to that, by name if the inode is the same. */
static int open_map(struct discover *d, const struct discover_job *job, char **ret_path)
{
	_close_ int fd = -EBADF;
	struct stat st;
	char name[96];
	int r;

	(void)snprintf(name, sizeof(name), "%u/map_files/%llx-%llx", job->pid,
		       (unsigned long long)job->start, (unsigned long long)job->end);
	fd = openat(d->proc_fd, name, O_PATH | O_CLOEXEC);
	r = fd < 0 ? 0 : ask_first(d, fd);
	if (r < 0)
		return r;
	if (fd < 0)
		fd = discover_open_in(d, job->pid, job->path);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_ino != job->ino)
		return -ESTALE;
	*ret_path = strdup(job->path);
	return *ret_path ? TAKE_FD(fd) : -ENOMEM;
}

static int open_job(struct discover *d, const struct discover_job *job, char **ret_path)
{
	int fd;

	switch (job->kind) {
	case DISCOVER_EXE:
		return open_exe(d, job, ret_path);
	case DISCOVER_MAP:
		return open_map(d, job, ret_path);
	case DISCOVER_FOUND:
		fd = discover_open_in(d, job->pid, job->path);
		break;
	default:
		fd = open(job->path, O_PATH | O_CLOEXEC);
		if (fd < 0)
			return -errno;
		break;
	}
	if (fd < 0)
		return fd;
	/* The name behind the links tells the version: python3 -> python3.9. */
	*ret_path = path_of(d, fd);
	if (!*ret_path) {
		(void)close(fd);
		return -ENOMEM;
	}
	return fd;
}

static int note_failure(struct discover *d, int err)
{
	if (err == -ENOMEM)
		return err;
	if (err != -ENOENT && err != -ESRCH && err != -ENOTDIR && err != -EISDIR && err != -ESTALE)
		d->stats.unreadable++;
	return 0;
}

static void note_renewed(struct discover *d, const struct discover_id *id)
{
	if (d->n_renewed < DISCOVER_MAX_RENEWED)
		d->renewed[d->n_renewed++] = *id;
	else
		d->stats.cut++;
}

bool discover_take_renewed(struct discover *d, struct discover_id *ret)
{
	if (d->n_renewed == 0)
		return false;
	*ret = d->renewed[--d->n_renewed];
	return true;
}

/* 1: *ret is set. 0: nothing new. */
static int examine(struct discover *d, const struct discover_job *job, struct discover_file *ret)
{
	_cleanup_(discover_file_done) struct discover_file f = DISCOVER_FILE_INIT;
	_close_ int path_fd = -EBADF;
	int r;

	path_fd = open_job(d, job, &f.path);
	if (path_fd < 0)
		return note_failure(d, path_fd);
	/* of these it was */
	r = job->kind == DISCOVER_MAP || job->kind == DISCOVER_FOUND ? 0 : ask_first(d, path_fd);
	if (r == 0)
		r = discover_identify(path_fd, &f.id);
	if (r < 0)
		return note_failure(d, r);
	f.fd = fdio_reopen(path_fd);
	if (f.fd < 0)
		return note_failure(d, f.fd);
	r = seen_add(d->seen, &f.id);
	if (r < 0)
		return r;
	if (r == SEEN_RENEWED)
		note_renewed(d, &f.id);
	if (r != SEEN_NEW || f.id.size < MIN_ELF_SIZE)
		return 0;
	f.named = job->kind == DISCOVER_NAMED;
	d->stats.examined++;
	f.pid = job->pid;
	*ret = f;
	f = (struct discover_file)DISCOVER_FILE_INIT;
	return 1;
}

static int expand_process(struct discover *d, uint32_t pid)
{
	_cleanup_(procfs_maps_free) struct procfs_maps maps = {};
	struct discover_job job = {.kind = DISCOVER_EXE, .pid = pid};
	_close_ int pid_fd = -EBADF;
	int r;

	r = procfs_pid_open(d->proc_fd, pid, &pid_fd);
	if (r < 0)
		return note_failure(d, r);
	r = discover_push(d, &job, NULL);
	if (r < 0)
		return r;
	r = procfs_maps(pid_fd, &maps);
	if (r < 0)
		return note_failure(d, r);
	d->stats.cut += maps.cut;
	for (size_t i = 0; i < maps.n; i++) {
		const struct procfs_map *m = &maps.map[i];

		if (!discover_mapped_name(m->path))
			continue;
		job = (struct discover_job){
			.kind = DISCOVER_MAP,
			.pid = pid,
			.start = m->start,
			.end = m->end,
			.ino = m->ino,
		};
		r = discover_push(d, &job, m->path);
		if (r < 0)
			return r;
	}
	return 0;
}

int discover_add_processes(struct discover *d)
{
	_free_ uint32_t *pids = NULL;
	size_t n;
	int r;

	r = procfs_pids(d->proc_fd, &pids, &n);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		r = discover_add_pid(d, pids[i]);
		if (r < 0)
			return r;
	}
	return 0;
}

int discover_add_pid(struct discover *d, uint32_t pid)
{
	struct discover_job job = {.kind = DISCOVER_PROCESS, .pid = pid};

	return discover_push(d, &job, NULL);
}

int discover_add_path(struct discover *d, const char *path)
{
	struct discover_job job = {.kind = DISCOVER_NAMED};

	return discover_push(d, &job, path);
}

int discover_next(struct discover *d, struct discover_file *ret)
{
	struct discover_job job;
	int r = 0;

	while (r == 0 && pop(&d->queue, &job)) {
		if (job.kind == DISCOVER_PROCESS)
			r = expand_process(d, job.pid);
		else if (job.kind == DISCOVER_PLACES)
			r = discover_places(d);
		else
			r = examine(d, &job, ret);
		free(job.path);
	}
	return r;
}

void discover_file_done(struct discover_file *f)
{
	if (f->fd >= 0)
		(void)close(f->fd);
	free(f->path);
	*f = (struct discover_file)DISCOVER_FILE_INIT;
}

int discover_pin(struct discover *d, const struct discover_id *id)
{
	return seen_pin(d->seen, id);
}

void discover_unpin(struct discover *d, const struct discover_id *id)
{
	seen_forget(d->seen, id);
}

void discover_prune(struct discover *d)
{
	seen_prune(d->seen);
}

bool discover_examined(const struct discover *d, uint64_t ino, int64_t ctime_ns)
{
	return seen_program(d->seen, ino, ctime_ns);
}

void discover_stats(const struct discover *d, struct discover_stats *ret)
{
	*ret = d->stats;
	ret->remembered = seen_count(d->seen);
}
