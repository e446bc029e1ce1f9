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

int target_refuse(struct target *t, const char *why)
{
	if (t->refused)
		return 0;
	t->refused = strdup(why);
	return t->refused ? 0 : -ENOMEM;
}

int target_degrade(struct target *t, const char *what, const char *why)
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
		return target_refuse(t, "it is a free-threaded build");
	case -ESTALE:
		return target_refuse(
			t, "its debug offsets are of another version than its Py_Version");
	case -EPROTO:
		if (asprintf(&text,
			     "its layout is not the known one: %s differs from its debug offsets",
			     field) < 0)
			return -ENOMEM;
		return target_refuse(t, text);
	default:
		return target_refuse(t, "its debug offsets cannot be read");
	}
}

static int find_version(struct target_finder *fi, const char *name)
{
	struct target *t = fi->t;
	const char *why;
	int r = target_version(fi->f, name, &t->version, &why);

	if (r < 0)
		return r == -ENOMEM ? r : target_refuse(t, why);
	version_text(t);
	if (pyoff_fill(t->version, &t->interp) < 0)
		return target_refuse(
			t, (t->version >> 4 & 0xf) < 0xc ?
				   "it is a pre-release of CPython" :
				   "its CPython version is not supported (3.6 to 3.15 are)");
	r = target_tstate(t, fi->f, fi->c, &why);
	if (r < 0)
		return r == -ENOMEM ? r : target_refuse(t, why);
	return target_minor(t) < 13 ? 0 : check_offsets(t, fi->f);
}

static int find_bodies(struct target_finder *fi)
{
	const char *why = "begin or ends of PyEval_EvalCode cannot be probed";
	size_t first = fi->t->n_sites;
	int r;

	if (fi->c) {
		r = target_bodies(fi->t, fi->f, fi->c, &why);
	} else {
		r = target_add_entry(fi, "PyEval_EvalCode", LMMSD_SITE_BODY_START, 0x3);
		if (r == 0)
			r = target_add_returns(fi, "PyEval_EvalCode", LMMSD_SITE_BODY_DONE);
	}
	if (r == 0) {
		fi->t->interp_flags |= LMMSD_INTERP_BODIES;
		/* Up to 3.9 bodies are seen where exec() asks for them; the main program's does not come that way. */
		if (fi->t->version < 0x030a0000)
			(void)target_add_entry(fi, "PyEval_EvalCode", LMMSD_SITE_MAIN, 0x3);
		return 0;
	}
	fi->t->n_sites = first;
	return r == -ENOMEM ? r : target_degrade(fi->t, "bodies are not timed", why);
}

/* What is good to have besides loads. */
static int find_rest(struct target_finder *fi)
{
	struct target *t = fi->t;
	int r = 0;

	if (t->probe != LMMSD_PROBE_ENTRY &&
	    target_add_entry(fi, IMPORT, LMMSD_SITE_IMPORT, 0x1f) < 0)
		r = target_degrade(t, "uses cannot be counted",
				   "the begin of " IMPORT " cannot be probed");
	if (r == 0)
		r = find_bodies(fi);
	if (r < 0)
		return r;
	if (target_add_entry(fi, "PyModule_ExecDef", LMMSD_SITE_EXT_EXEC, 0x1) == 0)
		t->interp_flags |= LMMSD_INTERP_EXT;
	else if (target_degrade(t, "C modules are not seen", NULL) < 0)
		return -ENOMEM;
	/* 3.15 compiles modules without it */
	if (target_minor(t) <= 14 &&
	    target_add_entry(fi, "Py_CompileStringObject", LMMSD_SITE_COMPILE, 0x2) == 0)
		t->interp_flags |= LMMSD_INTERP_COMPILE;
	else if (target_degrade(t, "compilation is not seen", NULL) < 0)
		return -ENOMEM;
	if (target_minor(t) >= 15 &&
	    target_add_entry(fi, "_PyLazyImport_Reify", LMMSD_SITE_LAZY_WAKE, 0x3) < 0)
		return target_degrade(t, "lazy imports are not seen to wake", NULL);
	return 0;
}

static int find_all(struct target *t, struct telf *f, const char *name, enum target_want want)
{
	_cleanup_(code_freep) struct code *c = NULL;
	struct target_finder fi = {.t = t, .f = f};
	int r;

	if (t->machine == EM_X86_64) {
		r = code_new(f, &c);
		if (r < 0)
			return r;
		fi.c = c;
	}
	r = find_version(&fi, name);
	if (r == 0 && !t->refused)
		r = target_loads(&fi, want);
	if (r == 0 && !t->refused)
		r = find_rest(&fi);
	return r < 0 || t->refused ? r : target_bolt(&fi);
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
		return target_refuse(t, "it is for a machine that is not supported");
	r = find_all(t, f, name, want);
	if (r < 0 || t->refused)
		return r;
	/* examined all the same: tests on one machine can look at files of the other */
	return f->machine == host_machine() ? 0 : target_refuse(t, "it is for another machine");
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
