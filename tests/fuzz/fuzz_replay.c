/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* A recording through everything behind the probes: stream, decoder, graph. */
#include "check_process.h"
#include "decode/decode.h"
#include "replay/stream.h"

int LLVMFuzzerTestOneInput(uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(uint8_t *data, size_t size)
{
	_fclose_ FILE *f = fmemopen(data, size, "rb");
	_cleanup_(decoder_freep) struct decoder *d = NULL;
	_cleanup_(graph_freep) struct graph *g = NULL;
	struct stream_reader *r;
	struct mdl_process *m;
	struct ev ev = {0};
	const void *rec;

	if (decoder_new(&d) < 0 ||
	    graph_new(&(struct graph_limits){3, 40, 20, 20, 12, 3, 1 << 16}, &g) < 0 || !f ||
	    stream_reader_new(f, &r) < 0)
		return 0;
	while (stream_read(r, &rec, &size) == 1)
		if (decoder_next(d, rec, size, &ev) == 0 && graph_event(g, &ev) == 0 &&
		    graph_snapshot(g, ev.tgid, ev.start_ns, ev.ts_ns, &m) == 0)
			check_process(m);
	for ((void)graph_finish(g, ev.ts_ns); (m = graph_take_ended(g));)
		check_process(m);
	return (int)(intptr_t)stream_reader_free(r);
}
