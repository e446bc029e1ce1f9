/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
// wrap: malloc calloc realloc reallocarray strdup strndup
/* base/intern: one copy of each string. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/intern.h"
#include "lmmsd/event.h"
#include "unit/no_memory.h"

static void test_intern(void **state _unused_)
{
	const char *first[5000];
	struct intern *p;
	char name[32], big[40000];

	assert_int_equal(intern_new(&p), 0);
	for (int i = 0; i < 5000; i++) {
		(void)snprintf(name, sizeof(name), "module_%d", i);
		first[i] = intern_str(p, name);
		assert_string_equal(first[i], name);
	}
	for (int i = 0; i < 5000; i++) {
		(void)snprintf(name, sizeof(name), "module_%d", i);
		assert_ptr_equal(intern_str(p, name), first[i]);
	}
	memset(big, 'x', sizeof(big));
	const char *s = intern_strn(p, big, sizeof(big));
	assert_int_equal(strlen(s), sizeof(big));
	assert_ptr_equal(intern_strn(p, big, sizeof(big)), s);
	assert_ptr_not_equal(intern_strn(p, big, sizeof(big) - 1), s);
	assert_string_equal(intern_str(p, ""), "");
	assert_ptr_equal(intern_strn(p, "module_7xx", 8), first[7]);
	assert_null(intern_free(p));
	assert_null(intern_free(NULL));
}

static void test_intern_without_memory(void **state _unused_)
{
	struct intern *p = NULL;
	char name[32];
	int failed = 0;

	for (long n = 0; n < 2; n++) {
		nomem_from(n);
		assert_int_equal(intern_new(&p), -ENOMEM);
		assert_null(p);
		(void)nomem_end();
	}
	assert_int_equal(intern_new(&p), 0);
	for (int i = 0; i < 1000; i++) {
		(void)snprintf(name, sizeof(name), "m%d", i);
		if (i % 2 == 0)
			nomem_from(0);
		const char *s = intern_str(p, name);
		(void)nomem_end();
		failed += !s;
		assert_string_equal(intern_str(p, name), name);
	}
	assert_true(failed >= 3); /* the first chunk, and each time that the table grows */
	(void)intern_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_intern),
		cmocka_unit_test(test_intern_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
