/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* One record after the other, each behind its u16 length: what the ring buffer hands out, made by a hostile writer. */
#include <stdint.h>
#include <string.h>

#include "decode/decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct decoder *d;
	struct ev ev;
	uint16_t len;

	if (decoder_new(&d) < 0)
		return 0;
	for (; size >= sizeof(len); data += len, size -= len) {
		memcpy(&len, data, sizeof(len));
		data += sizeof(len);
		size -= sizeof(len);
		len = len < size ? len : (uint16_t)size;
		(void)decoder_next(d, data, len, &ev);
	}
	(void)decoder_free(d);
	return 0;
}
