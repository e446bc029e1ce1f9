/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "app/ctl.h"

#include <signal.h>

#include "app/options.h"
#include "base/log.h"

#define PERIOD_HELP                                                                                      \
	"  --month YYYY-MM        a calendar month\n"                                                    \
	"  --since T, --until T   YYYY-MM-DD or RFC 3339; whole days are counted, and T of --until is\n" \
	"                         the first moment that is not (without all three: the last 30 days)\n"

#define FLEET_HELP                                                                                            \
	"  --prometheus URL       of many hosts, from the Prometheus that scrapes them, or what speaks its\n" \
	"                         API: Thanos, Mimir, VictoriaMetrics; not from a database\n"                 \
	"  --prometheus-headers FILE   sent with each query, one \"NAME: VALUE\" a line\n"                    \
	"  --prometheus-ca FILE   certificates to trust (PEM)\n"

const struct ctl_verb ctl_verbs[] = {
	{"apps", "", "every app seen: runs, cold start, last seen",
	 "Lists the apps of the database. What counts as an app: see lmmsd.conf(5).\n"
	 "\n" PERIOD_HELP "                         (here: all of the time)\n",
	 "text|json", CTL_PERIOD, 0, 0, ctl_apps},
	{"modules", "--app APP", "the measured table of one app",
	 "Every module that the app imported: median time over warm runs, use, placement, tier, and the\n"
	 "saving that deferring it would really bring.\n"
	 "\n"
	 "  --app APP              as 'lmmsctl apps' names it\n" PERIOD_HELP,
	 "text|json", CTL_APP | CTL_NEED_APP | CTL_PERIOD, 0, 0, ctl_modules},
	{"deps", "--app APP MODULE", "what MODULE pulls in, and at what cost",
	 "What comes with MODULE, and which of it would be gone without it.\n"
	 "\n"
	 "  --app APP              as 'lmmsctl apps' names it\n" PERIOD_HELP,
	 "text|json", CTL_APP | CTL_NEED_APP | CTL_PERIOD, 1, 1, ctl_deps},
	{"why", "--app APP MODULE", "every importer of MODULE, every path from the program to it",
	 "Who imports MODULE, what deferring each import alone would save, and which must change together.\n"
	 "\n"
	 "  --app APP              as 'lmmsctl apps' names it\n" PERIOD_HELP,
	 "text|json", CTL_APP | CTL_NEED_APP | CTL_PERIOD, 1, 1, ctl_why},
	{"review", "[--month YYYY-MM | --since T --until T] [--app APP] [--prometheus URL]",
	 "what to change first, and why",
	 "The review of a period, as lmmsd --service writes it by itself for each month.\n"
	 "\n"
	 "  --app APP              only this app\n" PERIOD_HELP FLEET_HELP,
	 EXPORT_REVIEW_FORMATS, CTL_APP | CTL_PERIOD | CTL_FLEET, 0, 0, ctl_review},
	{"baseline", "save NAME --app APP | list | delete NAME [--app APP]",
	 "named cold starts to verify against",
	 "save keeps the app's cold start of today (or, when it has not run today, of the last day it has) under\n"
	 "NAME; a second one of the same app and NAME takes its place. 'lmmsctl verify' compares with it.\n"
	 "\n"
	 "  --app APP              whose; delete without it: of every app\n",
	 "text|json", CTL_APP, 1, 2, ctl_baseline},
	{"verify", "--app APP --baseline NAME [--expect PERCENT]",
	 "did the change shorten the start as expected?",
	 "Compares the warm runs since a baseline was saved with the baseline. Exit status 1: the improvement is\n"
	 "less than expected, or may be chance.\n"
	 "\n"
	 "  --app APP              as 'lmmsctl apps' names it\n"
	 "  --baseline NAME        as it was saved\n"
	 "  --expect PERCENT       of the baseline's cold start (40)\n",
	 "text|json", CTL_APP | CTL_NEED_APP | CTL_BASELINE | CTL_EXPECT, 0, 0, ctl_verify},
	{"check", "[--app APP] [--max-ms MS] [--prometheus URL]", "slow imports, for CI",
	 "Fails with exit status 1 when the median time of an import is above the limit, with 5 when no warm\n"
	 "run was measured yet.\n"
	 "\n"
	 "  --app APP              only this app\n"
	 "  --max-ms MS            the limit (500)\n" PERIOD_HELP FLEET_HELP,
	 EXPORT_CHECK_FORMATS, CTL_APP | CTL_PERIOD | CTL_MAX_MS | CTL_FLEET, 0, 0, ctl_check},
	{"profile-imports", "[--python PY] [--runs N] MODULE...",
	 "each module alone, in fresh interpreters",
	 "Imports each MODULE alone in N fresh interpreters, watched by lmmsd, which needs its privileges. The\n"
	 "modules take turns, so that a slow moment of the host does not hit one of them. A first round that\n"
	 "fills caches is not counted. Ctrl-C ends it with what there is.\n"
	 "\n"
	 "  --python PY            the interpreter (python3)\n"
	 "  --runs N               of each module (10)\n",
	 "text|json", CTL_IMPORTS | CTL_NO_DB, 1, SIZE_MAX, ctl_imports},
	{"drive-imports", "PY MODULE...", NULL,
	 "For lmmsctl itself: one round of profile-imports.\n", "text", 0, 2, SIZE_MAX, ctl_drive},
	{0},
};

static void ctl_clear(struct ctl *c)
{
	(void)store_close(c->store);
	(void)config_free(c->config);
}

int ctl_main(int argc, char *argv[])
{
	_cleanup_(ctl_clear) struct ctl c = {0};
	int r;

	(void)signal(SIGPIPE, SIG_IGN);
	r = ctl_parse(argc, argv, &c);
	if (r < 0 && (c.verb->options & CTL_PERIOD))
		r = ctl_period(&c);
	return r < 0 ? c.verb->run(&c) : r;
}
