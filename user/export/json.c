/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* lmms.profile/1. One row a line, each written as soon as it is built: a profile may be larger than memory likes. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "export/formats.h"
#include "export/jsonx.h"
#include "export/python.h"
#include "export/rows.h"

#define _jsonx_ _cleanup_(jsonx_clear)

static int put(FILE *out, const char *text)
{
	return fputs(text, out) < 0 ? (errno ? -errno : -EIO) : 0;
}

/* The i-th element of an array: on a line of its own, behind a comma. */
static int put_element(const struct jsonx *j, bool first, FILE *out)
{
	int r = put(out, first ? "\n" : ",\n");

	return r < 0 ? r : jsonx_write(j, out);
}

/* m NULL: a row that does not stand for its module; zeros, so that sums over rows are right. */
static void add_uses(struct jsonx *j, const struct mdl_module *m)
{
	static const uint8_t order[] = {LMMSD_PLACE_MODULE, LMMSD_PLACE_FUNCTION,
					LMMSD_PLACE_CLASS,  LMMSD_PLACE_DYNAMIC,
					LMMSD_PLACE_LAZY,   LMMSD_PLACE_UNKNOWN};
	struct jsonx by_place;

	jsonx_init(&by_place);
	for (size_t i = 0; i < ARRAY_LEN(order); i++)
		jsonx_u64(&by_place, jsonx_place(order[i]), m ? m->uses_by_place[order[i]] : 0);
	if (by_place.failed)
		jsonx_clear(&by_place);
	jsonx_u64(j, "uses", m ? m->uses : 0);
	jsonx_take(j, "uses_by_placement", by_place.object);
	jsonx_double(j, "share_pct", m ? m->share_pct : 0);
	jsonx_str(j, "tier", m ? jsonx_tier(m->tier) : NULL);
	jsonx_ms(j, "saving_ms", m ? jsonx_ns(m->saving_ns) : 0);
}

static const char *timed(const struct mdl_load *l)
{
	if (l->flags & MDL_LOAD_UNTIMED)
		return "no";
	return l->flags & MDL_LOAD_OPEN ? "open" : l->flags & MDL_LOAD_BODY_ONLY ? "body" : "full";
}

static int write_row(const struct mdl_process *p, const struct row *row, bool first, FILE *out)
{
	const struct mdl_load *l = row->load;
	const struct mdl_module *m = row->module;
	int64_t start_ns = (int64_t)(l->start_ns - p->begin_ns);
	uint8_t kind = l->kind == LMMSD_KIND_UNKNOWN && m ? m->kind : l->kind;
	_jsonx_ struct jsonx j;

	jsonx_init(&j);
	jsonx_str(&j, "name", l->name);
	jsonx_str(&j, "file", l->file ? l->file : m ? m->file : NULL);
	jsonx_str(&j, "kind", jsonx_kind(kind));
	jsonx_str(&j, "distribution", m ? m->distribution : NULL);
	jsonx_str(&j, "version", m ? m->version : NULL);
	jsonx_str(&j, "status", jsonx_status(l->status));
	jsonx_ms(&j, "total_ms", jsonx_ns(l->total_ns));
	jsonx_ms(&j, "self_ms", jsonx_ns(l->self_ns));
	if (l->spent_ns)
		jsonx_ms(&j, "probes_ms", jsonx_ns(l->spent_ns));
	if (l->exec_ns)
		jsonx_ms(&j, "exec_ms", jsonx_ns(l->exec_ns));
	else
		jsonx_null(&j, "exec_ms");
	jsonx_u64(&j, "thread", l->tid);
	jsonx_ms(&j, "start_ms", start_ns);
	jsonx_ms(&j, "end_ms", (int64_t)(l->start_ns + l->total_ns - p->begin_ns));
	jsonx_str(&j, "timed", timed(l));
	jsonx_str(&j, "importer", l->importer);
	jsonx_str(&j, "importer_file", l->importer_file);
	if (l->line > 0)
		jsonx_i64(&j, "line", l->line);
	else
		jsonx_null(&j, "line");
	jsonx_str(&j, "placement", jsonx_place(l->place));
	jsonx_u64(&j, "depth", row->depth);
	if (row->parent >= 0)
		jsonx_i64(&j, "parent", row->parent);
	else
		jsonx_null(&j, "parent");
	if (!row->stands)
		jsonx_bool(&j, "repeat", true);
	add_uses(&j, row->stands ? m : NULL);
	return put_element(&j, first, out);
}

static int write_unloaded(const struct mdl_module *m, bool first, FILE *out)
{
	static const char *const none[] = {"total_ms",	    "self_ms", "exec_ms",   "thread",
					   "start_ms",	    "end_ms",  "timed",	    "importer",
					   "importer_file", "line",    "placement", "depth",
					   "parent"};
	_jsonx_ struct jsonx j;

	jsonx_init(&j);
	jsonx_str(&j, "name", m->name);
	jsonx_str(&j, "file", m->file);
	jsonx_str(&j, "kind", jsonx_kind(m->kind));
	jsonx_str(&j, "distribution", m->distribution);
	jsonx_str(&j, "version", m->version);
	jsonx_str(&j, "status", "seen");
	for (size_t i = 0; i < ARRAY_LEN(none); i++)
		jsonx_null(&j, none[i]);
	add_uses(&j, m);
	return put_element(&j, first, out);
}

static int write_modules(const struct mdl_process *p, const struct rows *rows, FILE *out)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < rows->n; i++)
		r = write_row(p, &rows->row[i], i == 0, out);
	for (size_t i = 0; r == 0 && i < rows->n_unloaded; i++)
		r = write_unloaded(rows->unloaded[i], i == 0 && rows->n == 0, out);
	return r;
}

static int write_edge(const struct mdl_edge *e, bool first, FILE *out)
{
	_jsonx_ struct jsonx j;

	jsonx_init(&j);
	jsonx_str(&j, "importer", e->importer);
	jsonx_str(&j, "module", e->module);
	jsonx_str(&j, "placement", jsonx_place(e->place));
	jsonx_u64(&j, "count", e->count);
	jsonx_bool(&j, "loaded", e->loaded);
	jsonx_str(&j, "file", e->file);
	if (e->line > 0)
		jsonx_i64(&j, "line", e->line);
	else
		jsonx_null(&j, "line");
	return put_element(&j, first, out);
}

static cJSON *cmdline(const struct mdl_process *p)
{
	cJSON *array = cJSON_CreateArray();
	size_t at = 0;

	while (array && at < p->cmdline_len) {
		size_t len = strnlen(p->cmdline + at, p->cmdline_len - at);
		_free_ char *arg = strndup(p->cmdline + at, len);
		cJSON *item = arg ? cJSON_CreateString(arg) : NULL;

		if (!item || !cJSON_AddItemToArray(array, item)) {
			cJSON_Delete(item);
			cJSON_Delete(array);
			return NULL;
		}
		at += len + 1;
	}
	return array;
}

static void add_times(struct jsonx *j, const struct mdl_process *p, int64_t offset_ns)
{
	jsonx_time(j, "started", p->begin_ns ? p->begin_ns : p->start_ns, offset_ns);
	if (p->ended)
		jsonx_time(j, "ended", p->end_ns, offset_ns);
	else
		jsonx_null(j, "ended");
	/* A signal as a shell says it, and as lmmsd itself exits; "signal" tells it from exit(128 + n). */
	if (p->ended && WIFSIGNALED(p->exit_status))
		jsonx_i64(j, "exit_code", 128 + WTERMSIG(p->exit_status));
	else if (p->ended && !p->end_unseen)
		jsonx_i64(j, "exit_code", WEXITSTATUS(p->exit_status));
	else
		jsonx_null(j, "exit_code");
	if (p->ended && WIFSIGNALED(p->exit_status))
		jsonx_i64(j, "signal", WTERMSIG(p->exit_status));
	else
		jsonx_null(j, "signal");
	jsonx_bool(j, "from_start", p->from_start);
	jsonx_bool(j, "forked", p->forked);
	if (p->interpreter_ns)
		jsonx_ms(j, "interpreter_ms", jsonx_ns(p->interpreter_ns));
	else
		jsonx_null(j, "interpreter_ms");
	if (rows_cold_start_known(p))
		jsonx_ms(j, "cold_start_ms", jsonx_ns(p->cold_start_ns));
	else
		jsonx_null(j, "cold_start_ms");
	jsonx_bool(j, "uses_counted", p->usage);
}

static int write_process_head(const struct mdl_process *p, int64_t offset_ns, bool first, FILE *out)
{
	char version[PYTHON_VERSION_SIZE];
	_jsonx_ struct jsonx j;
	int r;

	jsonx_init(&j);
	jsonx_u64(&j, "pid", p->pid);
	jsonx_u64(&j, "ppid", p->ppid);
	jsonx_u64(&j, "uid", p->uid);
	jsonx_str(&j, "app", p->app ? p->app : "");
	jsonx_str(&j, "comm", p->comm);
	jsonx_take(&j, "cmdline", cmdline(p));
	jsonx_str(&j, "exe", p->exe ? p->exe : "");
	jsonx_str(&j, "cgroup", p->cgroup ? p->cgroup : "");
	jsonx_str(&j, "python", python_version(p->py_version, version));
	jsonx_str(&j, "implementation", "cpython");
	jsonx_str(&j, "probe", jsonx_probe(p->probe));
	add_times(&j, p, offset_ns);
	jsonx_take(&j, "lost", jsonx_lost(p->lost));
	r = put(out, first ? "\n" : ",\n");
	return r < 0 ? r : jsonx_write_open(&j, out);
}

static int write_process(const struct mdl_process *p, int64_t offset_ns, bool first, FILE *out)
{
	_cleanup_(rows_clear) struct rows rows = {0};
	int r = rows_init(&rows, p);

	if (r == 0)
		r = write_process_head(p, offset_ns, first, out);
	if (r == 0)
		r = put(out, ",\"modules\":[");
	if (r == 0)
		r = write_modules(p, &rows, out);
	if (r == 0)
		r = put(out, "],\"edges\":[");
	for (size_t i = 0; r == 0 && i < p->n_edges; i++)
		r = write_edge(&p->edges[i], i == 0, out);
	return r < 0 ? r : put(out, "]}");
}

static cJSON *host(const struct mdl_profile *profile)
{
	struct jsonx j;

	jsonx_init(&j);
	jsonx_str(&j, "name", profile->host);
	jsonx_str(&j, "kernel", profile->kernel);
	jsonx_str(&j, "arch", profile->arch);
	jsonx_str(&j, "boot_id", profile->boot_id);
	if (j.failed)
		jsonx_clear(&j);
	return j.object;
}

int export_json(const struct mdl_profile *profile, FILE *out)
{
	_jsonx_ struct jsonx j;
	int r;

	jsonx_init(&j);
	jsonx_str(&j, "schema", "lmms.profile/1");
	jsonx_str(&j, "version", profile->version);
	jsonx_take(&j, "host", host(profile));
	jsonx_time(&j, "started", profile->started_ns, profile->realtime_offset_ns);
	jsonx_time(&j, "ended", profile->ended_ns, profile->realtime_offset_ns);
	jsonx_bool(&j, "complete", profile->complete);
	jsonx_take(&j, "lost", jsonx_lost(profile->lost));
	r = jsonx_write_open(&j, out);
	if (r == 0)
		r = put(out, ",\"processes\":[");
	for (size_t i = 0; r == 0 && i < profile->n_processes; i++)
		r = write_process(profile->processes[i], profile->realtime_offset_ns, i == 0, out);
	return r < 0 ? r : put(out, "]}\n");
}
