/* SPDX-License-Identifier: GPL-2.0-only */
/* Maps, knobs and the two small services that every program uses: counting a loss and sending a record. */
#pragma once
#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "lmmsd/event.h"
#include "lmmsd/interp.h"
#include "lmmsd/reasons.h"
#include "site_maps.bpf.h"

/* Set by user space between open and load. */
const volatile bool have_task_storage =
	true; /* 5.11+; without it handlers run with preemption off (5.10) */
const volatile bool have_cookie = true; /* 5.15+; without: site_maps.bpf.h */
const volatile bool filter_pids =
	false; /* only processes in `watched`, and the children they start */
const volatile bool filter_uid = false;
const volatile __u32 wanted_uid = 0;
const volatile __u32 wake_at = 512 *
			       1024; /* bytes waiting that wake the reader: a quarter of the ring */
const volatile __u32 max_keys_per_proc = 16384;
const volatile __s32 max_threads = 32768;

/* That have an element in `threads`, and soon one in `scratches`: 8 KiB, and nothing else limits them. */
__s32 n_threads = 0;

/*
 * A function that the verifier walks once, whoever calls it and however often: it takes each for what its type says, a
 * pointer to as many bytes or NULL, and goes on behind the call. A static one it walks again at every call, in every state
 * that leads there, which made 245,000 instructions of 9,000. So such a function checks its pointers, and gets plain data
 * only: inside of a struct a pointer is a number. Kernels before 5.12 have it for functions without pointers only; user
 * space makes all of them static there (probe.c).
 */
#define GLOBAL __attribute__((noinline))

#define MAX_ENDS 32 /* a power of two */

/* A module body that runs, and that user space was told of: body.bpf.h. */
struct body {
	__u64 code, globals;
	__u64 package; /* object of its __package__ */
	__u64 frame;   /* that runs it; 0: no statement of it was seen yet */
	__u32 id;      /* its number */
	__s32 last;    /* offset of the last import statement that was sent as a use */
	__s32 most;    /* the highest offset whose line user space can tell */
	__u32 pad_;
};

/* Head of a str from its length field on; one read. The fields are adjacent in 3.6-3.15. */
struct str_head {
	__s64 length;
	__s64 hash;
	__u32 state;
	__u32 pad_;
};

struct globals {
	__u64 name;    /* str object of __name__ */
	__u64 package; /* object of __package__: str or None */
	__u32 at;      /* which entry __name__ is: 0 in a module */
};

struct walk {
	__u64 frame;
	__u64 code;
	__u64 body; /* a module body's code that user space knows; 0: none */
	__u32 flags;
	__s32 instr;
};

/* Addresses in the observed process. */
struct known {
	__u64 name, package, file, module;
	__u64 bootstrap; /* the file name of importlib's code that was met last */
};

/*
 * Largest record: every string at its limit (then what names the working directory is left out). With the two buffers
 * below it the element stays under 4 KiB, which is what the allocation costs.
 */
#define REC_CAP 3200

/* A thread's buffers. In task storage no other thread can come between, whatever preempts. */
struct scratch {
	__u8 frame[128];
	__u8 code[144];
	__u8 keys[216]; /* a dict's keys object */
	/* The objects that this process has for these strings, interned: once seen, an address tells. */
	struct known known;
	__u32 known_of; /* ... in this interpreter's file */
	/* What functions would have on the stack, of which all calls together get 512 bytes. */
	struct body begins;
	struct globals globals;
	struct walk walk;
	struct str_head head;
	__u64 kept[4];
	__u32 off; /* bytes of rec in use */
	__u32 where;
	__u8 rec[REC_CAP];
};

#define THREAD_NEW 0
#define THREAD_WATCHED 1
#define THREAD_IGNORED 2

/* By what the end of a load or of a body is known: the stack pointer, and the frame, since stacks can be switched. */
struct ends {
	__u64 sp, frame;
	__u64 name; /* of a load: the str object */
};

/*
 * What every probe needs first. In map memory and not on the stack, where the verifier would keep the paths apart by each
 * value that it knows.
 */
struct hit {
	__u64 ts;
	__u64 bias;
	__u64 frame;  /* current Python frame; 0: none, or not looked for yet */
	__u64 name;   /* of a load that begins or a body: the str object; 0: not known */
	__u64 sp;     /* stack pointer as it is at the function's entry, or at the call */
	__u64 arg[5]; /* of the site */
	__u32 interp;
	__s32 asked; /* struct thread's, as the last event left it */
	__u8 kind;   /* LMMSD_SITE_* */
	__u8 method; /* LMMSD_METHOD_* */
	__u8 method_proven;
	__u8 pad_[5];
};

/* What is known of a thread after its first event. Counted imports touch only its head. */
struct thread {
	__u64 start_ns;
	__u32 tgid;
	__u32 state;	/* THREAD_* */
	__u64 spent_ns; /* by probes, and in no record yet */
	__u32 bodies;	/* how many of body[] run, the innermost last */
	__u32 loads;	/* how many of load_ends[] are open */
	__u32 last_id;
	__u32 switches; /* 1: it runs on more than one stack */
	__u32 pad_;
	__u64 method; /* the object or identifier that was seen to name _find_and_load */
	__u64 io_globals; /* importlib._bootstrap_external's, whose C helpers import _io for each file */
	__s32 asked; /* the last event was the use by this instruction of the innermost body; -1: it was not */
	__u64 asked_frame; /* ... in this frame */
	struct hit hit;	   /* the event that is being handled */
	struct ends body_ends[MAX_ENDS];
	struct ends load_ends[MAX_ENDS];
	struct body body[MAX_ENDS];
};

struct proc {
	__u64 start_ns;
	__u64 exec_ns;
	__u32 use_keys;
	__u32 pad_;
};

struct exe_key {
	__u64 ino;
	__u32 ctime_s;
	__u32 ctime_ns;
};

#define EXE_PYTHON 1
#define EXE_OTHER 2
#define EXE_PENDING 3

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 2 * 1024 * 1024);
} events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, LMMSD_LOST_SLOTS);
	__type(key, __u32);
	__type(value, __u64);
} lost SEC(".maps");

/* Nanoseconds in import probes, of all threads: what lmmsd costs. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} spent SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, LMMSD_MAX_INTERPS);
	__type(key, __u32);
	__type(value, struct lmmsd_interp);
} interps SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, LMMSD_MAX_SITES);
	__type(key, __u32);
	__type(value, struct lmmsd_site);
} sites SEC(".maps");

/* Processes that were announced; emptied at exit. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 16384);
	__type(key, __u32);
	__type(value, struct proc);
} procs SEC(".maps");

/* With filter_pids: the processes to observe. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 16384);
	__type(key, __u32);
	__type(value, __u32);
} watched SEC(".maps");

/* Programs that were looked at, so that each is looked at once. A cache: eviction costs one more look. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct exe_key);
	__type(value, __u32);
} exes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, struct lmmsd_use_key);
	__type(value, __u64);
} uses SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct thread);
} threads SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct scratch);
} scratches SEC(".maps");

/* The same for kernels without task storage. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct thread);
} cpu_threads SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct scratch);
} cpu_scratches SEC(".maps");

static __always_inline void count_lost(__u32 reason)
{
	__u64 *n = bpf_map_lookup_elem(&lost, &reason);

	if (n)
		*n += 1; /* per CPU; a lost tick under preemption is not worth an atomic */
}

/*
 * Waking the reader costs the observed thread some 25 us, so no event wakes it: the reader comes by itself every
 * 50 ms, and is called only by the one event that carries the ring over a quarter.
 */
static __always_inline __u64 wake_flags(__u32 size)
{
	__u64 avail = bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA);

	return avail >= wake_at && avail < wake_at + size + 8 ? BPF_RB_FORCE_WAKEUP :
								BPF_RB_NO_WAKEUP;
}

static __always_inline long send(void *rec, __u32 size)
{
	long err = bpf_ringbuf_output(&events, rec, size, wake_flags(size));

	if (err)
		count_lost(LMMSD_LOST_RING_FULL);
	return err;
}

static __always_inline struct scratch *scratch_get(void)
{
	struct scratch *s;

	if (have_task_storage) {
		s = bpf_task_storage_get(&scratches, bpf_get_current_task_btf(), 0,
					 BPF_LOCAL_STORAGE_GET_F_CREATE);
	} else {
		__u32 zero = 0;

		s = bpf_map_lookup_elem(&cpu_scratches, &zero);
	}
	if (!s)
		count_lost(LMMSD_LOST_SCRATCH);
	return s;
}

/*
 * n = min(n, max), in one register and 64 bits wide, where clang would compare 32 of them in another one: verifiers
 * up to 6.1 need to see exactly this, right before the helper that takes n as a length.
 */
#define CLAMP(n, max)                                                                              \
	asm volatile("if %[len] < %[most] goto +1\n\t%[len] = %[most]"                             \
		     : [len] "+r"(n)                                                               \
		     : [most] "i"(max))

/*
 * Room for max bytes at the record's end, NULL when it is full. The offset is checked in the register that makes the
 * pointer: verifiers before 6.3 lose the bounds of a number on the stack, but never a pointer's.
 */
static __always_inline void *rec_room(struct scratch *s, const __u32 max)
{
	__u64 o = s->off;

	barrier_var(o);
	if (o > REC_CAP - max)
		return NULL;
	barrier_var(o); /* or clang 15 to 17 make the pointer before the comparison */
	return s->rec + o;
}

/* Sends what stands in the scratch, whose header's size field is set here. */
static __always_inline long scratch_send(struct scratch *s)
{
	struct lmmsd_hdr *h = (void *)s->rec;
	__u32 size = s->off;

	/* Two plain comparisons: the verifier of 6.1 does not follow the one that clang makes of both. */
	if (size > REC_CAP)
		return -1;
	barrier_var(size);
	if (size < sizeof(*h))
		return -1;
	h->size = (__u16)size;
	return send(s->rec, size);
}

static __always_inline void hdr_fill(struct lmmsd_hdr *h, __u16 kind, __u32 size, __u64 ts,
				     __u64 start_ns)
{
	__u64 id = bpf_get_current_pid_tgid();

	h->abi = LMMSD_ABI;
	h->kind = kind;
	h->size = (__u16)size;
	h->spent = 0;
	h->ts_ns = ts;
	h->tgid = id >> 32;
	h->tid = (__u32)id;
	h->start_ns = start_ns;
}
