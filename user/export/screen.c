/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "export/screen.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/wait.h>

#include "base/text.h"

#define SITE_LEAST 16 /* columns for a path and a line that are worth it */

void screen_color(struct buf *b, const struct export_style *style, enum screen_color color)
{
	static const char *const codes[] = {
		[SCREEN_PLAIN] = "\033[0m", [SCREEN_BOLD] = "\033[1m",
		[SCREEN_DIM] = "\033[2m",   [SCREEN_WARN] = "\033[1;33m",
		[SCREEN_GOOD] = "\033[32m", [SCREEN_HOT] = "\033[1;31m",
		[SCREEN_WARM] = "\033[33m",
	};

	if (style->color)
		buf_adds(b, codes[color]);
}

enum screen_color screen_heat(uint64_t part_ns, uint64_t whole_ns)
{
	if (!whole_ns)
		return SCREEN_PLAIN;
	if (part_ns >= whole_ns / 4)
		return SCREEN_HOT;
	return part_ns >= whole_ns / 10 ? SCREEN_WARM : SCREEN_PLAIN;
}

size_t screen_title_width(const struct export_style *style)
{
	return !style->width || style->width > 110 ? 60 :
	       style->width > 70		   ? style->width - 50 :
						     20;
}

/* Bytes of the first n code points. */
static size_t head_bytes(const char *s, size_t n)
{
	size_t i = 0;

	for (; s[i]; i++)
		if (((uint8_t)s[i] & 0xc0) != 0x80 && n-- == 0)
			break;
	return i;
}

size_t screen_cut(struct buf *b, const struct export_style *style, const char *s, size_t width)
{
	const char *dots = style->utf8 ? "…" : "..";
	_buf_ struct buf text = {0};
	size_t columns, keep, head;

	text_printable(&text, s);
	columns = text_width(buf_str(&text));
	if (!width || columns <= width || buf_error(&text)) {
		screen_join(b, &text);
		return columns;
	}
	if (width <= text_width(dots) + 1) {
		buf_add(b, buf_str(&text), head_bytes(buf_str(&text), width));
		return width;
	}
	/* The end of a dotted name or path tells more than its beginning. */
	keep = width - text_width(dots);
	head = keep * 2 / 5;
	buf_add(b, buf_str(&text), head_bytes(buf_str(&text), head));
	buf_adds(b, dots);
	buf_adds(b, buf_str(&text) + head_bytes(buf_str(&text), columns - (keep - head)));
	return width;
}

void screen_pad(struct buf *b, size_t n)
{
	while (n--)
		buf_addc(b, ' ');
}

void screen_cut_front(struct buf *b, const struct export_style *style, const char *s, size_t width)
{
	const char *dots = style->utf8 ? "…" : "..", *tail, *slash;
	_buf_ struct buf text = {0};
	size_t columns, keep;

	text_printable(&text, s);
	columns = text_width(buf_str(&text));
	if (!width || columns <= width || buf_error(&text)) {
		screen_join(b, &text);
		return;
	}
	keep = width > text_width(dots) ? width - text_width(dots) : 0;
	tail = buf_str(&text) + head_bytes(buf_str(&text), columns - keep);
	slash = strchr(tail, '/');
	if (slash && text_width(slash) * 2 > keep)
		tail = slash;
	buf_adds(b, dots);
	buf_adds(b, tail);
}

void screen_left(struct buf *b, const struct export_style *style, const char *s, size_t width)
{
	size_t columns = screen_cut(b, style, s, width);

	screen_pad(b, width > columns ? width - columns : 0);
}

void screen_ms(struct buf *b, uint64_t ns, int decimals, int width)
{
	buf_addf(b, "%*.*f", width, decimals, (double)ns / 1e6);
}

int screen_decimals(uint64_t whole_ns)
{
	return whole_ns < 100000000 ? 2 : 1;
}

/* What follows the last occurrence of mark in path; NULL: none. */
static const char *behind(const char *path, const char *mark)
{
	const char *found = NULL;

	for (const char *at = strstr(path, mark); at; at = strstr(at + 1, mark))
		found = at + strlen(mark);
	return found;
}

const char *screen_short_path(const char *path)
{
	const char *found = behind(path, "/site-packages/"), *slash;

	if (!found)
		found = behind(path, "/dist-packages/");
	if (found && *found)
		return found;
	found = behind(path, "/lib/python3");
	slash = found ? strchr(found, '/') : NULL;
	return slash && slash[1] ? slash + 1 : path;
}

bool screen_is_local(const char *file)
{
	return file && *file && *file != '<' && screen_short_path(file) == file;
}

void screen_site(struct buf *b, const struct export_style *style, const struct mdl_load *load,
		 const char *above, size_t width)
{
	static const char *const places[LMMSD_PLACE_MAX] = {
		[LMMSD_PLACE_FUNCTION] = "(function)",
		[LMMSD_PLACE_CLASS] = "(class)",
		[LMMSD_PLACE_DYNAMIC] = "(dynamic)",
		[LMMSD_PLACE_LAZY] = "(lazy)",
	};
	const char *place = load->place < LMMSD_PLACE_MAX ? places[load->place] : NULL;
	_buf_ struct buf site = {0};

	if (load->importer_file) {
		buf_adds(&site, screen_short_path(load->importer_file));
		if (load->line > 0)
			buf_addf(&site, ":%" PRId32, load->line);
	} else if (load->importer && (!above || strcmp(load->importer, above) != 0)) {
		buf_addf(&site, "by %s", load->importer);
	}
	/* The line to change matters more than how it is meant. */
	if (place && width && text_width(buf_str(&site)) > 0 &&
	    width < SITE_LEAST + strlen(place) + 1)
		place = NULL;
	if (width && place && site.len)
		width -= strlen(place) + 1;
	screen_cut_front(b, style, buf_str(&site), width);
	if (buf_error(&site))
		b->error = buf_error(&site);
	if (place)
		buf_addf(b, "%s%s", site.len ? " " : "", place);
}

void screen_lost(struct buf *b, const struct export_style *style, const uint64_t *lost,
		 bool complete)
{
	static const struct {
		const char *name, *cure;
	} reasons[] = {
#define REASON(id, text, what) {.name = text, .cure = what},
		LMMSD_REASONS(REASON)
#undef REASON
	};
	const char *separator = ": ";
	uint64_t total = 0;

	for (size_t i = 0; i < LMMSD_LOST_MAX; i++)
		total += lost[i];
	if (!total && complete)
		return;
	screen_color(b, style, SCREEN_WARN);
	if (total)
		buf_addf(b, "INCOMPLETE, %" PRIu64 " events were lost or cut", total);
	else
		buf_adds(b, "INCOMPLETE: the stream of events broke off before its end");
	for (size_t i = 0; i < LMMSD_LOST_MAX; i++) {
		if (!lost[i])
			continue;
		buf_addf(b, "%s%" PRIu64 " %s (%s)", separator, lost[i], reasons[i].name,
			 reasons[i].cure);
		separator = ", ";
	}
	screen_color(b, style, SCREEN_PLAIN);
	buf_addc(b, '\n');
}

void screen_end(struct buf *b, const struct mdl_process *p)
{
	if (!p->ended)
		buf_adds(b, "runs on");
	else if (WIFSIGNALED(p->exit_status))
		buf_addf(b, "signal %d", WTERMSIG(p->exit_status));
	else
		buf_addf(b, "exit %d", WEXITSTATUS(p->exit_status));
}

const char *screen_legend(const struct export_style *style)
{
	if (style->width && style->width < SCREEN_NARROW)
		return "Times are ms. saving: how much shorter the start would be\n"
		       "without the module. tier func: import it in the function\n"
		       "that needs it; mod: leave it at the top.\n";
	return "Times are ms. saving: how much shorter the start would be without the module.\n"
	       "tier func: import it in the function that needs it; mod: leave it at the top.\n";
}

const char *screen_tier(uint8_t tier)
{
	return tier == MDL_FUNCTION_LEVEL ? "func" : tier == MDL_MODULE_LEVEL ? "mod" : "";
}

void screen_join(struct buf *b, const struct buf *part)
{
	buf_adds(b, buf_str(part));
	if (buf_error(part))
		b->error = buf_error(part);
}

void screen_newline(struct buf *b)
{
	while (b->len && b->data[b->len - 1] == ' ')
		b->data[--b->len] = '\0';
	buf_addc(b, '\n');
}

int screen_flush(struct buf *b, FILE *out)
{
	int r = buf_error(b);

	errno = 0;
	if (r == 0 && b->len && fwrite(b->data, 1, b->len, out) != b->len)
		r = errno ? -errno : -EIO;
	buf_reset(b);
	return r;
}
