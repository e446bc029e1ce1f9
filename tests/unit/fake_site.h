/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Roots that hold made-up site directories. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "facts/dist.h"
#include "facts/dist_int.h"
#include "facts/record.h"
#include "facts/site_int.h"
#include "unit/fake_tree.h"

#define SITE "usr/lib/python3.11/site-packages/"

static struct tree tree;

static struct dist *d;

static inline int set_up(void **state _unused_)
{
	return tree_make(&tree) < 0 ? -1 : dist_new(&d);
}

static inline int tear_down(void **state _unused_)
{
	d = dist_free(d);
	return tree_remove(&tree);
}

/* A wheel: its metadata and its RECORD. */
static inline void add_wheel(const char *site, const char *entry, const char *metadata,
			     const char *record)
{
	char path[512];

	(void)snprintf(path, sizeof(path), "%s%s.dist-info/METADATA", site, entry);
	tree_text(&tree, path, metadata);
	(void)snprintf(path, sizeof(path), "%s%s.dist-info/RECORD", site, entry);
	tree_text(&tree, path, record);
}

/* want: "name version"; "name": no version; NULL: no distribution. */
static inline void expect(const char *module, const char *file, const char *want)
{
	struct dist_found found = {};
	char got[600] = "";
	int r = dist_find(d, tree.fd, module, file, &found);

	if (r == 0)
		(void)snprintf(got, sizeof(got), "%s%s%s", found.name, found.version ? " " : "",
			       found.version ? found.version : "");
	if (r != (want ? 0 : -ENODATA) || strcmp(got, want ? want : "") != 0)
		fail_msg("%s in %s: %d, '%s', not '%s'", module, file, r, got, want ? want : "");
}

#define TREE_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
