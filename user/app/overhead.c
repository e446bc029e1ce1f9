/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "app/overhead.h"

#include <math.h>

#define STEP_S 60

void overhead_begin(struct overhead *o, double now_s)
{
	o->then = o->later = (struct overhead_at){.at_s = now_s};
}

void overhead_note(struct overhead *o, double now_s, double cost_s)
{
	if (now_s - o->later.at_s < STEP_S)
		return;
	o->then = o->later;
	o->later = (struct overhead_at){now_s, cost_s};
}

double overhead_ratio(const struct overhead *o, double now_s, double cost_s, double cpus)
{
	return (cost_s - o->then.cost_s) / (fmax(now_s - o->then.at_s, 1) * cpus);
}
