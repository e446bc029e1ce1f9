/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* The table of settings: one row each, for the configuration file and for the flag. */
#include <string.h>

#include "app/config_int.h"
#include "app/endpoint.h"
#include "base/num.h"
#include "base/text.h"
#include "export/emf.h"
#include "lmmsd/event.h"
#include "lmmsd/interp.h"

enum setting_type {
	SETTING_U64,
	SETTING_POWER, /* u64, a power of two */
	SETTING_DOUBLE,
	SETTING_STRING, /* char *, owned; "" is refused */
	SETTING_PATH,	/* likewise, and absolute when it stands in a file */
	SETTING_ONOFF,	/* bool */
	SETTING_PROBE,
	SETTING_BASIS,
	SETTING_UID,
	SETTING_APP,
	SETTING_ENDPOINT,  /* SETTING_STRING that endpoint_parse() takes */
	SETTING_NAMESPACE, /* likewise emf_namespace_ok() */
	SETTING_LOG_GROUP, /* likewise emf_log_group_ok() */
	SETTING_PROM,	   /* SETTING_PATH that node_exporter reads */
};

struct setting {
	const char *section;
	const char *key;
	const char *flag; /* NULL: only in the file */
	enum setting_type type;
	size_t offset;
	double min, max;
};

#define AT(member) offsetof(struct config, member)

static const struct setting settings[] = {
	{"observe", "app", "app", SETTING_APP, 0, 0, 0},
	{"observe", "uid", "uid", SETTING_UID, 0, 0, 0},
	{"observe", "probe", "probe", SETTING_PROBE, AT(probe), 0, 0},
	{"observe", "usage", "usage", SETTING_ONOFF, AT(usage), 0, 0},
	{"service", "db", "db", SETTING_PATH, AT(db), 0, 0},
	{"service", "reviews", "reviews", SETTING_PATH, AT(reviews), 0, 0},
	{"service", "keep_days", NULL, SETTING_U64, AT(store.keep_days), 1, 36500},
	{"service", "keep_mib", NULL, SETTING_U64, AT(store.keep_mib), 1, 1 << 20},
	{"service", "checkpoint_s", NULL, SETTING_U64, AT(store.checkpoint_s), 1, 86400},
	{"service", "evaluate_s", NULL, SETTING_U64, AT(evaluate_s), 1, 86400},
	{"service", "overhead_budget_pct", NULL, SETTING_DOUBLE, AT(overhead_budget_pct), 0, 100},
	{"review", "warn_ms", NULL, SETTING_DOUBLE, AT(review.warn_ms), 0, 3600000},
	{"review", "expect_pct", NULL, SETTING_DOUBLE, AT(review.expect_pct), 0, 100},
	{"review", "often_pct", NULL, SETTING_DOUBLE, AT(review.often_pct), 0, 100},
	{"review", "noise_ms", NULL, SETTING_DOUBLE, AT(review.noise_ms), 0, 3600000},
	{"review", "min_runs", NULL, SETTING_U64, AT(review.min_runs), 1, 1000000},
	{"web", "listen_address", "web.listen-address", SETTING_STRING, AT(web_listen), 0, 0},
	{"web", "config_file", "web.config.file", SETTING_PATH, AT(web_config), 0, 0},
	{"web", "max_apps", NULL, SETTING_U64, AT(series.max_apps), 1, 1000},
	{"web", "max_modules_per_app", NULL, SETTING_U64, AT(series.max_modules_per_app), 1, 1000},
	{"web", "max_series", NULL, SETTING_U64, AT(series.max_series), 500, 100000},
	{"cloudwatch", "endpoint", "cloudwatch.endpoint", SETTING_ENDPOINT, AT(cloudwatch.endpoint),
	 0, 0},
	{"cloudwatch", "namespace", NULL, SETTING_NAMESPACE, AT(cloudwatch.namespace), 0, 0},
	{"cloudwatch", "log_group", NULL, SETTING_LOG_GROUP, AT(cloudwatch.log_group), 0, 0},
	{"cloudwatch", "interval_s", NULL, SETTING_U64, AT(cloudwatch.interval_s), 1, 3600},
	{"cloudwatch", "max_apps", NULL, SETTING_U64, AT(cloudwatch.max_apps), 0, 64},
	{"cloudwatch", "max_modules", NULL, SETTING_U64, AT(cloudwatch.max_modules), 0, 32},
	{"cloudwatch", "host_dimension", NULL, SETTING_ONOFF, AT(cloudwatch.host_dimension), 0, 0},
	{"textfile", "path", "textfile.path", SETTING_PROM, AT(textfile.path), 0, 0},
	{"textfile", "interval_s", NULL, SETTING_U64, AT(textfile.interval_s), 1, 3600},
	{"limits", "ring_kib", NULL, SETTING_POWER, AT(limits.ring_kib), 64, 1 << 20},
	{"limits", "max_use_keys", NULL, SETTING_U64, AT(limits.max_use_keys), 1024, 1 << 24},
	{"limits", "max_procs", NULL, SETTING_U64, AT(limits.max_procs), 64, 1 << 22},
	{"limits", "max_interpreters", NULL, SETTING_U64, AT(limits.max_interpreters), 1,
	 LMMSD_MAX_INTERPS},
	{"limits", "max_loads", NULL, SETTING_U64, AT(limits.max_loads), 100, 1 << 24},
	{"limits", "max_modules", NULL, SETTING_U64, AT(limits.max_modules), 100, 1 << 24},
	{"limits", "max_edges", NULL, SETTING_U64, AT(limits.max_edges), 100, 1 << 24},
	{"limits", "max_depth", NULL, SETTING_U64, AT(limits.max_depth), 16, 1 << 16},
	{"classify", "fast_ms", NULL, SETTING_DOUBLE, AT(policy.fast_ms), 0, 3600000},
	{"classify", "slow_ms", NULL, SETTING_DOUBLE, AT(policy.slow_ms), 0, 3600000},
	{"classify", "usage_pct", NULL, SETTING_DOUBLE, AT(policy.usage_pct), 0, 100},
	{"classify", "usage_basis", NULL, SETTING_BASIS, AT(basis), 0, 0},
};

static int set_number(void *to, const struct setting *s, const char *value, struct buf *error)
{
	uint64_t u = 0;
	double d = 0;
	int r;

	if (s->type == SETTING_DOUBLE)
		r = num_double(value, s->min, s->max, &d);
	else
		r = num_u64(value, (uint64_t)s->min, (uint64_t)s->max, &u);
	if (r < 0 || (s->type == SETTING_POWER && (u & (u - 1)))) {
		buf_addf(error, "'%s' is no %s from %.0f to %.0f", value,
			 s->type == SETTING_POWER  ? "power of two" :
			 s->type == SETTING_DOUBLE ? "number" :
						     "whole number",
			 s->min, s->max);
		return -EINVAL;
	}
	if (s->type == SETTING_DOUBLE)
		*(double *)to = d;
	else
		*(uint64_t *)to = u;
	return 0;
}

static int set_string(char **to, const struct setting *s, const char *value, bool in_file,
		      struct buf *error)
{
	char *copy;

	if (!*value) {
		buf_adds(error, "a value is missing");
		return -EINVAL;
	}
	/* The daemon's working directory is nobody's business. */
	if ((s->type == SETTING_PATH || s->type == SETTING_PROM) && in_file && *value != '/') {
		buf_addf(error, "'%s' is no absolute path", value);
		return -EINVAL;
	}
	copy = strdup(value);
	if (!copy)
		return -ENOMEM;
	free(*to);
	*to = copy;
	return 0;
}

static int check_string(const struct setting *s, const char *value, struct buf *error)
{
	_endpoint_ struct endpoint e = {0};

	if (s->type == SETTING_ENDPOINT && *value)
		return endpoint_parse(value, &e, error);
	if (s->type == SETTING_NAMESPACE && *value && !emf_namespace_ok(value)) {
		buf_addf(error,
			 "'%s' is no namespace: 1 to 255 of A-Z a-z 0-9 . - _ / # :, not 'AWS/...'",
			 value);
		return -EINVAL;
	}
	if (s->type == SETTING_PROM && *value && !text_ends_with(value, ".prom")) {
		buf_addf(error, "'%s' does not end in .prom: node_exporter would not read it",
			 value);
		return -EINVAL;
	}
	if (s->type == SETTING_LOG_GROUP && *value && !emf_log_group_ok(value)) {
		buf_addf(error, "'%s' is no log group: 1 to 512 of A-Z a-z 0-9 . - _ / #", value);
		return -EINVAL;
	}
	return 0;
}

/* Position of value in names; -EINVAL. */
static int choose(const char *const names[], size_t n, const char *value, struct buf *error)
{
	for (size_t i = 0; i < n; i++) {
		if (!strcmp(names[i], value))
			return (int)i;
	}
	buf_addf(error, "'%s' is none of", value);
	for (size_t i = 0; i < n; i++)
		buf_addf(error, " %s", names[i]);
	return -EINVAL;
}

static int set_app(struct config *c, const char *value, struct buf *error)
{
	_free_ char *copy = strdup(value);
	regex_t regex;
	int r;

	if (!copy)
		return -ENOMEM;
	r = config_compile(&regex, value, error);
	if (r < 0)
		return r;
	if (c->app)
		regfree(&c->app_regex);
	free(c->app);
	c->app = TAKE_PTR(copy);
	c->app_regex = regex;
	return 0;
}

static int set_uid(struct config *c, const char *value, struct buf *error)
{
	uint64_t uid;

	/* 2^32 - 1 is (uid_t)-1, "no user" */
	if (num_u64(value, 0, UINT32_MAX - 1, &uid) < 0) {
		buf_addf(error, "'%s' is no numeric user id; 'id -u NAME' prints it", value);
		return -EINVAL;
	}
	c->uid = (uint32_t)uid;
	c->uid_given = true;
	return 0;
}

static int set(struct config *c, const struct setting *s, const char *value, bool in_file,
	       struct buf *error)
{
	static const char *const probes[] = {"auto", "usdt", "callsite", "entry"};
	static const char *const onoff[] = {"off", "on"};
	static const char *const bases[] = {"run", "share"};
	void *to = (char *)c + s->offset;
	int r;

	_Static_assert(LMMSD_PROBE_USDT == 1 && LMMSD_PROBE_CALLSITE == 2 && LMMSD_PROBE_ENTRY == 3,
		       "probes[] is in the order of LMMSD_PROBE_*");
	switch (s->type) {
	case SETTING_U64:
	case SETTING_POWER:
	case SETTING_DOUBLE:
		return set_number(to, s, value, error);
	case SETTING_STRING:
	case SETTING_PATH:
	case SETTING_ENDPOINT:
	case SETTING_NAMESPACE:
	case SETTING_LOG_GROUP:
	case SETTING_PROM:
		r = check_string(s, value, error);
		return r ? r : set_string(to, s, value, in_file, error);
	case SETTING_UID:
		return set_uid(c, value, error);
	case SETTING_APP:
		return set_app(c, value, error);
	case SETTING_PROBE:
		r = choose(probes, ARRAY_LEN(probes), value, error);
		if (r >= 0)
			c->probe = (uint8_t)r;
		break;
	case SETTING_ONOFF:
		r = choose(onoff, ARRAY_LEN(onoff), value, error);
		if (r >= 0)
			*(bool *)to = r;
		break;
	case SETTING_BASIS:
		r = choose(bases, ARRAY_LEN(bases), value, error);
		if (r >= 0)
			c->basis = r ? CONFIG_BASIS_SHARE : CONFIG_BASIS_RUN;
		break;
	default:
		r = -EINVAL;
	}
	return r < 0 ? r : 0;
}

int config_set_flag(struct config *c, const char *flag, const char *value, struct buf *error)
{
	for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
		const struct setting *t = &settings[i];
		_buf_ struct buf from = {0};
		int r;

		if (!t->flag || strcmp(t->flag, flag) != 0)
			continue;
		r = set(c, t, value, false, error);
		buf_addf(&from, "--%s", flag);
		return r ? r : config_remember(c, t->section, t->key, buf_str(&from));
	}
	return -ENOENT;
}

int config_set_key(struct config *c, const char *section, const char *key, const char *value,
		   struct buf *error)
{
	bool known = false;

	for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
		if (strcmp(settings[i].section, section) != 0)
			continue;
		if (!strcmp(settings[i].key, key))
			return set(c, &settings[i], value, true, error);
		known = true;
	}
	if (known) {
		buf_addf(error, "unknown key '%s' in [%s]; it may have", key, section);
		for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
			if (!strcmp(settings[i].section, section))
				buf_addf(error, " %s", settings[i].key);
		}
	} else if (!*section) {
		buf_addf(error, "'%s' stands before the first [SECTION]", key);
	} else {
		buf_addf(error, "unknown section [%s]; there are [app.rules]", section);
		for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
			if (i == 0 || strcmp(settings[i].section, settings[i - 1].section) != 0)
				buf_addf(error, " [%s]", settings[i].section);
		}
	}
	return -ENOENT;
}

int config_add_rule(struct config *c, const char *name, const char *pattern, struct buf *error)
{
	struct config_rule *rules, rule = {.match = CONFIG_MATCH_CMDLINE};
	const char *regex = pattern;
	int r;

	if (text_starts_with(pattern, "unit:"))
		rule.match = CONFIG_MATCH_UNIT;
	else if (text_starts_with(pattern, "container:"))
		rule.match = CONFIG_MATCH_CONTAINER;
	if (rule.match != CONFIG_MATCH_CMDLINE)
		regex = strchr(pattern, ':') + 1;
	if (!*regex) {
		buf_adds(error, "a pattern is missing");
		return -EINVAL;
	}
	if (c->n_rules == CONFIG_MAX_RULES) {
		buf_addf(error, "more than %d rules", CONFIG_MAX_RULES);
		return -EINVAL;
	}
	rules = reallocarray(c->rules, c->n_rules + 1, sizeof(*rules));
	if (!rules)
		return -ENOMEM;
	c->rules = rules;
	r = config_compile(&rule.regex, regex, error);
	if (r < 0)
		return r;
	rule.name = strdup(name);
	rule.pattern = strdup(regex);
	/* Owned by c from here on, a half-made one too. */
	rules[c->n_rules++] = rule;
	return rule.name && rule.pattern ? 0 : -ENOMEM;
}
