/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* All executable bytes of an x86-64 file, searched as bytes: no function is known yet. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/target_elf.h"

#define TEXT_MAX_REFS 32
#define TEXT_MAX_ENTRIES 64
#define TEXT_REACH 8192 /* bytes from a function's begin to a reference in it */

/* An instruction that looks as if it made an address. */
struct text_ref {
	uint64_t va;
	bool is_number;			  /* it loads what is added to _PyRuntime's address later */
	uint64_t call;			  /* by target_pursue() */
	uint64_t entry[TEXT_MAX_ENTRIES]; /* by text_entries() */
	size_t n_entries;
};

struct text_refs {
	uint64_t to;
	uint64_t number; /* `to` seen from _PyRuntime; 0: neither */
	struct text_ref ref[TEXT_MAX_REFS];
	size_t n;
};

/*
 * References to the address `to`. The bytes before an instruction may make it ambiguous: then each reading is one.
 * -E2BIG: there are more, or too much text. -EFAULT: not all of it can be read.
 */
int text_refs(const struct telf *f, uint64_t to, uint64_t runtime, struct text_refs *ret);
/* For each reference the places that are called directly, at most TEXT_REACH before it, the nearest first. */
int text_entries(const struct telf *f, struct text_refs *refs);
