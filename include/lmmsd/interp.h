/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * What the BPF programs must know of one CPython build: filled by user space from the ELF file and the version
 * tables (user/probe/pyoff.c), read by BPF from array maps. Offsets are bytes. LMMSD_OFF_NONE: not in this version.
 *
 * Two arrays: `interps` (one entry an attached file) and `sites` (one entry a probed instruction). A probe's cookie is the
 * index of its site.
 */
#pragma once

#define LMMSD_MAX_INTERPS 256
#define LMMSD_MAX_SITES 4096
#define LMMSD_SITES_PER_INTERP 32 /* two copies of the code, as BOLT leaves them */
#define LMMSD_OFF_NONE 0xffff

/* How the running thread's state is found; cpython-imports: tstate_current up to 3.11, GIL holder from 3.12. */
#define LMMSD_TS_NONE 0
#define LMMSD_TS_VAR 1 /* *(tstate_va): up to 3.11 a variable names it */
#define LMMSD_TS_GIL 2 /* 3.12+: the holder of an interpreter's GIL */

#define LMMSD_INSTR_BYTES 0 /* f_lasti counts bytes (<= 3.9) */
#define LMMSD_INSTR_UNITS 1 /* f_lasti counts 2-byte units (3.10) */
#define LMMSD_INSTR_PTR 2   /* pointer into the code (3.11+) */

#define LMMSD_DICT_OLD 0 /* <= 3.10: dk_size u64 at 8, entries after 40 + indices */
#define LMMSD_DICT_NEW 1 /* 3.11+: log2 of index bytes at 9, kind at 10, 32 */

struct lmmsd_interp {
	uint32_t version;	/* PY_VERSION_HEX; 0: the slot is empty */
	uint8_t ts_mode;	/* LMMSD_TS_* */
	uint8_t instr_mode;	/* LMMSD_INSTR_* */
	uint8_t dict_mode;	/* LMMSD_DICT_* */
	uint8_t op_import_name; /* opcode of IMPORT_NAME */
	uint64_t runtime_va;	/* address in the file of _PyRuntime, 0 for 3.6 */
	uint64_t tstate_va;	/* LMMSD_TS_VAR: address in the file of the variable */

	/* runtime, interpreter, thread */
	uint16_t rt_interp_head;
	uint16_t interp_next;
	uint16_t interp_threads;
	uint16_t interp_gil; /* pointer to the GIL */
	uint16_t gil_holder;
	uint16_t ts_next;
	uint16_t ts_thread_id;
	uint16_t ts_status; /* u32 with the active bit (bit 4); OFF_NONE before 3.12 */
	uint16_t ts_frame;  /* pointer to frame, or to cframe when ts_cframe is not NONE */
	uint16_t ts_cframe; /* 3.11: 8, 3.12: 0: pointer to frame inside the cframe */

	/* frame */
	uint16_t fr_previous;
	uint16_t fr_code;
	uint16_t fr_globals;
	uint16_t fr_instr;
	uint16_t fr_owner; /* u8; OFF_NONE before 3.11 */

	/* code */
	uint16_t co_flags;
	uint16_t co_firstlineno;
	uint16_t co_filename;
	uint16_t co_name;
	uint16_t co_linetable;
	uint16_t co_code; /* <= 3.10: pointer to bytes; 3.11+: bytecode stands here */

	/* objects */
	uint16_t ob_type;
	uint16_t ob_size; /* of a variable-size object: tuple, bytes, list */
	uint16_t bytes_data;
	uint16_t type_flags;
	uint16_t str_length;
	uint16_t str_hash;
	uint16_t str_state;
	uint16_t str_ascii_data;
	uint16_t str_compact_data;
	uint16_t tuple_item;
	uint16_t dict_used;
	uint16_t dict_keys;
	uint16_t dict_values;
	uint16_t mod_dict;
	uint16_t mod_name;
	uint8_t str_kind_shift; /* bits of str_state */
	uint8_t str_compact_shift;
	uint8_t str_ascii_shift;
	uint8_t owner_generator_max; /* 3.11+: owners above this value are shims, not Python frames */
	uint16_t ts_interp;
	uint16_t interp_modules; /* sys.modules */
};

/* What a probed instruction is. */
#define LMMSD_SITE_USDT_START 1	  /* arg: char *name */
#define LMMSD_SITE_USDT_DONE 2	  /* arg: char *name, int found */
#define LMMSD_SITE_CALL_START 3	  /* the call of _find_and_load; arg: str *name, method */
#define LMMSD_SITE_CALL_DONE 4	  /* first emulated instruction after it; arg: result */
#define LMMSD_SITE_IMPORT 5	  /* entry of PyImport_ImportModuleLevelObject */
#define LMMSD_SITE_IMPORT_RET 6	  /* its ret instructions: fallback, costly */
#define LMMSD_SITE_BODY_START 7	  /* entry of PyEval_EvalCode: arg0 code, arg1 globals */
#define LMMSD_SITE_BODY_DONE 8	  /* first emulated instruction after the evaluation */
#define LMMSD_SITE_EXT_EXEC 9	  /* entry of PyModule_ExecDef: arg0 module */
#define LMMSD_SITE_COMPILE 10	  /* entry of Py_CompileStringObject: arg1 str *filename */
#define LMMSD_SITE_LAZY_WAKE 11	  /* entry of _PyLazyImport_Reify: a lazy import wakes */
#define LMMSD_SITE_IMPORT_LOAD 12 /* fallback: IMPORT's place again, for the loads */
#define LMMSD_SITE_MAIN 13	  /* entry of PyEval_EvalCode, only for __main__: <= 3.9 */
#define LMMSD_SITE_KINDS 14

/* How to read an argument at a site. */
#define LMMSD_ARG_NONE 0
#define LMMSD_ARG_REG 1 /* value of the register at pt_regs + reg */
#define LMMSD_ARG_MEM 2 /* 8 bytes at that register + off */

struct lmmsd_arg {
	uint8_t how;  /* LMMSD_ARG_* */
	uint8_t size; /* bytes, 4 or 8; */
	uint16_t reg; /* offset in struct pt_regs (arm64: user_pt_regs) */
	int32_t off;
};
_Static_assert(sizeof(struct lmmsd_arg) == 8, "lmmsd_arg");

/* How LMMSD_SITE_CALL_START confirms that it is _find_and_load that is called. */
#define LMMSD_METHOD_NONE 0 /* proven from the file already */
#define LMMSD_METHOD_STR 1  /* arg[1] is a str object */
#define LMMSD_METHOD_ID_8 2 /* arg[1] is a _Py_Identifier *, char * at +8 (3.6-3.9) */
#define LMMSD_METHOD_ID_0 3 /* char * at +0 (3.10) */

struct lmmsd_site {
	uint64_t va; /* address in the file: regs->ip - va is the load bias */
	uint32_t interp;
	uint8_t kind;	/* LMMSD_SITE_* */
	uint8_t method; /* LMMSD_METHOD_* */
	uint8_t method_proven; /* the file proves the method; a failed read in BPF does not drop the event */
	uint8_t pad_;
	int32_t sp_delta; /* add to the stack pointer here to get the stack pointer at the function's entry;
				 * only for IMPORT and IMPORT_RET, whose pairs must agree */
	uint32_t pad2_;
	struct lmmsd_arg arg[5];
};
_Static_assert(sizeof(struct lmmsd_site) == 64, "lmmsd_site");
