/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * import_find_and_load() of Python/import.c calls importlib's _find_and_load(name, import_func) through
 * PyObject_CallMethodObjArgs (<= 3.10: _PyObject_CallMethodIdObjArgs): rsi is the method's name, rdx the module's.
 * 3.7+ has that call twice, once for -X importtime. Only loads pass there, so cached imports cost nothing.
 */
#include <errno.h>
#include <string.h>

#include "probe/target_find.h"

#define METHOD "_find_and_load"
#define FROMLIST "_handle_fromlist"

struct judge {
	struct telf *f; /* borrowed */
	unsigned int minor;
	const struct lmmsd_interp *off; /* borrowed */
	struct target_names names;
};

/* va: of the object that names the method; text: what it reads, cut. */
static enum target_verdict judge_name(struct judge *j, uint64_t va, const char *text)
{
	if (memcmp(text, FROMLIST, sizeof(FROMLIST)) == 0)
		j->names.handle_fromlist = va;
	if (memcmp(text, METHOD, sizeof(METHOD)) != 0)
		return TARGET_NO;
	j->names.find_and_load = va;
	return TARGET_YES;
}

/* The C string of a _Py_Identifier: struct in 3.6-3.9 { next, string, object }, in 3.10 { string, index }. */
static enum target_verdict judge_identifier(struct judge *j, uint64_t va)
{
	char name[sizeof(FROMLIST)];
	uint64_t string;

	if (telf_pointer(j->f, va + (j->minor == 10 ? 0 : 8), &string) < 0)
		return TARGET_MAYBE;
	if (telf_read_va(j->f, string, name, sizeof(name)) < 0)
		return TARGET_MAYBE;
	name[sizeof(name) - 1] = 0;
	return judge_name(j, va, name);
}

/* 3.11+: a str object in _PyRuntime's initialised data. */
static enum target_verdict judge_str(struct judge *j, uint64_t va)
{
	char name[sizeof(FROMLIST)];
	uint64_t length;

	if (telf_read_va(j->f, va + j->off->str_length, &length, sizeof(length)) < 0 ||
	    telf_read_va(j->f, va + j->off->str_ascii_data, name, sizeof(name)) < 0)
		return TARGET_MAYBE;
	name[sizeof(name) - 1] = 0;
	return length == strlen(name) ? judge_name(j, va, name) : TARGET_NO;
}

static enum target_verdict judge(enum callee callee, const struct code_insn *insn,
				 const struct code_state *s, void *arg)
{
	struct judge *j = arg;
	struct code_val method = s->reg[RSI];

	(void)insn;
	if (callee != CALLEE_METHOD)
		return TARGET_NO;
	if (method.kind != VAL_CONST)
		return TARGET_MAYBE;
	return j->minor <= 10 ? judge_identifier(j, (uint64_t)method.v) :
				judge_str(j, (uint64_t)method.v);
}

static bool add_pair(struct target *t, const struct telf *f, struct code *c,
		     const struct target_call *call)
{
	struct lmmsd_site start = {.kind = LMMSD_SITE_CALL_START};
	unsigned int minor = target_minor(t);

	start.arg[0] =
		(struct lmmsd_arg){.how = LMMSD_ARG_REG, .size = 8, .reg = code_pt_regs[RDX]};
	if (call->verdict == TARGET_YES) {
		start.method_proven = 1;
	} else {
		start.method = minor <= 9  ? LMMSD_METHOD_ID_8 :
			       minor == 10 ? LMMSD_METHOD_ID_0 :
					     LMMSD_METHOD_STR;
		start.arg[1] = (struct lmmsd_arg){
			.how = LMMSD_ARG_REG, .size = 8, .reg = code_pt_regs[RSI]};
	}
	return target_add_pair(t, f, c, call, &start, LMMSD_SITE_CALL_DONE);
}

int target_callsite(struct target *t, struct telf *f, struct code *c, struct target_names *ret,
		    const char **ret_why)
{
	struct judge j = {.f = f, .minor = target_minor(t), .off = &t->interp};
	struct target_calls calls;
	size_t first = t->n_sites, proven;
	uint64_t va, size;
	int r;

	*ret_why = "the code could not be followed";
	if (target_function(f, "PyImport_ImportModuleLevelObject", &va, &size) < 0)
		return -ENOENT;
	/* import_find_and_load() may not be inlined */
	r = target_find_calls(c, va, size, true, judge, &j, &calls);
	if (r < 0)
		return r == -ENOMEM ? r : -ENOENT;
	*ret_why = "there is none in the import function or what it calls";
	if (calls.n == 0)
		return -ENOENT;
	*ret_why = "it cannot be probed cheaply";
	proven = target_count(&calls, TARGET_YES);
	for (size_t i = 0; i < calls.n; i++) {
		/* with both found, the others call _handle_fromlist or _lock_unlock_module */
		if (calls.call[i].verdict == TARGET_MAYBE && proven >= 2)
			continue;
		if (!add_pair(t, f, c, &calls.call[i])) {
			t->n_sites = first;
			return -ENOENT;
		}
	}
	*ret = j.names;
	return 0;
}
