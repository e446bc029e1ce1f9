/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "app/appid.h"

#include <regex.h>
#include <stdio.h>
#include <string.h>

#include "app/appid_cmd.h"
#include "base/array.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "lmmsd/event.h"

#define MAX_SUBJECT 4096 /* bytes of a command line that a rule sees */
#define GROUPS 10

struct app_rule {
	enum appid_source source;
	regex_t regex;
	char *name; /* owned */
};

struct appid_rules {
	struct app_rule *rule; /* owned */
	size_t n, cap;
};

int appid_rules_new(struct appid_rules **ret)
{
	struct appid_rules *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	*ret = r;
	return 0;
}

struct appid_rules *appid_rules_free(struct appid_rules *r)
{
	if (!r)
		return NULL;
	for (size_t i = 0; i < r->n; i++) {
		regfree(&r->rule[i].regex);
		free(r->rule[i].name);
	}
	free(r->rule);
	free(r);
	return NULL;
}

/* Refuses groups that the pattern does not have, and a backslash before anything else. */
static bool name_is_valid(const char *name, size_t groups)
{
	if (!*name)
		return false;
	for (; *name; name++) {
		if (*name != '\\')
			continue;
		name++;
		if (*name != '\\' && (*name < '0' || *name > '9' || (size_t)(*name - '0') > groups))
			return false;
	}
	return true;
}

int appid_rules_add(struct appid_rules *r, enum appid_source source, const char *pattern,
		    const char *name, char *error, size_t cap)
{
	struct app_rule *rule;
	int err;

	if (ARRAY_ROOM(r->rule, r->n, r->cap))
		return -ENOMEM;
	rule = &r->rule[r->n];
	err = regcomp(&rule->regex, pattern, REG_EXTENDED);
	if (err) {
		(void)regerror(err, &rule->regex, error, cap);
		return -EINVAL;
	}
	if (!name_is_valid(name, rule->regex.re_nsub)) {
		(void)snprintf(error, cap,
			       "the name is empty, or has a group that the pattern has not");
		regfree(&rule->regex);
		return -EINVAL;
	}
	rule->name = strdup(name);
	if (!rule->name) {
		regfree(&rule->regex);
		return -ENOMEM;
	}
	rule->source = source;
	r->n++;
	return 0;
}

/* Puts the groups in. */
static void substitute(struct buf *out, const char *name, const char *subject,
		       const regmatch_t *match)
{
	for (; *name; name++) {
		const regmatch_t *m;

		if (*name != '\\') {
			buf_addc(out, *name);
			continue;
		}
		name++;
		if (*name == '\\') {
			buf_addc(out, '\\');
			continue;
		}
		m = &match[*name - '0'];
		if (m->rm_so >= 0)
			buf_add(out, subject + m->rm_so, (size_t)(m->rm_eo - m->rm_so));
	}
}

/* What a rule of this source looks at. false: the process has no such thing. */
static bool subject_of(enum appid_source source, const struct appid_facts *f,
		       const struct appid_args *args, struct buf *out)
{
	const char *s = NULL;
	size_t len = 0;

	switch (source) {
	case APPID_COMMAND:
		for (size_t i = 0; i < args->n && out->len < MAX_SUBJECT; i++) {
			if (i > 0)
				buf_addc(out, ' ');
			buf_add(out, args->arg[i], strnlen(args->arg[i], MAX_SUBJECT));
		}
		return args->n > 0;
	case APPID_UNIT:
		if (!f->cgroup || !appid_unit(f->cgroup, &s, &len))
			return false;
		break;
	case APPID_CONTAINER:
		if (!f->cgroup || !appid_container(f->cgroup, &s, &len))
			return false;
		break;
	}
	buf_add(out, s, len);
	return true;
}

/* 1: named by a rule. */
static int by_rules(const struct appid_rules *rules, const struct appid_facts *f,
		    const struct appid_args *args, struct buf *out)
{
	for (size_t i = 0; i < rules->n; i++) {
		const struct app_rule *rule = &rules->rule[i];
		_buf_ struct buf subject = {};
		regmatch_t match[GROUPS];

		if (!subject_of(rule->source, f, args, &subject))
			continue;
		if (buf_error(&subject))
			return -ENOMEM;
		if (regexec(&rule->regex, buf_str(&subject), GROUPS, match, 0) != 0)
			continue;
		substitute(out, rule->name, buf_str(&subject), match);
		if (buf_error(out))
			return -ENOMEM;
		if (out->len > 0)
			return 1;
	}
	return 0;
}

static bool is_bin(const char *s, size_t len)
{
	static const char *const dirs[] = {"bin", "sbin", "Scripts"};

	for (size_t i = 0; i < ARRAY_LEN(dirs); i++)
		if (len == strlen(dirs[i]) && memcmp(s, dirs[i], len) == 0)
			return true;
	return false;
}

/* The last two components that stay once "." and ".." are taken out; 0 lengths where there are none. */
struct tail {
	const char *dir, *name;
	size_t dir_len, name_len;
};

static void path_tail(const char *path, struct tail *ret)
{
	size_t end = strlen(path), up = 0;

	*ret = (struct tail){};
	while (end > 0) {
		size_t stop = end, len;

		while (end > 0 && path[end - 1] != '/')
			end--;
		len = stop - end;
		if (len == 2 && memcmp(path + end, "..", 2) == 0) {
			up++;
		} else if (len > 0 && !(len == 1 && path[end] == '.')) {
			if (up > 0) {
				up--;
			} else if (!ret->name) {
				ret->name = path + end;
				ret->name_len = len;
			} else {
				ret->dir = path + end;
				ret->dir_len = len;
				return;
			}
		}
		if (end > 0)
			end--;
	}
}

/* Is main what a process at some directory gets from this script? */
static bool ends_in(const char *main, const char *script)
{
	size_t len, main_len = strlen(main);

	script += strncmp(script, "./", 2) == 0 ? 2 : 0;
	len = strlen(script);
	return main[0] == '/' && main_len > len && main[main_len - len - 1] == '/' &&
	       strcmp(main + main_len - len, script) == 0;
}

static void by_script(const char *script, const struct appid_facts *f, struct buf *out)
{
	_buf_ struct buf path = {};
	struct tail t;

	if (script[0] != '/' && f->main && ends_in(f->main, script)) {
		buf_adds(&path, f->main);
	} else {
		if (script[0] != '/' && f->cwd) {
			buf_adds(&path, f->cwd);
			buf_addc(&path, '/');
		}
		buf_adds(&path, script);
	}
	path_tail(buf_str(&path), &t);
	if (!t.name) { /* "python ." somewhere */
		buf_addf(out, "python %s", script);
		return;
	}
	if (t.dir && !is_bin(t.dir, t.dir_len)) {
		buf_add(out, t.dir, t.dir_len);
		buf_addc(out, '/');
	}
	buf_add(out, t.name, t.name_len);
}

/* A process that wrote its own title over its arguments: "gunicorn: master [shop]", "[celeryd: …]". */
static bool by_title(const struct appid_args *args, struct buf *out)
{
	const char *s = args->n == 1 ? appid_base(args->arg[0]) : "";
	size_t len;

	if (strchr(args->n ? args->arg[0] : "", ' '))
		s = args->arg[0];
	s += strspn(s, "[-( ");
	len = strcspn(s, ": ])");
	if (len == 0 || appid_is_python(s) || text_starts_with(s, "python"))
		return false;
	buf_add(out, s, len);
	return true;
}

static void by_python(const struct appid_facts *f, const struct appid_args *args, size_t program,
		      struct buf *out)
{
	const char *name;

	switch (appid_python(args, program + 1, &name)) {
	case APPID_RUNS_CODE:
		buf_adds(out, "python -c");
		return;
	case APPID_RUNS_MODULE:
		buf_adds(out, name);
		return;
	case APPID_RUNS_SCRIPT:
		by_script(name, f, out);
		return;
	case APPID_RUNS_NOTHING:
		break;
	}
	if (args->n != 1 || !by_title(args, out))
		buf_adds(out, "python");
}

static bool is_loader(const char *path)
{
	const char *s = appid_base(path);

	return text_starts_with(s, "ld-") && strstr(s, ".so");
}

static void by_command(const struct appid_facts *f, const struct appid_args *args, struct buf *out)
{
	const char *exe = f->exe && f->exe[0] ? f->exe : args->n ? args->arg[0] : "";
	size_t program = 0;

	if (is_loader(exe) && appid_loader_program(args) < args->n) {
		program = appid_loader_program(args);
		exe = args->arg[program];
	}
	if (appid_is_python(exe))
		by_python(f, args, program, out);
	else
		buf_adds(out, appid_base(exe));
	if (out->len == 0)
		buf_adds(out, f->comm && f->comm[0] ? f->comm : "unknown");
}

/* Length of the UTF-8 sequence at s; *ret_bad: a control or one that turns text around. s is valid UTF-8. */
static size_t sequence(const unsigned char *s, bool *ret_bad)
{
	size_t len = s[0] < 0x80 ? 1 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;

	*ret_bad = s[0] < 0x20 || s[0] == 0x7f || (s[0] == 0xc2 && s[1] < 0xa0) || /* C0, DEL, C1 */
		   (s[0] == 0xe2 && s[1] == 0x80 &&
		    (s[2] == 0x8e || s[2] == 0x8f || (s[2] >= 0xa8 && s[2] <= 0xae))) ||
		   (s[0] == 0xe2 && s[1] == 0x81 && s[2] >= 0xa6 &&
		    s[2] <= 0xa9); /* bidi, line separators */
	return len;
}

static int clean(const struct buf *raw, char *ret)
{
	_buf_ struct buf text = {};
	size_t at = 0, len;

	text_utf8(&text, LMMSD_STR_UTF8, raw->data, raw->len);
	if (buf_error(&text))
		return -ENOMEM;
	for (const char *s = buf_str(&text); *s; s += len) {
		bool bad;
		size_t put;

		len = sequence((const unsigned char *)s, &bad);
		put = bad ? 3 : len;
		if (at + put > APPID_MAX)
			break;
		memcpy(ret + at, bad ? "\xef\xbf\xbd" : s, put);
		at += put;
	}
	ret[at] = '\0';
	return 0;
}

int appid_name(const struct appid_rules *rules, const struct appid_facts *facts, char *ret)
{
	_buf_ struct buf raw = {};
	struct appid_args args;
	int r;

	appid_split(facts->cmdline, facts->cmdline ? facts->cmdline_len : 0, &args);
	r = rules ? by_rules(rules, facts, &args, &raw) : 0;
	if (r < 0)
		return r;
	if (r == 0)
		by_command(facts, &args, &raw);
	if (buf_error(&raw))
		return -ENOMEM;
	return clean(&raw, ret);
}
