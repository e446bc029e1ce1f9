/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "facts/record.h"

#include <errno.h>
#include <string.h>

#include "facts/answer.h"
#include "facts/cache.h"
#include "facts/dist.h"
#include "facts/dist_int.h"

static uint16_t put(char **at, const char *s, size_t max)
{
	size_t len = s ? strlen(s) : 0;

	if (len > max)
		len = max;
	if (len)
		memcpy(*at, s, len);
	*at += len;
	return (uint16_t)len;
}

/* From the last seconds, or from disk. */
static int get_answer(struct dist *d, int root_fd, const struct facts_query *q,
		      const struct answer **ret)
{
	const struct answer *known = cache_get(dist_cache(d), root_fd, q, q->ts_ns);
	struct answer a;
	int r;

	if (known) {
		*ret = known;
		return 0;
	}
	r = answer_find(d, root_fd, q, &a);
	return r < 0 ? r : cache_put(dist_cache(d), root_fd, q, q->ts_ns, &a, ret);
}

int facts_record(struct dist *d, int root_fd, const struct facts_query *q, void *buf,
		 size_t *ret_len)
{
	struct lmmsd_ev_dist ev = {};
	char *tail = (char *)buf + sizeof(ev);
	const struct answer *a;
	const char *file;
	int r;

	/* A name or a path that was cut would be another one: nothing is said then. */
	if (strlen(q->module) > LMMSD_NAME_MAX)
		return -ENODATA;
	r = get_answer(d, root_fd, q, &a);
	if (r < 0)
		return r;
	file = a->file && strlen(a->file) <= LMMSD_PATH_MAX ? a->file : NULL;
	ev.kind = a->by_pyc ? pyc_judge(&a->look, q->started_ns) : a->kind;
	if (!a->dist && !file && ev.kind == LMMSD_KIND_UNKNOWN)
		return -ENODATA;
	ev.name_len = put(&tail, q->module, LMMSD_NAME_MAX);
	ev.dist_len = put(&tail, a->dist, FACTS_MAX_DIST);
	ev.version_len = put(&tail, a->version, FACTS_MAX_DIST);
	ev.file_len = put(&tail, file, LMMSD_PATH_MAX);
	ev.h = (struct lmmsd_hdr){
		.abi = LMMSD_ABI,
		.kind = LMMSD_EV_DIST,
		.size = (uint32_t)(tail - (char *)buf),
		.ts_ns = q->ts_ns,
		.tgid = q->tgid,
		.tid = q->tgid,
		.start_ns = q->start_ns,
	};
	memcpy(buf, &ev, sizeof(ev));
	*ret_len = ev.h.size;
	return 0;
}
