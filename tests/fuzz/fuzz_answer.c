/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* What answers as Prometheus. */
#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "fleet/answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
	size_t series, bytes;
};

static int each(const struct answer_series *s, void *arg)
{
	struct seen *seen = arg;

	/* a series has a value at a time, and all its strings are there */
	if (!s->n_samples || s->n_labels > ANSWER_LABELS_MOST)
		__builtin_trap();
	for (size_t i = 0; i < s->n_samples; i++)
		if (!isfinite(s->sample[i].t))
			__builtin_trap();
	for (size_t i = 0; i < s->n_labels; i++)
		seen->bytes += strlen(s->label[i].name) + strlen(s->label[i].value);
	seen->series++;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_buf_ struct buf text = {0}, error = {0};
	struct seen seen = {0};
	int r;

	buf_add(&text, data, size);
	r = answer_walk(buf_str(&text), text.len, each, &seen, &error);
	if (r != 0 && r != -EBADMSG && r != -EREMOTEIO && r != -ENOMEM)
		__builtin_trap();
	/* the server's words come with its refusal, and only then; more than was sent is never there */
	if ((r == -EREMOTEIO) != (error.len > 0) || seen.series > size || seen.bytes > 4 * size)
		__builtin_trap();
	return 0;
}
