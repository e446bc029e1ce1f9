/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include <errno.h>
#include <string.h>

#include "app/config_int.h"

#define MAX_COPIES 1000 /* of one part of a pattern, by all its {m,n} */

/* Behind the bracket expression that begins at p: "[]a]", "[^]a]", "[[:alpha:]]". */
static const char *skip_bracket(const char *p)
{
	p++;
	p += *p == '^';
	p += *p == ']';
	while (*p && *p != ']') {
		if (*p == '[' && p[1] && strchr(":.=", p[1])) {
			const char end[] = {p[1], ']', '\0'};
			const char *close = strstr(p + 2, end);

			p = close ? close + 1 : p;
		}
		p++;
	}
	return p + (*p == ']');
}

/* The larger number of the "{m,n}" at p; 1: it has none. */
static unsigned int interval_max(const char *p)
{
	unsigned int most = 1, n = 0;

	for (p++; *p && *p != '}'; p++) {
		n = *p >= '0' && *p <= '9' && n <= MAX_COPIES ? n * 10 + (unsigned int)(*p - '0') :
								0;
		most = n > most ? n : most;
	}
	return most;
}

/*
 * regcomp() copies a part for each of its repetitions: without this look at the pattern, "a++++++" and
 * "(a{999}){999}" take all memory there is.
 */
static const char *too_costly(const char *p)
{
	unsigned int copies = 1;
	bool repeated = false;

	while (*p) {
		bool repeats = strchr("*+?{", *p);

		if (repeats && repeated)
			return "a repetition is repeated; put it in brackets if it is meant";
		if (*p == '{')
			copies *= interval_max(p);
		if (copies > MAX_COPIES)
			return "too many repetitions";
		repeated = repeats;
		if (*p == '[')
			p = skip_bracket(p);
		else if (*p == '{')
			p += strcspn(p, "}") + (strchr(p, '}') != NULL);
		else
			p += *p == '\\' && p[1] ? 2 : 1;
	}
	return NULL;
}

int config_compile(regex_t *regex, const char *pattern, struct buf *error)
{
	const char *cost = too_costly(pattern);
	char why[128];
	int r;

	if (cost) {
		buf_addf(error, "'%s': %s", pattern, cost);
		return -EINVAL;
	}
	r = regcomp(regex, pattern, REG_EXTENDED | REG_NOSUB);
	if (r == 0)
		return 0;
	if (r == REG_ESPACE)
		return -ENOMEM;
	(void)regerror(r, regex, why, sizeof(why));
	buf_addf(error, "'%s' is no POSIX extended regular expression: %s", pattern, why);
	return -EINVAL;
}
