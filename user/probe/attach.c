/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Attaching: one uprobe_multi link a file. Before 6.6 a perf link a site; before 5.15, where a probe has no cookie,
 * also a program a site.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "lmmsd.skel.h"
#include "probe/multi.h"
#include "probe/probe_int.h"
#include "site.skel.h"

static uint32_t site_index(uint32_t interp, size_t i)
{
	return interp * LMMSD_SITES_PER_INTERP + (uint32_t)i;
}

static int publish(struct probe *p, uint32_t interp, const struct target *t)
{
	int r = bpf_map__update_elem(p->skel->maps.interps, &interp, sizeof(interp), &t->interp,
				     sizeof(t->interp), BPF_ANY);

	for (size_t i = 0; !r && i < t->n_sites; i++) {
		struct lmmsd_site site = t->site[i].site;
		uint32_t index = site_index(interp, i);

		site.interp = interp;
		r = bpf_map__update_elem(p->skel->maps.sites, &index, sizeof(index), &site,
					 sizeof(site), BPF_ANY);
	}
	return r;
}

static bool wanted(const struct probe *p, const struct target_site *s)
{
	return s->site.kind != LMMSD_SITE_IMPORT || p->options.usage;
}

static int attach_multi(struct probe *p, struct probe_interp *in, uint32_t interp, const char *path,
			const struct target *t)
{
	uint64_t offsets[LMMSD_SITES_PER_INTERP], semas[LMMSD_SITES_PER_INTERP];
	uint64_t cookies[LMMSD_SITES_PER_INTERP];
	struct multi_link link = {.path = path, .offsets = offsets, .cookies = cookies};
	int fd;

	for (size_t i = 0; i < t->n_sites; i++) {
		const struct target_site *s = &t->site[i];

		if (!wanted(p, s))
			continue;
		offsets[link.n] = s->file_offset;
		semas[link.n] = s->sema_offset;
		cookies[link.n++] = site_index(interp, i);
		if (s->sema_offset)
			link.semas = semas;
	}
	if (!link.n)
		return 0;
	link.prog_fd = bpf_program__fd(p->skel->progs.import_probe);
	fd = multi_link_create(&link);
	if (fd < 0)
		return fd;
	in->link[in->n_links++] = (struct probe_link){.fd = fd};
	return 0;
}

/* A site's own program, see bpf/site_maps.bpf.h. */
static int load_site(struct probe *p, uint32_t index, struct site_bpf **ret)
{
	struct site_bpf *own = site_bpf__open();
	int r;

	if (!own)
		return -errno;
	own->rodata->site_index = index;
	r = bpf_map__reuse_fd(own->maps.site_now, bpf_map__fd(p->skel->maps.site_now));
	if (!r)
		r = bpf_map__reuse_fd(own->maps.site_next, bpf_map__fd(p->skel->maps.site_next));
	if (!r)
		r = site_bpf__load(own);
	if (r) {
		site_bpf__destroy(own);
		return r;
	}
	*ret = own;
	return 0;
}

static int attach_perf(struct probe *p, struct probe_interp *in, uint32_t interp, const char *path,
		       const struct target_site *s, size_t i)
{
	struct probe_link *link = &in->link[in->n_links];
	LIBBPF_OPTS(bpf_uprobe_opts, opts, .ref_ctr_offset = s->sema_offset);
	struct bpf_program *program = p->skel->progs.import_probe;
	int r;

	*link = (struct probe_link){.fd = -1};
	if (p->options.features.cookie) {
		opts.bpf_cookie = site_index(interp, i);
	} else {
		r = load_site(p, site_index(interp, i), &link->object);
		if (r)
			return r;
		program = link->object->progs.import_site;
	}
	in->n_links++;
	link->perf = bpf_program__attach_uprobe_opts(program, -1, path, s->file_offset, &opts);
	return link->perf ? 0 : -errno;
}

int probe_attach(struct probe *p, int fd, const struct target *t, uint32_t *ret_interp)
{
	struct probe_interp *in;
	char path[64];
	uint32_t id = 1;
	int r;

	while (id < LMMSD_MAX_INTERPS && p->interp[id].used)
		id++;
	if (id == LMMSD_MAX_INTERPS)
		return -ENOSPC;
	in = &p->interp[id];
	/* Through the fd it is the very file that was examined, whatever the path means by now. */
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	r = publish(p, id, t);
	if (r)
		return r;
	in->used = true;
	if (p->options.features.uprobe_multi) {
		r = attach_multi(p, in, id, path, t);
	} else {
		/* Ends before starts: a start without its end would look like a loss. */
		for (size_t i = t->n_sites; !r && i > 0; i--)
			if (wanted(p, &t->site[i - 1]))
				r = attach_perf(p, in, id, path, &t->site[i - 1], i - 1);
	}
	if (r) {
		probe_detach(p, id);
		return r;
	}
	*ret_interp = id;
	return 0;
}

/* One thing that detaches when it is closed. */
static void *close_link(void *arg)
{
	struct probe_link *link = arg;

	if (link->perf)
		(void)bpf_link__destroy(link->perf);
	if (link->fd >= 0)
		(void)close(link->fd);
	return NULL;
}

#define CLOSE_AT_ONCE 64

/* The kernel lets every close wait for its readers, 30 to 100 ms: side by side they wait together. */
static void close_links(struct probe_link **link, size_t n)
{
	pthread_t thread[CLOSE_AT_ONCE];

	for (size_t from = 0; from < n; from += CLOSE_AT_ONCE) {
		size_t some = n - from < CLOSE_AT_ONCE ? n - from : CLOSE_AT_ONCE;
		bool started[CLOSE_AT_ONCE];

		for (size_t i = 0; i < some; i++) {
			started[i] = pthread_create(&thread[i], NULL, close_link, link[from + i]) ==
				     0;
			if (!started[i])
				(void)close_link(link[from + i]);
		}
		for (size_t i = 0; i < some; i++)
			if (started[i])
				(void)pthread_join(thread[i], NULL);
	}
}

static size_t collect(struct probe_interp *in, struct probe_link **ret)
{
	for (size_t i = 0; i < in->n_links; i++)
		ret[i] = &in->link[i];
	return in->n_links;
}

static void forget(struct probe_interp *in)
{
	for (size_t i = 0; i < in->n_links; i++)
		site_bpf__destroy(in->link[i].object);
	memset(in, 0, sizeof(*in));
}

void probe_detach(struct probe *p, uint32_t interp)
{
	struct probe_link *link[PROBE_MAX_LINKS];

	if (interp >= LMMSD_MAX_INTERPS || !p->interp[interp].used)
		return;
	close_links(link, collect(&p->interp[interp], link));
	forget(&p->interp[interp]);
}

void probe_detach_all(struct probe *p)
{
	struct probe_link *link[LMMSD_MAX_INTERPS * PROBE_MAX_LINKS];
	size_t n = 0;

	for (size_t i = 0; i < LMMSD_MAX_INTERPS; i++)
		n += collect(&p->interp[i], link + n);
	close_links(link, n);
	for (size_t i = 0; i < LMMSD_MAX_INTERPS; i++)
		forget(&p->interp[i]);
}
