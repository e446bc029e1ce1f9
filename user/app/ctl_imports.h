/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Shared by ctl_imports*.c and ctl_drive.c only: each module alone in fresh interpreters. */
#pragma once
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/ctl.h"

struct imported {
	const char *name;     /* borrowed from argv */
	double *total, *self; /* owned: ms, one a run */
	size_t n, cap;
	bool preloaded;	 /* the interpreter's own start has it loaded already */
	bool failed;	 /* it cannot be imported */
	uint64_t asked;	 /* interpreters that were to import it so far */
	char error[256]; /* then: what Python says last; UTF-8 */
};

struct imports {
	struct ctl *ctl; /* borrowed */
	const char *python;
	char lmmsd[4096], self[4096], dir[64];
	uint64_t runs;
	struct imported *m; /* owned */
	size_t n;
	char version[32];   /* of Python, once known */
	uint64_t done, all; /* interpreters, the uncounted round included */
	uint64_t began_ns;
	size_t at;	   /* module that runs now */
	int signals;	   /* owned: a signalfd of SIGINT and SIGTERM */
	sigset_t mask;	   /* as it was before they were blocked */
	bool stop;	   /* one of them came */
	char reason[1024]; /* what lmmsd said last of what it does not watch; "": nothing */
};

/*
 * Some rounds, each with every module that did not fail once, watched by one lmmsd. first: number of the first of them. counted:
 * their times are kept. An exit code; what lmmsd says on failure is passed on.
 */
int imports_rounds(struct imports *i, size_t first, size_t rounds, bool counted);
/* Takes the times of a report. -EBADMSG, -ENOMEM, or why it cannot be read. */
int imports_read(struct imports *i, const char *path);
/* On a terminal only: a program that reads stderr looks for errors there. */
void imports_progress(const struct imports *i);
int imports_say(const struct imports *i, bool complete);
