/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Chrome's trace JSON, which Perfetto reads: a complete event ("X") a load, times in microseconds. */
#include <errno.h>
#include <inttypes.h>

#include "base/cleanup.h"
#include "export/formats.h"
#include "export/jsonx.h"
#include "export/spans.h"

#define _jsonx_ _cleanup_(jsonx_clear)

struct trace {
	FILE *out; /* borrowed */
	uint64_t origin_ns;
	bool any;
};

static int write_event(struct trace *t, struct jsonx *j, struct jsonx *args)
{
	if (args->failed)
		return -ENOMEM;
	jsonx_take(j, "args", args->object);
	*args = (struct jsonx){0};
	errno = 0;
	if (fputs(t->any ? ",\n" : "\n", t->out) < 0)
		return errno ? -errno : -EIO;
	t->any = true;
	return jsonx_write(j, t->out);
}

static void begin_event(struct jsonx *j, const char *phase, const char *name, uint32_t pid,
			uint32_t tid)
{
	jsonx_init(j);
	jsonx_str(j, "ph", phase);
	jsonx_str(j, "name", name);
	jsonx_u64(j, "pid", pid);
	jsonx_u64(j, "tid", tid);
}

static int write_name(struct trace *t, const char *what, uint32_t pid, uint32_t tid,
		      const char *name)
{
	_jsonx_ struct jsonx j, args;

	begin_event(&j, "M", what, pid, tid);
	jsonx_init(&args);
	jsonx_str(&args, "name", name);
	return write_event(t, &j, &args);
}

static int write_main(struct trace *t, const struct mdl_process *p)
{
	_jsonx_ struct jsonx j, args;

	begin_event(&j, "i", "first statement of the program", p->pid, p->pid);
	jsonx_str(&j, "s", "p");
	jsonx_us(&j, "ts", (int64_t)(p->main_ns - t->origin_ns));
	jsonx_init(&args);
	return write_event(t, &j, &args);
}

static int write_load(struct trace *t, const struct mdl_process *p, const struct row *row,
		      const struct span *span)
{
	const struct mdl_load *l = row->load;
	const struct mdl_module *m = row->module;
	_jsonx_ struct jsonx j, args;

	begin_event(&j, "X", l->name, p->pid, l->tid);
	jsonx_str(&j, "cat", "import");
	jsonx_us(&j, "ts", jsonx_ns(span->start_ns));
	jsonx_us(&j, "dur", jsonx_ns(span->end_ns - span->start_ns));
	jsonx_init(&args);
	jsonx_str(&args, "importer", l->importer);
	jsonx_str(&args, "importer_file", l->importer_file);
	jsonx_i64(&args, "line", l->line);
	jsonx_str(&args, "placement", jsonx_place(l->place));
	jsonx_str(&args, "status", jsonx_status(l->status));
	jsonx_str(&args, "file", l->file ? l->file : m ? m->file : NULL);
	jsonx_ms(&args, "self_ms", jsonx_ns(l->self_ns));
	if (m && row->stands) {
		jsonx_ms(&args, "saving_ms", jsonx_ns(m->saving_ns));
		jsonx_str(&args, "tier", jsonx_tier(m->tier));
		jsonx_u64(&args, "uses", m->uses);
	}
	return write_event(t, &j, &args);
}

static int write_thread(struct trace *t, const struct mdl_process *p, uint32_t tid)
{
	char name[40];

	(void)snprintf(name, sizeof(name), tid == p->pid ? "main thread" : "thread %" PRIu32, tid);
	return write_name(t, "thread_name", p->pid, tid, name);
}

static int write_process(struct trace *t, const struct mdl_process *p)
{
	_cleanup_(rows_clear) struct rows rows = {0};
	_cleanup_(spans_clear) struct spans spans = {0};
	uint32_t tid = 0;
	int r = rows_init(&rows, p);

	if (r == 0)
		r = spans_init(&spans, &rows, t->origin_ns);
	if (r == 0)
		r = write_name(t, "process_name", p->pid, p->pid,
			       p->app && *p->app ? p->app : "python");
	if (r == 0 && p->main_ns > t->origin_ns)
		r = write_main(t, p);
	for (size_t i = 0; r == 0 && i < spans.n_roots; i++) {
		const struct row *root = &rows.row[spans.root[i]];

		if (i == 0 || root->load->tid != tid)
			r = write_thread(t, p, root->load->tid);
		tid = root->load->tid;
	}
	for (size_t i = 0; r == 0 && i < rows.n; i++)
		r = write_load(t, p, &rows.row[i], &spans.span[i]);
	return r;
}

/* Of the first process: a trace that begins near 0 is easier to read. */
static uint64_t origin(const struct mdl_profile *profile)
{
	uint64_t ns = UINT64_MAX;

	for (size_t i = 0; i < profile->n_processes; i++) {
		const struct mdl_process *p = profile->processes[i];

		if (p->begin_ns < ns)
			ns = p->begin_ns;
	}
	return ns == UINT64_MAX ? 0 : ns;
}

int export_perfetto(const struct mdl_profile *profile, FILE *out)
{
	struct trace t = {.out = out, .origin_ns = origin(profile)};
	_jsonx_ struct jsonx j, other;
	int r;

	jsonx_init(&j);
	jsonx_init(&other);
	jsonx_str(&other, "host", profile->host);
	jsonx_str(&other, "lmmsd", profile->version);
	jsonx_bool(&other, "complete", profile->complete);
	jsonx_take(&other, "lost", jsonx_lost(profile->lost));
	jsonx_str(&j, "displayTimeUnit", "ms");
	if (other.failed)
		return -ENOMEM;
	jsonx_take(&j, "otherData", other.object);
	other = (struct jsonx){0};
	r = jsonx_write_open(&j, out);
	if (r == 0 && fputs(",\"traceEvents\":[", out) < 0)
		r = -EIO;
	for (size_t i = 0; r == 0 && i < profile->n_processes; i++)
		r = write_process(&t, profile->processes[i]);
	if (r == 0 && fputs("]}\n", out) < 0)
		r = -EIO;
	return r;
}
