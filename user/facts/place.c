/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "facts/place.h"

#include <ctype.h>
#include <string.h>

size_t place_stem(const char *name, size_t len)
{
	const char *dot = memchr(name, '.', len);

	return dot ? (size_t)(dot - name) : len;
}

bool place_is_module_file(const char *name, size_t len)
{
	static const char *const suffixes[] = {".py", ".pyc", ".so"};

	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		size_t n = strlen(suffixes[i]);

		if (len > n && memcmp(name + len - n, suffixes[i], n) == 0)
			return true;
	}
	return false;
}

/* End of the directory that holds what ends at `end`; 0 at the root. */
static size_t parent(const char *path, size_t end)
{
	while (end > 0 && path[end - 1] != '/')
		end--;
	while (end > 0 && path[end - 1] == '/')
		end--;
	return end;
}

/* Is the last component of path[0, end) this name? */
static bool last_is(const char *path, size_t end, const char *name, size_t name_len)
{
	return end > name_len && path[end - name_len - 1] == '/' &&
	       memcmp(path + end - name_len, name, name_len) == 0;
}

/* Takes the components of module[0, len) off the directory path[0, *end), from the last one. */
static bool take_packages(const char *path, size_t *end, const char *module, size_t len)
{
	size_t at = *end;

	while (len > 0) {
		size_t start = len;

		while (start > 0 && module[start - 1] != '.')
			start--;
		if (!last_is(path, at, module + start, len - start))
			return false;
		at = parent(path, at);
		len = start > 0 ? start - 1 : 0;
	}
	*end = at;
	return true;
}

bool place_find(const char *module, const char *file, struct place *ret)
{
	size_t len = strlen(file), dir = parent(file, len), stem;
	const char *name = strrchr(file, '/'), *last;

	if (file[0] != '/' || !name[1])
		return false;
	name++;
	stem = place_stem(name, strlen(name));
	last = strrchr(module, '.');
	if (stem == strlen("__init__") && memcmp(name, "__init__", stem) == 0) {
		/* Of a package. If its directory has another name, that directory is the top. */
		if (!take_packages(file, &dir, module, strlen(module)))
			dir = parent(file, dir);
	} else if (last) {
		/* os.path is posixpath.py: then the file's own directory is the site. */
		(void)take_packages(file, &dir, module, (size_t)(last - module));
	}
	ret->site_len = dir;
	ret->rel = file + dir;
	while (*ret->rel == '/')
		ret->rel++;
	return *ret->rel != '\0';
}

bool place_is_stdlib(const char *dir, size_t len)
{
	size_t start;
	const char *p, *end;

	if (last_is(dir, len, "lib-dynload", strlen("lib-dynload")))
		len = parent(dir, len);
	start = len;
	while (start > 0 && dir[start - 1] != '/')
		start--;
	p = dir + start;
	end = dir + len;
	if (end - p < 7 || memcmp(p, "python", 6) != 0)
		return false;
	p += 6;
	if (!isdigit((unsigned char)*p))
		return false;
	/* "python3" alone is where Debian keeps dist-packages. */
	if (end - p > 4 && memcmp(end - 4, ".zip", 4) == 0)
		return true;
	if (!memchr(p, '.', (size_t)(end - p)))
		return false;
	while (p < end && (isdigit((unsigned char)*p) || *p == '.'))
		p++;
	return p == end || (end - p == 1 && (*p == 't' || *p == 'd'));
}
