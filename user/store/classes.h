/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Which runs are warm: what model/history.h says of the classes, by the app's latest runs. */
#pragma once
#include "store/db.h"
#include "store/map.h"
#include "store/run.h"

#define CLASSES_APPS 8192 /* remembered; then it forgets all and asks the database again */
#define CLASSES_STARTS 32 /* latest starts that a start is compared with */
#define CLASSES_FEW 5	  /* fewer say nothing */
#define CLASSES_FACTOR 1.5
#define CLASSES_IDLE_NS 3600000000000LL
#define CLASSES_BOOT_NS 600000000000ULL
#define CLASSES_GOING 65536 /* runs that go on and were learned from; then it forgets which */
#define CLASSES_SAME 3	    /* runs that compiled the same modules before it is the app's manner */

struct classes_app {
	int64_t last_ns; /* when its latest plain run began; 0: none */
	uint32_t last_boot;
	uint32_t compiled, same; /* the latest run's, and how many in a row compiled that */
	uint32_t n, next;
	uint64_t starts[CLASSES_STARTS];
};
struct classes {
	struct classes_app *apps; /* owned */
	uint32_t n, cap;
	struct sto_map by_app;
	struct sto_map
		learned; /* keys of runs that go on whose start is among those of their app */
};
/* A run's checkpoint. */
struct classes_before {
	uint64_t id, cold_start_ns;
	uint32_t compiled;
	uint8_t class;
};
void classes_clear(struct classes *c);
/*
 * Sets run->class of a plain run (MDL_RUN_WARM when it comes); leaves the others. before: its checkpoint, NULL: it has
 * none. While it starts the class is that of what there is of its start; other runs are compared with a start once it
 * is the same in two copies, or the run is over.
 */
int classes_set(struct classes *c, struct db *db, struct sto_run *run,
		const struct classes_before *before);
