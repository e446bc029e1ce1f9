/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Why something was lost or cut. One list for BPF, user space, reports, metrics and documentation.
 *
 * X(ID, "name in reports and metrics", "what to do about it")
 *
 * The position in this list is the index in the per-CPU counter map, so new reasons go to the end.
 */
#pragma once

#define LMMSD_REASONS(X)                                                                           \
	X(RING_FULL, "ring_full", "raise ring_kib in the configuration")                           \
	X(USES_FULL, "uses_full", "raise max_use_keys in the configuration")                       \
	X(PROCS_FULL, "procs_full", "raise max_procs in the configuration")                        \
	X(SCRATCH, "scratch", "the kernel had no memory for a thread's buffer")                    \
	X(NAME_UNREADABLE, "name_unreadable", "a module name's page was not in memory")            \
	X(NAME_CUT, "name_cut", "a name was longer than lmmsd keeps")                              \
	X(THREAD_UNKNOWN, "thread_unknown", "an importer is not known")                            \
	X(NOT_FIND_AND_LOAD, "not_find_and_load", "a probe site was reached by another call")      \
	X(QUEUE_FULL, "queue_full", "lmmsd was not given enough CPU to keep up")                   \
	X(BAD_RECORD, "bad_record", "a record did not decode")                                     \
	X(UNKNOWN_KIND, "unknown_kind", "recorded by a newer lmmsd")                               \
	X(START_WITHOUT_DONE, "start_without_done", "a load's end was not seen")                   \
	X(DONE_WITHOUT_START, "done_without_start", "a load's start was not seen")                 \
	X(LIMIT_PROCESSES, "limit_processes", "more processes at once than lmmsd follows")         \
	X(LIMIT_MODULES, "limit_modules", "more modules in one process than lmmsd keeps")          \
	X(LIMIT_EDGES, "limit_edges", "more import edges in one process than lmmsd keeps")         \
	X(LIMIT_DEPTH, "limit_depth", "imports nested deeper than lmmsd follows")                  \
	X(LIMIT_INTERPRETERS, "limit_interpreters", "more interpreters than lmmsd attaches to")    \
	X(STORE_FULL, "store_full", "the disk is too slow or full for the store")                  \
	X(NO_MEMORY, "no_memory", "lmmsd ran out of memory")                                       \
	X(FILES_SLOW, "files_slow",                                                                \
	  "modules of a process were not looked up: its files were too slow")                      \
	X(EXPORT_DROPPED, "export_dropped", "the CloudWatch agent does not take what it is sent")  \
	X(KILLED, "killed", "the daemon was killed: what ended in its last 5 s may be missing")    \
	X(BODY_UNKNOWN, "body_unknown", "an importer's own record was lost before")

#define LMMSD_REASON_ENUM_(id, name, cure) LMMSD_LOST_##id,
enum { LMMSD_REASONS(LMMSD_REASON_ENUM_) LMMSD_LOST_MAX };
#undef LMMSD_REASON_ENUM_
