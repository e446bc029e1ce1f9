/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "export/jsonx.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"

void jsonx_init(struct jsonx *j)
{
	*j = (struct jsonx){.object = cJSON_CreateObject()};
	j->failed = !j->object;
}

void jsonx_clear(struct jsonx *j)
{
	cJSON_Delete(j->object);
	*j = (struct jsonx){0};
}

void jsonx_take(struct jsonx *j, const char *key, cJSON *item)
{
	if (item && j->object && cJSON_AddItemToObject(j->object, key, item))
		return;
	cJSON_Delete(item);
	j->failed = true;
}

void jsonx_str(struct jsonx *j, const char *key, const char *s)
{
	jsonx_take(j, key, s ? cJSON_CreateString(s) : cJSON_CreateNull());
}

void jsonx_buf(struct jsonx *j, const char *key, const struct buf *text)
{
	jsonx_take(j, key, buf_error(text) ? NULL : cJSON_CreateString(buf_str(text)));
}

void jsonx_bool(struct jsonx *j, const char *key, bool value)
{
	jsonx_take(j, key, cJSON_CreateBool(value));
}

void jsonx_null(struct jsonx *j, const char *key)
{
	jsonx_take(j, key, cJSON_CreateNull());
}

/* Numbers go in as text: cJSON's own are doubles, which lose u64 and turn 1 ns into "1e-06" ms. */
void jsonx_u64(struct jsonx *j, const char *key, uint64_t value)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "%" PRIu64, value);
	jsonx_take(j, key, cJSON_CreateRaw(text));
}

void jsonx_i64(struct jsonx *j, const char *key, int64_t value)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "%" PRId64, value);
	jsonx_take(j, key, cJSON_CreateRaw(text));
}

int64_t jsonx_ns(uint64_t ns)
{
	return ns > INT64_MAX ? INT64_MAX : (int64_t)ns;
}

static void trim_zeros(char *text)
{
	size_t len = strlen(text);

	while (len && text[len - 1] == '0')
		text[--len] = '\0';
	if (len && text[len - 1] == '.')
		text[--len] = '\0';
}

static void add_decimal(struct jsonx *j, const char *key, int64_t value, uint64_t unit, int digits)
{
	uint64_t magnitude = value < 0 ? -(uint64_t)value : (uint64_t)value;
	char text[48];

	(void)snprintf(text, sizeof(text), "%s%" PRIu64 ".%0*" PRIu64, value < 0 ? "-" : "",
		       magnitude / unit, digits, magnitude % unit);
	trim_zeros(text);
	jsonx_take(j, key, cJSON_CreateRaw(text));
}

void jsonx_ms(struct jsonx *j, const char *key, int64_t ns)
{
	add_decimal(j, key, ns, 1000000, 6);
}

void jsonx_us(struct jsonx *j, const char *key, int64_t ns)
{
	add_decimal(j, key, ns, 1000, 3);
}

void jsonx_double(struct jsonx *j, const char *key, double value)
{
	char text[64];

	if (!isfinite(value) || fabs(value) >= 1e18) {
		jsonx_null(j, key);
		return;
	}
	(void)snprintf(text, sizeof(text), "%.6f", value);
	trim_zeros(text);
	jsonx_take(j, key, cJSON_CreateRaw(strcmp(text, "-0") ? text : "0"));
}

void jsonx_time(struct jsonx *j, const char *key, uint64_t monotonic_ns, int64_t offset_ns)
{
	int64_t ns, ms;
	struct tm tm;
	time_t s;
	char date[40], text[64];

	if (__builtin_add_overflow(offset_ns, monotonic_ns, &ns)) {
		jsonx_null(j, key);
		return;
	}
	ms = ns / 1000000 - (ns % 1000000 < 0);
	s = (time_t)(ms / 1000 - (ms % 1000 < 0));
	if (!gmtime_r(&s, &tm) || !strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm)) {
		jsonx_null(j, key);
		return;
	}
	(void)snprintf(text, sizeof(text), "%s.%03dZ", date, (int)(ms - (int64_t)s * 1000));
	jsonx_str(j, key, text);
}

static const char *const reason_names[] = {
#define NAME(id, name, cure) name,
	LMMSD_REASONS(NAME)
#undef NAME
};

void jsonx_append(cJSON **array, struct jsonx *j)
{
	if (*array && !j->failed && cJSON_AddItemToArray(*array, j->object)) {
		j->object = NULL;
	} else {
		cJSON_Delete(*array);
		*array = NULL;
	}
	jsonx_clear(j);
}

cJSON *jsonx_lost(const uint64_t *lost)
{
	struct jsonx j;

	jsonx_init(&j);
	for (size_t i = 0; i < LMMSD_LOST_MAX; i++)
		if (lost[i])
			jsonx_u64(&j, reason_names[i], lost[i]);
	if (j.failed)
		jsonx_clear(&j);
	return j.object;
}

static int write_object(const struct jsonx *j, bool close, FILE *out)
{
	char *text;
	size_t len;
	int r = 0;

	if (j->failed)
		return -ENOMEM;
	text = cJSON_PrintUnformatted(j->object);
	if (!text)
		return -ENOMEM;
	len = strlen(text) - (close ? 0 : 1);
	errno = 0;
	if (fwrite(text, 1, len, out) != len)
		r = errno ? -errno : -EIO;
	cJSON_free(text);
	return r;
}

int jsonx_write(const struct jsonx *j, FILE *out)
{
	return write_object(j, true, out);
}

int jsonx_write_open(const struct jsonx *j, FILE *out)
{
	return write_object(j, false, out);
}

const char *jsonx_place(uint8_t place)
{
	static const char *const names[LMMSD_PLACE_MAX] = {
		[LMMSD_PLACE_UNKNOWN] = "unknown",   [LMMSD_PLACE_MODULE] = "module",
		[LMMSD_PLACE_FUNCTION] = "function", [LMMSD_PLACE_CLASS] = "class",
		[LMMSD_PLACE_DYNAMIC] = "dynamic",   [LMMSD_PLACE_LAZY] = "lazy",
	};

	return place < LMMSD_PLACE_MAX ? names[place] : names[LMMSD_PLACE_UNKNOWN];
}

const char *jsonx_kind(uint8_t kind)
{
	static const char *const names[LMMSD_KIND_MAX] = {
		[LMMSD_KIND_UNKNOWN] = "unknown",     [LMMSD_KIND_SOURCE] = "source",
		[LMMSD_KIND_BYTECODE] = "bytecode",   [LMMSD_KIND_BUILTIN] = "builtin",
		[LMMSD_KIND_FROZEN] = "frozen",	      [LMMSD_KIND_EXTENSION] = "extension",
		[LMMSD_KIND_NAMESPACE] = "namespace",
	};

	return kind < LMMSD_KIND_MAX ? names[kind] : names[LMMSD_KIND_UNKNOWN];
}

const char *jsonx_status(uint8_t status)
{
	return status == MDL_LOADED ? "loaded" : status == MDL_FAILED ? "failed" : "seen";
}

const char *jsonx_tier(uint8_t tier)
{
	return tier == MDL_MODULE_LEVEL	  ? "MODULE_LEVEL" :
	       tier == MDL_FUNCTION_LEVEL ? "FUNCTION_LEVEL" :
					    NULL;
}

const char *jsonx_probe(uint8_t probe)
{
	switch (probe) {
	case LMMSD_PROBE_USDT:
		return "usdt";
	case LMMSD_PROBE_CALLSITE:
		return "callsite";
	case LMMSD_PROBE_ENTRY:
		return "entry";
	default:
		return NULL;
	}
}
