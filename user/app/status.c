/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "app/status.h"

#include <stdio.h>

#include "app/records.h"
#include "app/session.h"
#include "base/log.h"

void status_draw(struct session *s, uint64_t started_ns)
{
	struct session_counts c;
	char line[256];

	session_counts(s, &c);
	(void)snprintf(
		line, sizeof(line),
		"%.0f s  %zu interpreters  processes %llu running, %llu ended  %llu loads  %llu lost  (Ctrl-C: report)",
		(double)(records_now() - started_ns) / 1e9, c.interpreters,
		(unsigned long long)c.graph.processes_live,
		(unsigned long long)c.graph.processes_ended, (unsigned long long)c.graph.loads,
		(unsigned long long)c.lost);
	log_status(line);
}
