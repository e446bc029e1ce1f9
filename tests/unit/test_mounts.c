/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* app/mounts: which part of a path is a mount that waits for others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "app/mounts.h"

static const char text[] =
	"22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
	"23 22 0:21 / /proc rw shared:5 - proc proc rw\n"
	"40 22 8:2 / /srv/h rw shared:9 - ext4 /dev/sda2 rw\n"
	"41 40 0:50 / /srv/h/ann rw shared:10 - nfs4 server:/ann rw,addr=192.0.2.1\n"
	"42 40 0:51 / /srv/h/a\\040b rw - fuse.sshfs x rw\n"
	"43 22 0:52 / /mnt/top rw - nfs server:/x rw\n"
	"44 43 8:3 / /mnt/top rw - ext4 /dev/sda3 rw\n"
	"45 40 0:53 / /srv/h/with - dash rw - cifs //s/x rw\n";

static void test_foreign(void **state)
{
	(void)state;
	assert_int_equal(mounts_foreign_in(text, "/usr/bin"), 0);
	assert_int_equal(mounts_foreign_in(text, "/srv/h/bob"), 0);
	assert_int_equal(mounts_foreign_in(text, "/srv/h/ann"), 10);
	assert_int_equal(mounts_foreign_in(text, "/srv/h/ann/x"), 10);
	assert_int_equal(mounts_foreign_in(text, "/srv/h/annabel"), 0);
	assert_int_equal(mounts_foreign_in(text, "/srv/h/a b/x"), 10);
	/* the last that was mounted there is on top */
	assert_int_equal(mounts_foreign_in(text, "/mnt/top/x"), 0);
}

static void test_broken(void **state)
{
	char part[sizeof(text)];

	(void)state;
	assert_int_equal(mounts_foreign_in("", "/home"), 0);
	assert_int_equal(mounts_foreign_in("\n\n", "/home"), 0);
	for (size_t i = 0; i < sizeof(text); i++) {
		memcpy(part, text, i);
		part[i] = '\0';
		(void)mounts_foreign_in(part, "/srv/h/ann");
	}
}

static void test_mount_of_fd(void **state)
{
	int root = open("/", O_PATH), proc = open("/proc", O_PATH);

	(void)state;
	assert_true(mounts_of(root) != 0);
	assert_true(mounts_of(root) != mounts_of(proc));
	assert_int_equal(mounts_of(9999), 0);
	(void)close(root);
	(void)close(proc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_foreign),
		cmocka_unit_test(test_broken),
		cmocka_unit_test(test_mount_of_fd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
