/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * How much work the programs are for the verifier. It is most of the time that lmmsd takes to start: 40,000 instructions are
 * 0.06 s of CPU. Where functions must be static (before 5.15) it walks six times as many; a kernel gives up at a million.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <bpf/libbpf.h>

#include "lmmsd.skel.h"
#include "probe/probe_int.h"
#include "rig.h"

#define MOST_ALL 46000 /* all programs together: 41,800 by clang 14, 45,000 by clang 23 */
#define MOST_STATIC 266000
#define LOG_SIZE 65536
#define MAX_PROGRAMS 16
#define LOG_STATS 4 /* BPF_LOG_STATS */

static void variant(bool old)
{
	struct lmmsd_bpf *skel = lmmsd_bpf__open();
	char *log[MAX_PROGRAMS] = {0};
	struct bpf_program *prog;
	unsigned long all = 0;
	bool storage = !old;
	size_t n = 0;

	assert_non_null(skel);
	if (old)
		probe_functions_static(skel->obj);
	skel->rodata->have_cookie = !old;
	skel->rodata->have_task_storage = storage;
	(void)bpf_map__set_autocreate(skel->maps.threads, storage);
	(void)bpf_map__set_autocreate(skel->maps.scratches, storage);
	(void)bpf_map__set_autocreate(skel->maps.cpu_threads, !storage);
	(void)bpf_map__set_autocreate(skel->maps.cpu_scratches, !storage);
	bpf_object__for_each_program(prog, skel->obj)
	{
		assert_true(n < MAX_PROGRAMS);
		log[n] = calloc(1, LOG_SIZE);
		assert_non_null(log[n]);
		assert_int_equal(bpf_program__set_log_level(prog, LOG_STATS), 0);
		assert_int_equal(bpf_program__set_log_buf(prog, log[n++], LOG_SIZE), 0);
	}
	assert_int_equal(lmmsd_bpf__load(skel), 0);
	assert_true(n >= 4);
	n = 0;
	bpf_object__for_each_program(prog, skel->obj)
	{
		const char *line = strstr(log[n], "processed ");
		unsigned long insns;

		assert_non_null(line);
		insns = strtoul(line + strlen("processed "), NULL, 10);
		print_message("%s, %s: %lu instructions\n", bpf_program__name(prog),
			      old ? "as on old kernels" : "as on new kernels", insns);
		assert_int_not_equal(insns, 0);
		all += insns;
		free(log[n++]);
	}
	assert_in_range(all, 1, old ? MOST_STATIC : MOST_ALL);
	lmmsd_bpf__destroy(skel);
}

static void instructions_processed(void **state)
{
	struct features f = rig_features();

	(void)state;
	if (f.task_storage && f.cookie)
		variant(false);
	variant(true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(instructions_processed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
