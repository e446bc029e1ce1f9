/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "fleet/ask.h"

#include <errno.h>
#include <string.h>

void ask_quote(struct buf *b, const char *s)
{
	for (; *s; s++) {
		if (*s == '\\' || *s == '"')
			buf_addc(b, '\\');
		if (*s == '\n')
			buf_adds(b, "\\n");
		else
			buf_addc(b, *s);
	}
}

static int refused(long status, int parsed, struct buf *error)
{
	if (status == 401 || status == 403) {
		buf_reset(error);
		buf_addf(
			error,
			"it wants to know who asks (HTTP %ld): put user and password in the URL or in ~/.netrc, or a "
			"header in the file of --prometheus-headers",
			status);
		return -EACCES;
	}
	if (parsed == -EREMOTEIO)
		return parsed;
	buf_reset(error);
	if (status >= 200 && status < 300)
		buf_adds(error,
			 "what it answers is not Prometheus' API: is this the right address?");
	else
		buf_addf(error, "it answers with HTTP status %ld: is this the right address?",
			 status);
	return -EBADMSG;
}

int ask(struct fleet *f, const char *query, double time_s,
	int (*each)(const struct answer_series *s, void *arg), void *arg, struct buf *error)
{
	_buf_ struct buf form = {0}, answer = {0};
	long status = 0;
	int r;

	/* nocache: VictoriaMetrics would answer for half a minute ago */
	buf_adds(&form, "query=");
	http_encode(f->http, query, &form);
	buf_addf(&form, "&time=%.3f&nocache=1", time_s);
	if (buf_error(&form))
		return -ENOMEM;
	f->queries++;
	r = http_post(f->http, "/api/v1/query", buf_str(&form), &answer, &status, error);
	if (r < 0)
		return r;
	r = answer_walk(buf_str(&answer), answer.len, each, arg, error);
	if (r == -ENOMEM || r == -E2BIG)
		return r;
	if (r < 0 || status < 200 || status >= 300)
		return refused(status, r, error);
	return 0;
}
