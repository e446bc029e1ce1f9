/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* fleet/answer: what a Prometheus says, and what something else at that address may say. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "fleet/answer.h"

/* Each series as "NAME=VALUE,...:T=V,...;". */
static int note(const struct answer_series *s, void *arg)
{
	struct buf *b = arg;

	for (size_t i = 0; i < s->n_labels; i++)
		buf_addf(b, "%s%s=%s", i ? "," : "", s->label[i].name, s->label[i].value);
	buf_addc(b, ':');
	for (size_t i = 0; i < s->n_samples; i++)
		buf_addf(b, "%s%g=%g", i ? "," : "", s->sample[i].t, s->sample[i].v);
	buf_addc(b, ';');
	return strcmp(answer_get(s, "stop"), "") != 0 ? -ECANCELED : 0;
}

/* An exact copy, so that a sanitizer sees the end; ' stands for ". */
static int walk(const char *text, size_t len, struct buf *got, struct buf *error)
{
	_free_ char *copy = malloc(len + 1);

	assert_non_null(copy);
	for (size_t i = 0; i < len; i++)
		copy[i] = (char)(text[i] == '\'' ? '"' : text[i]);
	copy[len] = '\0';
	return answer_walk(copy, len, note, got, error);
}

#define VECTOR(result) "{'status':'success','data':{'resultType':'vector','result':[" result "]}}"
#define ONE(metric, pair) VECTOR("{'metric':" metric ",'value':" pair "}")

static const struct {
	const char *text;
	int r;
	const char *says;
} cases[] = {
	{VECTOR(""), 0, ""},
	{ONE("{}", "[1,'2']"), 0, ":1=2;"},
	{ONE("{'a':'b','c':'}],'}", "[1.5,'NaN']"), 0, "a=b,c=}],:1.5=nan;"},
	{ONE("{'a':'\\\\'}", "[1,'+Inf']"), 0, "a=\\:1=inf;"},
	{VECTOR("{'metric':{},'value':[1,'2']},{'metric':{},'value':[3,'4']}"), 0, ":1=2;:3=4;"},
	{VECTOR("{'metric':{'stop':'1'},'value':[1,'2']},{'metric':{},'value':[3,'4']}"),
	 -ECANCELED, "stop=1:1=2;"},
	{"{'status':'success','data':{'resultType':'matrix','result':"
	 "[{'metric':{'a':'b'},'values':[[1,'2'],[3,'4']]}]}}",
	 0, "a=b:1=2,3=4;"},
	/* space wherever it may be, members in another order, and ones that nobody asked for */
	{" \n\r\t{ 'warnings' : [ '}' , { } ] , 'data' : { 'result' : [ { 'metric' : { } ,\n"
	 "'value' : [ 1 , '2' ] }\t\r\n ] , 'resultType' : 'vector' } , 'status' : 'success' \n} ",
	 0, ":1=2;"},
	{"{'status':'success','n':-1.5e3,'t':true,'data':{'resultType':'vector','result':[]}}", 0,
	 ""},
	/* its errors */
	{"{'status':'error','error':'no such metric'}", -EREMOTEIO, "no such metric"},
	{"{'error':'later','status':'error','data':{}}", -EREMOTEIO, "later"},
	{"{'status':'error'}", -EREMOTEIO, "it does not say why"},
	{"{'status':'error','error':''}", -EREMOTEIO, "it does not say why"},
	{"{'status':'error','error':5}", -EREMOTEIO, "it does not say why"},
	{"{'status':'error','error':{'a':1}}", -EREMOTEIO, "it does not say why"},
	/* no answers */
	{"", -EBADMSG, ""},
	{"[]", -EBADMSG, ""},
	{"{}", -EBADMSG, ""},
	{"<html></html>", -EBADMSG, ""},
	{"{'status':'success'}", -EBADMSG, ""},
	{"{'status':'success','data':[]}", -EBADMSG, ""},
	{"{'status':'success','data':{}}", -EBADMSG, ""},
	{"{'status':'successful','data':{'resultType':'vector','result':[]}}", -EBADMSG, ""},
	{"{'status':success,'data':{'resultType':'vector','result':[]}}", -EBADMSG, ""},
	{"{'status':'success','data':{'resultType':'scalar','result':[]}}", -EBADMSG, ""},
	{"{'status':'success','data':{'result':[]}}", -EBADMSG, ""},
	{"{'status':'success','data':{'resultType':'vector','result':{}}}", -EBADMSG, ""},
	{"{'status':'success','data':{'resultType':'vector','result':[}}", -EBADMSG, ""},
	{"{'status' 'success'}", -EBADMSG, ""},
	{"{'status':}", -EBADMSG, ""},
	{"{'status':,'data':1}", -EBADMSG, ""},
	{"{'status': \n}", -EBADMSG, ""},
	{"{status:'success'}", -EBADMSG, ""},
	{"{'status':'success' 'data'}", -EBADMSG, ""},
	{"{'status':'success',}", -EBADMSG, ""},
	{"{'status", -EBADMSG, ""},
	{"{'status\\", -EBADMSG, ""},
	/* series that are none */
	{VECTOR("1"), -EBADMSG, ""},
	{VECTOR(","), -EBADMSG, ""},
	{VECTOR("{}"), -EBADMSG, ""},
	{VECTOR("{'metric':{}}"), -EBADMSG, ""},
	{VECTOR("{'metric':{},'values':[]}"), -EBADMSG, ""},
	{VECTOR("{'metric':{},'values':{'a':[1,'2']}}"), -EBADMSG, ""},
	{VECTOR("{'metric':{},'values':[[1,'2'],[3]]}"), -EBADMSG, ""},
	{VECTOR("{'metric':{},'value':[1,'2']} {}"), -EBADMSG, ":1=2;"},
	{VECTOR("{'metric':{},'value':[1,'2'],}"), -EBADMSG, ""},
	{ONE("[]", "[1,'2']"), -EBADMSG, ""},
	{ONE("{'a':1}", "[1,'2']"), -EBADMSG, ""},
	{ONE("{'a':{}}", "[1,'2']"), -EBADMSG, ""},
	{ONE("{}", "{}"), -EBADMSG, ""},
	{ONE("{}", "{'t':1,'v':'2'}"), -EBADMSG, ""},
	{ONE("{}", "[]"), -EBADMSG, ""},
	{ONE("{}", "[1]"), -EBADMSG, ""},
	{ONE("{}", "[1,2]"), -EBADMSG, ""},
	{ONE("{}", "['1','2']"), -EBADMSG, ""},
	{ONE("{}", "[1,'2',3]"), -EBADMSG, ""},
	{ONE("{}", "[1,'']"), -EBADMSG, ""},
	{ONE("{}", "[1,'2x']"), -EBADMSG, ""},
	{ONE("{}", "[1e999,'2']"), -EBADMSG, ""},
};

static void test_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_buf_ struct buf got = {0}, error = {0};
		int r = walk(cases[i].text, strlen(cases[i].text), &got, &error);
		const char *says = r == -EREMOTEIO ? buf_str(&error) : buf_str(&got);

		if (r != cases[i].r || strcmp(says, cases[i].says) != 0)
			fail_msg("%s: %d '%s', and not %d '%s'", cases[i].text, r, says, cases[i].r,
				 cases[i].says);
	}
}

/* The connection broke: no beginning of an answer is one. */
static void test_cut(void **state)
{
	static const char whole[] = ONE("{'a':'b\\\\'}", "[1,'2']");

	(void)state;
	for (size_t n = 0; n < sizeof(whole) - 1; n++) {
		_buf_ struct buf got = {0}, error = {0};

		if (walk(whole, n, &got, &error) != -EBADMSG)
			fail_msg("%.*s: was taken", (int)n, whole);
	}
}

/* So many labels, and one more. */
static void test_labels_are_bounded(void **state)
{
	(void)state;
	for (int over = 0; over < 2; over++) {
		_buf_ struct buf text = {0}, got = {0}, error = {0};

		buf_adds(&text, "{'status':'success','data':{'resultType':'vector','result':"
				"[{'value':[1,'2'],'metric':{");
		for (int i = 0; i < ANSWER_LABELS_MOST + over; i++)
			buf_addf(&text, "%s'l%d':'v'", i ? "," : "", i);
		buf_adds(&text, "}}]}}");
		assert_int_equal(walk(text.data, text.len, &got, &error), over ? -EBADMSG : 0);
		assert_int_equal(got.len > 0, !over);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_labels_are_bounded),
	};

	return cmocka_run_group_tests_name("fleet_answer", tests, NULL, NULL);
}
