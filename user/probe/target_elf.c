/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "probe/target_elf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

#define MAX_DYNAMIC 2048  /* entries */
#define MAX_RELOCS 524288 /* 12 MB; libpython3.13 has 26000 */
#define MAX_SHDRS 512
#define MAX_NAME 32 /* longest section name that we ask for */

/* As many of n bytes as there are; negative errno. */
static ssize_t read_some(const struct telf *f, uint64_t offset, void *buf, size_t n)
{
	size_t have = 0;

	while (have < n) {
		ssize_t got = pread(f->fd, (uint8_t *)buf + have, n - have, (off_t)(offset + have));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		have += (size_t)got;
	}
	return (ssize_t)have;
}

/* n bytes that lie in one page. */
static int read_in_page(const struct telf *f, uint64_t offset, void *buf, size_t n)
{
	uint64_t number = offset / TELF_PAGE;
	size_t at = offset % TELF_PAGE, slot = number % TELF_PAGES;

	if (f->pages->page[slot].number != number + 1) {
		ssize_t got = read_some(f, number * TELF_PAGE, f->pages->page[slot].b, TELF_PAGE);

		f->pages->page[slot].number = got < 0 ? 0 : number + 1;
		if (got < 0)
			return (int)got;
		f->pages->page[slot].len = (size_t)got;
	}
	if (f->pages->page[slot].len < at + n) /* truncated meanwhile */
		return -EFAULT;
	memcpy(buf, f->pages->page[slot].b + at, n);
	return 0;
}

int telf_read(const struct telf *f, uint64_t offset, void *buf, size_t n)
{
	ssize_t got;

	if (offset > f->size || n > f->size - offset)
		return -EFAULT;
	if (f->pages && n > 0 && offset / TELF_PAGE == (offset + n - 1) / TELF_PAGE)
		return read_in_page(f, offset, buf, n);
	got = read_some(f, offset, buf, n);
	if (got < 0)
		return (int)got;
	return (size_t)got == n ? 0 : -EFAULT; /* truncated meanwhile */
}

/* The segment that holds va, and how many file bytes of it follow there. */
static const Elf64_Phdr *segment(const struct telf *f, uint64_t va, bool exec, uint64_t *ret_left)
{
	for (size_t i = 0; i < f->n_phdrs; i++) {
		const Elf64_Phdr *p = &f->phdr[i];

		if (p->p_type != PT_LOAD || (exec && !(p->p_flags & PF_X)))
			continue;
		if (va < p->p_vaddr || va - p->p_vaddr >= p->p_filesz)
			continue;
		if (p->p_offset > f->size || va - p->p_vaddr >= f->size - p->p_offset)
			continue;
		*ret_left = p->p_filesz - (va - p->p_vaddr);
		if (*ret_left > f->size - p->p_offset - (va - p->p_vaddr))
			*ret_left = f->size - p->p_offset - (va - p->p_vaddr);
		return p;
	}
	return NULL;
}

int telf_offset(const struct telf *f, uint64_t va, bool exec, uint64_t *ret)
{
	uint64_t left;
	const Elf64_Phdr *p = segment(f, va, exec, &left);

	if (!p)
		return -EFAULT;
	*ret = p->p_offset + (va - p->p_vaddr);
	return 0;
}

size_t telf_peek_va(const struct telf *f, uint64_t va, bool exec, void *buf, size_t n)
{
	uint64_t left;
	const Elf64_Phdr *p = segment(f, va, exec, &left);

	if (!p)
		return 0;
	if (n > left)
		n = left;
	return telf_read(f, p->p_offset + (va - p->p_vaddr), buf, n) < 0 ? 0 : n;
}

int telf_read_va(const struct telf *f, uint64_t va, void *buf, size_t n)
{
	return telf_peek_va(f, va, false, buf, n) == n ? 0 : -EFAULT;
}

int telf_string_va(const struct telf *f, uint64_t va, char *buf, size_t n)
{
	size_t got = telf_peek_va(f, va, false, buf, n - 1);

	buf[got] = '\0';
	return got == 0 ? -EFAULT : 0;
}

int telf_dynstr(const struct telf *f, uint64_t offset, char *buf, size_t n)
{
	size_t got;

	if (offset >= f->strsz || f->strtab + offset < f->strtab)
		return -EFAULT;
	if (n > f->strsz - offset)
		n = f->strsz - offset;
	got = telf_peek_va(f, f->strtab + offset, false, buf, n);
	return got == 0 ? -EFAULT : memchr(buf, '\0', got) ? 0 : -E2BIG;
}

static int read_header(struct telf *f)
{
	Elf64_Ehdr eh;

	if (telf_read(f, 0, &eh, sizeof(eh)) < 0 || memcmp(eh.e_ident, ELFMAG, SELFMAG) != 0)
		return -ENOEXEC;
	if (eh.e_ident[EI_CLASS] != ELFCLASS64 || eh.e_ident[EI_DATA] != ELFDATA2LSB)
		return -ENOEXEC;
	if (eh.e_type != ET_EXEC && eh.e_type != ET_DYN)
		return -ENOEXEC;
	if (eh.e_phentsize != sizeof(Elf64_Phdr) || eh.e_phnum == 0 || eh.e_phnum > TELF_MAX_PHDRS)
		return -ENOEXEC;
	f->machine = eh.e_machine;
	f->n_phdrs = eh.e_phnum;
	if (eh.e_shentsize == sizeof(Elf64_Shdr) && eh.e_shnum <= MAX_SHDRS) {
		f->shoff = eh.e_shoff;
		f->n_shdrs = eh.e_shnum;
		f->shstrndx = eh.e_shstrndx;
	}
	return telf_read(f, eh.e_phoff, f->phdr, f->n_phdrs * sizeof(Elf64_Phdr)) < 0 ? -ENOEXEC :
											0;
}

static void keep_dynamic(struct telf *f, const Elf64_Dyn *d)
{
	switch (d->d_tag) {
	case DT_SYMTAB:
		f->symtab = d->d_un.d_ptr;
		break;
	case DT_STRTAB:
		f->strtab = d->d_un.d_ptr;
		break;
	case DT_STRSZ:
		f->strsz = d->d_un.d_val;
		break;
	case DT_GNU_HASH:
		f->gnu_hash = d->d_un.d_ptr;
		break;
	case DT_HASH:
		f->hash = d->d_un.d_ptr;
		break;
	case DT_RELA:
		f->rela = d->d_un.d_ptr;
		break;
	case DT_RELASZ:
		f->relasz = d->d_un.d_val;
		break;
	case DT_JMPREL:
		f->jmprel = d->d_un.d_ptr;
		break;
	case DT_PLTRELSZ:
		f->pltrelsz = d->d_un.d_val;
		break;
	case DT_SONAME:
		f->soname = d->d_un.d_val;
		break;
	case DT_RPATH:
		if (f->runpath == 0)
			f->runpath = d->d_un.d_val;
		break;
	case DT_RUNPATH:
		f->runpath = d->d_un.d_val;
		break;
	case DT_NEEDED:
		if (f->n_needed < TELF_MAX_NEEDED)
			f->needed[f->n_needed++] = d->d_un.d_val;
		break;
	default:
		break;
	}
}

/* A file without a dynamic section is a static program: fine, but it exports nothing. */
static int read_dynamic(struct telf *f)
{
	for (size_t i = 0; i < f->n_phdrs; i++) {
		const Elf64_Phdr *p = &f->phdr[i];
		uint64_t n = p->p_filesz / sizeof(Elf64_Dyn);
		_free_ Elf64_Dyn *dyn = NULL;

		if (p->p_type != PT_DYNAMIC)
			continue;
		if (n == 0 || n > MAX_DYNAMIC)
			return -ENOEXEC;
		dyn = calloc(n, sizeof(*dyn));
		if (!dyn)
			return -ENOMEM;
		if (telf_read(f, p->p_offset, dyn, n * sizeof(*dyn)) < 0)
			return -ENOEXEC;
		for (uint64_t k = 0; k < n && dyn[k].d_tag != DT_NULL; k++)
			keep_dynamic(f, &dyn[k]);
		return 0;
	}
	return 0;
}

int telf_open(int fd, struct telf *ret)
{
	struct telf f = {.fd = fd};
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -ENOEXEC;
	f.size = (uint64_t)st.st_size;
	r = read_header(&f);
	if (r < 0)
		return r;
	r = read_dynamic(&f);
	if (r < 0)
		return r;
	f.pages = calloc(1, sizeof(*f.pages)); /* what has none is read all the same */
	*ret = f;
	return 0;
}

void telf_close(struct telf *f)
{
	free(f->relocs);
	f->relocs = NULL;
	free(f->pages);
	f->pages = NULL;
}

static int by_offset(const void *a, const void *b)
{
	const Elf64_Rela *x = a, *y = b;

	return x->r_offset < y->r_offset ? -1 : x->r_offset > y->r_offset;
}

static void read_relocs(struct telf *f)
{
	uint64_t n = f->relasz / sizeof(Elf64_Rela), m = f->pltrelsz / sizeof(Elf64_Rela);
	Elf64_Rela *r;

	f->relocs_read = true;
	if (n > MAX_RELOCS || m > MAX_RELOCS || (n + m) * sizeof(*r) > f->size || n + m == 0)
		return;
	r = calloc(n + m, sizeof(*r));
	if (!r) {
		f->error = -ENOMEM;
		return;
	}
	if (n > 0 && telf_read_va(f, f->rela, r, n * sizeof(*r)) < 0)
		n = 0;
	if (m > 0 && telf_read_va(f, f->jmprel, r + n, m * sizeof(*r)) < 0)
		m = 0;
	qsort(r, n + m, sizeof(*r), by_offset);
	f->relocs = r;
	f->n_relocs = n + m;
}

int telf_reloc(struct telf *f, uint64_t va, Elf64_Rela *ret)
{
	Elf64_Rela key = {.r_offset = va};
	const Elf64_Rela *found;

	if (!f->relocs_read)
		read_relocs(f);
	if (f->n_relocs == 0)
		return -ENOENT;
	found = bsearch(&key, f->relocs, f->n_relocs, sizeof(key), by_offset);
	if (!found)
		return -ENOENT;
	*ret = *found;
	return 0;
}

int telf_pointer(struct telf *f, uint64_t va, uint64_t *ret)
{
	Elf64_Rela rel;

	if (telf_reloc(f, va, &rel) < 0)
		return telf_read_va(f, va, ret, sizeof(*ret));
	if (ELF64_R_TYPE(rel.r_info) != R_X86_64_RELATIVE)
		return -ENOENT;
	*ret = (uint64_t)rel.r_addend;
	return 0;
}

int telf_section(const struct telf *f, const char *name, Elf64_Shdr *ret)
{
	Elf64_Shdr names, sh;
	char found[MAX_NAME];
	size_t n = strlen(name) + 1;

	if (n > sizeof(found) || f->shstrndx >= f->n_shdrs)
		return -ENOENT;
	if (telf_read(f, f->shoff + f->shstrndx * sizeof(sh), &names, sizeof(names)) < 0)
		return -ENOENT;
	for (size_t i = 0; i < f->n_shdrs; i++) {
		if (telf_read(f, f->shoff + i * sizeof(sh), &sh, sizeof(sh)) < 0)
			return -ENOENT;
		if (sh.sh_name >= names.sh_size || names.sh_offset + sh.sh_name < names.sh_offset)
			continue;
		if (telf_read(f, names.sh_offset + sh.sh_name, found, n) < 0 ||
		    memcmp(found, name, n) != 0)
			continue;
		*ret = sh;
		return 0;
	}
	return -ENOENT;
}
