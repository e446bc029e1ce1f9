/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "app/config.h"

#include <ctype.h>
#include <fcntl.h>
#include <ini.h>
#include <string.h>

#include "app/config_int.h"
#include "base/fdio.h"
#include "graph/graph.h"
#include "review/review.h"

#define FILE_MAX ((size_t)1 << 20)

int config_new(struct config **ret)
{
	_cleanup_(config_freep) struct config *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->mode = CONFIG_HOST;
	c->format = EXPORT_TEXT;
	c->log_level = LOG_LEVEL_INFO;
	c->usage = true;
	c->policy = classify_default_policy;
	c->limits = (struct config_limits){
		.ring_kib = 2048,
		.max_use_keys = 65536,
		.max_procs = 16384,
		.max_interpreters = 256,
		.max_loads = graph_default_limits.loads,
		.max_modules = graph_default_limits.modules,
		.max_edges = graph_default_limits.edges,
		.max_depth = graph_default_limits.depth,
	};
	c->store = (struct config_store){.keep_days = 30, .keep_mib = 512, .checkpoint_s = 300};
	c->series = (struct config_series){
		.max_apps = 32, .max_modules_per_app = 50, .max_series = 4000};
	c->evaluate_s = 3600;
	c->overhead_budget_pct = 1;
	c->cloudwatch = (struct config_cloudwatch){
		.endpoint = strdup("off"),
		.namespace = strdup("lmmsd"),
		.log_group = strdup("lmmsd"),
		.interval_s = 60,
		.max_apps = 10,
		.max_modules = 5,
	};
	c->textfile.interval_s = 60;
	c->review = review_default_thresholds;
	c->db = strdup(CONFIG_DEFAULT_DB);
	c->reviews = strdup(CONFIG_DEFAULT_REVIEWS);
	c->web_listen = strdup(CONFIG_DEFAULT_LISTEN);
	if (!c->db || !c->reviews || !c->web_listen || !c->cloudwatch.endpoint ||
	    !c->cloudwatch.namespace || !c->cloudwatch.log_group)
		return -ENOMEM;
	*ret = TAKE_PTR(c);
	return 0;
}

struct config *config_free(struct config *c)
{
	if (!c)
		return NULL;
	for (size_t i = 0; i < c->n_rules; i++) {
		regfree(&c->rules[i].regex);
		free(c->rules[i].name);
		free(c->rules[i].pattern);
	}
	free(c->rules);
	if (c->app)
		regfree(&c->app_regex);
	free(c->app);
	free(c->pids);
	free(c->replay);
	free(c->output);
	free(c->record);
	free(c->file);
	free(c->db);
	free(c->reviews);
	free(c->web_listen);
	free(c->web_config);
	free(c->cloudwatch.endpoint);
	free(c->cloudwatch.namespace);
	free(c->cloudwatch.log_group);
	free(c->cloudwatch.from);
	free(c->textfile.path);
	free(c->textfile.from);
	free(c);
	return NULL;
}

/* A file while inih reads it. */
struct reading {
	struct config *c;
	const char *path;
	const char *at;	 /* what is left of the text */
	const char *raw; /* the line that inih was given last, as it stands there */
	size_t raw_len;
	struct buf *error;
	int line; /* that inih was given last */
	int r;	  /* of the first error */
};

static void fail(struct reading *in, int r, const char *why)
{
	if (in->r < 0)
		return;
	in->r = r == -ENOENT ? -EINVAL : r;
	if (r != -ENOMEM)
		buf_addf(in->error, "%s:%d: %s", in->path, in->line, why);
}

/*
 * inih's fgets(): it counts the lines, takes leading blanks away (to inih an indented line goes on with the value
 * before), and refuses lines that do not fit, which inih would take for two.
 */
static char *next_line(char *to, int size, void *arg)
{
	struct reading *in = arg;
	size_t len = strcspn(in->at, "\n"), blanks;

	if (!*in->at || in->r < 0)
		return NULL;
	in->line++;
	blanks = strspn(in->at, " \t");
	if (blanks > len)
		blanks = len;
	if (len - blanks + 2 > (size_t)size) {
		fail(in, -EINVAL, "the line is too long; at most 198 characters");
		return NULL;
	}
	in->raw = in->at + blanks;
	in->raw_len = len - blanks;
	memcpy(to, in->at + blanks, len - blanks);
	to[len - blanks] = '\n';
	to[len - blanks + 1] = '\0';
	in->at += len + (in->at[len] == '\n');
	return to;
}

int config_remember(struct config *c, const char *section, const char *key, const char *from)
{
	char **to = !strcmp(section, "cloudwatch") && !strcmp(key, "endpoint") ?
			    &c->cloudwatch.from :
		    !strcmp(section, "textfile") && !strcmp(key, "path") ? &c->textfile.from :
									   NULL;
	char *copy;

	if (!to)
		return 0;
	copy = strdup(from);
	if (!copy)
		return -ENOMEM;
	free(*to);
	*to = copy;
	return 0;
}

static int set_key(struct reading *in, const char *section, const char *key, const char *value,
		   struct buf *why)
{
	_buf_ struct buf from = {0};
	int r = config_set_key(in->c, section, key, value, why);

	if (r)
		return r;
	buf_addf(&from, "%s:%d", in->path, in->line);
	return buf_error(&from) ? -ENOMEM : config_remember(in->c, section, key, buf_str(&from));
}

/* To inih a ':' ends a key as '=' does, and a ';' behind a blank begins a comment: the rule would be another one. */
static int check_rule(const struct reading *in, struct buf *why)
{
	size_t i = 0;

	for (; i < in->raw_len && in->raw[i] != '='; i++)
		if (in->raw[i] == ':') {
			buf_adds(why, "a rule is NAME = PATTERN, and a NAME has no ':'");
			return -EINVAL;
		}
	for (; i + 1 < in->raw_len; i++)
		if (isspace((unsigned char)in->raw[i]) && in->raw[i + 1] == ';') {
			buf_adds(
				why,
				"no ';' behind a blank: in a PATTERN write '[;]', and a comment on a line of its own");
			return -EINVAL;
		}
	return 0;
}

static int add_rule(struct reading *in, const char *name, const char *pattern, struct buf *why)
{
	int r = check_rule(in, why);

	return r ? r : config_add_rule(in->c, name, pattern, why);
}

static int on_key(void *arg, const char *section, const char *key, const char *value)
{
	struct reading *in = arg;
	_buf_ struct buf why = {0}, text = {0};
	int r;

	if (in->r < 0)
		return 0;
	if (!strcmp(section, "app.rules"))
		r = add_rule(in, key, value, &why);
	else
		r = set_key(in, section, key, value, &why);
	if (r == 0)
		return 1;
	if (r == -EINVAL)
		buf_addf(&text, "%s: %s", key, buf_str(&why));
	else
		buf_adds(&text, buf_str(&why));
	fail(in, r, buf_str(&text));
	return 0;
}

int config_read(struct config *c, const char *path, struct buf *error)
{
	_buf_ struct buf text = {0};
	struct reading in = {.c = c, .path = path, .error = error};
	int r;

	r = fdio_read_file(AT_FDCWD, path, FILE_MAX, &text);
	if (r < 0) {
		buf_addf(error, "cannot read the configuration file '%s': %s", path, strerror(-r));
		return r;
	}
	if (memchr(buf_str(&text), '\0', text.len)) {
		buf_addf(error, "the configuration file '%s' is no text", path);
		return -EINVAL;
	}
	in.at = buf_str(&text);
	r = ini_parse_stream(next_line, &in, on_key, &in);
	/* inih goes on behind a line that it cannot parse, so an error of ours may be the second one. */
	if (r != 0 && (in.r == 0 || (in.r == -EINVAL && r > 0 && r < in.line))) {
		buf_reset(error);
		in.r = 0;
		in.line = r > 0 ? r : in.line;
		fail(&in, r == -2 ? -ENOMEM : -EINVAL,
		     "neither 'KEY = VALUE' nor '[SECTION]' nor '# comment'");
	}
	if (in.r == 0 && c->policy.fast_ms > c->policy.slow_ms) {
		buf_addf(error, "%s: [classify] fast_ms is more than slow_ms", path);
		return -EINVAL;
	}
	if (in.r == 0)
		c->file_read = true;
	return in.r;
}

int config_read_environment(struct config *c, struct buf *error)
{
	static const struct {
		const char *name, *key;
	} variables[] = {
		{"AWS_EMF_AGENT_ENDPOINT", "endpoint"},
		{"AWS_EMF_NAMESPACE", "namespace"},
		{"AWS_EMF_LOG_GROUP_NAME", "log_group"},
	};

	for (size_t i = 0; i < ARRAY_LEN(variables); i++) {
		const char *value = getenv(variables[i].name);
		_buf_ struct buf why = {0};
		int r;

		if (!value || !*value)
			continue;
		r = config_set_key(c, "cloudwatch", variables[i].key, value, &why);
		if (r == -EINVAL)
			buf_addf(error, "%s in the environment: %s", variables[i].name,
				 buf_str(&why));
		if (r < 0)
			return r;
		r = config_remember(c, "cloudwatch", variables[i].key, variables[i].name);
		if (r < 0)
			return r;
	}
	return 0;
}

bool config_wants_app(const struct config *c, const char *app)
{
	return !c->app || regexec(&c->app_regex, app, 0, NULL, 0) == 0;
}
