/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* app/lookup_serve: a reader that cannot give up its rights touches no file. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <cmocka.h>

#include <cap-ng.h>

#include "app/lookup.h"
#include "app/lookup_wire.h"
#include "base/cleanup.h"

// wrap: capng_apply

static bool applies;

int __real_capng_apply(capng_select_t set);
int __wrap_capng_apply(capng_select_t set);

int __wrap_capng_apply(capng_select_t set)
{
	return applies ? __real_capng_apply(set) : -1;
}

/* serve() is the other process; its end is the exit status. */
static pid_t serve(int ours, int theirs)
{
	pid_t pid = fork();

	if (pid == 0) {
		(void)close(ours);
		if (theirs != LOOKUP_FD && dup2(theirs, LOOKUP_FD) < 0)
			_exit(99);
		if (theirs != LOOKUP_FD)
			(void)close(theirs);
		_exit(lookup_serve());
	}
	(void)close(theirs);
	return pid;
}

/* Asks for '/' to be opened; the error in the answer. */
static uint32_t ask_to_open(void)
{
	const struct lookup_ask ask = {.what = LOOKUP_OPEN, .bytes = 1};
	struct {
		uint32_t none;
		struct lookup_end end;
	} answer = {.none = 1};
	int pair[2], status;
	pid_t pid;

	/* not LOOKUP_FD itself: the child closes ours */
	assert_return_code(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), errno);
	pid = serve(pair[0], pair[1]);
	assert_return_code(pid, errno);
	assert_int_equal(write(pair[0], &ask, sizeof(ask)), sizeof(ask));
	assert_int_equal(write(pair[0], "/", 1), 1);
	assert_int_equal(recv(pair[0], &answer, sizeof(answer), MSG_WAITALL), sizeof(answer));
	(void)close(pair[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(answer.none, 0);
	return answer.end.error;
}

static void test_keeps_rights(void **state)
{
	(void)state;
	applies = false;
	assert_int_equal(ask_to_open(), EPERM);
}

/* The same question, without a root to look in. */
static void test_gave_rights_up(void **state)
{
	(void)state;
	applies = true;
	assert_int_equal(ask_to_open(), EBADF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keeps_rights),
		cmocka_unit_test(test_gave_rights_up),
	};

	return cmocka_run_group_tests_name("lookup_serve", tests, NULL, NULL);
}
