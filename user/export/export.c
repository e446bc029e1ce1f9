/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "export/export.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "export/formats.h"

static const char *const names[] = {
	[EXPORT_TEXT] = "text",
	[EXPORT_TREE] = "tree",
	[EXPORT_TABLE] = "table",
	[EXPORT_JSON] = "json",
	[EXPORT_IMPORTTIME] = "importtime",
	[EXPORT_SPEEDSCOPE] = "speedscope",
	[EXPORT_PERFETTO] = "perfetto",
	[EXPORT_FOLDED] = "folded",
};

const char *export_format_name(enum export_format format)
{
	return (size_t)format < ARRAY_LEN(names) ? names[format] : "";
}

int export_format_from_name(const char *name, enum export_format *ret)
{
	for (size_t i = EXPORT_TREE; i < ARRAY_LEN(names); i++) {
		if (strcmp(name, names[i]) != 0)
			continue;
		*ret = (enum export_format)i;
		return 0;
	}
	return -EINVAL;
}

static const struct {
	const char *suffix;
	enum export_format format;
} suffixes[] = {
	/* Longer ones before the ones that they end with. */
	{".speedscope.json", EXPORT_SPEEDSCOPE},
	{".perfetto.json", EXPORT_PERFETTO},
	{".trace.json", EXPORT_PERFETTO},
	{".json", EXPORT_JSON},
	{".txt", EXPORT_TEXT},
	{".importtime", EXPORT_IMPORTTIME},
	{".log", EXPORT_IMPORTTIME},
	{".folded", EXPORT_FOLDED},
};

const char *export_suffix(enum export_format format)
{
	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++)
		if (suffixes[i].format == format)
			return suffixes[i].suffix;
	return ".txt";
}

void export_add_suffixes(struct buf *b)
{
	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++)
		buf_addf(b, "%s%s", i ? " " : "", suffixes[i].suffix);
}

int export_format_from_suffix(const char *path, enum export_format *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
		if (!text_ends_with(path, suffixes[i].suffix))
			continue;
		*ret = suffixes[i].format;
		return 0;
	}
	return -EINVAL;
}

int export_profile(enum export_format format, const struct mdl_profile *profile,
		   const struct export_style *style, FILE *out)
{
	static const struct export_style plain = {0};

	if (!style)
		style = &plain;
	switch (format) {
	case EXPORT_TEXT:
		return profile->n_processes > 1 ? export_table(profile, style, out) :
						  export_tree(profile, style, out);
	case EXPORT_TREE:
		return export_tree(profile, style, out);
	case EXPORT_TABLE:
		return export_table(profile, style, out);
	case EXPORT_JSON:
		return export_json(profile, out);
	case EXPORT_IMPORTTIME:
		if (profile->n_processes > 1)
			return -E2BIG;
		return export_importtime(profile->n_processes ? profile->processes[0] : NULL, out);
	case EXPORT_SPEEDSCOPE:
		return export_speedscope(profile, out);
	case EXPORT_PERFETTO:
		return export_perfetto(profile, out);
	case EXPORT_FOLDED:
		return export_folded(profile, out);
	}
	return -EINVAL;
}
