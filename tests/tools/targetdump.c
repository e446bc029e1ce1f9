/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* targetdump [usdt|callsite|entry] FILE...: what target_open() finds. For developers and tests. */
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "probe/target.h"

static const char *const kinds[LMMSD_SITE_KINDS] = {
	"?",	      "usdt_start", "usdt_done", "call_start", "call_done", "import",
	"import_ret", "body_start", "body_done", "ext_exec",   "compile",   "lazy_wake",
};

static const char *reg_name(uint16_t machine, uint16_t reg)
{
	static const char *const x86[] = {"r15", "r14",	 "r13", "r12", "rbp",	"rbx", "r11",
					  "r10", "r9",	 "r8",	"rax", "rcx",	"rdx", "rsi",
					  "rdi", "orig", "rip", "cs",  "flags", "rsp"};
	static char arm[8];

	if (machine == 62) /* EM_X86_64 */
		return reg / 8U < ARRAY_LEN(x86) ? x86[reg / 8U] : "?";
	(void)snprintf(arm, sizeof(arm), reg == 248 ? "sp" : "x%u", reg / 8U);
	return arm;
}

static void print_site(const struct target *t, const struct target_site *s)
{
	printf("  %-10s va 0x%" PRIx64 " offset 0x%" PRIx64, kinds[s->site.kind], s->site.va,
	       s->file_offset);
	if (s->sema_offset)
		printf(" sema 0x%" PRIx64, s->sema_offset);
	if (s->site.sp_delta)
		printf(" sp+0x%x", (unsigned int)s->site.sp_delta);
	if (s->site.method || s->site.method_proven)
		printf(" method %u%s", s->site.method, s->site.method_proven ? " proven" : "");
	for (size_t i = 0; i < ARRAY_LEN(s->site.arg); i++) {
		const struct lmmsd_arg *a = &s->site.arg[i];

		if (a->how == LMMSD_ARG_REG)
			printf(" %zu=%s:%u", i, reg_name(t->machine, a->reg), a->size);
		else if (a->how == LMMSD_ARG_MEM)
			printf(" %zu=%d(%s):%u", i, a->off, reg_name(t->machine, a->reg), a->size);
	}
	printf("\n");
}

static void print_target(const char *path, const struct target *t)
{
	static const char *const probes[] = {"none", "usdt", "callsite", "entry"};

	printf("%s: %s\n", path, t->is_python ? "python" : "no python");
	for (size_t i = 0; i < t->n_needed; i++)
		printf("  needs %s\n", t->needed[i]);
	if (t->runpath)
		printf("  runpath %s\n", t->runpath);
	if (t->refused)
		printf("  refused: %s\n", t->refused);
	if (!t->is_python || t->version == 0)
		return;
	printf("  version %s (0x%08x) machine %u probe %s flags 0x%x runtime 0x%" PRIx64
	       " tstate 0x%" PRIx64 "\n",
	       t->version_text, t->version, t->machine, probes[t->probe], t->interp_flags,
	       t->interp.runtime_va, t->interp.tstate_va);
	if (t->degraded)
		printf("  degraded: %s\n", t->degraded);
	for (size_t i = 0; i < t->n_sites; i++)
		print_site(t, &t->site[i]);
}

int main(int argc, char **argv)
{
	static const char *const wants[] = {"auto", "usdt", "callsite", "entry"};
	enum target_want want = TARGET_WANT_AUTO;
	int rc = 0;

	for (int i = 1; i < argc; i++) {
		_cleanup_(target_freep) struct target *t = NULL;
		_close_ int fd = -EBADF;
		bool is_want = false;
		int r;

		for (unsigned int k = 0; k < ARRAY_LEN(wants); k++)
			if (strcmp(argv[i], wants[k]) == 0) {
				want = (enum target_want)k;
				is_want = true;
			}
		if (is_want)
			continue;
		fd = open(argv[i], O_RDONLY | O_CLOEXEC);
		r = fd < 0 ? -errno : target_open(fd, argv[i], want, &t);
		if (r < 0) {
			printf("%s: %s\n", argv[i], strerror(-r));
			rc = 1;
		} else {
			print_target(argv[i], t);
		}
	}
	return rc;
}
