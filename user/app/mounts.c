/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "app/mounts.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fdio.h"

#define MAX_MOUNTINFO (16u << 20)

uint64_t mounts_of(int fd)
{
	_buf_ struct buf text = {0};
	const char *at;
	char path[32];

	(void)snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	if (fdio_read_file(AT_FDCWD, path, 4096, &text))
		return 0;
	at = strstr(buf_str(&text), "mnt_id:");
	return at ? strtoull(at + strlen("mnt_id:"), NULL, 10) : 0;
}

static bool is_foreign(const char *type)
{
	static const char *const kinds[] = {"nfs",	"fuse",	 "cifs", "smb",	   "9p",
					    "ceph",	"afs",	 "coda", "lustre", "virtiofs",
					    "gfs2",	"ocfs2", "gpfs", "beegfs", "glusterfs",
					    "orangefs", "pvfs2"};

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (strncmp(type, kinds[i], strlen(kinds[i])) == 0)
			return true;
	return false;
}

/* Is path at or below the mount point, which mountinfo writes with \040 for a blank? *ret_len: so much of it. */
static bool is_below(const char *point, const char *path, size_t *ret_len)
{
	size_t n = 0;

	while (*point && *point != ' ') {
		char c = *point++;

		if (c == '\\' && strspn(point, "01234567") >= 3) {
			c = (char)((point[0] - '0') << 6 | (point[1] - '0') << 3 |
				   (point[2] - '0'));
			point += 3;
		}
		if (path[n++] != c)
			return false;
	}
	*ret_len = n;
	return path[n] == '\0' || path[n] == '/';
}

/* "ID PARENT DEV ROOT POINT OPTIONS [TAG...] - TYPE SOURCE OPTIONS"; the last one of a place is on top. */
size_t mounts_foreign_in(const char *mountinfo, const char *path)
{
	size_t longest = 0;
	bool foreign = false;

	for (const char *line = mountinfo; line && *line; line = strchr(line, '\n')) {
		const char *point = line += *line == '\n', *type = strstr(line, " - ");
		size_t len;

		for (int field = 0; field < 4 && point; field++)
			point = strchr(point + (field > 0), ' ');
		if (!point || !type)
			break;
		if (!is_below(point + 1, path, &len) || len < longest)
			continue;
		longest = len;
		foreign = is_foreign(type + 3);
	}
	return foreign ? longest : 0;
}

size_t mounts_foreign(const char *path)
{
	_buf_ struct buf text = {0};

	if (fdio_read_file(AT_FDCWD, "/proc/self/mountinfo", MAX_MOUNTINFO, &text))
		return 0;
	return mounts_foreign_in(buf_str(&text), path);
}
