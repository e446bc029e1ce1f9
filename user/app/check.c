/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "app/check.h"

#include <errno.h>
#include <string.h>
#include <sys/utsname.h>

#include "app/lookup.h"
#include "app/options.h"
#include "app/session.h"
#include "base/log.h"
#include "base/text.h"

static void print_path(const char *path)
{
	_buf_ struct buf shown = {0};

	text_printable(&shown, path);
	(void)printf("%s", buf_str(&shown));
}

/* Whether all that must be there is. */
static bool print_features(const struct features *f)
{
	struct feature_row row;
	struct utsname u;
	bool all = true;

	if (uname(&u) == 0)
		(void)printf("kernel %s %s\n", u.release, u.machine);
	for (size_t i = 0; feature_row(f, i, &row); i++) {
		(void)printf("  %-4s  %-34s %s\n",
			     row.present  ? "yes" :
			     row.required ? "NO" :
					    "no",
			     row.name, row.use);
		all = all && (row.present || !row.required);
	}
	return all;
}

static const char *probe_name(uint8_t probe)
{
	return probe == LMMSD_PROBE_USDT     ? "usdt" :
	       probe == LMMSD_PROBE_CALLSITE ? "callsite" :
					       "entry";
}

static void print_interps(const struct watch *w, size_t *ret_good, size_t *ret_failed)
{
	struct watch_interp in;

	(void)printf("interpreters\n");
	for (size_t i = 0; watch_interp(w, i, &in); i++) {
		if (in.refused) {
			*ret_failed += in.probe != 0; /* it was attached to, and that failed */
			(void)printf("  no    %-8s %-9s ", in.version_text ? in.version_text : "",
				     "");
			print_path(in.path);
			(void)printf(": %s\n", in.refused);
			continue;
		}
		++*ret_good;
		(void)printf("  yes   %-8s %-9s ", in.version_text, probe_name(in.probe));
		print_path(in.path);
		if (in.probe == LMMSD_PROBE_ENTRY)
			(void)printf(": costly: every import stops twice");
		if (in.degraded)
			(void)printf(": %s", in.degraded);
		(void)printf("\n");
	}
	if (!*ret_good)
		(void)printf("  no    none found that can be watched\n");
}

static void print_left(const struct lookup *l)
{
	const char *path;

	for (size_t i = 0; (path = lookup_left(l, i)); i++) {
		(void)printf("  '");
		print_path(path);
		(void)printf(
			"' is left to its automounter: Pythons there are found when they run\n");
	}
}

static int strict_watch(const struct config *c, const struct features *f, struct session **ret)
{
	struct session_params p = {
		.probe = {.ring_bytes = (size_t)c->limits.ring_kib * 1024,
			  .max_use_keys = (size_t)c->limits.max_use_keys,
			  .max_procs = (size_t)c->limits.max_procs,
			  .filter_pids = true, /* nobody's: nothing is observed */
			  .usage = c->usage,
			  .features = *f},
		.limits = graph_default_limits,
		.want = (enum target_want)c->probe,
		.max_interpreters = (size_t)c->limits.max_interpreters,
		.queue_bytes = 1 << 20,
	};
	const char *what;
	int r = session_new(&p, ret, &what);

	if (r)
		(void)printf("  NO    %s: %s\n", what, strerror(-r));
	return r;
}

static int verdict(bool features, int r, size_t good, size_t failed, const struct features *f)
{
	bool permitted = f->error != -EPERM && f->error != -EACCES && r != -EPERM;

	if (features && !r && good && !failed) {
		(void)printf("lmmsd can watch this host\n");
		return EXIT_DONE;
	}
	(void)printf("lmmsd cannot watch %s%s\n",
		     good && features ? "everything on this host" : "this host",
		     permitted ? "" : ": run as root, or with CAP_BPF and CAP_PERFMON");
	return permitted ? EXIT_NOT_SUPPORTED : EXIT_NOT_PERMITTED;
}

int check_run(const struct config *c)
{
	_cleanup_(session_freep) struct session *session = NULL;
	_cleanup_(lookup_freep) struct lookup *lookup = NULL;
	_cleanup_(watch_freep) struct watch *look = NULL;
	struct features f;
	size_t good = 0, failed = 0;
	struct watch *w;
	bool features;
	int r = 0;

	feature_probe(&f);
	features = print_features(&f);
	if (c->strict && features) {
		r = strict_watch(c, &f, &session);
		if (r)
			return verdict(features, r, good, failed, &f);
		w = session_watch(session);
	} else {
		r = watch_new(NULL, NULL, (enum target_want)c->probe, 0, &look);
		w = look;
	}
	if (!r)
		r = lookup_new(&lookup);
	if (!r)
		watch_ask_first(w, lookup);
	if (!r)
		r = watch_add_all(w);
	if (!r)
		r = watch_run(w, 0);
	if (r < 0) {
		log_error("cannot search for interpreters: %s", strerror(-r));
		return EXIT_INTERNAL;
	}
	print_interps(w, &good, &failed);
	print_left(lookup);
	if (watch_unreadable(w))
		(void)printf("  %llu files could not be read%s\n",
			     (unsigned long long)watch_unreadable(w),
			     geteuid() ? ": run as root to see all" : "");
	return verdict(features, 0, good, failed, &f);
}
