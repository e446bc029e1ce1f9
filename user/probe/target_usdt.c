/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* SystemTap notes, as sdt.h of systemtap-sdt-dev 4.x writes them: https://sourceware.org/systemtap/wiki/UserSpaceProbeImplementation */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "probe/target_find.h"

#define MAX_NOTES (1U << 20) /* bytes; Debian's python3.11 has 2 KB */
#define NT_STAPSDT 3

/* Offsets in struct pt_regs (x86) and struct user_pt_regs (arm64). */
#define ARM64_SP 248

struct reg {
	const char *names[4]; /* 64, 32, 16, 8 bits */
	uint16_t offset;
};

static const struct reg x86_regs[] = {
	{{"rax", "eax", "ax", "al"}, 80},      {{"rbx", "ebx", "bx", "bl"}, 40},
	{{"rcx", "ecx", "cx", "cl"}, 88},      {{"rdx", "edx", "dx", "dl"}, 96},
	{{"rsi", "esi", "si", "sil"}, 104},    {{"rdi", "edi", "di", "dil"}, 112},
	{{"rbp", "ebp", "bp", "bpl"}, 32},     {{"rsp", "esp", "sp", "spl"}, 152},
	{{"r8", "r8d", "r8w", "r8b"}, 72},     {{"r9", "r9d", "r9w", "r9b"}, 64},
	{{"r10", "r10d", "r10w", "r10b"}, 56}, {{"r11", "r11d", "r11w", "r11b"}, 48},
	{{"r12", "r12d", "r12w", "r12b"}, 24}, {{"r13", "r13d", "r13w", "r13b"}, 16},
	{{"r14", "r14d", "r14w", "r14b"}, 8},  {{"r15", "r15d", "r15w", "r15b"}, 0},
};

/* The register's name ends at the first character that cannot belong to one. Moves *text behind it. */
static bool parse_x86_reg(const char **text, uint16_t *ret)
{
	size_t n = strspn(*text, "abcdefghijklmnopqrstuvwxyz0123456789");

	for (size_t i = 0; i < ARRAY_LEN(x86_regs); i++)
		for (size_t k = 0; k < 4; k++)
			if (strlen(x86_regs[i].names[k]) == n &&
			    memcmp(*text, x86_regs[i].names[k], n) == 0) {
				*ret = x86_regs[i].offset;
				*text += n;
				return true;
			}
	return false;
}

static bool parse_arm64_reg(const char **text, uint16_t *ret)
{
	char *end;
	unsigned long n;

	if (strncmp(*text, "sp", 2) == 0) {
		*text += 2;
		*ret = ARM64_SP;
		return true;
	}
	if ((**text != 'x' && **text != 'w') || (*text)[1] < '0' || (*text)[1] > '9')
		return false;
	n = strtoul(*text + 1, &end, 10);
	if (n > 30)
		return false;
	*text = end;
	*ret = (uint16_t)(n * 8);
	return true;
}

/* A decimal or hexadecimal displacement, maybe absent. */
static bool displacement(const char **text, int32_t *ret)
{
	char *end;
	long v;

	errno = 0;
	v = strtol(*text, &end, 0);
	if (errno != 0 || v > INT32_MAX || v < INT32_MIN)
		return false;
	*ret = (int32_t)v;
	*text = end;
	return true;
}

/* %rax, 8(%rsp) */
static bool parse_x86_operand(const char **text, struct lmmsd_arg *ret)
{
	const char *p = *text;

	ret->how = LMMSD_ARG_REG;
	if (*p != '%') {
		if (!displacement(&p, &ret->off) || *p++ != '(')
			return false;
		ret->how = LMMSD_ARG_MEM;
	}
	if (*p++ != '%' || !parse_x86_reg(&p, &ret->reg))
		return false;
	if (ret->how == LMMSD_ARG_MEM && *p++ != ')') /* an index register: not read */
		return false;
	*text = p;
	return true;
}

/* x0, [sp], [x29, 16] */
static bool parse_arm64_operand(const char **text, struct lmmsd_arg *ret)
{
	const char *p = *text;

	ret->how = LMMSD_ARG_REG;
	if (*p == '[') {
		ret->how = LMMSD_ARG_MEM;
		p++;
	}
	if (!parse_arm64_reg(&p, &ret->reg))
		return false;
	if (ret->how == LMMSD_ARG_MEM) {
		if (*p == ',') {
			p++;
			if (!displacement(&p, &ret->off))
				return false;
		}
		if (*p++ != ']')
			return false;
	}
	*text = p;
	return true;
}

bool target_usdt_arg(uint16_t machine, const char **text, struct lmmsd_arg *ret)
{
	struct lmmsd_arg arg = {0};
	const char *p = *text;
	bool ok;

	while (*p == ' ')
		p++;
	if (*p == '-') /* signed */
		p++;
	if (*p < '1' || *p > '8' || p[1] != '@')
		return false;
	arg.size = *p > '4' ? 8 : 4;
	p += 2;
	ok = machine == EM_X86_64 ? parse_x86_operand(&p, &arg) : parse_arm64_operand(&p, &arg);
	if (!ok || (*p != ' ' && *p != '\0'))
		return false;
	*text = p;
	*ret = arg;
	return true;
}

/*
 * One note's description: three addresses, then provider, name and arguments as strings. False: it is one of ours, and
 * cannot be used: without it some loads would be missed.
 */
static bool take_note(struct target *t, const struct telf *f, const uint8_t *desc, size_t n,
		      uint64_t base)
{
	uint64_t va[3]; /* site, base when linked, semaphore */
	const char *str[3], *at = (const char *)desc + sizeof(va), *end = (const char *)desc + n;
	struct lmmsd_site site = {0};

	if (n < sizeof(va))
		return true;
	memcpy(va, desc, sizeof(va));
	for (size_t i = 0; i < 3; i++) {
		const char *nul = at < end ? memchr(at, '\0', (size_t)(end - at)) : NULL;

		if (!nul)
			return true;
		str[i] = at;
		at = nul + 1;
	}
	if (strcmp(str[0], "python") != 0)
		return true;
	if (strcmp(str[1], "import__find__load__start") == 0)
		site.kind = LMMSD_SITE_USDT_START;
	else if (strcmp(str[1], "import__find__load__done") == 0)
		site.kind = LMMSD_SITE_USDT_DONE;
	else
		return true;
	/* prelink moves sections, but not these notes: sdt.h leaves a mark to see by how far */
	site.va = base ? va[0] + (base - va[1]) : va[0];
	if (!target_usdt_arg(t->machine, &str[2], &site.arg[0]))
		return false;
	if (site.kind == LMMSD_SITE_USDT_DONE)
		(void)target_usdt_arg(t->machine, &str[2], &site.arg[1]);
	return target_add(t, f, &site, va[2] == 0 ? 0 : base ? va[2] + (base - va[1]) : va[2]);
}

static bool take_notes(struct target *t, const struct telf *f, const uint8_t *notes, size_t n,
		       uint64_t base)
{
	Elf64_Nhdr nh;
	bool ok = true;

	for (size_t at = 0; n - at >= sizeof(nh);) {
		uint64_t name, desc, next;

		memcpy(&nh, notes + at, sizeof(nh));
		name = at + sizeof(nh);
		desc = name + ((nh.n_namesz + 3ULL) & ~3ULL);
		next = desc + ((nh.n_descsz + 3ULL) & ~3ULL);
		if (desc > n || nh.n_descsz > n - desc)
			return ok;
		if (nh.n_type == NT_STAPSDT && nh.n_namesz == 8 &&
		    memcmp(notes + name, "stapsdt", 8) == 0)
			ok &= take_note(t, f, notes + desc, nh.n_descsz, base);
		if (next > n)
			return ok;
		at = next;
	}
	return ok;
}

int target_usdt(struct target *t, const struct telf *f, const char **ret_why)
{
	size_t first = t->n_sites, starts = 0, dones = 0;
	Elf64_Shdr sh, base = {0};
	_free_ uint8_t *notes = NULL;
	bool complete;

	*ret_why = "it was built without USDT probes (--with-dtrace)";
	if (telf_section(f, ".note.stapsdt", &sh) < 0 || sh.sh_size > MAX_NOTES || sh.sh_size == 0)
		return -ENOENT;
	(void)telf_section(f, ".stapsdt.base", &base);
	notes = malloc(sh.sh_size);
	if (!notes)
		return -ENOMEM;
	if (telf_read(f, sh.sh_offset, notes, sh.sh_size) < 0)
		return -ENOENT;
	complete = take_notes(t, f, notes, sh.sh_size, base.sh_addr);
	for (size_t i = first; i < t->n_sites; i++) {
		starts += t->site[i].site.kind == LMMSD_SITE_USDT_START;
		dones += t->site[i].site.kind == LMMSD_SITE_USDT_DONE;
	}
	if (starts > 0 && dones > 0 && complete)
		return 0;
	t->n_sites = first;
	*ret_why = starts + dones == 0 && complete ?
			   "it has no USDT probes for imports" :
			   "its USDT probes for imports are incomplete or of an unknown form";
	return -ENOENT;
}
