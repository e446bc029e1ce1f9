/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* --check: can this host do it? */
#pragma once
#include "app/config.h"

/* Prints one line a feature and interpreter; changes nothing. --strict attaches everything once. Exit status. */
int check_run(const struct config *config);
