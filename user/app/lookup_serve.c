/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* The process that reads the files. It has nothing to lose: no rights but to read, no descriptor but the socket. */
#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "app/lookup.h"
#include "app/lookup_wire.h"
#include "app/options.h"
#include "app/records.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fdio.h"
#include "facts/dist.h"
#include "facts/record.h"

#define MAX_QUESTION (256u << 20)
#define MAX_MEMORY (1ull << 30) /* of addresses: the libraries' too */

struct module {
	char *name; /* in the question's text */
	char *file; /* NULL */
	bool loaded;
};

struct job {
	struct lookup_ask ask;
	int root_fd;		/* owned; -EBADF */
	char *text;		/* owned */
	struct module *modules; /* owned */
};

static void job_done(struct job *j)
{
	closep(&j->root_fd);
	free(j->text);
	free(j->modules);
}

/* 1: read. 0: end of file. A descriptor that comes along is put into *fd. */
static int read_all(void *to, size_t len, int *fd)
{
	size_t at = 0;

	while (at < len) {
		char control[CMSG_SPACE(sizeof(int))] = {0};
		struct iovec part = {(char *)to + at, len - at};
		struct msghdr m = {.msg_iov = &part,
				   .msg_iovlen = 1,
				   .msg_control = control,
				   .msg_controllen = sizeof(control)};
		ssize_t n = recvmsg(LOOKUP_FD, &m, MSG_CMSG_CLOEXEC);
		const struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&m) : NULL;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		if (c && c->cmsg_type == SCM_RIGHTS && fd && *fd < 0)
			memcpy(fd, CMSG_DATA(c), sizeof(*fd));
		at += (size_t)n;
	}
	return 1;
}

/* Cuts the text into strings: each head is overwritten by the NUL behind what comes before it. */
static int split(struct job *j)
{
	char *at = j->text, *end = j->text + j->ask.bytes;

	for (size_t i = 0; i < j->ask.n_modules; i++) {
		struct module *m = &j->modules[i];
		struct lookup_module head;

		if ((size_t)(end - at) < sizeof(head))
			return -EBADMSG;
		memcpy(&head, at, sizeof(head));
		*at = '\0';
		at += sizeof(head);
		if ((size_t)(end - at) < (size_t)head.name_len + head.file_len)
			return -EBADMSG;
		/* One to the left, over the head, makes room for the NUL between the two. */
		m->name = memmove(at - 1, at, head.name_len);
		m->name[head.name_len] = '\0';
		m->file = head.file_len ? at + head.name_len : NULL;
		m->loaded = head.loaded;
		at += head.name_len + head.file_len;
	}
	*at = '\0';
	return 0;
}

static int read_job(struct job *j)
{
	int r = read_all(&j->ask, sizeof(j->ask), &j->root_fd);

	if (r <= 0)
		return r ? r : -EPIPE;
	if (j->ask.bytes > MAX_QUESTION || j->ask.n_modules > j->ask.bytes)
		return -EBADMSG;
	j->text = malloc((size_t)j->ask.bytes + 1);
	j->modules = calloc((size_t)j->ask.n_modules + 1, sizeof(*j->modules));
	if (!j->text || !j->modules)
		return -ENOMEM;
	r = read_all(j->text, j->ask.bytes, NULL);
	if (r < 0 || (r == 0 && j->ask.bytes))
		return r ? r : -EPIPE;
	j->text[j->ask.bytes] = '\0';
	return j->ask.what == LOOKUP_MODULES ? split(j) : 0;
}

static bool same_package(const char *a, const char *b)
{
	size_t n = strcspn(a, ".");

	return strcspn(b, ".") == n && strncmp(a, b, n) == 0;
}

/* Another module of the same top-level package that has a file, best a submodule: it tells where m would lie. */
static const struct module *near(const struct job *j, const struct module *m)
{
	const struct module *found = NULL;
	size_t len = strlen(m->name);

	for (size_t i = 0; i < j->ask.n_modules; i++) {
		const struct module *o = &j->modules[i];

		if (!o->file || !same_package(o->name, m->name))
			continue;
		if (strncmp(o->name, m->name, len) == 0 && o->name[len] == '.')
			return o;
		found = o;
	}
	return found;
}

static int look(struct dist *d, const struct job *j, const struct module *m, struct buf *answer)
{
	const struct module *other = m->file ? NULL : near(j, m);
	const struct facts_query q = {
		.tgid = j->ask.tgid,
		.start_ns = j->ask.start_ns,
		.ts_ns = records_now(),
		.started_ns = j->ask.started_ns,
		.version = j->ask.version,
		.module = m->name,
		.file = m->file,
		.near = other ? other->name : NULL,
		.near_file = other ? other->file : NULL,
	};
	uint8_t rec[FACTS_RECORD_MAX];
	uint32_t len32;
	size_t len;
	int r = facts_record(d, j->root_fd, &q, rec, &len);

	if (r)
		return r == -ENOMEM ? r : 0;
	len32 = (uint32_t)len;
	buf_add(answer, &len32, sizeof(len32));
	buf_add(answer, rec, len);
	return buf_error(answer);
}

/* An editable install is told from the site directory where it is registered: these first, see dist_prepare(). */
static int look_at_all(struct dist *d, const struct job *j, struct buf *answer, bool *ret_cut)
{
	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < j->ask.n_modules; i++) {
			const struct module *m = &j->modules[i];
			int r;

			if (!m->loaded || (pass == 0 && !m->file))
				continue;
			*ret_cut = records_now() > j->ask.until_ns;
			if (*ret_cut)
				return 0;
			r = pass == 0 ? dist_prepare(d, j->root_fd, m->name, m->file) :
					look(d, j, m, answer);
			if (r == -ENOMEM)
				return r;
		}
	return 0;
}

static int serve_modules(struct dist *d, const struct job *j)
{
	const uint32_t none = 0;
	struct dist_stats before, after;
	struct lookup_end end = {0};
	_buf_ struct buf answer = {0};
	bool cut = false;
	int r;

	dist_stats(d, &before);
	r = look_at_all(d, j, &answer, &cut);
	if (r)
		return r;
	dist_stats(d, &after);
	end.cut = cut;
	end.dist_cut = (uint32_t)(after.cut - before.cut);
	buf_add(&answer, &none, sizeof(none));
	buf_add(&answer, &end, sizeof(end));
	if (buf_error(&answer))
		return buf_error(&answer);
	return fdio_write_all(LOOKUP_FD, answer.data, answer.len);
}

/* The answer to any question of one that could not give up its rights. */
static int refuse(int error)
{
	struct {
		uint32_t none;
		struct lookup_end end;
	} answer = {.end.error = (uint32_t)-error};

	return fdio_write_all(LOOKUP_FD, &answer, sizeof(answer));
}

static int serve_one(struct dist *d, int refused)
{
	_cleanup_(job_done) struct job j = {.root_fd = -EBADF};
	int r = read_job(&j);

	if (r)
		return r;
	if (refused)
		return refuse(refused);
	switch (j.ask.what) {
	case LOOKUP_MODULES:
		return serve_modules(d, &j);
	case LOOKUP_ANSWERS:
		return lookup_serve_answers(j.root_fd);
	case LOOKUP_OPEN:
		return lookup_serve_open(j.root_fd, j.text);
	case LOOKUP_WALK:
		return lookup_serve_walk(j.root_fd, j.text, j.ask.bytes);
	default:
		return -EBADMSG;
	}
}

/* What was inherited of rights goes, but for the one to read any file. -EPERM: it does not, and no file is touched. */
static int drop_rights(void)
{
	const struct rlimit memory = {MAX_MEMORY, MAX_MEMORY};
	bool reads;

	if (capng_get_caps_process())
		return -EPERM;
	reads = capng_have_capability(CAPNG_PERMITTED, CAP_DAC_READ_SEARCH);
	capng_clear(CAPNG_SELECT_CAPS);
	if (reads &&
	    capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_DAC_READ_SEARCH))
		return -EPERM;
	if (capng_apply(CAPNG_SELECT_CAPS) ||
	    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -EPERM;
#ifndef LMMSD_SANITIZED /* the shadow is larger than any limit */
	(void)setrlimit(RLIMIT_AS, &memory);
#else
	(void)memory;
#endif
	return 0;
}

int lookup_serve(void)
{
	_cleanup_(dist_freep) struct dist *d = NULL;
	const int refused = drop_rights();
	int r = dist_new(&d);

	while (!r)
		r = serve_one(d, refused);
	return r == -EPIPE ? EXIT_DONE : EXIT_INTERNAL;
}
