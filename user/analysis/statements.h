/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * `import a.b` loads a as well, and only for the sake of a.b: who asked for both in one statement leads to a.b, and a.b
 * to a. Kept as an importer of a of its own, it would make a look needed by others than a.b. Pure.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct statement {
	uintptr_t importer; /* any number that stands for it */
	const char *module; /* borrowed */
	const char *file;   /* borrowed; NULL: not known */
	int32_t line;	    /* 0: not known */
	bool once;	    /* it loaded the module, and ran no more than once a start */
	bool implied;	    /* filled in: the same statement imports a submodule of module */
};

/* 0, -ENOMEM. */
int statements_imply(struct statement *statements, size_t n);
