/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Before 5.15 a probe has no cookie to say which site it is. There a program of three lines for each site
 * (site.bpf.c) notes the number and tail-calls the real one. Handlers run with preemption off on those kernels, so a
 * slot a CPU is enough.
 */
#pragma once
#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} site_now SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} site_next SEC(".maps");
