/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Finds ELF files that may hold a CPython and hands them out as open files, each inode once. What to look at is
 * queued by the discover_add_*() functions; discover_next() does the looking, one candidate a call. Nothing is run, and
 * what is no regular file is never opened (only O_PATH).
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Which file it is. A file seen through overlayfs and in its lower directory has two device numbers and all else equal;
 * see discover_same().
 */
struct discover_id {
	uint64_t ino;
	uint64_t size;
	int64_t mtime_ns;
	int64_t ctime_ns;
	int64_t btime_ns; /* 0: the file system does not know */
	uint64_t dev;	  /* st_dev as stat(2) gives it */
	bool overlay;	  /* seen through overlayfs */
};
/* Examines an open file. 0, negative errno. */
int discover_identify(int fd, struct discover_id *ret);
/* As the kernel has it, with no file system asked: it may be old, and `overlay` is not told. */
int discover_peek(int fd, struct discover_id *ret);
/* The same file with the same content. */
bool discover_same(const struct discover_id *a, const struct discover_id *b);
/* The same inode, but written to since: b's probes must go where a's were. */
bool discover_rewritten(const struct discover_id *a, const struct discover_id *b);

struct discover_file {
	int fd;	      /* owned, for reading */
	char *path;   /* owned, to show: as the target's mount namespace names it */
	uint32_t pid; /* of the process where it was seen; 0: on disk */
	bool named;   /* asked for by discover_add_path() */
	struct discover_id id;
};
void discover_file_done(struct discover_file *f);
#define DISCOVER_FILE_INIT                                                                         \
	{                                                                                          \
		.fd = -1                                                                           \
	}

struct discover_stats {
	uint64_t examined;   /* files opened */
	uint64_t unreadable; /* files that could not be opened, except those that are gone */
	uint64_t cut;	     /* times that a limit ended a search */
	size_t remembered;
};

struct discover;
/* proc_fd, root_fd: "/proc" and "/"; borrowed, must outlive d. */
int discover_new(int proc_fd, int root_fd, struct discover **ret);
struct discover *discover_free(struct discover *d); /* NULL */
/*
 * Goes first where a file system might never answer (a server that is gone, FUSE), so that d touches nothing that a name
 * leads to. What it gives an error for counts as unreadable.
 */
struct discover_scout {
	/* Does the file behind this O_PATH fd answer? */
	int (*answers)(void *arg, int path_fd);
	/* An O_PATH fd of what path names in that root, if it answers. */
	int (*open)(void *arg, int root_fd, const char *path);
	/* discover_walk(); cut as there. */
	int (*walk)(void *arg, int root_fd, int (*found)(void *found_arg, const char *path),
		    void *found_arg, uint64_t *ret_cut);
	void *arg; /* borrowed */
};
void discover_send(struct discover *d, const struct discover_scout *scout);

/* The usual places on disk, homes and package managers' directories included, looked through for Pythons. */
struct discover_walker {
	int root_fd;
	bool (*at)(void *arg, const char *path); /* before it is touched; false: leave it */
	void (*left)(void *arg,
		     const char *path); /* not entered: an automounter's. NULL: not told */
	int (*found)(void *arg, const char *path); /* negative: ends it */
	void *arg;
	uint64_t cut; /* times that a limit ended a search */
};
int discover_walk(struct discover_walker *to); /* 0, found()'s error */
static inline void discover_freep(struct discover **d)
{
	(void)discover_free(*d);
}

/* Queues every process that runs now. */
int discover_add_processes(struct discover *d);
/* Queues one process's executable and mapped libraries (at its exec: they may not be mapped yet). */
int discover_add_pid(struct discover *d, uint32_t pid);
/* Queues the usual places, see discover_walk(). */
int discover_add_places(struct discover *d);
/* Queues one file of our own mount namespace, relative to the working directory. */
int discover_add_path(struct discover *d, const char *path);
/*
 * Queues those of the NEEDED libraries of `file` that may be a libpython, found as ld.so would: DT_RPATH/DT_RUNPATH,
 * LD_LIBRARY_PATH (library_path, or the process's when NULL), /etc/ld.so.cache, usual directories; in the
 * root of file->pid. runpath: NULL: none.
 */
int discover_add_needed(struct discover *d, const struct discover_file *file,
			const char *const *needed, size_t n_needed, const char *runpath,
			const char *library_path);
/*
 * 1: *ret is a file not seen before, release it with discover_file_done(). 0: the queue is empty. -ENOMEM. Files that
 * vanish or may not be read are skipped and counted.
 */
int discover_next(struct discover *d, struct discover_file *ret);

/*
 * A file that is attached must not be given out again, so it is kept while others may be forgotten. Unpinned, it
 * is as if it had never been seen.
 */
int discover_pin(struct discover *d, const struct discover_id *id);
void discover_unpin(struct discover *d, const struct discover_id *id);
/*
 * A pinned file that was met with another ctime (linked, renamed, chmod): it is not given out again, but whoever knows
 * it by its ctime must learn the new one. false: none, or no more.
 */
bool discover_take_renewed(struct discover *d, struct discover_id *ret);
/* Forgets the files that were not met again since the last prune: call it after a full search. */
void discover_prune(struct discover *d);
/*
 * Was a file of this inode number and ctime opened, and given out or too small for that? Not so when its process was gone, or
 * what leads to it failed.
 */
bool discover_examined(const struct discover *d, uint64_t ino, int64_t ctime_ns);
void discover_stats(const struct discover *d, struct discover_stats *ret);
