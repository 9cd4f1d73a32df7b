# make            build the program and the library
# make demo       install what is missing, build, convert the bundled checkpoint, show it
# make check      install what is missing, build, run all tests
# make help       all targets

.DELETE_ON_ERROR:
.PHONY: all help demo check unit cli convert forward asan bench install uninstall clean packages

all:

PREFIX  = /usr/local
BUILD   = build
CFLAGS  = -O2 -g
AR      = ar
DEPS    = libzip zlib libcjson libcrypto
WERROR  =

M2H_CFLAGS = -std=c11 -D_GNU_SOURCE -Iinclude -Isrc -pthread -fvisibility=hidden \
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wmissing-prototypes \
  $(if $(WERROR),-Werror)
M2H_LDLIBS = -lzip -lz -lcjson -lcrypto -ldeflate -lm -pthread

LIB     := $(BUILD)/libmegatron2hf.a
LIB_OBJ := $(patsubst %.c,$(BUILD)/%.o,$(sort $(filter-out src/cli/%,$(wildcard src/*/*.c))))
CLI_OBJ := $(patsubst %.c,$(BUILD)/%.o,$(sort $(wildcard src/cli/*.c) src/main.c))
UNIT    := $(patsubst %.c,$(BUILD)/%,$(sort $(wildcard tests/unit/test_*.c)))

all: $(BUILD)/megatron2hf

$(BUILD)/megatron2hf: $(CLI_OBJ) $(LIB)
$(UNIT): $(BUILD)/tests/unit/%: $(BUILD)/tests/unit/%.o $(BUILD)/src/cli/options.o $(LIB)
$(BUILD)/megatron2hf $(UNIT):
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(M2H_LDLIBS)

$(LIB): $(LIB_OBJ)
	rm -f $@ && $(AR) rcs $@ $^

$(BUILD)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(M2H_CFLAGS) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

clean:
	rm -rf $(BUILD)

-include $(LIB_OBJ:.o=.d) $(CLI_OBJ:.o=.d) $(UNIT:=.d)
