/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Gives each process the name of its app: the configuration's rules, else what its command line says. */
#pragma once
#include "app/config.h"
#include "model/profile.h"

struct appname;
int appname_new(const struct config *config, struct appname **ret);
struct appname *appname_free(struct appname *a); /* NULL */
/* Sets p->app. */
int appname_set(const struct appname *a, struct mdl_process *p);
