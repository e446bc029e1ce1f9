/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* The probe for loads: the best that the file has. */
#include <errno.h>

#include "base/cleanup.h"
#include "probe/target_find.h"

#define IMPORT "PyImport_ImportModuleLevelObject"

int target_add_entry(struct target_finder *fi, const char *name, uint8_t kind, unsigned int args)
{
	struct lmmsd_site site = {.kind = kind};
	uint64_t va, size;
	int r;

	if (target_function(fi->f, name, &va, &size) < 0)
		return -ENOENT;
	r = fi->c ? target_entry_x86(fi->c, va, size, args, &site) :
		    target_entry_arm64(fi->f, va, args, &site);
	if (r < 0)
		return r;
	return target_add(fi->t, fi->f, &site, 0) ? 0 : -ENOENT;
}

int target_add_returns(struct target_finder *fi, const char *name, uint8_t kind)
{
	return fi->c ? target_returns_x86(fi->t, fi->f, fi->c, name, kind) :
		       target_returns_arm64(fi->t, fi->f, name, kind);
}

/* Begin and all ends of an import, on every call: the last resort. */
static int find_entry_probe(struct target_finder *fi)
{
	size_t first = fi->t->n_sites;
	int r = target_add_entry(fi, IMPORT, LMMSD_SITE_IMPORT, 0x1f);

	if (r == 0) /* the same place for the other purpose: uses may be off */
		r = target_add_entry(fi, IMPORT, LMMSD_SITE_IMPORT_LOAD, 0x1f);
	if (r == 0)
		r = target_add_returns(fi, IMPORT, LMMSD_SITE_IMPORT_RET);
	if (r < 0)
		fi->t->n_sites = first;
	return r;
}

/*
 * USDT is not neutral: with the semaphore up CPython calls PyUnicode_AsUTF8() on the name and does not look at the
 * result, so importing a name with a lone surrogate ends in SystemError instead of ModuleNotFoundError (seen in 3.11 to
 * 3.15; test_import of 3.11 notices). Where the file proves the call of _find_and_load, that is the probe that changes
 * nothing. (3.15's second loader, for lazy submodules, is not there; those loads are seen by their bodies.)
 */
static bool callsite_first(struct target_finder *fi)
{
	struct target *t = fi->t;
	size_t first = t->n_sites;
	const char *why;

	if (!fi->c)
		return false;
	if (target_callsite(t, fi->f, fi->c, &fi->names, &why) == 0) {
		bool proven = true;

		for (size_t i = first; i < t->n_sites; i++)
			proven = proven && (t->site[i].site.kind != LMMSD_SITE_CALL_START ||
					    t->site[i].site.method_proven);
		if (proven) {
			t->probe = LMMSD_PROBE_CALLSITE;
			return true;
		}
	}
	t->n_sites = first;
	return false;
}

int target_loads(struct target_finder *fi, enum target_want want)
{
	const char *usdt = NULL, *callsite = "only x86-64 code is looked at";
	struct target *t = fi->t;
	int r = -ENOENT;

	if (want == TARGET_WANT_AUTO && callsite_first(fi))
		return 0;
	if (want == TARGET_WANT_AUTO || want == TARGET_WANT_USDT) {
		r = target_usdt(t, fi->f, &usdt);
		if (r == 0)
			t->probe = LMMSD_PROBE_USDT;
		else if (r == -ENOENT && want == TARGET_WANT_USDT)
			return target_refuse(t, usdt);
	}
	if (r == -ENOENT && (want == TARGET_WANT_AUTO || want == TARGET_WANT_CALLSITE)) {
		if (usdt && target_degrade(t, "no USDT", usdt) < 0)
			return -ENOMEM;
		r = fi->c ? target_callsite(t, fi->f, fi->c, &fi->names, &callsite) : -ENOENT;
		if (r == 0)
			t->probe = LMMSD_PROBE_CALLSITE;
		else if (r == -ENOENT && want == TARGET_WANT_CALLSITE)
			return target_refuse(t, callsite);
	}
	if (r == -ENOENT) {
		if (want == TARGET_WANT_AUTO &&
		    target_degrade(t, "no call site of _find_and_load", callsite) < 0)
			return -ENOMEM;
		r = find_entry_probe(fi);
		if (r == 0)
			t->probe = LMMSD_PROBE_ENTRY;
		else if (r != -ENOMEM)
			return target_refuse(t, "the begin or the ends of " IMPORT
						" cannot be probed");
	}
	return r;
}
