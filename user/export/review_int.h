/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* What the writers of reviews and answers share. Only within export/. */
#pragma once
#include "base/buf.h"
#include "export/export.h"
#include "export/jsonx.h"
#include "export/review.h"

/* Names as in interface.md. Static. */
const char *words_action(enum rv_action action);
const char *words_change(enum rv_change_kind kind);
const char *words_tier(uint8_t tier); /* "MODULE", "FUNCTION", "-" */

/* For people. A time with three or more digits that matter; "-" when it is not known. */
void words_ms(struct buf *b, double ms);
void words_pct(struct buf *b, double pct);
/* "2026-11-03" of days since 1970-01-01 or of a Unix time in UTC. */
void words_day(struct buf *b, int64_t day);
void words_time(struct buf *b, int64_t unix_s);
/* "412.0 ms (95 % 405 to 419, 340 runs)"; says when the runs were too few. */
void words_times(struct buf *b, const struct rv_times *t);
/* "; the period before 500.0 ms, -18 %", where both are known. */
void words_against(struct buf *b, const struct rv_app *a);
/* "8 warm, 1 cold cache, ...": the classes of the app's runs. */
void words_runs(struct buf *b, const struct rv_app *a);
/* The sentence of the legend that says how tiers are found. */
void words_tiers(struct buf *b, const struct rv_review *r);
/* "shop/report.py:3" or "in shop.report", as it is. */
void words_site(struct buf *b, const struct rv_site *site);
/* What was lost; nothing when nothing was. */
void words_lost(struct buf *b, const uint64_t *lost);
#define WORDS_NO_USES                                                                              \
	"not counted (usage = off): who else imports a module is not known, so savings are upper bounds"
/* Whether a change is known that shortens a start: the first step is one. */
bool words_saves(const struct rv_review *r);
/* What stays only since every run imports it, the dearest; nothing when there is none. */
void words_look(struct buf *b, const struct rv_review *r);
/* The headline: what to change first, in one sentence. */
void words_headline(struct buf *b, const struct rv_review *r);
/* Where its import stands now. */
const char *words_place(const struct rv_module *m);
/* The part of a path after what every installed module's begins with. */
const char *words_short_path(const char *path);
/* A module that a person would want to see in a table: something to do, dear, or of a tier that does not fit. */
bool words_is_worth_a_row(const struct rv_module *m);

/* Value of a JSON key: NAN becomes null. */
void words_json_times(struct jsonx *j, const char *key, const struct rv_times *t);
cJSON *words_json_site(const struct rv_site *s);
cJSON *words_json_module(const struct rv_module *m);
cJSON *words_json_verify(const char *app, const struct rv_verify *v, bool whole);

int export_review_text(const struct rv_review *r, const struct export_style *style, FILE *out);
int export_review_markdown(const struct rv_review *r, FILE *out);
int export_review_json(const struct rv_review *r, FILE *out);
int export_review_html(const struct rv_review *r, FILE *out);

/* HTML text and attribute values: the same escapes serve both. Control characters become visible. */
void html_text(struct buf *b, const char *s);
void html_buf(struct buf *b, const struct buf *text); /* with its error */
int html_icicle(struct buf *b, const struct rv_app *app, size_t number);
void html_history(struct buf *b, const struct rv_app *app);
void html_changes(struct buf *b, const struct rv_app *app);
void html_checklist(struct buf *b, const struct rv_app *app);
void html_modules(struct buf *b, const struct rv_app *app, size_t number);
void html_style(struct buf *b);
void html_script(struct buf *b);
