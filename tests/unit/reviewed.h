/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* An app, and what the review says of it. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/fake_review.h"

static inline const struct rv_module *find(const struct rv_app *app, const char *name)
{
	for (size_t i = 0; i < app->n_modules; i++)
		if (!strcmp(app->modules[i].name, name))
			return &app->modules[i];
	fail_msg("no module %s", name);
	return NULL;
}

static inline struct rv_app *reviewed(const struct appraise_input *in)
{
	struct rv_app *app = NULL;

	assert_int_equal(appraise_app(in, &app), 0);
	assert_int_equal(review_app(NULL, app), 0);
	return app;
}

/* One module of the program, imported at its top; n runs, of which `used` import it. */
static inline struct fh *one(double ms, uint64_t n, uint64_t used)
{
	struct fh *f = fh_new("app.py", 100, 130, n);
	struct mdl_hist_module *m = fh_module(f, "mod", ms, ms, ms);

	if (n)
		fh_cold(f, ms + 10, n);
	m->runs_imported = used;
	(void)fh_edge(f, "__main__", "mod", "/srv/app.py", 7, LMMSD_PLACE_MODULE, true);
	(void)fh_done(f);
	return f;
}
