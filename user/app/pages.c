/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "app/pages.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "app/reviewing.h"
#include "base/cleanup.h"
#include "base/fdio.h"
#include "export/review.h"

#define FILE_MAX ((size_t)32 << 20)
#define APP_MAX 512
#define PREFIX "lmmsd-"
/* The review's own page: its styles and its script stand in it. */
#define REVIEW_CSP                                                                                   \
	"default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; " \
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

struct settings {
	char *db, *reviews; /* owned */
	struct rv_thresholds thresholds;
	enum rv_basis basis;
};

struct pages {
	pthread_mutex_t lock;
	struct settings settings; /* under lock */
	atomic_bool stop;
};

static void settings_clear(struct settings *s)
{
	free(s->db);
	free(s->reviews);
}

static int settings_copy(const struct settings *from, struct settings *ret)
{
	struct settings s = *from;

	s.db = strdup(from->db);
	s.reviews = strdup(from->reviews);
	if (!s.db || !s.reviews) {
		settings_clear(&s);
		return -ENOMEM;
	}
	*ret = s;
	return 0;
}

static int settings_of(const struct config *c, struct settings *ret)
{
	const struct settings s = {
		.db = c->db,
		.reviews = c->reviews,
		.thresholds = reviewing_thresholds(c),
		.basis = reviewing_basis(c),
	};

	return settings_copy(&s, ret);
}

static int settings_now(struct pages *p, struct settings *ret)
{
	int r;

	(void)pthread_mutex_lock(&p->lock);
	r = settings_copy(&p->settings, ret);
	(void)pthread_mutex_unlock(&p->lock);
	return r;
}

int pages_new(const struct config *config, struct pages **ret)
{
	struct pages *p = calloc(1, sizeof(*p));
	int r = p ? settings_of(config, &p->settings) : -ENOMEM;

	if (r) {
		free(p);
		return r;
	}
	(void)pthread_mutex_init(&p->lock, NULL);
	*ret = p;
	return 0;
}

struct pages *pages_free(struct pages *p)
{
	if (!p)
		return NULL;
	(void)pthread_mutex_destroy(&p->lock);
	settings_clear(&p->settings);
	free(p);
	return NULL;
}

int pages_reload(struct pages *p, const struct config *config)
{
	struct settings s, old;
	int r = settings_of(config, &s);

	if (r)
		return r;
	(void)pthread_mutex_lock(&p->lock);
	old = p->settings;
	p->settings = s;
	(void)pthread_mutex_unlock(&p->lock);
	settings_clear(&old);
	return 0;
}

void pages_stop(struct pages *p)
{
	atomic_store(&p->stop, true);
}

int pages_month(const char *text, size_t len, int32_t *ret)
{
	int year = 0, month = 0;

	if (len != 7 || text[4] != '-')
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		if (i == 4)
			continue;
		if (!isdigit((unsigned char)text[i]))
			return -EINVAL;
		if (i < 4)
			year = year * 10 + text[i] - '0';
		else
			month = month * 10 + text[i] - '0';
	}
	if (year < 1970 || month < 1 || month > 12)
		return -EINVAL;
	*ret = year * 12 + month - 1;
	return 0;
}

const char *pages_review_type(const char *name)
{
	enum export_review_format format;
	int32_t month;
	const char *dot;

	if (strncmp(name, PREFIX, strlen(PREFIX)) != 0)
		return NULL;
	name += strlen(PREFIX);
	dot = strchr(name, '.');
	if (!dot || pages_month(name, (size_t)(dot - name), &month) ||
	    export_review_format_from_suffix(dot, &format) ||
	    strcmp(export_review_suffix(format), dot) != 0)
		return NULL;
	return export_review_mime(format);
}

/* ---- the review, now */

static int ask_month(const struct web_request *r, int32_t *ret)
{
	size_t len;
	const char *text = web_request_query(r, "month", &len);

	if (text)
		return pages_month(text, len, ret);
	*ret = reviewing_month_of(store_today());
	return 0;
}

static int make_review(struct pages *p, const struct settings *s, int32_t month, const char *app,
		       struct buf *ret)
{
	_cleanup_(store_closep) struct store *store = NULL;
	_cleanup_(reviewing_freep) struct rv_review *review = NULL;
	char reason[STORE_REASON_MAX];
	char *text = NULL;
	size_t len = 0;
	FILE *f;
	int r = store_open(s->db, STORE_READ, &store, reason), r2;

	if (!r) {
		const struct reviewing in = {
			.store = store,
			.period = reviewing_month(month),
			.thresholds = s->thresholds,
			.basis = s->basis,
			.app = app,
			.max_modules = REVIEWING_MODULES_MOST,
			.stop = &p->stop,
		};

		r = reviewing_make(&in, &review);
	}
	if (r)
		return r;
	f = open_memstream(&text, &len);
	if (!f)
		return -ENOMEM;
	r = export_review(EXPORT_REVIEW_JSON, review, NULL, f);
	r2 = fclose(f) ? -ENOMEM : 0;
	if (!r && !r2 && len > FILE_MAX)
		r = -EFBIG;
	if (r || r2) {
		free(text);
		return r ? r : r2;
	}
	*ret = (struct buf){.data = text, .len = len, .cap = len + 1};
	return 0;
}

int pages_review(struct pages *p, const struct web_request *r, struct web_page **ret)
{
	_cleanup_(settings_clear) struct settings s = {0};
	struct buf body = {0};
	size_t len;
	const char *app = web_request_query(r, "app", &len);
	int32_t month;
	int e;

	if (ask_month(r, &month))
		return web_page_text(400, ret, "month: give it as YYYY-MM, as in month=2026-11");
	if (app && (len != strlen(app) || len > APP_MAX || !len))
		return web_page_text(400, ret,
				     "app: this is no name of an app; 'lmmsctl apps' lists them");
	e = settings_now(p, &s);
	if (!e)
		e = make_review(p, &s, month, app, &body);
	(void)malloc_trim(0); /* a review may take much more than the daemon needs */
	if (!e)
		return web_page_new(200, "application/json", &body, ret);
	buf_free(&body);
	if (e == -EFBIG)
		return web_page_text(
			413, ret,
			"the review is too long for one answer: ask for one app, as in app=NAME");
	if (e == -ENOENT)
		return web_page_text(404, ret, "no such app was seen; 'lmmsctl apps' lists them");
	return e;
}

/* ---- stored ones */

static int read_stored(const char *dir, const char *name, struct buf *ret)
{
	_close_ int dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_close_ int fd = -EBADF;
	char path[64];

	if (dirfd < 0)
		return -errno;
	fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return fdio_read_file(AT_FDCWD, path, FILE_MAX, ret);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return -strcmp((*a)->d_name, (*b)->d_name);
}

static int is_review(const struct dirent *e)
{
	return pages_review_type(e->d_name) != NULL;
}

static int list_stored(const char *dir, struct web_page **ret)
{
	struct buf b = {0};
	struct dirent **list = NULL;
	int n = scandir(dir, &list, is_review, by_name);

	buf_adds(
		&b,
		"<!DOCTYPE html><html lang=\"en\"><meta charset=\"utf-8\"><title>lmmsd: reviews</title>"
		"<style>body{font:15px/1.6 system-ui,sans-serif;margin:2rem}</style>"
		"<h1>Reviews</h1><p><a href=\"/\">lmmsd</a></p><ul>");
	for (int i = 0; i < n; i++) {
		/* such a name has no character that HTML would want escaped */
		buf_addf(&b, "<li><a href=\"/reviews/%s\">%s</a></li>", list[i]->d_name,
			 list[i]->d_name);
		free(list[i]);
	}
	free(list);
	buf_adds(&b,
		 n > 0 ? "</ul></html>\n" :
			 "</ul><p>None yet: the first one comes when a month has ended.</html>\n");
	return web_page_new(200, "text/html; charset=utf-8", &b, ret);
}

int pages_stored(struct pages *p, const struct web_request *r, struct web_page **ret)
{
	_cleanup_(settings_clear) struct settings s = {0};
	const char *name = web_request_path(r) + strlen("/reviews/");
	const char *type = pages_review_type(name);
	struct buf body = {0};
	int e = settings_now(p, &s);

	if (e)
		return e;
	if (!*name)
		return list_stored(s.reviews, ret);
	e = type ? read_stored(s.reviews, name, &body) : -ENOENT;
	if (e < 0) {
		buf_free(&body);
		if (e == -ENOMEM)
			return e;
		return web_page_text(404, ret, "There is no such review; /reviews/ lists them.");
	}
	e = web_page_new(200, type, &body, ret);
	if (!e && !strcmp(strrchr(name, '.'), ".html"))
		e = web_page_header(*ret, "Content-Security-Policy", REVIEW_CSP);
	return e;
}
