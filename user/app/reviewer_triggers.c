/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Triggers: each app's last weeks, day by day, through analysis/trigger; what is new is logged, stored and counted. */
#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "analysis/trigger.h"
#include "app/reviewer_int.h"
#include "app/reviewing.h"
#include "base/cleanup.h"
#include "base/log.h"

#define NS_PER_DAY (86400ll * 1000000000)
#define EXTRA_DAYS 10			/* before the reference, as trigger_add_day() wants */
#define OVERLAP_NS (120ll * 1000000000) /* runs may be stored a while after they began */
#define REMEMBER_DAYS 15

static int64_t unix_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static int feed(struct reviewer *r, struct store *store, const char *app, int32_t today,
		struct trigger *t)
{
	for (int32_t day = today - (int32_t)trigger_default_policy.reference_days - EXTRA_DAYS;
	     day <= today; day++) {
		_cleanup_(store_history_freep) struct mdl_history *h = NULL;
		int e = atomic_load(&r->stop) ? -ECANCELED :
						store_history(store, app, day, day + 1, &h);

		if (!e)
			e = trigger_add_day(t, h);
		if (e)
			return e;
	}
	return 0;
}

static int keep(struct reviewer *r, struct store *store, const char *app, const struct rv_change *c)
{
	const struct mdl_trigger m = {
		.at_ns = unix_ns(),
		.app = app,
		.kind = trigger_kind_name(c->kind),
		.module = c->module ? c->module : "",
		.before = c->before ? c->before : "",
		.after = c->after ? c->after : "",
		.why = c->why ? c->why : "",
	};
	int e = store_trigger_add(store, &m);

	if (e < 0)
		return e;
	(void)pthread_mutex_lock(&r->lock);
	r->counts.triggers[c->kind]++;
	(void)pthread_mutex_unlock(&r->lock);
	log_warning("profile '%s' again: %s%s%s: before %s, now %s: %s", app, m.kind,
		    c->module ? " of " : "", m.module, *m.before ? m.before : "-",
		    *m.after ? m.after : "-", m.why);
	return 0;
}

static int look(struct reviewer *r, const struct reviewer_settings *s, struct store *store,
		const char *app, int32_t today)
{
	_cleanup_(store_triggers_free) struct store_triggers known = {0};
	_cleanup_(trigger_freep) struct trigger *t = NULL;
	_free_ struct rv_change *changes = NULL;
	struct trigger_policy policy = trigger_default_policy;
	int64_t now = unix_ns();
	size_t n = 0;
	int e;

	policy.basis = s->basis;
	e = trigger_new(&policy, &t);
	if (!e)
		e = feed(r, store, app, today, t);
	if (!e)
		e = trigger_changes(t, today - 1, &changes, &n);
	if (!e && n)
		e = store_triggers(store, app, now - REMEMBER_DAYS * NS_PER_DAY, now + NS_PER_DAY,
				   &known);
	for (size_t i = 0; !e && i < n; i++)
		if (!trigger_known(known.triggers, known.n, &changes[i], store_day_of))
			e = keep(r, store, app, &changes[i]);
	return e;
}

int reviewer_triggers(struct reviewer *r, const struct reviewer_settings *s, struct store *store)
{
	_cleanup_(store_apps_free) struct store_apps apps = {0};
	int64_t began = unix_ns();
	int32_t today = store_day_of(began);
	char value[32];
	int e = store_apps(store, today - 1, today + 1, &apps);

	for (size_t i = 0; !e && i < apps.n; i++)
		if (apps.apps[i].last_ns >= r->evaluated_ns - OVERLAP_NS)
			e = look(r, s, store, apps.apps[i].name, today);
	if (e)
		return e;
	r->evaluated_ns = began;
	(void)snprintf(value, sizeof(value), "%lld", (long long)(began / 1000000000));
	e = store_mark_set(store, REVIEWING_MARK_EVALUATED, value);
	return e < 0 ? e : 0;
}
