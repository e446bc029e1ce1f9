/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "app/options_int.h"

#include <getopt.h>
#include <string.h>

#include "base/num.h"
#include "base/text.h"

#define MAX_PID (1 << 22)
#define MAX_SECONDS 315360000.0 /* ten years */

/* The command line as it is read. */
struct parse {
	struct config *c;   /* borrowed */
	const char *mode;   /* the flag that chose the mode; NULL: none yet */
	unsigned int given; /* bit i: option_flags[i] */
	const char *format; /* borrowed from argv, as the next */
	const char *set[OPTION_SETTINGS];
	const char *last_value; /* of the option before; NULL: it had none */
	struct buf *error;
};

enum exit_code options_exit_code(int r)
{
	switch (-r) {
	case 0:
		return EXIT_DONE;
	case EINVAL:
	case EISDIR:
	case ELOOP:
	case ENAMETOOLONG:
		return EXIT_USAGE;
	case EPERM:
	case EACCES:
	case EROFS:
		return EXIT_NOT_PERMITTED;
	case ENOSYS:
	case ENOTSUP:
		return EXIT_NOT_SUPPORTED;
	case ENOENT:
	case ENOTDIR:
	case ESRCH:
		return EXIT_NOT_FOUND;
	default:
		return EXIT_INTERNAL;
	}
}

static int set_mode(struct parse *p, enum config_mode mode, const char *flag)
{
	if (p->mode && p->c->mode != mode) {
		buf_addf(p->error, "%s and %s exclude each other: give one of them", p->mode, flag);
		return -EINVAL;
	}
	p->mode = flag;
	p->c->mode = mode;
	return 0;
}

static int set_path(struct parse *p, char **to, const char *flag, const char *value)
{
	char *copy;

	if (!*value) {
		buf_addf(p->error, "%s: a file name is missing", flag);
		return -EINVAL;
	}
	copy = strdup(value);
	if (!copy)
		return -ENOMEM;
	free(*to);
	*to = copy;
	return 0;
}

/* Keeps the list ascending, and each pid once. */
static int add_pid(struct config *c, uint32_t pid)
{
	uint32_t *pids;
	size_t i = 0;

	while (i < c->n_pids && c->pids[i] < pid)
		i++;
	if (i < c->n_pids && c->pids[i] == pid)
		return 0;
	pids = reallocarray(c->pids, c->n_pids + 1, sizeof(*pids));
	if (!pids)
		return -ENOMEM;
	memmove(pids + i + 1, pids + i, (c->n_pids - i) * sizeof(*pids));
	pids[i] = pid;
	c->pids = pids;
	c->n_pids++;
	return 0;
}

static int add_pids(struct parse *p, const char *list)
{
	while (true) {
		size_t len = strcspn(list, ",");
		_free_ char *word = strndup(list, len);
		uint64_t pid;
		int r;

		if (!word)
			return -ENOMEM;
		if (num_u64(word, 1, MAX_PID, &pid) < 0) {
			buf_addf(p->error,
				 "--pid: '%s' is no process id; give numbers with commas between",
				 word);
			return -EINVAL;
		}
		if (p->c->n_pids == CONFIG_MAX_PIDS) {
			buf_addf(p->error, "--pid: more than %d; watch the whole host instead",
				 CONFIG_MAX_PIDS);
			return -EINVAL;
		}
		r = add_pid(p->c, (uint32_t)pid);
		if (r < 0)
			return r;
		if (!list[len])
			return set_mode(p, CONFIG_PIDS, "--pid");
		list += len + 1;
	}
}

static int set_duration(struct parse *p, const char *value)
{
	double seconds;

	if (num_double(value, 0.001, MAX_SECONDS, &seconds) < 0) {
		buf_addf(p->error, "--duration: '%s' is no number of seconds; 10 and 2.5 are",
			 value);
		return -EINVAL;
	}
	p->c->duration_ns = (uint64_t)(seconds * 1e9);
	return 0;
}

static int set_replay(struct parse *p, const char *value)
{
	int r = set_mode(p, CONFIG_REPLAY, "--replay");

	return r < 0 ? r : set_path(p, &p->c->replay, "--replay", value);
}

static int take_option(struct parse *p, int id, const char *value)
{
	struct config *c = p->c;

	for (size_t i = 0; i < OPTION_FLAGS; i++)
		if (option_flags[i].o.val == id)
			p->given |= 1u << i;
	switch (id) {
	case OPT_PID:
		return add_pids(p, value);
	case OPT_SERVICE:
		return set_mode(p, CONFIG_SERVICE, "--service");
	case OPT_CHECK:
		return set_mode(p, CONFIG_CHECK, "--check");
	case OPT_STRICT:
		c->strict = true;
		return 0;
	case OPT_REPLAY:
		return set_replay(p, value);
	case OPT_DURATION:
		return set_duration(p, value);
	case OPT_FORMAT:
		p->format = value;
		if (export_format_from_name(value, &c->format) == 0)
			return 0;
		buf_addf(p->error, "--format: '%s' is none of " EXPORT_FORMATS, value);
		return -EINVAL;
	case 'o':
		return set_path(p, &c->output, "-o", value);
	case OPT_RECORD:
		return set_path(p, &c->record, "--record", value);
	case OPT_CONFIG:
		return set_path(p, &c->file, "--config", value);
	case 'v':
		c->log_level = LOG_LEVEL_DEBUG;
		return 0;
	default:
		p->set[id - OPT_SETTING] = value;
		return 0;
	}
}

/* getopt_long() said no. */
static int refuse(struct parse *p, int id, char *argv[])
{
	const char *arg = argv[optind - 1];

	if (id == ':')
		buf_addf(p->error, "%s: a value is missing; 'lmmsd --help' shows it", arg);
	else if (optopt > 255 || (optopt && arg[0] == '-' && arg[1] == '-'))
		buf_addf(p->error, "%s: this option takes no value", arg);
	else if (optopt)
		buf_addf(p->error, "unknown option '-%c'; 'lmmsd --help' lists them", optopt);
	else
		buf_addf(p->error, "unknown option '%s'; 'lmmsd --help' lists them", arg);
	return -EINVAL;
}

/* What stands behind the options: nothing, or "--" and a command. */
static int take_command(struct parse *p, int argc, char *argv[])
{
	const char *before = optind > 0 ? argv[optind - 1] : "";
	bool marked = !strcmp(before, "--") && before != p->last_value;

	if (optind == argc && !marked)
		return 0;
	if (optind == argc || !*argv[optind]) {
		buf_adds(p->error, "a command is missing behind '--'");
		return -EINVAL;
	}
	if (!marked) {
		buf_addf(p->error,
			 "unexpected '%s'; to start a command, put '--' before it: lmmsd -- %s",
			 argv[optind], argv[optind]);
		return -EINVAL;
	}
	p->c->command = argv + optind;
	return set_mode(p, CONFIG_COMMAND, "a command");
}

static int read_argv(struct parse *p, int argc, char *argv[])
{
	struct option options[OPTION_FLAGS + 1] = {0};
	int id, r;

	for (size_t i = 0; i < OPTION_FLAGS; i++)
		options[i] = option_flags[i].o;
	optind = 0; /* glibc: start anew, also after an earlier parse */
	opterr = 0;
	while ((id = getopt_long(argc, argv, "+:o:vhV", options, NULL)) != -1) {
		if (id == 'h' || id == 'V') {
			p->c->mode = id == 'h' ? CONFIG_HELP : CONFIG_VERSION;
			return 0;
		}
		if (id == '?' || id == ':')
			return refuse(p, id, argv);
		r = take_option(p, id, optarg);
		if (r < 0)
			return r;
		p->last_value = optarg;
	}
	return take_command(p, argc, argv);
}

/* By --format, else by the suffix, else for people. */
static int choose_format(const struct parse *p)
{
	struct config *c = p->c;

	if (p->format || !c->output || export_format_from_suffix(c->output, &c->format) == 0 ||
	    !text_has_suffix(c->output))
		return 0;
	buf_addf(p->error, "-o '%s': the suffix names no format: end it in one of ", c->output);
	export_add_suffixes(p->error);
	buf_adds(p->error, ", or give --format");
	return -EINVAL;
}

static int apply_file(struct config *c, struct buf *error)
{
	const char *path = c->file ? c->file : CONFIG_DEFAULT_FILE;
	int r;

	/* Only the default one may be absent. */
	if (!c->file && access(path, F_OK) < 0 && errno == ENOENT)
		return 0;
	r = config_read(c, path, error);
	/* Unprivileged users need not be able to read the daemon's file. */
	if (!c->file && r == -EACCES) {
		buf_reset(error);
		return 0;
	}
	return r;
}

static int apply_flags(struct parse *p)
{
	for (size_t i = 0; i < OPTION_SETTINGS; i++) {
		_buf_ struct buf why = {0};
		int r = p->set[i] ? config_set_flag(p->c, option_flags[i].o.name, p->set[i], &why) :
				    0;

		if (r == -EINVAL)
			buf_addf(p->error, "--%s: %s", option_flags[i].o.name, buf_str(&why));
		if (r < 0)
			return r;
	}
	return 0;
}

int options_parse(int argc, char *argv[], struct config **ret, struct buf *error)
{
	_cleanup_(config_freep) struct config *c = NULL;
	struct parse p = {.error = error};
	int r = config_new(&c);

	if (r < 0)
		return r;
	p.c = c;
	r = read_argv(&p, argc, argv);
	if (r == 0 && c->mode != CONFIG_HELP && c->mode != CONFIG_VERSION) {
		r = option_check_modes(c, p.given, p.mode, error);
		if (r == 0)
			r = choose_format(&p);
		if (r == 0)
			r = apply_file(c, error);
		if (r == 0 && c->mode == CONFIG_SERVICE)
			r = config_read_environment(c, error);
		if (r == 0)
			r = apply_flags(&p);
	}
	if (r < 0)
		return r;
	*ret = TAKE_PTR(c);
	return 0;
}
