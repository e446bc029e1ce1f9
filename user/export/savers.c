/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "export/savers.h"

#include <string.h>

#include "export/screen.h"

bool savers_same_package(const char *a, const char *b)
{
	size_t len = strcspn(a, ".");

	return len == strcspn(b, ".") && !memcmp(a, b, len);
}

bool savers_can_act_on(const struct row *row)
{
	const struct mdl_load *l = row->load;

	if (!row->stands || !l->importer)
		return false;
	if (screen_is_local(row->module->file ? row->module->file : l->file))
		return true;
	return !savers_same_package(l->importer, l->name);
}

size_t savers_find(const struct rows *rows, uint64_t least_ns, int32_t *ret_row, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; max && i < rows->n; i++) {
		const struct row *row = &rows->row[i];
		size_t at;

		if (!savers_can_act_on(row) || row->module->saving_ns < least_ns ||
		    row->module->saving_ns == 0)
			continue;
		/* Insertion into a short list; equal ones stay in order of start. */
		for (at = n; at > 0; at--)
			if (rows->row[ret_row[at - 1]].module->saving_ns >= row->module->saving_ns)
				break;
		if (at == max)
			continue;
		if (n < max)
			n++;
		memmove(&ret_row[at + 1], &ret_row[at], (n - at - 1) * sizeof(*ret_row));
		ret_row[at] = (int32_t)i;
	}
	return n;
}
