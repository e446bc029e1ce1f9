/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* The records that user space adds to the stream. Each builder returns the length, 0 when buf is too small. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lmmsd/event.h"
#include "lmmsd/reasons.h"

#define RECORDS_MAX 4096

size_t records_host(void *buf, size_t cap, bool usage);
size_t records_interp(void *buf, size_t cap, uint32_t interp, uint32_t version, uint8_t probe,
		      uint8_t flags, const char *path);
size_t records_uses(void *buf, size_t cap, uint32_t tgid, uint64_t start_ns,
		    const struct lmmsd_use_key *key, uint64_t count);
/* One that user space found out. */
size_t records_exit(void *buf, size_t cap, uint32_t tgid, uint64_t start_ns);
size_t records_lost(void *buf, size_t cap, const uint64_t lost[LMMSD_LOST_MAX]);
/* end_ns: when the observation stopped, before the records that count up what still ran. */
size_t records_end(void *buf, size_t cap, uint64_t end_ns);

uint64_t records_now(void); /* CLOCK_MONOTONIC, ns */
