/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* YAML to paths and values. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <yaml.h>

#include "base/fdio.h"
#include "web/config_int.h"

#define FILE_MAX ((size_t)1 << 20)
#define DEPTH_MAX 4
#define VALUES_MAX 4096

struct level {
	bool list;
	size_t path_len; /* of what stands above it */
	bool has_key;	 /* mapping: the path's last part is the key of what comes */
};

struct reading {
	struct web_config *c;
	const char *file;
	struct buf path;
	struct level level[DEPTH_MAX];
	size_t depth;
	struct web_pairs seen; /* paths that have their value */
	struct buf *error;
	int r;
};

static int fail(struct reading *in, const yaml_mark_t *at, int r, const char *why)
{
	if (in->r < 0)
		return in->r;
	in->r = r;
	if (r != -ENOMEM)
		buf_addf(in->error, "%s:%zu: %s", in->file, at->line + 1, why);
	return r;
}

static void cut_path(struct reading *in, size_t len)
{
	in->path.len = len;
	if (in->path.data)
		in->path.data[len] = '\0';
}

static int push(struct reading *in, const yaml_mark_t *at, bool list)
{
	const char *path = buf_str(&in->path);
	_buf_ struct buf why = {0};

	if (in->depth == DEPTH_MAX)
		return fail(in, at, -EINVAL, "nested too deeply");
	if (in->depth && (in->level[in->depth - 1].list ||
			  !(list ? config_is_list(path) : config_is_mapping(path)))) {
		buf_addf(&why, "'%s' takes no %s", path, list ? "list" : "keys of its own");
		return fail(in, at, -EINVAL, buf_str(&why));
	}
	if (!in->depth && list)
		return fail(in, at, -EINVAL,
			    "a mapping is expected: 'basic_auth_users:' and so on");
	in->level[in->depth++] = (struct level){.list = list, .path_len = in->path.len};
	return 0;
}

/* A value is complete: the key before it is gone. */
static void pop_key(struct reading *in)
{
	struct level *l = in->depth ? &in->level[in->depth - 1] : NULL;

	if (!l || l->list)
		return;
	cut_path(in, l->path_len);
	l->has_key = false;
}

static void pop(struct reading *in)
{
	if (in->depth)
		in->depth--;
	pop_key(in);
}

static int take_key(struct reading *in, const yaml_mark_t *at, const char *key)
{
	struct level *l = &in->level[in->depth - 1];
	_buf_ struct buf why = {0};

	if (in->path.len)
		buf_addc(&in->path, '.');
	buf_adds(&in->path, key);
	if (buf_error(&in->path))
		return fail(in, at, -ENOMEM, "");
	l->has_key = true;
	for (size_t i = 0; i < in->seen.n; i++) {
		if (strcmp(in->seen.p[i].name, buf_str(&in->path)) != 0)
			continue;
		buf_addf(&why, "'%s' stands here twice", key);
		return fail(in, at, -EINVAL, buf_str(&why));
	}
	if (in->seen.n == VALUES_MAX)
		return fail(in, at, -EINVAL, "too many keys");
	return pairs_add(&in->seen, buf_str(&in->path), "") < 0 ? fail(in, at, -ENOMEM, "") : 0;
}

static int take_value(struct reading *in, const yaml_event_t *e)
{
	const char *path = buf_str(&in->path);
	const struct level *l = &in->level[in->depth - 1];
	/* a user.s name may have dots */
	const char *key = l->list ? path : path + l->path_len + (l->path_len > 0);
	const struct web_value v = {
		.path = path,
		.key = key,
		.text = (const char *)e->data.scalar.value,
		.plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE,
	};
	_buf_ struct buf why = {0};
	int r;

	/* "http_server_config:" with nothing behind it */
	if (v.plain && !*v.text && config_is_mapping(path)) {
		pop_key(in);
		return 0;
	}
	if (!l->list && config_is_list(path)) {
		buf_addf(&why, "'%s' takes a list", key);
		return fail(in, &e->start_mark, -EINVAL, buf_str(&why));
	}
	r = config_set_value(in->c, &v, &why);
	pop_key(in);
	return r < 0 ? fail(in, &e->start_mark, r, buf_str(&why)) : 0;
}

static int take_scalar(struct reading *in, const yaml_event_t *e)
{
	const char *text = (const char *)e->data.scalar.value;

	if (strlen(text) != e->data.scalar.length)
		return fail(in, &e->start_mark, -EINVAL, "a value has a NUL in it");
	if (!in->depth) {
		if (!*text)
			return 0; /* an empty file */
		return fail(in, &e->start_mark, -EINVAL,
			    "a mapping is expected: 'basic_auth_users:' and so on");
	}
	if (!in->level[in->depth - 1].list && !in->level[in->depth - 1].has_key)
		return take_key(in, &e->start_mark, text);
	return take_value(in, e);
}

static int take(struct reading *in, const yaml_event_t *e)
{
	switch (e->type) {
	case YAML_SCALAR_EVENT:
		return take_scalar(in, e);
	case YAML_MAPPING_START_EVENT:
		if (in->depth && !in->level[in->depth - 1].list &&
		    !in->level[in->depth - 1].has_key)
			return fail(in, &e->start_mark, -EINVAL, "a key must be a word");
		return push(in, &e->start_mark, false);
	case YAML_SEQUENCE_START_EVENT:
		if (in->depth && !in->level[in->depth - 1].list &&
		    !in->level[in->depth - 1].has_key)
			return fail(in, &e->start_mark, -EINVAL, "a key must be a word");
		return push(in, &e->start_mark, true);
	case YAML_MAPPING_END_EVENT:
	case YAML_SEQUENCE_END_EVENT:
		pop(in);
		return 0;
	case YAML_ALIAS_EVENT:
		return fail(in, &e->start_mark, -EINVAL, "aliases are not supported");
	default:
		return 0;
	}
}

static int parse(struct reading *in, yaml_parser_t *p)
{
	bool end = false;
	unsigned int documents = 0;

	while (!end && in->r == 0) {
		yaml_event_t e;

		if (!yaml_parser_parse(p, &e)) {
			const bool memory = p->error == YAML_MEMORY_ERROR;

			return fail(in, &p->problem_mark, memory ? -ENOMEM : -EINVAL,
				    p->problem ? p->problem : "this is no YAML");
		}
		end = e.type == YAML_STREAM_END_EVENT;
		documents += e.type == YAML_DOCUMENT_START_EVENT;
		if (documents > 1)
			(void)fail(in, &e.start_mark, -EINVAL, "there is more than one document");
		else
			(void)take(in, &e);
		yaml_event_delete(&e);
	}
	return in->r;
}

static int complete(struct web_config *c, const char *path, struct buf *error)
{
	_buf_ struct buf dir = {0}, why = {0};
	const char *slash = strrchr(path, '/');
	int r;

	if (slash)
		buf_add(&dir, path, (size_t)(slash - path + 1));
	r = buf_error(&dir);
	if (!r)
		r = config_complete(c, buf_str(&dir), &why);
	if (r < 0 && r != -ENOMEM)
		buf_addf(error, "%s: %s", path, buf_str(&why));
	return r;
}

int web_config_parse(const char *path, const char *text, size_t len, struct web_config **ret,
		     struct buf *error)
{
	_cleanup_(web_config_freep) struct web_config *c = calloc(1, sizeof(*c));
	struct reading in = {.c = c, .file = path, .error = error};
	yaml_parser_t parser;
	int r;

	if (!c || !yaml_parser_initialize(&parser))
		return -ENOMEM;
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
	r = parse(&in, &parser);
	yaml_parser_delete(&parser);
	buf_free(&in.path);
	pairs_free(&in.seen);
	if (!r)
		r = complete(c, path, error);
	if (r)
		return r;
	*ret = TAKE_PTR(c);
	return 0;
}

int web_config_read(const char *path, struct web_config **ret, struct buf *error)
{
	_buf_ struct buf text = {0};
	int r = fdio_read_file(AT_FDCWD, path, FILE_MAX, &text);

	if (r < 0) {
		buf_addf(error, "cannot read the web configuration file '%s': %s", path,
			 strerror(-r));
		return r;
	}
	return web_config_parse(path, buf_str(&text), text.len, ret, error);
}

int pairs_add(struct web_pairs *to, const char *name, const char *value)
{
	struct web_pair *grown = reallocarray(to->p, to->n + 1, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	to->p = grown;
	grown[to->n] = (struct web_pair){strdup(name), strdup(value)};
	to->n++;
	return grown[to->n - 1].name && grown[to->n - 1].value ? 0 : -ENOMEM;
}

void pairs_free(struct web_pairs *p)
{
	for (size_t i = 0; i < p->n; i++) {
		free(p->p[i].name);
		free(p->p[i].value);
	}
	free(p->p);
	*p = (struct web_pairs){0};
}
