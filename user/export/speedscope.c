/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* speedscope's own format: one evented profile a thread, frames shared between all. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "export/formats.h"
#include "export/jsonx.h"
#include "export/spans.h"

#define _jsonx_ _cleanup_(jsonx_clear)

struct frame {
	const char *name; /* borrowed */
	const char *file; /* borrowed; NULL */
};

struct scope {
	FILE *out;	      /* borrowed */
	struct frame *frames; /* owned, sorted */
	size_t n_frames;
	bool any; /* profile was written */
};

static int by_frame(const void *a, const void *b)
{
	const struct frame *x = a, *y = b;
	int r = strcmp(x->name, y->name);

	return r ? r : strcmp(x->file ? x->file : "", y->file ? y->file : "");
}

static int put(struct scope *s, const char *text)
{
	errno = 0;
	return fputs(text, s->out) < 0 ? (errno ? -errno : -EIO) : 0;
}

static int find_frames(struct scope *s, const struct mdl_profile *profile)
{
	size_t n = 0, kept = 0;

	for (size_t i = 0; i < profile->n_processes; i++)
		n += profile->processes[i]->n_loads;
	s->frames = calloc(n + 1, sizeof(*s->frames));
	if (!s->frames)
		return -ENOMEM;
	for (size_t i = 0; i < profile->n_processes; i++) {
		const struct mdl_process *p = profile->processes[i];

		for (size_t j = 0; j < p->n_loads; j++)
			if (!(p->loads[j].flags & (MDL_LOAD_MAIN | MDL_LOAD_INHERITED)))
				s->frames[s->n_frames++] = (struct frame){.name = p->loads[j].name,
									  .file = p->loads[j].file};
	}
	qsort(s->frames, s->n_frames, sizeof(*s->frames), by_frame);
	for (size_t i = 0; i < s->n_frames; i++)
		if (!kept || by_frame(&s->frames[kept - 1], &s->frames[i]) != 0)
			s->frames[kept++] = s->frames[i];
	s->n_frames = kept;
	return 0;
}

static size_t frame_of(const struct scope *s, const struct mdl_load *l)
{
	struct frame key = {.name = l->name, .file = l->file};
	const struct frame *found = bsearch(&key, s->frames, s->n_frames, sizeof(key), by_frame);

	return found ? (size_t)(found - s->frames) : 0;
}

static int write_frames(struct scope *s)
{
	int r = put(s, ",\"shared\":{\"frames\":[");

	for (size_t i = 0; r == 0 && i < s->n_frames; i++) {
		_jsonx_ struct jsonx j;

		jsonx_init(&j);
		jsonx_str(&j, "name", s->frames[i].name);
		if (s->frames[i].file)
			jsonx_str(&j, "file", s->frames[i].file);
		r = put(s, i ? ",\n" : "\n");
		if (r == 0)
			r = jsonx_write(&j, s->out);
	}
	return r < 0 ? r : put(s, "]}");
}

static int write_event(struct scope *s, char type, uint64_t at_ns, size_t frame, bool first)
{
	errno = 0;
	if (fprintf(s->out, "%s{\"type\":\"%c\",\"at\":%" PRIu64 ",\"frame\":%zu}",
		    first ? "\n" : ",\n", type, at_ns, frame) < 0)
		return errno ? -errno : -EIO;
	return 0;
}

/* One outermost load: down by first children, closing what is complete on the way up. */
static int write_root(struct scope *s, const struct rows *rows, const struct spans *spans,
		      int32_t root, bool first)
{
	int32_t i = root;
	int r = 0;

	while (r == 0) {
		r = write_event(s, 'O', spans->span[i].start_ns, frame_of(s, rows->row[i].load),
				first);
		first = false;
		if (rows->row[i].first >= 0) {
			i = rows->row[i].first;
			continue;
		}
		while (r == 0) {
			r = write_event(s, 'C', spans->span[i].end_ns,
					frame_of(s, rows->row[i].load), false);
			if (r < 0 || i == root)
				return r;
			if (rows->row[i].next >= 0)
				break;
			i = rows->row[i].parent;
		}
		i = rows->row[i].next;
	}
	return r;
}

static int begin_profile(struct scope *s, const struct mdl_process *p, uint32_t tid,
			 uint64_t end_ns)
{
	_buf_ struct buf name = {0};
	_jsonx_ struct jsonx j;
	int r;

	buf_addf(&name, "%s (pid %" PRIu32, p->app && *p->app ? p->app : "python", p->pid);
	if (tid != p->pid)
		buf_addf(&name, ", thread %" PRIu32, tid);
	buf_addc(&name, ')');
	jsonx_init(&j);
	jsonx_str(&j, "type", "evented");
	jsonx_str(&j, "name", buf_str(&name));
	jsonx_str(&j, "unit", "nanoseconds");
	jsonx_u64(&j, "startValue", 0);
	jsonx_u64(&j, "endValue", end_ns);
	r = buf_error(&name);
	if (r == 0)
		r = put(s, s->any ? ",\n" : "\n");
	s->any = true;
	if (r == 0)
		r = jsonx_write_open(&j, s->out);
	return r < 0 ? r : put(s, ",\"events\":[");
}

static int write_process(struct scope *s, const struct mdl_process *p)
{
	_cleanup_(rows_clear) struct rows rows = {0};
	_cleanup_(spans_clear) struct spans spans = {0};
	size_t end;
	int r = rows_init(&rows, p);

	if (r == 0)
		r = spans_init(&spans, &rows, p->begin_ns);
	for (size_t i = 0; r == 0 && i < spans.n_roots; i = end) {
		uint32_t tid = rows.row[spans.root[i]].load->tid;

		for (end = i; end < spans.n_roots && rows.row[spans.root[end]].load->tid == tid;
		     end++)
			;
		r = begin_profile(s, p, tid, spans.span[spans.root[end - 1]].end_ns);
		for (size_t j = i; r == 0 && j < end; j++)
			r = write_root(s, &rows, &spans, spans.root[j], j == i);
		if (r == 0)
			r = put(s, "]}");
	}
	return r;
}

/* A reader wants at least one profile. */
static int write_nothing(struct scope *s, const char *name)
{
	struct mdl_process none = {0};
	_free_ char *app = strdup(name);
	int r;

	if (!app)
		return -ENOMEM;
	none.app = app;
	r = begin_profile(s, &none, 0, 0);
	return r < 0 ? r : put(s, "]}");
}

static void scope_clear(struct scope *s)
{
	free(s->frames);
}

int export_speedscope(const struct mdl_profile *profile, FILE *out)
{
	_cleanup_(scope_clear) struct scope s = {.out = out};
	_buf_ struct buf exporter = {0};
	_jsonx_ struct jsonx j;
	int r = find_frames(&s, profile);

	jsonx_init(&j);
	buf_addf(&exporter, "lmmsd@%s", profile->version ? profile->version : "");
	jsonx_str(&j, "$schema", "https://www.speedscope.app/file-format-schema.json");
	jsonx_str(&j, "exporter", buf_str(&exporter));
	jsonx_str(&j, "name", "imports");
	if (r == 0)
		r = buf_error(&exporter);
	if (r == 0)
		r = jsonx_write_open(&j, out);
	if (r == 0)
		r = write_frames(&s);
	if (r == 0)
		r = put(&s, ",\"profiles\":[");
	for (size_t i = 0; r == 0 && i < profile->n_processes; i++)
		r = write_process(&s, profile->processes[i]);
	if (r == 0 && !s.any)
		r = write_nothing(&s, "no imports were seen");
	return r < 0 ? r : put(&s, "]}\n");
}
