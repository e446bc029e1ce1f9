/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "probe/probe.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "lmmsd.skel.h"
#include "probe/multi.h"
#include "probe/probe_int.h"

/* Maps of the kernel's other way; creating them would fail or waste memory. */
static int drop_unused_maps(const struct probe_options *o, struct lmmsd_bpf *skel)
{
	int r;

	if (!o->features.task_storage) {
		r = bpf_map__set_autocreate(skel->maps.threads, false);
		if (!r)
			r = bpf_map__set_autocreate(skel->maps.scratches, false);
	} else {
		r = bpf_map__set_autocreate(skel->maps.cpu_threads, false);
		if (!r)
			r = bpf_map__set_autocreate(skel->maps.cpu_scratches, false);
	}
	return r;
}

void probe_functions_static(struct bpf_object *obj)
{
	struct btf *btf = bpf_object__btf(obj);

	for (uint32_t id = 1; id < btf__type_cnt(btf); id++) {
		/* libbpf changes it in the same way where a kernel has no global functions at all */
		struct btf_type *t = (struct btf_type *)(uintptr_t)btf__type_by_id(btf, id);

		if (btf_is_func(t) && btf_vlen(t) == BTF_FUNC_GLOBAL &&
		    !bpf_object__find_program_by_name(obj, btf__name_by_offset(btf, t->name_off)))
			t->info = (uint32_t)BTF_KIND_FUNC << 24 | BTF_FUNC_STATIC;
	}
}

/* Sets what must be known before the load. */
static int tune(const struct probe_options *o, struct lmmsd_bpf *skel)
{
	struct bpf_program *prog;
	int r;

	skel->rodata->have_task_storage = o->features.task_storage;
	skel->rodata->have_cookie = o->features.cookie;
	skel->rodata->filter_pids = o->filter_pids;
	skel->rodata->filter_uid = o->filter_uid;
	skel->rodata->wanted_uid = o->uid;
	skel->rodata->wake_at = (uint32_t)(o->ring_bytes / 4);
	skel->rodata->max_keys_per_proc = (uint32_t)(o->max_use_keys / 8);
	skel->rodata->max_threads = (int32_t)(o->max_procs * 2);
	/* Pointers in their arguments are as old as 5.12 (e5069b9c23b3), cookies as 5.15. */
	if (!o->features.cookie)
		probe_functions_static(skel->obj);
	r = drop_unused_maps(o, skel);
	if (!r)
		r = bpf_map__set_max_entries(skel->maps.events, (uint32_t)o->ring_bytes);
	if (!r)
		r = bpf_map__set_max_entries(skel->maps.uses, (uint32_t)o->max_use_keys);
	if (!r)
		r = bpf_map__set_max_entries(skel->maps.procs, (uint32_t)o->max_procs);
	if (!r)
		r = bpf_map__set_max_entries(skel->maps.watched, (uint32_t)o->max_procs);
	if (r || !o->features.uprobe_multi)
		return r;
	bpf_object__for_each_program(prog, skel->obj) if (bpf_program__type(prog) ==
							  BPF_PROG_TYPE_KPROBE)(void)
		bpf_program__set_expected_attach_type(prog, MULTI_ATTACH_TYPE);
	return 0;
}

/* Where the sites' own programs go on. */
static int set_next(struct lmmsd_bpf *skel)
{
	uint32_t zero = 0, fd = (uint32_t)bpf_program__fd(skel->progs.import_probe);

	return bpf_map__update_elem(skel->maps.site_next, &zero, sizeof(zero), &fd, sizeof(fd),
				    BPF_ANY);
}

int probe_new(const struct probe_options *options, struct probe **ret)
{
	_cleanup_(probe_freep) struct probe *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return -ENOMEM;
	p->options = *options;
	p->n_cpus = libbpf_num_possible_cpus();
	if (p->n_cpus <= 0)
		return -EIO;
	p->skel = lmmsd_bpf__open();
	if (!p->skel)
		return -errno;
	r = tune(options, p->skel);
	if (!r)
		r = lmmsd_bpf__load(p->skel);
	if (!r && !options->features.cookie)
		r = set_next(p->skel);
	if (r)
		return r;
	*ret = TAKE_PTR(p);
	return 0;
}

struct probe *probe_free(struct probe *p)
{
	if (!p)
		return NULL;
	probe_detach_all(p);
	lmmsd_bpf__destroy(p->skel);
	free(p);
	return NULL;
}

int probe_attach_process(struct probe *p)
{
	struct bpf_link **links[] = {&p->skel->links.process_exit, &p->skel->links.process_fork,
				     &p->skel->links.process_exec};
	struct bpf_program *programs[] = {p->skel->progs.process_exit, p->skel->progs.process_fork,
					  p->skel->progs.process_exec};

	for (size_t i = 0; i < ARRAY_LEN(links); i++) {
		*links[i] = bpf_program__attach(programs[i]);
		if (!*links[i])
			return -errno;
	}
	return 0;
}

int probe_watch_pid(struct probe *p, uint32_t pid)
{
	uint32_t one = 1;

	return bpf_map__update_elem(p->skel->maps.watched, &pid, sizeof(pid), &one, sizeof(one),
				    BPF_ANY);
}

/* As struct exe_key in bpf/maps.bpf.h. */
struct exe_key {
	uint64_t ino;
	uint32_t ctime_s;
	uint32_t ctime_ns;
};
_Static_assert(sizeof(struct exe_key) == 16, "exe_key");

int probe_exe_verdict(struct probe *p, uint64_t ino, uint32_t ctime_s, uint32_t ctime_ns,
		      bool python)
{
	struct exe_key key = {ino, ctime_s, ctime_ns};
	uint32_t verdict = python ? 1 : 2; /* EXE_PYTHON, EXE_OTHER */

	return bpf_map__update_elem(p->skel->maps.exes, &key, sizeof(key), &verdict,
				    sizeof(verdict), BPF_ANY);
}

bool probe_exe_undecided(struct probe *p, uint64_t ino, uint32_t ctime_s, uint32_t ctime_ns)
{
	struct exe_key key = {ino, ctime_s, ctime_ns};
	uint32_t verdict = 0;

	return bpf_map__lookup_elem(p->skel->maps.exes, &key, sizeof(key), &verdict,
				    sizeof(verdict), 0) == 0 &&
	       verdict == 3; /* EXE_PENDING */
}

void probe_exe_forget(struct probe *p, uint64_t ino, uint32_t ctime_s, uint32_t ctime_ns)
{
	struct exe_key key = {ino, ctime_s, ctime_ns};

	(void)bpf_map__delete_elem(p->skel->maps.exes, &key, sizeof(key), 0);
}

int probe_use_count(struct probe *p, const struct lmmsd_use_key *key, bool take, uint64_t *ret)
{
	int fd = bpf_map__fd(p->skel->maps.uses);
	uint64_t n;

	if (bpf_map_lookup_elem(fd, key, &n))
		return -errno;
	if (take)
		(void)bpf_map_delete_elem(fd, key);
	*ret = n;
	return 0;
}

int probe_use_some(struct probe *p, uint32_t *pos, struct lmmsd_use_key *keys, uint32_t *n)
{
	_free_ uint64_t *counts = calloc(*n, sizeof(*counts));
	uint32_t next = *pos;
	int r;

	if (!counts)
		return -ENOMEM;
	r = bpf_map_lookup_batch(bpf_map__fd(p->skel->maps.uses), pos, &next, keys, counts, n,
				 NULL) ?
		    -errno :
		    0;
	if (r && r != -ENOENT)
		*n = 0;
	*pos = next;
	return r;
}

/* As struct proc in bpf/maps.bpf.h. */
struct followed {
	uint64_t start_ns;
	uint64_t exec_ns;
	uint32_t use_keys;
	uint32_t pad_;
};
_Static_assert(sizeof(struct followed) == 24, "followed");

bool probe_follows(struct probe *p, uint32_t tgid, uint64_t start_ns)
{
	struct followed f = {0};

	return bpf_map__lookup_elem(p->skel->maps.procs, &tgid, sizeof(tgid), &f, sizeof(f), 0) ==
		       0 &&
	       f.start_ns == start_ns;
}

/* The first n counters of a map that has one for each CPU. */
static int sums(const struct probe *p, const struct bpf_map *map, uint32_t n, uint64_t *ret)
{
	_free_ uint64_t *values = calloc((size_t)p->n_cpus, sizeof(*values));

	if (!values)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		ret[i] = 0;
		if (bpf_map_lookup_elem(bpf_map__fd(map), &i, values))
			return -errno;
		for (int c = 0; c < p->n_cpus; c++)
			ret[i] += values[c];
	}
	return 0;
}

int probe_lost(struct probe *p, uint64_t ret_lost[LMMSD_LOST_MAX])
{
	return sums(p, p->skel->maps.lost, LMMSD_LOST_MAX, ret_lost);
}

int probe_spent_ns(struct probe *p, uint64_t *ret)
{
	return sums(p, p->skel->maps.spent, 1, ret);
}

int probe_ring_fd(const struct probe *p)
{
	return bpf_map__fd(p->skel->maps.events);
}
