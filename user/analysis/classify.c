/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "analysis/classify.h"

#include <math.h>

#define NS_PER_MS 1e6

const struct classify_policy classify_default_policy = {
	.fast_ms = 10,
	.slow_ms = 100,
	.usage_pct = 80,
};

enum mdl_tier classify(const struct classify_policy *policy, double ms, double usage_pct)
{
	if (ms < policy->fast_ms)
		return MDL_MODULE_LEVEL;
	if (ms > policy->slow_ms)
		return MDL_FUNCTION_LEVEL;
	if (isnan(ms) || isnan(usage_pct))
		return MDL_TIER_NONE;
	return usage_pct > policy->usage_pct ? MDL_MODULE_LEVEL : MDL_FUNCTION_LEVEL;
}

const char *classify_tier_name(enum mdl_tier tier)
{
	switch (tier) {
	case MDL_MODULE_LEVEL:
		return "MODULE_LEVEL";
	case MDL_FUNCTION_LEVEL:
		return "FUNCTION_LEVEL";
	default:
		return "";
	}
}

/* The load whose time stands for the module; NULL: it has none that is its own cost in this process. */
static const struct mdl_load *timed_load(const struct mdl_process *p, const struct mdl_module *m)
{
	const struct mdl_load *l;

	if (m->load < 0 || (size_t)m->load >= p->n_loads)
		return NULL;
	l = &p->loads[m->load];
	return l->flags & (MDL_LOAD_MAIN | MDL_LOAD_INHERITED) ? NULL : l;
}

void classify_process(const struct classify_policy *policy, struct mdl_process *p)
{
	double uses = 0;

	for (size_t i = 0; i < p->n_modules; i++)
		uses += (double)p->modules[i].uses;
	for (size_t i = 0; i < p->n_modules; i++) {
		struct mdl_module *m = &p->modules[i];
		const struct mdl_load *l = timed_load(p, m);

		m->share_pct = uses > 0 ? (double)m->uses / uses * 100 : 0;
		/* Without a time the rule says nothing. */
		m->tier = l ? (uint8_t)classify(policy, (double)l->total_ns / NS_PER_MS,
						m->share_pct) :
			      MDL_TIER_NONE;
	}
}
