/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include <stdio.h>

#include "app/reviewing.h"

struct reviewing_period reviewing_month(int32_t month)
{
	int year = month / 12, m = month % 12 + 1;

	return (struct reviewing_period){
		.since = store_day_civil(year, m, 1),
		.until = store_day_civil(year, m + 1, 1),
		.month = month,
	};
}

int32_t reviewing_month_of(int32_t day)
{
	int year, month, d;

	store_civil_of(day, &year, &month, &d);
	return year * 12 + month - 1;
}

void reviewing_label(const struct reviewing_period *p, char *ret, size_t cap)
{
	static const char *const names[] = {"January",	 "February", "March",	 "April",
					    "May",	 "June",     "July",	 "August",
					    "September", "October",  "November", "December"};
	int y1, m1, d1, y2, m2, d2;

	if (p->month != REVIEWING_NO_MONTH) {
		(void)snprintf(ret, cap, "%s %d", names[p->month % 12], p->month / 12);
		return;
	}
	store_civil_of(p->since, &y1, &m1, &d1);
	store_civil_of(p->until - 1, &y2, &m2, &d2);
	if (p->until - p->since == 1)
		(void)snprintf(ret, cap, "%04d-%02d-%02d", y1, m1, d1);
	else
		(void)snprintf(ret, cap, "%04d-%02d-%02d to %04d-%02d-%02d", y1, m1, d1, y2, m2,
			       d2);
}

void reviewing_mark(int32_t month, char *ret, size_t cap)
{
	(void)snprintf(ret, cap, "review/%04d-%02d", month / 12, month % 12 + 1);
}

struct reviewing_period reviewing_before(const struct reviewing_period *p)
{
	if (p->month != REVIEWING_NO_MONTH)
		return reviewing_month(p->month - 1);
	return (struct reviewing_period){p->since - (p->until - p->since), p->since,
					 REVIEWING_NO_MONTH};
}
