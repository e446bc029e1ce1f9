/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* The review, and the answers of lmmsctl's verbs, to a stream. The caller flushes and closes. */
#pragma once
#include <stdio.h>

#include "export/export.h"
#include "model/answers.h"
#include "model/review.h"

enum export_review_format {
	EXPORT_REVIEW_TEXT,
	EXPORT_REVIEW_MARKDOWN,
	EXPORT_REVIEW_JSON,
	EXPORT_REVIEW_HTML
};
#define EXPORT_REVIEW_FORMATS "text|markdown|json|html"

int export_review_format_from_name(const char *name, enum export_review_format *ret); /* -EINVAL */
/* -EINVAL: the suffix names no format. */
int export_review_format_from_suffix(const char *path, enum export_review_format *ret);
void export_review_add_suffixes(struct buf *b); /* those that do, with blanks between */
/* ".txt", ".md", ".json", ".html" */
const char *export_review_suffix(enum export_review_format format);
const char *export_review_mime(enum export_review_format format);

/* style may be NULL: plain, for programs and files; only text looks at it. 0, -ENOMEM, or the error of the stream. */
int export_review(enum export_review_format format, const struct rv_review *review,
		  const struct export_style *style, FILE *out);

enum export_answer_format { EXPORT_ANSWER_TEXT, EXPORT_ANSWER_JSON };

int export_apps(enum export_answer_format format, const struct rv_app_line *apps, size_t n,
		const struct export_style *style, FILE *out);
/* app as from review_app(). */
int export_modules(enum export_answer_format format, const struct rv_app *app,
		   const struct export_style *style, FILE *out);
int export_deps(enum export_answer_format format, const struct rv_deps *deps,
		const struct export_style *style, FILE *out);
int export_reasons(enum export_answer_format format, const struct rv_reasons *reasons,
		   const struct export_style *style, FILE *out);
int export_verify(enum export_answer_format format, const char *app, const struct rv_verify *verify,
		  const struct export_style *style, FILE *out);
int export_baselines(enum export_answer_format format, const struct rv_baseline_line *baselines,
		     size_t n, const struct export_style *style, FILE *out);

enum export_check_format {
	EXPORT_CHECK_TEXT,
	EXPORT_CHECK_JSON,
	EXPORT_CHECK_GITHUB, /* workflow commands: ::warning file=...:: */
	EXPORT_CHECK_JUNIT,
	EXPORT_CHECK_SARIF, /* 2.1.0 */
};
#define EXPORT_CHECK_FORMATS "text|json|github|junit|sarif"
int export_check_format_from_name(const char *name, enum export_check_format *ret); /* -EINVAL */
/* As of a review. */
int export_check_format_from_suffix(const char *path, enum export_check_format *ret);
void export_check_add_suffixes(struct buf *b);
int export_check(enum export_check_format format, const struct rv_slow_list *list,
		 const struct export_style *style, FILE *out);
