/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Why something was lost or cut. One list for BPF, user space, reports, metrics and documentation.
 *
 * X(ID, "name in reports and metrics", "what was lost: what to do about it")
 *
 * The position in this list is the index in the per-CPU counter map, so new reasons go to the end.
 */
#pragma once

#define LMMSD_REASONS(X)                                                                                                                       \
	X(RING_FULL, "ring_full",                                                                                                              \
	  "events came faster than they could be taken: raise ring_kib in the configuration")                                                  \
	X(USES_FULL, "uses_full",                                                                                                              \
	  "uses of some modules were not counted: raise max_use_keys in the configuration, or --usage off")                                    \
	X(PROCS_FULL, "procs_full",                                                                                                            \
	  "some Python processes were not followed: raise max_procs in the configuration")                                                     \
	X(SCRATCH, "scratch",                                                                                                                  \
	  "events of some threads were lost: the kernel had no memory, or they were more than twice max_procs: free some, or raise it")        \
	X(NAME_UNREADABLE, "name_unreadable",                                                                                                  \
	  "names that were not in memory are missing, the times are right: nothing to do")                                                     \
	X(NAME_CUT, "name_cut",                                                                                                                \
	  "names longer than lmmsd keeps were cut, the times are right: nothing to do")                                                        \
	X(THREAD_UNKNOWN, "thread_unknown",                                                                                                    \
	  "who imported is not known for some imports, the times are right: nothing to do")                                                    \
	X(NOT_FIND_AND_LOAD, "not_find_and_load",                                                                                              \
	  "a probe was reached by another call than an import, which was left out: please report it, with 'lmmsd --check'")                    \
	X(QUEUE_FULL, "queue_full",                                                                                                            \
	  "events were lost since lmmsd got too little CPU: give it more, or --usage off")                                                     \
	X(BAD_RECORD, "bad_record",                                                                                                            \
	  "records that did not decode were left out: the recording is damaged, else please report it")                                        \
	X(UNKNOWN_KIND, "unknown_kind",                                                                                                        \
	  "records of a newer lmmsd were left out: replay with that one")                                                                      \
	X(START_WITHOUT_DONE, "start_without_done",                                                                                            \
	  "loads whose end was not seen have no time: their process was killed in them, or events were lost")                                  \
	X(DONE_WITHOUT_START, "done_without_start",                                                                                            \
	  "loads whose start was not seen were left out: they had begun before lmmsd, or events were lost")                                    \
	X(LIMIT_PROCESSES, "limit_processes",                                                                                                  \
	  "processes beyond what lmmsd keeps were left out: raise max_procs in the configuration, or choose fewer (--pid, --uid, --duration)") \
	X(LIMIT_MODULES, "limit_modules",                                                                                                      \
	  "loads or modules of a process beyond what lmmsd keeps were left out: raise max_loads and max_modules in the configuration")         \
	X(LIMIT_EDGES, "limit_edges",                                                                                                          \
	  "importers of a process's modules beyond what lmmsd keeps were left out: raise max_edges in the configuration")                      \
	X(LIMIT_DEPTH, "limit_depth",                                                                                                          \
	  "imports nested deeper than lmmsd follows were left out: raise max_depth in the configuration")                                      \
	X(LIMIT_INTERPRETERS, "limit_interpreters",                                                                                            \
	  "interpreters beyond what lmmsd attaches to are not watched: raise max_interpreters in the configuration, 256 at most")              \
	X(STORE_FULL, "store_full",                                                                                                            \
	  "runs were not stored: the disk is full or too slow for the database")                                                               \
	X(NO_MEMORY, "no_memory",                                                                                                              \
	  "processes were left out since lmmsd ran out of memory: give it more")                                                               \
	X(FILES_SLOW, "files_slow",                                                                                                            \
	  "modules of some processes are without distribution: their files were too slow, or did not answer")                                  \
	X(EXPORT_DROPPED, "export_dropped",                                                                                                    \
	  "the CloudWatch agent does not take what it is sent: see that it runs")                                                              \
	X(KILLED, "killed", "the daemon was killed: what ended in its last 5 s may be missing")                                                \
	X(BODY_UNKNOWN, "body_unknown",                                                                                                        \
	  "importers whose own record was lost are not known: see the other reasons")                                                          \
	X(LIMIT_THREADS, "limit_threads",                                                                                                      \
	  "imports of further threads were left out: more than 512 of one process import at once")                                             \
	X(ROOTS_FULL, "roots_full",                                                                                                            \
	  "modules of some processes are without distribution: more containers at once than lmmsd looks into (256)")                           \
	X(DIST_CUT, "dist_cut",                                                                                                                \
	  "some modules are without distribution, or have another's: a site directory lists more than lmmsd reads")                            \
	X(SEARCH_CUT, "search_cut",                                                                                                            \
	  "not every place was searched for Pythons: one that was missed is watched from its first start on, not that start's beginning")      \
	X(PROBE_SILENT, "probe_silent",                                                                                                        \
	  "imports bypassed the probes of their interpreter and have no times: please report it with the output of 'lmmsd --check'")

#define LMMSD_REASON_ENUM_(id, name, cure) LMMSD_LOST_##id,
enum { LMMSD_REASONS(LMMSD_REASON_ENUM_) LMMSD_LOST_MAX };
#undef LMMSD_REASON_ENUM_
