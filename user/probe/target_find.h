/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* The steps of target_open(), each in its own file. They fill struct target; nothing outside target*.c calls them. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "probe/target.h"
#include "probe/target_code.h"
#include "probe/target_elf.h"

/* What one call of target_open() works with. */
struct target_names {
	/* addresses of the names of importlib's functions, as calls in the import code load them; 0: not seen */
	uint64_t find_and_load, handle_fromlist;
};
struct target_finder {
	struct target *t; /* borrowed */
	struct telf *f;	  /* borrowed */
	struct code *c;	  /* borrowed; NULL: no x86-64 file */
	struct target_names names;
};

/* Refuses the file; the first reason is kept. 0 or -ENOMEM. */
int target_refuse(struct target *t, const char *why);
/* One more thing that is not as good as it could be; why: NULL for none. 0 or -ENOMEM. */
int target_degrade(struct target *t, const char *what, const char *why);
/* Adds a site at the begin of a function; sites at all its returns. -ENOENT: not possible. */
int target_add_entry(struct target_finder *fi, const char *name, uint8_t kind, unsigned int args);
int target_add_returns(struct target_finder *fi, const char *name, uint8_t kind);
/* The probe for loads: sets t->probe and fi->names, or refuses. 0 or -ENOMEM. */
int target_loads(struct target_finder *fi, enum target_want want);
/* In a file that BOLT wrote: further sites, or what is given up; may refuse the file. 0 or -ENOMEM. */
int target_bolt(struct target_finder *fi);

/* Appends site; the room is checked by the caller of the kind that matters. False: no room. */
bool target_add(struct target *t, const struct telf *f, const struct lmmsd_site *site,
		uint64_t sema_va);
unsigned int target_minor(const struct target *t);
/* Takes away all sites of this kind. */
void target_drop(struct target *t, uint8_t kind);

/* PY_VERSION_HEX. 0, or a negative errno with *ret_why: why the file is refused; static string. */
int target_version(struct telf *f, const char *name, uint32_t *ret, const char **ret_why);

/* Sets runtime_va and tstate_va. c: NULL for arm64. -ENOENT: the file is refused, *ret_why says why. */
int target_tstate(struct target *t, struct telf *f, struct code *c, const char **ret_why);

/* The two USDT probes, all their sites. 0: both were added. -ENOENT: the file has not both, *ret_why says which. */
int target_usdt(struct target *t, const struct telf *f, const char **ret_why);

/* An argument string of a note. False: a form that we do not read. Moves *text behind it. */
bool target_usdt_arg(uint16_t machine, const char **text, struct lmmsd_arg *ret);

/* An exported function. -ENOENT: there is none. */
int target_function(const struct telf *f, const char *name, uint64_t *ret_va, uint64_t *ret_size);

/*
 * The first instruction of a function that is cheap to probe, with the arguments (mask of their numbers) still known:
 * sets va, sp_delta and arg of site. -ENOENT: there is none.
 */
int target_entry_x86(struct code *c, uint64_t va, uint64_t size, unsigned int args,
		     struct lmmsd_site *site);
int target_entry_arm64(const struct telf *f, uint64_t va, unsigned int args,
		       struct lmmsd_site *site);

/* Adds all returns of a function as sites of this kind, arg0 = the result. -ENOENT: not all are known, none is added. */
int target_returns_x86(struct target *t, const struct telf *f, struct code *c, const char *name,
		       uint8_t kind);
int target_returns_arm64(struct target *t, const struct telf *f, const char *name, uint8_t kind);

/* A call of interest, and what is known before it. */
enum target_verdict { TARGET_NO, TARGET_MAYBE, TARGET_YES };
struct target_call {
	uint64_t va, next, target;
	bool emulated;
	enum target_verdict verdict;
	struct code_state state;
};

#define TARGET_MAX_CALLS 12
struct target_calls {
	struct target_call call[TARGET_MAX_CALLS];
	size_t n;
	bool lost; /* there were more */
};

/* Is this call one of interest? */
typedef enum target_verdict (*target_judge)(enum callee callee, const struct code_insn *insn,
					    const struct code_state *s, void *arg);

/* In a function; deeper: when none there is a YES, also in the local functions that it calls. -ENOTSUP: too much. */
int target_find_calls(struct code *c, uint64_t va, uint64_t size, bool deeper, target_judge judge,
		      void *arg, struct target_calls *ret);
size_t target_count(const struct target_calls *calls, enum target_verdict verdict);

/*
 * The first instruction after a call that is cheap to probe: sets va, sp_delta and arg0 (the result) of site. joined: not
 * a jump, but what it leads to, if possible, so that calls whose paths join there have one site.
 */
int target_after_call(struct code *c, const struct target_call *call, bool joined,
		      struct lmmsd_site *site);
/* target_add(), unless it is there already. */
bool target_add_once(struct target *t, const struct telf *f, const struct lmmsd_site *site);
/* A site at the call (va and sp_delta are set) and one after it. False: not possible; what was added stays. */
bool target_add_pair(struct target *t, const struct telf *f, struct code *c,
		     const struct target_call *call, struct lmmsd_site *start, uint8_t done_kind);

/* The functions of all methods of this name in the file's method tables. -ENOENT: there is no such name. */
#define TARGET_MAX_METHODS 16
struct target_methods {
	uint64_t function[TARGET_MAX_METHODS];
	size_t n;
};
int target_methods(struct telf *f, const char *name, struct target_methods *ret);
/* Calls of an exported function in the function at va, which no symbol need name. */
int target_calls_of(struct code *c, uint64_t va, enum callee callee, struct target_calls *ret);
/* A method of this name calls the exported function at the address that its symbol has. */
bool target_method_calls(struct telf *f, struct code *c, const char *name, enum callee callee);

/* The pair around the call of _find_and_load, in PyImport_ImportModuleLevelObject or a function that it calls. */
int target_callsite(struct target *t, struct telf *f, struct code *c, struct target_names *ret,
		    const char **ret_why);
/*
 * Adds the sites of all further copies of the import code, to those of target_callsite() and of the function's begin.
 * -ENOENT: not all could be found or probed, *ret_why says why; sites may be incomplete then. *ret_degraded: what is given
 * up, NULL: nothing; static strings.
 */
int target_copies(struct target *t, struct telf *f, const struct target_names *names,
		  const char **ret_why, const char **ret_degraded);
/* Begin and end of the evaluation in PyEval_EvalCode. */
int target_bodies(struct target *t, struct telf *f, struct code *c, const char **ret_why);
/* The same for <= 3.9: the calls of PyEval_EvalCode in builtins.exec. */
int target_exec(struct target *t, struct telf *f, struct code *c, const char **ret_why);
