/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Made-up times, the same at each run. */
#pragma once
#include <math.h>
#include <stdint.h>

static uint64_t seed = 1;

static inline double rng(void)
{
	uint64_t x = seed += 0x9e3779b97f4a7c15;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return (double)((x ^ x >> 31) >> 11) / 9007199254740992.0;
}

/* About log-normal, in ms. */
static inline double value(double median, double spread)
{
	double sum = -6;

	for (int i = 0; i < 12; i++)
		sum += rng();
	return median * exp(sum * spread);
}
