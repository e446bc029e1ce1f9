/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Shared by probe.c, attach.c and their tests only. */
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

/*
 * Between open and load: makes the functions static that the verifier would walk once each (GLOBAL in bpf/maps.bpf.h), for
 * kernels whose global functions take no pointers.
 */
void probe_functions_static(struct bpf_object *obj);

/* Every interpreter, side by side. */
void probe_detach_all(struct probe *p);
