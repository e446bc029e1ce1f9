/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include <errno.h>
#include <getopt.h>
#include <string.h>

#include "app/ctl.h"
#include "app/options.h"
#include "base/log.h"

/* The value of every long option goes to the member at its offset. */
#define MEMBER(m) ((int)offsetof(struct ctl, m))
enum { OPT_FIRST = 1000 };
static const struct {
	struct option o;
	int member;
	unsigned int needs; /* one of these CTL_* of the verb; 0: all verbs take it */
} table[] = {
	{{"db", required_argument, NULL, OPT_FIRST + 0}, MEMBER(db), 0},
	{{"config", required_argument, NULL, OPT_FIRST + 1}, MEMBER(file), 0},
	{{"format", required_argument, NULL, OPT_FIRST + 2}, MEMBER(format), 0},
	{{"output", required_argument, NULL, OPT_FIRST + 3}, MEMBER(output), 0},
	{{"app", required_argument, NULL, OPT_FIRST + 4}, MEMBER(app), CTL_APP},
	{{"month", required_argument, NULL, OPT_FIRST + 5}, MEMBER(month), CTL_PERIOD},
	{{"since", required_argument, NULL, OPT_FIRST + 6}, MEMBER(since), CTL_PERIOD},
	{{"until", required_argument, NULL, OPT_FIRST + 7}, MEMBER(until), CTL_PERIOD},
	{{"baseline", required_argument, NULL, OPT_FIRST + 8}, MEMBER(baseline), CTL_BASELINE},
	{{"expect", required_argument, NULL, OPT_FIRST + 9}, MEMBER(expect), CTL_EXPECT},
	{{"max-ms", required_argument, NULL, OPT_FIRST + 10}, MEMBER(max_ms), CTL_MAX_MS},
	{{"python", required_argument, NULL, OPT_FIRST + 11}, MEMBER(python), CTL_IMPORTS},
	{{"runs", required_argument, NULL, OPT_FIRST + 12}, MEMBER(runs), CTL_IMPORTS},
	{{"prometheus", required_argument, NULL, OPT_FIRST + 13}, MEMBER(prometheus), CTL_FLEET},
	{{"prometheus-headers", required_argument, NULL, OPT_FIRST + 14},
	 MEMBER(prometheus_headers),
	 CTL_FLEET},
	{{"prometheus-ca", required_argument, NULL, OPT_FIRST + 15},
	 MEMBER(prometheus_ca),
	 CTL_FLEET},
	{{"help", no_argument, NULL, 'h'}, 0, 0},
	{{"version", no_argument, NULL, 'V'}, 0, 0},
};

static int refuse_option(int id, char *argv[])
{
	const char *word = argv[optind - 1];

	if (id == ':')
		log_error("%s: a value is missing", word);
	else if (optopt > OPT_FIRST || optopt == 'h' || optopt == 'V')
		log_error("%s: this option takes no value", word);
	else
		log_error("%s: no such option, or not enough of its name: see 'lmmsctl --help'",
			  word);
	return EXIT_USAGE;
}

static const char *verb_name(const void *list, size_t i)
{
	const struct ctl_verb *v = list;

	return v[i].summary ? v[i].name : "";
}

static int find_verb(struct ctl *c, const char *name)
{
	size_t n = 0;
	const char *near;

	for (; ctl_verbs[n].name; n++)
		if (!strcmp(ctl_verbs[n].name, name))
			c->verb = &ctl_verbs[n];
	if (c->verb)
		return -1;
	near = ctl_nearest(name, verb_name, ctl_verbs, n);
	if (near)
		log_error("no verb '%s': did you mean '%s'?", name, near);
	else
		log_error("no verb '%s': 'lmmsctl --help' lists them", name);
	return EXIT_USAGE;
}

/* Is it one of "text|json"? */
static bool one_of(const char *word, const char *list)
{
	size_t n = strlen(word);

	for (const char *at = list; n && at; at = strchr(at, '|')) {
		at += *at == '|';
		if (strcspn(at, "|") == n && !strncmp(at, word, n))
			return true;
	}
	return false;
}

/* What was given and says nothing to this verb is rather refused than ignored. */
static int check_options(const struct ctl *c)
{
	const struct ctl_verb *v = c->verb;

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		const char *value;

		if (!table[i].needs || (v->options & table[i].needs))
			continue;
		memcpy(&value, (const char *)c + table[i].member, sizeof(value));
		if (value) {
			log_error("--%s says nothing to %s: see 'lmmsctl %s --help'",
				  table[i].o.name, v->name, v->name);
			return EXIT_USAGE;
		}
	}
	if (c->db && (v->options & CTL_NO_DB)) {
		log_error("--db says nothing to %s: it reads no database", v->name);
		return EXIT_USAGE;
	}
	if (!c->prometheus && (c->prometheus_headers || c->prometheus_ca)) {
		log_error("--prometheus-headers and --prometheus-ca need --prometheus URL");
		return EXIT_USAGE;
	}
	if (c->prometheus && c->db) {
		log_error("--prometheus and --db exclude each other");
		return EXIT_USAGE;
	}
	if ((v->options & CTL_NEED_APP) && !c->app) {
		log_error("%s needs --app APP: 'lmmsctl apps' lists them", v->name);
		return EXIT_USAGE;
	}
	if ((v->options & CTL_BASELINE) && !c->baseline) {
		log_error("%s needs --baseline NAME: 'lmmsctl baseline list' lists them", v->name);
		return EXIT_USAGE;
	}
	if (c->format && !one_of(c->format, v->formats)) {
		log_error("--format: '%s' is none of %s", c->format, v->formats);
		return EXIT_USAGE;
	}
	if (c->n_args < v->min_args || c->n_args > v->max_args) {
		log_error("%s: %s: lmmsctl %s %s", v->name,
			  c->n_args < v->min_args ? "something is missing" : "too many arguments",
			  v->name, v->usage);
		return EXIT_USAGE;
	}
	return -1;
}

/* The daemon's own file, where it can be read: the same thresholds, the same database. */
static int read_config(struct ctl *c)
{
	const char *path = c->file ? c->file : CONFIG_DEFAULT_FILE;
	_buf_ struct buf error = {0};
	int r = config_new(&c->config);

	if (!r && (c->file || access(path, R_OK) == 0))
		r = config_read(c->config, path, &error);
	if (!r && c->db)
		r = config_set_flag(c->config, "db", c->db, &error);
	if (!r)
		return -1;
	log_error("%s", *buf_str(&error) ? buf_str(&error) : strerror(-r));
	return (int)options_exit_code(r);
}

static int read_options(int argc, char *argv[], struct ctl *c, bool *ret_help)
{
	struct option options[ARRAY_LEN(table) + 1] = {0};
	int id;

	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		options[i] = table[i].o;
	optind = 0;
	opterr = 0;
	while ((id = getopt_long(argc, argv, ":o:hV", options, NULL)) != -1) {
		if (id == '?' || id == ':')
			return refuse_option(id, argv);
		if (id == 'V') {
			(void)printf("lmmsctl %s\n", LMMSD_VERSION);
			return EXIT_DONE;
		}
		if (id == 'h')
			*ret_help = true;
		else if (id == 'o')
			c->output = optarg;
		else
			memcpy((char *)c + table[id - OPT_FIRST].member, &optarg, sizeof(optarg));
	}
	return -1;
}

int ctl_parse(int argc, char *argv[], struct ctl *c)
{
	bool help = false;
	int r = read_options(argc, argv, c, &help);

	if (r >= 0)
		return r;
	if (optind == argc) {
		if (!help)
			log_error("a verb is missing: 'lmmsctl --help' lists them");
		else
			ctl_help(stdout);
		return help ? EXIT_DONE : EXIT_USAGE;
	}
	r = find_verb(c, argv[optind]);
	if (r >= 0)
		return r;
	if (help) {
		ctl_help_verb(c->verb, stdout);
		return EXIT_DONE;
	}
	c->args = argv + optind + 1;
	c->n_args = (size_t)(argc - optind - 1);
	r = check_options(c);
	if (r < 0)
		r = ctl_check_output(c);
	return r < 0 ? read_config(c) : r;
}
