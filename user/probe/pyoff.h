/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Layouts of CPython's structures by version; the source of each row is named in pyoff.c. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "lmmsd/interp.h"

/*
 * Fills ret for a release build of this PY_VERSION_HEX (GIL build). -ENOTSUP: the minor version is unknown.
 * Addresses (runtime_va, tstate_va) stay 0: the caller has the symbols.
 */
int pyoff_fill(uint32_t version, struct lmmsd_interp *ret);

/*
 * Cross-checks ret against the _Py_DebugOffsets table at the head of _PyRuntime (3.13+), `size` bytes as read from
 * the file. 0: agrees. -EBADMSG: no table or wrong cookie. -ENOTSUP: free-threaded. -EPROTO: some offset differs
 * (*ret_field names the first one, static string). -ESTALE: its version is not `version`.
 */
int pyoff_check(const struct lmmsd_interp *off, uint32_t version, const uint8_t *table,
		uint64_t size, const char **ret_field);
