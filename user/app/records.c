/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "app/records.h"

#include <fcntl.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#include "base/buf.h"
#include "base/fdio.h"

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec ts;

	(void)clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

uint64_t records_now(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

static void header(struct lmmsd_hdr *h, uint16_t kind, size_t size)
{
	h->abi = LMMSD_ABI;
	h->kind = kind;
	h->size = (uint16_t)size;
	h->ts_ns = records_now();
}

struct tail {
	uint8_t *at;
	size_t left;
	bool full;
};

static uint16_t add(struct tail *t, const char *s)
{
	size_t len = s ? strlen(s) : 0;

	if (len > 1024)
		len = 1024;
	if (len > t->left) {
		t->full = true;
		return 0;
	}
	if (len)
		memcpy(t->at, s, len);
	t->at += len;
	t->left -= len;
	return (uint16_t)len;
}

static size_t finish(void *buf, const struct tail *t, struct lmmsd_hdr *h)
{
	if (t->full)
		return 0;
	h->size = (uint16_t)(t->at - (uint8_t *)buf);
	return h->size;
}

size_t records_host(void *buf, size_t cap, bool usage)
{
	struct lmmsd_ev_host e = {.usage = usage};
	struct tail t = {(uint8_t *)buf + sizeof(e), cap - sizeof(e), cap < sizeof(e)};
	_buf_ struct buf boot = {0};
	struct utsname u;
	size_t n;

	if (t.full)
		return 0;
	header(&e.h, LMMSD_EV_HOST, sizeof(e));
	e.realtime_offset_ns = (int64_t)(clock_ns(CLOCK_REALTIME) - records_now());
	if (uname(&u))
		memset(&u, 0, sizeof(u));
	(void)fdio_read_file(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 128, &boot);
	n = strcspn(buf_str(&boot), "\n");
	if (boot.data)
		boot.data[n] = '\0';
	e.name_len = add(&t, u.nodename);
	e.kernel_len = add(&t, u.release);
	e.arch_len = add(&t, u.machine);
	e.boot_id_len = add(&t, buf_str(&boot));
	e.version_len = add(&t, LMMSD_VERSION);
	n = finish(buf, &t, &e.h);
	memcpy(buf, &e, sizeof(e));
	return n;
}

size_t records_interp(void *buf, size_t cap, uint32_t interp, uint32_t version, uint8_t probe,
		      uint8_t flags, const char *path)
{
	struct lmmsd_ev_interp e = {
		.interp = interp, .version = version, .probe = probe, .flags = flags};
	struct tail t = {(uint8_t *)buf + sizeof(e), cap - sizeof(e), cap < sizeof(e)};
	size_t n;

	if (t.full)
		return 0;
	header(&e.h, LMMSD_EV_INTERP, sizeof(e));
	e.path_len = add(&t, path);
	n = finish(buf, &t, &e.h);
	memcpy(buf, &e, sizeof(e));
	return n;
}

size_t records_uses(void *buf, size_t cap, uint32_t tgid, uint64_t start_ns,
		    const struct lmmsd_use_key *key, uint64_t count)
{
	struct lmmsd_ev_uses e = {.key = *key, .count = count};

	if (cap < sizeof(e))
		return 0;
	header(&e.h, LMMSD_EV_USES, sizeof(e));
	e.h.tgid = tgid;
	e.h.start_ns = start_ns;
	memcpy(buf, &e, sizeof(e));
	return sizeof(e);
}

size_t records_exit(void *buf, size_t cap, uint32_t tgid, uint64_t start_ns)
{
	struct lmmsd_ev_exit e = {.flags = LMMSD_EXIT_UNSEEN};

	if (cap < sizeof(e))
		return 0;
	header(&e.h, LMMSD_EV_EXIT, sizeof(e));
	e.h.tgid = e.h.tid = tgid;
	e.h.start_ns = start_ns;
	memcpy(buf, &e, sizeof(e));
	return sizeof(e);
}

size_t records_end(void *buf, size_t cap, uint64_t end_ns)
{
	struct lmmsd_hdr e;

	if (cap < sizeof(e))
		return 0;
	memset(&e, 0, sizeof(e));
	header(&e, LMMSD_EV_END, sizeof(e));
	e.ts_ns = end_ns;
	memcpy(buf, &e, sizeof(e));
	return sizeof(e);
}

size_t records_lost(void *buf, size_t cap, const uint64_t lost[LMMSD_LOST_MAX])
{
	struct lmmsd_ev_lost e = {0};

	if (cap < sizeof(e))
		return 0;
	header(&e.h, LMMSD_EV_LOST, sizeof(e));
	memcpy(e.count, lost, LMMSD_LOST_MAX * sizeof(*lost));
	memcpy(buf, &e, sizeof(e));
	return sizeof(e);
}
