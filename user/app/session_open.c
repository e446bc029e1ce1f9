/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "app/session_open.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "app/options.h"
#include "base/buf.h"
#include "base/fdio.h"
#include "base/log.h"

#define QUEUE_BYTES (64u << 20)

static int refuse(int code, const char *what, int *ret_exit_code)
{
	log_error("%s", what);
	*ret_exit_code = code;
	return -EOPNOTSUPP;
}

/* "none integrity [confidentiality]": then programs may not read the kernel's memory, and none of ours loads. */
static bool locked_down(void)
{
	_buf_ struct buf text = {0};

	return !fdio_read_file(AT_FDCWD, "/sys/kernel/security/lockdown", 256, &text) &&
	       strstr(buf_str(&text), "[confidentiality]");
}

static int lacks_something(int *ret_exit_code)
{
	return refuse(EXIT_NOT_SUPPORTED,
		      "this kernel lacks what lmmsd needs: 'lmmsd --check' says what",
		      ret_exit_code);
}

static int check_features(struct features *f, int *ret_exit_code)
{
	feature_probe_for_load(f);
	if (locked_down())
		return refuse(
			EXIT_NOT_SUPPORTED,
			"this kernel is locked down, which forbids BPF programs to read it: boot with lockdown=integrity or none",
			ret_exit_code);
	if (!f->permitted && geteuid() == 0 && (f->error == -EPERM || f->error == -EACCES))
		return refuse(
			EXIT_NOT_PERMITTED,
			"not permitted to load BPF programs, though as root: a container needs CAP_BPF and CAP_PERFMON (--privileged), and a seccomp profile that has bpf(2)",
			ret_exit_code);
	if (!f->permitted && (f->error == -EPERM || f->error == -EACCES))
		return refuse(
			EXIT_NOT_PERMITTED,
			"not permitted to load BPF programs: run as root, or with CAP_BPF and CAP_PERFMON",
			ret_exit_code);
	if (!f->permitted)
		return refuse(EXIT_NOT_SUPPORTED,
			      "this kernel has no BPF: 'lmmsd --check' says what is missing",
			      ret_exit_code);
	if (!f->btf)
		return refuse(
			EXIT_NOT_SUPPORTED,
			"this kernel has no type information (/sys/kernel/btf/vmlinux): it needs CONFIG_DEBUG_INFO_BTF",
			ret_exit_code);
	if (!f->ringbuf || !f->tp_btf || (!f->uprobe_multi && !f->perf_uprobe))
		return lacks_something(ret_exit_code);
	return 0;
}

static struct session_params params_of(const struct config *c, FILE *record)
{
	struct session_params p = {
		.probe =
			{
				.ring_bytes = (size_t)c->limits.ring_kib * 1024,
				.max_use_keys = (size_t)c->limits.max_use_keys,
				.max_procs = (size_t)c->limits.max_procs,
				.filter_pids = c->mode == CONFIG_PIDS || c->mode == CONFIG_COMMAND,
				.filter_uid = c->uid_given,
				.uid = c->uid,
				.usage = c->usage,
			},
		.limits = graph_default_limits,
		.want = (enum target_want)c->probe,
		.max_interpreters = (size_t)c->limits.max_interpreters,
		.queue_bytes = QUEUE_BYTES,
		.facts = true,
		.record = record,
	};

	p.limits.processes = (size_t)c->limits.max_procs;
	p.limits.loads = (size_t)c->limits.max_loads;
	p.limits.modules = (size_t)c->limits.max_modules;
	p.limits.edges = (size_t)c->limits.max_edges;
	p.limits.depth = (size_t)c->limits.max_depth;
	return p;
}

/* -EACCES is how the verifier refuses; what is not permitted was found out before. */
static int say_failed(const char *what, int r, int *ret_exit_code)
{
	struct features f;

	if (r == -ECANCELED)
		return r;
	feature_probe(&f);
	if (!f.tp_btf && r != -ENOMEM && r != -EPERM)
		return lacks_something(ret_exit_code);
	log_error("%s: %s: %s", what, strerror(-r),
		  r == -EPERM ? "run as root, or see 'lmmsd --check'" :
				"'lmmsd -v' has the kernel's reasons");
	*ret_exit_code = r == -EPERM  ? EXIT_NOT_PERMITTED :
			 r == -ENOMEM ? EXIT_INTERNAL :
					EXIT_NOT_SUPPORTED;
	return r;
}

int session_open(const struct config *c, FILE *record, struct session **ret, int *ret_exit_code)
{
	struct session_params p = params_of(c, record);
	const char *what;
	int r = check_features(&p.probe.features, ret_exit_code);

	if (r)
		return r;
	r = session_begin(&p, ret, &what);
	return r ? say_failed(what, r, ret_exit_code) : 0;
}

int session_open_load(struct session *s, int stop_fd, int *ret_exit_code)
{
	const char *what;
	int r = session_load(s, stop_fd, &what);

	return r ? say_failed(what, r, ret_exit_code) : 0;
}

void session_say_watching(struct session *s)
{
	struct watch *w = session_watch(s);
	_buf_ struct buf list = {0};
	struct watch_interp in;
	size_t shown = 0, n = watch_attached(w);

	if (watch_unreadable(w))
		log_debug("%llu files that may hold a Python could not be read",
			  (unsigned long long)watch_unreadable(w));
	for (size_t i = 0; watch_interp(w, i, &in) && shown < 8; i++)
		if (in.id)
			buf_addf(&list, "%s%s %s", shown++ ? ", " : "", in.version_text,
				 in.probe == LMMSD_PROBE_USDT	  ? "usdt" :
				 in.probe == LMMSD_PROBE_CALLSITE ? "callsite" :
								    "entry: costly");
	if (n > shown)
		buf_adds(&list, ", …");
	if (watch_held(w))
		buf_addf(&list, "; %zu more follow", watch_held(w));
	log_info("watching %zu interpreter%s (%s)", n, n == 1 ? "" : "s",
		 n ? buf_str(&list) : "none yet");
}
