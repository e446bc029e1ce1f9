/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include <stdio.h>
#include <systemd/sd-daemon.h>

#include "app/records.h"
#include "app/service_int.h"

static void status_text(struct service *s, char *ret, size_t cap)
{
	struct session_counts c;
	struct store_stats st;

	session_counts(s->session, &c);
	store_writer_stats(s->writer, &st);
	(void)snprintf(
		ret, cap,
		"%zu interpreters; %llu processes run, %llu runs stored, %llu waiting, %llu lost%s%s",
		c.interpreters, (unsigned long long)c.graph.processes_live,
		(unsigned long long)st.committed, (unsigned long long)st.queued,
		(unsigned long long)(c.lost + st.dropped),
		st.last_error ? "; the database cannot be written: " : "",
		st.last_error ? st.error : "");
}

void service_notify_ready(struct service *s)
{
	char text[STORE_REASON_MAX + 256];

	status_text(s, text, sizeof(text));
	(void)sd_notifyf(0, "READY=1\nSTATUS=%s", text);
}

void service_notify_status(struct service *s)
{
	char text[STORE_REASON_MAX + 256];

	status_text(s, text, sizeof(text));
	(void)sd_notifyf(0, "STATUS=%s", text);
}

void service_notify_reloading(void)
{
	(void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu",
			 (unsigned long long)(records_now() / 1000));
}

void service_notify_stopping(void)
{
	(void)sd_notify(0, "STOPPING=1\nSTATUS=writing what is left");
}
