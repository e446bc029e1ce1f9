/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "app/textfile.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "app/aside.h"
#include "base/fdio.h"
#include "base/log.h"

#define US_PER_S 1000000ull
#define ACCURACY_US 100000
#define SLOW_US (5 * US_PER_S) /* a write that takes longer is told of */
#define WAIT_MS 2000	       /* at the end */
#define MODE 0644	       /* node_exporter is another user */

/* What the disk may keep waiting. */
struct page {
	char *path, *temp; /* owned */
	struct buf text;
	bool there;
	int error; /* of the last one */
};

struct textfile {
	struct page *page; /* the job of aside: not looked at while that is busy */
	struct aside *aside;
	char *path; /* owned */
	uint64_t step_us;
	sd_event_source *timer; /* owned */
	textfile_fn render;
	void *arg;
	uint64_t begun_us; /* the last write */
	uint64_t left_out; /* pages, while the disk did not take one */
	bool said;	   /* that it cannot be written */
};

/* Beside the file, with a name that node_exporter does not read. */
static int open_temp(const struct page *p, int *ret)
{
	int fd;

	if (unlink(p->temp) < 0 && errno != ENOENT)
		return -errno;
	fd = open(p->temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, MODE);
	if (fd < 0)
		return -errno;
	*ret = fd;
	return fchmod(fd, MODE) < 0 ? -errno : 0; /* whatever the umask is */
}

/* Without fsync(): after a crash the next one comes. */
static void write_page(void *job)
{
	struct page *p = job;
	_close_ int fd = -EBADF;
	int r = open_temp(p, &fd);

	if (!r)
		r = fdio_write_all(fd, p->text.data, p->text.len);
	if (!r && rename(p->temp, p->path) < 0)
		r = -errno;
	if (r && fd >= 0)
		(void)unlink(p->temp);
	p->there = p->there || !r;
	p->error = r;
}

static void page_free(void *job)
{
	struct page *p = job;

	if (p->there)
		(void)unlink(p->path);
	free(p->path);
	free(p->temp);
	buf_free(&p->text);
	free(p);
}

static void say(struct textfile *t, int error)
{
	if (error && !t->said)
		log_error(
			"cannot write '%s' for node_exporter: %s: it is tried again; the observation goes on",
			t->path,
			error == -ETIMEDOUT ? "the disk does not answer" : strerror(-error));
	else if (!error && t->said)
		log_info("'%s' for node_exporter is written again; %llu pages were left out",
			 t->path, (unsigned long long)t->left_out);
	t->said = error != 0;
}

static void on_written(void *owner)
{
	struct textfile *t = owner;

	t->left_out += t->page->error != 0;
	say(t, t->page->error);
	if (!t->page->error)
		t->left_out = 0;
}

/* A page that is not written in time is left out: the next one has all that it would have had. */
static void turn(struct textfile *t, uint64_t now)
{
	int r;

	if (aside_busy(t->aside)) {
		t->left_out++;
		if (now - t->begun_us >= SLOW_US)
			say(t, -ETIMEDOUT);
		return;
	}
	buf_reset(&t->page->text);
	r = t->render(t->arg, &t->page->text);
	if (r) {
		t->left_out++;
		say(t, r);
		return;
	}
	t->begun_us = now;
	aside_begin(t->aside);
}

static int on_timer(sd_event_source *es, uint64_t usec, void *arg)
{
	struct textfile *t = arg;
	uint64_t now = usec;

	(void)sd_event_now(sd_event_source_get_event(es), CLOCK_MONOTONIC, &now);
	turn(t, now);
	(void)sd_event_source_set_time_relative(es, t->step_us);
	return sd_event_source_set_enabled(es, SD_EVENT_ONESHOT);
}

static int prepare(struct textfile *t, const struct config *config)
{
	_buf_ struct buf temp = {0};
	struct page *p = t->page;
	struct stat st;
	_close_ int fd = -EBADF;
	int r;

	buf_addf(&temp, "%s.tmp", config->textfile.path);
	t->path = strdup(config->textfile.path);
	p->path = strdup(config->textfile.path);
	p->temp = buf_take(&temp);
	if (!t->path || !p->path || !p->temp)
		return -ENOMEM;
	r = stat(p->path, &st) == 0 && S_ISDIR(st.st_mode) ? -EISDIR : open_temp(p, &fd);
	if (fd >= 0)
		(void)unlink(p->temp);
	if (r)
		log_error("%s: cannot write '%s' for node_exporter: %s: change [textfile] path",
			  config->textfile.from ? config->textfile.from : "the default", p->path,
			  strerror(-r));
	return r;
}

int textfile_new(sd_event *event, const struct config *config, textfile_fn render, void *arg,
		 struct textfile **ret)
{
	static const struct aside_ops ops = {write_page, page_free, on_written};
	struct textfile *t;
	int r;

	*ret = NULL;
	if (!config->textfile.path)
		return 0;
	t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->page = calloc(1, sizeof(*t->page));
	t->render = render;
	t->arg = arg;
	t->step_us = config->textfile.interval_s * US_PER_S;
	r = t->page ? prepare(t, config) : -ENOMEM;
	if (!r)
		r = aside_new(event, &ops, t->page, t, &t->aside);
	if (!r)
		r = sd_event_add_time_relative(event, &t->timer, CLOCK_MONOTONIC, 0, ACCURACY_US,
					       on_timer, t);
	if (r < 0) {
		(void)textfile_free(t);
		return r;
	}
	*ret = t;
	return 0;
}

void textfile_every(struct textfile *t, const struct config *config)
{
	const uint64_t step_us = config->textfile.interval_s * US_PER_S;

	if (step_us == t->step_us)
		return;
	t->step_us = step_us;
	(void)sd_event_source_set_time_relative(t->timer, 0);
	(void)sd_event_source_set_enabled(t->timer, SD_EVENT_ONESHOT);
}

struct textfile *textfile_free(struct textfile *t)
{
	if (!t)
		return NULL;
	(void)sd_event_source_disable_unref(t->timer);
	if (t->aside)
		(void)aside_free(t->aside, WAIT_MS);
	else if (t->page)
		page_free(t->page);
	free(t->path);
	free(t);
	return NULL;
}
