/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* User names and passwords against bcrypt hashes. */
#pragma once
#include <stdbool.h>

#include "web/config_int.h"

struct auth;
/* Copies the users. */
int auth_new(const struct web_pairs *users, struct auth **ret);
struct auth *auth_ref(struct auth *a);
struct auth *auth_unref(struct auth *a); /* NULL */
/* Was this pair right not long ago? Quick. */
bool auth_is_known(struct auth *a, const char *user, const char *password);
/* Slow, on purpose: for a worker thread. A user that is not known takes as long as a wrong password. */
bool auth_check(struct auth *a, const char *user, const char *password);
/* Overwrites and frees what microhttpd gave out. */
void auth_wipe(char *password);
