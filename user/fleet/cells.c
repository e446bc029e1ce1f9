/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "fleet/cells.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define LABEL_MOST 1024 /* bytes; the rest is cut off */
#define ROOM 100000	/* cells that may come before equal ones are added up again */

const struct family_info families[FAM_MAX] = {
	[FAM_RUNS] = {"lmmsd_runs_total", {"app"}, false},
	[FAM_WARM] = {"lmmsd_warm_runs_total", {"app"}, false},
	[FAM_OTHER_RUNS] = {"lmmsd_other_runs_total", {"app", "class"}, false},
	[FAM_COLD_BUCKET] = {"lmmsd_cold_start_seconds_bucket", {"app", "le"}, false},
	[FAM_COLD_SUM] = {"lmmsd_cold_start_seconds_sum", {"app"}, false},
	[FAM_COLD_SQUARED] = {"lmmsd_cold_start_squared_seconds_total", {"app"}, false},
	[FAM_INTERPRETER_BUCKET] = {"lmmsd_interpreter_seconds_bucket", {"app", "le"}, false},
	[FAM_INTERPRETER_SUM] = {"lmmsd_interpreter_seconds_sum", {"app"}, false},
	[FAM_APP_USES] = {"lmmsd_app_uses_total", {"app"}, false},
	[FAM_USAGE_COUNTED] = {"lmmsd_usage_counted", {"app"}, true},
	[FAM_IMPORT_BUCKET] = {"lmmsd_import_seconds_bucket", {"app", "module", "le"}, false},
	[FAM_IMPORT_SUM] = {"lmmsd_import_seconds_sum", {"app", "module"}, false},
	[FAM_SELF] = {"lmmsd_import_self_seconds_total", {"app", "module"}, false},
	[FAM_DEFERRABLE] = {"lmmsd_deferrable_seconds_total", {"app", "module"}, false},
	[FAM_USING] = {"lmmsd_runs_using_total", {"app", "module"}, false},
	[FAM_USING_IN_FUNCTION] = {"lmmsd_runs_using_in_function_total", {"app", "module"}, false},
	[FAM_USES] = {"lmmsd_module_uses_total", {"app", "module", "placement"}, false},
	[FAM_LOADS] = {"lmmsd_module_loads_total", {"app", "module", "placement"}, false},
	[FAM_STARTS] = {"lmmsd_module_start_runs_total", {"app", "module"}, false},
	[FAM_FAILURES] = {"lmmsd_import_failures_total", {"app", "module"}, false},
	[FAM_INFO] = {"lmmsd_module_info",
		      {"app", "module", "distribution", "version", "importer", "origin"},
		      true},
	[FAM_IMPORTERS] = {"lmmsd_importer_runs_total",
			   {"app", "module", "importer", "placement", "loaded"},
			   false},
	[FAM_LOST] = {"lmmsd_events_lost_total", {"reason"}, false},
};

int cells_init(struct cells *c)
{
	*c = (struct cells){0};
	return intern_new(&c->strings);
}

void cells_clear(struct cells *c)
{
	free(c->cell);
	(void)intern_free(c->strings);
	*c = (struct cells){0};
}

/* Equal strings are one pointer, which is all that adding up needs. */
static int by_pointers(const void *a, const void *b)
{
	const struct cell *x = a, *y = b;

	if (x->family != y->family)
		return x->family < y->family ? -1 : 1;
	for (size_t i = 0; i < CELL_LABELS; i++)
		if (x->label[i] != y->label[i])
			return (uintptr_t)x->label[i] < (uintptr_t)y->label[i] ? -1 : 1;
	return 0;
}

static void add_up(struct cells *c)
{
	size_t n = 0;

	if (c->n)
		qsort(c->cell, c->n, sizeof(*c->cell), by_pointers);
	for (size_t i = 0; i < c->n; i++) {
		if (n && by_pointers(&c->cell[n - 1], &c->cell[i]) == 0)
			c->cell[n - 1].value += c->cell[i].value;
		else
			c->cell[n++] = c->cell[i];
	}
	c->n = c->settled = n;
}

static int reserve(struct cells *c)
{
	size_t cap = c->cap ? c->cap * 2 : 4096;
	struct cell *grown;

	if (c->n >= 2 * c->settled + ROOM)
		add_up(c);
	if (c->n < c->cap)
		return 0;
	if (c->n >= CELLS_MOST)
		return -E2BIG;
	grown = reallocarray(c->cell, cap, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	c->cell = grown;
	c->cap = cap;
	return 0;
}

/* Whoever answered: only valid UTF-8 goes on. */
static const char *keep(struct intern *strings, const char *s)
{
	size_t len = strnlen(s, LABEL_MOST), ascii = 0;
	_buf_ struct buf valid = {0};

	while (ascii < len && (unsigned char)s[ascii] < 0x80)
		ascii++;
	if (ascii == len)
		return intern_strn(strings, s, len);
	text_utf8(&valid, TEXT_UTF8 | (s[len] ? TEXT_CUT : 0), s, len);
	return buf_error(&valid) ? NULL : intern_str(strings, buf_str(&valid));
}

int cells_add(struct cells *c, enum family family,
	      const char *(*get)(const void *of, const char *label), const void *of, double value)
{
	const struct family_info *f = &families[family];
	struct cell cell = {.family = (uint8_t)family, .value = value};
	int r = reserve(c);

	if (r < 0 || !isfinite(value))
		return r;
	for (size_t i = 0; i < CELL_LABELS && f->labels[i]; i++) {
		cell.label[i] = keep(c->strings, get(of, f->labels[i]));
		if (!cell.label[i])
			return -ENOMEM;
	}
	c->cell[c->n++] = cell;
	return 0;
}

static int compare(const char *a, const char *b)
{
	return a == b ? 0 : !a ? -1 : !b ? 1 : strcmp(a, b);
}

static int by_app(const void *a, const void *b)
{
	const struct cell *x = a, *y = b;
	int r = compare(x->label[0], y->label[0]);

	if (r == 0)
		r = x->family - y->family;
	for (size_t i = 1; i < CELL_LABELS && r == 0; i++)
		r = compare(x->label[i], y->label[i]);
	return r;
}

void cells_settle(struct cells *c)
{
	add_up(c);
	if (c->n)
		qsort(c->cell, c->n, sizeof(*c->cell), by_app);
}
