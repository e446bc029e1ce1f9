/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* What this process takes, as the kernel says. */
#pragma once
#include "model/metrics.h"

/* What cannot be read becomes NAN. */
void selfstat_read(struct mdl_metrics_process *ret);
/* Its processor time alone. */
double selfstat_cpu_s(void);
