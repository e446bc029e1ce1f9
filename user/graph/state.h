/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Inside graph/: what is known of a process while it lives. graph.h has the contract. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/intern.h"
#include "graph/graph.h"
#include "graph/index.h"

/* A failed add says so in the element, which has a member for it, and leaves the table as it was. */
#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(e) ((e)->refused = true)
#include <uthash.h>

#define GRAPH_STRINGS_MAX (32u << 20) /* bytes that names and files of one process take */
#define GRAPH_PARKED_MAX 32 /* loads of a thread that are neither done nor known to be dead */
#define GRAPH_RECENT 16	    /* threads whose last lazy wake-up, compilation, load are remembered */

/* A row of the result and what only this room needs to know of it. */
struct load {
	struct mdl_load m;
	uint32_t repeats; /* of the same failure, which have no rows: see fold() */
	bool body;	  /* its own module-level code began to run */
	bool ext;	  /* its C module's exec slot ran */
	bool frozen;	  /* its body comes from the interpreter itself */
	bool uncounted;	  /* no use key counts it: importlib asked, or only its body was seen */
	bool call; /* dynamic only because the instruction is no import statement: see graph_uses */
};

/* A load that is not done yet: an element of its thread's stacks. */
struct open {
	int32_t load;	  /* index of its row; -1: not kept */
	uint32_t group;	  /* the C stack that it runs on: see stack.c */
	const char *name; /* interned */
	uint64_t sp, frame;
	uint64_t code; /* who asked: code object and instruction */
	int32_t instr;
	uint32_t flags; /* OPEN_* */
	uint64_t seq;	/* when it was last seen at work */
	uint64_t start_ns, self_ns, spent_ns, parked_ns;
	uint64_t body_sp, body_frame, body_ns;
};
#define OPEN_BODY_ONLY 0x1 /* ends with its body */
#define OPEN_INHERITED 0x2 /* by fork: its times are the parent's */
#define OPEN_SURE 0x4	   /* certainly nested in the load below it */
#define OPEN_PARKED 0x8	   /* should be dead, unless this thread switches stacks */
#define OPEN_HAS_BODY 0x10
#define OPEN_IN_BODY 0x20
#define OPEN_UNSURE 0x40 /* perhaps a cached import */

struct thread {
	UT_hash_handle hh;
	uint32_t tid;
	bool refused;
	uint32_t current; /* group at work; 0: none */
	uint32_t groups;  /* last group number given */
	uint32_t unkept;  /* starts beyond the limit of depth, whose dones will come */
	uint64_t seq;
	uint64_t last_ns;  /* the thread's clock */
	struct open *open; /* owned, in order of start */
	size_t n, cap;
};

struct use {
	const char *importer; /* interned; NULL */
	const char *module;   /* interned, absolute */
	const char *file;     /* interned; NULL */
	int32_t line;
	uint8_t place;
	bool capi;
	uint64_t count;
};

/* From DIST events. */
struct fact {
	const char *name, *dist, *version, *file; /* interned; all but name may be NULL */
	uint8_t kind;
};

struct proc_key {
	uint64_t start_ns;
	uint32_t tgid;
	uint32_t pad_; /* 0: it is hashed too */
};

/* Of all processes of a graph. */
struct budget {
	size_t used, max; /* bytes */
};

struct proc {
	UT_hash_handle hh;
	struct proc_key key;
	struct proc *next; /* in a list of ended ones */
	bool refused;
	bool from_start, forked, usage, ended, end_unseen;
	enum { PROC_LIVE, PROC_PENDING, PROC_READY } state;
	bool known;	/* a PROC event came, or a fork brought its parent's facts */
	bool greenlets; /* threads of it switch C stacks */
	bool main_seen;
	bool threads_full;
	struct budget *budget;	/* borrowed: the graph's */
	size_t bytes;		/* of it: see graph_charge() */
	size_t thread_bytes;	/* of threads and what they own */
	struct intern *strings; /* owned */
	uint32_t ppid, uid, interp;
	int32_t exit_status;
	const char *comm, *exe, *cgroup, *cwd, *cmdline; /* interned; NULL */
	size_t cmdline_len;
	uint64_t exec_ns, begin_ns, end_ns, main_ns;
	struct load *loads; /* owned */
	size_t n_loads, cap_loads;
	struct thread *threads;	    /* owned: those with open loads */
	struct use *uses;	    /* owned; keys[i] belongs to uses[i]; tgid 0: it has none */
	struct lmmsd_use_key *keys; /* owned */
	size_t n_uses, cap_uses;
	struct index use_index;
	struct fact *facts; /* owned */
	size_t n_facts, cap_facts;
	struct index fact_index;
	struct {
		uint32_t tid;
		bool open;
		uint64_t sp, frame;
		int32_t load;
	} main;
	struct { /* by tid modulo their number */
		uint32_t tid;
		uint64_t sp, frame; /* sp 0: none */
	} lazy[GRAPH_RECENT];
	struct {
		uint32_t tid;
		uint64_t file; /* hash */
	} compiled[GRAPH_RECENT];
	struct {
		uint32_t tid;
		int32_t load; /* + 1 */
		uint64_t sp, frame;
	} closed[GRAPH_RECENT];
	int32_t failed[GRAPH_RECENT]; /* + 1: failed loads, by name */
	uint64_t lost[LMMSD_LOST_MAX];
};

struct interp {
	UT_hash_handle hh;
	uint32_t id;
	bool refused;
	uint32_t version;
	uint8_t probe, flags;
};

struct graph {
	struct graph_limits limits;
	struct budget budget;
	struct proc *live;		      /* owned table */
	struct proc *pending, **pending_tail; /* owned list: ended, counters to come */
	struct proc *ready, **ready_tail;     /* owned list: to be taken */
	size_t n_waiting;		      /* in both lists */
	struct interp *interps;		      /* owned table */
	bool finished;
	struct intern *strings; /* owned: of host */
	struct graph_host host;
	struct graph_counts counts;
	uint64_t lost[LMMSD_LOST_MAX];
};

/* budget.c */
/* After each allocation of p's. */
void graph_charge(struct proc *p);
/* May p take more memory? */
bool graph_may_grow(const struct proc *p);
/* Is there room for a process more? */
bool graph_may_begin(const struct budget *b);

/* proctab.c */
struct proc *graph_proc_find(const struct graph *g, uint32_t tgid, uint64_t start_ns);
/*
 * One pid can stand for several programs, one after the other: those that wait, the live one, those that can be
 * taken. The one after `prev`, from NULL to NULL.
 */
struct proc *graph_proc_next(const struct graph *g, uint32_t tgid, uint64_t start_ns,
			     const struct proc *prev);
/* The process of an import event, made when it is not known. NULL in *ret: there is none, which was counted. */
int graph_proc_need(struct graph *g, const struct ev *ev, struct proc **ret);
int graph_proc_event(struct graph *g, const struct ev *ev);
int graph_proc_fork(struct graph *g, const struct ev *ev);
void graph_proc_exit(struct graph *g, const struct ev *ev);
void graph_proc_end(struct graph *g, struct proc *p, uint64_t ts_ns);
void graph_proc_drop(struct proc *p);
void graph_lose(struct graph *g, struct proc *p, unsigned int reason);
/* *ret = the string in the process's pool; NULL for "". -ENOMEM; -ENOSPC: no room for strings. */
int graph_proc_str(struct proc *p, const char *s, const char **ret);

/* thread.c */
struct thread *graph_thread_find(struct proc *p, uint32_t tid);
/* *ret = NULL: there are too many, which was counted. -ENOSPC: no room, which was not. */
int graph_thread_need(struct graph *g, struct proc *p, uint32_t tid, uint64_t ts_ns,
		      struct thread **ret);
struct thread *graph_thread_free(struct proc *p, struct thread *t);

/* stack.c */
struct nest {
	uint64_t sp, frame;
	const char *importer; /* interned; NULL */
	const char *name;     /* interned: what is to be loaded */
	bool module_code;     /* asked by module-level code of importer */
	bool internal;	      /* asked by importlib */
};
/* Innermost load at work; NULL. */
struct open *graph_stack_top(struct thread *t);
/* Innermost load of o's stack below o; NULL. */
struct open *graph_stack_below(struct thread *t, const struct open *o);
/* Time has come to ts_ns, and a start is seen: finds its stack. Whether it is certainly nested in the new top. */
bool graph_stack_settle(struct graph *g, struct proc *p, struct thread *t, uint64_t ts_ns,
			const struct nest *nest);
/* o->group is set here. -ENOSPC: too deep, which was counted. */
int graph_stack_push(struct graph *g, struct proc *p, struct thread *t, const struct open *o);
/* An event shows o at work at ts_ns. */
void graph_stack_resume(struct proc *p, struct thread *t, struct open *o, uint64_t ts_ns);
/* o is done: what is above it on its stack is dead or another stack's. */
void graph_stack_pop(struct graph *g, struct proc *p, struct thread *t, struct open *o,
		     uint64_t ts_ns, int32_t found);
/* The process ends: what is parked was lost. */
void graph_stack_end(struct graph *g, struct proc *p, struct thread *t);

/* load.c */
bool graph_entry_probe(const struct graph *g, uint32_t interp);
int graph_load_start(struct graph *g, struct proc *p, const struct ev *ev);
void graph_load_done(struct graph *g, struct proc *p, const struct ev *ev);
void graph_lazy(struct proc *p, const struct ev *ev);
/* Is the import at (frame, sp) of this thread the one that a lazy import woke? sp 0: not known. */
bool graph_lazy_woke(const struct proc *p, uint32_t tid, uint64_t frame, uint64_t sp,
		     uint32_t flags);
uint8_t graph_place(uint32_t where_flags);
/* Did C code of the module that o loads ask, without a Python frame of its own? */
bool graph_asked_by_c(const struct open *o, const struct ev_where *w, const char *name);
/* A row, its index in *ret; -1: too many, which was counted. */
int graph_row_add(struct graph *g, struct proc *p, const struct mdl_load *m, int32_t *ret);
/* `a` of `a.b`. */
bool graph_is_parent(const char *parent, const char *name);
int graph_open(struct graph *g, struct proc *p, const struct ev *ev, bool body_only,
	       const char *file);

/* body.c */
int graph_body_start(struct graph *g, struct proc *p, const struct ev *ev);
void graph_body_done(struct graph *g, struct proc *p, const struct ev *ev);
int graph_ext(struct proc *p, const struct ev *ev);
int graph_ext_asked(struct graph *g, struct proc *p, const struct ev *ev);
void graph_compile(struct proc *p, const struct ev *ev);

/* uses.c */
int graph_use(struct graph *g, struct proc *p, const struct ev *ev);
void graph_uses(struct graph *g, const struct ev *ev);
int graph_dist(struct graph *g, const struct ev *ev);
const struct fact *graph_fact(const struct proc *p, const char *name);

/* result.c. final: p's strings move to the result; -ENOMEM. */
int graph_result(struct graph *g, struct proc *p, uint64_t now_ns, bool final,
		 struct mdl_process **ret);

/* What is being built. */
struct result {
	struct graph *g;
	struct proc *p;
	struct mdl_process *m;
	bool final;
	const struct graph_limits *limits;
	uint8_t interp_flags;
	size_t cap_modules, cap_edges;
	size_t n_key_edges; /* edges that uses made: the first ones */
	struct index modules, edges;
};
/* The string in the result's pool. */
int graph_result_str(struct result *r, const char *s, const char **ret);
void graph_result_lose(struct result *r, unsigned int reason);
/* result_modules.c: modules and edges, from m's loads and p's uses. -ENOMEM. */
int graph_result_modules(struct result *r);
int graph_result_edges(struct result *r);
/* By the name in the result's pool; NULL: not there. */
struct mdl_module *graph_result_module(struct result *r, const char *name);
/* result_namespace.c: the packages that are directories. -ENOMEM. */
int graph_result_namespaces(struct result *r);
