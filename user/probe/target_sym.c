/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Look-ups in the dynamic symbol table through its hash table: a few small reads each. */
#include <errno.h>
#include <string.h>

#include "probe/target_elf.h"

#define MAX_CHAIN 4096 /* steps along one hash chain; libpython's longest have ten */
#define MAX_NAME 64    /* longest symbol that we ask for */

int telf_symbol_at(const struct telf *f, uint32_t index, Elf64_Sym *ret)
{
	uint64_t va = f->symtab + (uint64_t)index * sizeof(Elf64_Sym);

	if (f->symtab == 0 || va < f->symtab)
		return -ENOENT;
	return telf_read_va(f, va, ret, sizeof(*ret)) < 0 ? -ENOENT : 0;
}

/* Is symbol `index` the defined symbol `name`? */
static bool symbol_is(const struct telf *f, uint32_t index, const char *name, Elf64_Sym *ret)
{
	char found[MAX_NAME];
	size_t n = strlen(name) + 1;
	Elf64_Sym sym;

	if (n > sizeof(found) || telf_symbol_at(f, index, &sym) < 0)
		return false;
	if (sym.st_shndx == SHN_UNDEF || sym.st_value == 0)
		return false;
	if (sym.st_name >= f->strsz || telf_read_va(f, f->strtab + sym.st_name, found, n) < 0)
		return false;
	if (memcmp(found, name, n) != 0)
		return false;
	*ret = sym;
	return true;
}

static uint32_t gnu_hash_of(const char *name)
{
	uint32_t h = 5381;

	for (; *name; name++)
		h = h * 33 + (unsigned char)*name;
	return h;
}

/* glibc's dl-lookup.c; the bloom filter spares the chain for nearly every file that is no Python. */
static int gnu_symbol(const struct telf *f, const char *name, Elf64_Sym *ret)
{
	uint32_t head[4], bucket,
		h = gnu_hash_of(name); /* nbuckets, symoffset, bloom words, shift */
	uint64_t bloom, buckets, chain;

	if (telf_read_va(f, f->gnu_hash, head, sizeof(head)) < 0 || head[0] == 0 || head[2] == 0)
		return -ENOENT;
	if (telf_read_va(f, f->gnu_hash + 16 + 8ULL * (h / 64 % head[2]), &bloom, sizeof(bloom)) <
	    0)
		return -ENOENT;
	if (!(bloom >> h % 64 & 1) || !(bloom >> (head[3] < 32 ? h >> head[3] : 0) % 64 & 1))
		return -ENOENT;
	buckets = f->gnu_hash + 16 + 8ULL * head[2];
	chain = buckets + 4ULL * head[0];
	if (telf_read_va(f, buckets + 4ULL * (h % head[0]), &bucket, sizeof(bucket)) < 0)
		return -ENOENT;
	if (bucket < head[1])
		return -ENOENT;
	for (unsigned int i = 0; i < MAX_CHAIN; i++) {
		uint32_t v;

		if (telf_read_va(f, chain + 4ULL * (bucket + i - head[1]), &v, sizeof(v)) < 0)
			return -ENOENT;
		if ((v | 1) == (h | 1) && symbol_is(f, bucket + i, name, ret))
			return 0;
		if (v & 1)
			return -ENOENT;
	}
	return -ENOENT;
}

static uint32_t sysv_hash_of(const char *name)
{
	uint32_t h = 0;

	for (; *name; name++) {
		h = (h << 4) + (unsigned char)*name;
		h ^= h >> 24 & 0xf0;
		h &= 0x0fffffff;
	}
	return h;
}

static int sysv_symbol(const struct telf *f, const char *name, Elf64_Sym *ret)
{
	uint32_t head[2], index; /* nbuckets, nchain */

	if (telf_read_va(f, f->hash, head, sizeof(head)) < 0 || head[0] == 0)
		return -ENOENT;
	if (telf_read_va(f, f->hash + 8 + 4ULL * (sysv_hash_of(name) % head[0]), &index,
			 sizeof(index)) < 0)
		return -ENOENT;
	for (unsigned int i = 0; index != 0 && i < MAX_CHAIN; i++) {
		if (symbol_is(f, index, name, ret))
			return 0;
		if (telf_read_va(f, f->hash + 8 + 4ULL * (head[0] + (uint64_t)index), &index,
				 sizeof(index)) < 0)
			return -ENOENT;
	}
	return -ENOENT;
}

int telf_symbol(const struct telf *f, const char *name, Elf64_Sym *ret)
{
	if (f->symtab == 0 || f->strtab == 0)
		return -ENOENT;
	return f->gnu_hash ? gnu_symbol(f, name, ret) :
	       f->hash	   ? sysv_symbol(f, name, ret) :
			     -ENOENT;
}

uint64_t telf_symbol_va(const struct telf *f, const char *name)
{
	Elf64_Sym sym;

	return telf_symbol(f, name, &sym) < 0 ? 0 : sym.st_value;
}
