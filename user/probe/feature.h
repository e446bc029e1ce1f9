/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* What this kernel lets us do, found by trying; nothing is concluded from a version number. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct features {
	bool btf;	   /* /sys/kernel/btf/vmlinux */
	bool permitted;	   /* BPF programs load at all */
	bool ringbuf;	   /* 5.8 */
	bool tp_btf;	   /* exec, fork and exit tracepoints with types: 5.5 */
	bool task_storage; /* from a uprobe: 5.13 */
	bool cookie;	   /* on a uprobe: 5.15 */
	bool uprobe_multi; /* one link for many probes: 6.6 */
	bool perf_uprobe;  /* the older way: needs CAP_SYS_ADMIN */
	int error;	   /* negative errno of the first thing that failed, 0 */
};

/* Never fails: what could not be tried is false. */
void feature_probe(struct features *ret);
/*
 * What must be known before the load. The rest of what a load needs, tp_btf, takes as long as all of it together, for the kernel's whole
 * type information: it is taken for there, and asked for when the load fails.
 */
void feature_probe_for_load(struct features *ret);

/* For --check: row i of a table of name, what it is for, whether it is there and must be. False: no such row. */
struct feature_row {
	const char *name;
	const char *use;
	bool present;
	bool required;
};
bool feature_row(const struct features *f, size_t i, struct feature_row *ret);
