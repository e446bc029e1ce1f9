/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* --month, --since, --until. */
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#include "app/ctl.h"
#include "app/options.h"
#include "base/log.h"

#define DAY_S 86400

/* n digits at *at, moved behind them and behind the character that must follow ('\0': none). */
static int digits(const char **at, int n, char then, int *ret)
{
	int value = 0;

	for (int i = 0; i < n; i++, (*at)++) {
		if (!isdigit((unsigned char)**at))
			return -EINVAL;
		value = value * 10 + (**at - '0');
	}
	if (then && *(*at)++ != then)
		return -EINVAL;
	*ret = value;
	return 0;
}

static bool is_date(int y, int m, int d)
{
	struct tm tm = {.tm_year = y - 1900, .tm_mon = m - 1, .tm_mday = d, .tm_hour = 12};

	return timegm(&tm) != -1 && tm.tm_mon == m - 1 && tm.tm_mday == d && y >= 1970 && y < 9999;
}

/* "Z" or "+01:00", all of the rest. */
static int zone(const char *at, int *ret_s)
{
	int sign = *at == '-' ? -1 : 1, h, m;

	if ((*at == 'Z' || *at == 'z') && !at[1]) {
		*ret_s = 0;
		return 0;
	}
	if (*at != '+' && *at != '-')
		return -EINVAL;
	at++;
	if (digits(&at, 2, ':', &h) || digits(&at, 2, '\0', &m) || *at || h > 23 || m > 59)
		return -EINVAL;
	*ret_s = sign * (h * 3600 + m * 60);
	return 0;
}

/* The local day of a time, and whether it is more than that day's first moment. */
static int parse_time(const char *s, int32_t *ret_day, bool *ret_inside)
{
	int y, m, d, h, min, sec, off;
	struct tm tm = {0};
	int64_t ns;

	if (digits(&s, 4, '-', &y) || digits(&s, 2, '-', &m) || digits(&s, 2, '\0', &d) ||
	    !is_date(y, m, d))
		return -EINVAL;
	if (!*s) {
		*ret_day = store_day_civil(y, m, d);
		*ret_inside = false;
		return 0;
	}
	if ((*s != 'T' && *s != 't' && *s != ' ') || !*++s)
		return -EINVAL;
	if (digits(&s, 2, ':', &h) || digits(&s, 2, ':', &min) || digits(&s, 2, '\0', &sec) ||
	    h > 23 || min > 59 || sec > 60)
		return -EINVAL;
	if (*s == '.')
		s += 1 + strspn(s + 1, "0123456789");
	if (zone(s, &off))
		return -EINVAL;
	tm = (struct tm){.tm_year = y - 1900,
			 .tm_mon = m - 1,
			 .tm_mday = d,
			 .tm_hour = h,
			 .tm_min = min,
			 .tm_sec = sec};
	if (__builtin_mul_overflow((int64_t)timegm(&tm) - off, (int64_t)1000000000, &ns))
		return -EINVAL; /* after 2262 */
	*ret_day = store_day_of(ns);
	*ret_inside = ns > store_day_start(*ret_day);
	return 0;
}

static int bad(const char *option, const char *value, const char *want)
{
	log_error("--%s: '%s' is no %s", option, value, want);
	return EXIT_USAGE;
}

static int of_month(struct ctl *c)
{
	const char *at = c->month;
	int y, m;

	if (c->since || c->until) {
		log_error("--month and --since, --until exclude each other");
		return EXIT_USAGE;
	}
	if (digits(&at, 4, '-', &y) || digits(&at, 2, '\0', &m) || *at || !is_date(y, m, 1))
		return bad("month", c->month, "month: write it as 2026-11");
	c->period = reviewing_month(y * 12 + m - 1);
	return -1;
}

int ctl_period(struct ctl *c)
{
	static const char want[] = "time: write it as 2026-11-23 or 2026-11-23T10:00:00Z";
	struct reviewing_period *p = &c->period;
	bool inside;

	c->period_given = c->month || c->since || c->until;
	if (c->month)
		return of_month(c);
	p->until = store_today() + 1;
	p->month = REVIEWING_NO_MONTH;
	if (c->until) {
		if (parse_time(c->until, &p->until, &inside))
			return bad("until", c->until, want);
		p->until += inside; /* the day has begun, so it is counted */
	}
	p->since = p->until - CTL_DEFAULT_DAYS;
	if (c->since && parse_time(c->since, &p->since, &inside))
		return bad("since", c->since, want);
	if (p->since >= p->until) {
		log_error("--since is not before --until");
		return EXIT_USAGE;
	}
	return -1;
}
