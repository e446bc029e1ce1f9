/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Shared by the files of appid only: what a command line of python runs, and what a cgroup path says. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#define APPID_MAX_ARGS 256

struct appid_args {
	const char *arg[APPID_MAX_ARGS]; /* borrowed */
	size_t n;
};
/* Takes argv strings apart; what follows the last NUL is no argument. Empty ones at the end go. */
void appid_split(const char *cmdline, size_t len, struct appid_args *ret);

enum appid_what { APPID_RUNS_NOTHING, APPID_RUNS_CODE, APPID_RUNS_MODULE, APPID_RUNS_SCRIPT };
/* What python runs when called with args from number `first` on. *ret_name: module or script, borrowed. */
enum appid_what appid_python(const struct appid_args *args, size_t first, const char **ret_name);
/* Number of the argument that is the program when the dynamic loader was called by hand: "ld.so [options] program". */
size_t appid_loader_program(const struct appid_args *args);

/* Is it the file name of an interpreter: python, python3.11, python3.13t? */
bool appid_is_python(const char *path);
const char *appid_base(const char *path);

/* "shop.service" of a cgroup path; false: none. */
bool appid_unit(const char *cgroup, const char **ret, size_t *ret_len);
bool appid_container(const char *cgroup, const char **ret, size_t *ret_len);
