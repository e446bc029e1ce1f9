/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include <errno.h>
#include <langinfo.h>
#include <string.h>
#include <sys/ioctl.h>

#include "app/ctl.h"
#include "app/options.h"
#include "base/log.h"
#include "base/text.h"

enum export_answer_format ctl_answer_format(const struct ctl *c)
{
	if (c->format)
		return !strcmp(c->format, "json") ? EXPORT_ANSWER_JSON : EXPORT_ANSWER_TEXT;
	return c->output && text_ends_with(c->output, ".json") ? EXPORT_ANSWER_JSON :
								 EXPORT_ANSWER_TEXT;
}

/* The verbs with more formats than text and json have suffixes of their own. */
static bool names_format(const struct ctl *c, struct buf *suffixes)
{
	enum export_review_format review;
	enum export_check_format check;

	if (!strcmp(c->verb->formats, EXPORT_REVIEW_FORMATS)) {
		export_review_add_suffixes(suffixes);
		return export_review_format_from_suffix(c->output, &review) == 0;
	}
	if (!strcmp(c->verb->formats, EXPORT_CHECK_FORMATS)) {
		export_check_add_suffixes(suffixes);
		return export_check_format_from_suffix(c->output, &check) == 0;
	}
	buf_adds(suffixes, ".txt .json");
	return text_ends_with(c->output, ".txt") || text_ends_with(c->output, ".json");
}

int ctl_check_output(const struct ctl *c)
{
	_buf_ struct buf suffixes = {0};
	int r;

	if (!c->output)
		return -1;
	if (!*c->output) {
		log_error("-o: a file name is missing");
		return EXIT_USAGE;
	}
	if (!c->format && text_has_suffix(c->output) && !names_format(c, &suffixes)) {
		log_error(
			"-o '%s': the suffix names no format: end it in one of %s, or give --format",
			c->output, buf_str(&suffixes));
		return EXIT_USAGE;
	}
	r = outfile_check(c->output);
	if (!r)
		return -1;
	log_error("cannot write '%s': %s", c->output, strerror(-r));
	return (int)options_exit_code(r);
}

static bool wants_color(void)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	return !(no && *no) && !(term && strcmp(term, "dumb") == 0);
}

int ctl_begin(const struct ctl *c, struct outfile **ret, struct export_style *ret_style)
{
	const char *path = c->output ? c->output : "-";
	struct winsize ws;
	int r = outfile_open(path, ret);

	if (r) {
		log_error("cannot write '%s': %s", path, strerror(-r));
		return (int)options_exit_code(r);
	}
	*ret_style = (struct export_style){.utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0};
	if (!c->output && isatty(STDOUT_FILENO)) {
		ret_style->width = ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) == 0 && ws.ws_col ?
					   ws.ws_col :
					   80;
		ret_style->color = wants_color();
	}
	return 0;
}

int ctl_end(const struct ctl *c, struct outfile *out, int r)
{
	if (!r)
		r = outfile_commit(out);
	if (!r || r == -EPIPE) /* the reader has seen enough */
		return EXIT_DONE;
	log_error("cannot write '%s': %s", c->output ? c->output : "stdout", strerror(-r));
	return EXIT_INTERNAL;
}
