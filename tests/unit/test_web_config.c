/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* The exporters' common web configuration file: what it says, and where it is wrong. And addresses to listen on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "app/pages.h"
#include "web/auth.h"
#include "web/config_int.h"
#include "web/web.h"

#define SECRET "$2b$05$abcdefghijklmnopqrstuuDi9BDLbRqFkXGy3ULnPo7TpUHrKz4Bi" /* of no password */

static int parse(const char *text, struct web_config **ret, struct buf *error)
{
	return web_config_parse("/nowhere/w.yml", text, strlen(text), ret, error);
}

static void test_good(void **state)
{
	static const char *const texts[] = {
		"",
		"# nothing\n",
		"---\n",
		"{}\n",
		"http_server_config:\n",
		"http_server_config:\n  http2: true\n",
		"basic_auth_users:\n  alice: " SECRET "\n  bob.smith: '" SECRET "'\n",
		"basic_auth_users: {\"a b\": \"" SECRET "\"}\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		_cleanup_(web_config_freep) struct web_config *c = NULL;
		_buf_ struct buf error = {0};

		if (parse(texts[i], &c, &error))
			fail_msg("'%s': %s", texts[i], buf_str(&error));
		assert_false(web_config_tls(c));
	}
}

static void test_values(void **state)
{
	_cleanup_(web_config_freep) struct web_config *c = NULL;
	_buf_ struct buf error = {0};

	(void)state;
	assert_int_equal(
		parse("basic_auth_users:\n  bob.smith: " SECRET
		      "\nhttp_server_config:\n  headers:\n    x-frame-options: SAMEORIGIN\n",
		      &c, &error),
		0);
	assert_int_equal(c->users.n, 1);
	assert_string_equal(c->users.p[0].name, "bob.smith");
	assert_string_equal(c->users.p[0].value, SECRET);
	assert_int_equal(c->headers.n, 1);
	assert_string_equal(c->headers.p[0].name, "X-Frame-Options");
}

static const struct {
	const char *text, *says;
} bad[] = {
	{"a: b: c\n", "/nowhere/w.yml:1: "},
	{"\n\nnonsense: 1\n", "/nowhere/w.yml:3: unknown key 'nonsense'"},
	{"tls_server_config:\n  cert: a\n", "w.yml:2: unknown key 'cert' in tls_server_config"},
	{"tls_server_config: a\n", "takes keys of its own"},
	{"tls_server_config:\n  cert_file: a\n", "has no key_file"},
	{"tls_server_config:\n  key_file: a\n", "has no cert_file"},
	{"tls_server_config:\n  cert_file: a\n  key_file: b\n", "'/nowhere/a': No such file"},
	{"tls_server_config:\n  cert_file: a\n  cert_file: b\n",
	 "w.yml:3: 'cert_file' stands here twice"},
	{"tls_server_config:\n  cert_file: [a]\n", "takes no list"},
	{"tls_server_config:\n  curve_preferences: X25519\n", "takes a list"},
	{"tls_server_config:\n  curve_preferences: [X448]\n", "'X448' is none of CurveP256"},
	{"tls_server_config:\n  cipher_suites: [TLS_AES_128_GCM_SHA256]\n",
	 "cipher_suites is not supported"},
	{"tls_server_config:\n  min_version: TLS9\n", "'TLS9' is none of TLS10"},
	{"tls_server_config:\n  prefer_server_cipher_suites: 'true'\n", "neither true nor false"},
	{"tls_server_config:\n  client_auth_type: RequireAnyClientCert\n", "checks nothing"},
	{"tls_server_config:\n  cert_file: a\n  key_file: b\n  client_ca_file: c\n",
	 "needs client_auth_type"},
	{"http_server_config:\n  http3: true\n", "unknown key 'http3'"},
	{"http_server_config:\n  headers:\n    Set-Cookie: a\n", "cannot be set"},
	{"http_server_config:\n  http2: yes\n", "'yes' is neither true nor false"},
	{"http_server_config:\n  headers:\n    X-Frame-Options: ''\n", "has no such value"},
	{"http_server_config:\n  headers:\n    X-Frame-Options: \"a\\r\\nb: c\"\n",
	 "has no such value"},
	{"basic_auth_users:\n  a: secret\n", "w.yml:2: the user 'a': this is no bcrypt hash"},
	{"basic_auth_users:\n  a:\n", "no bcrypt hash"},
	{"basic_auth_users:\n  'a:b': " SECRET "\n", "':'"},
	{"basic_auth_users:\n  a: $2b$20$abcdefghijklmnopqrstuuDi9BDLbRqFkXGy3ULnPo7TpUHrKz4Bi\n",
	 "a cost of 20"},
	/* a character of the hash's head after another */
	{"basic_auth_users:\n  a: x2b$05$abcdefghijklmnopqrstuuDi9BDLbRqFkXGy3ULnPo7TpUHrKz4Bi\n",
	 "no bcrypt hash"},
	{"basic_auth_users:\n  a: $1b$05$abcdefghijklmnopqrstuuDi9BDLbRqFkXGy3ULnPo7TpUHrKz4Bi\n",
	 "no bcrypt hash"},
	{"basic_auth_users:\n  a: $2x$05$abcdefghijklmnopqrstuuDi9BDLbRqFkXGy3ULnPo7TpUHrKz4Bi\n",
	 "no bcrypt hash"},
	{"basic_auth_users:\n  a: $2b.05$abcdefghijklmnopqrstuuDi9BDLbRqFkXGy3ULnPo7TpUHrKz4Bi\n",
	 "no bcrypt hash"},
	{"basic_auth_users:\n  a: $2b$45$abcdefghijklmnopqrstuuDi9BDLbRqFkXGy3ULnPo7TpUHrKz4Bi\n",
	 "no bcrypt hash"},
	{"basic_auth_users:\n  a: $2b$/5$abcdefghijklmnopqrstuuDi9BDLbRqFkXGy3ULnPo7TpUHrKz4Bi\n",
	 "no bcrypt hash"},
	{"basic_auth_users:\n  a: $2b$0x$abcdefghijklmnopqrstuuDi9BDLbRqFkXGy3ULnPo7TpUHrKz4Bi\n",
	 "no bcrypt hash"},
	{"basic_auth_users:\n  a: $2b$0/$abcdefghijklmnopqrstuuDi9BDLbRqFkXGy3ULnPo7TpUHrKz4Bi\n",
	 "no bcrypt hash"},
	{"basic_auth_users:\n  a: $2b$05.abcdefghijklmnopqrstuuDi9BDLbRqFkXGy3ULnPo7TpUHrKz4Bi\n",
	 "no bcrypt hash"},
	{"basic_auth_users:\n  '': " SECRET "\n", "neither empty"},
	{"basic_auth_users: [a]\n", "takes no list"},
	{"- a\n", "a mapping is expected"},
	{"word\n", "a mapping is expected"},
	{"a: &x b\nc: *x\n", "unknown key 'a'"},
	{"http_server_config: *x\n", "w.yml:1: "},
	{"? [a]\n: b\n", "a key must be a word"},
	{"{}\n---\n{}\n", "more than one document"},
	{"basic_auth_users: {a: {b: {c: {d: {e: f}}}}}\n", "takes no keys of its own"},
	{"\t\n", "w.yml:"},
	{"\xff\xfe\xfd", "w.yml:"},
};

static void test_bad(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		_cleanup_(web_config_freep) struct web_config *c = NULL;
		_buf_ struct buf error = {0};
		int r = parse(bad[i].text, &c, &error);

		if (r >= 0 || c)
			fail_msg("'%s' was taken", bad[i].text);
		if (!strstr(buf_str(&error), bad[i].says))
			fail_msg("'%s': '%s', and not '%s'", bad[i].text, buf_str(&error),
				 bad[i].says);
		if (strchr(buf_str(&error), '\n'))
			fail_msg("'%s': more than a line: %s", bad[i].text, buf_str(&error));
	}
}

static void test_passwords(void **state)
{
	struct web_pair users[] = {{NULL, NULL}, {NULL, NULL}};
	struct web_pairs p = {users, 0};
	struct auth *a;

	(void)state;
	users[0].name = strdup("alice");
	users[0].value = strdup("$2y$05$qYv53aCTUyHjvEhisZchse9RM21DjS/PRfLC70O9dy.TPnV0JyVpC");
	p.n = 1;
	assert_int_equal(auth_new(&p, &a), 0);
	assert_false(auth_is_known(a, "alice", "secret"));
	assert_false(auth_check(a, "alice", ""));
	assert_false(auth_check(a, "alice", "Secret"));
	assert_false(auth_check(a, "nobody", "secret"));
	assert_false(auth_is_known(a, "alice", "Secret"));
	assert_true(auth_check(a, "alice", "secret")); /* the hash is htpasswd's */
	assert_true(auth_is_known(a, "alice", "secret"));
	assert_false(auth_is_known(a, "alic", "esecret"));
	assert_false(auth_is_known(a, "nobody", "secret"));
	(void)auth_unref(a);
	free(users[0].name);
	free(users[0].value);
}

static void test_addresses(void **state)
{
	static const char *const none[] = {"",
					   "x",
					   "127.0.0.1",
					   ":",
					   ":x",
					   "::1:80",
					   "[::1]",
					   "[::1:80",
					   "127.0.0.1:65536",
					   "127.0.0.1:-1",
					   "127.0.0.1: 1",
					   "127.0.0.1:1 ",
					   "]:80",
					   "[:80"};
	int fds[4];
	size_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		_buf_ struct buf error = {0};

		if (web_listen(none[i], fds, 4, &n, &error) != -EINVAL)
			fail_msg("'%s' was taken", none[i]);
		assert_true(error.len > 0);
	}
	for (int i = 0; i < 2; i++) {
		_buf_ struct buf error = {0}, url = {0};

		if (web_listen(i ? ":0" : "127.0.0.1:0", fds, 4, &n, &error))
			fail_msg("%s", buf_str(&error));
		assert_int_equal(n, 1);
		web_url(fds[0], i, &url);
		assert_non_null(strstr(buf_str(&url), i ? "https://" : "http://127.0.0.1:"));
		(void)close(fds[0]);
	}
}

static void test_months_and_names(void **state)
{
	static const char *const names[] = {"lmmsd-2026-11.html", "lmmsd-2026-11.md",
					    "lmmsd-2026-01.json", "lmmsd-1999-12.txt"};
	static const char *const none[] = {"",
					   "lmmsd-",
					   "lmmsd-2026-11",
					   "lmmsd-2026-13.html",
					   "lmmsd-2026-00.html",
					   "lmmsd-2026-11.htm",
					   "lmmsd-2026-11.html/",
					   "lmmsd-2026-11.html.html",
					   "../lmmsd-2026-11.html",
					   "lmmsd-../..html",
					   "lmmsd-2026-11.HTML",
					   "Lmmsd-2026-11.html",
					   "lmmsd-2026-1.html",
					   "lmmsd-2026-+1.html"};
	int32_t m;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_non_null(pages_review_type(names[i]));
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		if (pages_review_type(none[i]))
			fail_msg("'%s' is a review", none[i]);
	assert_int_equal(pages_month("2026-11", 7, &m), 0);
	assert_int_equal(m, 2026 * 12 + 10);
	assert_int_equal(pages_month("1969-12", 7, &m), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),	  cmocka_unit_test(test_values),
		cmocka_unit_test(test_bad),	  cmocka_unit_test(test_passwords),
		cmocka_unit_test(test_addresses), cmocka_unit_test(test_months_and_names),
	};

	return cmocka_run_group_tests_name("web_config", tests, NULL, NULL);
}
