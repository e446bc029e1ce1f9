/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * The records that travel from the BPF programs to user space, and that --record writes to a file.
 *
 * Rules: fixed-width integers only, explicit padding, no pointers of ours, host byte order (a record file says
 * which). Every record begins with struct lmmsd_hdr; `size` counts header, fixed part and tail. The tail is the
 * strings, one after the other without separators, in the order in which their lengths stand in the fixed part.
 * Unused length fields are 0. Strings are raw bytes of the target and hostile: never assume UTF-8.
 * A reader refuses another `abi`; it counts and skips a `kind` that it does not know.
 *
 * This header is included by clang -target bpf (after vmlinux.h) and by user space (after <stdint.h>).
 */
#pragma once

#define LMMSD_ABI 1

/* Kinds from the kernel. */
#define LMMSD_EV_PROC 1	       /* lmmsd_ev_proc: at exec of a Python, or at its first event */
#define LMMSD_EV_FORK 2	       /* lmmsd_ev_fork: a watched process forked (not a thread) */
#define LMMSD_EV_EXIT 3	       /* lmmsd_ev_exit: its last thread ended */
#define LMMSD_EV_LOAD_START 4  /* lmmsd_ev_load: a module begins to be found and loaded */
#define LMMSD_EV_LOAD_DONE 5   /* lmmsd_ev_done */
#define LMMSD_EV_BODY_START 6  /* lmmsd_ev_body: code named <module> begins to run */
#define LMMSD_EV_BODY_DONE 7   /* lmmsd_ev_done */
#define LMMSD_EV_EXT_EXEC 8    /* lmmsd_ev_ext: a C module's exec slots run */
#define LMMSD_EV_USE 9	       /* lmmsd_ev_use: first use with a key; USES has counts */
#define LMMSD_EV_COMPILE 10    /* lmmsd_ev_compile: source text is compiled: no usable .pyc */
#define LMMSD_EV_LAZY 11       /* lmmsd_ev_load: a lazy import (PEP 810) wakes */
#define LMMSD_EV_EXE 12	       /* lmmsd_ev_exe: a program that was never looked at */
#define LMMSD_EV_EXT_ASKED 13  /* lmmsd_ev_body: EXT_EXEC that says who asked */
#define LMMSD_EV_BODY_ENTER 14 /* lmmsd_ev_enter: BODY_START that gives the body a number */
#define LMMSD_EV_BODY_LEAVE 15 /* lmmsd_ev_leave: BODY_DONE of such a body: the number is void */
#define LMMSD_EV_USE_AT 16     /* lmmsd_ev_use_at: one use by a statement of a numbered body */

/* Kinds that user space adds, so that a recorded stream is complete without the host it came from. */
#define LMMSD_EV_HOST 32   /* lmmsd_ev_host: first record of every stream */
#define LMMSD_EV_INTERP 33 /* lmmsd_ev_interp: an interpreter was attached */
#define LMMSD_EV_USES 34   /* lmmsd_ev_uses: a key's count so far */
#define LMMSD_EV_LOST 35   /* lmmsd_ev_lost: losses so far */
#define LMMSD_EV_DIST 36   /* lmmsd_ev_dist: what the file system says of a module */
#define LMMSD_EV_END 37 /* header only: last record, of the instant at which observation stopped */

/* Longest strings that the kernel side sends, in bytes. Longer ones are cut and flagged. */
#define LMMSD_NAME_MAX 512     /* module name, importer */
#define LMMSD_FILE_MAX 512     /* file name of a code object */
#define LMMSD_FUNC_MAX 512     /* name of a function */
#define LMMSD_LINETAB_MAX 1024 /* head of a code object's line table */
#define LMMSD_BODYTAB_MAX                                                                          \
	2048 /* the same of a module body, which is sent once for all its statements */
#define LMMSD_CMDLINE_MAX 1536 /* command line: argv strings with their NULs */
#define LMMSD_PATH_MAX 768     /* path, as components, see lmmsd_ev_proc */

struct lmmsd_hdr {
	uint16_t abi;
	uint16_t kind;
	uint16_t size; /* bytes, header included */
	uint16_t
		spent; /* by probes on this thread since its last record that says so, in LMMSD_SPENT_NS; 0: not known */
	uint64_t ts_ns; /* CLOCK_MONOTONIC, taken first thing in the probe */
	uint32_t tgid;	/* of the host's pid namespace, as tid */
	uint32_t tid;
	uint64_t start_ns; /* as ts_ns, of the group leader: (tgid, start_ns) is the process */
};
_Static_assert(sizeof(struct lmmsd_hdr) == 32, "lmmsd_hdr");
#define LMMSD_SPENT_NS 32

/* lmmsd_ev_proc.flags */
#define LMMSD_PROC_EXEC 0x1  /* sent at exec: ts_ns is the time of exec */
#define LMMSD_PROC_FIRST 0x2 /* sent at the first import event, the process was not seen to start */
#define LMMSD_PROC_FORKED 0x4 /* sent because its watched parent forked it */
#define LMMSD_PROC_PROCFS 0x8 /* made from /proc by user space: it ran before lmmsd did */
#define LMMSD_PROC_CUT 0x10   /* command line or a path was cut */

/*
 * Paths are sent as components from the leaf up, each ended by a NUL ("python3.11\0bin\0usr\0"): the kernel side
 * walks dentries and has no room to reverse them.
 */
struct lmmsd_ev_proc {
	struct lmmsd_hdr h;
	uint32_t flags;
	uint32_t ppid;
	uint32_t uid;
	uint32_t interp;      /* id of the interpreter as in LMMSD_EV_INTERP; 0: not known yet */
	uint64_t exec_ns;     /* CLOCK_MONOTONIC of the last exec seen; 0: not seen */
	uint64_t cgroup_id;   /* cgroup v2 id */
	uint64_t root_ino;    /* inode of its root directory */
	uint32_t mnt_ns;      /* inode number of its mount namespace */
	uint16_t cmdline_len; /* tail: 1 */
	uint16_t exe_len;     /* tail: 2, components */
	uint16_t cgroup_len;  /* tail: 3, components */
	uint16_t
		cwd_len; /* tail: 4, components: its working directory then; 0 in older recordings */
	uint32_t pad2_;
	uint8_t comm[16];
};
_Static_assert(sizeof(struct lmmsd_ev_proc) == 104, "lmmsd_ev_proc");

struct lmmsd_ev_fork {
	struct lmmsd_hdr h; /* the parent's thread that forked */
	uint32_t child_tgid;
	uint32_t pad_;
	uint64_t child_start_ns;
};
_Static_assert(sizeof(struct lmmsd_ev_fork) == 48, "lmmsd_ev_fork");

struct lmmsd_ev_exit {
	struct lmmsd_hdr h;
	int32_t status; /* as from wait(2) */
	uint32_t flags; /* LMMSD_EXIT_* */
};
#define LMMSD_EXIT_EXEC 0x1 /* not an end: the process executed another program */
/* By user space: the kernel's record was lost. ts_ns is when that was noticed, status is 0 and says nothing. */
#define LMMSD_EXIT_UNSEEN 0x2
_Static_assert(sizeof(struct lmmsd_ev_exit) == 40, "lmmsd_ev_exit");

/* Where the import stands; from the frame's code and instruction, else from the arguments. */
#define LMMSD_PLACE_UNKNOWN 0
#define LMMSD_PLACE_MODULE 1
#define LMMSD_PLACE_FUNCTION 2
#define LMMSD_PLACE_CLASS 3
#define LMMSD_PLACE_DYNAMIC 4
#define LMMSD_PLACE_LAZY 5
#define LMMSD_PLACE_MAX 6

/* Who asked, as the kernel side saw it. */
#define LMMSD_WHERE_FRAME 0x1	 /* frame and code were found; the fields below hold */
#define LMMSD_WHERE_INTERNAL 0x2 /* importlib asked: a parent package, a submodule */
#define LMMSD_WHERE_DYNAMIC 0x4	 /* import_module, reload or runpy stand between */
#define LMMSD_WHERE_STMT 0x8	 /* the instruction is an import statement */
#define LMMSD_WHERE_FUNC 0x10	 /* the code is a function's (CO_OPTIMIZED and CO_NEWLOCALS) */
#define LMMSD_WHERE_MODBODY 0x20 /* the code is a module's: globals are its locals */
#define LMMSD_WHERE_CUT 0x40	 /* the line table was longer than what was sent */
#define LMMSD_WHERE_CAPI 0x80	 /* called through the C API by the code of that frame */
#define LMMSD_WHERE_CLASS 0x100 /* the code is neither: a class body, or exec with its own locals */
#define LMMSD_WHERE_ASKS                                                                           \
	0x400 /* with INTERNAL: the code that asked importlib stands at an import statement */
#define LMMSD_WHERE_BODY                                                                           \
	0x200 /* a numbered body's: firstlineno is the number, and there are no strings */

/* The Python code that runs the import. Lengths are bytes; strkind says how to read them: see lmmsd_str. */
struct lmmsd_where {
	uint64_t frame; /* address, only to tell frames apart */
	uint64_t code;	/* address, only to tell code objects apart */
	uint32_t flags; /* LMMSD_WHERE_* */
	int32_t firstlineno;
	int32_t instr;	       /* offset of the instruction in bytes from the code's first */
	uint16_t importer_len; /* __name__ of the frame's globals */
	uint16_t file_len;     /* co_filename */
	uint16_t func_len;     /* co_name */
	uint16_t linetab_len;  /* head of the line table */
	uint8_t importer_kind; /* LMMSD_STR_* */
	uint8_t file_kind;
	uint8_t func_kind;
	uint8_t pad_;
};
_Static_assert(sizeof(struct lmmsd_where) == 40, "lmmsd_where");

/* Encoding of a str's bytes. UCS* are host byte order. */
#define LMMSD_STR_UTF8 0 /* ASCII or UTF-8 */
#define LMMSD_STR_LATIN1 1
#define LMMSD_STR_UCS2 2
#define LMMSD_STR_UCS4 4
#define LMMSD_STR_CUT 0x80 /* flag: the string was longer */

/* It may be in sys.modules already: the entry probe could not look it up. */
#define LMMSD_LOAD_UNSURE 0x80

struct lmmsd_ev_load {
	struct lmmsd_hdr h;
	uint64_t sp; /* stack pointer: pairs a start with its done, with where.frame */
	uint32_t interp;
	uint16_t name_len; /* tail: 1 */
	uint8_t name_kind;
	uint8_t level; /* of a relative name: then the name is "PACKAGE/NAME"; and LMMSD_LOAD_UNSURE */
	struct lmmsd_where where; /* tail: 2 importer, 3 file, 4 func, 5 linetab */
};
_Static_assert(sizeof(struct lmmsd_ev_load) == 88, "lmmsd_ev_load");
/* Module-level code: its own name and file, and in `where` the code that asked for it. */
struct lmmsd_ev_body {
	struct lmmsd_hdr h;
	uint64_t sp;
	uint32_t interp;
	uint16_t name_len; /* tail: 1: __name__ of the body's globals */
	uint8_t name_kind;
	uint8_t body_kind;	/* LMMSD_STR_* of body_file */
	uint16_t body_file_len; /* tail: 2: co_filename of the body */
	uint16_t pad_;
	uint32_t pad2_;
	struct lmmsd_where where; /* tail: 3 importer, 4 file, 5 func, 6 linetab */
};
_Static_assert(sizeof(struct lmmsd_ev_body) == 96, "lmmsd_ev_body");

struct lmmsd_ev_done {
	struct lmmsd_hdr h;
	uint64_t sp;
	uint64_t frame;
	uint32_t interp;
	int32_t found; /* 1 loaded, 0 failed, -1 the probe cannot tell */
};
_Static_assert(sizeof(struct lmmsd_ev_done) == 56, "lmmsd_ev_done");

/*
 * Nearly all imports of a start are statements of module bodies, and each statement runs once. So a body gives its
 * strings and its line table when it begins, under a number of its thread's; who asks is then the number and the
 * instruction (LMMSD_WHERE_BODY), and a use is one record (USE_AT), no counter. The number holds until BODY_LEAVE.
 */
struct lmmsd_ev_enter {
	struct lmmsd_ev_body b; /* tail: 1 name, 2 body_file; 4 to 7 as its 3 to 6 */
	uint32_t body;		/* number, not 0 */
	int32_t firstlineno;
	uint16_t body_linetab_len; /* tail: 3: head of the body's line table */
	uint8_t cut;		   /* 1: the line table was longer */
	uint8_t pad_[5];
};
_Static_assert(sizeof(struct lmmsd_ev_enter) == 112, "lmmsd_ev_enter");

struct lmmsd_ev_leave {
	struct lmmsd_ev_done d;
	uint32_t body;
	uint32_t pad_;
};
_Static_assert(sizeof(struct lmmsd_ev_leave) == 64, "lmmsd_ev_leave");

struct lmmsd_ev_use_at {
	struct lmmsd_hdr h;
	uint32_t interp;
	uint32_t body;
	int32_t instr;
	int16_t level;
	uint16_t name_len;    /* tail: 1: as given, not resolved */
	uint16_t package_len; /* tail: 2: __package__, of a relative one; 0: None or missing */
	uint8_t name_kind;
	uint8_t package_kind;
	uint8_t pad_[4];
};
_Static_assert(sizeof(struct lmmsd_ev_use_at) == 56, "lmmsd_ev_use_at");

struct lmmsd_ev_ext {
	struct lmmsd_hdr h;
	uint32_t interp;
	uint16_t name_len; /* tail: 1: md_name, may differ from the import name */
	uint16_t file_len; /* tail: 2: __file__; 0 for a built-in module */
	uint8_t name_kind;
	uint8_t file_kind;
	uint8_t pad_[6];
};
_Static_assert(sizeof(struct lmmsd_ev_ext) == 48, "lmmsd_ev_ext");

struct lmmsd_ev_compile {
	struct lmmsd_hdr h;
	uint32_t interp;
	uint16_t file_len; /* tail: 1 */
	uint8_t file_kind;
	uint8_t pad_;
};
_Static_assert(sizeof(struct lmmsd_ev_compile) == 40, "lmmsd_ev_compile");

/*
 * Key of the kernel's use counters. Pointers identify: a str object's cached hash is unique enough in a process
 * (siphash of a secret key), and a globals dict stands for its module.
 */
struct lmmsd_use_key {
	uint32_t tgid;
	int16_t level; /* of a relative import; 0 absolute */
	uint8_t place; /* LMMSD_PLACE_* by the arguments alone */
	uint8_t flags; /* LMMSD_USE_* */
	uint64_t name; /* the name's hash, or one of its text if it has none yet, or its address */
	uint64_t globals;  /* address of the importer's globals; 0: none */
	uint64_t start_ns; /* of the process: a new process with the same pid has other keys */
};
_Static_assert(sizeof(struct lmmsd_use_key) == 32, "lmmsd_use_key");
#define LMMSD_USE_OVERFLOW 0x2 /* too many keys in this process: without the importer */
#define LMMSD_USE_CAPI 0x4     /* through the C API: the arguments say nothing about the place */

/*
 * An import statement or call, seen for the first time with this key. where.importer is the globals' __name__;
 * `package` is its __package__ (to resolve a relative name).
 */
struct lmmsd_ev_use {
	struct lmmsd_hdr h;
	struct lmmsd_use_key key;
	uint32_t interp;
	uint16_t name_len;    /* tail: 1: as given, not resolved */
	uint16_t package_len; /* tail: 2; with PACKAGE_NONE flag the dict held None */
	uint8_t name_kind;
	uint8_t package_kind;
	uint8_t flags; /* LMMSD_USEF_* */
	uint8_t pad_[5];
	struct lmmsd_where where; /* tail: 3 importer, 4 file, 5 func, 6 linetab */
};
#define LMMSD_USEF_PACKAGE_NONE 0x1 /* __package__ is None or missing */
#define LMMSD_USEF_IS_PACKAGE 0x2   /* the globals have a __path__ */
_Static_assert(sizeof(struct lmmsd_ev_use) == 120, "lmmsd_ev_use");

/* The program is told by its inode and ctime: device numbers differ through overlayfs, and inode numbers come back. */
struct lmmsd_ev_exe {
	struct lmmsd_hdr h;
	uint64_t ino;
	uint32_t ctime_s; /* low 32 bits */
	uint32_t ctime_ns;
};
_Static_assert(sizeof(struct lmmsd_ev_exe) == 48, "lmmsd_ev_exe");

struct lmmsd_ev_host {
	struct lmmsd_hdr h;
	int64_t realtime_offset_ns; /* add to CLOCK_MONOTONIC to get Unix time */
	uint16_t name_len;	    /* tail: 1 host name */
	uint16_t kernel_len;	    /* tail: 2 */
	uint16_t arch_len;	    /* tail: 3 */
	uint16_t boot_id_len;	    /* tail: 4 */
	uint16_t version_len;	    /* tail: 5 lmmsd's version */
	uint8_t usage;		    /* 1: uses are counted */
	uint8_t pad_[5];
};
_Static_assert(sizeof(struct lmmsd_ev_host) == 56, "lmmsd_ev_host");

#define LMMSD_PROBE_USDT 1
#define LMMSD_PROBE_CALLSITE 2
#define LMMSD_PROBE_ENTRY 3

struct lmmsd_ev_interp {
	struct lmmsd_hdr h; /* tgid 0 */
	uint32_t interp;
	uint32_t version;  /* PY_VERSION_HEX */
	uint8_t probe;	   /* LMMSD_PROBE_* */
	uint8_t flags;	   /* LMMSD_INTERP_* */
	uint16_t path_len; /* tail: 1 */
	uint32_t pad_;
};
#define LMMSD_INTERP_BODIES 0x1	 /* bodies are timed: import_module and reload are seen */
#define LMMSD_INTERP_COMPILE 0x2 /* compilation is seen: source and bytecode can be told apart */
#define LMMSD_INTERP_EXT 0x4	 /* C modules' exec is seen */
_Static_assert(sizeof(struct lmmsd_ev_interp) == 48, "lmmsd_ev_interp");

struct lmmsd_ev_uses {
	struct lmmsd_hdr h;
	struct lmmsd_use_key key;
	uint64_t count;
};
_Static_assert(sizeof(struct lmmsd_ev_uses) == 72, "lmmsd_ev_uses");

#define LMMSD_LOST_SLOTS 64
struct lmmsd_ev_lost {
	struct lmmsd_hdr h;
	uint64_t count[LMMSD_LOST_SLOTS]; /* by LMMSD_LOST_* */
};
_Static_assert(sizeof(struct lmmsd_ev_lost) == 544, "lmmsd_ev_lost");

/* For the module `name` of process (h.tgid, h.start_ns). */
struct lmmsd_ev_dist {
	struct lmmsd_hdr h;
	uint16_t name_len;    /* tail: 1 module */
	uint16_t dist_len;    /* tail: 2 distribution */
	uint16_t version_len; /* tail: 3 */
	uint16_t file_len;    /* tail: 4 file, when it was found on disk only */
	uint8_t kind;	      /* LMMSD_KIND_*; 0: says nothing */
	uint8_t pad_[7];
};
_Static_assert(sizeof(struct lmmsd_ev_dist) == 48, "lmmsd_ev_dist");

#define LMMSD_KIND_UNKNOWN 0
#define LMMSD_KIND_SOURCE 1   /* compiled in this run: no usable .pyc */
#define LMMSD_KIND_BYTECODE 2 /* from a .pyc */
#define LMMSD_KIND_BUILTIN 3
#define LMMSD_KIND_FROZEN 4
#define LMMSD_KIND_EXTENSION 5
#define LMMSD_KIND_NAMESPACE 6
#define LMMSD_KIND_MAX 7
