/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Was a source file compiled in this run, or was its .pyc used? */
#pragma once
#include <stdint.h>

/*
 * file: absolute path of a .py below root_fd. version: PY_VERSION_HEX. start_ns: Unix time when the process began.
 * 0 and the kind: LMMSD_KIND_BYTECODE: __pycache__ has a .pyc that is older than the process and made from this source
 * (date and size, or hash); LMMSD_KIND_SOURCE: it has none, or one that does not fit or that was written since (by
 * this run or by another at the same time). A cache elsewhere (PYTHONPYCACHEPREFIX) is not seen. -ENOENT: no such
 * source. Other negative errno: unreadable.
 */
struct pyc_look {
	int64_t usable_ns; /* Unix time since when a .pyc is there that fits; INT64_MAX: there is none */
};
int pyc_look(int root_fd, const char *file, uint32_t version, struct pyc_look *ret);
uint8_t pyc_judge(const struct pyc_look *look, int64_t start_ns);
/* Both at once. */
int pyc_kind(int root_fd, const char *file, uint32_t version, int64_t start_ns, uint8_t *ret);
