/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * What a run is grouped by (interface.md §2, "app"): "python -m pkg.mod" -> "pkg.mod"; a script in a bin directory -> its name; another
 * script -> "dir/name"; "python -c", "python"; an embedding program -> its name. Rules of the configuration go first.
 */
#pragma once
#include <stddef.h>

#define APPID_MAX 128 /* bytes of a name, without the NUL */

/* What a process shows. All borrowed; NULL: not known. */
struct appid_facts {
	const char *exe;     /* path of the executable */
	const char *cmdline; /* argv strings, each ended by a NUL */
	size_t cmdline_len;
	const char *cgroup; /* path in the hierarchy */
	const char *cwd;    /* for a relative script */
	const char *main;   /* absolute file of the main program */
	const char *comm;
};

enum appid_source {
	APPID_COMMAND,	 /* the command line, arguments joined by blanks */
	APPID_UNIT,	 /* the innermost systemd service or scope: "shop.service" */
	APPID_CONTAINER, /* a container's id (hex) or, where the cgroup has it, its name */
};

struct appid_rules;
int appid_rules_new(struct appid_rules **ret);
struct appid_rules *appid_rules_free(struct appid_rules *r); /* NULL */
static inline void appid_rules_freep(struct appid_rules **r)
{
	(void)appid_rules_free(*r);
}
/*
 * Adds a rule; the first that matches wins. pattern: POSIX extended regular expression, found anywhere. name: \0 is
 * what matched, \1 to \9 its groups, \\ a backslash. -EINVAL: error (cap bytes) says what is wrong. -ENOMEM.
 */
int appid_rules_add(struct appid_rules *r, enum appid_source source, const char *pattern,
		    const char *name, char *error, size_t cap);

/*
 * The app's name, never empty, valid UTF-8 without control characters. rules: NULL: none. ret: APPID_MAX + 1 bytes.
 * 0, -ENOMEM.
 */
int appid_name(const struct appid_rules *rules, const struct appid_facts *facts, char *ret);
