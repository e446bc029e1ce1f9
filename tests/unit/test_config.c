/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* app/config: the configuration file, the app rules. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "app/config.h"
#include "base/fdio.h"
#include "base/text.h"
#include "lmmsd/event.h"
#include "unit/fake_dir.h"

static int remove_file(void **state)
{
	(void)unlink("c");
	return remove_dir(state);
}

/* Reads the text as a file named "c" over the defaults. */
static int read_text(const char *text, size_t len, struct config **ret, struct buf *error)
{
	_fclose_ FILE *f = fopen("c", "w");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
	assert_int_equal(fflush(f), 0);
	assert_int_equal(config_new(ret), 0);
	return config_read(*ret, "c", error);
}

static void good(const char *text, struct config **ret)
{
	_buf_ struct buf error = {0};
	int r = read_text(text, strlen(text), ret, &error);

	if (r != 0)
		fail_msg("%d: %s", r, buf_str(&error));
	assert_string_equal(buf_str(&error), "");
	assert_true((*ret)->file_read);
}

/* The file is refused with a line that begins so and also has the second text. */
static void bad(const char *text, const char *begins, const char *has)
{
	_cleanup_(config_freep) struct config *c = NULL;
	_buf_ struct buf error = {0};

	assert_int_equal(read_text(text, strlen(text), &c, &error), -EINVAL);
	if (!text_starts_with(buf_str(&error), begins) || !strstr(buf_str(&error), has))
		fail_msg("for '%s' it says: %s", text, buf_str(&error));
	assert_null(strchr(buf_str(&error), '\n'));
	assert_false(c->file_read);
}

static void test_defaults(void **state _unused_)
{
	_cleanup_(config_freep) struct config *c = NULL;

	good("", &c);
	assert_int_equal(c->mode, CONFIG_HOST);
	assert_int_equal(c->limits.ring_kib, 2048);
	assert_int_equal(c->limits.max_use_keys, 65536);
	assert_int_equal(c->limits.max_procs, 16384);
	assert_true(c->limits.max_modules > 0 && c->limits.max_depth > 0);
	assert_true(c->policy.fast_ms == 10 && c->policy.slow_ms == 100 &&
		    c->policy.usage_pct == 80);
	assert_int_equal(c->basis, CONFIG_BASIS_RUN);
	assert_true(c->usage);
	assert_int_equal(c->probe, 0);
	assert_string_equal(c->db, "/var/lib/lmmsd/lmmsd.db");
	assert_string_equal(c->web_listen, "127.0.0.1:9748");
	assert_null(c->app);
	assert_false(c->uid_given);
}

static void test_every_key(void **state _unused_)
{
	_cleanup_(config_freep) struct config *c = NULL;

	good("# a comment\n"
	     "; another\n"
	     "[observe]\n"
	     "  app = ^shop/   ; indented\n"
	     "uid=1000\n"
	     "probe = callsite\n"
	     "usage = off\n"
	     "[service]\n"
	     "db = /x/db\r\n"
	     "reviews = /x/reviews\n"
	     "[web]\n"
	     "listen_address = [::1]:80\n"
	     "config_file = /x/web.yml\n"
	     "[limits]\n"
	     "ring_kib = 4096\n"
	     "max_use_keys = 2000\n"
	     "max_procs = 100\n"
	     "max_interpreters = 7\n"
	     "max_loads = 1001\n"
	     "max_modules = 1002\n"
	     "max_edges = 1003\n"
	     "max_depth = 99\n"
	     "[classify]\n"
	     "fast_ms = 5.5\n"
	     "slow_ms = 50\n"
	     "usage_pct = 60\n"
	     "usage_basis = share",
	     &c);
	assert_string_equal(c->app, "^shop/");
	assert_true(c->uid_given);
	assert_int_equal(c->uid, 1000);
	assert_int_equal(c->probe, LMMSD_PROBE_CALLSITE);
	assert_false(c->usage);
	assert_string_equal(c->db, "/x/db");
	assert_string_equal(c->reviews, "/x/reviews");
	assert_string_equal(c->web_listen, "[::1]:80");
	assert_string_equal(c->web_config, "/x/web.yml");
	assert_int_equal(c->limits.ring_kib, 4096);
	assert_int_equal(c->limits.max_use_keys, 2000);
	assert_int_equal(c->limits.max_procs, 100);
	assert_int_equal(c->limits.max_interpreters, 7);
	assert_int_equal(c->limits.max_loads, 1001);
	assert_int_equal(c->limits.max_modules, 1002);
	assert_int_equal(c->limits.max_edges, 1003);
	assert_int_equal(c->limits.max_depth, 99);
	assert_true(c->policy.fast_ms == 5.5 && c->policy.slow_ms == 50 &&
		    c->policy.usage_pct == 60);
	assert_int_equal(c->basis, CONFIG_BASIS_SHARE);
}

static void test_errors_name_file_and_line(void **state _unused_)
{
	char longest[300];

	bad("[limits]\nring_kb = 1\n", "c:2: unknown key 'ring_kb' in [limits]", "ring_kib");
	bad("\n\n[limit]\nring_kib = 1\n", "c:4: unknown section [limit]", "[limits]");
	bad("ring_kib = 1\n", "c:1: ", "before the first");
	bad("[limits]\nring_kib = 3000\n", "c:2: ring_kib: '3000'", "power of two");
	bad("[limits]\nring_kib = 32\n", "c:2: ring_kib: '32'", "from 64 to");
	bad("[limits]\nmax_procs = many\n", "c:2: max_procs: 'many'", "whole number");
	bad("[limits]\nmax_procs =\n", "c:2: max_procs: ''", "whole number");
	bad("[classify]\nusage_pct = 101\n", "c:2: usage_pct: '101'", "from 0 to 100");
	bad("[classify]\nusage_basis = runs\n", "c:2: usage_basis: 'runs'", "run share");
	bad("[classify]\nfast_ms = 200\n", "c: [classify] fast_ms", "more than slow_ms");
	bad("[observe]\nusage = yes\n", "c:2: usage: 'yes'", "off on");
	bad("[observe]\nprobe = kprobe\n", "c:2: probe: 'kprobe'", "callsite");
	bad("[observe]\napp = (\n", "c:2: app: '('", "regular expression");
	bad("[observe]\nuid = root\n", "c:2: uid: 'root'", "id -u");
	bad("[observe]\nuid = 4294967295\n", "c:2: uid: ", "numeric");
	bad("[service]\ndb = lmmsd.db\n", "c:2: db: 'lmmsd.db'", "absolute");
	bad("[service]\ndb =\n", "c:2: db: ", "missing");
	bad("[web]\nconfig_file = relative\n", "c:2: config_file: 'relative'", "absolute");
	bad("[service]\ndb = /a\nnonsense\n[web]\n", "c:3: ", "KEY = VALUE");
	bad("[service\ndb = /a\n", "c:1: ", "[SECTION]");
	/* the first of two errors */
	bad("[limits]\nfoo = 1\nbar = 2\n", "c:2: ", "'foo'");
	memset(longest, 'x', sizeof(longest));
	memcpy(longest, "[app.rules]\nname = ", 19);
	longest[sizeof(longest) - 1] = '\0';
	bad(longest, "c:2: the line is too long", "198");
}

static void test_longest_line(void **state _unused_)
{
	_cleanup_(config_freep) struct config *c = NULL;
	char text[12 + 198 + 1 + 20];
	_buf_ struct buf b = {0};

	buf_adds(&b, "[app.rules]\nname = ");
	while (b.len < 12 + 198)
		buf_addc(&b, 'x');
	buf_adds(&b, "\nother = y\n");
	assert_true(b.len < sizeof(text));
	good(buf_str(&b), &c);
	assert_int_equal(c->n_rules, 2);
	assert_int_equal(strlen(c->rules[0].pattern), 198 - 7);
}

static void test_binary_file(void **state _unused_)
{
	_cleanup_(config_freep) struct config *c = NULL;
	_buf_ struct buf error = {0};

	assert_int_equal(read_text("[limits]\n\0", 10, &c, &error), -EINVAL);
	assert_non_null(strstr(buf_str(&error), "is no text"));
}

static void test_absent_file(void **state _unused_)
{
	_cleanup_(config_freep) struct config *c = NULL;
	_buf_ struct buf error = {0};

	assert_int_equal(config_new(&c), 0);
	assert_int_equal(config_read(c, "absent", &error), -ENOENT);
	assert_non_null(strstr(buf_str(&error), "'absent'"));
}

static void test_rules(void **state _unused_)
{
	_cleanup_(config_freep) struct config *c = NULL;

	good("[app.rules]\n"
	     "worker = celery .*worker\n"
	     "worker = unit:^worker@[0-9]+\\.service$\n"
	     "web = container:^web-\n"
	     "rest = celery\n"
	     "; of its own\n"
	     "any = a:b;c [;]\n",
	     &c);
	assert_int_equal(c->n_rules, 5);
	assert_string_equal(c->rules[4].pattern, "a:b;c [;]");
	assert_string_equal(c->rules[1].pattern, "^worker@[0-9]+\\.service$");
	assert_string_equal(c->rules[1].name, "worker");
	assert_int_equal(c->rules[0].match, CONFIG_MATCH_CMDLINE);
	assert_int_equal(c->rules[1].match, CONFIG_MATCH_UNIT);
	assert_int_equal(c->rules[2].match, CONFIG_MATCH_CONTAINER);
}

static void test_bad_rules(void **state _unused_)
{
	_buf_ struct buf many = {0};

	bad("[app.rules]\na = [\n", "c:2: a: '['", "regular expression");
	bad("[app.rules]\na = unit:\n", "c:2: a: ", "pattern is missing");
	/* inih would make other rules of these */
	bad("[app.rules]\nshop:worker = celery -A shop\n", "c:2: shop: ", "NAME has no ':'");
	bad("[app.rules]\nx = y\nshop: celery\n", "c:3: shop: ", "NAME has no ':'");
	bad("[app.rules]\njob = run ;nightly\n", "c:2: job: ", "no ';' behind a blank");
	bad("[app.rules]\n  job = run\t; nightly\n", "c:2: job: ", "no ';' behind a blank");
	bad("[app.rules]\njob = ;nightly\n", "c:2: job: ", "no ';' behind a blank");
	buf_adds(&many, "[app.rules]\n");
	for (int i = 0; i < CONFIG_MAX_RULES + 1; i++)
		buf_addf(&many, "a = b\n");
	bad(buf_str(&many), "c:1026: a: ", "more than 1024 rules");
}

/* Each of these would take gigabytes of regcomp(). */
static void test_costly_patterns(void **state _unused_)
{
	static const char *const refused[] = {"a++",	    "a**",	"(a{999}){999}",
					      "a{2}{3}",    "a{32767}", "a{1,2000}",
					      "a{40}b{40}", "x|y+*",	"a{99999999999}"};
	static const char *const fine[] = {"a+\\+",	 "[+*]+",
					   "[]+*]*",	 "[^]{+]{2}",
					   "a{3}b{4,5}", "\\{\\{",
					   "(a+)+",	 "[[:alpha:]+]+[[.].]*]+",
					   "a?b*c+"};
	_cleanup_(config_freep) struct config *c = NULL;

	assert_int_equal(config_new(&c), 0);
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		_buf_ struct buf error = {0};

		assert_int_equal(config_set_flag(c, "app", refused[i], &error), -EINVAL);
		assert_non_null(strstr(buf_str(&error), "repeti"));
	}
	for (size_t i = 0; i < ARRAY_LEN(fine); i++) {
		_buf_ struct buf error = {0};

		if (config_set_flag(c, "app", fine[i], &error) != 0)
			fail_msg("%s", buf_str(&error));
	}
}

static void test_wanted_apps(void **state _unused_)
{
	_cleanup_(config_freep) struct config *c = NULL;
	_buf_ struct buf error = {0};

	assert_int_equal(config_new(&c), 0);
	assert_true(config_wants_app(c, "anything"));
	assert_int_equal(config_set_flag(c, "app", "^shop/", &error), 0);
	assert_int_equal(config_set_flag(c, "app", "^(shop|web)/", &error), 0);
	assert_true(config_wants_app(c, "web/manage.py"));
	assert_false(config_wants_app(c, "old/web/manage.py"));
	assert_int_equal(config_set_flag(c, "app", "(", &error), -EINVAL);
	assert_string_equal(c->app, "^(shop|web)/");
	assert_int_equal(config_set_flag(c, "nonesuch", "1", &error), -ENOENT);
	assert_int_equal(config_set_flag(c, "db", "relative/is/fine", &error), 0);
	assert_string_equal(c->db, "relative/is/fine");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_every_key),
		cmocka_unit_test(test_errors_name_file_and_line),
		cmocka_unit_test(test_longest_line),
		cmocka_unit_test(test_binary_file),
		cmocka_unit_test(test_absent_file),
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_bad_rules),
		cmocka_unit_test(test_costly_patterns),
		cmocka_unit_test(test_wanted_apps),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_file);
}
