/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "app/privilege.h"

#include <cap-ng.h>
#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/log.h"

struct owner {
	uid_t uid;
	gid_t gid;
	bool known, several;
};

static void owner_add(struct owner *o, const struct stat *st)
{
	o->several = o->several || (o->known && st->st_uid != o->uid);
	if (!o->known) {
		o->uid = st->st_uid;
		o->gid = st->st_gid;
	}
	o->known = true;
}

/* Of a directory that is not there yet, the nearest one above: who may write there makes it. */
static int owner_add_directory(struct owner *o, const char *dir)
{
	_free_ char *path = strdup(dir);
	struct stat st;
	char *slash;

	if (!path)
		return -ENOMEM;
	while (*path && stat(path, &st)) {
		slash = strrchr(path, '/');
		path[slash ? slash - path : 0] = '\0';
	}
	if (*path || !stat(*dir == '/' ? "/" : ".", &st))
		owner_add(o, &st);
	return 0;
}

static int owner_of(const char *db, const char *reviews, struct owner *ret)
{
	static const char *const suffixes[] = {"-wal", "-shm", "-lock", ""};
	_buf_ struct buf dir = {0};
	const char *slash = strrchr(db, '/');
	struct stat st;

	*ret = (struct owner){0};
	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
		_buf_ struct buf path = {0};

		buf_addf(&path, "%s%s", db, suffixes[i]);
		if (buf_error(&path))
			return -ENOMEM;
		if (!stat(buf_str(&path), &st))
			owner_add(ret, &st);
	}
	buf_add(&dir, db, slash ? (size_t)(slash - db) + (slash == db) : 0);
	if (buf_error(&dir) || owner_add_directory(ret, buf_str(&dir)))
		return -ENOMEM;
	return owner_add_directory(ret, reviews);
}

/* Why each: README, "What each capability is for". */
static size_t wanted(bool perf_uprobes, bool several_owners, unsigned int ret[8])
{
	size_t n = 0;

	ret[n++] = CAP_BPF;
	ret[n++] = CAP_PERFMON;
	ret[n++] = CAP_SYS_PTRACE;
	ret[n++] = CAP_DAC_READ_SEARCH;
	if (perf_uprobes)
		ret[n++] = CAP_SYS_ADMIN;
	if (several_owners) {
		ret[n++] = CAP_DAC_OVERRIDE;
		ret[n++] = CAP_CHOWN; /* SQLite gives a new journal to the database's owner */
	}
	return n;
}

/* Of what is wanted, what the process has: to ask for more would fail for all. */
static int choose(bool perf_uprobes, bool several_owners)
{
	unsigned int want[8], keep[8];
	size_t n = wanted(perf_uprobes, several_owners, want), kept = 0;

	if (capng_get_caps_process())
		return -EIO;
	for (size_t i = 0; i < n; i++)
		if (capng_have_capability(CAPNG_PERMITTED, want[i]))
			keep[kept++] = want[i];
	capng_clear(CAPNG_SELECT_ALL);
	for (size_t i = 0; i < kept; i++)
		if (capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, keep[i]))
			return -EIO;
	/* The one that the reader of other people's files is given, see lookup.c. */
	return capng_update(CAPNG_ADD, CAPNG_BOUNDING_SET, CAP_DAC_READ_SEARCH) ? -EIO : 0;
}

static int refused(const char *what, int r)
{
	log_error("cannot give up %s: %s", what, strerror(-r));
	return r;
}

int privilege_drop(const char *db, const char *reviews, bool perf_uprobes)
{
	const bool root = geteuid() == 0;
	struct owner o;
	int r = owner_of(db, reviews, &o);

	if (r)
		return refused("capabilities", r);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return refused("what an exec could bring", -errno);
	r = choose(perf_uprobes, root && o.several);
	if (r)
		return refused("capabilities", r);
	/* The bounding set takes CAP_SETPCAP; who starts without it has a bounding set from elsewhere. */
	if (root && capng_apply(CAPNG_SELECT_BOUNDS) && errno != EPERM)
		return refused("the bounding set", -errno);
	if (root && !o.several && o.uid) {
		if (capng_change_id((int)o.uid, (int)o.gid, CAPNG_DROP_SUPP_GRP))
			return refused("being root", -EPERM);
		log_info("going on as user %u, who owns the database", o.uid);
		return 0;
	}
	if (capng_apply(CAPNG_SELECT_CAPS))
		return refused("capabilities", -EPERM);
	return 0;
}
