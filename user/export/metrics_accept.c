/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Which format an Accept header asks for. */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "export/metrics.h"

#define MAX_RANGES 64
#define VERSION_MAX 16

struct range {
	int q; /* thousandths */
	bool open, text, any;
	char version[VERSION_MAX];
};

static const char *skip_blanks(const char *s)
{
	return s + strspn(s, " \t");
}

/* Up to what ends an element or a parameter, a quoted string apart; returns its end, and *ret_len without blanks behind. */
static const char *token(const char *s, const char *ends, size_t *ret_len)
{
	const char *at = s, *last = s;
	bool quoted = false;

	for (; *at && (quoted || !strchr(ends, *at)); at++) {
		if (*at == '"')
			quoted = !quoted;
		else if (*at == '\\' && quoted && at[1])
			at++;
		if (*at != ' ' && *at != '\t')
			last = at + 1;
	}
	*ret_len = (size_t)(last - s);
	return at;
}

static bool is(const char *s, size_t len, const char *word)
{
	return strlen(word) == len && !strncasecmp(s, word, len);
}

/* "0.5" in thousandths; 0 for what is none. */
static int quality(const char *s, size_t len)
{
	int q, digits = 0;

	if (!len || (s[0] != '0' && s[0] != '1'))
		return 0;
	q = (s[0] - '0') * 1000;
	if (len > 1 && s[1] != '.')
		return 0;
	for (size_t i = 2, unit = 100; i < len; i++, unit /= 10, digits++) {
		if (!isdigit((unsigned char)s[i]) || digits == 3)
			return 0;
		q += (s[i] - '0') * (int)unit;
	}
	return q > 1000 ? 1000 : q;
}

static void parameter(struct range *r, const char *s, size_t len)
{
	const char *eq = memchr(s, '=', len);
	size_t name = eq ? (size_t)(eq - s) : len;
	const char *value = eq ? eq + 1 : s + len;
	size_t n = len - (size_t)(value - s);

	if (is(s, name, "q"))
		r->q = quality(value, n);
	if (!is(s, name, "version"))
		return;
	if (n >= 2 && value[0] == '"' && value[n - 1] == '"') {
		value++;
		n -= 2;
	}
	n = n < VERSION_MAX ? n : VERSION_MAX - 1;
	memcpy(r->version, value, n);
	r->version[n] = '\0';
}

/* One media range with its parameters; returns what follows. */
static const char *element(const char *s, struct range *ret)
{
	size_t len;
	const char *at = token(s, ",;", &len);

	*ret = (struct range){
		.q = 1000,
		.open = is(s, len, "application/openmetrics-text"),
		.text = is(s, len, "text/plain") || is(s, len, "text/*"),
		.any = is(s, len, "*/*"),
	};
	while (*at == ';') {
		s = skip_blanks(at + 1);
		at = token(s, ",;", &len);
		parameter(ret, s, len);
	}
	return *at == ',' ? at + 1 : at;
}

/* A version that we do not speak is not what was asked for. */
static bool fits_open(const struct range *r)
{
	return r->open && (!*r->version || !strcmp(r->version, "1.0.0"));
}

static bool fits_text(const struct range *r)
{
	return r->any || (r->text && (!*r->version || !strcmp(r->version, "0.0.4")));
}

enum export_metrics_format export_metrics_negotiate(const char *accept)
{
	int open = 0, text = -1;

	for (int n = 0; accept && *accept && n < MAX_RANGES; n++) {
		struct range r;

		accept = element(skip_blanks(accept), &r);
		if (fits_open(&r) && r.q > open)
			open = r.q;
		if (fits_text(&r) && r.q > text)
			text = r.q;
	}
	/* Who asks for both alike has OpenMetrics in the list on purpose. */
	return open > 0 && open >= text ? EXPORT_METRICS_OPENMETRICS : EXPORT_METRICS_TEXT;
}
