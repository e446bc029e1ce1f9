/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "app/sink.h"

#include <errno.h>

#include "base/cleanup.h"
#include "decode/decode.h"
#include "replay/stream.h"

struct sink {
	struct decoder *decoder;      /* owned */
	struct graph *graph;	      /* owned */
	struct stream_writer *record; /* owned; NULL: not recording */
	void (*on_event)(void *arg, const struct ev *ev);
	void *arg;
	uint64_t bad, unknown;
	int record_error;
};

int sink_new(const struct graph_limits *limits, struct sink **ret)
{
	_cleanup_(sink_freep) struct sink *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	r = decoder_new(&s->decoder);
	if (!r)
		r = graph_new(limits, &s->graph);
	if (r)
		return r;
	*ret = TAKE_PTR(s);
	return 0;
}

struct sink *sink_free(struct sink *s)
{
	if (!s)
		return NULL;
	(void)stream_writer_free(s->record);
	(void)graph_free(s->graph);
	(void)decoder_free(s->decoder);
	free(s);
	return NULL;
}

int sink_record_to(struct sink *s, FILE *f)
{
	return stream_writer_new(f, &s->record);
}

int sink_record_end(struct sink *s)
{
	int r;

	if (!s->record)
		return 0;
	r = stream_writer_finish(s->record);
	s->record = stream_writer_free(s->record);
	return s->record_error ? s->record_error : r;
}

void sink_on_event(struct sink *s, void (*fn)(void *arg, const struct ev *ev), void *arg)
{
	s->on_event = fn;
	s->arg = arg;
}

int sink_put(void *sink, const void *rec, size_t len)
{
	struct sink *s = sink;
	struct ev ev;
	int r;

	if (s->record && !s->record_error)
		s->record_error = stream_write(s->record, rec, len);
	r = decoder_next(s->decoder, rec, len, &ev);
	if (r == -ENOMEM)
		return r;
	if (r == -EOPNOTSUPP) {
		s->unknown++;
		return 0;
	}
	if (r) {
		s->bad++;
		return 0;
	}
	if (s->on_event)
		s->on_event(s->arg, &ev);
	return graph_event(s->graph, &ev);
}

struct graph *sink_graph(struct sink *s)
{
	return s->graph;
}

void sink_add_lost(const struct sink *s, uint64_t lost[LMMSD_LOST_MAX])
{
	lost[LMMSD_LOST_BAD_RECORD] += s->bad;
	lost[LMMSD_LOST_UNKNOWN_KIND] += s->unknown;
	lost[LMMSD_LOST_BODY_UNKNOWN] += decoder_body_unknown(s->decoder);
}
