/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* The file for node_exporter: whole or not there, written again when the disk takes it, gone at the end. */
#include "app/textfile.h"

#include <errno.h>
#include <sys/stat.h>

#include "unit/fake_dir.h"
#include "unit/has.h"
#include "unit/said.h"

struct pages {
	sd_event *event;
	struct config *config;
	struct textfile *t;
	unsigned int rendered;
	int fails;
	char path[64];
};

static int render(void *arg, struct buf *page)
{
	struct pages *p = arg;

	if (p->fails)
		return p->fails;
	buf_addf(page, "page %u\n", ++p->rendered);
	return 0;
}

static int open_pages(struct pages *p, const char *name)
{
	*p = (struct pages){0};
	(void)snprintf(p->path, sizeof(p->path), "%s/%s", dir, name);
	assert_true(sd_event_new(&p->event) >= 0);
	assert_int_equal(config_new(&p->config), 0);
	p->config->textfile.path = p->path;
	p->config->textfile.interval_s = 1;
	return textfile_new(p->event, p->config, render, p, &p->t);
}

static void close_pages(struct pages *p)
{
	p->t = textfile_free(p->t);
	p->config->textfile.path = NULL;
	(void)config_free(p->config);
	(void)sd_event_unref(p->event);
}

/* The loop, until the file has that in it. */
static void wait_for(struct pages *p, const char *text)
{
	for (;;) {
		_buf_ struct buf b = {0};

		if (fdio_read_file(AT_FDCWD, p->path, 4096, &b) == 0 && !strcmp(buf_str(&b), text))
			return;
		assert_true(sd_event_run(p->event, UINT64_MAX) >= 0);
	}
}

static void test_written(void **state)
{
	struct stat st;
	struct pages p;
	mode_t mask = umask(077);

	(void)state;
	assert_int_equal(open_pages(&p, "lmmsd.prom"), 0);
	assert_int_equal(access(p.path, F_OK), -1); /* not before the loop runs */
	wait_for(&p, "page 1\n");
	assert_int_equal(stat(p.path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0644);
	wait_for(&p, "page 2\n");
	close_pages(&p);
	assert_int_equal(access(p.path, F_OK), -1);
	(void)umask(mask);
}

static void test_not_wanted(void **state)
{
	struct textfile *t = (void *)1;
	struct config *c = NULL;

	(void)state;
	assert_int_equal(config_new(&c), 0);
	assert_int_equal(textfile_new(NULL, c, render, NULL, &t), 0);
	assert_null(t);
	(void)config_free(c);
}

/* Nothing to start with: a directory that is not there, a directory in place of the file. */
static void test_cannot(void **state)
{
	static const struct {
		const char *name;
		int r;
	} cases[] = {{"nowhere/x.prom", -ENOENT}, {".", -EISDIR}};
	struct pages p;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		said_begin();
		assert_int_equal(open_pages(&p, cases[i].name), cases[i].r);
		said_end();
		has(SAID, "for node_exporter");
		has(SAID, "change [textfile] path");
		assert_null(p.t);
		close_pages(&p);
	}
}

/* A page that cannot be made, and one that cannot be written, are left out and told once; then it goes on. */
static void test_trouble(void **state)
{
	char moved[80], temp[80];
	struct pages p;

	(void)state;
	assert_int_equal(open_pages(&p, "x.prom"), 0);
	p.fails = -ENOMEM;
	said_begin();
	assert_true(sd_event_run(p.event, UINT64_MAX) >= 0); /* the timer */
	assert_true(sd_event_run(p.event, UINT64_MAX) >= 0);
	said_end();
	has(SAID, "cannot write");
	has(SAID, "it is tried again; the observation goes on");
	assert_int_equal(access(p.path, F_OK), -1);
	p.fails = 0;
	said_begin();
	wait_for(&p, "page 1\n");
	/* the word comes when the loop hears of the write */
	while (p.rendered < 2)
		assert_true(sd_event_run(p.event, UINT64_MAX) >= 0);
	said_end();
	has(SAID, "is written again; ");
	/* a directory with something in it, where the temporary file should be */
	(void)snprintf(temp, sizeof(temp), "%s.tmp", p.path);
	(void)snprintf(moved, sizeof(moved), "%s.tmp/x", p.path);
	(void)unlink(temp);
	while (mkdir(temp, 0700) < 0)
		assert_int_equal(errno, EEXIST);
	said_begin();
	for (unsigned int n = p.rendered; p.rendered < n + 2;)
		assert_true(sd_event_run(p.event, UINT64_MAX) >= 0);
	said_end();
	has(SAID, "cannot write");
	assert_int_equal(rmdir(temp), 0);
	close_pages(&p);
}

static void test_every(void **state)
{
	struct pages p;

	(void)state;
	assert_int_equal(open_pages(&p, "lmmsd.prom"), 0);
	wait_for(&p, "page 1\n");
	/* hours until the next, and with another step it comes at once */
	p.config->textfile.interval_s = 86400;
	textfile_every(p.t, p.config);
	wait_for(&p, "page 2\n");
	textfile_every(p.t, p.config); /* the same one: nothing */
	p.config->textfile.interval_s = 43200;
	textfile_every(p.t, p.config);
	wait_for(&p, "page 3\n");
	close_pages(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_written), cmocka_unit_test(test_not_wanted),
		cmocka_unit_test(test_cannot),	cmocka_unit_test(test_trouble),
		cmocka_unit_test(test_every),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
