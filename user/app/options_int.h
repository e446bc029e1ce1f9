/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Shared by options*.c only: the table of lmmsd's flags. */
#pragma once
#include <getopt.h>

#include "app/options.h"

#define OPTION_SETTINGS 10 /* of config_set.c: the first of the table */
#define OPTION_FLAGS 23

enum option_id {
	OPT_PID = 256,
	OPT_SERVICE,
	OPT_CHECK,
	OPT_STRICT,
	OPT_REPLAY,
	OPT_DURATION,
	OPT_FORMAT,
	OPT_RECORD,
	OPT_CONFIG,
	OPT_SETTING, /* OPT_SETTING + position in option_flags[]: one of config_set.c's */
};

struct option_flag {
	struct option o;
	unsigned int modes; /* bit i: it has an effect in the config_mode i */
};
extern const struct option_flag option_flags[OPTION_FLAGS];

/*
 * Flags without an effect in c's mode are rather refused than ignored: -EINVAL, *error has why. given: bit i for
 * option_flags[i]; mode: the flag that chose it.
 */
int option_check_modes(const struct config *c, unsigned int given, const char *mode,
		       struct buf *error);
