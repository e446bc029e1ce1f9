/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include <bpf/libbpf.h>

#include "app/options.h"

static const char help[] =
	"lmmsd watches what Python programs import, from outside: which module, who\n"
	"asked for it, how long it took, how often it is used. Nothing in the programs\n"
	"is changed, and they need not be restarted.\n"
	"\n"
	"Usage:\n"
	"  lmmsd [OPTIONS]                      the whole host, until Ctrl-C\n"
	"  lmmsd [OPTIONS] --pid PID[,PID...]   processes that run, and their children\n"
	"  lmmsd [OPTIONS] -- COMMAND [ARG...]  start COMMAND and watch it; under sudo it\n"
	"                                       runs as the user who called sudo\n"
	"  lmmsd --service                      the daemon that systemd starts\n"
	"  lmmsd --check [--strict]             can this host do it? changes nothing;\n"
	"                                       --strict attaches everything once\n"
	"  lmmsd --replay FILE                  report on a recording; needs no privilege\n"
	"\n"
	"What to watch:\n"
	"  --app REGEX            only apps whose name matches (POSIX extended)\n"
	"  --uid UID              only processes of this user\n"
	"  --duration SECONDS     end after this time\n"
	"  --usage on|off         count every use of an import, cached ones too (on)\n"
	"  --probe auto|usdt|callsite|entry\n"
	"                         where to attach (auto: the best that each\n"
	"                         interpreter offers)\n"
	"\n"
	"What to write:\n"
	"  -o, --output FILE      the report goes to FILE, not to stdout\n"
	"  --format FORMAT        of the report; else by FILE's suffix (.json, .log, ...;\n"
	"                         an unknown one is refused); else for people:\n"
	"      tree               imports below their importers\n"
	"      table              modules by cost\n"
	"      json               everything (lmms.profile/1)\n"
	"      importtime         as python -X importtime prints it; a file a process\n"
	"      speedscope         for https://www.speedscope.app\n"
	"      perfetto           for https://ui.perfetto.dev and chrome://tracing\n"
	"      folded             for flamegraph.pl and its kin\n"
	"  --record FILE          keep the raw events too, for --replay\n"
	"  -v, --verbose          say more on stderr\n"
	"\n"
	"The daemon:\n"
	"  --db FILE              the store (" CONFIG_DEFAULT_DB ")\n"
	"  --reviews DIR          monthly reviews (" CONFIG_DEFAULT_REVIEWS ")\n"
	"  --web.listen-address ADDR\n"
	"                         metrics and pages (" CONFIG_DEFAULT_LISTEN "), or 'off'\n"
	"  --web.config.file FILE TLS and passwords for them\n"
	"  --cloudwatch.endpoint ENDPOINT\n"
	"                         metrics for CloudWatch: tcp://HOST:PORT or udp:// of\n"
	"                         its agent, file:///PATH, stdout, or 'off' (off)\n"
	"  --textfile.path FILE   metrics for node_exporter's textfile collector\n"
	"\n"
	"  --config FILE          settings; a flag wins over FILE\n"
	"                         (" CONFIG_DEFAULT_FILE ", which may be absent)\n"
	"  --version, --help\n"
	"\n"
	"Examples:\n"
	"  sudo lmmsd -- python3 -m http.server --help\n"
	"                         what does this program import, and what does it cost?\n"
	"  sudo lmmsd -o start.speedscope.json -- ./manage.py check\n"
	"                         the same as a flame graph\n"
	"  sudo lmmsd --pid $(pgrep -d, -f gunicorn) --duration 60\n"
	"                         what do running workers still import?\n"
	"  sudo lmmsd --app '^shop/' --format json -o shop.json\n"
	"                         every run of an app, on the whole host\n"
	"\n"
	"lmmsd says 'watching N interpreters' on stderr when it is ready, and writes its\n"
	"report when it ends: by Ctrl-C, SIGTERM, --duration, or with COMMAND.\n"
	"\n"
	"Exit status: COMMAND's own, if there is one; else 0 done, 2 wrong use of the\n"
	"command line, 3 not permitted, 4 this kernel or interpreter cannot do it, 5 no\n"
	"such file, 70 internal error.\n"
	"\n"
	"Files: " CONFIG_DEFAULT_FILE ", " CONFIG_DEFAULT_DB "\n"
	"See also: lmmsctl --help, lmmsd(8), lmmsctl(1), lmmsd.conf(5)\n";

void options_help(FILE *f)
{
	(void)fputs(help, f);
}

void options_version(FILE *f)
{
	(void)fprintf(f, "lmmsd %s\nlibbpf %s\nprobes usdt callsite entry\n", LMMSD_VERSION,
		      libbpf_version_string());
}
