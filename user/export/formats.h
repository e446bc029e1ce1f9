/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* One writer a format, as export_profile() calls them. Only within export/. */
#pragma once
#include <stdio.h>

#include "export/export.h"
#include "model/profile.h"

int export_tree(const struct mdl_profile *profile, const struct export_style *style, FILE *out);
int export_table(const struct mdl_profile *profile, const struct export_style *style, FILE *out);
int export_json(const struct mdl_profile *profile, FILE *out);
int export_importtime(const struct mdl_process *p, FILE *out);
int export_speedscope(const struct mdl_profile *profile, FILE *out);
int export_perfetto(const struct mdl_profile *profile, FILE *out);
int export_folded(const struct mdl_profile *profile, FILE *out);
