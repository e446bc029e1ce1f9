/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <string.h>
#include <sys/stat.h>

#include "app/launch.h"
#include "app/options.h"
#include "app/privilege.h"
#include "app/service_int.h"
#include "app/session_open.h"
#include "base/buf.h"
#include "base/log.h"

/* Runs that wait to be counted as metrics: a second of them is some MiB. */
#define LARGE_BYTES (128 * 1024)
#define WRITTEN_BYTES ((size_t)16 << 20)

/* With 0750: what programs a host runs is not everyone's business. */
static int make_directory(const char *dir)
{
	_buf_ struct buf part = {0};

	for (const char *at = dir; *at;) {
		size_t len = strspn(at, "/");

		len += strcspn(at + len, "/");
		buf_add(&part, at, len);
		if (buf_error(&part))
			return -ENOMEM;
		at += len;
		if (mkdir(buf_str(&part), 0750) < 0 && errno != EEXIST && (!*at || errno != EROFS))
			return -errno;
	}
	return 0;
}

/* The path with the part of it that is there resolved. NULL: no memory. */
static char *resolve(const char *path)
{
	for (size_t n = strlen(path);;) {
		_free_ char *head = strndup(path, n), *real = NULL;
		_buf_ struct buf all = {0};

		if (!head)
			return NULL;
		real = realpath(n ? head : *path == '/' ? "/" : ".", NULL);
		if (real) {
			path += n + strspn(path + n, "/");
			buf_addf(&all, "%s%s%s", strcmp(real, "/") ? real : "", *path ? "/" : "",
				 path);
			return buf_error(&all) ? NULL : buf_take(&all);
		}
		if (!n)
			return NULL;
		while (n && path[n - 1] != '/')
			n--;
		while (n && path[n - 1] == '/')
			n--;
	}
}

static bool is_below(const char *path, const char *dir)
{
	_free_ char *p = resolve(path), *d = resolve(dir);
	size_t n = d ? strlen(d) : 0;

	if (!p || !d || strstr(p, "/.."))
		return false;
	return !strncmp(p, d, n) && (p[n] == '/' || !p[n]);
}

/* Where the daemon may make directories: what systemd gave it, or the default; or beside its database. */
static bool in_state_directory(const char *dir, const char *db_dir)
{
	const char *given = getenv("STATE_DIRECTORY");
	_free_ char *list = strdup(given && *given ? given : CONFIG_DEFAULT_STATE);
	char *rest = list, *one;

	while (rest && (one = strsep(&rest, ":")))
		if (*one && is_below(dir, one))
			return true;
	return dir != db_dir && is_below(dir, db_dir);
}

/* One that is there, or that is ours to make. */
static int need_directory(struct service *s, const char *dir, const char *db_dir, const char *flag)
{
	struct stat st;
	int r = stat(dir, &st) < 0 ? -errno : S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;

	if (!r)
		return 0;
	if (r == -ENOENT && in_state_directory(dir, db_dir))
		return make_directory(dir);
	log_error("%s: cannot use the directory '%s': %s%s", flag, dir, strerror(-r),
		  r == -ENOENT ? "; make it, or name another one" : "");
	s->exit_code = (int)options_exit_code(r);
	return r;
}

static int make_directories(struct service *s)
{
	const struct config *c = s->config;
	const char *slash = strrchr(c->db, '/');
	_buf_ struct buf dir = {0};
	int r;

	buf_add(&dir, c->db, slash ? (size_t)(slash - c->db) + (slash == c->db) : 0);
	if (!dir.len)
		buf_adds(&dir, ".");
	r = buf_error(&dir) ? -ENOMEM : need_directory(s, buf_str(&dir), buf_str(&dir), "--db");
	if (!r)
		r = need_directory(s, c->reviews, buf_str(&dir), "--reviews");
	if (r && !s->exit_code)
		log_error("cannot make the directories of '%s' and '%s': %s", c->db, c->reviews,
			  strerror(-r));
	return r;
}

/* Before anything is written: a file of somebody else stays as it is. */
static int check_store(struct service *s)
{
	char reason[STORE_REASON_MAX] = "";
	int r = store_check(s->config->db, reason);

	if (!r)
		return 0;
	log_error("cannot open the database '%s': %s", s->config->db, reason);
	s->exit_code = r == -EMEDIUMTYPE ? EXIT_USAGE : r == -EPROTO ? EXIT_NOT_SUPPORTED : 0;
	return r;
}

/* Before any thread: each has capabilities of its own. */
static int give_up_rights(struct service *s)
{
	struct features f;

	feature_probe_for_load(&f);
	return privilege_drop(s->config->db, s->config->reviews, !f.uprobe_multi && f.perf_uprobe);
}

static int open_store(struct service *s)
{
	struct store_options options = store_default_options;
	struct store_open_report report;
	char reason[STORE_REASON_MAX];
	int r;

	options.keep_days = (unsigned int)s->config->store.keep_days;
	options.written_bytes = WRITTEN_BYTES;
	options.keep_bytes = s->config->store.keep_mib << 20;
	r = store_open_writer(s->config->db, &options, &s->writer, &report, reason);
	if (r) {
		log_error("cannot open the database '%s': %s", s->config->db,
			  *reason ? reason : strerror(-r));
		s->exit_code = r == -EBUSY || r == -EMEDIUMTYPE ? EXIT_USAGE :
			       r == -EPROTO			? EXIT_NOT_SUPPORTED :
								  0;
		return r;
	}
	if (*report.moved_aside)
		log_error("the database '%s' %s", s->config->db, reason);
	else if (report.created)
		log_info("a new database: '%s'", s->config->db);
	if (report.killed)
		log_warning(
			"the last daemon on '%s' was killed: programs that ended in its last 5 s may be missing",
			s->config->db);
	if (report.recovered_runs)
		log_info("%llu runs whose end an earlier daemon did not see are counted in",
			 (unsigned long long)report.recovered_runs);
	return 0;
}

/* While BPF is loaded the usual places are looked through, and what is found there waits. */
static int open_session(struct service *s)
{
	int r = session_open(s->config, NULL, &s->session, &s->exit_code);

	if (!r)
		r = watch_add_places(session_watch(s->session));
	if (!r)
		r = watch_run(session_watch(s->session), 0);
	if (r < 0 && s->session)
		log_error("cannot search for interpreters: %s", strerror(-r));
	if (r < 0)
		return r;
	r = session_open_load(s->session, -EBADF, &s->exit_code);
	if (!r)
		session_on_process(s->session, service_on_process, s);
	return r;
}

static int find_interpreters(struct service *s)
{
	struct watch *w = session_watch(s->session);
	int r = watch_add_processes(w);

	while (watch_attach_next(w))
		;
	if (!r)
		r = watch_run(w, 0);
	if (r < 0) {
		log_error("cannot search for interpreters: %s", strerror(-r));
		return r;
	}
	session_say_watching(s->session);
	return 0;
}

/* Before the rest, since a configuration that cannot be is found here. */
static int open_exporters(struct service *s)
{
	char host[HOST_NAME_MAX + 1] = "";
	int r = sd_event_default(&s->event);

	(void)gethostname(host, sizeof(host) - 1);
	if (r >= 0)
		r = cloudwatch_new(s->event, s->config, host, service_lost, s, &s->cloudwatch);
	if (!r)
		r = textfile_new(s->event, s->config, service_metrics_page, s, &s->textfile);
	return r;
}

/*
 * Tables that grow by doubling leave holes in a thread's arena that nothing else fits: large ones have their own mappings, and
 * go back at once. By itself malloc raises the limit to what it has seen freed, up to 32 MiB.
 */
static void bound_arenas(void)
{
	(void)mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);
	(void)mallopt(M_TRIM_THRESHOLD, 4 * LARGE_BYTES);
}

int service_prepare(struct service *s)
{
	int r;

	launch_signals_to_loop();
	bound_arenas();
	s->offset_ns = service_offset_ns();
	r = appname_new(s->config, &s->names);
	if (r)
		log_error("cannot prepare the rules of app names: %s", strerror(-r));
	if (!r)
		r = check_store(s);
	if (!r)
		r = give_up_rights(s);
	if (!r)
		r = make_directories(s);
	if (!r)
		r = open_exporters(s);
	if (!r)
		r = open_store(s);
	if (!r)
		r = open_session(s);
	if (!r)
		r = find_interpreters(s);
	if (!r) {
		r = service_metrics_begin(s);
		if (r)
			log_error("cannot prepare the metrics: %s", strerror(-r));
	}
	return r;
}

void service_done(struct service *s)
{
	(void)textfile_free(s->textfile);
	(void)cloudwatch_free(s->cloudwatch);
	(void)session_free(s->session);
	(void)store_close_writer(s->writer, 0);
	(void)appname_free(s->names);
	service_live_free(s);
	(void)metrics_free(s->metrics);
	(void)sd_event_unref(s->event);
	(void)config_free(s->reloaded);
}
