/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Which CPython? From data in the file where it has it (3.11+), else from names, sizes and a string. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "probe/target_find.h"

#define WINDOW 65536
#define MAX_SCAN (64ULL << 20) /* bytes of read-only data to look through; libpython3.9 has 1 MB */
#define MIN_MINOR 6
#define MAX_OLD_MINOR 10 /* 3.11 brought Py_Version */
#define STRING_MAX 16	 /* "3.10.13rc1+" */

/* Debug builds count references in a variable that they export; PyPy exports nothing unprefixed. */
static const char *wrong_build(const struct telf *f)
{
	Elf64_Sym sym;

	if (telf_symbol(f, "PyPyEval_EvalCode", &sym) == 0 ||
	    telf_symbol(f, "PyPy_Initialize", &sym) == 0)
		return "it is PyPy, not CPython";
	if (telf_symbol(f, "_Py_RefTotal", &sym) == 0 ||
	    telf_symbol(f, "_Py_NegativeRefcount", &sym) == 0)
		return "it is a debug build of CPython (Py_DEBUG)";
	return NULL;
}

/* "…python3.9…" or "…python3.6m…": 9, 6; 0: says nothing. `t` behind the number is a free-threaded build. */
static unsigned int minor_of_name(const char *name, bool *ret_threaded)
{
	unsigned int minor = 0;

	for (const char *p = name; (p = strstr(p, "python3.")); p++) {
		char *end;
		unsigned long n;

		if (p[8] < '0' || p[8] > '9')
			continue;
		n = strtoul(p + 8, &end, 10);
		if (n < 1000) {
			minor = (unsigned int)n;
			*ret_threaded = *end == 't';
		}
	}
	return minor;
}

/* sizeof(_PyRuntimeState) differs in each of the versions that do not tell their number; x86-64. */
static unsigned int minor_of_runtime(const struct telf *f)
{
	Elf64_Sym sym;

	if (telf_symbol(f, "_PyRuntime", &sym) < 0)
		return telf_symbol(f, "_PyThreadState_Current", &sym) == 0 ? 6 : 0;
	if (f->machine != EM_X86_64) /* pthread types have other sizes */
		return 0;
	switch (sym.st_size) {
	case 1520:
		return 7;
	case 1464:
		return 8;
	case 656:
		return 9;
	case 672:
		return 10;
	default:
		return 0;
	}
}

/* Parses "3.9.2", "3.10.0rc1", "3.9.2+" to PY_VERSION_HEX; 0: it is none of the minor version asked for. */
static uint32_t parse_version(const char *s, unsigned int minor)
{
	uint32_t level = 0xf, serial = 0;
	unsigned long m, micro;
	char *end;

	if (strncmp(s, "3.", 2) != 0 || s[2] < '1' || s[2] > '9')
		return 0;
	m = strtoul(s + 2, &end, 10);
	if (m != minor || *end != '.' || end[1] < '0' || end[1] > '9')
		return 0;
	micro = strtoul(end + 1, &end, 10);
	if (micro > 255)
		return 0;
	if (*end == 'a' || *end == 'b' || *end == 'r') {
		level = *end == 'r' ? 0xc : (uint32_t)*end - 'a' + 0xa;
		end += *end == 'r' && end[1] == 'c' ? 2 : 1;
		if (*end < '0' || *end > '9')
			return 0;
		serial = (uint32_t)strtoul(end, &end, 10) & 0xf;
	}
	if (*end == '+') /* built between two releases: layouts are those of the release */
		end++;
	return *end == '\0' ?
		       3U << 24 | (uint32_t)m << 16 | (uint32_t)micro << 8 | level << 4 | serial :
		       0;
}

/* Can this stand before a whole version string? */
static bool boundary(char c, bool tails)
{
	return c == '\0' || (tails && c != '.' && (c < '0' || c > '9'));
}

/* The version strings in buf[1..n). More than one different version: UINT32_MAX. */
static uint32_t scan_window(const char *buf, size_t n, unsigned int minor, bool tails,
			    uint32_t found)
{
	const char *end = buf + n;

	for (const char *p = buf + 1; p < end && (p = memmem(p, (size_t)(end - p), "3.", 2)); p++) {
		char s[STRING_MAX + 1];
		size_t len = (size_t)(end - p);
		uint32_t v;

		if (len > STRING_MAX)
			len = STRING_MAX;
		if (!boundary(p[-1], tails) || !memchr(p, '\0', len))
			continue;
		memcpy(s, p, len);
		s[len] = '\0';
		v = parse_version(s, minor);
		if (v == 0)
			continue;
		if (found != 0 && found != v)
			return UINT32_MAX;
		found = v;
	}
	return found;
}

/*
 * The version string that Py_GetVersion() prints stands in read-only data; tails: maybe as the end of another one, when
 * the linker merged it with a path like ".../versions/3.9.18".
 */
static uint32_t scan_strings(struct telf *f, unsigned int minor, bool tails)
{
	_free_ char *buf = malloc(WINDOW);
	uint64_t budget = MAX_SCAN;
	uint32_t found = 0;

	if (!buf) {
		f->error = -ENOMEM;
		return 0;
	}
	for (size_t i = 0; i < f->n_phdrs; i++) {
		const Elf64_Phdr *p = &f->phdr[i];

		if (p->p_type != PT_LOAD || (p->p_flags & PF_W))
			continue;
		/* windows overlap, so that no string is cut in two */
		for (uint64_t at = 0; at < p->p_filesz && budget >= WINDOW;
		     at += WINDOW - STRING_MAX - 2) {
			size_t n = telf_peek_va(f, p->p_vaddr + at, false, buf, WINDOW);

			if (n == 0)
				break;
			budget -= WINDOW;
			found = scan_window(buf, n, minor, tails, found);
			if (found == UINT32_MAX)
				return found;
		}
	}
	return found;
}

static int old_version(struct telf *f, const char *name, uint32_t *ret, const char **ret_why)
{
	char soname[256];
	bool threaded = false;
	unsigned int minor = 0, by_name, by_size = minor_of_runtime(f);

	if (f->soname && telf_dynstr(f, f->soname, soname, sizeof(soname)) == 0)
		minor = minor_of_name(soname, &threaded);
	by_name = minor_of_name(strrchr(name, '/') ? strrchr(name, '/') + 1 : name, &threaded);
	if (minor == 0)
		minor = by_name;
	if (minor == 0)
		minor = by_size;
	*ret_why = "its version is not known: no Py_Version, and its name does not tell it";
	if (minor == 0)
		return -ENOTSUP;
	*ret_why = "its CPython version is not supported (3.6 to 3.15 are)";
	if (minor < MIN_MINOR || minor > MAX_OLD_MINOR)
		return -ENOTSUP;
	*ret_why = "its version is ambiguous: name and layout do not agree";
	if (by_size != 0 && by_size != minor)
		return -ENOTSUP;
	if ((minor == 6) != (telf_symbol_va(f, "_PyRuntime") == 0))
		return -ENOTSUP;
	*ret = scan_strings(f, minor, false);
	if (*ret == 0)
		*ret = scan_strings(f, minor, true);
	*ret_why = "its version string was not found";
	if (*ret == 0)
		return -ENOTSUP;
	*ret_why = "its version is ambiguous: more than one version string";
	return *ret == UINT32_MAX ? -ENOTSUP : 0;
}

int target_version(struct telf *f, const char *name, uint32_t *ret, const char **ret_why)
{
	uint64_t va = telf_symbol_va(f, "Py_Version"), version;

	*ret_why = wrong_build(f);
	if (*ret_why)
		return -ENOTSUP;
	if (va == 0)
		return old_version(f, name, ret, ret_why);
	*ret_why = "its Py_Version cannot be read";
	if (telf_read_va(f, va, &version, sizeof(version)) < 0)
		return -ENOTSUP;
	*ret_why = "its CPython version is not supported (3.6 to 3.15 are)";
	if (version > UINT32_MAX || version >> 24 != 3 || (version >> 16 & 0xff) <= MAX_OLD_MINOR)
		return -ENOTSUP;
	*ret = (uint32_t)version;
	return 0;
}
