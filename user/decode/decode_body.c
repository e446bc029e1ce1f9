/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Module bodies, and the records that refer to one by its number. */
#include <errno.h>

#include "decode/bodies.h"
#include "decode/decode_int.h"
#include "decode/linetab.h"

void decode_where_body(struct decoder *d, const struct ev *e, uint32_t number, struct ev_where *w)
{
	struct body_key key = {e->start_ns, e->tgid, e->tid, number};
	const struct body_text *b = bodies_find(d->bodies, &key);

	w->importer = w->file = "";
	w->func = "<module>";
	if (!b) {
		w->flags &= ~(uint32_t)LMMSD_WHERE_FRAME;
		d->body_unknown++;
		return;
	}
	w->flags |= LMMSD_WHERE_FRAME | b->flags;
	w->importer = b->name;
	w->file = b->file;
	w->firstlineno = b->firstlineno;
	w->linetab = b->linetab;
	w->linetab_len = b->linetab_len;
	if (linetab_line(decode_version(d, e->interp), b->firstlineno, b->linetab, b->linetab_len,
			 b->flags & LMMSD_WHERE_CUT, w->instr, &w->line) < 0)
		w->line = 0;
}

static int body_names(struct decoder *d, struct tail *t, const struct lmmsd_ev_body *r,
		      struct ev *e)
{
	e->interp = r->interp;
	e->load.sp = r->sp;
	e->load.name = e->load.body_file = "";
	if (decode_str(d, t, r->name_kind, r->name_len, LMMSD_NAME_MAX, &e->load.name) < 0)
		return -EBADMSG;
	return decode_str(d, t, r->body_kind, r->body_file_len, LMMSD_FILE_MAX, &e->load.body_file);
}

int decode_body(struct decoder *d, struct tail *t, struct ev *e)
{
	struct lmmsd_ev_body r;

	FIXED(t, r);
	if (body_names(d, t, &r, e) < 0)
		return -EBADMSG;
	return decode_where(d, t, e, &r.where, &e->load.where);
}

int decode_enter(struct decoder *d, struct tail *t, struct ev *e)
{
	struct lmmsd_ev_enter r;

	FIXED(t, r);
	e->kind = LMMSD_EV_BODY_START;
	d->entered = r.body;
	d->enter = (struct body_text){.linetab_len = r.body_linetab_len,
				      .firstlineno = r.firstlineno,
				      .flags = r.cut ? LMMSD_WHERE_CUT : 0};
	if (body_names(d, t, &r.b, e) < 0)
		return -EBADMSG;
	d->enter.linetab = decode_take(t, r.body_linetab_len, LMMSD_BODYTAB_MAX);
	if (!d->enter.linetab)
		return -EBADMSG;
	return decode_where(d, t, e, &r.b.where, &e->load.where);
}

/* Number 0 is nobody's, so that an unnumbered body forgets nothing. */
int decode_leave(struct decoder *d, struct tail *t, struct ev *e)
{
	struct lmmsd_ev_leave r;
	struct body_key key = {e->start_ns, e->tgid, e->tid, 0};

	FIXED(t, r);
	e->kind = LMMSD_EV_BODY_DONE;
	e->interp = r.d.interp;
	e->done.sp = r.d.sp;
	e->done.frame = r.d.frame;
	e->done.found = r.d.found;
	key.number = r.body;
	bodies_leave(d->bodies, &key);
	return 0;
}

int decode_use_at(struct decoder *d, struct tail *t, struct ev *e)
{
	struct lmmsd_ev_use_at r;

	FIXED(t, r);
	e->kind = LMMSD_EV_USE;
	e->interp = r.interp;
	e->use.key.level = r.level;
	e->use.key.place = LMMSD_PLACE_MODULE;
	e->use.name = e->use.package = "";
	if (decode_str(d, t, r.name_kind, r.name_len, LMMSD_NAME_MAX, &e->use.name) < 0 ||
	    decode_str(d, t, r.package_kind, r.package_len, LMMSD_NAME_MAX, &e->use.package) < 0)
		return -EBADMSG;
	if (r.package_len == 0)
		e->use.flags |= LMMSD_USEF_PACKAGE_NONE;
	e->use.where = (struct ev_where){.flags = LMMSD_WHERE_STMT | LMMSD_WHERE_MODBODY,
					 .instr = r.instr};
	decode_where_body(d, e, r.body, &e->use.where);
	return 0;
}
