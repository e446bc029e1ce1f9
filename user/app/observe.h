/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* The ad-hoc observation: whole host, --pid or -- COMMAND, until it ends or is stopped; then the report. */
#pragma once
#include "app/config.h"
#include "app/launch.h"

/* Exit status of the program. Says what is wrong itself. origin: of COMMAND. */
int observe_run(const struct config *config, const struct launch_origin *origin);
/* Replays config->replay through everything behind the probes. */
int observe_replay(const struct config *config);
