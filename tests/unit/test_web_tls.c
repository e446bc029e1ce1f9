/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* tls_server_config with certificates: what GnuTLS is told, and which files are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include <cmocka.h>

#include "unit/fake_dir.h"
#include "web/config_int.h"
#include "web/web.h"

static const char *const files[] = {"cert.pem", "key.pem", "other.pem", "nothing.pem", "word.pem"};

static void save(const char *name, const char *data, size_t n)
{
	FILE *f = fopen(name, "we");

	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
}

static gnutls_x509_privkey_t make_key(const char *name)
{
	gnutls_x509_privkey_t key;
	gnutls_datum_t pem;

	assert_int_equal(gnutls_x509_privkey_init(&key), 0);
	assert_int_equal(
		gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA,
					     GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0),
		0);
	assert_int_equal(gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &pem), 0);
	save(name, (char *)pem.data, pem.size);
	gnutls_free(pem.data);
	return key;
}

/* A certificate that its own key signed. */
static void make_certificate(const char *name, gnutls_x509_privkey_t key)
{
	gnutls_x509_crt_t crt;
	gnutls_datum_t pem;

	assert_int_equal(gnutls_x509_crt_init(&crt), 0);
	assert_int_equal(gnutls_x509_crt_set_version(crt, 3), 0);
	assert_int_equal(gnutls_x509_crt_set_serial(crt, "\1", 1), 0);
	assert_int_equal(gnutls_x509_crt_set_activation_time(crt, time(NULL) - 60), 0);
	assert_int_equal(gnutls_x509_crt_set_expiration_time(crt, time(NULL) + 3600), 0);
	assert_int_equal(gnutls_x509_crt_set_dn(crt, "CN=localhost", NULL), 0);
	assert_int_equal(gnutls_x509_crt_set_key(crt, key), 0);
	assert_int_equal(gnutls_x509_crt_sign2(crt, crt, key, GNUTLS_DIG_SHA256, 0), 0);
	assert_int_equal(gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &pem), 0);
	save(name, (char *)pem.data, pem.size);
	gnutls_free(pem.data);
	gnutls_x509_crt_deinit(crt);
}

static int make_files(void **state)
{
	gnutls_x509_privkey_t key, other;

	if (make_dir(state) < 0)
		return -1;
	key = make_key("key.pem");
	other = make_key("other.pem");
	make_certificate("cert.pem", key);
	save("nothing.pem", "", 0);
	save("word.pem", "secret\n", 7);
	gnutls_x509_privkey_deinit(key);
	gnutls_x509_privkey_deinit(other);
	return 0;
}

static int remove_files(void **state)
{
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		(void)unlink(files[i]);
	return remove_dir(state);
}

/* The configuration stands beside the files. */
static int parse(const char *lines, struct web_config **ret, struct buf *error)
{
	_buf_ struct buf path = {0}, text = {0};

	buf_addf(&path, "%s/w.yml", dir);
	buf_addf(&text, "tls_server_config:\n%s", lines);
	return web_config_parse(buf_str(&path), buf_str(&text), text.len, ret, error);
}

#define PAIR "  cert_file: cert.pem\n  key_file: key.pem\n"
#define WITH_CA PAIR "  client_ca_file: cert.pem\n  client_auth_type: "

static const struct {
	const char *lines, *priorities;
	int client_auth;
} good[] = {
	{PAIR, "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:%SERVER_PRECEDENCE", CLIENT_AUTH_NONE},
	{PAIR "  min_version: TLS13\n", "NORMAL:-VERS-ALL:+VERS-TLS1.3:%SERVER_PRECEDENCE",
	 CLIENT_AUTH_NONE},
	{PAIR "  max_version: TLS12\n", "NORMAL:-VERS-ALL:+VERS-TLS1.2:%SERVER_PRECEDENCE",
	 CLIENT_AUTH_NONE},
	{PAIR "  prefer_server_cipher_suites: true\n",
	 "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:%SERVER_PRECEDENCE", CLIENT_AUTH_NONE},
	{PAIR "  prefer_server_cipher_suites: false\n",
	 "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2", CLIENT_AUTH_NONE},
	{PAIR "  curve_preferences: [X25519, CurveP384]\n",
	 "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-GROUP-ALL:+GROUP-X25519:+GROUP-SECP384R1"
	 ":%SERVER_PRECEDENCE",
	 CLIENT_AUTH_NONE},
	{PAIR "  client_auth_type: NoClientCert\n", NULL, CLIENT_AUTH_NONE},
	{PAIR "  client_auth_type: RequestClientCert\n", NULL, CLIENT_AUTH_NONE},
	{WITH_CA "VerifyClientCertIfGiven\n", NULL, CLIENT_AUTH_IF_GIVEN},
	{WITH_CA "RequireAndVerifyClientCert\n", NULL, CLIENT_AUTH_REQUIRED},
};

static void test_good(void **state _unused_)
{
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		_cleanup_(web_config_freep) struct web_config *c = NULL;
		_buf_ struct buf error = {0};

		if (parse(good[i].lines, &c, &error))
			fail_msg("%s: %s", good[i].lines, buf_str(&error));
		assert_true(web_config_tls(c));
		assert_int_equal(c->client_auth, good[i].client_auth);
		if (good[i].priorities)
			assert_string_equal(c->priorities, good[i].priorities);
		/* a client needs no certificate, whoever it is */
		if (c->client_auth == CLIENT_AUTH_NONE)
			assert_true(tls_client_may(c, NULL));
	}
	assert_false(web_config_tls(NULL));
	assert_true(tls_client_may(NULL, NULL));
}

static const struct {
	const char *lines, *says;
} bad[] = {
	{"  cert_file: cert.pem\n  key_file: other.pem\n", "cannot be used"},
	{"  cert_file: key.pem\n  key_file: key.pem\n", "cannot be used"},
	{"  cert_file: word.pem\n  key_file: key.pem\n", "'word.pem' and the key 'key.pem'"},
	{"  cert_file: nothing.pem\n  key_file: key.pem\n", "cannot be used"},
	{"  cert_file: cert.pem\n  key_file: absent.pem\n", "cannot read the key '"},
	{"  cert_file: cert.pem\n  key_file: /absent.pem\n", "cannot read the key '/absent.pem'"},
	{PAIR "  min_version: TLS13\n  max_version: TLS12\n", "min_version is above max_version"},
	{PAIR "  max_version: TLS11\n", "min_version is above max_version"},
	{PAIR "  client_ca_file: cert.pem\n", "client_ca_file needs client_auth_type"},
	{PAIR "  client_ca_file: cert.pem\n  client_auth_type: RequestClientCert\n",
	 "client_ca_file needs client_auth_type"},
	{PAIR "  client_auth_type: VerifyClientCertIfGiven\n", "needs client_ca_file"},
	{PAIR "  client_auth_type: RequireClientCert\n", "checks nothing"},
	{PAIR "  client_auth_type: Always\n", "'Always' is none of NoClientCert"},
	{PAIR "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: absent.pem\n",
	 "cannot read the client certificates' CA '"},
	{PAIR "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: word.pem\n",
	 "the client certificates' CA 'word.pem' cannot be used"},
	{PAIR "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: key.pem\n",
	 "the client certificates' CA 'key.pem' cannot be used"},
};

static void test_bad(void **state _unused_)
{
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		_cleanup_(web_config_freep) struct web_config *c = NULL;
		_buf_ struct buf error = {0};

		if (parse(bad[i].lines, &c, &error) >= 0 || c)
			fail_msg("%s: was taken", bad[i].lines);
		if (!strstr(buf_str(&error), bad[i].says))
			fail_msg("%s: '%s', and not '%s'", bad[i].lines, buf_str(&error),
				 bad[i].says);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
	};

	return cmocka_run_group_tests_name("web_tls", tests, make_files, remove_files);
}
