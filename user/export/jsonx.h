/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * What all JSON of lmmsd has in common: exact numbers, times, and objects written one after the other so that
 * memory does not grow with the profile. A failed allocation shows as an error of jsonx_write(): cJSON's
 * builders return NULL, and an item that is short of a key is never written.
 */
#pragma once
#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/buf.h"
#include "model/profile.h"

/* An object that remembers whether something could not be added. */
struct jsonx {
	cJSON *object; /* owned; NULL: out of memory */
	bool failed;
};

void jsonx_init(struct jsonx *j);
void jsonx_clear(struct jsonx *j);

/* s NULL: null. */
void jsonx_str(struct jsonx *j, const char *key, const char *s);
/* Its text; out of memory when it is that. */
void jsonx_buf(struct jsonx *j, const char *key, const struct buf *text);
void jsonx_bool(struct jsonx *j, const char *key, bool value);
void jsonx_null(struct jsonx *j, const char *key);
void jsonx_u64(struct jsonx *j, const char *key, uint64_t value);
void jsonx_i64(struct jsonx *j, const char *key, int64_t value);
/* What INT64_MAX ns (292 years) and more is: damage, and shown as that many. */
int64_t jsonx_ns(uint64_t ns);
/* ns as decimal ms or us with what digits it needs, never with an exponent. */
void jsonx_ms(struct jsonx *j, const char *key, int64_t ns);
void jsonx_us(struct jsonx *j, const char *key, int64_t ns);
/* At most 6 decimals, no exponent; what is no finite number is null. */
void jsonx_double(struct jsonx *j, const char *key, double value);
/* RFC 3339, UTC, ms. monotonic_ns + offset_ns = Unix time. */
void jsonx_time(struct jsonx *j, const char *key, uint64_t monotonic_ns, int64_t offset_ns);
/* Takes item; NULL counts as out of memory. */
void jsonx_take(struct jsonx *j, const char *key, cJSON *item);
/* Adds j's object to an array and clears j; *array becomes NULL on failure, which jsonx_take() then counts. */
void jsonx_append(cJSON **array, struct jsonx *j);
/* {"REASON": count, ...} of lost[LMMSD_LOST_MAX], zeros left out. NULL: out of memory. */
cJSON *jsonx_lost(const uint64_t *lost);

/* Writes {...} in one line without a newline. 0, -ENOMEM, or the error of the stream. */
int jsonx_write(const struct jsonx *j, FILE *out);
/* Writes {... without the closing brace, so that the caller can go on with ,"key":[...]}. */
int jsonx_write_open(const struct jsonx *j, FILE *out);

/* Names as in interface.md. Static. */
const char *jsonx_place(uint8_t place); /* "unknown" where it is not known */
const char *jsonx_kind(uint8_t kind);
const char *jsonx_status(uint8_t status);
const char *jsonx_tier(uint8_t tier);	/* NULL: none */
const char *jsonx_probe(uint8_t probe); /* NULL: not known */
