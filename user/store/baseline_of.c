/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include <errno.h>
#include <stdlib.h>

#include "store/store.h"

int store_baseline_of(const struct mdl_history *h, const char *name, struct mdl_baseline *ret)
{
	struct mdl_baseline_module *modules = calloc(h->n_modules + 1, sizeof(*modules));
	uint64_t warm = h->runs[MDL_RUN_WARM];

	if (!modules)
		return -ENOMEM;
	for (size_t i = 0; i < h->n_modules; i++) {
		const struct mdl_hist_module *m = &h->modules[i];

		modules[i] = (struct mdl_baseline_module){
			.name = m->name,
			.distribution = m->distribution,
			.version = m->version,
			.total_ns = sketch_quantile(&m->total, 0.5),
			.self_ns = sketch_quantile(&m->self, 0.5),
			.saving_ns = warm ? (uint64_t)(m->saving.sum / (double)warm) : 0,
			.place = m->place,
			.start_pct = h->runs_plain ?
					     100.0 * (double)m->runs_start / (double)h->runs_plain :
					     0,
		};
	}
	*ret = (struct mdl_baseline){
		.name = name,
		.app = h->app,
		.since_day = h->since_day,
		.until_day = h->until_day,
		.runs = warm,
		.cold_start = h->cold_start,
		.interpreter = h->interpreter,
		.rebuilt = h->rebuilt,
		.values = h->values,
		.n_values = h->n_values,
		.modules = modules,
		.n_modules = h->n_modules,
	};
	return 0;
}
