#ifndef TESTS_CONVERT_WEIGHTS_READER_H
#define TESTS_CONVERT_WEIGHTS_READER_H

#include <cjson/cJSON.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A safetensors reader for the tests, independent of the one under test.  It takes a whole
 * file into memory, believes nothing, and prints what is wrong to stderr.
 */
#define WEIGHTS_MAX_RANK 8

struct weights {
	char       *bytes;
	size_t      size;
	cJSON      *header;
	const char *data;       /* after the header */
	size_t      data_size;
};

struct weight {
	const char *dtype;      /* "F16" */
	size_t      rank, shape[WEIGHTS_MAX_RANK];
	size_t      count;      /* elements */
	size_t      begin, end; /* in the data */
	const char *data;
};

/* Reads a file; a zero byte follows.  NULL: printed.  The caller frees. */
char *weights_read_file(const char *path, size_t *size);
cJSON *weights_read_json(const char *path);

bool weights_open(struct weights *weights, const char *path);
bool weights_find(const struct weights *weights, const char *name, struct weight *weight);
double weights_value(const struct weight *weight, size_t index);
/* Alignment of the header, its metadata, order of tensors, no gap and no overlap. */
bool weights_check_form(const struct weights *weights);
void weights_close(struct weights *weights);

#endif
