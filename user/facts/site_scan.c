/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * What a distribution installed. RECORD (PEP 376, wheels) and installed-files.txt (old pip) list files; top_level.txt
 * names packages; Debian keeps only the latter, or nothing, so that the name has to do.
 */
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "facts/open.h"
#include "facts/place.h"
#include "facts/site_int.h"

/* One line of b from *at on, without its end. */
static bool next_line(const struct buf *b, size_t *at, const char **ret, size_t *ret_len)
{
	const char *line, *end;
	size_t left;

	if (*at >= b->len)
		return false;
	line = b->data + *at;
	left = b->len - *at;
	end = memchr(line, '\n', left);
	*ret = line;
	*ret_len = end ? (size_t)(end - line) : left;
	*at += *ret_len + 1;
	if (*ret_len > 0 && line[*ret_len - 1] == '\r')
		--*ret_len;
	return true;
}

/* The path of a RECORD line "path,hash,size", where a path with commas is quoted; of an installed-files line. */
static bool listed_path(enum site_list list, const char **p, size_t *len)
{
	const char *end;

	if (list == SITE_LIST_RECORD) {
		if (*len > 0 && (*p)[0] == '"') {
			++*p;
			--*len;
			end = memchr(*p, '"', *len);
		} else {
			end = memchr(*p, ',', *len);
		}
		if (end)
			*len = (size_t)(end - *p);
	} else if (*len > 3 && memcmp(*p, "../", 3) == 0) { /* counts from the egg-info */
		*p += 3;
		*len -= 3;
	}
	if (*len > 2 && memcmp(*p, "./", 2) == 0) {
		*p += 2;
		*len -= 2;
	}
	/* Scripts and data lie elsewhere. */
	return *len > 0 && (*p)[0] != '/' && !(*len > 1 && memcmp(*p, "..", 2) == 0);
}

static int read_list(struct site *s, int root_fd, const struct site_dist *d, const char *file,
		     struct buf *b)
{
	_buf_ struct buf path = {};
	int r;

	site_path(s, d, file, &path);
	if (buf_error(&path))
		return buf_error(&path);
	r = facts_read(root_fd, buf_str(&path), SITE_MAX_FILE, b);
	if (r == -EFBIG) {
		s->cut++; /* its head is still good */
		r = 0;
	}
	if (r == 0)
		s->read += b->len;
	return r;
}

/* Enters the directories of listed modules; those directly in the site directory by their own name. 1: there were some. */
static int enter_listed(struct site *s, size_t i, enum site_list list, const struct buf *b)
{
	const char *line, *last = NULL;
	size_t at = 0, len, last_len = 0;
	int any = 0;

	while (next_line(b, &at, &line, &len)) {
		const char *slash;
		size_t key_len;
		int r;

		if (!listed_path(list, &line, &len) || !place_is_module_file(line, len))
			continue;
		slash = memrchr(line, '/', len);
		key_len = slash ? (size_t)(slash - line) : place_stem(line, len);
		if (last && key_len == last_len && memcmp(line, last, key_len) == 0)
			continue;
		last = line;
		last_len = key_len;
		if (key_len >= 11 && memcmp(line + key_len - 11, "__pycache__", 11) == 0)
			continue;
		r = site_add_key(s, line, key_len, i);
		if (r < 0)
			return r;
		any = 1;
	}
	return any;
}

static int enter_top_level(struct site *s, size_t i, const struct buf *b)
{
	const char *line;
	size_t at = 0, len;

	while (next_line(b, &at, &line, &len)) {
		int r;

		while (len > 0 && (line[len - 1] == ' ' || line[len - 1] == '\t'))
			len--;
		if (len == 0)
			continue;
		r = site_add_key(s, line, len, i);
		if (r < 0)
			return r;
	}
	return 0;
}

/* "file:///proj" of direct_url.json with "editable": no JSON reader for two keys that pip writes itself. */
static int find_editable(struct site *s, int root_fd, size_t i)
{
	struct site_dist *d = &s->dist[i];
	_buf_ struct buf path = {}, b = {};
	const char *editable, *url, *end;

	site_path(s, d, "direct_url.json", &path);
	if (buf_error(&path))
		return -ENOMEM;
	if (facts_read(root_fd, buf_str(&path), SITE_MAX_METADATA, &b) < 0)
		return buf_error(&b);
	editable = strstr(buf_str(&b), "\"editable\"");
	url = strstr(buf_str(&b), "\"file:///");
	if (!editable || !url)
		return 0;
	editable += strlen("\"editable\"");
	editable += strspn(editable, ": \t\r\n");
	url += strlen("\"file://");
	end = strchr(url, '"');
	if (!text_starts_with(editable, "true") || !end)
		return 0;
	while (end > url + 1 && end[-1] == '/')
		end--;
	d->project = strndup(url, (size_t)(end - url));
	return d->project ? 0 : -ENOMEM;
}

/* Develop installs of setuptools: the first line of NAME.egg-link is the project's directory. */
static int read_egg_link(struct site *s, int root_fd, struct site_dist *d)
{
	_buf_ struct buf path = {}, b = {};
	size_t len;

	site_path(s, d, NULL, &path);
	if (buf_error(&path))
		return -ENOMEM;
	if (facts_read(root_fd, buf_str(&path), 4096, &b) < 0)
		return buf_error(&b);
	len = strcspn(buf_str(&b), "\r\n");
	while (len > 1 && buf_str(&b)[len - 1] == '/')
		len--;
	if (buf_str(&b)[0] != '/')
		return 0;
	d->project = strndup(buf_str(&b), len);
	return d->project ? 0 : -ENOMEM;
}

static int enter_name(struct site *s, size_t i)
{
	const char *entry = s->dist[i].entry;
	char key[SITE_MAX_KEY];
	size_t len;

	len = site_name_key(entry, site_entry_name(entry), key, sizeof(key));
	return len > 1 ? site_add_key(s, key, len, i) : 0;
}

/* 1: the list named modules: it is the last word. */
static int scan_list(struct site *s, int root_fd, size_t i, enum site_list list, const char *file)
{
	struct site_dist *d = &s->dist[i];
	_buf_ struct buf b = {};
	int r;

	if (s->read > SITE_MAX_READ) {
		s->cut++;
		return 0;
	}
	r = read_list(s, root_fd, d, file, &b);
	if (r < 0)
		return buf_error(&b);
	if (list == SITE_LIST_NONE)
		return enter_top_level(s, i, &b);
	r = enter_listed(s, i, list, &b);
	if (r > 0)
		d->list = list;
	return r;
}

int site_scan_dist(struct site *s, int root_fd, size_t i)
{
	struct site_dist *d = &s->dist[i];
	int r;

	if (text_ends_with(d->entry, ".egg-link"))
		return read_egg_link(s, root_fd, d);
	r = enter_name(s, i);
	if (r == 0)
		r = scan_list(s, root_fd, i, SITE_LIST_RECORD, "RECORD");
	if (r == 0)
		r = scan_list(s, root_fd, i, SITE_LIST_INSTALLED, "installed-files.txt");
	if (r == 0)
		r = scan_list(s, root_fd, i, SITE_LIST_NONE, "top_level.txt");
	return r < 0 ? r : find_editable(s, root_fd, i);
}

int site_lists_file(struct site *s, int root_fd, size_t i, const char *rel)
{
	const struct site_dist *d = &s->dist[i];
	_buf_ struct buf b = {};
	size_t at = 0, len, rel_len = strlen(rel);
	const char *line;
	int r;

	if (d->list == SITE_LIST_NONE)
		return 0;
	if (s->read > SITE_MAX_READ + SITE_MAX_REREAD) {
		s->cut++;
		return 0;
	}
	r = read_list(s, root_fd, d, d->list == SITE_LIST_RECORD ? "RECORD" : "installed-files.txt",
		      &b);
	if (r < 0)
		return buf_error(&b);
	while (next_line(&b, &at, &line, &len))
		if (listed_path(d->list, &line, &len) && len == rel_len &&
		    memcmp(line, rel, len) == 0)
			return 1;
	return 0;
}
