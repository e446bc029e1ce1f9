/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Within trigger*.c only. */
#pragma once
#include "analysis/trigger.h"
#include "base/cleanup.h"
#include "base/intern.h"

/* A day's value of a series: of times the logarithm of the median. */
struct tr_point {
	int32_t day;
	float value;   /* ln(ns), or a share 0..1 */
	float sigma;   /* scatter of single runs within the day; NAN: too few */
	uint32_t runs; /* that it is made of */
};

/* A module on a day on which it was seen. */
struct tr_seen {
	uint32_t at; /* index of the day */
	uint32_t starts, imported, used;
	uint64_t uses;
	struct tr_point self;
	float total_ms;	    /* NAN */
	const char *parent; /* interned; what loaded it most often; NULL */
};

struct tr_module {
	const char *name;	  /* interned */
	const char *distribution; /* interned; NULL */
	struct tr_seen *seen;	  /* owned */
	uint32_t n, cap;
};

struct tr_day {
	int32_t day;
	uint32_t plain; /* runs */
	uint64_t uses;
	struct tr_point cold;
};

/* A version of a distribution that came. */
struct tr_update {
	const char *distribution, *before, *after; /* interned */
	const char *module;			   /* interned; its dearest */
	float after_ms;
	uint32_t at;
};

/* Of a distribution: the days on which it was seen in one version only, until now. */
struct tr_course {
	const char *alone;  /* that version, if the latest day was such a day; NULL */
	uint32_t days;	    /* in a row with it */
	uint32_t stretches; /* of such days */
	uint32_t mixed;	    /* days in a row with more than one */
	uint32_t today;	    /* versions seen */
};

struct tr_version {
	const char *distribution, *version; /* interned */
	size_t head;			    /* index of the distribution's first version */
	struct tr_course course;	    /* of the head only */
	uint32_t first, last;		    /* days */
	uint32_t alone_days;		    /* that it was alone the last time */
};

struct trigger {
	struct trigger_policy policy;
	struct tr_day *days; /* owned */
	uint32_t n_days, cap_days;
	struct tr_module *modules; /* owned, by name */
	size_t n_modules;
	struct tr_version *versions; /* owned, by distribution, in order of appearance */
	size_t n_versions, cap_versions;
	struct tr_update *updates; /* owned */
	size_t n_updates, cap_updates;
	struct intern *strings; /* owned */
};

/* A change of level in a series. */
struct tr_step {
	uint32_t at;	      /* point at which it was noticed */
	uint32_t since;	      /* first point of the new level */
	double before, after; /* values */
};

/* What is enough of a change. */
struct tr_least {
	double value; /* of ln(ns): 0.14 is 15 % */
	double ms;    /* 0: values are no times */
};

/* Next step at or after point *from, which moves on; false: none. Points rise by day. */
bool tr_find_step(const struct trigger_policy *policy, const struct tr_point *points, uint32_t n,
		  const struct tr_least *least, uint32_t *from, uint32_t *reset,
		  struct tr_step *ret);
/* The same for shares. */
bool tr_find_shift(const struct trigger_policy *policy, const struct tr_point *points, uint32_t n,
		   uint32_t *from, uint32_t *reset, struct tr_step *ret);

int tr_grow(void *array, size_t size, size_t n, size_t *cap); /* for one more; 0, -ENOMEM */
int tr_note_versions(struct trigger *t, const struct mdl_history *h);

/* Changes as they are found. */
struct tr_scan {
	struct trigger *t;	  /* borrowed */
	struct rv_change *change; /* owned */
	uint32_t *at;		  /* owned; by change: index of the day */
	size_t n, cap;
	struct tr_point *points; /* owned; one series at a time */
	size_t timed;		 /* modules with a time worth watching */
};

int tr_put(struct tr_scan *s, const char **ret, const char *format, ...) _printf_(3, 4);
/* By its name; NULL. */
const struct tr_module *tr_find_module(const struct trigger *t, const char *name);
void tr_drop(struct tr_scan *s, size_t i);
int tr_settle_times(struct tr_scan *s);
int tr_settle_shifts(struct tr_scan *s);
