/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Answers: a body, its headers, and how many hold it. */
#include <errno.h>
#include <string.h>

#include "web/web_int.h"

struct web_page {
	struct MHD_Response *response; /* owned */
	unsigned int status;
	atomic_uint refs;
	bool dressed; /* of the loop's thread */
};

/* Nothing on a page may be loaded from elsewhere, or be shown in another site's frame. */
static const struct {
	const char *name, *value;
} usual[] = {
	{"Content-Security-Policy",
	 "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
	{"X-Content-Type-Options", "nosniff"},
	{"X-Frame-Options", "DENY"},
	{"Referrer-Policy", "no-referrer"},
	{"Cross-Origin-Resource-Policy", "same-origin"},
	{"Cache-Control", "no-store"},
};

int web_page_header(struct web_page *p, const char *name, const char *value)
{
	const char *old = MHD_get_response_header(p->response, name);

	if (old)
		(void)MHD_del_response_header(p->response, name, old);
	return MHD_add_response_header(p->response, name, value) == MHD_YES ? 0 : -ENOMEM;
}

int web_page_new(unsigned int status, const char *type, struct buf *body, struct web_page **ret)
{
	_cleanup_(web_page_unrefp) struct web_page *p = calloc(1, sizeof(*p));
	size_t len = body->len;
	char *data;
	int r;

	if (!p || buf_error(body)) {
		buf_free(body);
		return -ENOMEM;
	}
	p->status = status;
	atomic_init(&p->refs, 1);
	if (!len)
		buf_adds(body, "");
	data = buf_take(body);
	if (!data)
		data = calloc(1, 1);
	if (!data)
		return -ENOMEM;
	p->response = MHD_create_response_from_buffer(len, data, MHD_RESPMEM_MUST_FREE);
	if (!p->response) {
		free(data);
		return -ENOMEM;
	}
	r = web_page_header(p, "Content-Type", type ? type : "text/plain; charset=utf-8");
	for (size_t i = 0; !r && i < ARRAY_LEN(usual); i++)
		r = web_page_header(p, usual[i].name, usual[i].value);
	if (r)
		return r;
	*ret = TAKE_PTR(p);
	return 0;
}

int web_page_text(unsigned int status, struct web_page **ret, const char *format, ...)
{
	struct buf b = {0};
	va_list ap;

	va_start(ap, format);
	buf_vaddf(&b, format, ap);
	va_end(ap);
	buf_addc(&b, '\n');
	return web_page_new(status, NULL, &b, ret);
}

struct web_page *web_page_ref(struct web_page *p)
{
	(void)atomic_fetch_add(&p->refs, 1);
	return p;
}

struct web_page *web_page_unref(struct web_page *p)
{
	if (!p || atomic_fetch_sub(&p->refs, 1) > 1)
		return NULL;
	if (p->response)
		MHD_destroy_response(p->response);
	free(p);
	return NULL;
}

struct MHD_Response *page_response(struct web_page *p)
{
	return p->response;
}

unsigned int page_status(const struct web_page *p)
{
	return p->status;
}

void page_dress(struct web_page *p, const struct web_pairs *headers)
{
	if (!p->dressed)
		(void)config_add_headers(headers, p);
	p->dressed = true;
}
