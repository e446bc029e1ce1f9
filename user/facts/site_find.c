/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Questions to the index of a site directory. */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "facts/open.h"
#include "facts/place.h"
#include "facts/site_int.h"

#define MAX_TEXT 255 /* of a name or version */

/* How much of the module's dotted name the distribution's name is: "zope.interface" of zope.interface.adapter. */
static size_t name_match(const struct site_dist *d, const char *module)
{
	char name[SITE_MAX_KEY], dotted[SITE_MAX_KEY];
	size_t n = site_name_key(d->entry, site_entry_name(d->entry), name, sizeof(name));
	size_t m = site_name_key(module, strlen(module), dotted, sizeof(dotted));

	/* From the start, or from a later component: google.protobuf is of "protobuf". */
	for (size_t i = 1; n > 1 && i + n - 1 <= m; i++) {
		bool starts = i == 1 || dotted[i - 1] == '-';
		bool ends = i + n - 1 == m || dotted[i + n - 1] == '-';

		if (starts && ends && memcmp(dotted + i, name + 1, n - 1) == 0)
			return n - 1;
	}
	return 0;
}

/* One of several owners. 0, -ENODATA, -ENOMEM. */
static int choose(struct site *s, int root_fd, const struct site_key *k, const char *module,
		  const char *rel, size_t *ret)
{
	size_t best = 0, best_len = 0;

	if (k->n == 1) {
		*ret = k->owner[0];
		return 0;
	}
	for (uint32_t i = 0; i < k->n; i++) {
		int r = site_lists_file(s, root_fd, k->owner[i], rel);

		if (r < 0)
			return r;
		if (r > 0) {
			*ret = k->owner[i];
			return 0;
		}
	}
	for (uint32_t i = 0; i < k->n; i++) {
		size_t len = name_match(&s->dist[k->owner[i]], module);

		if (len > best_len) {
			best = k->owner[i];
			best_len = len;
		}
	}
	if (best_len == 0)
		return -ENODATA;
	*ret = best;
	return 0;
}

int site_owner(struct site *s, int root_fd, const char *module, const char *rel, size_t *ret_index)
{
	const char *slash = strrchr(rel, '/');
	size_t len = slash ? (size_t)(slash - rel) : place_stem(rel, strlen(rel));
	char name[SITE_MAX_KEY];
	const struct site_key *k;

	/* The directory that holds the file, else those above it. */
	for (;;) {
		k = site_get_key(s, rel, len);
		if (k)
			return choose(s, root_fd, k, module, rel, ret_index);
		slash = memrchr(rel, '/', len);
		if (!slash)
			break;
		len = (size_t)(slash - rel);
	}
	/* Nobody lists it: a distribution that is called as the package is. */
	k = site_get_key(s, name, site_name_key(rel, len, name, sizeof(name)));
	if (!k)
		return -ENODATA;
	*ret_index = k->owner[0];
	return 0;
}

int site_editable_owner(struct site *s, const char *file, size_t *ret_index)
{
	size_t best_len = 0;

	for (size_t i = 0; i < s->n_dists; i++) {
		const char *project = s->dist[i].project;
		size_t len = project ? strlen(project) : 0;

		if (len <= best_len || strncmp(file, project, len) != 0 || file[len] != '/')
			continue;
		best_len = len;
		*ret_index = i;
	}
	return best_len ? 0 : -ENODATA;
}

/* The value of a header if the line is that header, without blanks around it. */
static bool header(const char *line, size_t len, const char *name, char **value)
{
	size_t n = strlen(name);

	if (*value || len <= n || strncasecmp(line, name, n) != 0)
		return true;
	line += n;
	len -= n;
	while (len > 0 && isspace((unsigned char)*line)) {
		line++;
		len--;
	}
	while (len > 0 && isspace((unsigned char)line[len - 1]))
		len--;
	if (len == 0)
		return true;
	*value = strndup(line, len < MAX_TEXT ? len : MAX_TEXT);
	return *value != NULL;
}

/* Name and Version of METADATA or PKG-INFO: mail headers up to the first empty line. */
static int parse_metadata(struct site_dist *d, const char *text)
{
	while (*text && *text != '\n' && *text != '\r') {
		size_t len = strcspn(text, "\n");

		if (!header(text, len, "Name:", &d->name) ||
		    !header(text, len, "Version:", &d->version))
			return -ENOMEM;
		text += len;
		text += *text == '\n';
	}
	return 0;
}

static int read_metadata(struct site *s, int root_fd, struct site_dist *d)
{
	/* An egg-info may be the file itself. */
	static const char *const files[] = {"METADATA", "PKG-INFO", NULL};

	for (size_t i = 0; i < ARRAY_LEN(files) && !d->name; i++) {
		_buf_ struct buf path = {}, b = {};
		int r;

		site_path(s, d, files[i], &path);
		if (buf_error(&path))
			return -ENOMEM;
		r = facts_read(root_fd, buf_str(&path), SITE_MAX_METADATA, &b);
		if (buf_error(&b))
			return -ENOMEM;
		if (r < 0 && r != -EFBIG)
			continue;
		r = parse_metadata(d, buf_str(&b));
		if (r < 0)
			return r;
	}
	return 0;
}

/* What "PyYAML-6.0-py3.11.egg-info" says. */
static int parse_entry(struct site_dist *d)
{
	size_t n = site_entry_name(d->entry), end = strlen(d->entry);
	const char *version = d->entry + n + 1, *tag;

	if (!d->name && n > 0) {
		d->name = strndup(d->entry, n < MAX_TEXT ? n : MAX_TEXT);
		if (!d->name)
			return -ENOMEM;
	}
	if (d->version || d->entry[n] != '-')
		return 0;
	end = (size_t)(strrchr(d->entry, '.') -
		       d->entry); /* the suffix that made it a distribution */
	tag = strstr(version, "-py");
	if (tag)
		end = (size_t)(tag - d->entry);
	if (d->entry + end <= version)
		return 0;
	end -= n + 1;
	d->version = strndup(version, end < MAX_TEXT ? end : MAX_TEXT);
	return d->version ? 0 : -ENOMEM;
}

int site_describe(struct site *s, int root_fd, size_t index, const char **ret_name,
		  const char **ret_version)
{
	struct site_dist *d = &s->dist[index];
	int r;

	if (!d->described) {
		r = text_ends_with(d->entry, ".egg-link") ? 0 : read_metadata(s, root_fd, d);
		if (r == 0)
			r = parse_entry(d);
		if (r < 0)
			return r;
		d->described = true;
	}
	if (!d->name)
		return -ENODATA;
	*ret_name = d->name;
	*ret_version = d->version;
	return 0;
}
