/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "base/text.h"

#include <string.h>

#define REPLACEMENT 0xfffd

static void add_code_point(struct buf *b, uint32_t cp)
{
	char out[4];
	size_t n;

	if (cp == 0 || cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff))
		cp = REPLACEMENT;
	if (cp < 0x80) {
		out[0] = (char)cp;
		n = 1;
	} else if (cp < 0x800) {
		out[0] = (char)(0xc0 | cp >> 6);
		out[1] = (char)(0x80 | (cp & 0x3f));
		n = 2;
	} else if (cp < 0x10000) {
		out[0] = (char)(0xe0 | cp >> 12);
		out[1] = (char)(0x80 | (cp >> 6 & 0x3f));
		out[2] = (char)(0x80 | (cp & 0x3f));
		n = 3;
	} else {
		out[0] = (char)(0xf0 | cp >> 18);
		out[1] = (char)(0x80 | (cp >> 12 & 0x3f));
		out[2] = (char)(0x80 | (cp >> 6 & 0x3f));
		out[3] = (char)(0x80 | (cp & 0x3f));
		n = 4;
	}
	buf_add(b, out, n);
}

/*
 * One code point of at most len bytes (len > 0). Returns how many bytes it took; what is no UTF-8 is one
 * REPLACEMENT per maximal prefix, as the Unicode standard recommends. *ret_cut: the bytes ended inside a sequence
 * that was good so far.
 */
static size_t next_code_point(const uint8_t *s, size_t len, uint32_t *ret, bool *ret_cut)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t n, i;
	uint32_t cp;

	*ret = REPLACEMENT;
	*ret_cut = false;
	if (s[0] < 0x80) {
		*ret = s[0];
		return 1;
	}
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 1;
	n = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	cp = s[0] & (0xffU >> (n + 1));
	for (i = 1; i < n; i++) {
		uint32_t low, high;

		if (i == len) {
			*ret_cut = true;
			return i;
		}
		if ((s[i] & 0xc0) != 0x80)
			return i;
		cp = cp << 6 | (s[i] & 0x3fU);
		/* Overlong forms, surrogates and what is beyond U+10FFFF are known by the second byte. */
		low = cp << 6 * (n - 1 - i);
		high = low | ((1U << 6 * (n - 1 - i)) - 1);
		if (high < least[n] || low > 0x10ffff || (low >= 0xd800 && high <= 0xdfff))
			return i;
	}
	*ret = cp;
	return n;
}

static void add_utf8(struct buf *b, const uint8_t *s, size_t len, bool was_cut)
{
	bool cut;

	while (len) {
		uint32_t cp;
		size_t n = next_code_point(s, len, &cp, &cut);

		if (!(cut && was_cut))
			add_code_point(b, cp);
		s += n;
		len -= n;
	}
}

void text_utf8(struct buf *b, uint8_t kind, const void *data, size_t len)
{
	const uint8_t *s = data;
	bool was_cut = kind & TEXT_CUT;
	size_t i;

	switch (kind & ~TEXT_CUT) {
	case TEXT_LATIN1:
		for (i = 0; i < len; i++)
			add_code_point(b, s[i]);
		return;
	case TEXT_UCS2:
		for (i = 0; i + 2 <= len; i += 2) {
			uint16_t cp;

			memcpy(&cp, s + i, sizeof(cp));
			add_code_point(b, cp);
		}
		break;
	case TEXT_UCS4:
		for (i = 0; i + 4 <= len; i += 4) {
			uint32_t cp;

			memcpy(&cp, s + i, sizeof(cp));
			add_code_point(b, cp);
		}
		break;
	default:
		add_utf8(b, s, len, was_cut);
		return;
	}
	if (i < len && !was_cut)
		add_code_point(b, REPLACEMENT);
}

/* Moves the cursor, starts or ends colours, reorders or breaks the line, or is no character and forbidden in XML. */
static bool is_unprintable(uint32_t cp)
{
	return cp < 0x20 || (cp >= 0x7f && cp <= 0x9f) || cp == 0x061c || cp == 0x200e ||
	       cp == 0x200f || (cp >= 0x2028 && cp <= 0x202e) || (cp >= 0x2066 && cp <= 0x2069) ||
	       cp == 0xfeff || (cp & 0xfffe) == 0xfffe;
}

void text_printable(struct buf *b, const char *s)
{
	const uint8_t *p = (const uint8_t *)s;
	size_t len = strlen(s);

	while (len) {
		uint32_t cp;
		bool cut;
		size_t n = next_code_point(p, len, &cp, &cut);

		if (!is_unprintable(cp))
			add_code_point(b, cp);
		else if (cp < 0x80)
			buf_addf(b, "\\x%02x", (unsigned int)cp);
		else
			buf_addf(b, "\\u{%04x}", (unsigned int)cp);
		p += n;
		len -= n;
	}
}

size_t text_width(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += ((uint8_t)*s & 0xc0) != 0x80;
	return n;
}

bool text_starts_with(const char *s, const char *prefix)
{
	return !strncmp(s, prefix, strlen(prefix));
}

bool text_ends_with(const char *s, const char *suffix)
{
	size_t len = strlen(s), n = strlen(suffix);

	return len >= n && !memcmp(s + len - n, suffix, n);
}

bool text_has_suffix(const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;

	name += strspn(name, ".");
	return strchr(name, '.') != NULL;
}
