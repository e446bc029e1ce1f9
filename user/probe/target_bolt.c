/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Files that BOLT wrote: see target_copies.c for their two copies of the code, both of which run. */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "probe/target_find.h"

#define MAX_NOTE                                                                                   \
	16384 /* bytes of BOLT's note that are looked at; with its command line it has some hundred */

static bool has_copies(const struct telf *f)
{
	size_t n = 0;
	Elf64_Shdr s;

	for (size_t i = 0; i < f->n_phdrs; i++)
		n += f->phdr[i].p_type == PT_LOAD && (f->phdr[i].p_flags & PF_X);
	return n > 1 || telf_section(f, ".bolt.org.text", &s) == 0 ||
	       telf_section(f, ".note.bolt_info", &s) == 0;
}

/* Does BOLT's command line have this option, as -NAME or --NAME? */
static bool has_option(const struct telf *f, const char *name)
{
	char text[MAX_NOTE];
	size_t length = strlen(name), n;
	Elf64_Shdr s;

	if (telf_section(f, ".note.bolt_info", &s) < 0)
		return false;
	n = s.sh_size < sizeof(text) ? s.sh_size : sizeof(text);
	if (telf_read(f, s.sh_offset, text, n) < 0)
		return false;
	for (size_t i = 0; i + 2 + length <= n; i++) {
		size_t at = i + (text[i + 2] == '-' ? 3 : 2);

		if (text[i] == ' ' && text[i + 1] == '-' && at + length <= n &&
		    memcmp(text + at, name, length) == 0 &&
		    (at + length == n || memchr(" =", text[at + length], 3)))
			return true;
	}
	return false;
}

/*
 * The functions below have no mark of their own by which other copies could be found. What matters comes from importlib
 * through the table of a module's methods, which names one copy: that one must call the function where its symbol is.
 */
static int check_methods(struct target_finder *fi)
{
	static const char why[] = "another copy of the code may run";
	struct target *t = fi->t;
	int r = 0;

	if (target_minor(t) >= 10 && (t->interp_flags & LMMSD_INTERP_BODIES) &&
	    !target_method_calls(fi->f, fi->c, "exec", CALLEE_EVAL_CODE)) {
		target_drop(t, LMMSD_SITE_BODY_START);
		target_drop(t, LMMSD_SITE_BODY_DONE);
		t->interp_flags &= ~LMMSD_INTERP_BODIES;
		r = target_degrade(t, "bodies are not timed", why);
	}
	if (r == 0 && (t->interp_flags & LMMSD_INTERP_EXT) &&
	    !target_method_calls(fi->f, fi->c, "exec_dynamic", CALLEE_EXEC_DEF)) {
		target_drop(t, LMMSD_SITE_EXT_EXEC);
		t->interp_flags &= ~LMMSD_INTERP_EXT;
		r = target_degrade(t, "C modules are not seen", why);
	}
	if (r == 0 && (t->interp_flags & LMMSD_INTERP_COMPILE) &&
	    !target_method_calls(fi->f, fi->c, "compile", CALLEE_COMPILE)) {
		target_drop(t, LMMSD_SITE_COMPILE);
		t->interp_flags &= ~LMMSD_INTERP_COMPILE;
		r = target_degrade(t, "compilation is not seen", why);
	}
	return r;
}

int target_bolt(struct target_finder *fi)
{
	const char *why, *degraded;
	int r;

	if (!has_copies(fi->f))
		return 0;
	if (has_option(fi->f, "hugify"))
		return target_refuse(
			fi->t,
			"BOLT made it with -hugify: its code moves to huge pages at the start, "
			"where it cannot be probed");
	if (!fi->c || fi->t->probe != LMMSD_PROBE_CALLSITE)
		return target_refuse(fi->t,
				     "its code stands in it more than once, as BOLT leaves it, and "
				     "the call of _find_and_load is not proven");
	r = target_copies(fi->t, fi->f, &fi->names, &why, &degraded);
	if (r == -ENOENT)
		return target_refuse(fi->t, why);
	if (r == 0 && degraded)
		r = target_degrade(fi->t, "uses cannot be counted", degraded);
	return r < 0 ? r : check_methods(fi);
}
