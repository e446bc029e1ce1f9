/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* profile-imports' rounds, with a script in lmmsd's place: what modules say when they fail, and how much is left to do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "app/ctl_imports.h"

struct rig {
	struct imports i;
	struct imported m;
};

static int setup(void **state)
{
	struct rig *g = calloc(1, sizeof(*g));

	if (!g)
		return -1;
	(void)snprintf(g->i.dir, sizeof(g->i.dir), "/tmp/lmmsd-imports-XXXXXX");
	if (!mkdtemp(g->i.dir))
		return -1;
	(void)snprintf(g->i.lmmsd, sizeof(g->i.lmmsd), "%s/lmmsd", g->i.dir);
	g->m.name = "mod";
	g->i.m = &g->m;
	g->i.n = 1;
	g->i.python = "python3";
	g->i.runs = 10;
	g->i.all = 11;
	g->i.signals = -1;
	*state = g;
	return 0;
}

static int teardown(void **state)
{
	struct rig *g = *state;

	(void)unlink(g->i.lmmsd);
	(void)rmdir(g->i.dir);
	free(g);
	return 0;
}

/* Some rounds, of which the driver says this, and lmmsd itself that. */
static void rounds_and(struct rig *g, size_t n, const char *said, const char *err)
{
	FILE *f = fopen(g->i.lmmsd, "w");

	assert_non_null(f);
	assert_true(fprintf(f, "#!/bin/sh\nprintf '%s'\nprintf \"%s\" >&2\n", said, err) > 0);
	assert_int_equal(fchmod(fileno(f), 0755), 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(imports_rounds(&g->i, 0, n, false), 0);
}

static void rounds(struct rig *g, size_t n, const char *said)
{
	rounds_and(g, n, said, "");
}

/* It works once, and then no more: what is left to do does not wrap. */
static void test_fails_later(void **state)
{
	struct rig *g = *state;

	rounds(g, 1, "0 \\n");
	assert_int_equal(g->i.all, 11);
	rounds(g, 4, "0 \\n256 boom\\n256 boom\\n256 boom\\n");
	assert_true(g->m.failed);
	assert_string_equal(g->m.error, "boom");
	assert_int_equal(g->i.done, 5);
	assert_int_equal(g->i.all, 5);
	/* it is in no round any more */
	rounds(g, 1, "");
	assert_int_equal(g->i.done, 5);
}

static void test_fails_at_once(void **state)
{
	struct rig *g = *state;

	rounds(g, 1, "256 boom\\n");
	assert_int_equal(g->i.done, 1);
	assert_int_equal(g->i.all, 1);
}

/* n times bytes that are no UTF-8, and what is kept of them. */
static void said_often(struct rig *g, const char *what, size_t n)
{
	_buf_ struct buf said = {0};

	buf_adds(&said, "256 ");
	for (size_t i = 0; i < n; i++)
		buf_adds(&said, what);
	buf_adds(&said, "\\n");
	g->m = (struct imported){.name = "mod"};
	rounds(g, 1, buf_str(&said));
}

static void test_error_is_text(void **state)
{
	struct rig *g = *state;

	rounds(g, 1, "256 a\\377b \\342\\202\\n");
	assert_string_equal(g->m.error, "a\xef\xbf\xbd"
					"b ");
	/* what is cut is cut between characters */
	said_often(g, "\\377x", 60);
	assert_int_equal(strlen(g->m.error), 240);
	said_often(g, "\\377", 90);
	assert_int_equal(strlen(g->m.error), 255);
	assert_string_equal(g->m.error + 252, "\xef\xbf\xbd");
	said_often(g, "x\\377xx", 70);
	assert_int_equal(strlen(g->m.error), 253);
}

/* The last word on the interpreter's own file, else the last on any. */
static void test_reason(void **state)
{
	struct rig *g = *state;

	rounds_and(g, 1, "0 \\n", "lmmsd: watching 3 interpreters\\nlmmsd: bye\\n");
	assert_string_equal(g->i.reason, "");
	rounds_and(g, 1, "0 \\n",
		   "lmmsd: not watching '/a': no\\nlmmsd: not watching '/b': never\\nlmmsd: bye");
	assert_string_equal(g->i.reason, "not watching '/b': never");
	g->i.python = g->i.lmmsd; /* a script: its interpreter is sh */
	rounds_and(
		g, 1, "0 \\n",
		"lmmsd: not watching '$(realpath /bin/sh)': mine\\nlmmsd: not watching '/b': no\\n");
	assert_non_null(strstr(g->i.reason, ": mine"));
	/* all that a flood leaves is the end of it */
	rounds_and(
		g, 1, "0 \\n",
		"$(head -c 70000 /dev/zero | tr '\\0' x)\\nlmmsd: cannot attach to '/c': full\\n");
	assert_string_equal(g->i.reason, "cannot attach to '/c': full");
}

/* However long it takes: whoever reads stderr from a pipe looks for errors there. */
static void test_progress_is_for_terminals(void **state)
{
	struct rig *g = *state;
	int saved = dup(STDERR_FILENO);
	FILE *f = tmpfile();

	assert_true(saved >= 0);
	assert_non_null(f);
	assert_true(dup2(fileno(f), STDERR_FILENO) >= 0);
	g->i.began_ns = 0;
	g->i.done = 1;
	imports_progress(&g->i);
	rounds(g, 1, "0 \\n");
	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	assert_int_equal(close(saved), 0);
	assert_int_equal(fseek(f, 0, SEEK_END), 0);
	assert_int_equal(ftell(f), 0);
	assert_int_equal(fclose(f), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_fails_later, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fails_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(test_error_is_text, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reason, setup, teardown),
		cmocka_unit_test_setup_teardown(test_progress_is_for_terminals, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
