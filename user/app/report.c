/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "app/report.h"

#include <errno.h>
#include <inttypes.h>
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

#define NAME_FILES 100 /* that are named, of one report */

struct report {
	const struct config *config; /* borrowed */
	struct appname *names;	     /* owned */
	struct mdl_process **p;	     /* owned */
	size_t n, cap;
	size_t bytes; /* about */
	uint64_t cut;
	char *kept; /* owned: where the report is instead of where it should be; NULL */
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
	free(r->kept);
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

static void name_files(const struct mdl_profile *profile, const char *path)
{
	for (size_t i = 0; i < profile->n_processes; i++) {
		const struct mdl_process *p = profile->processes[i];
		_buf_ struct buf name = {0};

		if (i == NAME_FILES && profile->n_processes > NAME_FILES + 1) {
			log_info("... and %zu more files", profile->n_processes - i);
			return;
		}
		export_add_path(&name, path, profile, i);
		log_info("process %" PRIu32 ", %s: '%s'", p->pid, p->app, buf_str(&name));
	}
}

static int write_to(const struct report *r, const struct mdl_profile *profile, const char *path)
{
	const struct export_style st = style(r->config);
	size_t files = 1;
	int err = export_profile_to(r->config->format, profile, &st, path, &files);

	if (!err && files > 1)
		name_files(profile, path);
	return err;
}

/* Where there is room when the place that was asked for has none. */
static int write_elsewhere(struct report *r, const struct mdl_profile *profile)
{
	const char *tmp = getenv("TMPDIR");
	_buf_ struct buf path = {0};
	int err;

	buf_addf(&path, "%s/lmmsd-XXXXXX", tmp && *tmp == '/' ? tmp : "/tmp");
	if (buf_error(&path))
		return -ENOMEM;
	if (!mkdtemp(path.data))
		return -errno;
	buf_addf(&path, "/report%s", export_suffix(r->config->format));
	if (buf_error(&path))
		return -ENOMEM;
	err = write_to(r, profile, buf_str(&path));
	if (err) {
		*strrchr(path.data, '/') = '\0';
		(void)rmdir(path.data);
	} else {
		free(r->kept);
		r->kept = buf_take(&path);
	}
	return err;
}

/* What was measured is not measured again: it goes where it can. */
static int write_somewhere(struct report *r, const struct mdl_profile *profile)
{
	int err = write_to(r, profile, r->config->output ? r->config->output : "-");

	if (err == -E2BIG) {
		log_info("importtime holds one process: %zu were seen, each has a file",
			 profile->n_processes);
		err = write_to(r, profile, "importtime.log");
		if (err && !write_elsewhere(r, profile))
			return 0; /* no place was asked for, so that one is as good */
	} else if (err && err != -EPIPE && err != -ENOMEM) {
		(void)write_elsewhere(r, profile);
	}
	return err;
}

const char *report_kept(const struct report *r)
{
	return r->kept;
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
	return write_somewhere(r, &profile);
}
