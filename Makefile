# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
# make help: every target and variable
.DELETE_ON_ERROR:
.SUFFIXES:
.SECONDARY:
MAKEFLAGS += --no-builtin-rules
.DEFAULT_GOAL := all

VERSION := $(shell cat VERSION)
BUILD ?= build
B := $(BUILD)$(if $(SAN),/san)$(if $(FUZZ),/fuzz)

# ---- tools
ifeq ($(origin CC),default)
CC := $(if $(FUZZ),clang,gcc)
endif
ifeq ($(origin AR),default)
AR := ar
endif
CLANG ?= clang
LLVM_STRIP ?= llvm-strip
# /usr/sbin is missing from the PATH of many shells
BPFTOOL ?= PATH="$$PATH:/usr/sbin:/sbin" bpftool
PKG_CONFIG ?= pkg-config
CLANG_FORMAT ?= clang-format
SCDOC ?= scdoc
ARCH ?= $(shell uname -m)
BPF_ARCH := $(patsubst aarch64,arm64,$(patsubst x86_64,x86,$(ARCH)))
JOBS ?= $(shell nproc)
# V=1 prints the commands
Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-7s %s\n' '$(1)' '$(2)')

# ---- flags: CFLAGS and LDFLAGS are the caller's, the rest is ours
CFLAGS ?= -O2 -g
PKGS := libbpf libelf capstone libcjson sqlite3 libmicrohttpd libsystemd inih libcap-ng libcurl gnutls yaml-0.1 libcrypt
# asked once, and only when something is compiled
memo = $(eval $(1) := $(2))$($(1))
PKG_CFLAGS = $(call memo,PKG_CFLAGS,$(shell $(PKG_CONFIG) --cflags $(PKGS)))
PKG_LIBS = $(call memo,PKG_LIBS,$(shell $(PKG_CONFIG) --libs $(PKGS)))
CMOCKA_LIBS = $(call memo,CMOCKA_LIBS,$(shell $(PKG_CONFIG) --libs cmocka))

WARN := -Wall -Wextra -Wformat=2 -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wundef -Wvla \
	-Wpointer-arith -Wcast-qual -Wwrite-strings
# WERROR=1, as in CI: a warning is an error. Elsewhere a compiler may be newer than its warnings here.
WERROR_FLAG := $(if $(filter-out 0,$(WERROR)),-Werror)
WARN += $(WERROR_FLAG)
HARDEN := -fstack-protector-strong -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
ifneq ($(SAN)$(FUZZ),)
HARDEN := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -U_FORTIFY_SOURCE
endif
ifneq ($(FUZZ),)
HARDEN += -fsanitize=fuzzer-no-link
endif
ALL_CFLAGS = -std=gnu17 $(CFLAGS) $(WARN) $(HARDEN) -fPIE
ALL_CPPFLAGS = -D_GNU_SOURCE -DLMMSD_VERSION='"$(VERSION)"' -Iuser -Iinclude -isystem $(B)/bpf $(PKG_CFLAGS) \
	$(CPPFLAGS)
ALL_LDFLAGS = -pie -Wl,-z,relro,-z,now -Wl,--as-needed $(filter -fsanitize=address%,$(HARDEN)) $(LDFLAGS)
ALL_LIBS = $(PKG_LIBS) -lm $(LDLIBS)
BPF_CFLAGS := -target bpf -mcpu=v3 -O2 -g -Wall -Wextra -Wno-unused-parameter \
	$(WERROR_FLAG) -D__TARGET_ARCH_$(BPF_ARCH) -Ivmlinux -Iinclude -Ibpf
# -MD: the generated skeletons count as system headers, which -MMD would leave out
DEPFLAGS = -MD -MP -MF $@.d

# Whatever else is compiled when a flag, a tool or the version changes; the file only changes with them.
FLAGS_NOW = $(CC) $(ALL_CFLAGS) $(ALL_CPPFLAGS) $(ALL_LDFLAGS) $(CLANG) $(BPF_CFLAGS)
$(B)/flags: FORCE
	@mkdir -p $(@D)
	@$(PKG_CONFIG) --exists --print-errors $(PKGS) || \
		{ echo "make: libraries are missing: run 'make deps' as root" >&2; exit 1; }
	@printf '%s\n' '$(subst ','\'',$(FLAGS_NOW))' | cmp -s - $@ || \
		printf '%s\n' '$(subst ','\'',$(FLAGS_NOW))' >$@
FORCE:
.PHONY: FORCE

# ---- BPF: bpf/X.bpf.c -> X.bpf.o -> X.skel.h; tests/bpf/X.bpf.c likewise
BPF_SRCS := $(wildcard bpf/*.bpf.c)
BPF_TEST_SRCS := $(wildcard tests/bpf/*.bpf.c)
SKELS := $(BPF_SRCS:bpf/%.bpf.c=$(B)/bpf/%.skel.h)
BPF_TEST_SKELS := $(BPF_TEST_SRCS:tests/bpf/%.bpf.c=$(B)/tests/bpf/%.skel.h)

define bpf_object
$(call say,CLANG,$@)
@mkdir -p $(@D)
$(Q)$(CLANG) $(BPF_CFLAGS) $(DEPFLAGS) -MT $@ -c $< -o $@.full
$(Q)$(LLVM_STRIP) -g -o $@ $@.full
endef

$(B)/bpf/%.bpf.o: bpf/%.bpf.c $(B)/flags
	$(bpf_object)

$(B)/tests/bpf/%.bpf.o: tests/bpf/%.bpf.c $(B)/flags
	$(bpf_object)

# ---- skeletons
$(B)/%.skel.h: $(B)/%.bpf.o
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< >$@

# ---- rooms: each directory of user/ is one; ROOMS="base model" builds only these
ROOMS ?= $(notdir $(wildcard user/*))
MAINS := user/app/lmmsd.c user/app/lmmsctl.c
SRCS := $(sort $(filter-out $(MAINS),$(foreach r,$(ROOMS),$(wildcard user/$(r)/*.c))))
OBJS := $(SRCS:user/%.c=$(B)/obj/%.o)
$(B)/obj/%.o: user/%.c $(B)/flags
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) $(DEPFLAGS) -c $< -o $@

$(filter $(B)/obj/probe/% $(B)/obj/app/%,$(OBJS) $(MAINS:user/%.c=$(B)/obj/%.o)): | $(SKELS)

$(B)/liblmmsd.a: $(OBJS)
	$(call say,AR,$@)
	@rm -f $@
	$(Q)$(AR) rcs $@ $^

# ---- binaries
BINS := $(patsubst user/app/%.c,$(B)/%,$(wildcard $(MAINS)))
MANS := $(patsubst packaging/man/%.scd,$(B)/man/%,$(wildcard packaging/man/*.scd))
all: $(BINS) $(B)/liblmmsd.a

$(BINS): $(B)/%: $(B)/obj/app/%.o $(B)/liblmmsd.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) $^ $(ALL_LIBS) -o $@

$(B)/man/%: packaging/man/%.scd
	$(call say,MAN,$@)
	@mkdir -p $(@D)
	$(Q)$(SCDOC) <$< >$@

man: $(MANS)

# ---- tests: each tests/unit/test_X.c and tests/bpf/test_X.c is a program; each tests/fuzz/fuzz_X.c too, with FUZZ=1
UNIT_TESTS := $(patsubst %.c,$(B)/%,$(sort $(wildcard tests/unit/test_*.c)))
BPF_TESTS := $(patsubst %.c,$(B)/%,$(sort $(wildcard tests/bpf/test_*.c)))
FUZZERS := $(patsubst %.c,$(B)/%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))
# lets a test make the program's system calls and allocations fail: "// wrap: NAME NAME" in its source
wraps = $(addprefix -Wl$(comma)--wrap=,$(shell sed -n 's|^// wrap: ||p' $(1)))
comma := ,
define test_program
$(call say,TEST,$@)
@mkdir -p $(@D)
$(Q)$(CC) $(ALL_CPPFLAGS) -Itests -isystem $(B)/tests $(ALL_CFLAGS) $(DEPFLAGS) -MT $@ $< $(B)/liblmmsd.a $(ALL_LDFLAGS) \
	$(call wraps,$<) $(ALL_LIBS) $(1) -o $@
endef

$(UNIT_TESTS) $(patsubst %.c,$(B)/%,$(wildcard tests/store/*.c tests/prom/*.c tests/emf/*.c)): $(B)/tests/%: tests/%.c $(B)/liblmmsd.a
	$(call test_program,$(CMOCKA_LIBS))

$(BPF_TESTS): $(B)/tests/bpf/%: tests/bpf/%.c $(B)/liblmmsd.a | $(BPF_TEST_SKELS)
	$(call test_program,$(CMOCKA_LIBS))

$(FUZZERS): $(B)/tests/fuzz/%: tests/fuzz/%.c $(B)/liblmmsd.a
	$(call test_program,-fsanitize=fuzzer)

unit-tests: $(UNIT_TESTS)
bpf-tests: $(BPF_TESTS)
fuzzers: $(FUZZERS)

# In steps, since a fresh machine has neither compiler nor libraries before the first
PIPED := packaging/demo/until-closed
run:
	@$(PIPED) packaging/deps build run
	@$(PIPED) $(MAKE) --no-print-directory -j$(JOBS) all
	@BUILD=$(B) $(PIPED) packaging/demo/run

test:
	@packaging/deps build run test
	@$(MAKE) --no-print-directory -j$(JOBS) all
	@BUILD=$(BUILD) MAKE='$(MAKE)' JOBS=$(JOBS) tests/run $(SUITES)

test-vm:
	@packaging/deps build run test vm
	@$(MAKE) --no-print-directory -j$(JOBS) all
	@tests/vm/cross-env $(MAKE) --no-print-directory -j$(JOBS) all || [ $$? = 77 ]
	@$(MAKE) --no-print-directory deb >/dev/null || echo "SKIP no Debian package can be built here"
	@BUILD=$(BUILD) tests/vm/all -t 900

test-kills: all; @for seed in 1 2 3 4 5; do E2E_KILLS=40 E2E_SEED=$$seed BUILD=$(B) tests/e2e/run -v kill.kills || exit 1; done

bench golden: all
	@BUILD=$(B) $(if $(filter golden,$@),tests/golden/run --write,tests/bench/run)

deps:
	@packaging/deps build run

deps-test:
	@packaging/deps build run test

# ---- lints
C_FILES = $(wildcard user/*/*.[ch] include/lmmsd/*.h bpf/*.[ch] tests/*/*.[ch])
lint:
	@BUILD=$(BUILD) tests/lint/run

check-headers:
	@BUILD=$(BUILD) tests/lint/headers

format:
	$(CLANG_FORMAT) -i $(C_FILES)

# ---- install: the directories are variables of packaging/install
install: all man
	$(Q)BINS='$(BINS)' MANS='$(MANS)' packaging/install

uninstall:
	$(Q)BINS='$(BINS)' MANS='$(MANS)' packaging/install --remove

# What is here, changes that are not committed too; a tarball without git makes the same one again
DIST := lmmsd-$(VERSION)
dist:
	$(call say,DIST,$(B)/$(DIST).tar.gz)
	$(Q)packaging/dist $(DIST) $(B)/$(DIST).tar.gz

deb: dist
	@packaging/deps build deb
	$(Q)rm -rf $(B)/deb && mkdir -p $(B)/deb && tar -xf $(B)/$(DIST).tar.gz -C $(B)/deb
	$(Q)cd $(B)/deb/$(DIST) && cp -r packaging/debian debian && env -u MAKEFLAGS -u MFLAGS -u BUILD dpkg-buildpackage -us -uc -b
	@ls $(B)/deb/*.deb

rpm: dist
	rpmbuild -bb -D '_topdir $(abspath $(B))/rpm' -D '_sourcedir $(abspath $(B))' $(RPMFLAGS) packaging/lmmsd.spec

# Not the whole directory: virtual machines and Python trees in it take long to make again
clean:
	rm -rf $(addprefix $(B)/,bpf obj tests man deb rpm san fuzz flags liblmmsd.a lmmsd lmmsctl)

# ---- help
help:
	@sed -n 's/^#~ \{0,1\}//p' Makefile
#~ lmmsd: an import profiler for CPython
#~   make            build/lmmsd and build/lmmsctl
#~   make deps       install what the build needs and is missing (apt-get, as root); deps-test: the tests too
#~   make run        deps, build, and a demonstration (packaging/demo/run)
#~   make test       deps, build, and every suite: unit bpf golden python store prom html emf e2e lint fuzz package; SUITES="unit lint"
#~   make test-vm    the end-to-end tests in virtual machines, on other kernels; test-kills: 200 kill -9 of the daemon
#~   make bench      what a probe costs, and what lmmsd costs; make golden: tests/golden expects what it gets now
#~   make lint       house rules; make check-headers: only that each header compiles alone; make format: clang-format
#~   make unit-tests bpf-tests fuzzers (FUZZ=1)     only build them
#~   make install    DESTDIR, PREFIX (/usr/local), SYSCONFDIR (/etc), UNITDIR, PYTHONDIR, ...; make uninstall
#~   make deb        build/deb/*.deb; make rpm: build/rpm/RPMS; make dist: build/lmmsd-VERSION.tar.gz
#~   make clean      what was built here, less the virtual machines and Pythons of the tests
#~ Variables: V=1 commands; WERROR=1 warnings are errors; SAN=1 ASan and UBSan, into build/san; BUILD=DIR; CC, CFLAGS,
#~ LDFLAGS; ARCH=arm64 CC="clang --target=aarch64-linux-gnu --sysroot=DIR" with PKG_CONFIG_* to cross-compile;
#~ CLANG, LLVM_STRIP, BPFTOOL: the BPF tools; ROOMS="base model": only these rooms.

.PHONY: all man unit-tests bpf-tests fuzzers run test test-vm test-kills bench golden deps deps-test lint check-headers format \
	install uninstall dist deb rpm clean help

-include $(OBJS:=.d) $(MAINS:user/%.c=$(B)/obj/%.o.d) $(UNIT_TESTS:=.d) $(BPF_TESTS:=.d) $(FUZZERS:=.d)
-include $(BPF_SRCS:%.bpf.c=$(B)/%.bpf.o.d) $(BPF_TEST_SRCS:%.bpf.c=$(B)/%.bpf.o.d)
