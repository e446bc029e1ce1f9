/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* A profile whose report is looked at. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "export/screen.h"
#include "unit/has.h"
#include "unit/render.h"

static struct fake f;

static inline int set_up(void **state)
{
	(void)state;
	fake_init(&f);
	fake_shop(&f);
	return 0;
}

static inline int tear_down(void **state)
{
	(void)state;
	fake_free(&f);
	return 0;
}

/* Of the process that was made last only. */
static inline char *render_last(enum export_format format, const struct export_style *style)
{
	struct mdl_profile last = f.profile;

	last.processes = &f.profile.processes[f.profile.n_processes - 1];
	last.n_processes = 1;
	return render_styled(format, &last, style);
}

#define LEGEND                                                                                     \
	"Times are ms. saving: how much shorter the start would be without the module.\n"          \
	"tier func: import it in the function that needs it; mod: leave it at the top.\n"

#define T(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)
