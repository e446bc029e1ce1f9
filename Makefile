# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
# make help: every target and variable
.DELETE_ON_ERROR:
.SUFFIXES:
.SECONDARY:
MAKEFLAGS += --no-builtin-rules
.DEFAULT_GOAL := all

VERSION := $(shell cat VERSION)
BUILD ?= build
# Relative, whoever calls: another spelling of the directory is another set of flags, and compiles everything again
override BUILD := $(patsubst $(CURDIR)/%,%,$(BUILD))
B := $(BUILD)$(if $(SAN),/san)

comma := ,

# ---- tools
ifeq ($(origin CC),default)
CC := gcc
endif
ifeq ($(origin AR),default)
AR := ar
endif
CLANG ?= clang
# SAN=1 is by clang: the same objects serve the fuzzers
SAN_CC ?= $(CLANG)
C := $(if $(SAN),$(SAN_CC),$(CC))
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
CFLAGS ?= $(if $(SAN),-O1 -g1,-O2 -g)
TEST_CFLAGS ?= $(if $(SAN),-O0,-O1) -g1
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
ifneq ($(SAN),)
HARDEN := -fsanitize=address,undefined$(if $(findstring clang,$(SAN_CC)),$(comma)fuzzer-no-link) -fno-sanitize-recover=all -DLMMSD_SANITIZED \
	-fno-omit-frame-pointer -U_FORTIFY_SOURCE
endif
ALL_CFLAGS = -std=gnu17 $(CFLAGS) $(WARN) $(HARDEN) -fPIE
ALL_CPPFLAGS = -D_GNU_SOURCE -DLMMSD_VERSION='"$(VERSION)"' -Iuser -Iinclude -isystem $(BUILD)/bpf $(PKG_CFLAGS) \
	$(CPPFLAGS)
ALL_LDFLAGS = -pie -Wl,-z,relro,-z,now -Wl,--as-needed $(filter -fsanitize=address%,$(HARDEN)) $(LDFLAGS)
ALL_LIBS = $(PKG_LIBS) -lm $(LDLIBS)
# of test programs: a hundred of them are linked again after each change
LLD = $(call memo,LLD,$(shell command -v ld.lld >/dev/null && echo -fuse-ld=lld))
BPF_CFLAGS := -target bpf -mcpu=v3 -O2 -g -Wall -Wextra -Wno-unused-parameter \
	$(WERROR_FLAG) -D__TARGET_ARCH_$(BPF_ARCH) -Ivmlinux -Iinclude -Ibpf
# -MD: the generated skeletons count as system headers, which -MMD would leave out
DEPFLAGS = -MD -MP -MF $@.d

# Everything is compiled again when a flag, a tool or the version changes; the files change only with them. Not with
# -Werror, which changes no object.
define flags_file
@mkdir -p $(@D)
@printf '%s\n' '$(subst ','\'',$(filter-out -Werror,$(1)))' | cmp -s - $@ || printf '%s\n' '$(subst ','\'',$(filter-out -Werror,$(1)))' >$@
endef
$(B)/flags: FORCE
	@$(PKG_CONFIG) --exists --print-errors $(PKGS) || \
		{ echo "make: libraries are missing: run 'make deps' as root" >&2; exit 1; }
	$(call flags_file,$(C) $(ALL_CFLAGS) $(TEST_CFLAGS) $(ALL_CPPFLAGS) $(ALL_LDFLAGS))
$(BUILD)/bpf/flags: FORCE
	$(call flags_file,$(CLANG) $(BPF_CFLAGS))
FORCE:
.PHONY: FORCE

# ---- BPF: bpf/X.bpf.c -> X.bpf.o -> X.skel.h, one for all kinds of objects
BPF_SRCS := $(wildcard bpf/*.bpf.c)
SKELS := $(BPF_SRCS:bpf/%.bpf.c=$(BUILD)/bpf/%.skel.h)

$(BUILD)/bpf/%.bpf.o: bpf/%.bpf.c $(BUILD)/bpf/flags
	$(call say,CLANG,$@)
	$(Q)$(CLANG) $(BPF_CFLAGS) $(DEPFLAGS) -MT $@ -c $< -o $@.full
	$(Q)$(LLVM_STRIP) -g -o $@ $@.full

$(BUILD)/bpf/%.skel.h: $(BUILD)/bpf/%.bpf.o
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
	$(Q)$(C) $(ALL_CPPFLAGS) $(ALL_CFLAGS) $(DEPFLAGS) -c $< -o $@

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
	$(Q)$(C) $(ALL_CFLAGS) $(ALL_LDFLAGS) $^ $(ALL_LIBS) -o $@

$(B)/man/%: packaging/man/%.scd
	$(call say,MAN,$@)
	@mkdir -p $(@D)
	$(Q)$(SCDOC) <$< >$@

man: $(MANS)

# ---- tests: each tests/unit/test_X.c, tests/bpf/test_X.c, tests/fuzz/fuzz_X.c (with SAN=1) is a program, and those of other suites
UNIT_TESTS := $(patsubst %.c,$(B)/%,$(sort $(wildcard tests/unit/test_*.c)))
BPF_TESTS := $(patsubst %.c,$(B)/%,$(sort $(wildcard tests/bpf/test_*.c)))
FUZZERS := $(patsubst %.c,$(B)/%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))
OTHER_TESTS := $(patsubst %.c,$(B)/%,$(sort $(wildcard tests/store/*.c tests/prom/*.c tests/emf/*.c tests/html/*.c)))
TOOLS := $(patsubst %.c,$(B)/%,$(wildcard tests/tools/*.c)) # make build/tests/tools/targetdump
TEST_PROGRAMS := $(UNIT_TESTS) $(BPF_TESTS) $(FUZZERS) $(OTHER_TESTS)
# lets a test make the program's system calls and allocations fail: "// wrap: NAME NAME" in its source
wraps = $(addprefix -Wl$(comma)--wrap=,$(shell sed -n 's|^// wrap: ||p' $(1)))
$(TEST_PROGRAMS:=.o) $(TOOLS:=.o): $(B)/tests/%.o: tests/%.c $(B)/flags
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(C) $(ALL_CPPFLAGS) -Itests $(ALL_CFLAGS) $(TEST_CFLAGS) $(DEPFLAGS) -c $< -o $@

$(BPF_TESTS:=.o): | $(SKELS)

$(TEST_PROGRAMS) $(TOOLS): $(B)/tests/%: $(B)/tests/%.o $(B)/liblmmsd.a
	$(call say,LINK,$@)
	$(Q)$(C) $(ALL_CFLAGS) $^ $(ALL_LDFLAGS) $(LLD) $(call wraps,tests/$*.c) $(ALL_LIBS) \
		$(if $(filter $(FUZZERS),$@),-fsanitize=fuzzer,$(CMOCKA_LIBS)) -o $@

unit-tests: $(UNIT_TESTS)
bpf-tests: $(BPF_TESTS)
fuzzers: $(FUZZERS)

# In steps, since a fresh machine has neither compiler nor libraries before the first
run:
	@packaging/demo/until-closed packaging/deps build run
	@packaging/demo/until-closed $(MAKE) --no-print-directory -j$(JOBS) all
	@BUILD=$(B) packaging/demo/until-closed packaging/demo/run

# What the suites of a tier run. The sanitized kind is a make of its own, with this one's jobs
check-programs: all san-check
test-programs: all man $(BPF_TESTS) $(OTHER_TESTS) san-test deb-test
all-programs: test-programs arm64
san-check san-test: $(SKELS)
	@+$(MAKE) --no-print-directory SAN=1 unit-tests fuzzers $(if $(filter san-test,$@),all)
deb-test: | san-test all
	@mkdir -p $(B) && $(MAKE) --no-print-directory deb >$(B)/deb.log 2>&1 || { tail -n 30 $(B)/deb.log; echo "make: no Debian package"; }
arm64: | deb-test
	@tests/vm/cross-env $(MAKE) --no-print-directory all || [ $$? = 77 ]

check test test-all:
	@packaging/deps build run check $(if $(filter check,$@),,test vm)
	@+LMMSD_TIER=$(@:test-%=%) BUILD=$(BUILD) MAKE='$(MAKE)' JOBS=$(JOBS) tests/run $(SUITES)

test-vm test-kills:
	@+$(MAKE) --no-print-directory test-all SUITES=$(@:test-%=%)

bench golden: all
	@BUILD=$(B) $(if $(filter golden,$@),tests/golden/run --write,tests/bench/run)

deps:
	@packaging/deps build run

deps-test:
	@packaging/deps build run check test

# ---- lints
C_FILES = $(wildcard user/*/*.[ch] include/lmmsd/*.h bpf/*.[ch] tests/*/*.[ch])
lint check-headers:
	@BUILD=$(BUILD) tests/lint/$(if $(filter lint,$@),run,headers)

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
#~   make check      no root, no BPF, 90 s: build, suites python golden lint fuzz unit; SUITES="unit lint": only these
#~   make test       the gate: those, and emf html store bpf prom package distro vm e2e
#~   make test-all   nightly: other kernels, arm64, all interpreters, kills, rpm, lintian, minutes of fuzzing; tests/README.md
#~   make bench      what a probe costs, and what lmmsd costs; make golden: tests/golden expects what it gets now
#~   make lint       house rules; make check-headers: only that each header compiles alone; make format: clang-format
#~   make check-programs test-programs               only build what the suites run; unit-tests bpf-tests fuzzers
#~   make coverage   lines and branches a room that tests run, as root those with BPF too; make mutants: faults that tests notice; ARGS=--help
#~   make install    DESTDIR, PREFIX (/usr/local), SYSCONFDIR (/etc), UNITDIR, PYTHONDIR, ...; make uninstall
#~   make deb        build/deb/*.deb; make rpm: build/rpm/RPMS; make dist: build/lmmsd-VERSION.tar.gz
#~   make clean      what was built here, less the virtual machines and Pythons of the tests
#~ Variables: V=1 commands; WERROR=1 warnings are errors; SAN=1 ASan and UBSan, by clang (SAN_CC), into build/san; BUILD=DIR;
#~ CC, CFLAGS, LDFLAGS; ARCH=arm64 CC="clang --target=aarch64-linux-gnu --sysroot=DIR" with PKG_CONFIG_* to cross-compile;
#~ CLANG, LLVM_STRIP, BPFTOOL: the BPF tools; ROOMS="base model": only these rooms.

.PHONY: all man unit-tests bpf-tests fuzzers check-programs test-programs all-programs san-check san-test deb-test arm64 run \
	check test test-all test-vm test-kills bench golden deps deps-test lint check-headers format \
	install uninstall dist deb rpm clean help coverage mutants

coverage mutants: ; @BUILD=$(BUILD) MAKE='$(MAKE)' JOBS=$(JOBS) tests/tools/$@ $(ARGS)

-include $(OBJS:=.d) $(MAINS:user/%.c=$(B)/obj/%.o.d) $(TEST_PROGRAMS:=.o.d) $(TOOLS:=.o.d) $(BPF_SRCS:%.bpf.c=$(BUILD)/%.bpf.o.d)
