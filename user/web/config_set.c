/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* What the web configuration file may say, and what it means. */
#include <errno.h>
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <string.h>
#include <strings.h>

#include "base/fdio.h"
#include "base/text.h"
#include "web/config_int.h"
#include "web/web.h"

#define PEM_MAX ((size_t)1 << 20)
#define BCRYPT_LEN 60
#define BCRYPT_COST_MAX 16 /* a check at more would take seconds */

struct web_config *web_config_free(struct web_config *c)
{
	if (!c)
		return NULL;
	free(c->cert_file);
	free(c->key_file);
	free(c->ca_file);
	free(c->priorities);
	if (c->key.data)
		explicit_bzero(c->key.data, c->key.len);
	buf_free(&c->cert);
	buf_free(&c->key);
	buf_free(&c->ca);
	buf_free(&c->groups);
	pairs_free(&c->users);
	pairs_free(&c->headers);
	free(c);
	return NULL;
}

bool web_config_tls(const struct web_config *c)
{
	return c && c->has_tls;
}

bool config_is_mapping(const char *path)
{
	return !strcmp(path, "tls_server_config") || !strcmp(path, "http_server_config") ||
	       !strcmp(path, "http_server_config.headers") || !strcmp(path, "basic_auth_users");
}

bool config_is_list(const char *path)
{
	return !strcmp(path, "tls_server_config.cipher_suites") ||
	       !strcmp(path, "tls_server_config.curve_preferences");
}

static int set_string(char **to, const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		return -ENOMEM;
	free(*to);
	*to = copy;
	return 0;
}

/* Position in a list that ends with NULL; -EINVAL: *why has the list. */
static int choose(const char *const words[], const struct web_value *v, struct buf *why)
{
	for (int i = 0; words[i]; i++)
		if (!strcmp(words[i], v->text))
			return i;
	buf_addf(why, "%s: '%s' is none of", v->key, v->text);
	for (int i = 0; words[i]; i++)
		buf_addf(why, " %s", words[i]);
	return -EINVAL;
}

static int set_version(int *to, const struct web_value *v, struct buf *why)
{
	static const char *const words[] = {"TLS10", "TLS11", "TLS12", "TLS13", NULL};
	int r = choose(words, v, why);

	if (r >= 0)
		*to = 10 + r;
	return r < 0 ? r : 0;
}

static int set_client_auth(struct web_config *c, const struct web_value *v, struct buf *why)
{
	static const char *const words[] = {"NoClientCert", "RequestClientCert",
					    "VerifyClientCertIfGiven", "RequireAndVerifyClientCert",
					    NULL};
	int r;

	if (!strcmp(v->text, "RequireAnyClientCert") || !strcmp(v->text, "RequireClientCert")) {
		buf_addf(why,
			 "%s: %s checks nothing and is not supported: "
			 "take RequireAndVerifyClientCert",
			 v->key, v->text);
		return -EINVAL;
	}
	r = choose(words, v, why);
	if (r < 0)
		return r;
	c->client_auth = r < 2	? CLIENT_AUTH_NONE :
			 r == 2 ? CLIENT_AUTH_IF_GIVEN :
				  CLIENT_AUTH_REQUIRED;
	return 0;
}

static int add_group(struct web_config *c, const struct web_value *v, struct buf *why)
{
	static const char *const words[] = {"CurveP256", "CurveP384", "CurveP521", "X25519", NULL};
	static const char *const groups[] = {"SECP256R1", "SECP384R1", "SECP521R1", "X25519"};
	int r = choose(words, v, why);

	if (r < 0)
		return r;
	buf_addf(&c->groups, ":+GROUP-%s", groups[r]);
	return buf_error(&c->groups);
}

static int set_bool(bool *to, const struct web_value *v, struct buf *why)
{
	bool on = !strcmp(v->text, "true");

	if (!v->plain || (!on && strcmp(v->text, "false") != 0)) {
		buf_addf(why, "%s: '%s' is neither true nor false", v->key, v->text);
		return -EINVAL;
	}
	*to = on;
	return 0;
}

static int add_user(struct web_config *c, const struct web_value *v, struct buf *why)
{
	const char *h = v->text;
	bool ok = strlen(h) == BCRYPT_LEN && h[0] == '$' && h[1] == '2' && strchr("aby", h[2]) &&
		  h[3] == '$' && h[4] >= '0' && h[4] <= '3' && h[5] >= '0' && h[5] <= '9' &&
		  h[6] == '$';

	if (!ok || !*v->key || strchr(v->key, ':')) {
		buf_addf(why, "the user '%s': %s", v->key,
			 ok ? "a name is neither empty nor has a ':' in it" :
			      "this is no bcrypt hash; 'htpasswd -nBC 10 \"\"' makes one");
		return -EINVAL;
	}
	if ((h[4] - '0') * 10 + h[5] - '0' > BCRYPT_COST_MAX) {
		buf_addf(
			why,
			"the user '%s': the hash has a cost of %.2s; at most %d, or each check takes seconds",
			v->key, h + 4, BCRYPT_COST_MAX);
		return -EINVAL;
	}
	return pairs_add(&c->users, v->key, h);
}

static int add_header(struct web_config *c, const struct web_value *v, struct buf *why)
{
	static const char *const names[] = {"Content-Security-Policy", "Strict-Transport-Security",
					    "X-Content-Type-Options",  "X-Frame-Options",
					    "X-XSS-Protection",	       NULL};
	size_t i = 0;

	while (names[i] && strcasecmp(names[i], v->key) != 0)
		i++;
	if (!names[i] || !*v->text || strpbrk(v->text, "\r\n")) {
		buf_addf(why,
			 names[i] ? "the header '%s' has no such value" :
				    "the header '%s' cannot be set",
			 v->key);
		return -EINVAL;
	}
	return pairs_add(&c->headers, names[i], v->text);
}

static int set_tls(struct web_config *c, const char *key, const struct web_value *v,
		   struct buf *why)
{
	bool prefer_server;
	int r;

	c->has_tls = true;
	if (!strcmp(key, "cert_file"))
		return set_string(&c->cert_file, v->text);
	if (!strcmp(key, "key_file"))
		return set_string(&c->key_file, v->text);
	if (!strcmp(key, "client_ca_file"))
		return set_string(&c->ca_file, v->text);
	if (!strcmp(key, "client_auth_type"))
		return set_client_auth(c, v, why);
	if (!strcmp(key, "min_version"))
		return set_version(&c->min_version, v, why);
	if (!strcmp(key, "max_version"))
		return set_version(&c->max_version, v, why);
	if (!strcmp(key, "curve_preferences"))
		return add_group(c, v, why);
	if (!strcmp(key, "prefer_server_cipher_suites")) {
		r = set_bool(&prefer_server, v, why);
		if (!r)
			c->client_preference = !prefer_server;
		return r;
	}
	if (!strcmp(key, "cipher_suites"))
		buf_adds(why, "cipher_suites is not supported: leave it out, GnuTLS chooses well; "
			      "min_version is");
	else
		buf_addf(why,
			 "unknown key '%s' in tls_server_config; it may have cert_file key_file "
			 "client_auth_type client_ca_file min_version max_version "
			 "prefer_server_cipher_suites curve_preferences",
			 key);
	return -EINVAL;
}

int config_set_value(struct web_config *c, const struct web_value *v, struct buf *why)
{
	bool http2;

	if (text_starts_with(v->path, "basic_auth_users."))
		return add_user(c, v, why);
	if (text_starts_with(v->path, "tls_server_config."))
		return set_tls(c, v->path + strlen("tls_server_config."), v, why);
	if (text_starts_with(v->path, "http_server_config.headers."))
		return add_header(c, v, why);
	/* It would only say that HTTP/2 may be spoken; we never do. */
	if (!strcmp(v->path, "http_server_config.http2"))
		return set_bool(&http2, v, why);
	if (text_starts_with(v->path, "http_server_config."))
		buf_addf(why, "unknown key '%s' in http_server_config; it may have http2 headers",
			 v->key);
	else if (config_is_mapping(v->path))
		buf_addf(why, "'%s' takes keys of its own", v->path);
	else
		buf_addf(why,
			 "unknown key '%s'; there are tls_server_config http_server_config "
			 "basic_auth_users",
			 v->path);
	return -EINVAL;
}

/* ---- all of it together */

static int read_pem(const char *dir, const char *file, const char *what, struct buf *ret,
		    struct buf *why)
{
	_buf_ struct buf path = {0};
	int r;

	if (*file != '/')
		buf_adds(&path, dir);
	buf_adds(&path, file);
	r = buf_error(&path);
	if (!r)
		r = fdio_read_file(AT_FDCWD, buf_str(&path), PEM_MAX, ret);
	if (r < 0 && r != -ENOMEM)
		buf_addf(why, "cannot read the %s '%s': %s", what, buf_str(&path), strerror(-r));
	if (!r)
		buf_adds(ret, "");
	return r;
}

static int make_priorities(struct web_config *c, struct buf *why)
{
	static const char *const names[] = {"VERS-TLS1.0", "VERS-TLS1.1", "VERS-TLS1.2",
					    "VERS-TLS1.3"};
	int min = c->min_version ? c->min_version : 12, max = c->max_version ? c->max_version : 13;
	_buf_ struct buf p = {0};
	gnutls_priority_t test;

	if (min > max) {
		buf_adds(why, "tls_server_config: min_version is above max_version");
		return -EINVAL;
	}
	buf_adds(&p, "NORMAL:-VERS-ALL");
	for (int v = max; v >= min; v--)
		buf_addf(&p, ":+%s", names[v - 10]);
	if (c->groups.len)
		buf_addf(&p, ":-GROUP-ALL%s", buf_str(&c->groups));
	if (!c->client_preference)
		buf_adds(&p, ":%SERVER_PRECEDENCE");
	c->priorities = buf_take(&p);
	if (!c->priorities)
		return -ENOMEM;
	if (gnutls_priority_init(&test, c->priorities, NULL) < 0) {
		buf_adds(
			why,
			"tls_server_config: this system allows none of these TLS versions or curves");
		return -EINVAL;
	}
	gnutls_priority_deinit(test);
	return 0;
}

static int check_pair(const struct web_config *c, struct buf *why)
{
	const gnutls_datum_t cert = {(unsigned char *)c->cert.data, (unsigned int)c->cert.len};
	const gnutls_datum_t key = {(unsigned char *)c->key.data, (unsigned int)c->key.len};
	const gnutls_datum_t ca = {(unsigned char *)c->ca.data, (unsigned int)c->ca.len};
	gnutls_certificate_credentials_t creds;
	int r = gnutls_certificate_allocate_credentials(&creds);

	if (r < 0)
		return -ENOMEM;
	r = gnutls_certificate_set_x509_key_mem(creds, &cert, &key, GNUTLS_X509_FMT_PEM);
	if (r < 0) {
		buf_addf(why, "the certificate '%s' and the key '%s' cannot be used: %s",
			 c->cert_file, c->key_file, gnutls_strerror(r));
	} else if (c->ca.len) {
		r = gnutls_certificate_set_x509_trust_mem(creds, &ca, GNUTLS_X509_FMT_PEM);
		if (r <= 0)
			buf_addf(why, "the client certificates' CA '%s' cannot be used: %s",
				 c->ca_file,
				 r ? gnutls_strerror(r) : "there is no certificate in it");
		r = r <= 0 ? -1 : 0;
	}
	gnutls_certificate_free_credentials(creds);
	return r < 0 ? -EINVAL : 0;
}

int config_complete(struct web_config *c, const char *dir, struct buf *why)
{
	int r;

	if (!c->has_tls)
		return 0;
	if (!c->cert_file || !c->key_file) {
		buf_addf(why, "tls_server_config has no %s",
			 c->cert_file ? "key_file" : "cert_file");
		return -EINVAL;
	}
	if ((c->client_auth != CLIENT_AUTH_NONE) != (c->ca_file != NULL)) {
		buf_adds(why, c->ca_file ?
				      "tls_server_config: client_ca_file needs client_auth_type: "
				      "RequireAndVerifyClientCert or VerifyClientCertIfGiven" :
				      "tls_server_config: client_auth_type needs client_ca_file");
		return -EINVAL;
	}
	r = read_pem(dir, c->cert_file, "certificate", &c->cert, why);
	if (!r)
		r = read_pem(dir, c->key_file, "key", &c->key, why);
	if (!r && c->ca_file)
		r = read_pem(dir, c->ca_file, "client certificates' CA", &c->ca, why);
	if (!r)
		r = make_priorities(c, why);
	return r ? r : check_pair(c, why);
}

int config_add_headers(const struct web_pairs *headers, struct web_page *p)
{
	int r = 0;

	for (size_t i = 0; !r && headers && i < headers->n; i++)
		r = web_page_header(p, headers->p[i].name, headers->p[i].value);
	return r;
}

bool tls_client_may(const struct web_config *c, struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info;
	gnutls_session_t session;
	unsigned int n = 0, status = 0;
	gnutls_typed_vdata_st purpose = {
		.type = GNUTLS_DT_KEY_PURPOSE_OID,
		.data = (unsigned char *)(uintptr_t)GNUTLS_KP_TLS_WWW_CLIENT,
	};

	if (!c || c->client_auth == CLIENT_AUTH_NONE)
		return true;
	info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
	if (!info)
		return false;
	session = info->tls_session;
	if (!gnutls_certificate_get_peers(session, &n) || !n)
		return c->client_auth == CLIENT_AUTH_IF_GIVEN;
	return gnutls_certificate_verify_peers(session, &purpose, 1, &status) == 0 && status == 0;
}
