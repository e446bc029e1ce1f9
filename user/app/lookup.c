/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "app/lookup.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#include "app/lookup_int.h"
#include "app/lookup_wire.h"
#include "app/records.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fdio.h"
#include "base/log.h"
#include "facts/record.h"

#define SHARE 4				 /* one part in so many of the time that passes */
#define CREDIT_MAX_NS (4ll * 1000000000) /* spent at once at most */
#define CREDIT_MIN_NS 2000000		 /* less is not worth to begin */

int lookup_new(struct lookup **ret)
{
	struct lookup *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	l->fd = -EBADF;
	l->credit_ns = CREDIT_MAX_NS;
	l->at_ns = records_now();
	*ret = l;
	return 0;
}

uint64_t lookup_cut(const struct lookup *l)
{
	return l->cut;
}

static double cpu_s(pid_t pid)
{
	struct timespec t;
	clockid_t clock;

	if (!pid || clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &t) < 0)
		return 0;
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

double lookup_cpu_s(const struct lookup *l)
{
	return l->gone_cpu_s + cpu_s(l->pid);
}

uint64_t lookup_dist_cut(const struct lookup *l)
{
	return l->dist_cut;
}

/* A free place for one that does not die; NULL: none. */
static pid_t *place(struct lookup *l)
{
	pid_t *found = NULL;

	for (size_t i = 0; i < LOOKUP_MAX_STUCK; i++) {
		if (l->stuck[i] && waitpid(l->stuck[i], NULL, WNOHANG) != 0)
			l->stuck[i] = 0;
		if (!l->stuck[i])
			found = &l->stuck[i];
	}
	return found;
}

/* Never waits: who hangs in a file system may not even die. */
void lookup_leave(struct lookup *l)
{
	pid_t *stuck = place(l);

	closep(&l->fd);
	l->fd = -EBADF;
	if (!l->pid)
		return;
	l->gone_cpu_s += cpu_s(l->pid);
	(void)kill(l->pid, SIGKILL);
	if (stuck)
		*stuck = l->pid;
	l->pid = 0;
}

struct lookup *lookup_free(struct lookup *l)
{
	if (!l)
		return NULL;
	/* One that hangs was left before. This one is idle and ends with its socket. */
	closep(&l->fd);
	if (l->pid)
		(void)waitpid(l->pid, NULL, 0);
	(void)place(l);
	for (size_t i = 0; i < LOOKUP_MAX_HUNG; i++)
		free(l->hung[i].path);
	for (size_t i = 0; i < l->n_left; i++)
		free(l->left[i]);
	free(l);
	return NULL;
}

/* ---- starting it */

int lookup_start(struct lookup *l)
{
	int pair[2], r;

	if (l->pid)
		return 0;
	if (!place(l))
		return -EBUSY;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	_close_ int ours = pair[0], theirs = fcntl(pair[1], F_DUPFD_CLOEXEC, LOOKUP_FD + 1);

	(void)close(pair[1]);
	if (theirs < 0 || fcntl(ours, F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	r = lookup_spawn(theirs, &l->pid);
	if (r) {
		l->pid = 0;
		return r;
	}
	l->fd = TAKE_FD(ours);
	return 0;
}

/* ---- talking to it */

static int wait_for(const struct lookup *l, short events, uint64_t end_ns)
{
	struct pollfd p = {.fd = l->fd, .events = events};
	uint64_t now = records_now();
	int n;

	if (now >= end_ns)
		return -ETIMEDOUT;
	n = poll(&p, 1, (int)((end_ns - now) / 1000000 + 1));
	return n < 0 && errno != EINTR ? -errno : 0;
}

int lookup_send(const struct lookup *l, const struct buf *b, int root_fd, uint64_t end_ns)
{
	char control[CMSG_SPACE(sizeof(int))] = {0};
	size_t at = 0;
	int r = 0;

	while (!r && at < b->len) {
		struct iovec part = {b->data + at, b->len - at};
		struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};
		ssize_t n;

		if (at == 0 && root_fd >= 0) {
			struct cmsghdr *c;

			m.msg_control = control;
			m.msg_controllen = sizeof(control);
			c = CMSG_FIRSTHDR(&m);
			*c = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
			memcpy(CMSG_DATA(c), &root_fd, sizeof(root_fd));
		}
		n = sendmsg(l->fd, &m, MSG_NOSIGNAL);
		if (n >= 0)
			at += (size_t)n;
		else if (errno == EAGAIN)
			r = wait_for(l, POLLOUT, end_ns);
		else if (errno != EINTR)
			r = -errno;
	}
	return r;
}

int lookup_receive(const struct lookup *l, void *to, size_t len, int *fd, uint64_t end_ns)
{
	size_t at = 0;
	int r = 0;

	while (!r && at < len) {
		char control[CMSG_SPACE(sizeof(int))] = {0};
		struct iovec part = {(char *)to + at, len - at};
		struct msghdr m = {.msg_iov = &part,
				   .msg_iovlen = 1,
				   .msg_control = fd ? control : NULL,
				   .msg_controllen = fd ? sizeof(control) : 0};
		ssize_t n = recvmsg(l->fd, &m, MSG_CMSG_CLOEXEC);
		const struct cmsghdr *c = n > 0 && fd ? CMSG_FIRSTHDR(&m) : NULL;

		if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS && *fd < 0)
			memcpy(fd, CMSG_DATA(c), sizeof(*fd));
		if (n > 0)
			at += (size_t)n;
		else if (n == 0)
			r = -EPIPE;
		else if (errno == EAGAIN)
			r = wait_for(l, POLLIN, end_ns);
		else if (errno != EINTR)
			r = -errno;
	}
	return r;
}

static int question(const struct mdl_process *p, int64_t offset_ns, uint64_t until_ns,
		    struct buf *ret)
{
	struct lookup_ask ask = {.start_ns = p->start_ns,
				 .started_ns = (int64_t)p->begin_ns + offset_ns,
				 .until_ns = until_ns,
				 .tgid = p->pid,
				 .version = p->py_version,
				 .n_modules = (uint32_t)p->n_modules,
				 .what = LOOKUP_MODULES};

	buf_add(ret, &ask, sizeof(ask));
	for (size_t i = 0; i < p->n_modules; i++) {
		const struct mdl_module *m = &p->modules[i];
		size_t name = strlen(m->name), file = m->file ? strlen(m->file) : 0;
		/* Longer ones do not exist: see LMMSD_NAME_MAX and LMMSD_PATH_MAX. */
		struct lookup_module head = {.name_len = (uint16_t)(name & UINT16_MAX),
					     .file_len = (uint16_t)(file & UINT16_MAX),
					     .loaded = m->status == MDL_LOADED};

		buf_add(ret, &head, sizeof(head));
		buf_add(ret, m->name, head.name_len);
		if (file)
			buf_add(ret, m->file, head.file_len);
	}
	if (buf_error(ret))
		return buf_error(ret);
	ask.bytes = (uint32_t)(ret->len - sizeof(ask));
	memcpy(ret->data, &ask, sizeof(ask));
	return 0;
}

/* Who reads hostile files may have become hostile: what it says is of this process and of this kind, or nothing. */
static bool credible(const struct mdl_process *p, const void *rec, size_t len)
{
	struct lmmsd_hdr h;

	if (len < sizeof(h))
		return false;
	memcpy(&h, rec, sizeof(h));
	return h.kind == LMMSD_EV_DIST && h.size == len && h.tgid == p->pid &&
	       h.start_ns == p->start_ns;
}

static int answers(struct lookup *l, const struct mdl_process *p, uint64_t end_ns,
		   int (*put)(void *arg, const void *rec, size_t len), void *arg, bool *ret_cut)
{
	uint8_t rec[FACTS_RECORD_MAX];
	struct lookup_end end;
	uint32_t len;
	int r;

	for (size_t i = 0; i <= p->n_modules; i++) {
		r = lookup_receive(l, &len, sizeof(len), NULL, end_ns);
		if (!r && len == 0) {
			r = lookup_receive(l, &end, sizeof(end), NULL, end_ns);
			*ret_cut = !r && end.cut;
			l->dist_cut += r ? 0 : end.dist_cut;
			return r ? r : -(int)end.error;
		}
		if (!r)
			r = len > sizeof(rec) ? -EBADMSG :
						lookup_receive(l, rec, len, NULL, end_ns);
		if (!r && !credible(p, rec, len))
			r = -EBADMSG;
		if (r)
			return r;
		r = put(arg, rec, len);
		if (r)
			return r;
	}
	return -EBADMSG;
}

/* What has passed since the last time earns some. */
static void earn(struct lookup *l, uint64_t now_ns)
{
	l->credit_ns += (int64_t)((now_ns - l->at_ns) / SHARE);
	if (l->credit_ns > CREDIT_MAX_NS)
		l->credit_ns = CREDIT_MAX_NS;
	l->at_ns = now_ns;
}

static void say(struct lookup *l, int r)
{
	if (!l->said)
		log_warning(
			"looking modules up on disk %s%s: some are without distribution or kind",
			r == -ETIMEDOUT || r == -EBUSY ? "takes too long" : "failed: ",
			r == -ETIMEDOUT || r == -EBUSY ? "" : strerror(-r));
	l->said = true;
}

int lookup_process(struct lookup *l, const struct mdl_process *p, int root_fd, int64_t offset_ns,
		   int (*put)(void *arg, const void *rec, size_t len), void *arg)
{
	const uint64_t begin_ns = records_now();
	uint64_t until_ns, end_ns;
	_buf_ struct buf b = {0};
	bool cut = false;
	int r;

	earn(l, begin_ns);
	if (l->credit_ns < CREDIT_MIN_NS) {
		l->cut++;
		return 0;
	}
	until_ns = begin_ns + (uint64_t)l->credit_ns;
	end_ns = until_ns + LOOKUP_PATIENCE_NS;
	r = question(p, offset_ns, until_ns, &b);
	if (r)
		return r;
	r = lookup_start(l);
	if (!r)
		r = lookup_send(l, &b, root_fd, end_ns);
	if (!r)
		r = answers(l, p, end_ns, put, arg, &cut);
	l->credit_ns -= (int64_t)(records_now() - begin_ns);
	if (r) {
		lookup_leave(l);
		say(l, r);
	}
	l->cut += r || cut;
	return r == -ENOMEM ? r : 0;
}
