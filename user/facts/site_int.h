/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Shared by the files of site only. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "base/buf.h"
#include "facts/site.h"

#define SITE_MAX_DISTS 20000
#define SITE_MAX_FILE (4u << 20)     /* of one RECORD */
#define SITE_MAX_READ (64u << 20)    /* of all RECORDs of a directory */
#define SITE_MAX_REREAD (256u << 20) /* again, to tell the owners of one package apart */
#define SITE_MAX_BYTES (16u << 20)   /* of the index */
#define SITE_MAX_OWNERS 64	     /* of one package */
#define SITE_MAX_KEY 512
#define SITE_MAX_METADATA (64u << 10)

/* Where a distribution lists its files, relative to its own entry. */
enum site_list { SITE_LIST_NONE, SITE_LIST_RECORD, SITE_LIST_INSTALLED };

struct site_dist {
	char *entry;   /* owned: "PyYAML-6.0.dist-info"; "" for an egg's EGG-INFO */
	char *name;    /* owned; NULL until asked for */
	char *version; /* owned; NULL */
	char *project; /* owned: directory of an editable install; NULL */
	enum site_list list;
	bool described;
};

/* A package directory ("a/b"), a top-level module ("six"), or "?" and a normalised distribution name. */
struct site_key {
	uint32_t *owner; /* owned */
	uint32_t n;
	UT_hash_handle hh;
	char key[];
};

struct site {
	char *path;		/* owned */
	struct site_dist *dist; /* owned array */
	size_t n_dists, cap;
	struct site_key *keys; /* owned */
	size_t bytes;
	size_t read;
	uint64_t cut;
};

/* Adds an owner. 0 or -ENOMEM; what a limit keeps out is counted. */
int site_add_key(struct site *s, const char *key, size_t len, size_t owner);
const struct site_key *site_get_key(const struct site *s, const char *key, size_t len);
/* "?name" with lower case and runs of "-_." as one "-", for the part of an entry's name that is the distribution's. */
size_t site_name_key(const char *name, size_t len, char *buf, size_t cap);
/* Length of the distribution's name in "PyYAML-6.0.dist-info". */
size_t site_entry_name(const char *entry);
/* "/site/entry/file"; file NULL: the entry. */
void site_path(const struct site *s, const struct site_dist *d, const char *file, struct buf *ret);

/* Reads what distribution number i owns and enters it. */
int site_scan_dist(struct site *s, int root_fd, size_t i);
/* Does distribution i's own list name rel? 1, 0, -ENOMEM. */
int site_lists_file(struct site *s, int root_fd, size_t i, const char *rel);
