/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "web/auth.h"

#include <crypt.h>
#include <errno.h>
#include <gnutls/crypto.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#define KNOWN 64 /* pairs that are remembered, by a keyed hash */
#define HASH_BYTES 32

struct auth {
	atomic_uint refs;
	struct web_pairs users;
	unsigned char key[HASH_BYTES];
	pthread_mutex_t lock;
	unsigned char known[KNOWN][HASH_BYTES]; /* under lock, as the next */
	size_t n, next;
};

int auth_new(const struct web_pairs *users, struct auth **ret)
{
	struct auth *a = calloc(1, sizeof(*a));
	int r = a ? 0 : -ENOMEM;

	for (size_t i = 0; !r && i < users->n; i++)
		r = pairs_add(&a->users, users->p[i].name, users->p[i].value);
	if (!r && gnutls_rnd(GNUTLS_RND_KEY, a->key, sizeof(a->key)) < 0)
		r = -EIO;
	if (r) {
		if (a)
			pairs_free(&a->users);
		free(a);
		return r;
	}
	(void)pthread_mutex_init(&a->lock, NULL);
	atomic_init(&a->refs, 1);
	*ret = a;
	return 0;
}

struct auth *auth_ref(struct auth *a)
{
	(void)atomic_fetch_add(&a->refs, 1);
	return a;
}

struct auth *auth_unref(struct auth *a)
{
	if (!a || atomic_fetch_sub(&a->refs, 1) > 1)
		return NULL;
	(void)pthread_mutex_destroy(&a->lock);
	pairs_free(&a->users);
	explicit_bzero(a, sizeof(*a));
	free(a);
	return NULL;
}

static int mark(const struct auth *a, const char *user, const char *password,
		unsigned char ret[HASH_BYTES])
{
	gnutls_hmac_hd_t h;

	if (gnutls_hmac_init(&h, GNUTLS_MAC_SHA256, a->key, sizeof(a->key)) < 0)
		return -ENOMEM;
	(void)gnutls_hmac(h, user, strlen(user) + 1);
	(void)gnutls_hmac(h, password, strlen(password) + 1);
	gnutls_hmac_deinit(h, ret);
	return 0;
}

bool auth_is_known(struct auth *a, const char *user, const char *password)
{
	unsigned char m[HASH_BYTES];
	bool found = false;

	if (mark(a, user, password, m) < 0)
		return false;
	(void)pthread_mutex_lock(&a->lock);
	for (size_t i = 0; i < a->n; i++)
		if (gnutls_memcmp(a->known[i], m, HASH_BYTES) == 0)
			found = true;
	(void)pthread_mutex_unlock(&a->lock);
	return found;
}

static void remember(struct auth *a, const char *user, const char *password)
{
	unsigned char m[HASH_BYTES];

	if (mark(a, user, password, m) < 0)
		return;
	(void)pthread_mutex_lock(&a->lock);
	memcpy(a->known[a->next], m, HASH_BYTES);
	a->next = (a->next + 1) % KNOWN;
	a->n += a->n < KNOWN;
	(void)pthread_mutex_unlock(&a->lock);
}

bool auth_check(struct auth *a, const char *user, const char *password)
{
	struct crypt_data *data = calloc(1, sizeof(*data));
	const struct web_pair *found = NULL;
	const char *hash, *got;
	bool same;

	if (!data)
		return false;
	for (size_t i = 0; i < a->users.n; i++)
		if (!strcmp(a->users.p[i].name, user))
			found = &a->users.p[i];
	hash = found ? found->value : a->users.p[0].value;
	got = crypt_rn(password, hash, data, sizeof(*data));
	same = found && got && strlen(got) == strlen(hash) &&
	       gnutls_memcmp(got, hash, strlen(hash)) == 0;
	explicit_bzero(data, sizeof(*data));
	free(data);
	if (same)
		remember(a, user, password);
	return same;
}

void auth_wipe(char *password)
{
	if (password)
		explicit_bzero(password, strlen(password));
	MHD_free(password);
}
