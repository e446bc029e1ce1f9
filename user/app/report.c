/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "app/report.h"

#include <errno.h>
#include <langinfo.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "analysis/classify.h"
#include "analysis/savings.h"
#include "app/appname.h"
#include "base/array.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "export/export.h"

struct report {
	const struct config *config; /* borrowed */
	struct appname *names;	     /* owned */
	struct mdl_process **p;	     /* owned */
	size_t n, cap;
	size_t bytes; /* about */
	uint64_t cut;
};

int report_new(const struct config *config, struct report **ret)
{
	_cleanup_(report_freep) struct report *r = calloc(1, sizeof(*r));
	int err;

	if (!r)
		return -ENOMEM;
	r->config = config;
	err = appname_new(config, &r->names);
	if (err)
		return err;
	*ret = TAKE_PTR(r);
	return 0;
}

struct report *report_free(struct report *r)
{
	if (!r)
		return NULL;
	for (size_t i = 0; i < r->n; i++)
		(void)graph_process_free(r->p[i]);
	free(r->p);
	(void)appname_free(r->names);
	free(r);
	return NULL;
}

/* Names and files of a module come to some 128 bytes. */
static size_t process_bytes(const struct mdl_process *p)
{
	return sizeof(*p) + p->n_loads * sizeof(*p->loads) +
	       p->n_modules * (sizeof(*p->modules) + 128) + p->n_edges * sizeof(*p->edges);
}

void report_add(void *report, struct mdl_process *p)
{
	struct report *r = report;
	size_t bytes = process_bytes(p);

	if (r->n >= REPORT_MAX_PROCESSES || bytes > REPORT_MAX_BYTES - r->bytes ||
	    appname_set(r->names, p) || ARRAY_ROOM(r->p, r->n, r->cap)) {
		r->cut++;
		(void)graph_process_free(p);
		return;
	}
	if (!config_wants_app(r->config, p->app)) {
		(void)graph_process_free(p);
		return;
	}
	r->p[r->n++] = p;
	r->bytes += bytes;
}

bool report_has_pid(const struct report *r, uint32_t pid)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->p[i]->pid == pid)
			return true;
	return false;
}

size_t report_processes(const struct report *r)
{
	return r->n;
}

static int by_start(const void *a, const void *b)
{
	const struct mdl_process *x = *(struct mdl_process *const *)a,
				 *y = *(struct mdl_process *const *)b;

	if (x->begin_ns != y->begin_ns)
		return x->begin_ns < y->begin_ns ? -1 : 1;
	return x->pid < y->pid ? -1 : x->pid > y->pid;
}

static bool wants_color(void)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && !(no && *no) && !(term && strcmp(term, "dumb") == 0);
}

static struct export_style style(const struct config *c)
{
	struct export_style s = {0};
	struct winsize ws;

	if (c->output || !isatty(STDOUT_FILENO)) {
		s.utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
		return s;
	}
	s.width = ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) == 0 && ws.ws_col ? ws.ws_col : 80;
	s.color = wants_color();
	s.utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
	return s;
}

int report_write(struct report *r, const struct graph_host *host,
		 const uint64_t lost[LMMSD_LOST_MAX], uint64_t ended_ns, bool complete)
{
	struct mdl_profile profile = {
		.version = LMMSD_VERSION,
		.host = host->name,
		.kernel = host->kernel,
		.arch = host->arch,
		.boot_id = host->boot_id,
		.realtime_offset_ns = host->realtime_offset_ns,
		.started_ns = host->first_ns,
		.ended_ns = ended_ns,
		.complete = complete,
		.processes = r->p,
		.n_processes = r->n,
	};
	const struct export_style st = style(r->config);

	memcpy(profile.lost, lost, sizeof(profile.lost));
	profile.lost[LMMSD_LOST_LIMIT_PROCESSES] += r->cut;
	for (size_t i = 0; i < LMMSD_LOST_MAX; i++)
		profile.complete = profile.complete && !profile.lost[i];
	if (r->n)
		qsort(r->p, r->n, sizeof(*r->p), by_start);
	for (size_t i = 0; i < r->n; i++) {
		int err = savings_process(r->p[i]);

		if (err)
			return err;
		classify_process(&r->config->policy, r->p[i]);
	}
	return export_profile_to(r->config->format, &profile, &st,
				 r->config->output ? r->config->output : "-", NULL);
}
