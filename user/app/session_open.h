/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* A session as the configuration wants it; what stands in its way is said here. */
#pragma once
#include <stdio.h>

#include "app/config.h"
#include "app/session.h"

/*
 * session_begin() and session_load(). record: borrowed, or NULL. On failure *ret_exit_code is the program's. -ECANCELED, by stop_fd, is
 * not said.
 */
int session_open(const struct config *c, FILE *record, struct session **ret, int *ret_exit_code);
int session_open_load(struct session *s, int stop_fd, int *ret_exit_code);
/* The line that wrappers wait for. */
void session_say_watching(struct session *s);
