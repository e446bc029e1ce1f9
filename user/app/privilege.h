/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* What the daemon may do: given up as far as it can be, before its first thread, for good. */
#pragma once
#include <stdbool.h>

/*
 * Keeps, of the capabilities it has, CAP_BPF, CAP_PERFMON, CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH; with perf_uprobes also
 * CAP_SYS_ADMIN. By exec none comes back but CAP_DAC_READ_SEARCH, for lookup.c's process. Root becomes the owner of what it writes, if that is one user; if it
 * is several, it stays root and keeps CAP_DAC_OVERRIDE and CAP_CHOWN. db: a file, reviews: a directory;
 * neither need be there.
 * Says itself what is wrong. Threads that run already keep what they have.
 */
int privilege_drop(const char *db, const char *reviews, bool perf_uprobes);
