/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "export/branches.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "export/savers.h"
#include "export/screen.h"

#define HIDE_PART 100 /* left out is what takes less than one part in so many */

enum state {
	HIDDEN,
	SHOWN,
	PASSED, /* not shown itself, but what is below it may be */
};

struct shown {
	uint64_t total_ns;
	int32_t row;
	int32_t above;
};

/* By the row above; index row + 1, 0 is the program. */
struct below {
	size_t first, end; /* in shown */
	size_t hidden;
	uint64_t hidden_ns;
};

struct draft {
	const struct rows *rows; /* borrowed */
	struct shown *shown;	 /* owned */
	size_t n_shown;
	struct below *below; /* owned */
	uint8_t *state;	     /* owned; by row: enum state */
	int32_t *above;	     /* owned; by row: nearest ancestor that is shown; -1: none */
	uint64_t *child_ns;  /* owned; by row: its longest child */
};

static void draft_clear(struct draft *d)
{
	free(d->shown);
	free(d->below);
	free(d->state);
	free(d->above);
	free(d->child_ns);
}

void branches_clear(struct branches *b)
{
	free(b->branch);
	*b = (struct branches){0};
}

static int longest_first(const void *a, const void *b)
{
	const struct shown *x = a, *y = b;

	if (x->above != y->above)
		return x->above < y->above ? -1 : 1;
	if (x->total_ns != y->total_ns)
		return x->total_ns > y->total_ns ? -1 : 1;
	return (x->row > y->row) - (x->row < y->row);
}

/* A package's own module, loaded by the package, which is installed rather than the program's. */
static bool is_inside(const struct rows *rows, const struct row *row)
{
	const char *file = row->module && row->module->file ? row->module->file : row->load->file;

	return row->parent >= 0 && !screen_is_local(file) &&
	       savers_same_package(row->load->name, rows->row[row->parent].load->name);
}

static enum state state_of(const struct draft *d, size_t i, uint64_t least_ns)
{
	const struct row *row = &d->rows->row[i];
	uint64_t total_ns = row->load->total_ns, inside_ns = least_ns * BRANCHES_INSIDE_FACTOR;

	if (total_ns < least_ns || (row->parent >= 0 && d->state[row->parent] == HIDDEN))
		return HIDDEN;
	if (!is_inside(d->rows, row))
		return SHOWN;
	if (total_ns < inside_ns)
		return HIDDEN;
	return d->child_ns[i] >= inside_ns && total_ns - d->child_ns[i] < least_ns ? PASSED : SHOWN;
}

/* Returns how many are shown. */
static size_t mark(struct draft *d, uint64_t least_ns)
{
	size_t n = 0;

	for (size_t i = 0; i < d->rows->n; i++) {
		int32_t parent = d->rows->row[i].parent;

		d->state[i] = (uint8_t)state_of(d, i, least_ns);
		d->above[i] = parent < 0 || d->state[parent] == SHOWN ? parent : d->above[parent];
		n += d->state[i] == SHOWN;
	}
	return n;
}

static void find_longest_children(struct draft *d)
{
	for (size_t i = 0; i < d->rows->n; i++) {
		const struct row *row = &d->rows->row[i];

		/* A child that claims more time than its parent is damage. */
		if (row->parent >= 0 && row->load->total_ns > d->child_ns[row->parent] &&
		    row->load->total_ns <= d->rows->row[row->parent].load->total_ns)
			d->child_ns[row->parent] = row->load->total_ns;
	}
}

/* What is left out, summed up where it would hang; a hidden row's time contains what is below it. */
static void sum_hidden(struct draft *d)
{
	for (size_t i = 0; i < d->rows->n; i++) {
		const struct row *row = &d->rows->row[i];
		struct below *below = &d->below[d->above[i] + 1];

		if (d->state[i] == SHOWN)
			continue;
		below->hidden++;
		if (d->state[i] == PASSED)
			below->hidden_ns += row->load->self_ns;
		else if (row->parent < 0 || d->state[row->parent] != HIDDEN)
			below->hidden_ns += row->load->total_ns;
	}
}

static void sort_shown(struct draft *d)
{
	for (size_t i = 0; i < d->rows->n; i++)
		if (d->state[i] == SHOWN)
			d->shown[d->n_shown++] = (struct shown){
				.total_ns = d->rows->row[i].load->total_ns,
				.row = (int32_t)i,
				.above = d->above[i],
			};
	qsort(d->shown, d->n_shown, sizeof(*d->shown), longest_first);
	for (size_t i = 0; i < d->n_shown; i++) {
		struct below *below = &d->below[d->shown[i].above + 1];

		if (i == 0 || d->shown[i].above != d->shown[i - 1].above)
			below->first = i;
		below->end = i + 1;
	}
}

/* What is left out gets a line of its own only where that is a lot. */
static bool has_summary(const struct branches *b, const struct below *below)
{
	return below->hidden && below->hidden_ns >= b->least_ns * BRANCHES_INSIDE_FACTOR;
}

static void add_summary(struct branches *b, const struct below *below, uint32_t depth)
{
	if (has_summary(b, below))
		b->branch[b->n++] = (struct branch){
			.row = -1,
			.depth = depth,
			.last = true,
			.hidden = below->hidden,
			.hidden_ns = below->hidden_ns,
		};
}

/* Depth first over shown; at[depth] is the next sibling to draw. */
static void lay_out(struct branches *b, const struct draft *d, size_t *at)
{
	const struct below *below = &d->below[0];
	uint32_t depth = 0;

	at[0] = below->first;
	for (;;) {
		const struct shown *s;

		if (at[depth] == below->end) {
			add_summary(b, below, depth);
			if (depth-- == 0)
				return;
			below = &d->below[d->shown[at[depth] - 1].above + 1];
			continue;
		}
		s = &d->shown[at[depth]++];
		b->branch[b->n++] = (struct branch){
			.row = s->row,
			.above = s->above,
			.depth = depth,
			.last = at[depth] == below->end && !has_summary(b, below),
		};
		if (depth > b->depth_max)
			b->depth_max = depth;
		below = &d->below[s->row + 1];
		at[++depth] = below->first;
	}
}

int branches_init(struct branches *ret, const struct rows *rows, uint64_t whole_ns, size_t max)
{
	_cleanup_(draft_clear) struct draft d = {.rows = rows};
	_cleanup_(branches_clear) struct branches b = {.least_ns = whole_ns / HIDE_PART};
	_free_ size_t *at = NULL;

	d.shown = calloc(rows->n + 1, sizeof(*d.shown));
	d.below = calloc(rows->n + 1, sizeof(*d.below));
	d.state = calloc(rows->n + 1, sizeof(*d.state));
	d.above = calloc(rows->n + 1, sizeof(*d.above));
	d.child_ns = calloc(rows->n + 1, sizeof(*d.child_ns));
	if (!d.shown || !d.below || !d.state || !d.above || !d.child_ns)
		return -ENOMEM;
	find_longest_children(&d);
	if (b.least_ns == 0)
		b.least_ns = 1;
	while (mark(&d, b.least_ns) > max && b.least_ns < UINT64_MAX / 16)
		b.least_ns += b.least_ns / 2 + 1;
	sum_hidden(&d);
	sort_shown(&d);
	b.hidden = rows->n - d.n_shown;
	/* A summary for each shown row and one for the program at most. */
	b.branch = calloc(2 * d.n_shown + 1, sizeof(*b.branch));
	at = calloc(d.n_shown + 2, sizeof(*at));
	if (!b.branch || !at)
		return -ENOMEM;
	lay_out(&b, &d, at);
	*ret = b;
	b = (struct branches){0};
	return 0;
}
