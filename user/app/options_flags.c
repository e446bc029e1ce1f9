/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Every flag of lmmsd, and where it has an effect. */
#include <errno.h>

#include "app/options_int.h"

/* Sets of modes. */
#define IN(mode) (1u << (mode))
#define ADHOC (IN(CONFIG_HOST) | IN(CONFIG_PIDS) | IN(CONFIG_COMMAND))
#define WATCH (ADHOC | IN(CONFIG_SERVICE))
#define ALL (WATCH | IN(CONFIG_CHECK) | IN(CONFIG_REPLAY))

/*
 * Every flag, and the modes that it has an effect in: elsewhere it is refused rather than ignored. Those of
 * config_set.c stand first.
 */
#define USAGE 3
const struct option_flag option_flags[OPTION_FLAGS] = {
	{{"app", required_argument, NULL, OPT_SETTING + 0}, WATCH | IN(CONFIG_REPLAY)},
	{{"uid", required_argument, NULL, OPT_SETTING + 1}, WATCH},
	{{"probe", required_argument, NULL, OPT_SETTING + 2}, WATCH | IN(CONFIG_CHECK)},
	{{"usage", required_argument, NULL, OPT_SETTING + USAGE}, WATCH | IN(CONFIG_CHECK)},
	{{"db", required_argument, NULL, OPT_SETTING + 4}, IN(CONFIG_SERVICE)},
	{{"reviews", required_argument, NULL, OPT_SETTING + 5}, IN(CONFIG_SERVICE)},
	{{"web.listen-address", required_argument, NULL, OPT_SETTING + 6}, IN(CONFIG_SERVICE)},
	{{"web.config.file", required_argument, NULL, OPT_SETTING + 7}, IN(CONFIG_SERVICE)},
	{{"cloudwatch.endpoint", required_argument, NULL, OPT_SETTING + 8}, IN(CONFIG_SERVICE)},
	{{"textfile.path", required_argument, NULL, OPT_SETTING + 9}, IN(CONFIG_SERVICE)},
	{{"pid", required_argument, NULL, OPT_PID}, ALL}, /* chooses the mode, as the next three */
	{{"service", no_argument, NULL, OPT_SERVICE}, ALL},
	{{"check", no_argument, NULL, OPT_CHECK}, ALL},
	{{"replay", required_argument, NULL, OPT_REPLAY}, ALL},
	{{"strict", no_argument, NULL, OPT_STRICT}, IN(CONFIG_CHECK)},
	{{"duration", required_argument, NULL, OPT_DURATION}, WATCH},
	{{"format", required_argument, NULL, OPT_FORMAT}, ADHOC | IN(CONFIG_REPLAY)},
	{{"output", required_argument, NULL, 'o'}, ADHOC | IN(CONFIG_REPLAY)},
	{{"record", required_argument, NULL, OPT_RECORD}, ADHOC},
	{{"config", required_argument, NULL, OPT_CONFIG}, ALL},
	{{"verbose", no_argument, NULL, 'v'}, ALL},
	{{"version", no_argument, NULL, 'V'}, ALL},
	{{"help", no_argument, NULL, 'h'}, ALL},
};

/* The hint behind a refusal: a better way to the same end. */
static const char *instead(int id, enum config_mode mode)
{
	if (mode == CONFIG_SERVICE && id == OPT_RECORD)
		return ": record beside it, with 'lmmsd --record FILE'";
	if (mode == CONFIG_SERVICE)
		return "; 'lmmsctl review' prints what it stored";
	if (mode == CONFIG_REPLAY && id == OPT_RECORD)
		return ": FILE is a recording already";
	if (mode == CONFIG_REPLAY)
		return ": it has an effect when FILE is recorded";
	return ": it observes nothing and prints lines for people";
}

int option_check_modes(const struct config *c, unsigned int given, const char *mode_flag,
		       struct buf *error)
{
	const enum config_mode mode = c->mode;

	for (size_t i = 0; i < OPTION_FLAGS; i++) {
		const struct option_flag *f = &option_flags[i];

		if (!(given & (1u << i)) || (f->modes & IN(mode)))
			continue;
		if (f->modes == IN(CONFIG_SERVICE) || f->modes == IN(CONFIG_CHECK))
			buf_addf(error, "--%s needs --%s", f->o.name,
				 f->modes == IN(CONFIG_CHECK) ? "check" : "service");
		else
			buf_addf(error, "--%s says nothing to %s%s", f->o.name, mode_flag,
				 instead(f->o.val, mode));
		return -EINVAL;
	}
	if (mode == CONFIG_CHECK && !c->strict && (given & (1u << USAGE))) {
		buf_adds(error, "--usage says nothing to --check without --strict");
		return -EINVAL;
	}
	return 0;
}
