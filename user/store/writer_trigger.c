/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/writer_int.h"

static const char *copy(const char *s)
{
	return strdup(s ? s : "");
}

static void drop_const(const char *s)
{
	free((void *)(uintptr_t)s);
}

struct queued_trigger *queued_trigger_free(struct queued_trigger *q)
{
	if (!q)
		return NULL;
	drop_const(q->t.app);
	drop_const(q->t.kind);
	drop_const(q->t.module);
	drop_const(q->t.before);
	drop_const(q->t.after);
	drop_const(q->t.why);
	free(q);
	return NULL;
}

int store_put_trigger(struct store_writer *w, const struct mdl_trigger *t)
{
	struct queued_trigger *q = calloc(1, sizeof(*q));
	int r = 0;

	if (!q)
		return -ENOMEM;
	q->t = (struct mdl_trigger){
		.at_ns = t->at_ns,
		.app = copy(t->app),
		.kind = copy(t->kind),
		.module = copy(t->module),
		.before = copy(t->before),
		.after = copy(t->after),
		.why = copy(t->why),
	};
	if (!q->t.app || !q->t.kind || !q->t.module || !q->t.before || !q->t.after || !q->t.why) {
		(void)queued_trigger_free(q);
		return -ENOMEM;
	}
	(void)pthread_mutex_lock(&w->lock);
	if (w->s.n_triggers >= WRITER_TRIGGERS) {
		w->s.lost[LMMSD_LOST_STORE_FULL]++;
		r = -ENOBUFS;
	} else {
		*w->s.last_trigger = q;
		w->s.last_trigger = &q->next;
		w->s.n_triggers++;
		(void)pthread_cond_signal(&w->wake);
	}
	(void)pthread_mutex_unlock(&w->lock);
	if (r < 0)
		(void)queued_trigger_free(q);
	return r;
}
