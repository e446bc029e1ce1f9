/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* What an HTTP client chooses: an Accept header, a month, a review's name, an address to listen on. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "app/pages.h"
#include "export/metrics.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	const char *type;
	int32_t month;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	(void)export_metrics_negotiate(text);
	/* a month that is one is seven characters, and nothing else */
	if (pages_month(text, size, &month) == 0 && (size != 7 || month < 1970 * 12))
		__builtin_trap();
	/* a name that is one cannot leave its directory */
	type = pages_review_type(text);
	if (type && (strchr(text, '/') || strstr(text, "..") || strlen(text) > 24))
		__builtin_trap();
	free(text);
	return 0;
}
