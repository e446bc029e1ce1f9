/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * A command that is started held, so that everything can be attached before its first instruction, and then runs as
 * if the invoking shell had started it: its own user, stdio, signals and limits.
 */
#pragma once
#include <signal.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/types.h>

/* What the invoking shell gave us, to pass on: taken first thing in main(), before anything of it is changed. */
struct launch_origin {
	sigset_t mask;
	sigset_t ignored;
	struct rlimit nofile, memlock;
};
void launch_origin_save(struct launch_origin *ret);
/* What ends or reloads us is blocked from here on, to be read by the event loop: before the first thread. No SIGPIPE. */
void launch_signals_to_loop(void);

struct launch;
/*
 * Forks the held child, which looks for the program first, as the user that it will be. argv: ends with NULL, borrowed
 * until launch_release(). origin: NULL: all signals default, limits as ours now. As root with SUDO_UID and SUDO_GID in
 * the environment it is that user with its groups and home; -EINVAL: these two are no numbers. -ENOENT, -EACCES and
 * the like: there is no program to start. -EINTR: a signal of launch_signals_to_loop() waits. Other errors: fork's,
 * pipe's.
 */
int launch_prepare(char *const argv[], const struct launch_origin *origin, struct launch **ret);
/* Lets it go, and waits for its execve(). 0, or the negative errno for which it could not start. Call it once. */
int launch_release(struct launch *l);
/* Exit code for launch_release()'s error; *ret_why: what to say behind "cannot start 'COMMAND': ". Static. */
int launch_error(int r, const char **ret_why);
pid_t launch_pid(const struct launch *l);
int launch_wait_fd(const struct launch *l); /* a pidfd, borrowed: readable when it ended */
/* 0: it ended, *ret_status as from wait(2). -EAGAIN: it runs. */
int launch_status(struct launch *l, int *ret_status);
/* As a shell reports it: the exit status, or 128 + signal. */
int launch_exit_code(int status);
int launch_signal(struct launch *l, int sig); /* -ESRCH: it ended */
/* A child that is still held ends without having run anything, now or when it can; one that runs goes on. */
struct launch *launch_free(struct launch *l); /* NULL */
static inline void launch_freep(struct launch **l)
{
	(void)launch_free(*l);
}

/* The program that execvp() would start. 0: owned path. -ENOENT, -EACCES and the like: there is none; -ENOMEM. */
int launch_resolve(const char *name, char **ret);
/*
 * The ELF files that argv is going to run, as far as the files tell: argv[0] through PATH, then through "#!" lines
 * ("#!/usr/bin/env -S python3 -u" too), and programs among the arguments ("timeout 5 python3 x.py"). Nothing is
 * executed. Owned array of owned paths without symbolic links, each once; free with launch_paths_free().
 */
int launch_interpreters(char *const argv[], char ***ret, size_t *ret_n);
void launch_paths_free(char **paths, size_t n);
