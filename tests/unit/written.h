/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* What the writers of reviews and answers write, as text or JSON. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/fake_review.h"
#include "unit/has.h"
#include "unit/render.h"

static struct fr r;

static inline int set_up(void **state)
{
	(void)state;
	fr_init(&r, 4);
	return 0;
}

static inline int tear_down(void **state)
{
	(void)state;
	fr_free(&r);
	return 0;
}

/* What a stream in memory wrote; behind a call, where gcc does not take it for a pointer into the macro's scope. */
struct memory {
	char *text;
	size_t len;
};

__attribute__((noinline)) static char *taken(struct memory *m)
{
	return m->text;
}

/* What `call`, which writes to `out`, writes. */
#define WRITTEN(call)                                                                              \
	({                                                                                         \
		struct memory m_ = {NULL, 0};                                                      \
		FILE *out = open_memstream(&m_.text, &m_.len);                                     \
		assert_non_null(out);                                                              \
		assert_int_equal(call, 0);                                                         \
		assert_int_equal(fclose(out), 0);                                                  \
		taken(&m_);                                                                        \
	})

static inline cJSON *parsed(const char *text)
{
	const char *end = NULL;
	cJSON *json = cJSON_ParseWithOpts(text, &end, false);

	if (!json)
		fail_msg("no JSON from: %s", end);
	assert_string_equal(end, "\n");
	return json;
}

static inline void json_delete(cJSON **json)
{
	cJSON_Delete(*json);
}

#define _json_ _cleanup_(json_delete)

/* Nothing that moves a terminal's cursor or turns its text round. */
static inline void is_tame(const char *text)
{
	for (const char *p = text; *p; p++)
		if ((uint8_t)*p < 0x20 && *p != '\n')
			fail_msg("control character %d in:\n%s", *p, text);
	has_not(text, "\xe2\x80\xae");
}
