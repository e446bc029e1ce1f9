/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* What was written to stdout and stderr meanwhile: messages of base/log, and answers. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

static struct {
	int fd[2], kept[2]; /* of stdout and stderr */
	char text[2][65536];
} said;
#define SAID_OUT said.text[0]
#define SAID said.text[1]

static inline void said_begin(void)
{
	(void)fflush(NULL);
	for (int i = 0; i < 2; i++) {
		said.kept[i] = dup(i + 1);
		said.fd[i] = memfd_create("said", MFD_CLOEXEC);
		assert_true(said.kept[i] >= 0 && said.fd[i] >= 0);
		assert_int_equal(dup2(said.fd[i], i + 1), i + 1);
	}
}

/* From here on SAID_OUT and SAID have it. */
static inline void said_end(void)
{
	ssize_t n[2];

	(void)fflush(NULL);
	for (int i = 0; i < 2; i++) {
		n[i] = pread(said.fd[i], said.text[i], sizeof(said.text[i]) - 1, 0);
		(void)dup2(said.kept[i], i + 1);
		(void)close(said.kept[i]);
		(void)close(said.fd[i]);
	}
	for (int i = 0; i < 2; i++) {
		assert_true(n[i] >= 0);
		said.text[i][n[i]] = '\0';
	}
}
