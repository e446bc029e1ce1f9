/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* lmmsctl: one verb a question. Shared by ctl*.c and lmmsctl.c only. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/config.h"
#include "app/reviewing.h"
#include "base/fdio.h"
#include "export/review.h"
#include "store/store.h"

#define CTL_DEFAULT_DAYS 30

/* Options that a verb may take, besides those that all take. */
#define CTL_APP 0x1	 /* --app */
#define CTL_NEED_APP 0x2 /* ... and it must be given */
#define CTL_PERIOD 0x4	 /* --month, --since, --until */
#define CTL_EXPECT 0x8
#define CTL_BASELINE 0x10
#define CTL_MAX_MS 0x20
#define CTL_IMPORTS 0x40 /* --python, --runs */
#define CTL_FLEET 0x80	 /* --prometheus... */
#define CTL_NO_DB 0x100	 /* not --db: it reads no database */

struct ctl {
	const struct ctl_verb *verb;
	struct config *config; /* owned: thresholds and the database, from the file and --db */
	const char *file;      /* borrowed from argv, as all below: --config */
	const char *db, *app, *format, *output, *month, *since, *until, *baseline, *expect, *max_ms,
		*python, *runs, *prometheus, *prometheus_headers, *prometheus_ca;
	char **args; /* what is no option, behind the verb */
	size_t n_args;
	struct store *store; /* owned; NULL until ctl_open() */
	struct reviewing_period period;
	bool period_given;
};

struct ctl_verb {
	const char *name;
	const char *usage;    /* behind the name */
	const char *summary;  /* of the list in --help; NULL: not in it */
	const char *help;     /* of VERB --help */
	const char *formats;  /* "text|json" */
	unsigned int options; /* CTL_* */
	size_t min_args, max_args;
	int (*run)(struct ctl *c); /* exit code */
};
extern const struct ctl_verb ctl_verbs[]; /* ends with one without a name */

/* lmmsctl's main(). */
int ctl_main(int argc, char *argv[]);

/* ctl_options.c: fills c from argv. An exit code, or -1: go on. Says what is wrong. */
int ctl_parse(int argc, char *argv[], struct ctl *c);
int ctl_period(struct ctl *c);

/* ctl_help.c */
void ctl_help(FILE *f);
void ctl_help_verb(const struct ctl_verb *v, FILE *f);

/* ctl_util.c: these say what is wrong, and return an exit code; 0: all is well. */
int ctl_open(struct ctl *c, enum store_mode mode);
int ctl_fail(const struct ctl *c, int r,
	     const char *what); /* something with the store went wrong: r < 0 */
/* The app is known, and has runs in the period. */
int ctl_need_runs(struct ctl *c);
struct reviewing ctl_reviewing(const struct ctl *c);
/* ctl_fleet.c: the review of --prometheus. An exit code; it says what is wrong. */
int ctl_fleet_review(const struct ctl *c, struct rv_review **ret);
/* Of the names that one which is most like s, NULL: none is. */
const char *ctl_nearest(const char *s, const char *(*name)(const void *list, size_t i),
			const void *list, size_t n);

/* ctl_out.c: the answer, to -o or stdout. Exit codes again. */
enum export_answer_format ctl_answer_format(const struct ctl *c);
int ctl_begin(const struct ctl *c, struct outfile **ret, struct export_style *ret_style);
int ctl_end(const struct ctl *c, struct outfile *out, int r); /* r: of the export */
/* Before anything is done: -o can be written, and its suffix names a format of the verb. -1: go on. */
int ctl_check_output(const struct ctl *c);

/* The verbs. */
int ctl_apps(struct ctl *c);
int ctl_modules(struct ctl *c);
int ctl_deps(struct ctl *c);
int ctl_why(struct ctl *c);
int ctl_review(struct ctl *c);
int ctl_baseline(struct ctl *c);
int ctl_verify(struct ctl *c);
int ctl_check(struct ctl *c);
int ctl_imports(struct ctl *c);
int ctl_drive(struct ctl *c); /* within lmmsd: runs the interpreters of profile-imports */
