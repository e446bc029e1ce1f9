/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "probe/feature.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "probe/multi.h"

/* BPF_FUNC_* that bookworm's headers may lack are written as numbers of include/uapi/linux/bpf.h. */
#define FUNC_TASK_STORAGE_GET 156  /* 4cf1bc1f1045 */
#define FUNC_GET_ATTACH_COOKIE 174 /* 7adfc6c9b315 */

/* r0 = 0; exit */
static int load_nothing(enum bpf_prog_type type, enum bpf_attach_type attach, int btf_id)
{
	static const struct bpf_insn insns[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = attach,
		    .attach_btf_id = (uint32_t)btf_id);
	int fd = bpf_prog_load(type, "lmmsd_feature", "GPL", insns, ARRAY_LEN(insns), &opts);

	return fd < 0 ? -errno : fd;
}

/* A link to "/" is refused as no regular file (-EBADF) by a kernel that knows the link, with -EINVAL by another. */
static bool have_uprobe_multi(void)
{
	static const uint64_t offset = 0;
	_close_ int prog = load_nothing(BPF_PROG_TYPE_KPROBE, MULTI_ATTACH_TYPE, 0);
	struct multi_link link = {.path = "/", .offsets = &offset, .n = 1};
	int fd;

	if (prog < 0)
		return false;
	link.prog_fd = prog;
	fd = multi_link_create(&link);
	if (fd >= 0)
		(void)close(fd);
	return fd == -EBADF;
}

static bool have_tp_btf(void)
{
	int id = libbpf_find_vmlinux_btf_id("sched_process_exec", BPF_TRACE_RAW_TP);
	_close_ int prog = id > 0 ? load_nothing(BPF_PROG_TYPE_TRACING, BPF_TRACE_RAW_TP, id) :
				    -ENOENT;

	return prog >= 0;
}

static bool have_perf_uprobe(void)
{
	return access("/sys/bus/event_source/devices/uprobe/type", R_OK) == 0;
}

void feature_probe_for_load(struct features *ret)
{
	struct features f = {0};
	int fd;

	f.btf = access("/sys/kernel/btf/vmlinux", R_OK) == 0;
	fd = load_nothing(BPF_PROG_TYPE_KPROBE, 0, 0);
	if (fd < 0) {
		f.error = fd;
	} else {
		f.permitted = true;
		(void)close(fd);
	}
	if (f.permitted) {
		f.ringbuf = libbpf_probe_bpf_map_type(BPF_MAP_TYPE_RINGBUF, NULL) == 1;
		f.tp_btf = f.btf;
		f.task_storage = libbpf_probe_bpf_helper(BPF_PROG_TYPE_KPROBE,
							 FUNC_TASK_STORAGE_GET, NULL) == 1;
		f.cookie = libbpf_probe_bpf_helper(BPF_PROG_TYPE_KPROBE, FUNC_GET_ATTACH_COOKIE,
						   NULL) == 1;
		f.uprobe_multi = f.cookie && have_uprobe_multi();
	}
	f.perf_uprobe = have_perf_uprobe();
	*ret = f;
}

void feature_probe(struct features *ret)
{
	feature_probe_for_load(ret);
	ret->tp_btf = ret->tp_btf && have_tp_btf();
}

bool feature_row(const struct features *f, size_t i, struct feature_row *ret)
{
	const struct feature_row rows[] = {
		{"BPF programs", "everything", f->permitted, true},
		{"kernel type information (BTF)", "reading process facts", f->btf, true},
		{"BPF ring buffer", "events to user space", f->ringbuf, true},
		{"typed tracepoints", "seeing processes start, fork and end", f->tp_btf, true},
		{"uprobe_multi links", "fast attach and detach, no CAP_SYS_ADMIN", f->uprobe_multi,
		 false},
		{"perf uprobes", "probes on kernels before 6.6", f->perf_uprobe, !f->uprobe_multi},
		{"probe cookies", "one program for all interpreters", f->cookie, false},
		{"task storage", "buffers that pre-emption cannot disturb", f->task_storage, false},
	};

	if (i >= ARRAY_LEN(rows))
		return false;
	*ret = rows[i];
	return true;
}
