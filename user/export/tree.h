/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* The parts of the tree report, which share a layout. Only within export/. */
#pragma once
#include "base/buf.h"
#include "export/branches.h"
#include "export/export.h"
#include "export/rows.h"

#define TREE_NUMBERS 43 /* columns in front of a row's name */
#define TREE_NAME_MIN 16
#define TREE_NAME_MAX 72
#define TREE_SITE_MIN 14
#define TREE_INDENT_MAX 24 /* levels drawn at most; deeper rows say their depth instead */

struct tree {
	const struct mdl_process *p;	  /* borrowed */
	const struct export_style *style; /* borrowed */
	struct rows rows;		  /* owned */
	struct branches branches;	  /* owned */
	uint64_t whole_ns;		  /* that parts and colours refer to */
	int decimals;
	size_t name_width;
	size_t site_width;   /* 0: not bounded */
	bool sites;	     /* there is room for them */
	uint32_t indent_max; /* levels drawn */
	struct buf out;	     /* owned */
};

/* What is said behind a row's name: "" or " (failed)" and the like. Static. */
const char *tree_note(const struct row *row);
void tree_add_head(struct tree *t);
void tree_add_savers(struct tree *t);
void tree_add_rows(struct tree *t);
