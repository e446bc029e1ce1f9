/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Starting the process that reads the files. */
#include <cap-ng.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <sys/prctl.h>

#include "app/lookup.h"
#include "app/lookup_wire.h"
#include "base/log.h"

/*
 * The right to read every file survives exec, as far as we have it ourselves. A daemon that gave up its other rights
 * has an empty bounding set, which would leave a root without any.
 */
static void pass_on_reading(bool on)
{
	const capng_act_t act = on ? CAPNG_ADD : CAPNG_DROP;

	if (capng_get_caps_process()) {
		log_warning("cannot read lmmsd's capabilities: the process that reads files "
			    "may not read all");
		return;
	}
	if (!capng_have_capability(CAPNG_PERMITTED, CAP_DAC_READ_SEARCH))
		return;
	if (capng_update(act, CAPNG_INHERITABLE, CAP_DAC_READ_SEARCH) ||
	    capng_apply(CAPNG_SELECT_CAPS) ||
	    prctl(PR_CAP_AMBIENT, on ? PR_CAP_AMBIENT_RAISE : PR_CAP_AMBIENT_LOWER,
		  CAP_DAC_READ_SEARCH, 0, 0))
		log_warning("cannot %s: %s",
			    on ? "pass CAP_DAC_READ_SEARCH to the process that reads files" :
				 "make CAP_DAC_READ_SEARCH not inheritable again",
			    on ? "it cannot read some files" : "programs that run later get it");
}

/*
 * Of its own process group: a terminal's Ctrl-C is not for it, nor is what systemd sends to every process of a unit that
 * stops. It ends with its socket. Of our files it gets that one, and no BPF link.
 */
static int spawn(int fd, pid_t *ret)
{
	char name[] = "lmmsd", argument[] = LOOKUP_ARGUMENT;
	char *argv[] = {name, argument, NULL}, *envp[] = {NULL};
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t blocked, all;
	int r;

	(void)sigemptyset(&blocked);
	(void)sigaddset(&blocked, SIGTERM);
	(void)sigaddset(&blocked, SIGINT);
	(void)sigaddset(&blocked, SIGHUP);
	(void)sigfillset(&all);
	(void)posix_spawn_file_actions_init(&files);
	(void)posix_spawnattr_init(&attr);
	r = posix_spawn_file_actions_adddup2(&files, fd, LOOKUP_FD);
	for (int i = 0; !r && i < 3; i++)
		r = posix_spawn_file_actions_addopen(&files, i, "/dev/null", O_RDWR, 0);
	if (!r)
		r = posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
							    POSIX_SPAWN_SETSIGDEF);
	(void)posix_spawnattr_setpgroup(&attr, 0);
	(void)posix_spawnattr_setsigmask(&attr, &blocked);
	(void)posix_spawnattr_setsigdefault(&attr, &all);
	if (!r)
		r = posix_spawn(ret, "/proc/self/exe", &files, &attr, argv, envp);
	(void)posix_spawnattr_destroy(&attr);
	(void)posix_spawn_file_actions_destroy(&files);
	return -r;
}

int lookup_spawn(int fd, pid_t *ret)
{
	int r;

	pass_on_reading(true);
	r = spawn(fd, ret);
	pass_on_reading(false);
	return r;
}
