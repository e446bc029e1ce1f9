/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * The web configuration file, in the format that the exporters of Prometheus share: TLS, passwords, headers. What is not known or not
 * supported is an error, since leaving it out would serve more than was wanted.
 */
#pragma once
#include <stdbool.h>

#include "base/buf.h"

struct web_config;
/*
 * Reads the file, and the certificates and keys that it names (relative to its directory). *error: one line, with file and line
 * number where it has one. -EINVAL: wrong; -ENOENT, -EACCES, ...: could not be read.
 */
int web_config_read(const char *path, struct web_config **ret, struct buf *error);
/* The same of text, as if it stood in path: for tests. */
int web_config_parse(const char *path, const char *text, size_t len, struct web_config **ret,
		     struct buf *error);
struct web_config *web_config_free(struct web_config *c); /* NULL */
static inline void web_config_freep(struct web_config **c)
{
	(void)web_config_free(*c);
}
bool web_config_tls(const struct web_config *c);
