/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* CPython's own reading of its arguments (Python/getopt.c, 3.6-3.15), and names in cgroup paths. */
#include "app/appid_cmd.h"

#include <ctype.h>
#include <string.h>

#include "base/text.h"

void appid_split(const char *cmdline, size_t len, struct appid_args *ret)
{
	const char *end = cmdline ? cmdline + len : NULL;

	ret->n = 0;
	while (cmdline < end && ret->n < APPID_MAX_ARGS) {
		const char *nul = memchr(cmdline, '\0', (size_t)(end - cmdline));

		if (!nul)
			break;
		ret->arg[ret->n++] = cmdline;
		cmdline = nul + 1;
	}
	while (ret->n > 0 && !ret->arg[ret->n - 1][0])
		ret->n--;
}

const char *appid_base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

bool appid_is_python(const char *path)
{
	const char *s = appid_base(path);

	if (text_starts_with(s, "platform-"))
		s += strlen("platform-");
	if (text_starts_with(s, "pypy"))
		s += strlen("pypy");
	else if (text_starts_with(s, "python"))
		s += strlen("python");
	else
		return false;
	s += strspn(s, "0123456789.");
	s += strspn(s, "dmtuw"); /* ABI flags */
	return !*s || strcmp(s, "-dbg") == 0;
}

/* One argument of short options: "-Bsc". Ends the search: *ret is set. */
static bool short_options(const struct appid_args *args, size_t *i, enum appid_what *ret,
			  const char **ret_name)
{
	const char *arg = args->arg[*i];

	for (size_t at = 1; arg[at]; at++) {
		char c = arg[at];
		const char *value;

		if (!strchr("cmWX", c))
			continue;
		/* The value is the rest, or the next argument. */
		if (arg[at + 1])
			value = arg + at + 1;
		else
			value = *i + 1 < args->n ? args->arg[++*i] : "";
		if (c == 'W' || c == 'X')
			return false;
		*ret = c == 'c' ? APPID_RUNS_CODE : *value ? APPID_RUNS_MODULE : APPID_RUNS_NOTHING;
		*ret_name = value;
		return true;
	}
	return false;
}

enum appid_what appid_python(const struct appid_args *args, size_t first, const char **ret_name)
{
	enum appid_what what;

	*ret_name = "";
	for (size_t i = first; i < args->n; i++) {
		const char *arg = args->arg[i];

		if (arg[0] == '-' && arg[1] == '-' && arg[2]) {
			if (strcmp(arg, "--check-hash-based-pycs") == 0)
				i++;
			continue;
		}
		if (strcmp(arg, "--") == 0 && ++i == args->n)
			break;
		arg = args->arg[i];
		if (strcmp(args->arg[i - 1], "--") != 0 && arg[0] == '-' && arg[1]) {
			if (short_options(args, &i, &what, ret_name))
				return what;
			continue;
		}
		/* "-" and the like are standard input. */
		if (!arg[0] || strcmp(arg, "-") == 0 || text_starts_with(arg, "/dev/") ||
		    text_starts_with(arg, "/proc/"))
			break;
		*ret_name = arg;
		return APPID_RUNS_SCRIPT;
	}
	return APPID_RUNS_NOTHING;
}

size_t appid_loader_program(const struct appid_args *args)
{
	static const char *const with_value[] = {
		"--library-path",	  "--inhibit-rpath",	"--audit", "--preload", "--argv0",
		"--glibc-hwcaps-prepend", "--glibc-hwcaps-mask"};
	size_t i = 1;

	while (i < args->n && text_starts_with(args->arg[i], "--")) {
		size_t skip = 1;

		for (size_t o = 0; o < sizeof(with_value) / sizeof(with_value[0]); o++)
			if (strcmp(args->arg[i], with_value[o]) == 0)
				skip = 2;
		i += skip;
	}
	return i;
}

/* The last component of path[0, *end), which moves before it; false: there is none. */
static bool last_component(const char *path, size_t *end, const char **ret, size_t *ret_len)
{
	size_t stop = *end, start;

	while (stop > 0 && path[stop - 1] == '/')
		stop--;
	start = stop;
	while (start > 0 && path[start - 1] != '/')
		start--;
	*ret = path + start;
	*ret_len = stop - start;
	*end = start;
	return stop > start;
}

static bool ends(const char *s, size_t len, const char *suffix)
{
	size_t n = strlen(suffix);

	return len > n && memcmp(s + len - n, suffix, n) == 0;
}

bool appid_unit(const char *cgroup, const char **ret, size_t *ret_len)
{
	size_t end = strlen(cgroup);

	while (last_component(cgroup, &end, ret, ret_len))
		if (ends(*ret, *ret_len, ".service") || ends(*ret, *ret_len, ".scope"))
			return true;
	return false;
}

/* 64 hex digits at the end of a component, perhaps with ".scope" behind: docker, containerd, cri-o, podman. */
static bool hex_id(const char *s, size_t len, const char **ret)
{
	size_t n = 0;

	if (ends(s, len, ".scope"))
		len -= strlen(".scope");
	while (n < len && isxdigit((unsigned char)s[len - 1 - n]))
		n++;
	if (n != 64)
		return false;
	*ret = s + len - n;
	return true;
}

/* A component "PREFIXname[.scope]". */
static bool prefixed(const char *s, size_t len, const char *prefix, const char **ret,
		     size_t *ret_len)
{
	size_t n = strlen(prefix);

	if (len <= n || memcmp(s, prefix, n) != 0)
		return false;
	*ret = s + n;
	*ret_len = len - n;
	if (ends(*ret, *ret_len, ".scope"))
		*ret_len -= strlen(".scope");
	return true;
}

bool appid_container(const char *cgroup, const char **ret, size_t *ret_len)
{
	size_t end = strlen(cgroup), len, above;
	const char *s, *parent;

	while (last_component(cgroup, &end, &s, &len)) {
		size_t before = end;

		*ret_len = 64;
		if (hex_id(s, len, ret))
			return true;
		if (prefixed(s, len, "lxc.payload.", ret, ret_len))
			return true;
		if (ends(s, len, ".scope") && prefixed(s, len, "machine-", ret, ret_len))
			return true;
		if (last_component(cgroup, &before, &parent, &above) && above == 3 &&
		    memcmp(parent, "lxc", 3) == 0) {
			*ret = s;
			*ret_len = len;
			return true;
		}
	}
	return false;
}
