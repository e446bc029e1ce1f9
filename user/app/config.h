/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * What lmmsd was asked to do: defaults, then the configuration file, then flags. Filled by options_parse(), passed
 * down const.
 */
#pragma once
#include <regex.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analysis/classify.h"
#include "base/buf.h"
#include "base/log.h"
#include "export/export.h"
#include "model/review.h"

#define CONFIG_DEFAULT_FILE "/etc/lmmsd/lmmsd.conf"
#define CONFIG_DEFAULT_STATE "/var/lib/lmmsd"
#define CONFIG_DEFAULT_DB CONFIG_DEFAULT_STATE "/lmmsd.db"
#define CONFIG_DEFAULT_REVIEWS CONFIG_DEFAULT_STATE "/reviews"
#define CONFIG_DEFAULT_LISTEN "127.0.0.1:9748"
#define CONFIG_MAX_PIDS 1024
#define CONFIG_MAX_RULES 1024 /* in [app.rules] */

enum config_mode {
	CONFIG_HOST,	/* the whole host, until stopped */
	CONFIG_PIDS,	/* --pid */
	CONFIG_COMMAND, /* -- COMMAND */
	CONFIG_SERVICE,
	CONFIG_CHECK,
	CONFIG_REPLAY,
	CONFIG_HELP,
	CONFIG_VERSION,
};

enum config_basis { CONFIG_BASIS_RUN, CONFIG_BASIS_SHARE };

enum config_match { CONFIG_MATCH_CMDLINE, CONFIG_MATCH_UNIT, CONFIG_MATCH_CONTAINER };

/* A rule that names apps. */
struct config_rule {
	char *name;    /* owned: of the app */
	char *pattern; /* owned: as written, for messages */
	regex_t regex; /* POSIX extended, unanchored */
	enum config_match match;
};

struct config_limits {
	uint64_t ring_kib;	   /* of the ring buffer from the kernel; a power of two */
	uint64_t max_use_keys;	   /* (importer, module, placement) that are counted at once */
	uint64_t max_procs;	   /* Python processes that are followed at once */
	uint64_t max_interpreters; /* interpreter files that are attached */
	uint64_t max_loads;	   /* of one process, as the next three */
	uint64_t max_modules;
	uint64_t max_edges;
	uint64_t max_depth; /* of nested imports */
};

/* How long the page of metrics may get. */
struct config_series {
	uint64_t max_apps; /* with series of their own */
	uint64_t max_modules_per_app;
	uint64_t max_series; /* of the whole host */
};

/* How the daemon keeps runs. */
struct config_store {
	uint64_t keep_days; /* raw runs */
	uint64_t keep_mib;  /* raw runs */
	uint64_t
		checkpoint_s; /* between two copies of a process that goes on and imports nothing new */
};

/* Metrics for CloudWatch. */
struct config_cloudwatch {
	char *endpoint;	 /* owned, as endpoint_parse() takes it */
	char *namespace; /* owned */
	char *log_group; /* owned */
	uint64_t interval_s;
	uint64_t max_apps, max_modules; /* with a name: each is paid for */
	bool host_dimension;
	char *from; /* owned: where the endpoint was read, for messages; NULL: the default */
};

/* Metrics in a file for node_exporter. */
struct config_textfile {
	char *path; /* owned: absolute, ends in ".prom"; NULL: none */
	uint64_t interval_s;
	char *from; /* owned: as of the endpoint */
};

struct config {
	enum config_mode mode;
	uint32_t *pids; /* owned, ascending, each once */
	size_t n_pids;
	char *const *command; /* CONFIG_COMMAND: borrowed from argv, ends with NULL */
	char *replay;	      /* owned; CONFIG_REPLAY */
	bool strict;	      /* CONFIG_CHECK */
	uint64_t duration_ns; /* 0: until stopped */

	enum export_format format; /* by --format, else by the suffix of output, else EXPORT_TEXT */
	char *output;		   /* owned; NULL: stdout */
	char *record;		   /* owned; NULL */
	char *file;	/* owned: configuration file that was asked for; NULL: the default one */
	bool file_read; /* there was one */
	enum log_level log_level;

	char *app; /* owned, as written; NULL: every app */
	regex_t app_regex;
	bool uid_given;
	uint32_t uid;
	uint8_t probe; /* LMMSD_PROBE_*; 0: the best that each interpreter offers */
	bool usage;

	char *db;	  /* owned */
	char *reviews;	  /* owned: directory */
	char *web_listen; /* owned: "ADDRESS:PORT" or "off" */
	char *web_config; /* owned: the web configuration file; NULL: none */

	struct config_series series;
	struct config_cloudwatch cloudwatch;
	struct config_textfile textfile;

	struct config_store store;
	uint64_t evaluate_s;	     /* between two looks for triggers */
	double overhead_budget_pct;  /* of the host's processors, to alert on; 0: none */
	struct rv_thresholds review; /* fast_ms, slow_ms, usage_pct: as in policy */

	struct config_limits limits;
	struct classify_policy policy;
	enum config_basis basis; /* what usage_pct means */
	struct config_rule
		*rules; /* owned array, in the order of the file: the first that matches wins */
	size_t n_rules;
};

/* All defaults. -ENOMEM. */
int config_new(struct config **ret);
struct config *config_free(struct config *c); /* NULL */
static inline void config_freep(struct config **c)
{
	(void)config_free(*c);
}

/*
 * Reads an INI file over what stands in c. -ENOENT, -EACCES...: could not be read; -EINVAL: something in it is wrong;
 * *error then has one line, with file and line.
 */
int config_read(struct config *c, const char *path, struct buf *error);

/*
 * Sets what is named by its flag ("web.listen-address") to a value. -ENOENT: no such setting; -EINVAL: *error says why
 * the value is none; -ENOMEM.
 */
int config_set_flag(struct config *c, const char *flag, const char *value, struct buf *error);

/*
 * The variables of CloudWatch's own libraries: AWS_EMF_AGENT_ENDPOINT, AWS_EMF_NAMESPACE, AWS_EMF_LOG_GROUP_NAME. They win over
 * the file; flags win over them. -EINVAL: *error has one line; -ENOMEM.
 */
int config_read_environment(struct config *c, struct buf *error);

/* Does --app want this app? */
bool config_wants_app(const struct config *c, const char *app);
