/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "base/intern.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/cleanup.h"

/* Many pools are small: chunks double from the first size to the usual one. */
#define FIRST_CHUNK 1024
#define CHUNK_SIZE 16384
#define FIRST_SLOTS 64

struct chunk {
	struct chunk *next; /* owned */
	size_t used, size;
	char data[];
};

struct slot {
	uint64_t hash;
	const char *s; /* borrowed from a chunk; NULL: free */
	size_t len;
};

struct intern {
	uint64_t key[2];
	struct slot *slots; /* owned, a power of two */
	size_t n_slots, n;
	size_t bytes;	      /* that were allocated */
	struct chunk *chunks; /* owned list, the one that is filled first */
};

static uint64_t rotl(uint64_t x, unsigned int b)
{
	return x << b | x >> (64 - b);
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotl(v[1], 13) ^ v[0];
	v[0] = rotl(v[0], 32);
	v[2] += v[3];
	v[3] = rotl(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotl(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotl(v[1], 17) ^ v[2];
	v[2] = rotl(v[2], 32);
}

/* SipHash-1-3: module names come from hostile processes that could aim at one slot of a weaker hash. */
static uint64_t hash_bytes(const uint64_t key[2], const char *s, size_t len)
{
	uint64_t v[4] = {key[0] ^ 0x736f6d6570736575, key[1] ^ 0x646f72616e646f6d,
			 key[0] ^ 0x6c7967656e657261, key[1] ^ 0x7465646279746573};
	uint64_t m;
	size_t i;

	for (i = 0; i + 8 <= len; i += 8) {
		memcpy(&m, s + i, 8);
		v[3] ^= m;
		sip_round(v);
		v[0] ^= m;
	}
	m = 0;
	if (len > i)
		memcpy(&m, s + i, len - i);
	m |= (uint64_t)len << 56;
	v[3] ^= m;
	sip_round(v);
	v[0] ^= m;
	v[2] ^= 0xff;
	sip_round(v);
	sip_round(v);
	sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

int intern_new(struct intern **ret)
{
	struct intern *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->slots = calloc(FIRST_SLOTS, sizeof(*p->slots));
	if (!p->slots) {
		free(p);
		return -ENOMEM;
	}
	p->n_slots = FIRST_SLOTS;
	p->bytes = sizeof(*p) + FIRST_SLOTS * sizeof(*p->slots);
	/* Early in boot there may be no randomness yet: an address and the time have to do. */
	if (getrandom(p->key, sizeof(p->key), GRND_NONBLOCK) != (ssize_t)sizeof(p->key)) {
		p->key[0] = (uintptr_t)p->slots;
		p->key[1] = (uint64_t)clock() ^ (uintptr_t)&p;
	}
	*ret = p;
	return 0;
}

struct intern *intern_free(struct intern *p)
{
	struct chunk *next;

	if (!p)
		return NULL;
	for (struct chunk *c = p->chunks; c; c = next) {
		next = c->next;
		free(c);
	}
	free(p->slots);
	free(p);
	return NULL;
}

/* The slot of the string, or the free one where it belongs. */
static struct slot *find(struct slot *slots, size_t n_slots, uint64_t hash, const char *s,
			 size_t len)
{
	for (size_t i = hash & (n_slots - 1);; i = (i + 1) & (n_slots - 1)) {
		struct slot *slot = &slots[i];

		if (!slot->s ||
		    (slot->hash == hash && slot->len == len && !memcmp(slot->s, s, len)))
			return slot;
	}
}

static bool grow(struct intern *p)
{
	size_t n_slots = p->n_slots * 2;
	struct slot *slots = calloc(n_slots, sizeof(*slots));

	if (!slots)
		return false;
	for (size_t i = 0; i < p->n_slots; i++) {
		const struct slot *old = &p->slots[i];

		if (old->s)
			*find(slots, n_slots, old->hash, old->s, old->len) = *old;
	}
	p->bytes += (n_slots - p->n_slots) * sizeof(*slots);
	free(p->slots);
	p->slots = slots;
	p->n_slots = n_slots;
	return true;
}

static char *copy(struct intern *p, const char *s, size_t len)
{
	struct chunk *c = p->chunks;
	char *to;

	if (!c || c->size - c->used <= len) {
		size_t size = !c		       ? FIRST_CHUNK :
			      c->size * 2 < CHUNK_SIZE ? c->size * 2 :
							 CHUNK_SIZE;

		if (len > SIZE_MAX / 2)
			return NULL;
		if (len >= size)
			size = len + 1;
		c = malloc(sizeof(*c) + size);
		if (!c)
			return NULL;
		p->bytes += sizeof(*c) + size;
		c->size = size;
		c->used = 0;
		c->next = p->chunks;
		p->chunks = c;
	}
	to = c->data + c->used;
	if (len)
		memcpy(to, s, len);
	to[len] = '\0';
	c->used += len + 1;
	return to;
}

const char *intern_strn(struct intern *p, const char *s, size_t len)
{
	uint64_t hash = hash_bytes(p->key, s, len);
	struct slot *slot = find(p->slots, p->n_slots, hash, s, len);
	const char *own;

	if (slot->s)
		return slot->s;
	if (p->n >= p->n_slots / 4 * 3) {
		if (!grow(p))
			return NULL;
		slot = find(p->slots, p->n_slots, hash, s, len);
	}
	own = copy(p, s, len);
	if (!own)
		return NULL;
	*slot = (struct slot){.hash = hash, .s = own, .len = len};
	p->n++;
	return own;
}

const char *intern_str(struct intern *p, const char *s)
{
	return intern_strn(p, s, strlen(s));
}

size_t intern_bytes(const struct intern *p)
{
	return p->bytes;
}
