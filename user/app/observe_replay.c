/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* --replay: a recorded stream through the same rooms, without a kernel or a privilege. */
#include <errno.h>
#include <string.h>

#include "app/harvest.h"
#include "app/observe.h"
#include "app/observe_int.h"
#include "app/options.h"
#include "base/fdio.h"
#include "base/log.h"
#include "replay/stream.h"

static void free_reader(struct stream_reader **r)
{
	(void)stream_reader_free(*r);
}

/*
 * The end record has the instant at which the observation stopped; counters and facts that were read
 * after it have later times. A stream that was cut ends with the latest time in it.
 */
static int feed(struct sink *sink, struct stream_reader *in, uint64_t *ret_end_ns)
{
	uint64_t last = 0;
	const void *rec;
	size_t len;
	int r;

	while ((r = stream_read(in, &rec, &len)) > 0) {
		const struct lmmsd_hdr *h = rec;

		if (h->kind == LMMSD_EV_END || h->ts_ns > last)
			last = h->ts_ns;
		r = sink_put(sink, rec, len);
		if (r < 0)
			return r;
	}
	*ret_end_ns = last;
	return r;
}

static int report(const struct config *c, struct sink *sink, struct report *report, uint64_t end_ns,
		  bool complete)
{
	const struct graph_host *host = graph_host(sink_graph(sink));
	const uint64_t *own = graph_lost(sink_graph(sink));
	uint64_t lost[LMMSD_LOST_MAX];

	for (size_t i = 0; i < LMMSD_LOST_MAX; i++)
		lost[i] = host->lost[i] + own[i];
	sink_add_lost(sink, lost);
	return observe_report_error(c, report, report_write(report, host, lost, end_ns, complete));
}

static int bad_recording(const char *path, int r)
{
	if (r == -EBADMSG)
		log_error(
			"'%s' is no recording of lmmsd, or is damaged: make one with 'lmmsd --record FILE'",
			path);
	else if (r == -EPROTO)
		log_error(
			"'%s' was recorded by another version or on a machine of another byte order",
			path);
	else
		log_error("cannot read '%s': %s", path, strerror(-r));
	return r == -ENOENT ? EXIT_NOT_FOUND : r == -EACCES ? EXIT_NOT_PERMITTED : EXIT_USAGE;
}

int observe_replay(const struct config *c)
{
	_cleanup_(harvest_freep) struct harvest *harvest = NULL;
	_cleanup_(sink_freep) struct sink *sink = NULL;
	_cleanup_(report_freep) struct report *rep = NULL;
	_cleanup_(free_reader) struct stream_reader *in = NULL;
	_fclose_ FILE *f = fopen(c->replay, "re");
	uint64_t end_ns = 0;
	int r, end;

	if (!f)
		return bad_recording(c->replay, -errno);
	r = c->output ? outfile_check(c->output) : 0;
	if (r) {
		log_error("cannot write '%s': %s", c->output, strerror(-r));
		return (int)options_exit_code(r);
	}
	r = stream_reader_new(f, &in);
	if (r)
		return bad_recording(c->replay, r);
	r = report_new(c, &rep);
	if (!r)
		r = sink_new(&graph_default_limits, &sink);
	if (!r)
		r = harvest_new(NULL, sink, NULL, NULL, &harvest);
	if (r) {
		log_error("cannot replay '%s': %s", c->replay, strerror(-r));
		return EXIT_INTERNAL;
	}
	harvest_on_process(harvest, report_add, rep);
	end = feed(sink, in, &end_ns);
	if (end < 0 && end != -ENODATA)
		return bad_recording(c->replay, end);
	if (end == -ENODATA)
		log_warning(
			"'%s' ends without an end record: it was cut off, the report is not complete",
			c->replay);
	r = harvest_all(harvest, end_ns);
	if (!r)
		r = report(c, sink, rep, end_ns, end == 0);
	return r ? EXIT_INTERNAL : EXIT_DONE;
}
