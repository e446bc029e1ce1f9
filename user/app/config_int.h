/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Between config.c, config_set.c (the table of settings) and config_regex.c. */
#pragma once
#include "app/config.h"

/* Sets [section] key. -ENOENT: there is none, *error says which there are; -EINVAL; -ENOMEM. */
int config_set_key(struct config *c, const char *section, const char *key, const char *value,
		   struct buf *error);
/* Where a setting was found, if what it says can only be found wrong later. -ENOMEM. */
int config_remember(struct config *c, const char *section, const char *key, const char *from);
/* Adds the rule "name = pattern". -EINVAL: *error says why; -ENOMEM. */
int config_add_rule(struct config *c, const char *name, const char *pattern, struct buf *error);
/* A POSIX extended regular expression, without repetitions of repetitions. -EINVAL: *error says why; -ENOMEM. */
int config_compile(regex_t *regex, const char *pattern, struct buf *error);
