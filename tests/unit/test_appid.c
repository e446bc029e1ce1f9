/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* app/appid: command lines to names, after CPython's own reading of its arguments. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "app/appid.h"
#include "app/config.h"
#include "base/cleanup.h"

#define PY "/usr/bin/python3.11"
#define ID64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* Arguments with '|' for the NUL behind each. */
static size_t make_cmdline(const char *text, char *buf, size_t cap)
{
	size_t len = strlen(text);

	assert_true(len < cap);
	for (size_t i = 0; i <= len; i++)
		buf[i] = text[i] == '|' ? '\0' : text[i];
	return len;
}

static void check(const struct appid_rules *rules, const struct appid_facts *facts,
		  const char *cmdline, const char *want)
{
	struct appid_facts f = *facts;
	char buf[1024], name[APPID_MAX + 1];

	f.cmdline = buf;
	f.cmdline_len = make_cmdline(cmdline, buf, sizeof(buf));
	assert_int_equal(appid_name(rules, &f, name), 0);
	if (strcmp(name, want) != 0)
		fail_msg("'%s' is '%s', not '%s'", cmdline, name, want);
}

static const struct {
	const char *cmdline, *app;
} command_lines[] = {
	/* nothing to run */
	{"python3|", "python"},
	{"python3|-|", "python"},
	{"python3|-i|", "python"},
	{"python3|-V|", "python"},
	{"python3|--version|", "python"},
	{"python3|--help-all|", "python"},
	{"python3|-uB|-|x.py|", "python"},
	{"python3|--|", "python"},
	{"python3|/dev/stdin|", "python"},
	{"python3|/dev/fd/63|", "python"},
	{"python3|/proc/self/fd/3|", "python"},
	{"python3|-W|ignore|", "python"},
	{"python3|-X|", "python"},
	{"-python3|", "python"},
	/* code */
	{"python3|-c|print(1)|x.py|", "python -c"},
	{"python3|-cprint(1)|", "python -c"},
	{"python3|-Bsc|print(1)|", "python -c"},
	{"python3|-I|-S|-c|pass|-m|x|", "python -c"},
	{"python3|-c||", "python -c"},
	{"python3|-Wc|-c|pass|", "python -c"},
	/* modules */
	{"python3|-m|pkg.mod|", "pkg.mod"},
	{"python3|-mpkg.mod|arg|", "pkg.mod"},
	{"python3|-uBm|pkg|", "pkg"},
	{"python3|-uBmpkg|", "pkg"},
	{"python3|-W|error|-m|http.server|8000|", "http.server"},
	{"python3|-Werror|-m|a|", "a"},
	{"python3|-X|importtime|-m|a|", "a"},
	{"python3|-Ximporttime|-Xdev|-m|a|", "a"},
	{"python3|-bbWerror|-m|a|", "a"},
	{"python3|-BX|dev|-m|a|", "a"},
	{"python3|--check-hash-based-pycs|never|-m|a|", "a"},
	{"python3|--check-hash-based-pycs|-m|x.py|", "x.py"},
	{"python3|-OO|-E|-P|-s|-q|-R|-v|-x|-d|-m|a|", "a"},
	{"python3|-m|", "python"},
	{"python3|-m|gunicorn|shop:app|", "gunicorn"},
	/* scripts */
	{"python3|manage.py|runserver|", "manage.py"},
	{"python3|./manage.py|", "manage.py"},
	{"python3|shop/manage.py|-m|x|", "shop/manage.py"},
	{"python3|/srv/shop/manage.py|", "shop/manage.py"},
	{"python3|/srv//shop/./manage.py|", "shop/manage.py"},
	{"python3|/srv/x/../shop/manage.py|", "shop/manage.py"},
	{"python3|a/../manage.py|", "manage.py"},
	{"python3|../manage.py|", "manage.py"},
	{"python3|../../x/manage.py|", "x/manage.py"},
	{"python3|/manage.py|", "manage.py"},
	{"python3|/../manage.py|", "manage.py"},
	{"python3|-u|/srv/shop/manage.py|-c|pass|", "shop/manage.py"},
	{"python3|--|-odd.py|", "-odd.py"},
	{"python3|-B|--|-m|", "-m"},
	{"python3|--|/srv/shop/manage.py|", "shop/manage.py"},
	{"python3|-|x|", "python"},
	{"python3|/srv/app.pyz|", "srv/app.pyz"},
	{"python3|/srv/app/|", "srv/app"},
	{"python3|.|", "python ."},
	{"python3|/srv/app/__main__.py|", "app/__main__.py"},
	/* installed scripts */
	{"/usr/bin/python3|/usr/bin/ansible|all|", "ansible"},
	{"/srv/venv/bin/python|/srv/venv/bin/gunicorn|shop|", "gunicorn"},
	{"python3|/usr/sbin/tool|", "tool"},
	{"python3|venv/Scripts/tool.py|", "tool.py"},
	{"python3|bin/tool|", "tool"},
	{"python3|/usr/bin/../lib/tool.py|", "lib/tool.py"},
	{"python3|/binary/tool|", "binary/tool"},
	/* a title over the arguments */
	{"gunicorn: master [shop]|", "gunicorn"},
	{"[celeryd: celery@host:MainProcess] -active- (worker)|", "celeryd"},
	{"/usr/bin/worker|", "worker"},
	{"gunicorn: worker||||", "gunicorn"},
	{"/opt/x/python-shop|", "python"},
	{"", "python"},
	/* no NUL behind the last: it was cut, so it is no argument */
	{"python3|-m|half", "python"},
};

static void python_command_lines(void **state _unused_)
{
	static const struct appid_facts facts = {.exe = PY};

	for (size_t i = 0; i < ARRAY_LEN(command_lines); i++)
		check(NULL, &facts, command_lines[i].cmdline, command_lines[i].app);
}

static void working_directory(void **state _unused_)
{
	static const struct appid_facts facts = {.exe = PY, .cwd = "/srv/shop"};

	check(NULL, &facts, "python3|manage.py|", "shop/manage.py");
	check(NULL, &facts, "python3|../blog/manage.py|", "blog/manage.py");
	check(NULL, &facts, "python3|../manage.py|", "srv/manage.py");
	check(NULL, &facts, "python3|.|", "srv/shop");
	check(NULL, &facts, "python3|/opt/a/b.py|", "a/b.py");
}

/* Where the program's code says that it stands, that is surer than a directory that may be another one by now. */
static void file_of_the_main_program(void **state _unused_)
{
	static const struct appid_facts facts = {
		.exe = PY, .cwd = "/tmp", .main = "/srv/shop/manage.py"};
	static const struct appid_facts other = {
		.exe = PY, .cwd = "/srv/blog", .main = "manage.py"};

	check(NULL, &facts, "python3|manage.py|", "shop/manage.py");
	check(NULL, &facts, "python3|./manage.py|", "shop/manage.py");
	check(NULL, &facts, "python3|shop/manage.py|", "shop/manage.py");
	check(NULL, &facts, "python3|age.py|", "tmp/age.py");
	check(NULL, &facts, "python3|x/manage.py|", "x/manage.py");
	check(NULL, &facts, "python3|.|", "tmp");
	check(NULL, &other, "python3|manage.py|", "blog/manage.py");
}

static void executables(void **state _unused_)
{
	static const struct {
		const char *exe, *cmdline, *app;
	} cases[] = {
		{"/usr/bin/python3.13t", "python3|-m|a|", "a"},
		{"/usr/bin/python3.6m", "python3|-m|a|", "a"},
		{"/usr/bin/python3.11-dbg", "python3|-m|a|", "a"},
		{"/usr/bin/python3.11d", "python3|-m|a|", "a"},
		{"/opt/bin/pypy3.10", "pypy3|-m|a|", "a"},
		{"/usr/libexec/platform-python3.6", "/usr/libexec/platform-python|-m|a|", "a"},
		{"", "/usr/bin/python3|-m|a|", "a"},
		{NULL, "/usr/bin/python3|-m|a|", "a"},
		/* embedding programs: their arguments say nothing to us */
		{"/usr/bin/uwsgi-core", "uwsgi|-m|a|", "uwsgi-core"},
		{"/usr/bin/vim.basic", "vim|x.py|", "vim.basic"},
		{"/usr/bin/gdb", "gdb|", "gdb"},
		{"/opt/shop/shop", "", "shop"},
		{"/usr/bin/pythontex", "pythontex|-m|a|", "pythontex"},
		{"/usr/bin/python-config", "x|", "python-config"},
		{NULL, "/opt/prog|", "prog"},
		/* through the loader */
		{"/lib64/ld-linux-x86-64.so.2",
		 "/lib64/ld-linux-x86-64.so.2|/usr/bin/python3|-m|a|", "a"},
		{"/lib/ld-musl-x86_64.so.1",
		 "ld|--library-path|/x|--argv0|p|/usr/bin/python3.9|x.py|", "x.py"},
		{"/lib64/ld-linux-x86-64.so.2", "ld.so|--preload|x.so|/usr/bin/gdb|", "gdb"},
		{"/lib64/ld-linux-x86-64.so.2", "ld.so|", "ld-linux-x86-64.so.2"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct appid_facts facts = {.exe = cases[i].exe};

		check(NULL, &facts, cases[i].cmdline, cases[i].app);
	}
}

static void nothing_is_known(void **state _unused_)
{
	struct appid_facts facts = {};
	char name[APPID_MAX + 1];

	assert_int_equal(appid_name(NULL, &facts, name), 0);
	assert_string_equal(name, "unknown");
	facts.comm = "worker";
	assert_int_equal(appid_name(NULL, &facts, name), 0);
	assert_string_equal(name, "worker");
	facts.exe = "/srv/";
	assert_int_equal(appid_name(NULL, &facts, name), 0);
	assert_string_equal(name, "worker");
}

static void hostile_bytes(void **state _unused_)
{
	static const struct appid_facts facts = {.exe = PY};
	char cmdline[1024] = "python3|-m|", want[APPID_MAX + 1];
	char many[4000];

	check(NULL, &facts, "python3|-m|a\x1b[31m\nb\x7f|",
	      "a\xef\xbf\xbd[31m\xef\xbf\xbd"
	      "b\xef\xbf\xbd");
	check(NULL, &facts, "python3|-m|a\xff\xfe|", "a\xef\xbf\xbd\xef\xbf\xbd");
	check(NULL, &facts, "python3|-m|\xe2\x80\xaex\xe2\x81\xa6\xc2\x9b|",
	      "\xef\xbf\xbdx\xef\xbf\xbd\xef\xbf\xbd");
	check(NULL, &facts,
	      "python3|-m|m\xc3\xb3"
	      "dulo.\xe6\xa8\xa1|",
	      "m\xc3\xb3"
	      "dulo.\xe6\xa8\xa1");
	/* Cut at a whole character. */
	memset(want, 'a', sizeof(want));
	want[APPID_MAX - 1] = '\0';
	(void)snprintf(cmdline + 11, sizeof(cmdline) - 11, "%s\xc3\xb3|", want);
	check(NULL, &facts, cmdline, want);
	memset(cmdline + 11, 'b', 900);
	cmdline[911] = '|';
	memset(want, 'b', APPID_MAX);
	want[APPID_MAX] = '\0';
	check(NULL, &facts, cmdline, want);
	/* More arguments than we take apart. */
	memset(many, 'x', sizeof(many));
	for (size_t i = 1; i < sizeof(many); i += 2)
		many[i] = '\0';
	many[2] = '-';
	assert_int_equal(appid_name(NULL,
				    &(struct appid_facts){.exe = PY,
							  .cmdline = many,
							  .cmdline_len = sizeof(many)},
				    want),
			 0);
	assert_string_equal(want, "python");
	many[2] = 'y';
	assert_int_equal(appid_name(NULL,
				    &(struct appid_facts){.exe = PY,
							  .cmdline = many,
							  .cmdline_len = sizeof(many)},
				    want),
			 0);
	assert_string_equal(want, "y");
}

static void add(struct appid_rules *rules, enum appid_source source, const char *pattern,
		const char *name)
{
	char error[128];

	assert_int_equal(appid_rules_add(rules, source, pattern, name, error, sizeof(error)), 0);
}

static void rules_go_first(void **state _unused_)
{
	_cleanup_(appid_rules_freep) struct appid_rules *rules = NULL;
	struct appid_facts facts = {.exe = PY};

	assert_int_equal(appid_rules_new(&rules), 0);
	add(rules, APPID_COMMAND, "celery -A ([a-z]+) (worker|beat)", "\\1-\\2");
	add(rules, APPID_COMMAND, "(nothing)?xyzzy", "<\\1>\\\\\\0");
	add(rules, APPID_UNIT, "^shop-(.*)\\.service$", "shop:\\1");
	add(rules, APPID_UNIT, "^app-", "desktop");
	add(rules, APPID_CONTAINER, "^([0-9a-f]{12})", "c-\\1");
	add(rules, APPID_CONTAINER, "^web", "lxc-web");
	add(rules, APPID_COMMAND, "celery", "never");
	add(rules, APPID_COMMAND, "empty(x?)$", "\\1");
	check(rules, &facts, "python3|/usr/bin/celery|-A|shop|worker|", "shop-worker");
	check(rules, &facts, "python3|xyzzy|", "<>\\xyzzy");
	check(rules, &facts, "python3|-m|celery|", "never");
	check(rules, &facts, "python3|-m|other|", "other");
	check(rules, &facts, "python3|-m|empty|", "empty"); /* a rule that makes no name is none */
	check(rules, &facts, "", "python");
	facts.cgroup = "/system.slice/shop-api.service/sub";
	check(rules, &facts, "python3|-m|a|", "shop:api");
	facts.cgroup = "/user.slice/user@1000.service/app.slice/app-editor.scope";
	check(rules, &facts, "python3|-m|a|", "desktop");
	facts.cgroup = "/system.slice/docker-" ID64 ".scope";
	check(rules, &facts, "python3|-m|a|", "c-0123456789ab");
	facts.cgroup = "/kubepods.slice/kubepods-pod1.slice/cri-containerd-" ID64 ".scope/x";
	check(rules, &facts, "python3|-m|a|", "c-0123456789ab");
	facts.cgroup = "/docker/" ID64;
	check(rules, &facts, "python3|-m|a|", "c-0123456789ab");
	facts.cgroup = "/lxc/web1/system.slice";
	check(rules, &facts, "python3|-m|a|", "lxc-web");
	facts.cgroup = "/lxc.payload.web2/init.scope";
	check(rules, &facts, "python3|-m|a|", "lxc-web");
	facts.cgroup = "/machine.slice/machine-web3.scope/payload";
	check(rules, &facts, "python3|-m|a|", "lxc-web");
	facts.cgroup = "/docker/" ID64 "0";
	check(rules, &facts, "python3|-m|a|", "a");
	facts.cgroup = "/";
	check(rules, &facts, "python3|-m|a|", "a");
}

static void bad_rules(void **state _unused_)
{
	static const struct {
		const char *pattern, *name;
	} bad[] = {{"(", "x"}, {"a", ""}, {"a", "\\1"}, {"(a)", "\\2"}, {"a", "x\\"}, {"a", "\\n"}};
	_cleanup_(appid_rules_freep) struct appid_rules *rules = NULL;
	char error[128];
	assert_int_equal(appid_rules_new(&rules), 0);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		error[0] = '\0';
		assert_int_equal(appid_rules_add(rules, APPID_COMMAND, bad[i].pattern, bad[i].name,
						 error, sizeof(error)),
				 -EINVAL);
		assert_true(error[0]);
	}
}

/* As many as the configuration file may have. */
static void many_rules(void **state _unused_)
{
	_cleanup_(appid_rules_freep) struct appid_rules *rules = NULL;
	char error[128], name[APPID_MAX + 1];
	const char cmdline[] = "/usr/bin/python3\0last.py";
	const struct appid_facts facts = {
		.exe = "/usr/bin/python3", .cmdline = cmdline, .cmdline_len = sizeof(cmdline)};

	assert_int_equal(appid_rules_new(&rules), 0);
	for (int i = 0; i < CONFIG_MAX_RULES - 1; i++)
		assert_int_equal(appid_rules_add(rules, APPID_COMMAND, "first", "no", error,
						 sizeof(error)),
				 0);
	assert_int_equal(appid_rules_add(rules, APPID_COMMAND, "last", "yes", error, sizeof(error)),
			 0);
	assert_int_equal(appid_name(rules, &facts, name), 0);
	assert_string_equal(name, "yes");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(python_command_lines),
		cmocka_unit_test(working_directory),
		cmocka_unit_test(file_of_the_main_program),
		cmocka_unit_test(executables),
		cmocka_unit_test(nothing_is_known),
		cmocka_unit_test(hostile_bytes),
		cmocka_unit_test(rules_go_first),
		cmocka_unit_test(bad_rules),
		cmocka_unit_test(many_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
