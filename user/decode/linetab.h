/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Line of an instruction from (the head of) a code object's line table: co_lnotab up to 3.9, co_linetable of 3.10
 * (PEP 626) and of 3.11+ (location table). Source: CPython Objects/lnotab_notes.txt, Objects/locations.md (Objects/codeobject.c).
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * instr: offset in bytes of the instruction. cut: only the head of the table is given. Returns 0 and the line;
 * -ENODATA: the table ends before it or says "no line"; -ENOTSUP: unknown version; -EBADMSG: malformed.
 */
int linetab_line(uint32_t version, int32_t firstlineno, const uint8_t *table, size_t len, bool cut,
		 int32_t instr, int32_t *ret_line);
