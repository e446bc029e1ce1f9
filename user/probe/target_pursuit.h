/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#pragma once
#include <stdbool.h>

#include "probe/target_code.h"
#include "probe/target_text.h"

/*
 * Is the address that the instruction at ref makes passed to a call as its second argument, a method's name? True also
 * when that cannot be told. Sets ref->call: where, 0: not told.
 */
bool target_pursue(struct code *c, const struct text_refs *refs, struct text_ref *ref);
