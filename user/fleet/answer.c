/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "fleet/answer.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"

#define WORDS_MOST 300 /* bytes of the server's own error text */
#define SAMPLES_MOST 4096

struct scan {
	const char *at, *end;
};

/* Where the parts of the answer are. */
struct parts {
	struct scan status, type, words, result;
};

const char *answer_get(const struct answer_series *s, const char *label)
{
	for (size_t i = 0; i < s->n_labels; i++)
		if (!strcmp(s->label[i].name, label))
			return s->label[i].value;
	return "";
}

static void skip_space(struct scan *s)
{
	while (s->at < s->end &&
	       (*s->at == ' ' || *s->at == '\n' || *s->at == '\r' || *s->at == '\t'))
		s->at++;
}

static bool next_is(struct scan *s, char c)
{
	skip_space(s);
	if (s->at == s->end || *s->at != c)
		return false;
	s->at++;
	return true;
}

static int skip_string(struct scan *s)
{
	for (s->at++; s->at < s->end; s->at++) {
		if (*s->at == '\\')
			s->at++;
		else if (*s->at == '"') {
			s->at++;
			return 0;
		}
	}
	s->at = s->end;
	return -EBADMSG;
}

/* A value, well-formed enough to know where it ends; cJSON has the last word on what is used. */
static int skip_value(struct scan *s, struct scan *ret)
{
	size_t depth = 0;

	skip_space(s);
	ret->at = s->at;
	do {
		char c = s->at < s->end ? *s->at : '\0';

		if (s->at >= s->end)
			return -EBADMSG;
		if (c == '"') {
			if (skip_string(s) < 0)
				return -EBADMSG;
			continue;
		}
		if ((c == '}' || c == ']' || c == ',') && depth == 0)
			break;
		depth += c == '{' || c == '[';
		depth -= c == '}' || c == ']';
		s->at++;
		if ((c == '}' || c == ']') && depth == 0)
			break;
	} while (depth || (s->at < s->end && *s->at != ',' && *s->at != '}' && *s->at != ']'));
	ret->end = s->at;
	while (ret->end > ret->at && (ret->end[-1] == ' ' || ret->end[-1] == '\n' ||
				      ret->end[-1] == '\r' || ret->end[-1] == '\t'))
		ret->end--;
	return ret->at < ret->end ? 0 : -EBADMSG;
}

static bool is_key(const struct scan *key, const char *name)
{
	size_t n = strlen(name);

	return (size_t)(key->end - key->at) == n + 2 && !strncmp(key->at + 1, name, n);
}

/* Puts each member's value where its key belongs. */
static int walk_object(struct scan s, const char *const names[], struct scan *const to[], size_t n)
{
	if (!next_is(&s, '{'))
		return -EBADMSG;
	if (next_is(&s, '}'))
		return 0;
	do {
		struct scan key, value;

		skip_space(&s);
		key.at = s.at;
		if (s.at == s.end || *s.at != '"' || skip_string(&s) < 0)
			return -EBADMSG;
		key.end = s.at;
		if (!next_is(&s, ':') || skip_value(&s, &value) < 0)
			return -EBADMSG;
		for (size_t i = 0; i < n; i++)
			if (is_key(&key, names[i]))
				*to[i] = value;
	} while (next_is(&s, ','));
	return next_is(&s, '}') ? 0 : -EBADMSG;
}

static bool is_text(const struct scan *s, const char *text)
{
	return s->at && is_key(s, text);
}

static void say(const struct scan *words, struct buf *error)
{
	_cleanup_(buf_free) struct buf valid = {0};
	cJSON *item = words->at && words->end - words->at <= ANSWER_SERIES_MOST ?
			      cJSON_ParseWithLength(words->at, (size_t)(words->end - words->at)) :
			      NULL;
	const char *text = cJSON_GetStringValue(item);
	size_t len = text ? strnlen(text, WORDS_MOST) : 0;

	if (len) {
		text_utf8(&valid, TEXT_UTF8 | (text[len] ? TEXT_CUT : 0), text, len);
		text_printable(error, buf_str(&valid));
	} else {
		buf_adds(error, "it does not say why");
	}
	cJSON_Delete(item);
}

static int labels_of(const cJSON *metric, struct answer_label *label, size_t *ret)
{
	const cJSON *item;
	size_t n = 0;

	if (!cJSON_IsObject(metric))
		return -EBADMSG;
	cJSON_ArrayForEach(item, metric)
	{
		if (!cJSON_IsString(item) || !item->string || n == ANSWER_LABELS_MOST)
			return -EBADMSG;
		label[n++] = (struct answer_label){.name = item->string,
						   .value = item->valuestring};
	}
	*ret = n;
	return 0;
}

/* [1700000000.123,"1.5"] */
static int sample_of(const cJSON *pair, struct answer_sample *ret)
{
	const cJSON *t = cJSON_GetArrayItem(pair, 0), *v = cJSON_GetArrayItem(pair, 1);
	char *end;

	if (!cJSON_IsArray(pair) || !cJSON_IsNumber(t) || !cJSON_IsString(v) ||
	    cJSON_GetArraySize(pair) != 2 || !*v->valuestring)
		return -EBADMSG;
	ret->t = t->valuedouble;
	ret->v = strtod(v->valuestring, &end); /* also "NaN", "+Inf" */
	return *end || !isfinite(ret->t) ? -EBADMSG : 0;
}

static int samples_of(const cJSON *series, struct answer_sample **sample, size_t *ret)
{
	const cJSON *one = cJSON_GetObjectItemCaseSensitive(series, "value");
	const cJSON *all = cJSON_GetObjectItemCaseSensitive(series, "values"), *item;
	int n = one ? 1 : cJSON_GetArraySize(all);
	int r = 0;

	if ((!one && !cJSON_IsArray(all)) || n < 1 || n > SAMPLES_MOST)
		return -EBADMSG;
	*sample = calloc((size_t)n, sizeof(**sample));
	if (!*sample)
		return -ENOMEM;
	*ret = 0;
	if (one) {
		*ret = 1;
		return sample_of(one, *sample);
	}
	cJSON_ArrayForEach(item, all)
	{
		r = sample_of(item, &(*sample)[(*ret)++]);
		if (r < 0)
			return r;
	}
	return 0;
}

static int one_series(const struct scan *text,
		      int (*each)(const struct answer_series *s, void *arg), void *arg)
{
	_free_ struct answer_sample *sample = NULL;
	struct answer_label label[ANSWER_LABELS_MOST];
	struct answer_series s = {.label = label};
	size_t len = (size_t)(text->end - text->at);
	cJSON *json = len <= ANSWER_SERIES_MOST ? cJSON_ParseWithLength(text->at, len) : NULL;
	int r = -EBADMSG;

	if (cJSON_IsObject(json))
		r = labels_of(cJSON_GetObjectItemCaseSensitive(json, "metric"), label, &s.n_labels);
	if (r == 0)
		r = samples_of(json, &sample, &s.n_samples);
	s.sample = sample;
	if (r == 0)
		r = each(&s, arg);
	cJSON_Delete(json);
	return r;
}

static int walk_result(struct scan s, int (*each)(const struct answer_series *s, void *arg),
		       void *arg)
{
	int r;

	if (!next_is(&s, '['))
		return -EBADMSG;
	if (next_is(&s, ']'))
		return 0;
	do {
		struct scan value;

		r = skip_value(&s, &value);
		if (r == 0)
			r = one_series(&value, each, arg);
		if (r < 0)
			return r;
	} while (next_is(&s, ','));
	return next_is(&s, ']') ? 0 : -EBADMSG;
}

static int find_parts(struct scan whole, struct parts *p)
{
	static const char *const top[] = {"status", "error", "data"};
	static const char *const below[] = {"resultType", "result"};
	struct scan data = {0};
	struct scan *const to_top[] = {&p->status, &p->words, &data};
	struct scan *const to_below[] = {&p->type, &p->result};
	int r = walk_object(whole, top, to_top, ARRAY_LEN(top));

	if (r == 0 && is_text(&p->status, "success"))
		r = data.at ? walk_object(data, below, to_below, ARRAY_LEN(below)) : -EBADMSG;
	return r;
}

int answer_walk(const char *data, size_t len, int (*each)(const struct answer_series *s, void *arg),
		void *arg, struct buf *error)
{
	struct parts p = {0};
	int r = find_parts((struct scan){.at = data, .end = data + len}, &p);

	if (r < 0)
		return r;
	if (is_text(&p.status, "error")) {
		say(&p.words, error);
		return -EREMOTEIO;
	}
	if (!is_text(&p.status, "success") || !p.result.at ||
	    (!is_text(&p.type, "vector") && !is_text(&p.type, "matrix")))
		return -EBADMSG;
	return walk_result(p.result, each, arg);
}
