/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * The imports whose deferral would shorten the start most, as far as somebody can act on them: the ones that the
 * program's own code makes, and the ones by which one package pulls in another. Only within export/.
 */
#pragma once
#include "export/rows.h"

/*
 * The rows with the largest savings of at least least_ns, the largest first; at most max. ret_row: caller's, max
 * entries. Returns how many.
 */
size_t savers_find(const struct rows *rows, uint64_t least_ns, int32_t *ret_row, size_t max);
/* Whether it stands for its module, and an edit could defer it. */
bool savers_can_act_on(const struct row *row);
/* Whether the two names are of one top-level package. */
bool savers_same_package(const char *a, const char *b);
