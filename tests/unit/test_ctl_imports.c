/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* profile-imports: whose times a round's report has, and what is said of them. */
#include "app/ctl_imports.h"

#include <errno.h>
#include <stdio.h>

#include "app/options.h"
#include "base/cleanup.h"
#include "unit/has.h"
#include "unit/said.h"

#define MODULES 5
#define RUN(module, exit, rows)                                                                    \
	"{\"cmdline\":[\"python3\",\"-c\",\"import " module "\"],\"exit_code\":" exit              \
	",\"python\":\"3.12.1\",\"modules\":[" rows "]}"
#define ROW(name, importer, status, depth, total, self)                                            \
	"{\"name\":\"" name "\",\"importer\":\"" importer "\",\"status\":\"" status                \
	"\",\"depth\":" depth ",\"total_ms\":" total ",\"self_ms\":" self "}"

struct round {
	struct imports i;
	struct imported m[MODULES];
	struct ctl ctl;
	char path[32];
};

static void round_begin(struct round *r)
{
	static const char *const names[MODULES] = {"a.b", "json", "sys", "slow", "broken"};
	int fd;

	*r = (struct round){.path = "/tmp/lmmsd-report-XXXXXX"};
	for (size_t k = 0; k < MODULES; k++)
		r->m[k].name = names[k];
	assert_int_equal(config_new(&r->ctl.config), 0);
	r->i = (struct imports){
		.ctl = &r->ctl, .python = "python3", .runs = 2, .m = r->m, .n = MODULES};
	fd = mkstemp(r->path);
	assert_true(fd >= 0);
	(void)close(fd);
}

static void round_end(struct round *r)
{
	for (size_t k = 0; k < MODULES; k++) {
		free(r->m[k].total);
		free(r->m[k].self);
	}
	(void)config_free(r->ctl.config);
	(void)unlink(r->path);
}

static int read_report(struct round *r, const char *text)
{
	FILE *f = fopen(r->path, "we");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	return imports_read(&r->i, r->path);
}

static const char report[] = "{\"processes\":["
	/* a and a.b, which the program itself loads; a.c, which a.b does */
	RUN("a.b", "0",
	    ROW("a", "__main__", "loaded", "0", "3",
		"3") "," ROW("a.b", "__main__", "loaded", "0", "4",
			     "2") "," ROW("a.c", "a.b", "loaded", "1", "2", "2")) ","
	/* in sys.modules before the program began */
	RUN("json", "0", ROW("json", "site", "loaded", "0", "6", "5")) ","
	/* never loaded by an import at all */
	RUN("sys", "0", ROW("sys", "__main__", "seen", "0", "9", "9")) "," RUN(
		"slow", "0", ROW("slow", "__main__", "loaded", "0", "250", "240")) ","
	/* none of these count: it failed, another module, another program */
	RUN("slow", "1", ROW("slow", "__main__", "loaded", "0", "900", "900")) "," RUN(
		"other", "0",
		ROW("other", "__main__", "loaded", "0", "1",
		    "1")) ","
			  "{\"cmdline\":[\"python3\",\"slow.py\"],\"exit_code\":0,\"modules\":[]},"
			  "{\"cmdline\":[\"python3\",\"-c\",\"slow\"],\"exit_code\":0,\"modules\":[]},"
			  "{\"cmdline\":[1,2,3],\"exit_code\":0}]}";

static void test_times(void **state)
{
	static const struct {
		size_t n;
		double total, self;
		bool preloaded;
	} want[MODULES] = {
		{1, 7, 2, false}, {1, 6, 5, true}, {1, 0, 0, true}, {1, 250, 240, false}, {0}};
	struct round r;

	(void)state;
	round_begin(&r);
	r.m[4].failed = true;
	assert_int_equal(read_report(&r, report), 0);
	assert_string_equal(r.i.version, "3.12.1");
	for (size_t k = 0; k < MODULES; k++) {
		assert_int_equal(r.m[k].n, want[k].n);
		assert_int_equal(r.m[k].preloaded, want[k].preloaded);
		if (!want[k].n)
			continue;
		assert_float_equal(r.m[k].total[0], want[k].total, 1e-9);
		assert_float_equal(r.m[k].self[0], want[k].self, 1e-9);
	}
	for (int k = 0; k < 20; k++)
		assert_int_equal(read_report(&r, report), 0);
	assert_int_equal(r.m[0].n, 21);
	assert_float_equal(r.m[0].total[20], 7, 1e-9);
	round_end(&r);
}

static void test_no_report(void **state)
{
	static const char *const texts[] = {"", "{", "{\"processes\":[{}", "nonsense"};
	struct round r;

	(void)state;
	round_begin(&r);
	for (size_t k = 0; k < ARRAY_LEN(texts); k++)
		assert_int_equal(read_report(&r, texts[k]), -EBADMSG);
	assert_int_equal(read_report(&r, "{}"), 0);
	assert_int_equal(imports_read(&r.i, "/nowhere/report"), -ENOENT);
	for (size_t k = 0; k < MODULES; k++)
		assert_int_equal(r.m[k].n, 0);
	round_end(&r);
}

static const char *said_of(struct round *r, const char *format, bool complete)
{
	r->ctl.format = format;
	said_begin();
	assert_int_equal(imports_say(&r->i, complete), EXIT_DONE);
	said_end();
	return SAID_OUT;
}

static void test_said(void **state)
{
	struct round r;

	(void)state;
	round_begin(&r);
	r.m[4].failed = true;
	(void)snprintf(r.m[4].error, sizeof(r.m[4].error), "No module\x1b[31m");
	assert_int_equal(read_report(&r, report), 0);
	has(said_of(&r, "text", true),
	    "Each module alone in 2 fresh interpreters of python3 3.12.1\n");
	has(SAID_OUT, "a.b         7.00");
	has(SAID_OUT, "MODULE_LEVEL\n");
	has(SAID_OUT, "(loaded by the interpreter itself)");
	has(SAID_OUT, "FUNCTION_LEVEL\n");
	has(SAID_OUT, "broken  cannot be imported: No module\\x1b[31m");
	has(said_of(&r, "text", false), " - STOPPED EARLY");
	has(said_of(&r, "json", true), "\"complete\":\ttrue");
	has(SAID_OUT, "\"name\":\t\"a.b\"");
	has(SAID_OUT, "\"tier\":\t\"FUNCTION_LEVEL\"");
	has(SAID_OUT, "\"preloaded\":\ttrue");
	has(SAID_OUT, "\"samples_ms\":\t[250]");
	has(SAID_OUT, "\"failed\":\t[{");
	/* between the thresholds use decides; without a run nothing is said */
	r.m[3].total[0] = 50;
	r.m[4].failed = false;
	has(said_of(&r, "text", true), "by use");
	has(SAID_OUT, "broken  no run was counted");
	has(said_of(&r, "json", true), "\"tier\":\tnull");
	has(SAID_OUT, "\"ci95\":\tnull");
	round_end(&r);
}

static void test_progress(void **state)
{
	struct round r;

	(void)state;
	round_begin(&r);
	r.i.all = 20;
	r.i.at = 1;
	said_begin();
	imports_progress(&r.i);
	r.i.done = 5;
	imports_progress(&r.i);
	said_end();
	assert_string_equal(SAID, ""); /* progress is for terminals */
	round_end(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_no_report),
		cmocka_unit_test(test_said),
		cmocka_unit_test(test_progress),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
