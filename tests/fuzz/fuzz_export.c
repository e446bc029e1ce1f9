/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* A recording to a report in every format: what is written is text without control characters, JSON is JSON. */
#include <cjson/cJSON.h>
#include <string.h>

#include "analysis/classify.h"
#include "analysis/savings.h"
#include "base/cleanup.h"
#include "decode/decode.h"
#include "export/export.h"
#include "graph/graph.h"
#include "replay/stream.h"

#define MAX_PROCESSES 8

int LLVMFuzzerTestOneInput(uint8_t *data, size_t size);

static void check_text(enum export_format format, const char *text)
{
	bool is_json = format == EXPORT_JSON || format == EXPORT_SPEEDSCOPE ||
		       format == EXPORT_PERFETTO;

	if (is_json) {
		cJSON *json = cJSON_Parse(text);

		if (!json)
			__builtin_trap();
		cJSON_Delete(json);
	}
	for (; *text; text++)
		if (((uint8_t)*text < 32 && *text != '\n') || (*text == 127 && !is_json))
			__builtin_trap();
}

static void export_all(const struct mdl_profile *profile)
{
	static const struct export_style styles[] = {{0}, {.width = 40, .utf8 = true}};

	for (int format = EXPORT_TEXT; format <= EXPORT_FOLDED; format++) {
		_free_ char *text = NULL;
		size_t len = 0;
		FILE *f = open_memstream(&text, &len);
		int r;

		if (!f)
			return;
		r = export_profile((enum export_format)format, profile, &styles[format % 2], f);
		if (fclose(f) == 0 && r == 0)
			check_text((enum export_format)format, text);
	}
}

static void report(struct graph *g, uint64_t now_ns)
{
	struct mdl_process *list[MAX_PROCESSES], *m;
	struct mdl_profile profile = {.version = "0", .processes = list, .ended_ns = now_ns};
	const struct graph_host *host = graph_host(g);
	bool good = graph_finish(g, now_ns) == 0;

	profile.host = host->name;
	profile.kernel = host->kernel;
	profile.arch = host->arch;
	profile.boot_id = host->boot_id;
	profile.realtime_offset_ns = host->realtime_offset_ns;
	profile.started_ns = host->first_ns;
	while ((m = graph_take_ended(g))) {
		if (profile.n_processes == MAX_PROCESSES || savings_process(m) < 0) {
			(void)graph_process_free(m);
			continue;
		}
		classify_process(&classify_default_policy, m);
		list[profile.n_processes++] = m;
	}
	if (good)
		export_all(&profile);
	for (size_t i = 0; i < profile.n_processes; i++)
		(void)graph_process_free(list[i]);
}

int LLVMFuzzerTestOneInput(uint8_t *data, size_t size)
{
	_fclose_ FILE *f = fmemopen(data, size, "rb");
	_cleanup_(decoder_freep) struct decoder *d = NULL;
	_cleanup_(graph_freep) struct graph *g = NULL;
	struct stream_reader *r;
	struct ev ev = {0};
	const void *rec;

	if (decoder_new(&d) < 0 ||
	    graph_new(&(struct graph_limits){4, 100, 60, 60, 20, 4, 1 << 16}, &g) < 0 || !f ||
	    stream_reader_new(f, &r) < 0)
		return 0;
	while (stream_read(r, &rec, &size) == 1)
		if (decoder_next(d, rec, size, &ev) == 0)
			(void)graph_event(g, &ev);
	report(g, ev.ts_ns);
	return (int)(intptr_t)stream_reader_free(r);
}
