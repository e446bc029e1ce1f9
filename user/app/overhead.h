/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * The share of the host's processors that something takes, over the last one to two minutes: since the start of a daemon
 * that has run for a month it would hide today. Times are seconds of one clock, costs seconds of processor time, rising.
 */
#pragma once

struct overhead {
	struct overhead_at {
		double at_s, cost_s;
	} then, later; /* the ratio is over what came after then; later takes its place */
};

/* Nothing was taken before. */
void overhead_begin(struct overhead *o, double now_s);
/* Each second or so. */
void overhead_note(struct overhead *o, double now_s, double cost_s);
double overhead_ratio(const struct overhead *o, double now_s, double cost_s, double cpus);
