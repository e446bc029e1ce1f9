/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Which stored review is the newest: also of an earlier daemon. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "app/pages.h"
#include "app/reviewer_int.h"
#include "base/cleanup.h"

void reviewer_newest(struct reviewer *r, const char *dir)
{
	_closedir_ DIR *d = opendir(dir);
	char name[sizeof(r->counts.newest)] = "";
	struct stat st = {0};

	/* by name they are in the order of their months */
	for (const struct dirent *e; d && (e = readdir(d));) {
		const char *type = pages_review_type(e->d_name);

		if (type && strlen(e->d_name) < sizeof(name) && strstr(e->d_name, ".html") &&
		    strcmp(e->d_name, name) > 0)
			(void)snprintf(name, sizeof(name), "%s", e->d_name);
	}
	if (*name && fstatat(dirfd(d), name, &st, 0) < 0)
		*name = '\0';
	(void)pthread_mutex_lock(&r->lock);
	memcpy(r->counts.newest, name, sizeof(name));
	r->counts.last_review_s = *name ? (int64_t)st.st_mtime : 0;
	(void)pthread_mutex_unlock(&r->lock);
}
