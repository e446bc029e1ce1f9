/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Where events for CloudWatch go, as it is written in the configuration. */
#pragma once
#include <stdint.h>

#include "base/buf.h"

#define ENDPOINT_DEFAULT_PORT 25888
#define ENDPOINT_HOST_MAX 253
#define ENDPOINT_FORMS "tcp://HOST:PORT, udp://HOST:PORT, file:///PATH, stdout, off"

enum endpoint_kind { ENDPOINT_OFF, ENDPOINT_TCP, ENDPOINT_UDP, ENDPOINT_STDOUT, ENDPOINT_FILE };

struct endpoint {
	enum endpoint_kind kind;
	char *host;    /* owned; TCP, UDP: name or address, IPv6 without brackets */
	uint16_t port; /* 25888 when none is written */
	char *path;    /* owned; FILE: absolute */
};

/* -EINVAL: *error says why it is none, without what it is for; -ENOMEM. */
int endpoint_parse(const char *text, struct endpoint *ret, struct buf *error);
void endpoint_free(struct endpoint *e); /* leaves ENDPOINT_OFF */
#define _endpoint_ _cleanup_(endpoint_free)
