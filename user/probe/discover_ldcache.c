/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * glibc's ld.so.cache (elf/cache.c, sysdeps/generic/dl-cache.h). The new format is 48 bytes of header and 24-byte
 * entries whose offsets count from the header; up to glibc 2.31 it may follow the old one (16 bytes, 12-byte entries),
 * aligned to 8.
 */
#include <limits.h>
#include <string.h>

#include "probe/discover_int.h"

#define OLD_MAGIC "ld.so-1.7.0"
#define OLD_HEADER 16
#define OLD_ENTRY 12
#define NEW_MAGIC "glibc-ld.so.cache1.1"
#define NEW_HEADER 48
#define NEW_ENTRY 24
#define MAX_MATCHES 64 /* entries of one name that are looked at */

static uint32_t get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* A path that ends inside the file, or NULL. */
static const char *get_path(const uint8_t *base, size_t len, uint32_t offset)
{
	size_t room;

	if (offset >= len)
		return NULL;
	room = len - offset < PATH_MAX ? len - offset : PATH_MAX;
	return memchr(base + offset, '\0', room) ? (const char *)base + offset : NULL;
}

size_t discover_ldcache(const uint8_t *cache, size_t len, const char *name, const char *found[],
			size_t max)
{
	size_t n = 0, matches = 0, entries, name_size = strlen(name) + 1;

	if (len >= OLD_HEADER && memcmp(cache, OLD_MAGIC, strlen(OLD_MAGIC)) == 0) {
		size_t skip = OLD_HEADER + (size_t)get32(cache + 12) * OLD_ENTRY;

		skip = (skip + 7) & ~(size_t)7;
		if (skip >= len)
			return 0;
		cache += skip;
		len -= skip;
	}
	if (name_size > NAME_MAX + 1 || len < NEW_HEADER ||
	    memcmp(cache, NEW_MAGIC, strlen(NEW_MAGIC)) != 0)
		return 0;
	entries = get32(cache + 20);
	if (entries > (len - NEW_HEADER) / NEW_ENTRY)
		entries = (len - NEW_HEADER) / NEW_ENTRY;
	for (size_t i = 0; i < entries && n < max && matches < MAX_MATCHES; i++) {
		const uint8_t *entry = cache + NEW_HEADER + i * NEW_ENTRY;
		uint32_t key = get32(entry + 4);

		/* Compared as it lies: to look for the end of each key first is a search of the whole file for each. */
		if (key >= len || len - key < name_size ||
		    memcmp(cache + key, name, name_size) != 0)
			continue;
		matches++;
		found[n] = get_path(cache, len, get32(entry + 8));
		n += found[n] != NULL;
	}
	return n;
}
