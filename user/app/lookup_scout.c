/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* What that other process goes to first: files, names and directories whose file system might not answer. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "app/lookup_int.h"
#include "app/lookup_wire.h"
#include "app/mounts.h"
#include "app/records.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"

#define AGAIN_NS (600ull * 1000000000) /* before what did not answer is asked again */
#define SEARCH_NS (20ull * 1000000000) /* a search takes at most */
#define MAX_MESSAGE (1 + LOOKUP_MAX_PATH)

/* ---- what did not answer */

static bool below(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	return strncmp(path, dir, n) == 0 && (path[n] == '\0' || path[n] == '/');
}

static bool hangs(const struct lookup *l, int what, uint64_t mount, const char *path)
{
	uint64_t now = records_now();

	for (size_t i = 0; i < LOOKUP_MAX_HUNG; i++) {
		const struct lookup_hung *h = &l->hung[i];

		if (h->again_ns > now && h->what == what && h->mount == mount &&
		    (!h->path || below(path, h->path)))
			return true;
	}
	return false;
}

static void remember(struct lookup *l, int what, uint64_t mount, const char *path, size_t len)
{
	struct lookup_hung *h = &l->hung[l->next_hung++ % LOOKUP_MAX_HUNG];

	free(h->path);
	*h = (struct lookup_hung){.what = what,
				  .mount = mount,
				  .path = path ? strndup(path, len) : NULL,
				  .again_ns = records_now() + AGAIN_NS};
	if (path && !h->path)
		h->again_ns = 0;
}

static void say_hung(const char *path, const char *what)
{
	_buf_ struct buf shown = {0};

	text_printable(&shown, path);
	log_warning("'%s' does not answer: %s", buf_str(&shown), what);
}

/* ---- one question, one answer */

/* *ret_fd, when wanted, may be set on failure too. */
static int ask(struct lookup *l, uint8_t what, const char *text, int fd, int *ret_fd)
{
	struct lookup_ask head = {.what = what, .bytes = text ? (uint32_t)strlen(text) : 0};
	uint64_t end_ns = records_now() + LOOKUP_PATIENCE_NS;
	struct lookup_end end = {0};
	_buf_ struct buf b = {0};
	uint32_t none;
	int r;

	buf_add(&b, &head, sizeof(head));
	if (text)
		buf_adds(&b, text);
	r = buf_error(&b);
	if (r)
		return r;
	r = lookup_start(l);
	if (!r)
		r = lookup_send(l, &b, fd, end_ns);
	if (!r)
		r = lookup_receive(l, &none, sizeof(none), ret_fd, end_ns);
	if (!r)
		r = lookup_receive(l, &end, sizeof(end), NULL, end_ns);
	if (r) {
		lookup_leave(l);
		return r;
	}
	return end.error ? -(int)end.error : 0;
}

int lookup_answers(void *lookup, int path_fd)
{
	struct lookup *l = lookup;
	uint64_t mount = mounts_of(path_fd);
	int r;

	if (mount && hangs(l, LOOKUP_ANSWERS, mount, NULL))
		return -ETIMEDOUT;
	r = ask(l, LOOKUP_ANSWERS, NULL, path_fd, NULL);
	if (r == -ETIMEDOUT && mount) {
		remember(l, LOOKUP_ANSWERS, mount, NULL, 0);
		log_warning("a file system does not answer: what runs from there is not watched");
	}
	return r;
}

int lookup_open(void *lookup, int root_fd, const char *path)
{
	struct lookup *l = lookup;
	const char *slash = strrchr(path, '/');
	uint64_t mount = mounts_of(root_fd);
	_close_ int fd = -EBADF;
	int r;

	if (hangs(l, LOOKUP_OPEN, mount, path))
		return -ETIMEDOUT;
	r = ask(l, LOOKUP_OPEN, path, root_fd, &fd);
	if (r == -ETIMEDOUT) {
		remember(l, LOOKUP_OPEN, mount, path,
			 slash && slash > path ? (size_t)(slash - path) : strlen(path));
		say_hung(path, "a Python there is not watched");
	}
	if (r)
		return r;
	return fd < 0 ? -EBADMSG : TAKE_FD(fd);
}

/* ---- the search */

struct search {
	int root_fd;
	int (*found)(void *arg, const char *path);
	void *arg;
	uint64_t end_ns;
	uint64_t cut;
	char at[LOOKUP_MAX_PATH + 1]; /* where it is */
};

static void note_left(struct lookup *l, const char *path)
{
	for (size_t i = 0; i < l->n_left; i++)
		if (strcmp(l->left[i], path) == 0)
			return;
	if (l->n_left == LOOKUP_MAX_LEFT)
		return;
	l->left[l->n_left] = strdup(path);
	l->n_left += l->left[l->n_left] != NULL;
}

const char *lookup_left(const struct lookup *l, size_t i)
{
	return i < l->n_left ? l->left[i] : NULL;
}

/* 1: there is more. 0: the end. */
static int message(struct lookup *l, struct search *s)
{
	uint64_t end_ns = records_now() + LOOKUP_PATIENCE_NS;
	char text[MAX_MESSAGE + 1];
	struct lookup_end end;
	uint32_t len;
	int r = lookup_receive(l, &len, sizeof(len), NULL, end_ns);

	if (!r && len == 0) {
		r = lookup_receive(l, &end, sizeof(end), NULL, end_ns);
		s->cut += r ? 0 : end.cut;
		return r ? r : -(int)end.error;
	}
	if (!r)
		r = len < 2 || len > MAX_MESSAGE ? -EBADMSG :
						   lookup_receive(l, text, len, NULL, end_ns);
	if (r)
		return r;
	text[len] = '\0';
	if (text[0] == LOOKUP_AT)
		(void)snprintf(s->at, sizeof(s->at), "%s", text + 1);
	else if (text[0] == LOOKUP_LEFT)
		note_left(l, text + 1);
	else if (text[0] == LOOKUP_FOUND)
		r = s->found(s->arg, text + 1);
	return r ? r : 1;
}

static int search_once(struct lookup *l, struct search *s)
{
	struct lookup_ask head = {.what = LOOKUP_WALK};
	uint64_t now = records_now();
	_buf_ struct buf text = {0};
	_buf_ struct buf b = {0};
	int r;

	for (size_t i = 0; i < LOOKUP_MAX_HUNG; i++)
		if (l->hung[i].what == LOOKUP_WALK && l->hung[i].again_ns > now)
			buf_add(&text, l->hung[i].path, strlen(l->hung[i].path) + 1);
	head.bytes = (uint32_t)text.len;
	buf_add(&b, &head, sizeof(head));
	buf_add(&b, text.data, text.len);
	r = buf_error(&text) ? buf_error(&text) : buf_error(&b);
	if (r)
		return r;
	s->at[0] = '\0';
	r = lookup_start(l);
	if (!r)
		r = lookup_send(l, &b, s->root_fd, now + LOOKUP_PATIENCE_NS);
	if (!r)
		r = 1;
	while (r > 0)
		r = records_now() > s->end_ns ? -ETIME : message(l, s);
	if (r < 0)
		lookup_leave(l);
	return r;
}

/* Passes by from now on: the mount, if it is of a kind that waits for others. */
static void pass_by(struct lookup *l, const char *at)
{
	size_t len = mounts_foreign(at);

	remember(l, LOOKUP_WALK, 0, at, len ? len : strlen(at));
}

static void say_search(struct lookup *l, const char *at, int r)
{
	_buf_ struct buf shown = {0};

	text_printable(&shown, *at ? at : "/");
	if (!l->search_said)
		log_warning(
			"the search for Pythons was ended at '%s': %s; those that it missed are found when they run",
			buf_str(&shown),
			r == -ETIME	? "it took too long" :
			r == -ETIMEDOUT ? "too many file systems do not answer" :
					  strerror(-r));
	l->search_said = true;
}

int lookup_walk(void *lookup, int root_fd, int (*found)(void *found_arg, const char *path),
		void *found_arg, uint64_t *ret_cut)
{
	struct lookup *l = lookup;
	struct search s = {.root_fd = root_fd,
			   .found = found,
			   .arg = found_arg,
			   .end_ns = records_now() + SEARCH_NS};
	int r = -ETIMEDOUT;

	if (records_now() < l->search_again_ns)
		return 0;
	for (int i = 0; r == -ETIMEDOUT && i < LOOKUP_MAX_STUCK; i++) {
		r = search_once(l, &s);
		if (r == -ETIMEDOUT && s.at[0]) {
			pass_by(l, s.at);
			say_hung(l->hung[(l->next_hung - 1) % LOOKUP_MAX_HUNG].path ?: s.at,
				 "Pythons there are only found when they run");
			s.cut++;
		}
	}
	*ret_cut += s.cut;
	if (!r || r == -ENOMEM)
		return r;
	++*ret_cut;
	say_search(l, s.at, r);
	l->search_again_ns = records_now() + AGAIN_NS;
	return 0;
}
