/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "probe/target.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "probe/pyoff.h"
#include "probe/target_find.h"

#define IMPORT "PyImport_ImportModuleLevelObject"

/* What one call of target_open() works with. */
struct finder {
	struct target *t; /* borrowed */
	struct telf *f;	  /* borrowed */
	struct code *c;	  /* borrowed; NULL: no x86-64 file */
	struct target_names names;
};

bool target_add(struct target *t, const struct telf *f, const struct lmmsd_site *site,
		uint64_t sema_va)
{
	struct target_site *s = &t->site[t->n_sites];

	if (t->n_sites == LMMSD_SITES_PER_INTERP)
		return false;
	*s = (struct target_site){.site = *site};
	if (telf_offset(f, site->va, true, &s->file_offset) < 0)
		return false;
	if (sema_va != 0 && telf_offset(f, sema_va, false, &s->sema_offset) < 0)
		return false;
	t->n_sites++;
	return true;
}

void target_drop(struct target *t, uint8_t kind)
{
	size_t n = 0;

	for (size_t i = 0; i < t->n_sites; i++)
		if (t->site[i].site.kind != kind)
			t->site[n++] = t->site[i];
	t->n_sites = n;
}

unsigned int target_minor(const struct target *t)
{
	return t->version >> 16 & 0xff;
}

/* Keeps the first reason. */
static int refuse(struct target *t, const char *why)
{
	if (t->refused)
		return 0;
	t->refused = strdup(why);
	return t->refused ? 0 : -ENOMEM;
}

/* Adds one more thing that is not as good as it could be. */
static int degrade(struct target *t, const char *what, const char *why)
{
	char *text;

	if (asprintf(&text, "%s%s%s%s%s", t->degraded ? t->degraded : "", t->degraded ? "; " : "",
		     what, why ? ": " : "", why ? why : "") < 0)
		return -ENOMEM;
	free(t->degraded);
	t->degraded = text;
	return 0;
}

static int take_needed(struct target *t, const struct telf *f)
{
	char s[4096];

	for (size_t i = 0; i < f->n_needed && t->n_needed < TARGET_MAX_NEEDED; i++) {
		if (telf_dynstr(f, f->needed[i], s, sizeof(s)) < 0)
			continue;
		t->needed[t->n_needed] = strdup(s);
		if (!t->needed[t->n_needed])
			return -ENOMEM;
		t->n_needed++;
	}
	if (f->runpath == 0 || telf_dynstr(f, f->runpath, s, sizeof(s)) < 0)
		return 0;
	t->runpath = strdup(s);
	return t->runpath ? 0 : -ENOMEM;
}

static void version_text(struct target *t)
{
	unsigned int level = t->version >> 4 & 0xf, micro = t->version >> 8 & 0xff;
	const char *tag = level == 0xa ? "a" : level == 0xb ? "b" : level == 0xc ? "rc" : "";

	if (*tag)
		(void)snprintf(t->version_text, sizeof(t->version_text), "3.%u.%u%s%u",
			       target_minor(t), micro, tag, t->version & 0xf);
	else
		(void)snprintf(t->version_text, sizeof(t->version_text), "3.%u.%u", target_minor(t),
			       micro);
}

/* 3.13+: the file itself says where the fields are. */
static int check_offsets(struct target *t, const struct telf *f)
{
	_free_ char *text = NULL;
	const char *field = "";
	uint8_t table[1024];
	size_t n = telf_peek_va(f, t->interp.runtime_va, false, table, sizeof(table));

	switch (pyoff_check(&t->interp, t->version, table, n, &field)) {
	case 0:
		return 0;
	case -ENOTSUP:
		return refuse(t, "it is a free-threaded build");
	case -ESTALE:
		return refuse(t, "its debug offsets are of another version than its Py_Version");
	case -EPROTO:
		if (asprintf(&text,
			     "its layout is not the known one: %s differs from its debug offsets",
			     field) < 0)
			return -ENOMEM;
		return refuse(t, text);
	default:
		return refuse(t, "its debug offsets cannot be read");
	}
}

static int find_version(struct finder *fi, const char *name)
{
	struct target *t = fi->t;
	const char *why;
	int r = target_version(fi->f, name, &t->version, &why);

	if (r < 0)
		return r == -ENOMEM ? r : refuse(t, why);
	version_text(t);
	if (pyoff_fill(t->version, &t->interp) < 0)
		return refuse(t, (t->version >> 4 & 0xf) < 0xc ?
					 "it is a pre-release of CPython" :
					 "its CPython version is not supported (3.6 to 3.15 are)");
	r = target_tstate(t, fi->f, fi->c, &why);
	if (r < 0)
		return r == -ENOMEM ? r : refuse(t, why);
	return target_minor(t) < 13 ? 0 : check_offsets(t, fi->f);
}

/* A site at the begin of `name`. -ENOENT: none. */
static int add_entry(struct finder *fi, const char *name, uint8_t kind, unsigned int args)
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

static int add_returns(struct finder *fi, const char *name, uint8_t kind)
{
	return fi->c ? target_returns_x86(fi->t, fi->f, fi->c, name, kind) :
		       target_returns_arm64(fi->t, fi->f, name, kind);
}

/* Begin and all ends of an import, on every call: the last resort. */
static int find_entry_probe(struct finder *fi)
{
	size_t first = fi->t->n_sites;
	int r = add_entry(fi, IMPORT, LMMSD_SITE_IMPORT, 0x1f);

	if (r == 0) /* the same place for the other purpose: uses may be off */
		r = add_entry(fi, IMPORT, LMMSD_SITE_IMPORT_LOAD, 0x1f);
	if (r == 0)
		r = add_returns(fi, IMPORT, LMMSD_SITE_IMPORT_RET);
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
static bool callsite_first(struct finder *fi)
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

/* The probe for loads. Sets t->probe, or refuses. */
static int find_loads(struct finder *fi, enum target_want want)
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
			return refuse(t, usdt);
	}
	if (r == -ENOENT && (want == TARGET_WANT_AUTO || want == TARGET_WANT_CALLSITE)) {
		if (usdt && degrade(t, "no USDT", usdt) < 0)
			return -ENOMEM;
		r = fi->c ? target_callsite(t, fi->f, fi->c, &fi->names, &callsite) : -ENOENT;
		if (r == 0)
			t->probe = LMMSD_PROBE_CALLSITE;
		else if (r == -ENOENT && want == TARGET_WANT_CALLSITE)
			return refuse(t, callsite);
	}
	if (r == -ENOENT) {
		if (want == TARGET_WANT_AUTO &&
		    degrade(t, "no call site of _find_and_load", callsite) < 0)
			return -ENOMEM;
		r = find_entry_probe(fi);
		if (r == 0)
			t->probe = LMMSD_PROBE_ENTRY;
		else if (r != -ENOMEM)
			return refuse(t, "the begin or the ends of " IMPORT " cannot be probed");
	}
	return r;
}

static int find_bodies(struct finder *fi)
{
	const char *why = "begin or ends of PyEval_EvalCode cannot be probed";
	size_t first = fi->t->n_sites;
	int r;

	if (fi->c) {
		r = target_bodies(fi->t, fi->f, fi->c, &why);
	} else {
		r = add_entry(fi, "PyEval_EvalCode", LMMSD_SITE_BODY_START, 0x3);
		if (r == 0)
			r = add_returns(fi, "PyEval_EvalCode", LMMSD_SITE_BODY_DONE);
	}
	if (r == 0) {
		fi->t->interp_flags |= LMMSD_INTERP_BODIES;
		/* Up to 3.9 bodies are seen where exec() asks for them; the main program's does not come that way. */
		if (fi->t->version < 0x030a0000)
			(void)add_entry(fi, "PyEval_EvalCode", LMMSD_SITE_MAIN, 0x3);
		return 0;
	}
	fi->t->n_sites = first;
	return r == -ENOMEM ? r : degrade(fi->t, "bodies are not timed", why);
}

/* What is good to have besides loads. */
static int find_rest(struct finder *fi)
{
	struct target *t = fi->t;
	int r = 0;

	if (t->probe != LMMSD_PROBE_ENTRY && add_entry(fi, IMPORT, LMMSD_SITE_IMPORT, 0x1f) < 0)
		r = degrade(t, "uses cannot be counted",
			    "the begin of " IMPORT " cannot be probed");
	if (r == 0)
		r = find_bodies(fi);
	if (r < 0)
		return r;
	if (add_entry(fi, "PyModule_ExecDef", LMMSD_SITE_EXT_EXEC, 0x1) == 0)
		t->interp_flags |= LMMSD_INTERP_EXT;
	else if (degrade(t, "C modules are not seen", NULL) < 0)
		return -ENOMEM;
	/* 3.15 compiles modules without it */
	if (target_minor(t) <= 14 &&
	    add_entry(fi, "Py_CompileStringObject", LMMSD_SITE_COMPILE, 0x2) == 0)
		t->interp_flags |= LMMSD_INTERP_COMPILE;
	else if (degrade(t, "compilation is not seen", NULL) < 0)
		return -ENOMEM;
	if (target_minor(t) >= 15 &&
	    add_entry(fi, "_PyLazyImport_Reify", LMMSD_SITE_LAZY_WAKE, 0x3) < 0)
		return degrade(t, "lazy imports are not seen to wake", NULL);
	return 0;
}

/* BOLT's files: both copies of the code run, and a probe in one misses what passes through the other. */
static int find_copies(struct finder *fi)
{
	const char *why, *degraded;
	int r;

	if (!fi->c || !target_has_copies(fi->f))
		return 0;
	if (fi->t->probe != LMMSD_PROBE_CALLSITE)
		return refuse(fi->t, "its code stands in it more than once, as BOLT leaves it, and "
				     "the call of _find_and_load is not proven");
	r = target_copies(fi->t, fi->f, &fi->names, &why, &degraded);
	if (r == -ENOENT)
		return refuse(fi->t, why);
	return r == 0 && degraded ? degrade(fi->t, "uses cannot be counted", degraded) : r;
}

static int find_all(struct target *t, struct telf *f, const char *name, enum target_want want)
{
	_cleanup_(code_freep) struct code *c = NULL;
	struct finder fi = {.t = t, .f = f};
	int r;

	if (t->machine == EM_X86_64) {
		r = code_new(f, &c);
		if (r < 0)
			return r;
		fi.c = c;
	}
	r = find_version(&fi, name);
	if (r == 0 && !t->refused)
		r = find_loads(&fi, want);
	if (r == 0 && !t->refused)
		r = find_rest(&fi);
	return r < 0 || t->refused ? r : find_copies(&fi);
}

static uint16_t host_machine(void)
{
#if defined(__x86_64__)
	return EM_X86_64;
#elif defined(__aarch64__)
	return EM_AARCH64;
#else
	return EM_NONE;
#endif
}

static int examine(struct target *t, struct telf *f, const char *name, enum target_want want)
{
	Elf64_Sym sym;
	int r;

	t->machine = f->machine;
	if (telf_symbol(f, IMPORT, &sym) < 0 || ELF64_ST_TYPE(sym.st_info) != STT_FUNC)
		return take_needed(t, f);
	t->is_python = true;
	if (f->machine != EM_X86_64 && f->machine != EM_AARCH64)
		return refuse(t, "it is for a machine that is not supported");
	r = find_all(t, f, name, want);
	if (r < 0 || t->refused)
		return r;
	/* examined all the same: tests on one machine can look at files of the other */
	return f->machine == host_machine() ? 0 : refuse(t, "it is for another machine");
}

static void telf_closep(struct telf *f)
{
	telf_close(f);
}

int target_open(int fd, const char *name, enum target_want want, struct target **ret)
{
	_cleanup_(telf_closep) struct telf f = {0};
	_cleanup_(target_freep) struct target *t = NULL;
	int r = telf_open(fd, &f);

	if (r < 0)
		return r;
	t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	r = examine(t, &f, name, want);
	if (r < 0 || f.error < 0)
		return r < 0 ? r : f.error;
	*ret = TAKE_PTR(t);
	return 0;
}

struct target *target_free(struct target *t)
{
	if (!t)
		return NULL;
	free(t->refused);
	free(t->degraded);
	free(t->runpath);
	for (size_t i = 0; i < t->n_needed; i++)
		free(t->needed[i]);
	free(t);
	return NULL;
}
