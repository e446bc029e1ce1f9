/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* The decision record's rule. Pure. */
#pragma once
#include "model/profile.h"

struct classify_policy {
	double fast_ms;	  /* below: MODULE_LEVEL; default 10 */
	double slow_ms;	  /* above: FUNCTION_LEVEL; default 100 */
	double usage_pct; /* between: above this MODULE_LEVEL, else FUNCTION_LEVEL; default 80 */
};
extern const struct classify_policy classify_default_policy;

/* NAN: not known; MDL_TIER_NONE where the tier hangs on that. */
enum mdl_tier classify(const struct classify_policy *policy, double ms, double usage_pct);
const char *classify_tier_name(enum mdl_tier tier); /* "MODULE_LEVEL", "FUNCTION_LEVEL", "" */
/* Fills share_pct and tier of every module of an ad-hoc report's process (usage = its own share). */
void classify_process(const struct classify_policy *policy, struct mdl_process *p);
