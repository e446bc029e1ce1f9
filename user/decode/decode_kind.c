/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* One function a kind of record: its fixed part is copied out, since records need not be aligned. */
#include <errno.h>
#include <string.h>

#include "decode/bodies.h"
#include "decode/decode_int.h"
#include "decode/linetab.h"

int decode_where(struct decoder *d, struct tail *t, const struct ev *ev,
		 const struct lmmsd_where *w, struct ev_where *e)
{
	*e = (struct ev_where){
		.frame = w->frame,
		.code = w->code,
		.flags = w->flags,
		.firstlineno = w->firstlineno,
		.instr = w->instr,
		.importer = "",
		.file = "",
		.func = "",
	};
	if (w->flags & LMMSD_WHERE_BODY) {
		decode_where_body(d, ev, (uint32_t)w->firstlineno, e);
		return 0;
	}
	if (decode_str(d, t, w->importer_kind, w->importer_len, LMMSD_NAME_MAX, &e->importer) < 0 ||
	    decode_str(d, t, w->file_kind, w->file_len, LMMSD_FILE_MAX, &e->file) < 0 ||
	    decode_str(d, t, w->func_kind, w->func_len, LMMSD_FUNC_MAX, &e->func) < 0)
		return -EBADMSG;
	e->linetab = decode_take(t, w->linetab_len, LMMSD_LINETAB_MAX);
	if (!e->linetab)
		return -EBADMSG;
	e->linetab_len = w->linetab_len;
	if ((w->flags & LMMSD_WHERE_FRAME) &&
	    linetab_line(decode_version(d, ev->interp), w->firstlineno, e->linetab, e->linetab_len,
			 w->flags & LMMSD_WHERE_CUT, w->instr, &e->line) < 0)
		e->line = 0;
	return 0;
}

static int proc(struct decoder *d, struct tail *t, struct ev *e)
{
	struct lmmsd_ev_proc r;

	FIXED(t, r);
	e->interp = r.interp;
	e->proc.flags = r.flags;
	e->proc.ppid = r.ppid;
	e->proc.uid = r.uid;
	e->proc.exec_ns = r.exec_ns;
	e->proc.cgroup_id = r.cgroup_id;
	e->proc.root_ino = r.root_ino;
	e->proc.mnt_ns = r.mnt_ns;
	e->proc.comm = e->proc.exe = e->proc.cgroup = e->proc.cwd = e->proc.cmdline = "";
	decode_mark(d, &e->proc.comm);
	text_utf8(&d->text, LMMSD_STR_UTF8, r.comm, strnlen((const char *)r.comm, sizeof(r.comm)));
	buf_addc(&d->text, '\0');
	if (decode_argv(d, t, r.cmdline_len, &e->proc.cmdline, &e->proc.cmdline_len) < 0 ||
	    decode_path(d, t, r.exe_len, &e->proc.exe) < 0 ||
	    decode_path(d, t, r.cgroup_len, &e->proc.cgroup) < 0 ||
	    decode_path(d, t, r.cwd_len, &e->proc.cwd) < 0)
		return -EBADMSG;
	return 0;
}

/* "PACKAGE/NAME" at a level: the package less level - 1 trailing parts, and the name behind it. */
static int relative_name(struct decoder *d, struct tail *t, const struct lmmsd_ev_load *r,
			 const char **slot)
{
	const uint8_t *p = decode_take(t, r->name_len, LMMSD_NAME_MAX);
	const uint8_t *slash = p ? memchr(p, '/', r->name_len) : NULL;
	uint8_t name[LMMSD_NAME_MAX];
	struct tail joined = {name, 0};
	size_t base, rest;

	if (!slash)
		return -EBADMSG;
	base = (size_t)(slash - p);
	rest = r->name_len - base - 1;
	for (int level = r->level & ~LMMSD_LOAD_UNSURE; level > 1 && base > 0; level--)
		while (base > 0 && p[--base] != '.')
			;
	memcpy(name, p, base);
	if (base > 0 && rest > 0)
		name[base++] = '.';
	memcpy(name + base, slash + 1, rest);
	joined.left = base + rest;
	return decode_str(d, &joined, r->name_kind, joined.left, LMMSD_NAME_MAX, slot);
}

static int load(struct decoder *d, struct tail *t, struct ev *e)
{
	struct lmmsd_ev_load r;

	FIXED(t, r);
	e->interp = r.interp;
	e->load.sp = r.sp;
	e->load.name = e->load.body_file = "";
	e->load.unsure = r.level & LMMSD_LOAD_UNSURE;
	if ((r.level & ~LMMSD_LOAD_UNSURE ?
		     relative_name(d, t, &r, &e->load.name) :
		     decode_str(d, t, r.name_kind, r.name_len, LMMSD_NAME_MAX, &e->load.name)) < 0)
		return -EBADMSG;
	return decode_where(d, t, e, &r.where, &e->load.where);
}

static int ext(struct decoder *d, struct tail *t, struct ev *e)
{
	struct lmmsd_ev_ext r;

	FIXED(t, r);
	e->interp = r.interp;
	e->ext.name = e->ext.file = "";
	if (decode_str(d, t, r.name_kind, r.name_len, LMMSD_NAME_MAX, &e->ext.name) < 0)
		return -EBADMSG;
	return decode_str(d, t, r.file_kind, r.file_len, LMMSD_FILE_MAX, &e->ext.file);
}

static int compile(struct decoder *d, struct tail *t, struct ev *e)
{
	struct lmmsd_ev_compile r;

	FIXED(t, r);
	e->interp = r.interp;
	e->compile.file = "";
	return decode_str(d, t, r.file_kind, r.file_len, LMMSD_FILE_MAX, &e->compile.file);
}

static int use(struct decoder *d, struct tail *t, struct ev *e)
{
	struct lmmsd_ev_use r;

	FIXED(t, r);
	e->interp = r.interp;
	e->use.keyed = true;
	e->use.key = r.key;
	e->use.flags = r.flags;
	e->use.name = e->use.package = "";
	if (decode_str(d, t, r.name_kind, r.name_len, LMMSD_NAME_MAX, &e->use.name) < 0 ||
	    decode_str(d, t, r.package_kind, r.package_len, LMMSD_NAME_MAX, &e->use.package) < 0)
		return -EBADMSG;
	return decode_where(d, t, e, &r.where, &e->use.where);
}

static int host(struct decoder *d, struct tail *t, struct ev *e)
{
	struct lmmsd_ev_host r;
	const uint16_t *len[] = {&r.name_len, &r.kernel_len, &r.arch_len, &r.boot_id_len,
				 &r.version_len};
	const char **slot[] = {&e->host.name, &e->host.kernel, &e->host.arch, &e->host.boot_id,
			       &e->host.version};

	FIXED(t, r);
	e->host.realtime_offset_ns = r.realtime_offset_ns;
	e->host.usage = r.usage;
	for (size_t i = 0; i < sizeof(len) / sizeof(len[0]); i++) {
		*slot[i] = "";
		if (decode_str(d, t, LMMSD_STR_UTF8, *len[i], DECODE_TEXT_MAX, slot[i]) < 0)
			return -EBADMSG;
	}
	return 0;
}

static int interp(struct decoder *d, struct tail *t, struct ev *e)
{
	struct lmmsd_ev_interp r;

	FIXED(t, r);
	e->interp = r.interp;
	e->interp_info.version = r.version;
	e->interp_info.probe = r.probe;
	e->interp_info.flags = r.flags;
	e->interp_info.path = "";
	if (decode_str(d, t, LMMSD_STR_UTF8, r.path_len, DECODE_TEXT_MAX, &e->interp_info.path) < 0)
		return -EBADMSG;
	return decode_learn(d, r.interp, r.version);
}

static int dist(struct decoder *d, struct tail *t, struct ev *e)
{
	struct lmmsd_ev_dist r;

	FIXED(t, r);
	e->dist.kind = r.kind;
	e->dist.name = e->dist.dist = e->dist.version = e->dist.file = "";
	if (decode_str(d, t, LMMSD_STR_UTF8, r.name_len, DECODE_TEXT_MAX, &e->dist.name) < 0 ||
	    decode_str(d, t, LMMSD_STR_UTF8, r.dist_len, DECODE_TEXT_MAX, &e->dist.dist) < 0 ||
	    decode_str(d, t, LMMSD_STR_UTF8, r.version_len, DECODE_TEXT_MAX, &e->dist.version) < 0)
		return -EBADMSG;
	return decode_str(d, t, LMMSD_STR_UTF8, r.file_len, DECODE_TEXT_MAX, &e->dist.file);
}

/* Records without a tail. */
static int plain(struct tail *t, struct ev *e)
{
	struct lmmsd_ev_fork f;
	struct lmmsd_ev_exit x;
	struct lmmsd_ev_done n;
	struct lmmsd_ev_uses u;
	struct lmmsd_ev_exe p;

	switch (e->kind) {
	case LMMSD_EV_FORK:
		FIXED(t, f);
		e->fork.child_tgid = f.child_tgid;
		e->fork.child_start_ns = f.child_start_ns;
		return 0;
	case LMMSD_EV_EXIT:
		FIXED(t, x);
		e->exit.status = x.status;
		e->exit.flags = x.flags;
		return 0;
	case LMMSD_EV_USES:
		FIXED(t, u);
		e->uses.key = u.key;
		e->uses.count = u.count;
		return 0;
	case LMMSD_EV_EXE:
		FIXED(t, p);
		e->exe.ino = p.ino;
		e->exe.ctime_s = p.ctime_s;
		e->exe.ctime_ns = p.ctime_ns;
		return 0;
	default:
		FIXED(t, n);
		e->interp = n.interp;
		e->done.sp = n.sp;
		e->done.frame = n.frame;
		e->done.found = n.found;
		return 0;
	}
}

static int lost(struct tail *t, struct ev *e)
{
	struct lmmsd_ev_lost r;

	FIXED(t, r);
	memcpy(e->lost.count, r.count, sizeof(e->lost.count));
	return 0;
}

int decode_kind(struct decoder *d, struct tail *t, struct ev *e)
{
	switch (e->kind) {
	case LMMSD_EV_PROC:
		return proc(d, t, e);
	case LMMSD_EV_LOAD_START:
	case LMMSD_EV_LAZY:
		return load(d, t, e);
	case LMMSD_EV_BODY_START:
	case LMMSD_EV_EXT_ASKED:
		return decode_body(d, t, e);
	case LMMSD_EV_BODY_ENTER:
		return decode_enter(d, t, e);
	case LMMSD_EV_BODY_LEAVE:
		return decode_leave(d, t, e);
	case LMMSD_EV_USE_AT:
		return decode_use_at(d, t, e);
	case LMMSD_EV_EXT_EXEC:
		return ext(d, t, e);
	case LMMSD_EV_COMPILE:
		return compile(d, t, e);
	case LMMSD_EV_USE:
		return use(d, t, e);
	case LMMSD_EV_HOST:
		return host(d, t, e);
	case LMMSD_EV_INTERP:
		return interp(d, t, e);
	case LMMSD_EV_DIST:
		return dist(d, t, e);
	case LMMSD_EV_LOST:
		return lost(t, e);
	case LMMSD_EV_FORK:
	case LMMSD_EV_EXIT:
	case LMMSD_EV_LOAD_DONE:
	case LMMSD_EV_BODY_DONE:
	case LMMSD_EV_USES:
	case LMMSD_EV_EXE:
		return plain(t, e);
	case LMMSD_EV_END:
		return 0;
	default:
		return -EOPNOTSUPP;
	}
}
