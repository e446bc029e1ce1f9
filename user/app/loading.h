/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * The load of the BPF programs, which the kernel's verifier takes most of: on a thread of its own, so that interpreters are searched
 * for meanwhile.
 */
#pragma once
#include "probe/probe.h"

struct loading;
int loading_begin(const struct probe_options *options, struct loading **ret);
/*
 * The programs, which are the caller's then. stop_fd: ends the wait when it is readable, -ECANCELED; -EBADF: none. Else probe_new()'s
 * error. Call it until it is not -ECANCELED, at most.
 */
int loading_wait(struct loading *l, int stop_fd, struct probe **ret);
/* Waits until the kernel has answered: it cannot be called off but by the end of the process. NULL. */
struct loading *loading_free(struct loading *l);
