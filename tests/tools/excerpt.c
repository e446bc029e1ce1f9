/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
// wrap: calloc pread code_decode telf_reloc telf_pointer text_refs text_entries target_method_calls
/*
 * excerpt FILE OUT: writes OUT.excerpt, the bytes of an interpreter that target_open() needs, and OUT.sites, what it finds;
 * fails if the excerpt does not give the same. For tests/unit/test_target_excerpts.c. FILE must never have been run while
 * lmmsd watched: a program that reads it through a private mapping, like strip, is given the probes' bytes.
 *
 * Single reads are kept as they are. Scans read everything: of what they read only what they found is kept.
 */
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "probe/target_find.h"
#include "probe/target_text.h"
#include "unit/excerpt.h"

#define MAX_SINGLE 4096 /* bytes of a read that is kept: the relocations are one large read */
#define GAP 16		/* a run's header is as long */

static uint8_t *whole, *kept; /* the file, and for each byte whether it is */
static uint64_t size;
static unsigned int quiet; /* reads are not kept */
static const struct telf *elf;

static void keep(uint64_t offset, uint64_t n)
{
	for (uint64_t i = offset; i < size && i - offset < n; i++)
		kept[i] = 1;
}

static void keep_va(const struct telf *f, uint64_t va, uint64_t before, uint64_t n)
{
	uint64_t offset;

	if (telf_offset(f, va, false, &offset) == 0)
		keep(offset < before ? 0 : offset - before, n + before);
}

/* No pages are kept in memory: each read is seen as it is asked for. */
void *__real_calloc(size_t n, size_t each);
void *__wrap_calloc(size_t n, size_t each);
void *__wrap_calloc(size_t n, size_t each)
{
	return n * each == sizeof(*((struct telf *)NULL)->pages) ? NULL : __real_calloc(n, each);
}

ssize_t __real_pread(int fd, void *buf, size_t n, off_t offset);
ssize_t __wrap_pread(int fd, void *buf, size_t n, off_t offset);
ssize_t __wrap_pread(int fd, void *buf, size_t n, off_t offset)
{
	if (quiet == 0 && n <= MAX_SINGLE)
		keep((uint64_t)offset, n);
	return __real_pread(fd, buf, n, offset);
}

bool __real_code_decode(struct code *c, uint64_t va, struct code_insn *ret);
bool __wrap_code_decode(struct code *c, uint64_t va, struct code_insn *ret);
bool __wrap_code_decode(struct code *c, uint64_t va, struct code_insn *ret)
{
	bool r;

	quiet++;
	r = __real_code_decode(c, va, ret);
	quiet--;
	if (elf)
		keep_va(elf, va, 0, r ? ret->next - va : 16);
	return r;
}

/* Relocations that write there, or (where 0) write this address. */
static void keep_relocs(struct telf *f, uint64_t where, uint64_t what)
{
	const uint64_t table[2][2] = {{f->rela, f->relasz}, {f->jmprel, f->pltrelsz}};
	uint64_t offset;
	Elf64_Rela rel;

	for (size_t k = 0; k < 2; k++)
		for (uint64_t i = 0; i + sizeof(rel) <= table[k][1]; i += sizeof(rel)) {
			if (telf_offset(f, table[k][0] + i, false, &offset) < 0 ||
			    offset + sizeof(rel) > size)
				continue;
			memcpy(&rel, whole + offset, sizeof(rel));
			if (where ? rel.r_offset == where : (uint64_t)rel.r_addend == what)
				keep(offset, sizeof(rel));
		}
}

int __real_telf_reloc(struct telf *f, uint64_t va, Elf64_Rela *ret);
int __wrap_telf_reloc(struct telf *f, uint64_t va, Elf64_Rela *ret);
int __wrap_telf_reloc(struct telf *f, uint64_t va, Elf64_Rela *ret)
{
	elf = f;
	if (va != 0)
		keep_relocs(f, va, 0);
	return __real_telf_reloc(f, va, ret);
}

int __real_telf_pointer(struct telf *f, uint64_t va, uint64_t *ret);
int __wrap_telf_pointer(struct telf *f, uint64_t va, uint64_t *ret);
int __wrap_telf_pointer(struct telf *f, uint64_t va, uint64_t *ret)
{
	elf = f;
	if (va != 0)
		keep_relocs(f, va, 0);
	return __real_telf_pointer(f, va, ret);
}

int __real_text_refs(const struct telf *f, uint64_t to, uint64_t runtime, struct text_refs *ret);
int __wrap_text_refs(const struct telf *f, uint64_t to, uint64_t runtime, struct text_refs *ret);
int __wrap_text_refs(const struct telf *f, uint64_t to, uint64_t runtime, struct text_refs *ret)
{
	int r;

	quiet++;
	r = __real_text_refs(f, to, runtime, ret);
	quiet--;
	for (size_t i = 0; i < ret->n; i++)
		keep_va(f, ret->ref[i].va, 8, 24);
	return r;
}

/* One call of each place that was found. */
int __real_text_entries(const struct telf *f, struct text_refs *refs);
int __wrap_text_entries(const struct telf *f, struct text_refs *refs);
int __wrap_text_entries(const struct telf *f, struct text_refs *refs)
{
	int r;

	quiet++;
	r = __real_text_entries(f, refs);
	quiet--;
	for (size_t p = 0; p < f->n_phdrs; p++) {
		const Elf64_Phdr *ph = &f->phdr[p];

		for (uint64_t i = 0; (ph->p_flags & PF_X) && i + 5 <= ph->p_filesz; i++) {
			const uint8_t *b = whole + ph->p_offset + i;
			int32_t disp;
			uint64_t to;

			if (ph->p_type != PT_LOAD || *b != 0xe8)
				continue;
			memcpy(&disp, b + 1, sizeof(disp));
			to = ph->p_vaddr + i + 5 + (uint64_t)(int64_t)disp;
			for (size_t k = 0; k < refs->n; k++)
				for (size_t e = 0; e < refs->ref[k].n_entries; e++)
					if (refs->ref[k].entry[e] == to)
						keep(ph->p_offset + i, 5);
		}
	}
	return r;
}

/* The name, pointers to it, and the entries around: name, function, flags. */
static void keep_methods(struct telf *f, const char *name)
{
	struct target_methods methods;
	size_t n = strlen(name) + 1;

	quiet++;
	(void)target_methods(f, name, &methods);
	quiet--;
	for (size_t p = 0; p < f->n_phdrs; p++) {
		const Elf64_Phdr *ph = &f->phdr[p];

		if (ph->p_type != PT_LOAD || (ph->p_flags & PF_W))
			continue;
		for (uint64_t i = 0; i + n <= ph->p_filesz; i++)
			if (memcmp(whole + ph->p_offset + i, name, n) == 0) {
				keep(ph->p_offset + i, n);
				keep_relocs(f, 0, ph->p_vaddr + i);
			}
	}
	for (size_t i = 0; i < f->n_relocs; i++)
		for (size_t k = 0; k < methods.n; k++)
			if ((uint64_t)f->relocs[i].r_addend == methods.function[k]) {
				keep_relocs(f, f->relocs[i].r_offset, 0);
				keep_va(f, f->relocs[i].r_offset, 8, 16);
			}
}

bool __real_target_method_calls(struct telf *f, struct code *c, const char *name,
				enum callee callee);
bool __wrap_target_method_calls(struct telf *f, struct code *c, const char *name,
				enum callee callee);
bool __wrap_target_method_calls(struct telf *f, struct code *c, const char *name,
				enum callee callee)
{
	keep_methods(f, name);
	return __real_target_method_calls(f, c, name, callee);
}

static int load(const char *path)
{
	_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	size = (uint64_t)st.st_size;
	whole = malloc(size);
	kept = calloc(1, size);
	if (!whole || !kept)
		return -ENOMEM;
	for (uint64_t at = 0; at < size;) {
		ssize_t n = __real_pread(fd, whole + at, size - at, (off_t)at);

		if (n <= 0)
			return -EIO;
		at += (uint64_t)n;
	}
	return 0;
}

static int save(const char *path)
{
	FILE *f = fopen(path, "we");

	if (!f)
		return -errno;
	(void)fwrite(&size, sizeof(size), 1, f);
	for (uint64_t at = 0; at < size;) {
		uint64_t run[2] = {at, 0}, gap = 0;

		for (uint64_t i = at; i < size && gap < GAP; i++) {
			gap = kept[i] ? 0 : gap + 1;
			run[1] = kept[i] ? i + 1 - at : run[1];
		}
		if (run[1] > 0) {
			(void)fwrite(run, sizeof(run), 1, f);
			(void)fwrite(whole + at, 1, run[1], f);
		}
		at += run[1] > 0 ? run[1] : 1;
	}
	return fclose(f) == 0 ? 0 : -errno;
}

static char *describe(int fd, const char *name)
{
	_cleanup_(target_freep) struct target *t = NULL;
	char *text = NULL;
	size_t n;
	FILE *f;

	if (target_open(fd, name, TARGET_WANT_AUTO, &t) < 0)
		return NULL;
	f = open_memstream(&text, &n);
	if (!f)
		return NULL;
	excerpt_describe(f, t);
	(void)fclose(f);
	return text;
}

int main(int argc, char **argv)
{
	_free_ char *excerpt = NULL, *sites = NULL, *is = NULL, *again = NULL;
	_close_ int fd = argc == 3 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1, copy = -1;
	FILE *f;

	if (fd < 0 || load(argv[1]) < 0 || asprintf(&excerpt, "%s.excerpt", argv[2]) < 0 ||
	    asprintf(&sites, "%s.sites", argv[2]) < 0) {
		fprintf(stderr, "usage: excerpt FILE OUT\n");
		return 2;
	}
	is = describe(fd, argv[1]);
	elf = NULL;
	if (!is || save(excerpt) < 0)
		return 1;
	copy = excerpt_open(excerpt);
	again = describe(copy, argv[1]);
	if (!again || strcmp(is, again) != 0) {
		fprintf(stderr, "excerpt: %s gives other sites than %s:\n%s-- not --\n%s", excerpt,
			argv[1], again ? again : "none\n", is);
		return 1;
	}
	f = fopen(sites, "we");
	return f && fputs(is, f) >= 0 && fclose(f) == 0 ? 0 : 1;
}
