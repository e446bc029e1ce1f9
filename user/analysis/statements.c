/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "analysis/statements.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

/* The dot is the least character: right after a module come its submodules. */
static int by_parts(const char *x, const char *y)
{
	while (*x && *x == *y) {
		x++;
		y++;
	}
	if (*x == *y)
		return 0;
	if (!*x || !*y)
		return *x ? 1 : -1;
	if (*x == '.' || *y == '.')
		return *x == '.' ? -1 : 1;
	return (unsigned char)*x < (unsigned char)*y ? -1 : 1;
}

static int by_place(const struct statement *x, const struct statement *y)
{
	if (x->importer != y->importer)
		return x->importer < y->importer ? -1 : 1;
	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	return strcmp(x->file ? x->file : "", y->file ? y->file : "");
}

static int by_place_and_module(const void *a, const void *b)
{
	const struct statement *x = *(struct statement *const *)a,
			       *y = *(struct statement *const *)b;
	int r = by_place(x, y);

	return r ? r : by_parts(x->module, y->module);
}

static bool is_submodule(const char *module, const char *package)
{
	size_t len = strlen(package);

	return strncmp(module, package, len) == 0 && module[len] == '.';
}

int statements_imply(struct statement *statements, size_t n)
{
	_free_ struct statement **sorted = calloc(n + 1, sizeof(struct statement *));

	if (!sorted)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		statements[i].implied = false;
		sorted[i] = &statements[i];
	}
	qsort(sorted, n, sizeof(struct statement *), by_place_and_module);
	for (size_t i = 0; i < n; i++) {
		struct statement *s = sorted[i];
		size_t next = i + 1;

		if (!s->once || s->line <= 0)
			continue;
		/* the same module again: once at module level, once in a function of that line */
		while (next < n && by_place_and_module(&sorted[i], &sorted[next]) == 0)
			next++;
		s->implied = next < n && by_place(s, sorted[next]) == 0 &&
			     is_submodule(sorted[next]->module, s->module);
	}
	return 0;
}
