/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#pragma once
#include <microhttpd.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "web/config.h"

enum client_auth { CLIENT_AUTH_NONE, CLIENT_AUTH_IF_GIVEN, CLIENT_AUTH_REQUIRED };

struct web_pair {
	char *name, *value; /* owned */
};
struct web_pairs {
	struct web_pair *p; /* owned array */
	size_t n;
};
int pairs_add(struct web_pairs *to, const char *name, const char *value);
void pairs_free(struct web_pairs *p);

struct web_config {
	bool has_tls;
	char *cert_file, *key_file, *ca_file; /* owned; as written */
	struct buf cert, key, ca;	      /* PEM */
	enum client_auth client_auth;
	int min_version, max_version; /* 10, 11, 12, 13; 0: not said */
	bool client_preference;
	struct buf groups;	/* of GnuTLS's priorities */
	char *priorities;	/* owned */
	struct web_pairs users; /* name, bcrypt hash */
	struct web_pairs headers;
};

/* A value as YAML has it. */
struct web_value {
	const char *path; /* "tls_server_config.cert_file" */
	const char *key;  /* the last part of it */
	const char *text;
	bool plain; /* unquoted, so it may be true or false */
};
/* -EINVAL: *why; -ENOMEM. */
int config_set_value(struct web_config *c, const struct web_value *v, struct buf *why);
/* Is this the path of a mapping, or of a list? */
bool config_is_mapping(const char *path);
bool config_is_list(const char *path);
/* All there: reads the certificates, checks that they fit. dir: of the file. */
int config_complete(struct web_config *c, const char *dir, struct buf *why);

struct web_page;
int config_add_headers(const struct web_pairs *headers, struct web_page *p);
/* Has it shown the certificate that is asked for? */
bool tls_client_may(const struct web_config *c, struct MHD_Connection *connection);
