/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "probe/multi.h"

#include <errno.h>
#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The part of union bpf_attr that BPF_LINK_CREATE reads for this link. */
struct link_create_attr {
	uint32_t prog_fd;
	uint32_t target_fd;
	uint32_t attach_type;
	uint32_t flags;
	uint64_t path;
	uint64_t offsets;
	uint64_t ref_ctr_offsets;
	uint64_t cookies;
	uint32_t cnt;
	uint32_t multi_flags;
	uint32_t pid;
	uint32_t pad_;
};
_Static_assert(sizeof(struct link_create_attr) == 64, "link_create_attr");

int multi_link_create(const struct multi_link *link)
{
	struct link_create_attr attr = {
		.prog_fd = (uint32_t)link->prog_fd,
		.attach_type = MULTI_ATTACH_TYPE,
		.path = (uintptr_t)link->path,
		.offsets = (uintptr_t)link->offsets,
		.ref_ctr_offsets = (uintptr_t)link->semas,
		.cookies = (uintptr_t)link->cookies,
		.cnt = link->n,
	};
	long fd = syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));

	return fd < 0 ? -errno : (int)fd;
}
