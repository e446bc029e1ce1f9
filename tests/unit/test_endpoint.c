/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* app/endpoint: where events for CloudWatch go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "app/endpoint.h"

static void good(const char *text, enum endpoint_kind kind, const char *host_or_path, int port)
{
	_endpoint_ struct endpoint e = {0};
	_buf_ struct buf error = {0};

	if (endpoint_parse(text, &e, &error))
		fail_msg("'%s': %s", text, buf_str(&error));
	assert_int_equal(e.kind, kind);
	assert_int_equal(e.port, port);
	if (!host_or_path)
		assert_true(!e.host && !e.path);
	else
		assert_string_equal(kind == ENDPOINT_FILE ? e.path : e.host, host_or_path);
	assert_string_equal(buf_str(&error), "");
}

static void bad(const char *text, const char *has)
{
	struct endpoint e = {.port = 7};
	_buf_ struct buf error = {0};

	assert_int_equal(endpoint_parse(text, &e, &error), -EINVAL);
	if (!strstr(buf_str(&error), has))
		fail_msg("for '%s' it says: %s", text, buf_str(&error));
	assert_true(e.port == 7 && !e.host && !e.path);
}

static void test_good(void **state _unused_)
{
	good("off", ENDPOINT_OFF, NULL, 0);
	good("stdout", ENDPOINT_STDOUT, NULL, 0);
	good("tcp://127.0.0.1:25888", ENDPOINT_TCP, "127.0.0.1", 25888);
	good("udp://cwagent.example-1_a:9", ENDPOINT_UDP, "cwagent.example-1_a", 9);
	good("tcp://localhost", ENDPOINT_TCP, "localhost", 25888);
	good("tcp://localhost/", ENDPOINT_TCP, "localhost", 25888);
	good("tcp://0.0.0.0:65535/", ENDPOINT_TCP, "0.0.0.0", 65535);
	good("udp://[::1]:1", ENDPOINT_UDP, "::1", 1);
	good("udp://[fe80::1]", ENDPOINT_UDP, "fe80::1", 25888);
	good("file:///var/log/lmmsd/emf.log", ENDPOINT_FILE, "/var/log/lmmsd/emf.log", 0);
	good("/var/log/a b", ENDPOINT_FILE, "/var/log/a b", 0);
}

static void test_bad(void **state _unused_)
{
	char host[512] = "tcp://", path[5000] = "/";

	bad("", "none of tcp://HOST:PORT");
	bad("127.0.0.1:25888", "none of");
	bad("http://127.0.0.1:25888", "none of");
	bad("TCP://127.0.0.1", "none of");
	bad("stdout ", "none of");
	bad("tcp://", "no host");
	bad("tcp://:25888", "no host");
	bad("tcp://::1:25888", "no host");
	bad("tcp://[::1", "no host");
	bad("tcp://[1.2.3.4]:1", "no host");
	bad("tcp://[]:1", "no host");
	bad("tcp://[::1%lo]:1", "no host");
	bad("tcp://a:", "no port");
	bad("tcp://a:0", "no port");
	bad("tcp://a:65536", "no port");
	bad("tcp://a:-1", "no port");
	bad("tcp://a:1x", "no port");
	bad("tcp://a:99999999999999999999", "no port");
	bad("tcp://a:1/x", "goes on");
	bad("tcp://a@b:1", "goes on");
	bad("tcp://a b:1", "goes on");
	bad("tcp://a?b", "goes on");
	bad("tcp://[::1]x", "goes on");
	bad("file://relative", "no absolute path");
	bad("file://", "no absolute path");
	bad("/", "no absolute path");
	bad("/var/log/", "no absolute path");
	memset(host + 6, 'a', 254);
	bad(host, "no host");
	memset(path + 1, 'a', sizeof(path) - 2);
	bad(path, "no absolute path");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
