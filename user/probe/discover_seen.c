/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Which files were seen. An inode is told by number, size, times and device; two devices are allowed to differ when
 * one of them is overlayfs, which shows the numbers of its lower file under a device of its own.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "base/cleanup.h"
#include "probe/discover_int.h"

#define OVERLAYFS_MAGIC 0x794c7630

struct seen_key {
	uint64_t ino;
	uint64_t size;
	int64_t mtime_ns;
	int64_t time_ns; /* of birth, which links and renames do not change; of change where there is no other */
	uint64_t dev;
};
#define KEY_ANY_DEV offsetof(struct seen_key, dev)

/* As the kernel side names a program; files of several devices may share it. */
struct seen_program {
	uint64_t ino;
	int64_t ctime_ns;
};

struct seen_file {
	struct seen_key key;
	struct seen_program program;
	bool overlay;
	bool pinned;
	bool met;    /* since the last prune */
	bool in_any; /* is the one that `any` finds */
	UT_hash_handle hh;
	UT_hash_handle hh_any;
	UT_hash_handle hh_program;
};

struct seen {
	struct seen_file *all; /* by whole key, oldest first */
	struct seen_file *any; /* by key without dev */
	struct seen_file *programs;
	size_t pinned;
};

static int64_t time_ns(const struct statx_timestamp *t)
{
	return t->tv_sec * 1000000000 + t->tv_nsec;
}

static int identify(int fd, int how, struct discover_id *ret)
{
	struct statx sx;

	if (statx(fd, "", AT_EMPTY_PATH | how, STATX_BASIC_STATS | STATX_BTIME, &sx) < 0)
		return -errno;
	*ret = (struct discover_id){
		.ino = sx.stx_ino,
		.size = sx.stx_size,
		.mtime_ns = time_ns(&sx.stx_mtime),
		.ctime_ns = time_ns(&sx.stx_ctime),
		.btime_ns = sx.stx_mask & STATX_BTIME ? time_ns(&sx.stx_btime) : 0,
		.dev = makedev(sx.stx_dev_major, sx.stx_dev_minor),
	};
	return 0;
}

int discover_identify(int fd, struct discover_id *ret)
{
	struct statfs fs;
	int r = identify(fd, AT_STATX_SYNC_AS_STAT, ret);

	if (r < 0)
		return r;
	if (fstatfs(fd, &fs) < 0)
		return -errno;
	ret->overlay = fs.f_type == OVERLAYFS_MAGIC;
	return 0;
}

int discover_peek(int fd, struct discover_id *ret)
{
	return identify(fd, AT_STATX_DONT_SYNC, ret);
}

static struct seen_key make_key(const struct discover_id *id)
{
	return (struct seen_key){
		.ino = id->ino,
		.size = id->size,
		.mtime_ns = id->mtime_ns,
		.time_ns = id->btime_ns ? id->btime_ns : id->ctime_ns,
		.dev = id->dev,
	};
}

bool discover_same(const struct discover_id *a, const struct discover_id *b)
{
	struct seen_key x = make_key(a), y = make_key(b);

	return memcmp(&x, &y, KEY_ANY_DEV) == 0 && (x.dev == y.dev || a->overlay || b->overlay);
}

bool discover_rewritten(const struct discover_id *a, const struct discover_id *b)
{
	return a->ino == b->ino && a->dev == b->dev && a->btime_ns == b->btime_ns &&
	       !discover_same(a, b);
}

int seen_new(struct seen **ret)
{
	struct seen *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	*ret = s;
	return 0;
}

/* Out of all tables but the programs'. */
static void leave(struct seen *s, struct seen_file *f)
{
	if (f->in_any)
		HASH_DELETE(hh_any, s->any, f);
	HASH_DELETE(hh, s->all, f);
	s->pinned -= f->pinned;
	free(f);
}

static void drop(struct seen *s, struct seen_file *f)
{
	HASH_DELETE(hh_program, s->programs, f);
	leave(s, f);
}

struct seen *seen_free(struct seen *s)
{
	struct seen_file *f, *tmp;

	if (!s)
		return NULL;
	HASH_ITER (hh, s->all, f, tmp) {
		drop(s, f);
	}
	free(s);
	return NULL;
}

static struct seen_file *find(const struct seen *s, const struct discover_id *id)
{
	struct seen_key key = make_key(id);
	struct seen_file *f;

	HASH_FIND(hh, s->all, &key, sizeof(key), f);
	if (f)
		return f;
	HASH_FIND(hh_any, s->any, &key, KEY_ANY_DEV, f);
	return f && (f->overlay || id->overlay) ? f : NULL;
}

/* Makes room: the oldest file that is not pinned goes. It may be given out once more, no harm in that. */
static void evict(struct seen *s)
{
	struct seen_file *f, *tmp;

	HASH_ITER (hh, s->all, f, tmp) {
		if (!f->pinned) {
			drop(s, f);
			return;
		}
	}
}

static int enter_program(struct seen *s, struct seen_file *f, const struct discover_id *id)
{
	f->program.ino = id->ino;
	f->program.ctime_ns = id->ctime_ns;
	HASH_ADD(hh_program, s->programs, program, sizeof(f->program), f);
	return f->hh_program.tbl ? 0 : -ENOMEM;
}

/* Into all tables, at the end of `all`'s order. */
static int enter(struct seen *s, struct seen_file *f, const struct discover_id *id)
{
	struct seen_file *other;

	if (enter_program(s, f, id) < 0)
		return -ENOMEM;
	HASH_ADD(hh, s->all, key, sizeof(f->key), f);
	if (!f->hh.tbl) {
		HASH_DELETE(hh_program, s->programs, f);
		return -ENOMEM;
	}
	HASH_FIND(hh_any, s->any, &f->key, KEY_ANY_DEV, other);
	if (!other) {
		HASH_ADD(hh_any, s->any, key, KEY_ANY_DEV, f);
		if (!f->hh_any.tbl) {
			HASH_DELETE(hh, s->all, f);
			HASH_DELETE(hh_program, s->programs, f);
			return -ENOMEM;
		}
		f->in_any = true;
	}
	return 0;
}

/* One that was seen before. */
static int meet(struct seen *s, struct seen_file *f, const struct discover_id *id)
{
	int r;

	f->met = true;
	if (f->program.ctime_ns == id->ctime_ns)
		return SEEN_KNOWN;
	r = f->pinned ? SEEN_RENEWED : SEEN_NEW;
	HASH_DELETE(hh_program, s->programs, f);
	if (enter_program(s, f, id) < 0) {
		leave(s, f);
		return -ENOMEM;
	}
	return r;
}

int seen_add(struct seen *s, const struct discover_id *id)
{
	struct seen_file *f = find(s, id);
	int r;

	if (f)
		return meet(s, f, id);
	if (HASH_COUNT(s->all) - s->pinned >= DISCOVER_MAX_SEEN)
		evict(s);
	f = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	f->key = make_key(id);
	f->overlay = id->overlay;
	f->met = true;
	r = enter(s, f, id);
	if (r < 0) {
		free(f);
		return r;
	}
	return SEEN_NEW;
}

int seen_pin(struct seen *s, const struct discover_id *id)
{
	struct seen_file *f;
	int r;

	r = seen_add(s, id);
	if (r < 0)
		return r;
	f = find(s, id);
	if (f && !f->pinned) {
		f->pinned = true;
		s->pinned++;
	}
	return 0;
}

void seen_forget(struct seen *s, const struct discover_id *id)
{
	struct seen_file *f = find(s, id);

	if (f)
		drop(s, f);
}

void seen_prune(struct seen *s)
{
	struct seen_file *f, *tmp;

	HASH_ITER (hh, s->all, f, tmp) {
		if (!f->met && !f->pinned)
			drop(s, f);
		else
			f->met = false;
	}
}

bool seen_program(const struct seen *s, uint64_t ino, int64_t ctime_ns)
{
	struct seen_program key = {.ino = ino, .ctime_ns = ctime_ns};
	struct seen_file *f;

	HASH_FIND(hh_program, s->programs, &key, sizeof(key), f);
	return f != NULL;
}

size_t seen_count(const struct seen *s)
{
	return HASH_COUNT(s->all);
}
