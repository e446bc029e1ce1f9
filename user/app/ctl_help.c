/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "app/ctl.h"

#define DB "  --db FILE              the database (" CONFIG_DEFAULT_DB ")\n"
#define OUTPUT                                                                                      \
	"  -o, --output FILE      the answer goes to FILE, not to stdout; its suffix chooses the\n" \
	"                         format if --format does not\n"
#define COMMON                                                                                     \
	"  --config FILE          thresholds (" CONFIG_DEFAULT_FILE ", which may be absent)\n"     \
	"  --help, --version\n"

void ctl_help(FILE *f)
{
	(void)fputs(
		"lmmsctl answers from what 'lmmsd --service' has stored, while that runs or not.\n"
		"\n"
		"Usage: lmmsctl VERB [OPTIONS] [ARGUMENTS]\n"
		"\n",
		f);
	for (const struct ctl_verb *v = ctl_verbs; v->name; v++)
		if (v->summary)
			(void)fprintf(f, "  %-16s %s\n", v->name, v->summary);
	(void)fputs(
		"\n"
		"'lmmsctl VERB --help' has the options of a verb. Most of them take:\n"
		"  --format FORMAT        text, json, ...\n" OUTPUT DB COMMON "\n"
		"Examples:\n"
		"  lmmsctl review                        what to change first, and why\n"
		"  lmmsctl why --app shop/manage.py pandas\n"
		"  lmmsctl baseline save before --app shop/manage.py\n"
		"  lmmsctl verify --app shop/manage.py --baseline before\n"
		"  sudo lmmsctl profile-imports numpy pandas\n"
		"\n"
		"Exit status: 0 done, 1 a gate did not hold (check, verify), 2 wrong use of the command line,\n"
		"3 not permitted, 4 this kernel or interpreter cannot do it, 5 no such app, module, baseline or\n"
		"file, 70 internal error.\n"
		"See also: lmmsd(8), lmmsctl(1)\n",
		f);
}

void ctl_help_verb(const struct ctl_verb *v, FILE *f)
{
	(void)fprintf(f, "Usage: lmmsctl %s%s%s\n\n%s", v->name, *v->usage ? " " : "", v->usage,
		      v->help);
	(void)fprintf(f, "  --format FORMAT        %s\n" OUTPUT "%s" COMMON, v->formats,
		      v->options & CTL_NO_DB ? "" : DB);
}
