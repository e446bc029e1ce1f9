/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * The few pieces of an ELF file that target_open() needs, read with pread() one by one: most files that are asked
 * about are no Python, and the file may change while it is read. Nothing here trusts an offset, size or count.
 */
#pragma once
#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TELF_MAX_PHDRS 128
#define TELF_MAX_NEEDED 64
#define TELF_PAGE 4096
#define TELF_PAGES 32

/* Pages of the file that were read last: symbols, relocations and code are looked up by thousands of small reads. */
struct telf_pages {
	struct {
		uint64_t number; /* of the page, and 1; 0: none */
		size_t len;	 /* fewer at the end of the file */
		uint8_t b[TELF_PAGE];
	} page[TELF_PAGES];
};

struct telf {
	int fd; /* borrowed */
	uint64_t size;
	struct telf_pages *pages; /* owned; NULL: none are kept */
	uint16_t machine;
	Elf64_Phdr phdr[TELF_MAX_PHDRS];
	size_t n_phdrs;
	uint64_t shoff;
	size_t n_shdrs;
	size_t shstrndx;
	/* from the dynamic section, addresses in the file; 0: not there */
	uint64_t symtab, strtab, strsz, gnu_hash, hash, rela, relasz, jmprel, pltrelsz;
	uint64_t soname, runpath; /* offsets in strtab */
	uint64_t needed[TELF_MAX_NEEDED];
	size_t n_needed;
	/* read when first asked for, sorted by r_offset */
	Elf64_Rela *relocs; /* owned */
	size_t n_relocs;
	bool relocs_read;
	int error; /* -ENOMEM: something was not looked at for want of memory */
};

/* 0, -ENOEXEC: no 64-bit little-endian ELF program or library, or another negative errno. */
int telf_open(int fd, struct telf *ret);
void telf_close(struct telf *f);

/* Exactly n bytes at a file offset or at an address. -EFAULT: not in the file. */
int telf_read(const struct telf *f, uint64_t offset, void *buf, size_t n);
int telf_read_va(const struct telf *f, uint64_t va, void *buf, size_t n);
/* As many of n bytes as there are; 0: none. */
size_t telf_peek_va(const struct telf *f, uint64_t va, bool exec, void *buf, size_t n);
/* -EFAULT: no byte of the file stands there. exec: it must be in an executable segment. */
int telf_offset(const struct telf *f, uint64_t va, bool exec, uint64_t *ret);

/* A defined dynamic symbol. -ENOENT: there is none. */
int telf_symbol(const struct telf *f, const char *name, Elf64_Sym *ret);
/* Address of a defined dynamic symbol; 0: there is none. */
uint64_t telf_symbol_va(const struct telf *f, const char *name);
int telf_symbol_at(const struct telf *f, uint32_t index, Elf64_Sym *ret);

/* A NUL-terminated string at an address, cut off at n - 1. -EFAULT: none. */
int telf_string_va(const struct telf *f, uint64_t va, char *buf, size_t n);
/* A string of the dynamic string table; -E2BIG when it does not fit. */
int telf_dynstr(const struct telf *f, uint64_t offset, char *buf, size_t n);

/* The relocation that writes at this address. -ENOENT: none. */
int telf_reloc(struct telf *f, uint64_t va, Elf64_Rela *ret);
/* The x86-64 pointer at an address, as it will be at load address 0. */
int telf_pointer(struct telf *f, uint64_t va, uint64_t *ret);
/* -ENOENT: no section of this name, or no section headers. */
int telf_section(const struct telf *f, const char *name, Elf64_Shdr *ret);
