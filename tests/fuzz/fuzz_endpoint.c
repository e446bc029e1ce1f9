/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* An endpoint's text, and any name as a dimension of CloudWatch. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "app/endpoint.h"
#include "base/text.h"
#include "export/emf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
	if (!good)
		__builtin_trap();
}

static void dimension(const uint8_t *data, size_t size)
{
	_buf_ struct buf name = {0}, value = {0};
	size_t other = 0;

	text_utf8(&name, TEXT_UTF8, data, size);
	emf_dimension(&value, buf_str(&name));
	check(value.len > 0 && value.len <= EMF_DIMENSION_MAX && *value.data != ':');
	for (size_t i = 0; i < value.len; i++) {
		check(value.data[i] >= 0x20 && value.data[i] < 0x7f);
		other += value.data[i] != ' ';
	}
	check(other > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_endpoint_ struct endpoint e = {0};
	_buf_ struct buf error = {0};
	_free_ char *text = strndup((const char *)data, size);
	int r = text ? endpoint_parse(text, &e, &error) : -ENOMEM;

	/* an error always says why, and only an error does */
	check((r == 0) == (error.len == 0) || r == -ENOMEM);
	if (r == 0 && (e.kind == ENDPOINT_TCP || e.kind == ENDPOINT_UDP))
		check(e.host && *e.host && strlen(e.host) <= ENDPOINT_HOST_MAX && e.port);
	if (r == 0 && e.kind == ENDPOINT_FILE)
		check(e.path && *e.path == '/');
	dimension(data, size);
	return 0;
}
