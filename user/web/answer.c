/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* From a request to its answer. */
#include <errno.h>
#include <string.h>

#include "web/web_int.h"

const char *web_request_path(const struct web_request *r)
{
	return r->path;
}

const char *web_request_query(const struct web_request *r, const char *name, size_t *ret_len)
{
	const char *value = NULL;

	*ret_len = 0;
	if (MHD_lookup_connection_value_n(r->connection, MHD_GET_ARGUMENT_KIND, name, strlen(name),
					  &value, ret_len) != MHD_YES)
		return NULL;
	return value ? value : "";
}

const char *web_request_header(const struct web_request *r, const char *name)
{
	return MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, name);
}

static struct web_request *request_free(struct web_request *r)
{
	if (!r)
		return NULL;
	if (r->slow)
		r->web->slow--;
	(void)web_page_unref(r->page);
	(void)auth_unref(r->auth);
	free(r->path);
	free(r->user);
	auth_wipe(r->password);
	free(r);
	return NULL;
}

static const struct web_route *find_route(const struct web *w, const char *path)
{
	for (size_t i = 0; i < w->options.n_routes; i++) {
		const struct web_route *route = &w->options.routes[i];
		size_t len = strlen(route->path);

		if (len && route->path[len - 1] == '*' ? !strncmp(route->path, path, len - 1) :
							 !strcmp(route->path, path))
			return route;
	}
	return NULL;
}

static enum MHD_Result send_page(struct web_request *r, struct web_page *p)
{
	page_dress(p, r->web->config ? &r->web->config->headers : NULL);
	client_set(r->client, CLIENT_SENDING);
	return MHD_queue_response(r->connection, page_status(p), page_response(p));
}

/* Without memory for an answer the connection is closed. */
static enum MHD_Result send_text(struct web_request *r, unsigned int status, const char *text,
				 const char *header, const char *value)
{
	_cleanup_(web_page_unrefp) struct web_page *p = NULL;

	if (web_page_text(status, &p, "%s", text) ||
	    (header && web_page_header(p, header, value) < 0))
		return MHD_NO;
	return send_page(r, p);
}

static enum MHD_Result send_busy(struct web_request *r)
{
	r->web->stats.refused++;
	return send_text(r, MHD_HTTP_SERVICE_UNAVAILABLE,
			 "Busy: others are being answered. Try again in a moment.", "Retry-After",
			 "5");
}

static enum MHD_Result send_error(struct web_request *r, int error)
{
	if (error == -ENOMEM || error == -EBUSY || error == -ESHUTDOWN)
		return send_busy(r);
	return send_text(r, MHD_HTTP_INTERNAL_SERVER_ERROR,
			 "This page could not be made; the log of lmmsd may say why.", NULL, NULL);
}

static enum MHD_Result send_made(struct web_request *r)
{
	if (r->error || !r->page)
		return send_error(r, r->error);
	return send_page(r, r->page);
}

void answer_make(struct web_request *r)
{
	r->error = r->route->make(r->web->options.arg, r, &r->page);
}

static enum MHD_Result hand_over(struct web_request *r, struct worker *to, enum phase phase)
{
	enum phase before = r->phase;

	r->phase = phase;
	/* Otherwise one client with wrong passwords could keep the right ones from ever changing. */
	if (r->web->reloading || worker_put(to, r) < 0) {
		r->phase = before;
		return send_busy(r);
	}
	/* Only this thread takes back what the worker has done, so it is not too late. */
	client_set(r->client, CLIENT_WORKER);
	MHD_suspend_connection(r->connection);
	return MHD_YES;
}

static enum MHD_Result ask_password(struct web_request *r)
{
	return send_text(r, MHD_HTTP_UNAUTHORIZED, "A user name and a password are needed.",
			 "WWW-Authenticate", "Basic realm=\"lmmsd\", charset=\"UTF-8\"");
}

/* MHD_YES with r->authed set, or answered. */
static enum MHD_Result check_password(struct web_request *r)
{
	struct web *w = r->web;

	r->authed = !w->auth || (r->route && r->route->open);
	if (r->authed)
		return MHD_YES;
	r->user = MHD_basic_auth_get_username_password(r->connection, &r->password);
	if (!r->user || !r->password)
		return ask_password(r);
	if (auth_is_known(w->auth, r->user, r->password)) {
		r->authed = true;
		return MHD_YES;
	}
	r->auth = auth_ref(w->auth);
	return hand_over(r, &w->passwords, PHASE_AUTH);
}

static enum MHD_Result answer(struct web_request *r)
{
	if (!r->route)
		return send_text(r, MHD_HTTP_NOT_FOUND,
				 "There is no such page; / has links to all.", NULL, NULL);
	if (r->route->slow) {
		if (r->web->slow >= WEB_MAX_SLOW)
			return send_busy(r);
		r->web->slow++;
		r->slow = true;
		return hand_over(r, &r->web->pages, PHASE_PAGE);
	}
	answer_make(r);
	return send_made(r);
}

static enum MHD_Result go_on(struct web_request *r)
{
	switch (r->phase) {
	case PHASE_NEW:
		if (check_password(r) != MHD_YES)
			return MHD_NO;
		/* Handed over, it is the worker's: `authed` may be set at any moment, and is not for now. */
		return r->phase == PHASE_NEW && r->authed ? answer(r) : MHD_YES;
	case PHASE_AUTHED:
		if (!r->authed) {
			r->web->stats.failed_auth++;
			return ask_password(r);
		}
		return answer(r);
	case PHASE_MADE:
		return send_made(r);
	default: /* a worker has it */
		return MHD_YES;
	}
}

static struct web_request *begin(struct web_server *s, struct MHD_Connection *connection,
				 const char *url)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct web_request *r = calloc(1, sizeof(*r));

	if (!r || !info || !info->socket_context)
		return request_free(r);
	r->web = s->web;
	r->connection = connection;
	r->client = info->socket_context;
	r->path = strdup(url);
	if (!r->path)
		return request_free(r);
	r->route = find_route(s->web, url);
	return r;
}

enum MHD_Result answer_request(void *arg, struct MHD_Connection *connection, const char *url,
			       const char *method, const char *version, const char *upload,
			       size_t *upload_size, void **state)
{
	struct web_server *s = arg;
	struct web_request *r = *state;

	(void)version;
	(void)upload;
	if (r && *upload_size) { /* nobody wants to know */
		*upload_size = 0;
		return MHD_YES;
	}
	if (r)
		return go_on(r);
	*state = r = begin(s, connection, url);
	if (!r)
		return MHD_NO;
	s->web->stats.requests++;
	/* An answer in this first call ends the connection: right for what may have a body. */
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return send_text(r, r->route ? MHD_HTTP_METHOD_NOT_ALLOWED : MHD_HTTP_NOT_FOUND,
				 "Only GET and HEAD.", r->route ? "Allow" : NULL, "GET, HEAD");
	if (!tls_client_may(s->web->config, connection))
		return send_text(r, MHD_HTTP_FORBIDDEN, "A client certificate is needed.", NULL,
				 NULL);
	return MHD_YES;
}

void answer_completed(void *arg, struct MHD_Connection *connection, void **state,
		      enum MHD_RequestTerminationCode why)
{
	struct web_request *r = *state;

	(void)arg;
	(void)connection;
	(void)why;
	if (r)
		client_set(r->client, CLIENT_IDLE);
	*state = request_free(r);
}
