/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include <time.h>

#include "store/store.h"

#define DAY_S 86400
#define NS 1000000000LL

/* Days since 1970-01-01 of the proleptic Gregorian calendar; eras of 400 years begin on 1 March. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
	int64_t era, of_era, of_year;

	year += (month - 1) / 12;
	month = (month - 1) % 12 + 1;
	if (month < 1) {
		month += 12;
		year--;
	}
	year -= month <= 2;
	era = (year >= 0 ? year : year - 399) / 400;
	of_era = year - era * 400;
	of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

int32_t store_day_civil(int year, int month, int day)
{
	return (int32_t)days_of(year, month, day);
}

int32_t store_day_of(int64_t unix_ns)
{
	time_t t = (time_t)(unix_ns / NS - (unix_ns % NS < 0));
	struct tm tm;

	if (!localtime_r(&t, &tm))
		return (int32_t)(t / DAY_S);
	return (int32_t)days_of(tm.tm_year + 1900LL, tm.tm_mon + 1, tm.tm_mday);
}

void store_civil_of(int32_t day, int *ret_year, int *ret_month, int *ret_day)
{
	int64_t z = (int64_t)day + 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t of_era = z - era * 146097;
	int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
	int64_t month = (5 * of_year + 2) / 153;

	*ret_day = (int)(of_year - (153 * month + 2) / 5 + 1);
	*ret_month = (int)(month < 10 ? month + 3 : month - 9);
	*ret_year = (int)(year + era * 400 + (*ret_month <= 2));
}

int64_t store_day_start(int32_t day)
{
	struct tm tm = {.tm_isdst = -1};
	time_t t;
	int year, month;

	store_civil_of(day, &year, &month, &tm.tm_mday);
	tm.tm_year = year - 1900;
	tm.tm_mon = month - 1;
	t = mktime(&tm);
	return t > INT64_MAX / NS ? INT64_MAX : t < INT64_MIN / NS ? INT64_MIN : (int64_t)t * NS;
}

int32_t store_today(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	return store_day_of((int64_t)ts.tv_sec * NS + ts.tv_nsec);
}
