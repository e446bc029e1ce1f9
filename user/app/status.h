/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* The status line on a terminal while an observation runs. */
#pragma once
#include <stdint.h>

struct session;
void status_draw(struct session *s, uint64_t started_ns);
