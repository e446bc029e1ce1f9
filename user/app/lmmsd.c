/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include <bpf/libbpf.h>
#include <locale.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>

#include "app/check.h"
#include "app/lookup.h"
#include "app/observe.h"
#include "app/options.h"
#include "app/service.h"
#include "base/fdio.h"
#include "base/log.h"

#define FILES_WANTED 16384

/* The one place where libbpf's voice is heard. */
_printf_(2, 0) static int on_libbpf(enum libbpf_print_level level, const char *format, va_list ap)
{
	_buf_ struct buf text = {0};
	char *line, *rest;

	if (level == LIBBPF_DEBUG || log_max() < LOG_LEVEL_DEBUG)
		return 0;
	buf_vaddf(&text, format, ap);
	rest = text.data;
	while (rest && (line = strsep(&rest, "\n"))) /* a verifier's log has many lines */
		if (*line)
			log_debug("%s", line);
	return 0;
}

/* Each interpreter takes two descriptors, and each root; 1024, a shell's usual limit, are soon gone on a host of containers. */
static void raise_files(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) || files.rlim_cur >= FILES_WANTED)
		return;
	files.rlim_cur = files.rlim_max < FILES_WANTED ? files.rlim_max : FILES_WANTED;
	(void)setrlimit(RLIMIT_NOFILE, &files);
}

static int run(const struct config *c, const struct launch_origin *origin, int argc, char *argv[])
{
	switch (c->mode) {
	case CONFIG_HELP:
		options_help(stdout);
		return EXIT_DONE;
	case CONFIG_VERSION:
		options_version(stdout);
		return EXIT_DONE;
	case CONFIG_CHECK:
		return check_run(c);
	case CONFIG_REPLAY:
		return observe_replay(c);
	case CONFIG_SERVICE:
		return service_run(c, argc, argv);
	default:
		return observe_run(c, origin);
	}
}

int main(int argc, char *argv[])
{
	_cleanup_(config_freep) struct config *c = NULL;
	_buf_ struct buf error = {0};
	struct launch_origin origin;
	int r;

	if (argc == 2 && strcmp(argv[1], LOOKUP_ARGUMENT) == 0)
		return lookup_serve();
	fdio_fill_standard();
	launch_origin_save(&origin);
	/* A reader that has seen enough (head) is no error: its writes fail with EPIPE. */
	(void)signal(SIGPIPE, SIG_IGN);
	raise_files();
	(void)setlocale(LC_CTYPE, "");
	log_setup("lmmsd", LOG_LEVEL_INFO);
	r = options_parse(argc, argv, &c, &error);
	if (r) {
		log_error("%s", buf_str(&error));
		return (int)options_exit_code(r);
	}
	log_setup("lmmsd", c->log_level);
	(void)libbpf_set_print(on_libbpf);
	return run(c, &origin, argc, argv);
}
