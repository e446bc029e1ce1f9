/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* lmmsd's command line. */
#pragma once
#include <stdio.h>

#include "app/config.h"

/* Exit codes of both programs. */
enum exit_code {
	EXIT_DONE = 0,
	EXIT_GATE = 1,	/* a gate did not hold */
	EXIT_USAGE = 2, /* wrong use of the command line, or of the configuration file */
	EXIT_NOT_PERMITTED = 3,
	EXIT_NOT_SUPPORTED = 4, /* by this kernel or interpreter */
	EXIT_NOT_FOUND = 5,	/* no such app, module, baseline or file */
	EXIT_INTERNAL = 70,
};

/* The code that fits a negative errno; 0 is EXIT_DONE. */
enum exit_code options_exit_code(int r);

/*
 * Defaults, configuration file and flags, in this order. argv is borrowed by *ret for CONFIG_COMMAND and may be
 * reordered by getopt_long(), but not behind "--". 0; a negative errno for options_exit_code(): *error has one line
 * that says what to do. With --help or --version nothing else is looked at.
 */
int options_parse(int argc, char *argv[], struct config **ret, struct buf *error);

void options_help(FILE *f);
/* lmmsd's version, libbpf's, and the probes that are built in. */
void options_version(FILE *f);
