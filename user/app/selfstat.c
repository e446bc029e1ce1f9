/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "app/selfstat.h"

#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "base/fdio.h"

static double open_fds(void)
{
	_closedir_ DIR *d = opendir("/proc/self/fd");
	double n = 0;

	if (!d)
		return NAN;
	for (const struct dirent *e; (e = readdir(d));)
		n += e->d_name[0] != '.';
	return n - 1; /* the directory itself */
}

/* Field n of /proc/self/stat, from 3 on: behind the name, which may hold anything. */
static double field(const char *stat, int n)
{
	const char *at = strrchr(stat, ')');

	for (int i = 3; at && i <= n; i++) {
		at = strchr(at, ' ');
		at = at ? at + 1 : NULL;
	}
	return at ? strtod(at, NULL) : NAN;
}

/* Since boot, suspended time included, as the start time counts. */
static double boot_unix_s(void)
{
	struct timespec real, boot;

	(void)clock_gettime(CLOCK_REALTIME, &real);
	(void)clock_gettime(CLOCK_BOOTTIME, &boot);
	return (double)(real.tv_sec - boot.tv_sec) + (double)(real.tv_nsec - boot.tv_nsec) / 1e9;
}

double selfstat_cpu_s(void)
{
	struct rusage u;

	if (getrusage(RUSAGE_SELF, &u) < 0)
		return NAN;
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

void selfstat_read(struct mdl_metrics_process *ret)
{
	_buf_ struct buf stat = {0};
	struct rlimit fds;
	const char *text;

	*ret = (struct mdl_metrics_process){NAN, NAN, NAN, NAN, NAN, NAN};
	ret->cpu_s = selfstat_cpu_s();
	if (getrlimit(RLIMIT_NOFILE, &fds) == 0)
		ret->max_fds = (double)fds.rlim_cur;
	ret->open_fds = open_fds();
	if (fdio_read_file(AT_FDCWD, "/proc/self/stat", 4096, &stat) < 0)
		return;
	text = buf_str(&stat);
	ret->start_s = boot_unix_s() + field(text, 22) / (double)sysconf(_SC_CLK_TCK);
	/* the clocks are read apart: to a hundredth it stays the same from scrape to scrape */
	ret->start_s = round(ret->start_s * 100) / 100;
	ret->virtual_bytes = field(text, 23);
	ret->resident_bytes = field(text, 24) * (double)sysconf(_SC_PAGESIZE);
}
