/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Shared by the files of facts only. */
#pragma once

struct cache;
struct dist;
/* The answers that d remembers; borrowed. */
struct cache *dist_cache(struct dist *d);
