/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* The modules of an app over its runs: medians, and what most runs say. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "export/savers.h"
#include "export/screen.h"
#include "export/table.h"

#define ROWS_MAX 15
#define NUMBERS 61     /* columns before the name */
#define NUMBERS_FEW 36 /* without self, share and runs */
#define SCREEN_FEW 110 /* narrower screens get these only */
#define NAME_LEAST 16
#define NAME_MOST 48
#define SITE_LEAST 24

/* A module in one run. */
struct sample {
	const char *name;	     /* borrowed */
	const struct mdl_load *load; /* borrowed */
	uint64_t total_ns, self_ns, saving_ns, uses;
	double share_pct;
	uint8_t tier;
	bool can_act;
};

/* A module over the runs. */
struct summary {
	const struct mdl_load *load;		     /* borrowed: one of the runs' */
	uint64_t total_ns, self_ns, saving_ns, uses; /* medians */
	double share_pct;
	size_t runs; /* that loaded it */
	uint8_t tier;
	bool can_act;
};

struct modules {
	struct sample *sample; /* owned */
	size_t n_samples;
	struct summary *summary; /* owned */
	size_t n;
	uint64_t *values; /* owned; to find medians in */
};

static void modules_clear(struct modules *m)
{
	free(m->sample);
	free(m->summary);
	free(m->values);
}

static int by_name(const void *a, const void *b)
{
	const struct sample *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static int by_saving(const void *a, const void *b)
{
	const struct summary *x = a, *y = b;

	if (x->can_act != y->can_act)
		return x->can_act ? -1 : 1;
	if (x->saving_ns != y->saving_ns)
		return x->saving_ns > y->saving_ns ? -1 : 1;
	if (x->total_ns != y->total_ns)
		return x->total_ns > y->total_ns ? -1 : 1;
	return strcmp(x->load->name, y->load->name);
}

static int collect_run(struct modules *m, const struct mdl_process *p)
{
	_cleanup_(rows_clear) struct rows rows = {0};
	int r = rows_init(&rows, p);

	if (r < 0)
		return r;
	for (size_t i = 0; i < rows.n; i++) {
		const struct row *row = &rows.row[i];

		if (row->stands)
			m->sample[m->n_samples++] = (struct sample){
				.name = row->load->name,
				.load = row->load,
				.total_ns = row->load->total_ns,
				.self_ns = row->load->self_ns,
				.saving_ns = row->module->saving_ns,
				.uses = row->module->uses,
				.share_pct = row->module->share_pct,
				.tier = row->module->tier,
				.can_act = savers_can_act_on(row),
			};
	}
	return 0;
}

static int collect(struct modules *m, const struct table_app *app)
{
	size_t n = 0;
	int r = 0;

	for (size_t i = 0; i < app->n_runs; i++)
		n += app->runs[i]->n_loads;
	m->sample = calloc(n + 1, sizeof(*m->sample));
	m->summary = calloc(n + 1, sizeof(*m->summary));
	m->values = calloc(n + 1, sizeof(*m->values));
	if (!m->sample || !m->summary || !m->values)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < app->n_runs; i++)
		r = collect_run(m, app->runs[i]);
	qsort(m->sample, m->n_samples, sizeof(*m->sample), by_name);
	return r;
}

/* Median of one member of the samples; offset: of an uint64_t. */
static uint64_t median(struct modules *m, const struct sample *first, size_t n, size_t offset)
{
	for (size_t i = 0; i < n; i++)
		memcpy(&m->values[i], (const char *)&first[i] + offset, sizeof(*m->values));
	return table_spread(m->values, n).median;
}

static void summarise(struct modules *m, const struct sample *first, size_t n)
{
	struct summary *s = &m->summary[m->n++];
	size_t function = 0, module = 0;

	*s = (struct summary){.load = first[n - 1].load, .runs = n};
	s->total_ns = median(m, first, n, offsetof(struct sample, total_ns));
	s->self_ns = median(m, first, n, offsetof(struct sample, self_ns));
	s->saving_ns = median(m, first, n, offsetof(struct sample, saving_ns));
	s->uses = median(m, first, n, offsetof(struct sample, uses));
	for (size_t i = 0; i < n; i++) {
		s->share_pct += first[i].share_pct / (double)n;
		function += first[i].tier == MDL_FUNCTION_LEVEL;
		module += first[i].tier == MDL_MODULE_LEVEL;
		s->can_act |= first[i].can_act;
	}
	if (function || module)
		s->tier = function > module ? MDL_FUNCTION_LEVEL : MDL_MODULE_LEVEL;
}

static bool is_narrow(const struct export_style *style)
{
	return style->width && style->width < SCREEN_FEW;
}

static size_t numbers_width(const struct export_style *style)
{
	return is_narrow(style) ? NUMBERS_FEW : NUMBERS;
}

static void add_numbers(struct buf *b, const struct table_app *app, const struct summary *s)
{
	const struct export_style *style = app->style;

	screen_color(b, style, SCREEN_GOOD);
	screen_ms(b, s->saving_ns, app->decimals, 10);
	screen_color(b, style, SCREEN_PLAIN);
	screen_color(b, style, screen_heat(s->total_ns, app->cold_start_ns));
	screen_ms(b, s->total_ns, app->decimals, 10);
	screen_color(b, style, SCREEN_PLAIN);
	if (!is_narrow(style))
		screen_ms(b, s->self_ns, app->decimals, 10);
	buf_addf(b, " %7" PRIu64, s->uses);
	if (!is_narrow(style))
		buf_addf(b, " %6.2f%% %6zu", s->share_pct, s->runs);
	buf_addf(b, "  %-4s  ", screen_tier(s->tier));
}

/* On the narrowest screens where a module was imported is left to the tree. */
static bool has_sites(const struct export_style *style)
{
	return !style->width || style->width >= numbers_width(style) + NAME_LEAST + 2 + SITE_LEAST;
}

static void add_row(struct buf *b, const struct table_app *app, const struct summary *s,
		    size_t name_width)
{
	const struct export_style *style = app->style;
	size_t taken = numbers_width(style) + name_width + 2;
	size_t room = !style->width			? 0 :
		      style->width > taken + SITE_LEAST ? style->width - taken :
							  SITE_LEAST;
	_buf_ struct buf site = {0};

	add_numbers(b, app, s);
	screen_left(b, style, s->load->name, name_width);
	if (has_sites(style)) {
		buf_adds(b, "  ");
		screen_site(&site, style, s->load, NULL, room);
	}
	if (site.len)
		screen_color(b, style, SCREEN_DIM);
	screen_join(b, &site);
	if (site.len)
		screen_color(b, style, SCREEN_PLAIN);
	screen_newline(b);
}

static size_t find_name_width(const struct table_app *app, const struct modules *m, size_t n)
{
	size_t screen = app->style->width, most = NAME_MOST, width = NAME_LEAST;
	size_t others = numbers_width(app->style) + (has_sites(app->style) ? SITE_LEAST + 2 : 0);

	for (size_t i = 0; i < n; i++)
		if (text_width(m->summary[i].load->name) > width)
			width = text_width(m->summary[i].load->name);
	if (screen && screen < others + most)
		most = screen > others + NAME_LEAST ? screen - others : NAME_LEAST;
	return width < most ? width : most;
}

static void add_rows(struct buf *b, const struct table_app *app, struct modules *m)
{
	size_t n = 0, width, left;
	uint64_t left_ns = 0;

	qsort(m->summary, m->n, sizeof(*m->summary), by_saving);
	/* Without any importer known all modules are candidates, and none is told apart. */
	while (n < m->n && n < ROWS_MAX && m->summary[n].can_act == m->summary[0].can_act &&
	       (m->summary[n].saving_ns || m->summary[n].total_ns > app->cold_start_ns / 100))
		n++;
	left = m->n - n;
	for (size_t i = n; i < m->n; i++)
		left_ns += m->summary[i].self_ns;
	width = find_name_width(app, m, n);
	buf_addc(b, '\n');
	screen_color(b, app->style, SCREEN_DIM);
	buf_adds(b, is_narrow(app->style) ?
			    "    saving     total    uses  tier  " :
			    "    saving     total      self    uses   share   runs  tier  ");
	screen_left(b, app->style, "module", width);
	buf_adds(b, has_sites(app->style) ? "  imported at" : "");
	screen_newline(b);
	screen_color(b, app->style, SCREEN_PLAIN);
	for (size_t i = 0; i < n; i++)
		add_row(b, app, &m->summary[i], width);
	if (left) {
		screen_color(b, app->style, SCREEN_DIM);
		buf_addf(b, "  %s and %zu more modules with ", app->style->utf8 ? "…" : "...",
			 left);
		screen_ms(b, left_ns, app->decimals, 0);
		buf_adds(b, " ms of their own\n");
		screen_color(b, app->style, SCREEN_PLAIN);
	}
}

int table_add_modules(struct buf *b, const struct table_app *app)
{
	_cleanup_(modules_clear) struct modules m = {0};
	int r = collect(&m, app);

	if (r < 0)
		return r;
	for (size_t i = 0, end; i < m.n_samples; i = end) {
		for (end = i + 1;
		     end < m.n_samples && !strcmp(m.sample[i].name, m.sample[end].name); end++)
			;
		summarise(&m, &m.sample[i], end - i);
	}
	if (m.n)
		add_rows(b, app, &m);
	return 0;
}
