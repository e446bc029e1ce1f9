/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Writes the made-up review: page FORMAT [APPS]. */
#include <stdio.h>
#include <stdlib.h>

#include "export/review.h"
#include "unit/fake_review.h"

int main(int argc, char **argv)
{
	struct export_style style = {.width = 110, .utf8 = true};
	enum export_review_format format;
	struct fr r;
	int e;

	if (argc < 2 || export_review_format_from_name(argv[1], &format) < 0)
		return 2;
	fr_init(&r, argc > 2 ? (size_t)strtoul(argv[2], NULL, 10) % 5 : 4);
	e = export_review(format, r.review, &style, stdout);
	fr_free(&r);
	return e < 0 || fclose(stdout) != 0;
}
