/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "app/textfile.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fdio.h"
#include "base/log.h"

#define ACCURACY_US 100000
#define MODE 0644 /* node_exporter is another user */

struct textfile {
	char *path, *temp; /* owned */
	uint64_t step_us;
	sd_event_source *timer; /* owned */
	textfile_fn render;
	void *arg;
	bool said; /* that it cannot be written */
	bool there;
};

/* Beside the file, with a name that node_exporter does not read. */
static int open_temp(const struct textfile *t, int *ret)
{
	int fd;

	if (unlink(t->temp) < 0 && errno != ENOENT)
		return -errno;
	fd = open(t->temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, MODE);
	if (fd < 0)
		return -errno;
	*ret = fd;
	return fchmod(fd, MODE) < 0 ? -errno : 0; /* whatever the umask is */
}

/* Without fsync(): after a crash the next one comes, and the loop waits for no disk. */
static int write_file(const struct textfile *t)
{
	_buf_ struct buf page = {0};
	_close_ int fd = -EBADF;
	int r = t->render(t->arg, &page);

	if (!r)
		r = open_temp(t, &fd);
	if (!r)
		r = fdio_write_all(fd, page.data, page.len);
	if (!r && rename(t->temp, t->path) < 0)
		r = -errno;
	if (r && fd >= 0)
		(void)unlink(t->temp);
	return r;
}

static int on_timer(sd_event_source *es, uint64_t usec, void *arg)
{
	struct textfile *t = arg;
	int r = write_file(t);

	(void)usec;
	if (r && !t->said)
		log_error(
			"cannot write '%s' for node_exporter: %s: it is tried again; the observation goes on",
			t->path, strerror(-r));
	else if (!r && t->said)
		log_info("'%s' for node_exporter is written again", t->path);
	t->said = r != 0;
	t->there = t->there || !r;
	(void)sd_event_source_set_time_relative(es, t->step_us);
	return sd_event_source_set_enabled(es, SD_EVENT_ONESHOT);
}

static int prepare(struct textfile *t, const struct config *config)
{
	_buf_ struct buf temp = {0};
	struct stat st;
	_close_ int fd = -EBADF;
	int r;

	buf_addf(&temp, "%s.tmp", config->textfile.path);
	t->path = strdup(config->textfile.path);
	t->temp = buf_take(&temp);
	if (!t->path || !t->temp)
		return -ENOMEM;
	r = stat(t->path, &st) == 0 && S_ISDIR(st.st_mode) ? -EISDIR : open_temp(t, &fd);
	if (fd >= 0)
		(void)unlink(t->temp);
	if (r)
		log_error("%s: cannot write '%s' for node_exporter: %s: change [textfile] path",
			  config->textfile.from ? config->textfile.from : "the default", t->path,
			  strerror(-r));
	return r;
}

int textfile_new(sd_event *event, const struct config *config, textfile_fn render, void *arg,
		 struct textfile **ret)
{
	struct textfile *t;
	int r;

	*ret = NULL;
	if (!config->textfile.path)
		return 0;
	t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->step_us = config->textfile.interval_s * 1000000;
	t->render = render;
	t->arg = arg;
	r = prepare(t, config);
	if (!r)
		r = sd_event_add_time_relative(event, &t->timer, CLOCK_MONOTONIC, 0, ACCURACY_US,
					       on_timer, t);
	if (r < 0) {
		(void)textfile_free(t, true);
		return r;
	}
	*ret = t;
	return 0;
}

struct textfile *textfile_free(struct textfile *t, bool keep)
{
	if (!t)
		return NULL;
	if (t->there && !keep)
		(void)unlink(t->path);
	(void)sd_event_source_disable_unref(t->timer);
	free(t->path);
	free(t->temp);
	free(t);
	return NULL;
}
