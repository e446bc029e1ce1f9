/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Metrics in a file for node_exporter's textfile collector: complete or not there, by rename. It is written on a thread of its own,
 * since a disk may not answer. It is taken away at the end, so that nobody takes old numbers for new ones.
 */
#pragma once
#include <systemd/sd-event.h>

#include "app/config.h"

struct textfile;
/* Appends the page. 0 or -ENOMEM. */
typedef int (*textfile_fn)(void *arg, struct buf *page);

/*
 * *ret NULL: the configuration wants none. Nothing is rendered before the loop runs. event: borrowed. -EACCES, -ENOENT, ...: the
 * directory cannot be written, which was said.
 */
int textfile_new(sd_event *event, const struct config *config, textfile_fn render, void *arg,
		 struct textfile **ret);
/* From now on in the configuration's steps. */
void textfile_every(struct textfile *t, const struct config *config);
struct textfile *textfile_free(struct textfile *t); /* NULL */
