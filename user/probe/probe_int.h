/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Shared by probe.c and attach.c only. */
#pragma once
#include <bpf/libbpf.h>

#include "probe/probe.h"

#define PROBE_MAX_LINKS (LMMSD_SITES_PER_INTERP)

struct lmmsd_bpf;
struct site_bpf;

/* A thing that detaches when it is closed: a multi link's fd, or a libbpf link with the object it needs. */
struct probe_link {
	int fd;			 /* multi link; -1: none */
	struct bpf_link *perf;	 /* owned; NULL: none */
	struct site_bpf *object; /* owned; only where each site has a program of its own */
};

struct probe_interp {
	bool used;
	size_t n_links;
	struct probe_link link[PROBE_MAX_LINKS];
};

struct probe {
	struct lmmsd_bpf *skel; /* owned */
	struct probe_options options;
	struct probe_interp interp[LMMSD_MAX_INTERPS]; /* slot 0 stays empty: id 0 means unknown */
	int n_cpus;
};

/* Every interpreter, side by side. */
void probe_detach_all(struct probe *p);
