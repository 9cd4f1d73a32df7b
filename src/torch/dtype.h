#ifndef TORCH_DTYPE_H
#define TORCH_DTYPE_H

#include <stddef.h>

/* Element types of torch storages, with what the other rooms call them. */
enum dtype {
	DTYPE_FLOAT16, DTYPE_BFLOAT16, DTYPE_FLOAT32, DTYPE_FLOAT64,
	DTYPE_INT8, DTYPE_UINT8, DTYPE_INT16, DTYPE_INT32, DTYPE_INT64, DTYPE_BOOL,
	DTYPE_COUNT,
	DTYPE_UNKNOWN = DTYPE_COUNT,
};

size_t      dtype_size(enum dtype dtype);               /* bytes per element */
const char *dtype_name(enum dtype dtype);               /* "float16" */
const char *dtype_safetensors_name(enum dtype dtype);   /* "F16" */
const char *dtype_storage_name(enum dtype dtype);       /* "HalfStorage" */
/* By storage class ("HalfStorage"), torch name ("float16", "half"), safetensors name. */
enum dtype  dtype_of_storage(const char *class_name);
enum dtype  dtype_of_name(const char *name);
enum dtype  dtype_of_safetensors_name(const char *name);
int         dtype_is_weight(enum dtype dtype);          /* float16, bfloat16, float32, float64 */

#endif
