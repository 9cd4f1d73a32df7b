#include "pickle/opcodes.h"

/*
 * A pickle is a row of opcodes without jumps: one byte, then its argument.  Facts from the
 * documentation in CPython's pickletools module.
 *
 *     80 02               PROTO 2
 *     7d                  EMPTY_DICT
 *     58 01 00 00 00 61   BINUNICODE 'a'
 *     4b 05               BININT1 5
 *     73                  SETITEM
 *     2e                  STOP             {'a': 5}
 */
#define OPCODE(name, argument, protocol) \
	[OPCODE_##name] = { #name, ARGUMENT_##argument, protocol }

const struct opcode opcodes_table[256] = {
	/*     name             argument        protocol */
	OPCODE(MARK,            NONE,           0),
	OPCODE(EMPTY_TUPLE,     NONE,           1),
	OPCODE(STOP,            NONE,           0),
	OPCODE(POP,             NONE,           0),
	OPCODE(POP_MARK,        NONE,           1),
	OPCODE(DUP,             NONE,           0),
	OPCODE(BINBYTES,        BYTES_U32,      3),
	OPCODE(SHORT_BINBYTES,  BYTES_U8,       3),
	OPCODE(FLOAT,           FLOAT_LINE,     0),
	OPCODE(BINFLOAT,        DOUBLE,         1),
	OPCODE(INT,             INTEGER_LINE,   0),
	OPCODE(BININT,          I32,            1),
	OPCODE(BININT1,         U8,             1),
	OPCODE(LONG,            INTEGER_LINE,   0),
	OPCODE(BININT2,         U16,            1),
	OPCODE(NONE,            NONE,           0),
	OPCODE(PERSID,          NAME_LINE,      0),
	OPCODE(BINPERSID,       NONE,           1),
	OPCODE(REDUCE,          NONE,           0),
	OPCODE(STRING,          TEXT_LINE,      0),
	OPCODE(BINSTRING,       BYTES_I32,      1),
	OPCODE(SHORT_BINSTRING, BYTES_U8,       1),
	OPCODE(UNICODE,         TEXT_LINE,      0),
	OPCODE(BINUNICODE,      BYTES_U32,      1),
	OPCODE(EMPTY_LIST,      NONE,           1),
	OPCODE(APPEND,          NONE,           0),
	OPCODE(BUILD,           NONE,           0),
	OPCODE(GLOBAL,          NAME_LINES,     0),
	OPCODE(DICT,            NONE,           0),
	OPCODE(APPENDS,         NONE,           1),
	OPCODE(GET,             INDEX_LINE,     0),
	OPCODE(BINGET,          U8,             1),
	OPCODE(INST,            NAME_LINES,     0),
	OPCODE(LONG_BINGET,     U32,            1),
	OPCODE(LIST,            NONE,           0),
	OPCODE(OBJ,             NONE,           1),
	OPCODE(PUT,             INDEX_LINE,     0),
	OPCODE(BINPUT,          U8,             1),
	OPCODE(LONG_BINPUT,     U32,            1),
	OPCODE(SETITEM,         NONE,           0),
	OPCODE(TUPLE,           NONE,           0),
	OPCODE(SETITEMS,        NONE,           1),
	OPCODE(EMPTY_DICT,      NONE,           1),
	OPCODE(PROTO,           U8,             2),
	OPCODE(NEWOBJ,          NONE,           2),
	OPCODE(EXT1,            U8,             2),
	OPCODE(EXT2,            U16,            2),
	OPCODE(EXT4,            I32,            2),
	OPCODE(TUPLE1,          NONE,           2),
	OPCODE(TUPLE2,          NONE,           2),
	OPCODE(TUPLE3,          NONE,           2),
	OPCODE(NEWTRUE,         NONE,           2),
	OPCODE(NEWFALSE,        NONE,           2),
	OPCODE(LONG1,           LONG_U8,        2),
	OPCODE(LONG4,           LONG_I32,       2),
	OPCODE(SHORT_BINUNICODE, BYTES_U8,      4),
	OPCODE(BINUNICODE8,     BYTES_U64,      4),
	OPCODE(BINBYTES8,       BYTES_U64,      4),
	OPCODE(EMPTY_SET,       NONE,           4),
	OPCODE(ADDITEMS,        NONE,           4),
	OPCODE(FROZENSET,       NONE,           4),
	OPCODE(NEWOBJ_EX,       NONE,           4),
	OPCODE(STACK_GLOBAL,    NONE,           4),
	OPCODE(MEMOIZE,         NONE,           4),
	OPCODE(FRAME,           U64,            4),
	OPCODE(BYTEARRAY8,      BYTES_U64,      5),
	OPCODE(NEXT_BUFFER,     NONE,           5),
	OPCODE(READONLY_BUFFER, NONE,           5),
};
