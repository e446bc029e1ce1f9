/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* probe/target: the interpreters of this machine. */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "probe/target.h"

static size_t count_sites(const struct target *t, uint8_t kind)
{
	size_t n = 0;

	for (size_t i = 0; i < t->n_sites; i++)
		n += t->site[i].site.kind == kind;
	return n;
}

static const struct interpreter {
	const char *base; /* environment variable, see base_of() */
	const char *pattern;
	const char *version;
	uint8_t probe;
	size_t pairs; /* of load sites */
} interpreters[] = {
	{"PYENV_ROOT", "versions/3.6.*/lib/libpython3.6m.so.1.0", "3.6.", LMMSD_PROBE_CALLSITE, 1},
	{"PYENV_ROOT", "versions/3.7.*/lib/libpython3.7m.so.1.0", "3.7.", LMMSD_PROBE_CALLSITE, 2},
	{"PYENV_ROOT", "versions/3.8.*/lib/libpython3.8.so.1.0", "3.8.", LMMSD_PROBE_CALLSITE, 2},
	{"PYENV_ROOT", "versions/3.9.*/lib/libpython3.9.so.1.0", "3.9.", LMMSD_PROBE_CALLSITE, 2},
	{"PYENV_ROOT", "versions/3.10.*/lib/libpython3.10.so.1.0", "3.10.", LMMSD_PROBE_CALLSITE,
	 2},
	{"PYENV_ROOT", "versions/3.11.*/lib/libpython3.11.so.1.0", "3.11.", LMMSD_PROBE_CALLSITE,
	 2},
	{"PYENV_ROOT", "versions/3.12.*/lib/libpython3.12.so.1.0", "3.12.", LMMSD_PROBE_CALLSITE,
	 2},
	{"PYENV_ROOT", "versions/3.13.*/lib/libpython3.13.so.1.0", "3.13.", LMMSD_PROBE_CALLSITE,
	 2},
	{"", "/usr/bin/python3.11", "3.11.", LMMSD_PROBE_USDT, 1},
	{"", "/usr/lib/x86_64-linux-gnu/libpython3.11.so.1.0", "3.11.", LMMSD_PROBE_USDT, 1},
	{"LMMSD_TEST_CACHE", "pyroots/bullseye/usr/bin/python3.9", "3.9.", LMMSD_PROBE_USDT, 1},
	{"LMMSD_TEST_CACHE", "pyroots/sid/usr/bin/python3.13", "3.13.", LMMSD_PROBE_USDT, 1},
	{"LMMSD_TEST_CACHE", "pyroots/sid/usr/bin/python3.14", "3.14.", LMMSD_PROBE_USDT, 1},
	{"LMMSD_TEST_CACHE", "pyroots/sid/usr/bin/python3.15", "3.15.", LMMSD_PROBE_USDT, 2},
	{"LMMSD_TEST_CACHE", "pyroots/sid/usr/lib/x86_64-linux-gnu/libpython3.13.so.1.0", "3.13.",
	 LMMSD_PROBE_USDT, 1},
	{"LMMSD_TEST_CACHE", "pyroots/sid/usr/lib/x86_64-linux-gnu/libpython3.14.so.1.0", "3.14.",
	 LMMSD_PROBE_USDT, 1},
	{"LMMSD_TEST_CACHE", "pyroots/sid/usr/lib/x86_64-linux-gnu/libpython3.15.so.1.0", "3.15.",
	 LMMSD_PROBE_USDT, 1},
};

static void full_pattern(const struct interpreter *i, char *path, size_t n)
{
	const char *base = *i->base ? getenv(i->base) : "", *home = getenv("HOME");

	if (!base && strcmp(i->base, "LMMSD_TEST_CACHE") == 0)
		base = "/var/cache/lmmsd-tests";
	if (base)
		(void)snprintf(path, n, "%s%s%s", base, *base ? "/" : "", i->pattern);
	else
		(void)snprintf(path, n, "%s/.pyenv/%s", home ? home : "", i->pattern);
}

/* push, call, jmp, jcc, nop: without looking at what target_open() thinks of them */
static bool cheap(const uint8_t *b)
{
	if (b[0] == 0x41)
		return (b[1] & 0xf8) == 0x50;
	return (b[0] & 0xf8) == 0x50 || b[0] == 0xe8 || b[0] == 0xe9 || b[0] == 0xeb ||
	       b[0] == 0x90 || (b[0] & 0xf0) == 0x70 ||
	       (b[0] == 0x0f && ((b[1] & 0xf0) == 0x80 || b[1] == 0x1f));
}

static void check_sites(const struct target *t, int fd)
{
	for (size_t i = 0; i < t->n_sites; i++) {
		const struct target_site *s = &t->site[i];
		uint8_t code[8];

		assert_int_equal(pread(fd, code, sizeof(code), (off_t)s->file_offset),
				 sizeof(code));
		if (s->site.kind == LMMSD_SITE_IMPORT_RET)
			assert_int_equal(code[0], 0xc3);
		else
			assert_true(cheap(code));
		if (s->site.kind == LMMSD_SITE_USDT_START || s->site.kind == LMMSD_SITE_USDT_DONE) {
			assert_int_equal(code[0], 0x90);
			assert_true(s->sema_offset != 0);
		}
		if (s->site.kind == LMMSD_SITE_CALL_START)
			assert_true(s->site.method_proven);
		assert_int_equal(s->site.interp, 0);
	}
}

static void check_interpreter(const struct interpreter *i, const struct target *t, int minor)
{
	bool usdt = i->probe == LMMSD_PROBE_USDT;

	assert_null(t->refused);
	assert_int_equal(strncmp(t->version_text, i->version, strlen(i->version)), 0);
	assert_int_equal(t->probe, i->probe);
	assert_int_equal(count_sites(t, usdt ? LMMSD_SITE_USDT_START : LMMSD_SITE_CALL_START),
			 i->pairs);
	assert_int_equal(count_sites(t, usdt ? LMMSD_SITE_USDT_DONE : LMMSD_SITE_CALL_DONE),
			 i->pairs);
	assert_int_equal(count_sites(t, LMMSD_SITE_IMPORT), 1);
	assert_int_equal(count_sites(t, LMMSD_SITE_IMPORT_RET), 0);
	assert_true(count_sites(t, LMMSD_SITE_BODY_START) >= 1);
	assert_int_equal(count_sites(t, LMMSD_SITE_BODY_START),
			 count_sites(t, LMMSD_SITE_BODY_DONE));
	assert_int_equal(count_sites(t, LMMSD_SITE_EXT_EXEC), 1);
	assert_int_equal(count_sites(t, LMMSD_SITE_COMPILE), minor < 15);
	assert_int_equal(count_sites(t, LMMSD_SITE_LAZY_WAKE), minor == 15);
	assert_int_equal(t->interp_flags & LMMSD_INTERP_COMPILE,
			 minor < 15 ? LMMSD_INTERP_COMPILE : 0);
	assert_true(t->interp_flags & LMMSD_INTERP_BODIES && t->interp_flags & LMMSD_INTERP_EXT);
	assert_int_equal(t->interp.runtime_va != 0, minor > 6);
	assert_int_equal(t->interp.tstate_va != 0, minor <= 11);
}

static bool try_interpreter(const struct interpreter *i)
{
	_cleanup_(target_freep) struct target *t = NULL, *entry = NULL, *best = NULL;
	_close_ int fd = -EBADF;
	char pattern[512];
	glob_t found;

	full_pattern(i, pattern, sizeof(pattern));
	if (glob(pattern, 0, NULL, &found) == 0) {
		fd = open(found.gl_pathv[found.gl_pathc - 1], O_RDONLY | O_CLOEXEC);
		globfree(&found);
	}
	if (fd < 0) {
		print_message("skipped: there is no %s\n", pattern);
		return false;
	}
	assert_int_equal(target_open(fd, pattern, TARGET_WANT_AUTO, &best), 0);
	/* 3.15's library does not prove in the file what it calls */
	if (best->version < 0x030f0000)
		assert_int_equal(best->probe, LMMSD_PROBE_CALLSITE);
	else
		assert_true(best->probe == LMMSD_PROBE_CALLSITE || best->probe == i->probe);
	check_sites(best, fd);
	assert_int_equal(target_open(fd, pattern, (enum target_want)i->probe, &t), 0);
	check_interpreter(i, t, (int)(t->version >> 16 & 0xff));
	check_sites(t, fd);
	assert_int_equal(target_open(fd, pattern, TARGET_WANT_ENTRY, &entry), 0);
	assert_null(entry->refused);
	assert_int_equal(entry->probe, LMMSD_PROBE_ENTRY);
	assert_true(count_sites(entry, LMMSD_SITE_IMPORT_RET) >= 1);
	check_sites(entry, fd);
	return true;
}

static void test_interpreters(void **state _unused_)
{
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(interpreters); i++)
		n += try_interpreter(&interpreters[i]);
	if (n == 0)
		skip();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_interpreters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
