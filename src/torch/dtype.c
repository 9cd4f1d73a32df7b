#include "torch/dtype.h"

#include <string.h>

/* The names of every element type; an alias is another name that torch knows it by. */
static const struct dtype_row {
	size_t      size;
	const char *name, *alias, *storage, *safetensors;
} rows[DTYPE_COUNT] = {
	[DTYPE_FLOAT16]  = { 2, "float16",  "half",   "HalfStorage",     "F16"  },
	[DTYPE_BFLOAT16] = { 2, "bfloat16", "",       "BFloat16Storage", "BF16" },
	[DTYPE_FLOAT32]  = { 4, "float32",  "float",  "FloatStorage",    "F32"  },
	[DTYPE_FLOAT64]  = { 8, "float64",  "double", "DoubleStorage",   "F64"  },
	[DTYPE_INT8]     = { 1, "int8",     "",       "CharStorage",     "I8"   },
	[DTYPE_UINT8]    = { 1, "uint8",    "",       "ByteStorage",     "U8"   },
	[DTYPE_INT16]    = { 2, "int16",    "short",  "ShortStorage",    "I16"  },
	[DTYPE_INT32]    = { 4, "int32",    "int",    "IntStorage",      "I32"  },
	[DTYPE_INT64]    = { 8, "int64",    "long",   "LongStorage",     "I64"  },
	[DTYPE_BOOL]     = { 1, "bool",     "",       "BoolStorage",     "BOOL" },
};

size_t
dtype_size(enum dtype dtype)
{
	return dtype < DTYPE_COUNT ? rows[dtype].size : 0;
}

const char *
dtype_name(enum dtype dtype)
{
	return dtype < DTYPE_COUNT ? rows[dtype].name : "unknown";
}

const char *
dtype_safetensors_name(enum dtype dtype)
{
	return dtype < DTYPE_COUNT ? rows[dtype].safetensors : "unknown";
}

const char *
dtype_storage_name(enum dtype dtype)
{
	return dtype < DTYPE_COUNT ? rows[dtype].storage : "unknown";
}

enum dtype
dtype_of_storage(const char *class_name)
{
	/* Untyped storages count bytes. */
	if (strcmp(class_name, "UntypedStorage") == 0)
		return DTYPE_UINT8;
	for (int i = 0; i < DTYPE_COUNT; i++)
		if (strcmp(rows[i].storage, class_name) == 0)
			return (enum dtype)i;
	return DTYPE_UNKNOWN;
}

enum dtype
dtype_of_name(const char *name)
{
	for (int i = 0; i < DTYPE_COUNT && name[0] != '\0'; i++)
		if (strcmp(rows[i].name, name) == 0 || strcmp(rows[i].alias, name) == 0)
			return (enum dtype)i;
	return DTYPE_UNKNOWN;
}

enum dtype
dtype_of_safetensors_name(const char *name)
{
	for (int i = 0; i < DTYPE_COUNT; i++)
		if (strcmp(rows[i].safetensors, name) == 0)
			return (enum dtype)i;
	return DTYPE_UNKNOWN;
}

int
dtype_is_weight(enum dtype dtype)
{
	return dtype == DTYPE_FLOAT16 || dtype == DTYPE_BFLOAT16 || dtype == DTYPE_FLOAT32
		|| dtype == DTYPE_FLOAT64;
}
