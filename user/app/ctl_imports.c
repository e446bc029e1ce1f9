/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* profile-imports: N rounds of lmmsd, each with one fresh interpreter a module, in turn. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/signalfd.h>

#include "app/ctl_imports.h"
#include "app/options.h"
#include "app/records.h"
#include "base/log.h"
#include "base/num.h"
#include "base/text.h"

#define DEFAULT_RUNS 10
#define MAX_RUNS 10000
#define NAME_BYTES 512
#define AT_ONCE 60 /* interpreters that one lmmsd watches */

static void imports_clear(struct imports *i)
{
	for (size_t k = 0; i->m && k < i->n; k++) {
		free(i->m[k].total);
		free(i->m[k].self);
	}
	free(i->m);
	if (*i->dir)
		(void)rmdir(i->dir);
	closep(&i->signals);
}

/* It becomes code: nothing but dots between identifiers. Other letters than ASCII's are left to Python to judge. */
static bool is_module(const char *s)
{
	_buf_ struct buf valid = {0};
	bool first = true;

	if (strlen(s) > NAME_BYTES)
		return false;
	text_utf8(&valid, TEXT_UTF8, s, strlen(s));
	if (strcmp(buf_str(&valid), s))
		return false;
	for (; *s; s++) {
		unsigned char ch = (unsigned char)*s;

		if (ch == '.' ?
			    first :
			    !(isalpha(ch) || ch == '_' || ch >= 0x80 || (!first && isdigit(ch))))
			return false;
		first = ch == '.';
	}
	return !first;
}

/* lmmsd lies beside lmmsctl, wherever that is; else where PATH says. */
static int find_programs(struct imports *i)
{
	_buf_ struct buf self = {0};
	const char *slash;
	int r = fdio_readlink(AT_FDCWD, "/proc/self/exe", &self);

	if (r < 0 || self.len >= sizeof(i->self))
		return r < 0 ? r : -ENAMETOOLONG;
	(void)snprintf(i->self, sizeof(i->self), "%s", buf_str(&self));
	slash = strrchr(i->self, '/');
	r = snprintf(i->lmmsd, sizeof(i->lmmsd), "%.*s/lmmsd", slash ? (int)(slash - i->self) : 0,
		     i->self);
	if (r >= (int)sizeof(i->lmmsd) || access(i->lmmsd, X_OK) < 0)
		(void)snprintf(i->lmmsd, sizeof(i->lmmsd), "lmmsd");
	(void)snprintf(i->dir, sizeof(i->dir), "/tmp/lmmsctl-XXXXXX");
	if (!mkdtemp(i->dir)) {
		*i->dir = '\0';
		return -errno;
	}
	return 0;
}

/* From now on a signal is something to read: what runs is ended in order, and what there is is shown. */
static int catch_signals(struct imports *i)
{
	sigset_t mask;

	(void)sigemptyset(&mask);
	(void)sigaddset(&mask, SIGINT);
	(void)sigaddset(&mask, SIGTERM);
	(void)sigprocmask(SIG_BLOCK, &mask, &i->mask);
	i->signals = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	return i->signals < 0 ? -errno : 0;
}

static int prepare(struct ctl *c, struct imports *i)
{
	int r;

	i->ctl = c;
	i->python = c->python ? c->python : "python3";
	i->runs = DEFAULT_RUNS;
	if (c->runs && num_u64(c->runs, 1, MAX_RUNS, &i->runs)) {
		log_error("--runs: '%s' is no whole number from 1 to %d", c->runs, MAX_RUNS);
		return EXIT_USAGE;
	}
	i->m = calloc(c->n_args, sizeof(*i->m));
	if (!i->m)
		return EXIT_INTERNAL;
	for (size_t k = 0; k < c->n_args; k++) {
		bool known = false;

		if (!is_module(c->args[k])) {
			log_error("'%s' is no module's name", c->args[k]);
			return EXIT_USAGE;
		}
		for (size_t j = 0; j < i->n; j++)
			known = known || !strcmp(i->m[j].name, c->args[k]);
		if (!known)
			i->m[i->n++].name = c->args[k];
	}
	r = find_programs(i);
	if (!r)
		r = catch_signals(i);
	if (r)
		log_error("cannot prepare a directory for reports: %s", strerror(-r));
	return r ? EXIT_INTERNAL : 0;
}

static bool any_failed(const struct imports *i)
{
	bool any = false;

	for (size_t k = 0; k < i->n; k++) {
		if (i->m[k].failed)
			log_error("'%s' cannot be imported by %s: %s", i->m[k].name, i->python,
				  i->m[k].error);
		any = any || i->m[k].failed;
	}
	return any;
}

/* An import that worked, and of which there is no time all the same: lmmsd does not watch this interpreter. */
static bool any_unwatched(const struct imports *i)
{
	const char *first = NULL;
	size_t n = 0;

	for (size_t k = 0; k < i->n; k++)
		if (!i->m[k].failed && !i->m[k].n) {
			first = first ? first : i->m[k].name;
			n++;
		}
	if (!n || i->stop)
		return false;
	log_error("no run of '%s'%s by %s could be watched: %s", first, n > 1 ? " and others" : "",
		  i->python,
		  *i->reason ? i->reason :
			       "lmmsd saw no CPython; 'lmmsd --check' lists those it can watch");
	return true;
}

/* An lmmsd takes a while to attach, and its report is read whole: some rounds at a time. */
static size_t rounds_at_once(const struct imports *i, uint64_t left)
{
	size_t n = i->n < AT_ONCE ? AT_ONCE / i->n : 1;

	return left < n ? (size_t)left : n;
}

int ctl_imports(struct ctl *c)
{
	_cleanup_(imports_clear) struct imports i = {.signals = -EBADF};
	uint64_t done = 0;
	int r = prepare(c, &i), r2;

	i.all = (i.runs + 1) * i.n;
	i.began_ns = records_now();
	if (!r)
		r = imports_rounds(&i, 0, 1, false);
	while (!r && done < i.runs && !i.stop) {
		size_t n = rounds_at_once(&i, i.runs - done);

		r = imports_rounds(&i, (size_t)done, n, true);
		done += n;
	}
	log_status("");
	if (r)
		return r;
	r = any_failed(&i) ? EXIT_NOT_FOUND : EXIT_DONE;
	if (any_unwatched(&i))
		r = EXIT_NOT_SUPPORTED;
	r2 = imports_say(&i, !i.stop);
	return r2 ? r2 : r;
}
