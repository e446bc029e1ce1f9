/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Reports to files: one, or where the format has room for one process only, one a process. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/fdio.h"
#include "base/text.h"
#include "export/export.h"

static int write_file(enum export_format format, const struct mdl_profile *profile,
		      const struct export_style *style, const char *path)
{
	_cleanup_(outfile_closep) struct outfile *file = NULL;
	int r = outfile_open(path, &file);

	if (r < 0)
		return r;
	r = export_profile(format, profile, style, outfile_stream(file));
	return r < 0 ? r : outfile_commit(file);
}

/* Whether other files can be put beside it. */
static bool is_plain_path(const char *path)
{
	struct stat st;

	if (!strcmp(path, "-") || text_starts_with(path, "/dev/") ||
	    text_starts_with(path, "/proc/"))
		return false;
	return stat(path, &st) < 0 || S_ISREG(st.st_mode);
}

void export_add_path(struct buf *b, const char *path, const struct mdl_profile *profile, size_t i)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	const char *dot = strrchr(name, '.');
	uint32_t pid = profile->processes[i]->pid;
	size_t nth = 1;

	/* The dot of a hidden file begins no suffix. */
	if (!dot || dot == name)
		dot = name + strlen(name);
	for (size_t j = 0; j < i; j++)
		nth += profile->processes[j]->pid == pid;
	buf_add(b, path, (size_t)(dot - path));
	buf_addf(b, ".%" PRIu32, pid);
	if (nth > 1)
		buf_addf(b, "-%zu", nth);
	buf_adds(b, dot);
}

int export_profile_to(enum export_format format, const struct mdl_profile *profile,
		      const struct export_style *style, const char *path, size_t *ret_files)
{
	size_t n = 1;
	int r = 0;

	if (format != EXPORT_IMPORTTIME || profile->n_processes <= 1) {
		r = write_file(format, profile, style, path);
	} else if (!is_plain_path(path)) {
		r = -E2BIG;
	} else {
		for (n = 0; r == 0 && n < profile->n_processes; n++) {
			struct mdl_profile one = *profile;
			_buf_ struct buf name = {0};

			one.processes = &profile->processes[n];
			one.n_processes = 1;
			export_add_path(&name, path, profile, n);
			r = buf_error(&name);
			if (r == 0)
				r = write_file(format, &one, style, buf_str(&name));
		}
	}
	if (r == 0 && ret_files)
		*ret_files = n;
	return r;
}
