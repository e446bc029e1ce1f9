/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * uprobe_multi links by the bare system call: libbpf 1.1 has no function for them, and its headers not the fields.
 * Kernel: 89ae89f53d20 ("bpf: Add multi uprobe link", 6.6).
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

#define MULTI_ATTACH_TYPE 48 /* BPF_TRACE_UPROBE_MULTI */

struct multi_link {
	int prog_fd;
	const char *path;	 /* of the file; /proc/self/fd/N works */
	const uint64_t *offsets; /* file offsets */
	const uint64_t *semas;	 /* file offsets of USDT semaphores, 0: none; NULL: none at all */
	const uint64_t *cookies; /* NULL: none */
	uint32_t n;
};

/* A link's fd, to be closed to detach; negative errno. */
int multi_link_create(const struct multi_link *link);
