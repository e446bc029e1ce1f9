/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* lmmsd --service: observes the whole host, stores each run, reviews. */
#pragma once
#include "app/config.h"

/*
 * Exit status of the program. Says what is wrong itself. config: owned by the caller, who parsed it from argv; argv is parsed anew
 * on SIGHUP.
 */
int service_run(const struct config *config, int argc, char *argv[]);
