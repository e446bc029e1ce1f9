/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * A hand-made ELF file that target_open() takes for a Python 3.12.1: one segment, eight symbols, a few instructions.
 * Include <cmocka.h> and what it needs before.
 */
#pragma once
#include <elf.h>
#include <sys/mman.h>

#include "base/cleanup.h"
#include "probe/target.h"

#define BASE 0x400000ULL
#define SIZE 4096
enum place { /* file offsets */
	     AT_DYNAMIC = 0x100,
	     AT_HASH = 0x200,
	     AT_SYMTAB = 0x300,
	     AT_STRTAB = 0x480,
	     AT_IMPORT = 0x700,
	     AT_EVAL_CODE = 0x740,
	     AT_EXEC_DEF = 0x780,
	     AT_COMPILE = 0x7a0,
	     AT_METHOD = 0x7c0,
	     AT_EVAL_FRAME = 0x7e0,
	     AT_VERSION = 0x800,
	     AT_STR = 0x840,
	     AT_RUNTIME = 0x900,
	     AT_NOTES = 0xb00,
	     AT_SEMAPHORES = 0xcf0,
	     AT_SHSTRTAB = 0xd00,
	     AT_SHDRS = 0xe00,
};

struct image {
	uint8_t b[SIZE];
	size_t n_symbols, strtab, notes;
};

static inline void put(struct image *i, size_t at, uint64_t v, size_t n)
{
	assert_true(at + n <= SIZE);
	memcpy(i->b + at, &v, n);
}

static inline void add_symbol(struct image *i, const char *name, enum place at, uint64_t size,
			      unsigned char type)
{
	Elf64_Sym sym = {
		.st_name = (Elf64_Word)i->strtab,
		.st_info = ELF64_ST_INFO(STB_GLOBAL, type),
		.st_shndx = 1,
		.st_value = BASE + at,
		.st_size = size,
	};

	memcpy(i->b + AT_STRTAB + i->strtab, name, strlen(name) + 1);
	i->strtab += strlen(name) + 1;
	memcpy(i->b + AT_SYMTAB + ++i->n_symbols * sizeof(sym), &sym, sizeof(sym));
}

static inline uint32_t gnu_hash(const char *s)
{
	uint32_t h = 5381;

	while (*s)
		h = h * 33 + (unsigned char)*s++;
	return h;
}

/* One bucket; a bloom filter that lets everything pass. */
static inline void put_gnu_hash(struct image *i)
{
	put(i, AT_HASH, 1, 4);
	put(i, AT_HASH + 4, 1, 4);
	put(i, AT_HASH + 8, 1, 4);
	put(i, AT_HASH + 16, UINT64_MAX, 8);
	put(i, AT_HASH + 24, 1, 4);
	for (size_t k = 1; k <= i->n_symbols; k++) {
		Elf64_Sym sym;

		memcpy(&sym, i->b + AT_SYMTAB + k * sizeof(sym), sizeof(sym));
		put(i, AT_HASH + 24 + 4 * k,
		    (gnu_hash((const char *)i->b + AT_STRTAB + sym.st_name) & ~1U) |
			    (k == i->n_symbols),
		    4);
	}
}

static inline void put_sysv_hash(struct image *i)
{
	put(i, AT_HASH, 1, 4);
	put(i, AT_HASH + 4, i->n_symbols + 1, 4);
	put(i, AT_HASH + 8, 1, 4);
	for (size_t k = 1; k <= i->n_symbols; k++)
		put(i, AT_HASH + 12 + 4 * k, k == i->n_symbols ? 0 : k + 1, 4);
}

static inline void put_header(struct image *i)
{
	Elf64_Ehdr eh = {
		.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
			    EV_CURRENT},
		.e_type = ET_DYN,
		.e_machine = EM_X86_64,
		.e_phoff = sizeof(eh),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = 2,
		.e_shoff = AT_SHDRS,
		.e_shentsize = sizeof(Elf64_Shdr),
		.e_shnum = 3,
		.e_shstrndx = 1,
	};
	Elf64_Phdr ph[2] = {
		{.p_type = PT_LOAD,
		 .p_flags = PF_R | PF_W | PF_X,
		 .p_vaddr = BASE,
		 .p_filesz = SIZE},
		{.p_type = PT_DYNAMIC, .p_offset = AT_DYNAMIC, .p_filesz = 12 * sizeof(Elf64_Dyn)},
	};
	Elf64_Shdr sh[3] = {
		{.sh_name = 0},
		{.sh_name = 1, .sh_offset = AT_SHSTRTAB, .sh_size = 64},
		{.sh_name = 11, .sh_offset = AT_NOTES, .sh_size = AT_SEMAPHORES - AT_NOTES},
	};

	memcpy(i->b, &eh, sizeof(eh));
	memcpy(i->b + sizeof(eh), ph, sizeof(ph));
	memcpy(i->b + AT_SHSTRTAB, "\0.shstrtab\0.note.stapsdt", 25);
	memcpy(i->b + AT_SHDRS, sh, sizeof(sh));
}

static inline void put_dynamic(struct image *i, uint64_t hash_tag)
{
	const uint64_t dyn[][2] = {
		{DT_SYMTAB, BASE + AT_SYMTAB},
		{DT_STRTAB, BASE + AT_STRTAB},
		{DT_STRSZ, AT_IMPORT - AT_STRTAB},
		{hash_tag, BASE + AT_HASH},
		{DT_NEEDED, 1},
		{DT_RUNPATH, 9},
		{DT_NULL, 0},
	};

	memcpy(i->b + AT_DYNAMIC, dyn, sizeof(dyn));
}

/* push; mov $method,%esi …; call; test; jne; pop; ret: what compilers make of the functions, cut short */
static inline void put_code(struct image *i)
{
	static const uint8_t tail[] = {0x48, 0x85, 0xc0, 0x75, 0x00, 0x5d, 0xc3};
	static const uint8_t leaf[] = {0x55, 0x5d, 0xc3};
	uint8_t *p = i->b + AT_IMPORT;

	memcpy(p, "\x55\x48\x8d\x35", 4); /* lea rel(%rip),%rsi */
	put(i, AT_IMPORT + 4, AT_STR - (AT_IMPORT + 8), 4);
	p[8] = 0xe8;
	put(i, AT_IMPORT + 9, AT_METHOD - (AT_IMPORT + 13), 4);
	memcpy(p + 13, tail, sizeof(tail));
	p = i->b + AT_EVAL_CODE;
	memcpy(p, "\x55\xe8", 2);
	put(i, AT_EVAL_CODE + 2, AT_EVAL_FRAME - (AT_EVAL_CODE + 6), 4);
	memcpy(p + 6, tail, sizeof(tail));
	memcpy(i->b + AT_EXEC_DEF, leaf, sizeof(leaf));
	memcpy(i->b + AT_COMPILE, leaf, sizeof(leaf));
	i->b[AT_METHOD] = i->b[AT_EVAL_FRAME] = 0xc3;
}

static inline void make_image(struct image *i, uint64_t hash_tag)
{
	memset(i, 0, sizeof(*i));
	put_header(i);
	put_dynamic(i, hash_tag);
	memcpy(i->b + AT_STRTAB, "\0libx.so\0$ORIGIN/../lib", 24);
	i->strtab = 24;
	add_symbol(i, "PyImport_ImportModuleLevelObject", AT_IMPORT, 20, STT_FUNC);
	add_symbol(i, "PyEval_EvalCode", AT_EVAL_CODE, 13, STT_FUNC);
	add_symbol(i, "PyModule_ExecDef", AT_EXEC_DEF, 3, STT_FUNC);
	add_symbol(i, "Py_CompileStringObject", AT_COMPILE, 3, STT_FUNC);
	add_symbol(i, "PyObject_CallMethodObjArgs", AT_METHOD, 1, STT_FUNC);
	add_symbol(i, "_PyEval_EvalFrameDefault", AT_EVAL_FRAME, 1, STT_FUNC);
	add_symbol(i, "Py_Version", AT_VERSION, 8, STT_OBJECT);
	add_symbol(i, "_PyRuntime", AT_RUNTIME, 256, STT_OBJECT);
	if (hash_tag == DT_GNU_HASH)
		put_gnu_hash(i);
	else
		put_sysv_hash(i);
	put_code(i);
	put(i, AT_VERSION, 0x030c01f0, 8);
	put(i, AT_STR + 16, 14, 8);
	memcpy(i->b + AT_STR + 40, "_find_and_load", 15);
}

static inline void add_note(struct image *i, const char *name, uint64_t va, const char *args)
{
	static const char provider[] = "python";
	size_t at = AT_NOTES + i->notes, strings = at + 44;
	Elf64_Nhdr nh = {.n_namesz = 8, .n_type = 3};

	nh.n_descsz = (Elf64_Word)(24 + sizeof(provider) + strlen(name) + 1 + strlen(args) + 1);
	memcpy(i->b + at, &nh, sizeof(nh));
	memcpy(i->b + at + 12, "stapsdt", 8);
	put(i, at + 20, va, 8);
	put(i, at + 36, BASE + AT_SEMAPHORES, 8);
	memcpy(i->b + strings, provider, sizeof(provider));
	memcpy(i->b + strings + sizeof(provider), name, strlen(name) + 1);
	memcpy(i->b + strings + sizeof(provider) + strlen(name) + 1, args, strlen(args) + 1);
	i->notes += (20 + nh.n_descsz + 3) & ~3U;
}

static inline int open_bytes(const uint8_t *b, size_t n, enum target_want want, struct target **ret)
{
	_close_ int fd = memfd_create("image", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, b, n), n);
	return target_open(fd, "image", want, ret);
}

static inline struct target *open_image(const struct image *i, enum target_want want)
{
	struct target *t = NULL;

	assert_int_equal(open_bytes(i->b, SIZE, want, &t), 0);
	assert_non_null(t);
	return t;
}

#define START "import__find__load__start"
#define DONE "import__find__load__done"

/* With USDT probes. */
static inline void make_full(struct image *i)
{
	make_image(i, DT_GNU_HASH);
	add_note(i, START, BASE + AT_IMPORT, "8@%rax");
	add_note(i, DONE, BASE + AT_IMPORT + 1, "8@-40(%rbp) -4@%r15d");
}

static inline size_t count_sites(const struct target *t, uint8_t kind)
{
	size_t n = 0;

	for (size_t i = 0; i < t->n_sites; i++)
		n += t->site[i].site.kind == kind;
	return n;
}
