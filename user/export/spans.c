/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "export/spans.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"

struct root {
	uint32_t tid;
	int32_t row;
};

void spans_clear(struct spans *s)
{
	free(s->span);
	free(s->root);
	*s = (struct spans){0};
}

static int by_thread(const void *a, const void *b)
{
	const struct root *x = a, *y = b;

	if (x->tid != y->tid)
		return x->tid < y->tid ? -1 : 1;
	return (x->row > y->row) - (x->row < y->row);
}

static int sort_roots(struct spans *s, const struct rows *rows)
{
	_free_ struct root *roots = calloc(rows->n + 1, sizeof(*roots));

	s->root = calloc(rows->n + 1, sizeof(*s->root));
	if (!roots || !s->root)
		return -ENOMEM;
	for (int32_t i = rows->first; i >= 0; i = rows->row[i].next)
		roots[s->n_roots++] = (struct root){.tid = rows->row[i].load->tid, .row = i};
	qsort(roots, s->n_roots, sizeof(*roots), by_thread);
	for (size_t i = 0; i < s->n_roots; i++)
		s->root[i] = roots[i].row;
	return 0;
}

static uint64_t since(uint64_t ns, uint64_t origin_ns)
{
	return ns > origin_ns ? ns - origin_ns : 0;
}

/* One outermost load with all that is in it. Time never goes back, and who began last ends first. */
static uint64_t place(struct spans *s, const struct rows *rows, int32_t root, uint64_t origin_ns,
		      uint64_t now_ns)
{
	int32_t i = root;

	for (;;) {
		const struct mdl_load *l = rows->row[i].load;

		s->span[i].start_ns = since(l->start_ns, origin_ns);
		if (s->span[i].start_ns < now_ns)
			s->span[i].start_ns = now_ns;
		now_ns = s->span[i].start_ns;
		if (rows->row[i].first >= 0) {
			i = rows->row[i].first;
			continue;
		}
		/* Up, past all that ends here. */
		for (;;) {
			l = rows->row[i].load;
			s->span[i].end_ns = since(l->start_ns + l->total_ns, origin_ns);
			if (s->span[i].end_ns < now_ns)
				s->span[i].end_ns = now_ns;
			now_ns = s->span[i].end_ns;
			if (i == root)
				return now_ns;
			if (rows->row[i].next >= 0)
				break;
			i = rows->row[i].parent;
		}
		i = rows->row[i].next;
	}
}

int spans_init(struct spans *ret, const struct rows *rows, uint64_t origin_ns)
{
	_cleanup_(spans_clear) struct spans s = {0};
	uint64_t now_ns = 0;
	int r;

	s.span = calloc(rows->n + 1, sizeof(*s.span));
	if (!s.span)
		return -ENOMEM;
	r = sort_roots(&s, rows);
	if (r < 0)
		return r;
	for (size_t i = 0; i < s.n_roots; i++) {
		if (i == 0 || rows->row[s.root[i]].load->tid != rows->row[s.root[i - 1]].load->tid)
			now_ns = 0;
		now_ns = place(&s, rows, s.root[i], origin_ns, now_ns);
	}
	*ret = s;
	s = (struct spans){0};
	return 0;
}
