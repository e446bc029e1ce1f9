/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* What the kernel says of the programs' run time. */
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "lmmsd.skel.h"
#include "probe/probe_int.h"
#include "site.skel.h"

#define SWITCH "/proc/sys/kernel/bpf_stats_enabled"

static bool is_on(void)
{
	_fclose_ FILE *f = fopen(SWITCH, "re");

	return f && fgetc(f) == '1';
}

int probe_stats_open(void)
{
	int fd = bpf_enable_stats(BPF_STATS_RUN_TIME);

	return fd < 0 ? -errno : fd;
}

int probe_stats_use(struct probe *p, int fd)
{
	p->stats_fd = fd;
	p->stats = fd >= 0 || is_on();
	return p->stats ? 0 : -EPERM;
}

static uint64_t run_ns(const struct bpf_object *obj)
{
	struct bpf_program *prog;
	uint64_t sum = 0;

	bpf_object__for_each_program(prog, obj)
	{
		struct bpf_prog_info info = {0};
		__u32 len = sizeof(info);
		int fd = bpf_program__fd(prog);

		if (fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &len) == 0)
			sum += info.run_time_ns;
	}
	return sum;
}

int probe_run_ns(struct probe *p, uint64_t *ret)
{
	uint64_t sum;

	if (!p->stats)
		return -EPERM;
	sum = run_ns(p->skel->obj) + p->gone_run_ns;
	for (size_t i = 0; i < LMMSD_MAX_INTERPS; i++) {
		const struct probe_interp *in = &p->interp[i];

		for (size_t k = 0; in->used && k < in->n_links; k++)
			if (in->link[k].object)
				sum += run_ns(in->link[k].object->obj);
	}
	*ret = sum;
	return 0;
}

void probe_stats_keep(struct probe *p, const struct probe_link *link)
{
	if (p->stats && link->object)
		p->gone_run_ns += run_ns(link->object->obj);
}

void probe_stats_end(struct probe *p)
{
	if (p->stats_fd >= 0)
		(void)close(p->stats_fd);
}
