/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* lmmsctl's command lines: what each verb takes, refuses and says, and what it answers from a database. */
#include "app/ctl.h"

#include "app/options.h"
#include "base/log.h"
#include "base/text.h"
#include "unit/fake_store.h"
#include "unit/has.h"
#include "unit/said.h"

#define MAX_WORDS 24

/* Runs "lmmsctl LINE". DB stands for "--db PATH --config /dev/null"; OUT for a file in the test's directory. */
static int ctl(const struct fake_store *s, const char *line)
{
	char name[] = "lmmsctl", config[] = "--config=/dev/null";
	char text[1024], db[160], out[128];
	char *argv[MAX_WORDS + 6] = {name}, *rest;
	int argc = 1, status;

	(void)snprintf(text, sizeof(text), "%s", line);
	(void)snprintf(db, sizeof(db), "--db=%s", s ? s->path : "/nowhere/lmmsd.db");
	(void)snprintf(out, sizeof(out), "%s/out", s ? s->dir : "/nowhere");
	for (char *w = strtok_r(text, " ", &rest); w; w = strtok_r(NULL, " ", &rest)) {
		assert_true(argc < MAX_WORDS);
		if (!strcmp(w, "DB")) {
			argv[argc++] = config;
			w = db;
		}
		argv[argc++] = !strcmp(w, "OUT") ? out : w;
	}
	said_begin();
	log_setup("lmmsctl", LOG_LEVEL_INFO);
	status = ctl_main(argc, argv);
	said_end();
	return status;
}

static void assert_ctl(const struct fake_store *s, const char *line, int status, const char *words)
{
	int got = ctl(s, line);

	if (got != status)
		fail_msg("lmmsctl %s: status %d, wanted %d: %s", line, got, status, SAID);
	has(SAID, words);
}

static const struct {
	const char *line, *said;
} refused[] = {
	{"", "a verb is missing"},
	{"frobnicate", "no verb 'frobnicate': 'lmmsctl --help' lists them"},
	{"moduls", "no verb 'moduls': did you mean 'modules'?"},
	{"base", "did you mean 'baseline'?"},
	{"drive", "no verb 'drive': 'lmmsctl --help'"},
	{"apps --nonsense", "--nonsense: no such option"},
	{"apps --pro", "--pro: no such option, or not enough of its name"},
	{"apps --db", "--db: a value is missing"},
	{"apps -o", "-o: a value is missing"},
	{"apps --help=1", "--help=1: this option takes no value"},
	{"apps --version=1", "--version=1: this option takes no value"},
	{"apps surplus", "apps: too many arguments"},
	{"apps --app x", "--app says nothing to apps"},
	{"apps --max-ms 5", "--max-ms says nothing to apps"},
	{"review --expect 5", "--expect says nothing to review"},
	{"review --runs 5", "--runs says nothing to review"},
	{"baseline list --month 2026-01", "--month says nothing to baseline"},
	{"modules --prometheus http://x", "--prometheus says nothing to modules"},
	{"modules", "modules needs --app APP"},
	{"deps --app x", "deps: something is missing: lmmsctl deps --app APP MODULE"},
	{"why --app x a b", "why: too many arguments"},
	{"verify --app x", "verify needs --baseline NAME"},
	{"apps --format html", "--format: 'html' is none of text|json"},
	{"apps --format jso", "--format: 'jso' is none of text|json"},
	{"review --format nothing", "--format: 'nothing' is none of"},
	{"review --prometheus-ca x", "--prometheus-headers and --prometheus-ca need"},
	{"review --prometheus-headers x", "need --prometheus URL"},
	{"review --prometheus http://x --db y", "--prometheus and --db exclude each other"},
	{"apps DB --month 2026-13", "--month: '2026-13' is no month"},
	{"apps DB --month 2026-1", "is no month: write it as 2026-11"},
	{"apps DB --month 2026-011", "is no month"},
	{"apps DB --month 1969-12", "is no month"},
	{"apps DB --month 2026-01 --since 2026-01-01", "--month and --since, --until exclude"},
	{"apps DB --since 2026-02-30", "--since: '2026-02-30' is no"},
	{"apps DB --since 2026-02-03T10:00", "is no"},
	{"apps DB --since 2026-02-03T24:00:00Z", "is no"},
	{"apps DB --since 2026-02-03T10:00:00", "is no"},
	{"apps DB --since 2026-02-03T10:00:00+2:00", "is no"},
	{"apps DB --since 2026-02-03T10:00:00+24:00", "is no"},
	{"apps DB --until 2026-02-03T10:00:00Zulu", "--until: "},
	{"apps DB --since 2026-02-03 --until 2026-02-03", "--since is not before --until"},
	{"baseline DB swap", "baseline: 'swap' is none of save, list, delete"},
	{"baseline DB save", "baseline save needs a NAME"},
	{"baseline DB save x", "--app APP"},
	{"baseline DB list x", "baseline list takes no NAME"},
	{"baseline DB delete", "baseline delete needs a NAME"},
	{"check DB --max-ms fast", "--max-ms: 'fast' is no number from 0 to 3600000"},
	{"check DB --max-ms -1", "--max-ms: '-1' is no number"},
	{"verify DB --app a --baseline b --expect 101",
	 "--expect: '101' is no percentage from -1000 to 100"},
	{"review --config /dev/null --prometheus ftp://x",
	 "--prometheus: this is no http or https URL"},
};

static void test_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(refused); i++)
		assert_ctl(NULL, refused[i].line, EXIT_USAGE, refused[i].said);
}

static void test_help(void **state)
{
	(void)state;
	assert_ctl(NULL, "--help", EXIT_DONE, "");
	for (size_t i = 0; ctl_verbs[i].name; i++) {
		char line[64];

		/* the list has those with a summary, and each verb's help its usage */
		if (ctl_verbs[i].summary)
			has(SAID_OUT, ctl_verbs[i].summary);
		else
			has_not(SAID_OUT, ctl_verbs[i].name);
		(void)snprintf(line, sizeof(line), "%s -h", ctl_verbs[i].name);
		assert_ctl(NULL, line, EXIT_DONE, "");
		has(SAID_OUT, ctl_verbs[i].usage);
		has(SAID_OUT, ctl_verbs[i].help);
		assert_ctl(NULL, "--help", EXIT_DONE, "");
	}
	assert_ctl(NULL, "apps --version", EXIT_DONE, "");
	assert_string_equal(SAID_OUT, "lmmsctl " LMMSD_VERSION "\n");
}

/* 12 runs of shop on each of the last days, and one of batch long ago. */
static void fill(struct fake_store *s)
{
	int64_t now = (int64_t)time(NULL) * 1000000000;

	fake_store_open(s);
	for (int day = 0; day < 3; day++)
		for (int i = 0; i < 12; i++)
			fake_put_run(s, "shop", 1 + i % 3, now - (1 + day) * FAKE_DAY_NS);
	fake_put_run(s, "batch", 1, fake_noon(3));
	fake_store_flush(s);
	fake_store_close(s);
}

static void test_without_runs(void **state)
{
	struct fake_store *s = *state;

	assert_ctl(s, "apps DB", EXIT_NOT_FOUND, "cannot open the database");
	fake_store_open(s);
	fake_store_close(s);
	assert_ctl(s, "apps DB", EXIT_DONE, "no run yet: start a Python program");
	assert_ctl(s, "apps DB --format json", EXIT_DONE, "");
	has(SAID_OUT, "\"apps\"");
	assert_ctl(s, "review DB", EXIT_NOT_FOUND, "no run in");
	assert_ctl(s, "modules DB --app shop", EXIT_NOT_FOUND, "no app 'shop'");
	assert_ctl(s, "baseline DB list", EXIT_DONE, "");
	assert_ctl(s, "baseline DB delete x", EXIT_NOT_FOUND, "no baseline 'x': 'lmmsctl baseline");
}

static void test_answers(void **state)
{
	static const struct {
		const char *line;
		int status;
		const char *said, *answer;
	} cases[] = {
		{"apps DB", EXIT_DONE, "", "shop"},
		{"apps DB", EXIT_DONE, "", "batch"},
		{"apps DB --since 2023-11-01 --until 2023-11-30", EXIT_DONE, "", "batch"},
		{"apps DB --month 2023-11 --format=json", EXIT_DONE, "", "\"app\":\"batch\""},
		{"modules DB --app shop", EXIT_DONE, "", "web"},
		{"modules DB --app shop --format json", EXIT_DONE, "", "\"name\":\"json\""},
		{"modules DB --app shop --month 2023-11", EXIT_NOT_FOUND, "no run of 'shop' in",
		 ""},
		{"modules DB --app batch", EXIT_NOT_FOUND,
		 "the last one was on 2023-11-04, give --month 2023-11", ""},
		{"modules DB --app shpo", EXIT_NOT_FOUND, "did you mean 'shop'?", ""},
		{"modules DB --app zzzzzzzz", EXIT_NOT_FOUND, "'lmmsctl apps' lists them", ""},
		{"deps DB --app shop web", EXIT_DONE, "", "json"},
		{"deps DB --app shop wbe", EXIT_NOT_FOUND, "did you mean 'web'?", ""},
		{"why DB --app shop json", EXIT_DONE, "", "web"},
		{"why DB --app shop json --format json", EXIT_DONE, "", "\"json\""},
		{"why DB --app shop zzzzzzzz", EXIT_NOT_FOUND,
		 "'lmmsctl modules --app shop' lists what it did", ""},
		{"review DB", EXIT_DONE, "", "shop"},
		{"review DB --app shop --format markdown", EXIT_DONE, "", "# "},
		{"review DB --month 2024-02", EXIT_NOT_FOUND, "has runs from 2023-11-04 to", ""},
		{"check DB", EXIT_DONE, "", ""},
		{"check DB --app shop --max-ms 9", EXIT_GATE, "", "web"},
		{"check DB --app shop --max-ms 11", EXIT_DONE, "", ""},
		{"baseline DB save before --app shop", EXIT_DONE, "", "before"},
		{"baseline DB save before --app batch", EXIT_NOT_FOUND, "no warm run of 'batch'",
		 ""},
		{"baseline DB list", EXIT_DONE, "", "before"},
		{"baseline DB list --app batch", EXIT_DONE, "", ""},
		{"verify DB --app shop --baseline before", EXIT_NOT_FOUND,
		 "no warm run of 'shop' since the baseline 'before' was saved", ""},
		{"verify DB --app shop --baseline after", EXIT_NOT_FOUND,
		 "no baseline 'after' of shop", ""},
		{"baseline DB delete before --app batch", EXIT_NOT_FOUND,
		 "no baseline 'before' of batch", ""},
		{"baseline DB delete before", EXIT_DONE, "", ""},
		{"baseline DB delete before", EXIT_NOT_FOUND, "no baseline 'before'", ""},
		{"apps DB -o /nowhere/x", EXIT_NOT_FOUND, "cannot write '/nowhere/x'", ""},
	};
	struct fake_store *s = *state;

	fill(s);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_ctl(s, cases[i].line, cases[i].status, cases[i].said);
		if (!*cases[i].said && *SAID)
			fail_msg("lmmsctl %s says: %s", cases[i].line, SAID);
		if (*cases[i].answer)
			has(SAID_OUT, cases[i].answer);
		else if (cases[i].status != EXIT_DONE)
			assert_string_equal(SAID_OUT, "");
	}
}

/* Runs since then that take half as long: as much better as the 40 % that are expected, and not 60. */
static void test_verify(void **state)
{
	struct fake_store *s = *state;
	int64_t now;

	fill(s);
	assert_ctl(s, "baseline DB save before --app shop", EXIT_DONE, "");
	now = (int64_t)time(NULL) * 1000000000;
	fake_store_open(s);
	for (int i = 0; i < 12; i++)
		fake_put_run(s, "shop", 0.5 * (1 + i % 3), now + 1000000000);
	fake_store_flush(s);
	fake_store_close(s);
	assert_ctl(s, "verify DB --app shop --baseline before", EXIT_DONE, "");
	has(SAID_OUT, "50");
	assert_ctl(s, "verify DB --app shop --baseline before --expect 60", EXIT_GATE, "");
	assert_ctl(s, "verify DB --app shop --baseline before -o OUT --format json", EXIT_DONE, "");
	assert_string_equal(SAID_OUT, "");
	assert_ctl(s, "verify DB --app batch --baseline before", EXIT_NOT_FOUND,
		   "no baseline 'before' of batch");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_help),
		cmocka_unit_test_setup_teardown(test_without_runs, fake_store_setup,
						fake_store_teardown),
		cmocka_unit_test_setup_teardown(test_answers, fake_store_setup,
						fake_store_teardown),
		cmocka_unit_test_setup_teardown(test_verify, fake_store_setup, fake_store_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
