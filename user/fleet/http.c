/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "fleet/http.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fdio.h"

#define HEADERS_MOST 65536 /* bytes of a file with headers */
#define CONNECT_S 10
#define REDIRECTS_MOST 5
#define AGENT "lmmsctl/" LMMSD_VERSION

struct http {
	CURL *curl;		    /* owned */
	CURLU *base;		    /* owned: as given */
	struct curl_slist *headers; /* owned */
	char *shown;		    /* owned */
	size_t answer_max;
	struct buf *answer; /* borrowed, while it is filled */
	bool too_long;
	char reason[CURL_ERROR_SIZE];
};

struct http *http_free(struct http *h)
{
	if (!h)
		return NULL;
	curl_easy_cleanup(h->curl);
	curl_url_cleanup(h->base);
	curl_slist_free_all(h->headers);
	free(h->shown);
	free(h);
	return NULL;
}

const char *http_shown(const struct http *h)
{
	return h->shown;
}

void http_encode(const struct http *h, const char *value, struct buf *b)
{
	char *text = curl_easy_escape(h->curl, value, 0);

	if (text)
		buf_adds(b, text);
	else
		b->error = -ENOMEM;
	curl_free(text);
}

static size_t take(const char *data, size_t size, size_t n, void *arg)
{
	struct http *h = arg;

	if (size * n > h->answer_max - h->answer->len) {
		h->too_long = true;
		return 0;
	}
	buf_add(h->answer, data, size * n);
	return buf_error(h->answer) ? 0 : size * n;
}

/* A copy of one part of the URL; NULL: it has none, or no memory. curl_free() */
static char *part_of(const struct http *h, CURLUPart part)
{
	char *text = NULL;

	return curl_url_get(h->base, part, &text, 0) == CURLUE_OK ? text : NULL;
}

static int show(struct http *h)
{
	_buf_ struct buf b = {0};
	char *scheme = part_of(h, CURLUPART_SCHEME), *host = part_of(h, CURLUPART_HOST);
	char *port = part_of(h, CURLUPART_PORT), *path = part_of(h, CURLUPART_PATH);

	buf_addf(&b, "%s://%s", scheme ? scheme : "", host ? host : "");
	if (port)
		buf_addf(&b, ":%s", port);
	if (path && strcmp(path, "/") != 0)
		buf_adds(&b, path);
	curl_free(scheme);
	curl_free(host);
	curl_free(port);
	curl_free(path);
	h->shown = buf_take(&b);
	return h->shown ? 0 : -ENOMEM;
}

static int read_url(struct http *h, const char *url, struct buf *error)
{
	char *scheme;
	bool known;

	h->base = curl_url();
	if (!h->base)
		return -ENOMEM;
	if (curl_url_set(h->base, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK) {
		/* what is no URL may still hold a password */
		buf_adds(error, "--prometheus: this is no URL: write it as http://HOST:9090");
		return -EINVAL;
	}
	scheme = part_of(h, CURLUPART_SCHEME);
	known = scheme && (!strcmp(scheme, "http") || !strcmp(scheme, "https"));
	curl_free(scheme);
	if (!known) {
		buf_adds(
			error,
			"--prometheus: this is no http or https URL: write it as http://HOST:9090");
		return -EINVAL;
	}
	return show(h);
}

static int add_header(struct http *h, const char *line, size_t len)
{
	_buf_ struct buf b = {0};
	struct curl_slist *list;

	buf_add(&b, line, len);
	list = buf_error(&b) ? NULL : curl_slist_append(h->headers, buf_str(&b));
	if (!list)
		return -ENOMEM;
	h->headers = list;
	return 0;
}

/* "NAME: VALUE" a line; empty ones and those with '#' in front say nothing. */
static int read_headers(struct http *h, const char *path, struct buf *error)
{
	_buf_ struct buf text = {0};
	int r = fdio_read_file(AT_FDCWD, path, HEADERS_MOST, &text);
	unsigned int n = 0;

	if (r < 0) {
		buf_addf(error, "cannot read the headers in '%s': %s", path, strerror(-r));
		return r;
	}
	for (const char *at = buf_str(&text); *at && r == 0;) {
		size_t len = strcspn(at, "\r\n");

		n++;
		if (len && *at != '#' && (!memchr(at, ':', len) || *at == ':')) {
			buf_addf(error, "%s:%u: this is no header: write it as NAME: VALUE", path,
				 n);
			return -EINVAL;
		}
		if (len && *at != '#')
			r = add_header(h, at, len);
		at += len;
		at += *at == '\r';
		at += *at == '\n';
	}
	return r;
}

#define SET(h, option, value) (curl_easy_setopt((h)->curl, (option), (value)) == CURLE_OK)

static bool only_http(const struct http *h)
{
#if LIBCURL_VERSION_NUM >= 0x075500
	return SET(h, CURLOPT_PROTOCOLS_STR, "http,https") &&
	       SET(h, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
#else /* RHEL 9 */
	return SET(h, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS)) &&
	       SET(h, CURLOPT_REDIR_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
}

static bool set_all(struct http *h, const struct fleet_options *o)
{
	return SET(h, CURLOPT_WRITEFUNCTION, take) && SET(h, CURLOPT_WRITEDATA, h) &&
	       SET(h, CURLOPT_ERRORBUFFER, h->reason) && SET(h, CURLOPT_USERAGENT, AGENT) &&
	       SET(h, CURLOPT_NOSIGNAL, 1L) && SET(h, CURLOPT_HTTPHEADER, h->headers) &&
	       SET(h, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_S) &&
	       SET(h, CURLOPT_TIMEOUT, (long)o->timeout_s) && SET(h, CURLOPT_ACCEPT_ENCODING, "") &&
	       SET(h, CURLOPT_FOLLOWLOCATION, 1L) &&
	       SET(h, CURLOPT_MAXREDIRS, (long)REDIRECTS_MOST) &&
	       SET(h, CURLOPT_POSTREDIR, (long)CURL_REDIR_POST_ALL) && only_http(h) &&
	       SET(h, CURLOPT_NETRC, (long)CURL_NETRC_OPTIONAL) &&
	       SET(h, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC) &&
	       (!o->ca_file || SET(h, CURLOPT_CAINFO, o->ca_file));
}

int http_new(const struct fleet_options *o, struct http **ret, struct buf *error)
{
	_cleanup_(http_freep) struct http *h = calloc(1, sizeof(*h));
	int r;

	if (!h)
		return -ENOMEM;
	h->answer_max = o->answer_max;
	h->curl = curl_easy_init();
	if (!h->curl)
		return -ENOMEM;
	r = read_url(h, o->url, error);
	/* curl would wait for a "100 Continue" that small servers do not send */
	if (r == 0)
		r = add_header(h, "Expect:", 7);
	if (r == 0 && o->headers_file)
		r = read_headers(h, o->headers_file, error);
	if (r == 0 && o->ca_file && access(o->ca_file, R_OK) < 0) {
		r = -errno;
		buf_addf(error, "cannot read the certificates in '%s': %s", o->ca_file,
			 strerror(-r));
	}
	if (r < 0)
		return r;
	if (!set_all(h, o))
		return -ENOMEM;
	*ret = TAKE_PTR(h);
	return 0;
}

/* The path goes behind the URL's own, its query stays. */
static int aim(struct http *h, const char *path)
{
	CURLU *url = curl_url_dup(h->base);
	char *own = part_of(h, CURLUPART_PATH), *whole = NULL;
	_buf_ struct buf b = {0};
	size_t len = own ? strlen(own) : 0;
	bool ok;

	while (len && own[len - 1] == '/')
		len--;
	buf_add(&b, own ? own : "", len);
	buf_adds(&b, path);
	ok = url && !buf_error(&b) &&
	     curl_url_set(url, CURLUPART_PATH, buf_str(&b), 0) == CURLUE_OK &&
	     curl_url_get(url, CURLUPART_URL, &whole, 0) == CURLUE_OK && SET(h, CURLOPT_URL, whole);
	curl_free(own);
	curl_free(whole);
	curl_url_cleanup(url);
	return ok ? 0 : -ENOMEM;
}

static int why_not(const struct http *h, CURLcode code, struct buf *error)
{
	if (h->too_long) {
		buf_addf(error, "the answer is longer than %zu MiB: ask for one --app",
			 h->answer_max >> 20);
		return -EFBIG;
	}
	switch (code) {
	case CURLE_OUT_OF_MEMORY:
		return -ENOMEM;
	case CURLE_OPERATION_TIMEDOUT:
		buf_addf(error, "it did not answer in time (%s)", h->reason);
		return -ETIMEDOUT;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
		buf_addf(
			error,
			"its certificate is not trusted (%s): give its authority by --prometheus-ca",
			h->reason);
		return -EHOSTUNREACH;
	case CURLE_TOO_MANY_REDIRECTS:
		buf_adds(error, "it sends from one address to the next: give the last one");
		return -EHOSTUNREACH;
	default:
		buf_adds(error, *h->reason ? h->reason : curl_easy_strerror(code));
		return -EHOSTUNREACH;
	}
}

int http_post(struct http *h, const char *path, const char *form, struct buf *answer,
	      long *ret_status, struct buf *error)
{
	CURLcode code;
	int r = aim(h, path);

	if (r < 0 || !SET(h, CURLOPT_POSTFIELDS, form))
		return -ENOMEM;
	buf_reset(answer);
	h->answer = answer;
	h->too_long = false;
	*h->reason = '\0';
	code = curl_easy_perform(h->curl);
	h->answer = NULL;
	if (buf_error(answer))
		return -ENOMEM;
	if (code != CURLE_OK)
		return why_not(h, code, error);
	(void)curl_easy_getinfo(h->curl, CURLINFO_RESPONSE_CODE, ret_status);
	return 0;
}
