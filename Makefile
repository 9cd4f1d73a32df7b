# make            build the program
# make demo       install what is missing, build, convert the bundled checkpoint, show it
# make check      install what is missing, build, run all tests
# make help       list all targets

.DELETE_ON_ERROR:
.PHONY: all help packages demo check check-ngc tests coverage matrix interop asan analyze valgrind \
  faults fuzz fuzz-torch fuzzers bench install uninstall dist deb static clean

all:

PREFIX  = /usr/local
LIBDIR  = $(PREFIX)/lib
BASHDIR = $(PREFIX)/share/bash-completion/completions
ZSHDIR  = $(PREFIX)/share/zsh/site-functions
FISHDIR = $(PREFIX)/share/fish/vendor_completions.d
BUILD   = build
CFLAGS  = -O2 -g
WERROR  =
OBJCOPY = objcopy

M2H_CFLAGS = -std=c11 -D_GNU_SOURCE -Iinclude -Isrc -pthread -fPIC -fvisibility=hidden \
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wmissing-prototypes $(if $(WERROR),-Werror)
M2H_LDLIBS = -lzip -lz -ldeflate -lcjson -lcrypto -lm -pthread
REQUIRES   = libzip zlib libdeflate libcjson libcrypto

# Hardening, as far as compiler and architecture have it.  _FORTIFY_SOURCE needs the optimizer,
# gets in the way of sanitizers, and may be given already, as by Debian's rules.
HARDENING := $(shell for flag in -fstack-protector-strong -fstack-clash-protection \
  -fcf-protection=full -mbranch-protection=standard; do \
  $(CC) -Werror $$flag -S -o /dev/null -x c /dev/null 2>/dev/null && echo $$flag; done)
ifneq ($(filter-out -O0,$(filter -O%,$(CFLAGS))),)
ifeq ($(findstring -fsanitize,$(CFLAGS))$(findstring _FORTIFY_SOURCE,$(CPPFLAGS) $(CFLAGS)),)
HARDENING += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
endif
endif
M2H_CFLAGS += $(HARDENING) $(if $(findstring --coverage,$(CFLAGS)),-DM2H_INSTRUMENTED)
M2H_LDFLAGS = -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack
PIE         = $(if $(findstring -static,$(LDFLAGS)),,-pie)

# ISA-L inflates faster than zlib; it is not packaged for every architecture.  ISAL= does without.
ISAL   := $(shell echo '\#include <isa-l/igzip_lib.h>' | $(CC) $(CPPFLAGS) -E - >/dev/null 2>&1 && echo yes)
ifeq ($(ISAL),yes)
M2H_CFLAGS += -DM2H_HAS_ISAL
M2H_LDLIBS += -lisal
REQUIRES   += libisal
endif

# What the build needs: header, and the Debian package that has it.
NEEDED  = zip.h=libzip-dev zlib.h=zlib1g-dev libdeflate.h=libdeflate-dev \
  cjson/cJSON.h=libcjson-dev openssl/evp.h=libssl-dev

VERSION := $(shell sed -n 's/^.define M2H_VERSION "\(.*\)"/\1/p' include/megatron2hf.h)
SONAME  := libmegatron2hf.so.0

# The archive that the program and the tests are linked with; what is installed is in LIBRARY.
LIB     := $(BUILD)/libm2h.a
LIB_OBJ := $(patsubst %.c,$(BUILD)/%.o,$(sort $(filter-out src/cli/%,$(wildcard src/*/*.c))))
CLI_OBJ := $(patsubst %.c,$(BUILD)/%.o,$(sort $(wildcard src/cli/*.c)))
UNIT    := $(patsubst %.c,$(BUILD)/%,$(sort $(wildcard tests/unit/test_*.c)))
BENCH   := $(patsubst tests/bench/%.c,$(BUILD)/bench/%,$(sort $(wildcard tests/bench/*.c)))
FUZZ    := $(patsubst tests/fuzz/fuzz_%.c,$(BUILD)/tests/fuzz/fuzz_%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))
REPLAY  := $(FUZZ:$(BUILD)/tests/fuzz/fuzz_%=$(BUILD)/tests/fuzz/replay_%)
MUTATE  := $(patsubst %.c,$(BUILD)/%.o,$(sort $(wildcard tests/fuzz/mutate_*.c) tests/fuzz/mutate.c \
  $(wildcard tests/fuzz/zip_*.c tests/fuzz/pickle_*.c)))
MUTANTS := $(BUILD)/tests/fuzz/mutants
WEIGHTS := $(BUILD)/tests/convert/weights_reader.o
READERS := $(BUILD)/tests/convert/tensor_digests $(BUILD)/tests/forward/forward
STREAM  := $(BUILD)/tests/matrix/cast_stream
FAIL    := $(BUILD)/tests/faults/fail_nth.so
LIBRARY := $(BUILD)/lib/libmegatron2hf.a $(BUILD)/lib/$(SONAME)
SHELLS  := $(patsubst %,$(BUILD)/completions.%,bash zsh fish)
PAGES   := $(patsubst man/%,%,$(sort $(wildcard man/*.[1-9])))

# All that `make install` makes.
INSTALLED = $(addprefix $(DESTDIR), $(PREFIX)/bin/megatron2hf $(PREFIX)/include/megatron2hf.h \
  $(addprefix $(LIBDIR)/,libmegatron2hf.a libmegatron2hf.so $(SONAME) \
    libmegatron2hf.so.$(VERSION) pkgconfig/megatron2hf.pc) \
  $(patsubst man/%,$(PREFIX)/share/megatron2hf/%,$(sort $(wildcard man/*.schema.json))) \
  $(foreach page,$(PAGES),$(PREFIX)/share/man/man$(subst .,,$(suffix $(page)))/$(page)) \
  $(BASHDIR)/megatron2hf $(ZSHDIR)/_megatron2hf $(FISHDIR)/megatron2hf.fish)
# Folders that a new Debian does not have; they go when nothing is left in them.
EMPTIED = $(addprefix $(DESTDIR), $(PREFIX)/share/megatron2hf $(LIBDIR)/pkgconfig \
  $(addprefix $(PREFIX)/share/man/man,$(sort $(subst .,,$(suffix $(PAGES))))) \
  $(foreach folder,$(BASHDIR) $(ZSHDIR) $(FISHDIR),$(folder) $(dir $(folder))))

all: $(BUILD)/megatron2hf $(LIBRARY) $(SHELLS)

$(BUILD)/tests/%.o: M2H_CFLAGS += -Itests

$(BUILD)/megatron2hf: $(BUILD)/src/main.o $(CLI_OBJ) $(LIB)
$(BUILD)/completions: $(BUILD)/src/completions.o $(CLI_OBJ) $(LIB)
$(UNIT): %: %.o $(CLI_OBJ) $(LIB)
# What its sweeps let fail.
$(BUILD)/tests/unit/test_reader_faults: LDFLAGS += $(addprefix -Xlinker --wrap=,malloc calloc \
  realloc strdup pread fstat fcntl fdopen getrandom descriptor_open descriptor_read \
  descriptor_write byte_stream_peek byte_stream_read byte_stream_seek)
$(BENCH): $(BUILD)/bench/%: $(BUILD)/tests/bench/%.o
$(BUILD)/bench/kernel: $(LIB)
$(STREAM): %: %.o $(LIB)
$(READERS): %: %.o $(WEIGHTS)
$(REPLAY): $(BUILD)/tests/fuzz/replay_%: $(BUILD)/tests/fuzz/fuzz_%.o \
  $(addprefix $(BUILD)/tests/fuzz/,replay.o limits.o) $(LIB)
$(FUZZ): %: %.o $(addprefix $(BUILD)/tests/fuzz/,limits.o mutator.o) $(MUTATE) $(LIB)
$(FUZZ): LDFLAGS += -fsanitize=fuzzer
$(MUTANTS): %: %.o $(MUTATE) $(LIB)
$(BUILD)/megatron2hf $(BUILD)/completions $(UNIT) $(BENCH) $(READERS) $(STREAM) $(REPLAY) $(FUZZ) $(MUTANTS):
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(PIE) $(M2H_LDFLAGS) $(LDFLAGS) -o $@ $^ $(M2H_LDLIBS)

# What the mutators put into pickles.
$(BUILD)/tests/fuzz/pickle_words.o: M2H_CFLAGS += -I$(BUILD)/tests
$(BUILD)/tests/fuzz/pickle_words.o: $(BUILD)/tests/fuzz/words.h
$(BUILD)/tests/fuzz/words.h: tests/fuzz/pickle.dict tests/fuzz/megatron.dict
	@mkdir -p $(@D)
	sed -n -e 's/^"c\([A-Za-z_0-9.]*\)\\x0a\([A-Za-z_0-9]*\)\\x0a"$$/GLOBAL("\1", "\2")/p' \
	  -e 's/^\("[A-Za-z_0-9./]*"\)$$/WORD(\1)/p' $^ > $@

$(LIB): $(LIB_OBJ)
	rm -f $@ && $(AR) rcs $@ $^

# Stands between the program and libc; what checks that one must not check this.
$(FAIL): tests/faults/fail_nth.c Makefile
	@mkdir -p $(@D)
	$(CC) $(M2H_CFLAGS) $(CPPFLAGS) $(filter-out -fsanitize% -fno-sanitize%,$(CFLAGS)) \
	  -U_FORTIFY_SOURCE -fno-omit-frame-pointer -shared -o $@ $< -pthread

# One object in which only the public names are still global.
$(BUILD)/lib/libmegatron2hf.a: $(LIB_OBJ)
	@mkdir -p $(@D)
	$(LD) -r -o $(BUILD)/lib/megatron2hf.o $^
	$(OBJCOPY) --localize-hidden $(BUILD)/lib/megatron2hf.o
	rm -f $@ && $(AR) rcs $@ $(BUILD)/lib/megatron2hf.o

$(BUILD)/lib/$(SONAME): $(LIB_OBJ) src/megatron2hf.map
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(M2H_LDFLAGS) $(LDFLAGS) -shared -Wl,-soname,$(SONAME) \
	  -Wl,--version-script=src/megatron2hf.map -o $@ $(LIB_OBJ) $(M2H_LDLIBS)

$(SHELLS): $(BUILD)/completions.%: $(BUILD)/completions
	$< $* > $@

$(BUILD)/%.o: %.c Makefile | $(BUILD)/needed
	@mkdir -p $(@D)
	$(CC) $(M2H_CFLAGS) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# Names every missing package at once, instead of one header at a time.
$(BUILD)/needed:
	@mkdir -p $(@D); missing=; for need in $(NEEDED); do \
	  echo "#include <$${need%=*}>" | $(CC) $(CPPFLAGS) -E - >/dev/null 2>&1 || \
	    missing="$$missing $${need#*=}"; done; \
	  if [ -n "$$missing" ]; then echo "missing:$$missing"; \
	    echo "install them with: make packages"; exit 1; fi; touch $@

packages:
	@sh tests/bootstrap.sh build

demo:
	@sh tests/bootstrap.sh build
	@$(MAKE) --no-print-directory -s all
	@sh tests/demo.sh $(BUILD)/megatron2hf

check:
	@sh tests/bootstrap.sh test
	@$(MAKE) --no-print-directory -s tests

# The tests by themselves, for a machine that has what they need.
tests: all $(UNIT) $(READERS) $(REPLAY) $(MUTANTS) $(FAIL) $(BUILD)/bench/make_ngc
	@BUILD=$(BUILD) sh tests/check.sh $(UNIT)

# Every dialect, version, parallel size, container and dtype: made with Debian's python3-torch.
matrix:
	@sh tests/bootstrap.sh matrix
	@$(MAKE) --no-print-directory -s all $(STREAM) $(BUILD)/tests/unit/test_torch_writer
	@sh tests/writer/run.sh $(BUILD)/tests/unit/test_torch_writer torch
	@$${PYTHON:-/usr/bin/python3} tests/matrix/cast.py $(STREAM)
	@sh tests/matrix/run.sh $(BUILD)/megatron2hf

# Against the real programs, in environments of pinned versions from PyPI; ONLY="SUITE ..." for some.
interop:
	@sh tests/bootstrap.sh interop
	@$(MAKE) --no-print-directory -s all $(BENCH)
	@$${PYTHON:-/usr/bin/python3} tests/interop/run.py $(BUILD) $(ONLY)

# The same for NVIDIA's file: NGC=FILE.  Without it, for a stand-in of its size.
check-ngc:
	@NGC="$(NGC)" $(MAKE) --no-print-directory -s interop ONLY=ngc

asan:
	@$(MAKE) --no-print-directory -s tests BUILD=$(BUILD)/asan \
	  CFLAGS="-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all"

# What compilers and checkers find without running anything; then memcheck while it runs.
analyze:
	@sh tests/bootstrap.sh analyze
	@sh tests/analyze/run.sh $(filter -D%,$(M2H_CFLAGS))

valgrind:
	@sh tests/bootstrap.sh analyze
	@$(MAKE) --no-print-directory -s all $(UNIT)
	@sh tests/analyze/valgrind.sh $(BUILD)

# What of the readers and checkers the tests run: lines and branches, by file and in sum.
coverage:
	@sh tests/bootstrap.sh coverage
	@$(MAKE) --no-print-directory -s tests BUILD=$(BUILD)/coverage \
	  CFLAGS="-Og -g --coverage -fprofile-update=atomic"
	@sh tests/coverage.sh $(BUILD)/coverage

# Every call and every allocation fails once, and a signal comes at every call; `make tests` does
# so for a choice of them.
faults: all $(FAIL)
	@FAULTS=all sh tests/faults/run.sh $(BUILD)/megatron2hf $(FAIL)

# libFuzzer on every target in turn, FUZZ_SECONDS each; what it finds stays in $(BUILD)/fuzz.
FUZZ_SECONDS = 60
fuzz:
	@$(MAKE) --no-print-directory -s fuzzers BUILD=$(BUILD)/fuzz CC=clang \
	  CFLAGS="-O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all"
	@FUZZ_SECONDS=$(FUZZ_SECONDS) sh tests/fuzz/run.sh fuzz $(BUILD)/fuzz

# Mutants through torch.load and through us; does nothing where PYTHON has no torch.
MUTANTS_COUNT = 2000
fuzz-torch: all $(MUTANTS)
	@$${PYTHON:-/usr/bin/python3} tests/fuzz/differential.py $(BUILD) $(MUTANTS_COUNT)

fuzzers: M2H_CFLAGS += -DFUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
fuzzers: $(FUZZ)

# tests/bench/run.sh has its parts; SCALE=1 and REFERENCE=1 add two, PARTS="NAME ..." chooses.
bench: all $(BENCH)
	sh tests/bench/run.sh $(BUILD) $(BUILD)/megatron2hf

install: all
	install -d $(sort $(dir $(INSTALLED)))
	install -m 755 $(BUILD)/megatron2hf $(DESTDIR)$(PREFIX)/bin
	install -m 644 include/megatron2hf.h $(DESTDIR)$(PREFIX)/include
	install -m 644 $(BUILD)/lib/libmegatron2hf.a $(DESTDIR)$(LIBDIR)
	install -m 644 $(BUILD)/lib/$(SONAME) $(DESTDIR)$(LIBDIR)/libmegatron2hf.so.$(VERSION)
	ln -sf libmegatron2hf.so.$(VERSION) $(DESTDIR)$(LIBDIR)/$(SONAME)
	ln -sf $(SONAME) $(DESTDIR)$(LIBDIR)/libmegatron2hf.so
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR:$(PREFIX)/%=$${prefix}/%)|' \
	  -e 's|@VERSION@|$(VERSION)|' -e 's|@REQUIRES@|$(REQUIRES)|' src/megatron2hf.pc.in \
	  > $(DESTDIR)$(LIBDIR)/pkgconfig/megatron2hf.pc
	chmod 644 $(DESTDIR)$(LIBDIR)/pkgconfig/megatron2hf.pc
	install -m 644 man/*.schema.json $(DESTDIR)$(PREFIX)/share/megatron2hf
	for page in $(PAGES); do install -m 644 man/$$page \
	  $(DESTDIR)$(PREFIX)/share/man/man$${page##*.} || exit 1; done
	install -m 644 $(BUILD)/completions.bash $(DESTDIR)$(BASHDIR)/megatron2hf
	install -m 644 $(BUILD)/completions.zsh $(DESTDIR)$(ZSHDIR)/_megatron2hf
	install -m 644 $(BUILD)/completions.fish $(DESTDIR)$(FISHDIR)/megatron2hf.fish

uninstall:
	rm -f $(INSTALLED)
	@rmdir $(EMPTIED) 2>/dev/null || :

# The same bytes from the same commit; from an unpacked tarball too.
dist:
	@sh .debian/dist.sh $(BUILD)/megatron2hf-$(VERSION)

# Program, library and what developers need, as Debian packages in $(BUILD)/deb.
deb:
	@sh tests/bootstrap.sh deb
	@sh .debian/deb.sh $(BUILD) $(VERSION)

# A program without shared libraries, $(BUILD)/static/megatron2hf.
static:
	@sh tests/bootstrap.sh static
	@MAKE="$(MAKE)" sh .debian/static.sh $(BUILD)/static

clean:
	rm -rf $(BUILD)

help:
	@echo "make             build $(BUILD)/megatron2hf"
	@echo "make packages    install what the build needs (Debian)"
	@echo "make demo        packages, build, convert the bundled checkpoint, show the result"
	@echo "make check       packages, build, all tests"
	@echo "make tests       all tests, nothing installed"
	@echo "make matrix      packages, python3-torch, build, checkpoints of every era"
	@echo "make interop     transformers, Megatron and others from PyPI read and compare: some GB of disk"
	@echo "make check-ngc   NGC=FILE: the published checkpoint, down to its logits"
	@echo "make asan        all tests under AddressSanitizer and UndefinedBehaviorSanitizer"
	@echo "make analyze     gcc -fanalyzer, clang-tidy and cppcheck over src/"
	@echo "make valgrind    memcheck over unit tests and conversions"
	@echo "make coverage    all tests; which lines and branches of the readers they ran"
	@echo "make faults      every system call and allocation fails once: half an hour"
	@echo "make fuzz        libFuzzer on every reader, FUZZ_SECONDS=$(FUZZ_SECONDS) each (clang)"
	@echo "make fuzz-torch  mutants of torch files: torch.load against us (PYTHON with torch)"
	@echo "make bench       full-size benchmark: 15 GB of disk, half an hour; SCALE=1 REFERENCE=1 for more"
	@echo "make install     program, library, manual, completions to PREFIX ($(PREFIX)), under DESTDIR"
	@echo "make uninstall   remove them"
	@echo "make dist        source tarball, the same bytes every time"
	@echo "make deb         packages, Debian packages in $(BUILD)/deb"
	@echo "make static      packages, a program without shared libraries, $(BUILD)/static/megatron2hf"
	@echo "make clean       remove $(BUILD)"
	@echo "Variables: BUILD, CC, CFLAGS, CPPFLAGS, LDFLAGS, PREFIX, LIBDIR, DESTDIR, WERROR=1"

-include $(LIB_OBJ:.o=.d) $(CLI_OBJ:.o=.d) $(BUILD)/src/main.d $(BUILD)/src/completions.d $(UNIT:=.d) $(READERS:=.d) \
  $(FUZZ:=.d) $(MUTATE:.o=.d) $(addprefix $(BUILD)/tests/fuzz/,replay.d limits.d mutator.d mutants.d) \
  $(STREAM).d $(WEIGHTS:.o=.d) $(BENCH:$(BUILD)/bench/%=$(BUILD)/tests/bench/%.d)
