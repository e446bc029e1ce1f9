/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "export/review.h"

#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "export/review_int.h"

static const struct {
	const char *name, *suffix, *mime;
} formats[] = {
	[EXPORT_REVIEW_TEXT] = {"text", ".txt", "text/plain; charset=utf-8"},
	[EXPORT_REVIEW_MARKDOWN] = {"markdown", ".md", "text/markdown; charset=utf-8"},
	[EXPORT_REVIEW_JSON] = {"json", ".json", "application/json"},
	[EXPORT_REVIEW_HTML] = {"html", ".html", "text/html; charset=utf-8"},
};

int export_review_format_from_name(const char *name, enum export_review_format *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(formats); i++)
		if (!strcmp(name, formats[i].name)) {
			*ret = (enum export_review_format)i;
			return 0;
		}
	return -EINVAL;
}

static const struct {
	const char *suffix;
	enum export_review_format format;
} more_suffixes[] = {
	{".markdown", EXPORT_REVIEW_MARKDOWN},
	{".htm", EXPORT_REVIEW_HTML},
};

void export_review_add_suffixes(struct buf *b)
{
	for (size_t i = 0; i < ARRAY_LEN(formats); i++)
		buf_addf(b, "%s%s", i ? " " : "", formats[i].suffix);
	for (size_t i = 0; i < ARRAY_LEN(more_suffixes); i++)
		buf_addf(b, " %s", more_suffixes[i].suffix);
}

int export_review_format_from_suffix(const char *path, enum export_review_format *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(formats); i++)
		if (text_ends_with(path, formats[i].suffix)) {
			*ret = (enum export_review_format)i;
			return 0;
		}
	for (size_t i = 0; i < ARRAY_LEN(more_suffixes); i++)
		if (text_ends_with(path, more_suffixes[i].suffix)) {
			*ret = more_suffixes[i].format;
			return 0;
		}
	return -EINVAL;
}

const char *export_review_suffix(enum export_review_format format)
{
	return format < ARRAY_LEN(formats) ? formats[format].suffix : "";
}

const char *export_review_mime(enum export_review_format format)
{
	return format < ARRAY_LEN(formats) ? formats[format].mime : "application/octet-stream";
}

int export_review(enum export_review_format format, const struct rv_review *review,
		  const struct export_style *style, FILE *out)
{
	static const struct export_style plain;

	switch (format) {
	case EXPORT_REVIEW_TEXT:
		return export_review_text(review, style ? style : &plain, out);
	case EXPORT_REVIEW_MARKDOWN:
		return export_review_markdown(review, out);
	case EXPORT_REVIEW_JSON:
		return export_review_json(review, out);
	case EXPORT_REVIEW_HTML:
		return export_review_html(review, out);
	}
	return -EINVAL;
}
