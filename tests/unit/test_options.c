/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
// wrap: malloc calloc realloc reallocarray strdup strndup
/* app/options: the command line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "app/options.h"
#include "base/text.h"
#include "lmmsd/event.h"
#include "unit/fake_dir.h"
#include "unit/no_memory.h"

#define MAX_WORDS 32

static int remove_file(void **state)
{
	(void)unlink("c");
	return remove_dir(state);
}

/* argv from a line; '~' stands for an empty word. The words live until the next call. */
static int parse(const char *line, struct config **ret, struct buf *error)
{
	static char text[512];
	static char *argv[MAX_WORDS + 1];
	int argc = 0;
	char *rest;

	assert_true(strlen(line) < sizeof(text) - 8);
	(void)snprintf(text, sizeof(text), "lmmsd %s", line);
	for (char *w = strtok_r(text, " ", &rest); w; w = strtok_r(NULL, " ", &rest)) {
		assert_true(argc < MAX_WORDS);
		if (*w == '~')
			*w = '\0';
		argv[argc++] = w;
	}
	argv[argc] = NULL;
	return options_parse(argc, argv, ret, error);
}

static struct config *good(const char *line)
{
	struct config *c = NULL;
	_buf_ struct buf error = {0};
	int r = parse(line, &c, &error);

	if (r != 0)
		fail_msg("'%s' gives %d: %s", line, r, buf_str(&error));
	assert_string_equal(buf_str(&error), "");
	return c;
}

static void bad(const char *line, const char *has)
{
	struct config *c = NULL;
	_buf_ struct buf error = {0};

	assert_int_equal(parse(line, &c, &error), -EINVAL);
	assert_null(c);
	if (!strstr(buf_str(&error), has))
		fail_msg("for '%s' it says: %s", line, buf_str(&error));
	assert_null(strchr(buf_str(&error), '\n'));
}

static void test_modes(void **state _unused_)
{
	static const struct {
		const char *line;
		enum config_mode mode;
	} rows[] = {
		{"", CONFIG_HOST},
		{"--duration 1", CONFIG_HOST},
		{"--service --duration 1", CONFIG_SERVICE},
		{"--pid 1", CONFIG_PIDS},
		{"--pid 1,2 --pid 3", CONFIG_PIDS},
		{"-- true", CONFIG_COMMAND},
		{"--service", CONFIG_SERVICE},
		{"--service --service", CONFIG_SERVICE},
		{"--check", CONFIG_CHECK},
		{"--check --strict", CONFIG_CHECK},
		{"--strict --check", CONFIG_CHECK},
		{"--replay f", CONFIG_REPLAY},
		{"--replay f --app x", CONFIG_REPLAY},
		{"--help --nonsense", CONFIG_HELP},
		{"--version", CONFIG_VERSION},
		{"-V", CONFIG_VERSION},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		_cleanup_(config_freep) struct config *c = good(rows[i].line);

		assert_int_equal(c->mode, rows[i].mode);
	}
}

static void test_pids(void **state _unused_)
{
	_cleanup_(config_freep) struct config *c = good("--pid 30,1,20 --pid 20,7");
	const uint32_t want[] = {1, 7, 20, 30};

	assert_int_equal(c->n_pids, 4);
	assert_memory_equal(c->pids, want, sizeof(want));
	bad("--pid 0", "'0' is no process id");
	bad("--pid 1,,2", "'' is no process id");
	bad("--pid 1,", "'' is no process id");
	bad("--pid x", "'x'");
	bad("--pid -5", "'-5'");
	bad("--pid 4194305", "'4194305'");
	bad("--pid 99999999999", "'99999999999'");
	bad("--pid ~", "''");
}

static void test_command(void **state _unused_)
{
	_cleanup_(config_freep) struct config *c =
		good("-v --uid 5 -- python3 --help -- -x --pid 1");

	assert_int_equal(c->mode, CONFIG_COMMAND);
	assert_string_equal(c->command[0], "python3");
	assert_string_equal(c->command[1], "--help");
	assert_string_equal(c->command[2], "--");
	assert_string_equal(c->command[5], "1");
	assert_null(c->command[6]);
	assert_int_equal(c->log_level, LOG_LEVEL_DEBUG);
	assert_int_equal(c->uid, 5);
	bad("--", "a command is missing");
	bad("-- ~", "a command is missing");
	bad("python3 x.py", "put '--' before it");
	bad("python3", "lmmsd -- python3");
	bad("-v python3 -- x.py", "unexpected 'python3'");
	bad("-o -- python3", "unexpected 'python3'");
	bad("--pid 1 -- true", "--pid and a command exclude each other");
	bad("--service -- true", "exclude each other");
}

static void test_flags(void **state _unused_)
{
	_cleanup_(config_freep) struct config *c = good(
		"--duration 2.5 --format json -o out.txt --app ^x --uid 0 --record r "
		"--probe entry --usage off");
	_cleanup_(config_freep) struct config *d =
		good("--service --db d --reviews e --web.listen-address off --web.config.file=w");

	assert_int_equal(c->duration_ns, 2500000000);
	assert_int_equal(c->format, EXPORT_JSON);
	assert_string_equal(c->output, "out.txt");
	assert_string_equal(c->app, "^x");
	assert_true(c->uid_given);
	assert_int_equal(c->uid, 0);
	assert_string_equal(c->record, "r");
	assert_string_equal(d->db, "d");
	assert_string_equal(d->reviews, "e");
	assert_string_equal(d->web_listen, "off");
	assert_string_equal(d->web_config, "w");
	assert_int_equal(c->probe, LMMSD_PROBE_ENTRY);
	assert_false(c->usage);
	assert_int_equal(c->log_level, LOG_LEVEL_INFO);
}

static void test_format(void **state _unused_)
{
	static const struct {
		const char *line;
		enum export_format format;
	} rows[] = {
		{"", EXPORT_TEXT},
		{"-o x.json", EXPORT_JSON},
		{"-o x.speedscope.json", EXPORT_SPEEDSCOPE},
		{"-o x.folded", EXPORT_FOLDED},
		{"-o x.json --format tree", EXPORT_TREE},
		{"--format table -o x.json", EXPORT_TABLE},
		{"-o whatever", EXPORT_TEXT},
		{"-o a.b/whatever", EXPORT_TEXT},
		{"-o .whatever", EXPORT_TEXT},
		{"-o ../whatever", EXPORT_TEXT},
		{"-o -", EXPORT_TEXT},
		{"-o /dev/stdout", EXPORT_TEXT},
		{"-o /dev/fd/3", EXPORT_TEXT},
		{"-o x.txt", EXPORT_TEXT},
		{"--format json -o x.docx", EXPORT_JSON},
		{"--output x.json", EXPORT_JSON},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		_cleanup_(config_freep) struct config *c = good(rows[i].line);

		assert_int_equal(c->format, rows[i].format);
	}
	bad("--format xml", "'xml'");
	bad("--format xml", "tree|table|json");
	bad("-o x.docx -- true", "'x.docx': the suffix names no format");
	bad("-o x.docx", ".speedscope.json .perfetto.json .trace.json .json .txt");
	bad("--replay f -o x.json.gz", "names no format");
	bad("-o x.", "names no format");
	bad("-o x.JSON", "names no format");
}

static void test_wrong_use(void **state _unused_)
{
	bad("--nonsense", "unknown option '--nonsense'");
	bad("-q", "unknown option '-q'");
	bad("--version=1", "--version=1: this option takes no value");
	bad("--pid", "--pid: a value is missing");
	bad("-o", "-o: a value is missing");
	bad("-o ~", "-o: a file name is missing");
	bad("--service=yes", "--service=yes: this option takes no value");
	bad("--strict", "--strict needs --check");
	bad("--duration 0", "--duration: '0'");
	bad("--duration 10s", "'10s' is no number of seconds");
	bad("--duration -1", "'-1'");
	bad("--duration nan", "'nan'");
	bad("--duration inf", "'inf'");
	bad("--check --duration 5", "--duration");
	bad("--check --record f", "--record");
	bad("--check -o f", "says nothing to --check");
	bad("--check --format json", "says nothing to --check");
	bad("--service --record f", "--record says nothing to --service");
	bad("--replay f --record g", "FILE is a recording already");
	bad("--service --format json", "--service");
	bad("--service -o x", "--service");
	bad("--check --pid 1 -h", "exclude each other"); /* the error comes first */
	bad("--check --service", "--check and --service exclude each other");
	bad("--usage maybe", "--usage: 'maybe' is none of off on");
	bad("--probe x", "--probe: 'x' is none of auto usdt callsite entry");
	bad("--uid me", "--uid: 'me'");
	bad("--app (", "--app: '('");
	bad("--service --db ~", "--db: a value is missing");
}

/* Each flag in each mode: taken where it has an effect, else refused with its name. */
static void test_flags_without_effect(void **state _unused_)
{
	static const char *const modes[] = {"",		 "--pid 1", "-- true",
					    "--service", "--check", "--replay f"};
	static const struct {
		const char *flag;
		const char *taken; /* '1' in the order of modes[] */
	} rows[] = {
		{"--app x", "111101"},
		{"--uid 1", "111100"},
		{"--probe auto", "111110"},
		{"--usage on", "111100"},
		{"--strict --usage on", "000010"},
		{"--strict", "000010"},
		{"--db d", "000100"},
		{"--reviews d", "000100"},
		{"--web.listen-address off", "000100"},
		{"--web.config.file f", "000100"},
		{"--cloudwatch.endpoint off", "000100"},
		{"--textfile.path a.prom", "000100"},
		{"--duration 1", "111100"},
		{"--format json", "111001"},
		{"-o x", "111001"},
		{"--output x", "111001"},
		{"--record x", "111000"},
		{"--config /dev/null", "111111"},
		{"-v", "111111"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (size_t m = 0; m < ARRAY_LEN(modes); m++) {
			_buf_ struct buf line = {0};

			buf_addf(&line, "%s %s", rows[i].flag, modes[m]);
			if (rows[i].taken[m] == '1') {
				_cleanup_(config_freep) struct config *c _unused_ =
					good(buf_str(&line));
			} else {
				bad(buf_str(&line), "--");
			}
		}
	}
	bad("--duration 3 --replay f", "--duration says nothing to --replay");
	bad("-o x --service", "--output says nothing to --service; 'lmmsctl review'");
	bad("--app x --check", "--app says nothing to --check");
	bad("--db d -- true", "--db needs --service");
	bad("--usage on --check", "without --strict");
	bad("--pid 1 --service", "--pid and --service exclude each other");
}

static void test_file_and_flags(void **state _unused_)
{
	_cleanup_(config_freep) struct config *c = NULL, *over = NULL, *none = NULL;
	_buf_ struct buf error = {0};
	FILE *f = fopen("c", "w");

	assert_non_null(f);
	assert_true(fputs("[observe]\nusage = off\nuid = 7\n[service]\ndb = /a\n", f) >= 0);
	assert_int_equal(fclose(f), 0);
	c = good("--config c");
	assert_true(c->file_read);
	assert_false(c->usage);
	assert_int_equal(c->uid, 7);
	assert_string_equal(c->db, "/a");
	/* wherever --config stands, flags win */
	over = good("--service --usage on --db b --config c");
	assert_true(over->usage);
	assert_string_equal(over->db, "b");
	assert_int_equal(over->uid, 7);

	assert_int_equal(parse("--config absent", &none, &error), -ENOENT);
	assert_null(none);
	assert_non_null(strstr(buf_str(&error), "'absent'"));
	f = fopen("c", "w");
	assert_non_null(f);
	assert_true(fputs("[observe]\nx = y\n", f) >= 0);
	assert_int_equal(fclose(f), 0);
	bad("--config c", "c:2: unknown key 'x'");
	/* help does not need the file to be right */
	none = good("--config c --help");
	assert_int_equal(none->mode, CONFIG_HELP);
}

static void test_exit_codes(void **state _unused_)
{
	assert_int_equal(options_exit_code(0), 0);
	assert_int_equal(options_exit_code(-EINVAL), 2);
	assert_int_equal(options_exit_code(-EPERM), 3);
	assert_int_equal(options_exit_code(-EACCES), 3);
	assert_int_equal(options_exit_code(-EOPNOTSUPP), 4);
	assert_int_equal(options_exit_code(-ENOENT), 5);
	assert_int_equal(options_exit_code(-ENOMEM), 70);
}

/* The n-th allocation fails, for every n: an error, no leak and no half-made result. */
static void test_without_memory(void **state _unused_)
{
	static const char *const lines[] = {
		"--config c --pid 1,2 -o x.json --record r --uid 1 --app ^a",
		"--service --db d --reviews e --web.listen-address off --web.config.file w",
		"--pid x",
	};
	FILE *f = fopen("c", "w");

	assert_non_null(f);
	assert_true(fputs("[app.rules]\na = b\n[observe]\napp = c\n[web]\nconfig_file = /x\n", f) >=
		    0);
	assert_int_equal(fclose(f), 0);
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		int r = -ENOMEM, n;

		for (n = 0; r == -ENOMEM; n++) {
			struct config *c = NULL;
			_buf_ struct buf error = {0};

			assert_true(n < 1000);
			nomem_from(n);
			r = parse(lines[i], &c, &error);
			(void)nomem_end();
			/* only the message was lost */
			if (r == -EINVAL && buf_error(&error))
				r = -ENOMEM;
			assert_true((r == 0) == (c != NULL));
			(void)config_free(c);
		}
		assert_int_equal(r, i == 2 ? -EINVAL : 0);
		assert_true(n > 4);
	}
}

static char *printed(void (*print)(FILE *))
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	assert_non_null(f);
	print(f);
	assert_int_equal(fclose(f), 0);
	return text;
}

static void test_help(void **state _unused_)
{
	static const char *const must[] = {"--pid",
					   "-- COMMAND",
					   "--service",
					   "--check [--strict]",
					   "--replay FILE",
					   "--duration",
					   "--format",
					   "-o",
					   "--app",
					   "--uid",
					   "--record",
					   "--config",
					   "--db",
					   "--reviews",
					   "--web.listen-address",
					   "--web.config.file",
					   "--probe",
					   "--usage",
					   "-v",
					   "--version",
					   "--help",
					   "tree",
					   "table",
					   "json",
					   "importtime",
					   "speedscope",
					   "perfetto",
					   "folded",
					   "/etc/lmmsd/lmmsd.conf",
					   "Exit status",
					   "Examples"};
	_free_ char *text = printed(options_help);

	for (size_t i = 0; i < ARRAY_LEN(must); i++) {
		if (!strstr(text, must[i]))
			fail_msg("--help does not name %s", must[i]);
	}
	for (const char *line = text; *line; line += strcspn(line, "\n") + 1) {
		if (strcspn(line, "\n") > 80)
			fail_msg("wider than 80 columns: %.90s", line);
	}
}

static void test_version(void **state _unused_)
{
	_free_ char *text = printed(options_version);

	assert_true(text_starts_with(text, "lmmsd " LMMSD_VERSION "\nlibbpf v"));
	assert_true(text_ends_with(text, "\nprobes usdt callsite entry\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_modes),
		cmocka_unit_test(test_pids),
		cmocka_unit_test(test_command),
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_format),
		cmocka_unit_test(test_wrong_use),
		cmocka_unit_test(test_file_and_flags),
		cmocka_unit_test(test_exit_codes),
		cmocka_unit_test(test_without_memory),
		cmocka_unit_test(test_help),
		cmocka_unit_test(test_flags_without_effect),
		cmocka_unit_test(test_version),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_file);
}
