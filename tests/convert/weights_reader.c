#include "weights_reader.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool
complain(const char *what, const char *name)
{
	fprintf(stderr, "%s: %s\n", name, what);
	return false;
}

char *
weights_read_file(const char *path, size_t *size)
{
	char  *bytes = NULL, *bigger;
	size_t room = 1 << 16, got = 0, part;
	FILE  *file = fopen(path, "rb");

	if (file == NULL) {
		perror(path);
		return NULL;
	}
	do {
		room *= 2;
		if ((bigger = realloc(bytes, room)) == NULL)
			abort();
		bytes = bigger;
		part = fread(bytes + got, 1, room - got - 1, file);
		got += part;
	} while (part != 0);
	fclose(file);
	bytes[got] = '\0';
	*size = got;
	return bytes;
}

cJSON *
weights_read_json(const char *path)
{
	size_t size;
	char  *bytes = weights_read_file(path, &size);
	cJSON *json = NULL;

	if (bytes != NULL && (json = cJSON_ParseWithOpts(bytes, NULL, true)) == NULL)
		complain("not JSON", path);
	free(bytes);
	return json;
}

bool
weights_open(struct weights *weights, const char *path)
{
	uint64_t length = 0;
	unsigned i;

	memset(weights, 0, sizeof *weights);
	if ((weights->bytes = weights_read_file(path, &weights->size)) == NULL)
		return false;
	if (weights->size < 8)
		return complain("shorter than 8 bytes", path);
	for (i = 8; i-- > 0;)
		length = length << 8 | (unsigned char)weights->bytes[i];
	if (length > weights->size - 8)
		return complain("header longer than the file", path);
	weights->data = weights->bytes + 8 + length;
	weights->data_size = weights->size - 8 - (size_t)length;
	weights->header = cJSON_ParseWithLength(weights->bytes + 8, (size_t)length);
	if (!cJSON_IsObject(weights->header))
		return complain("header is no JSON object", path);
	return true;
}

static size_t
dtype_size(const char *dtype)
{
	if (strcmp(dtype, "F16") == 0 || strcmp(dtype, "BF16") == 0)
		return 2;
	return strcmp(dtype, "F32") == 0 ? 4 : 0;
}

static bool
whole_number(const cJSON *item, size_t *value)
{
	if (!cJSON_IsNumber(item) || item->valuedouble < 0 || item->valuedouble > 1e15 ||
	    item->valuedouble != floor(item->valuedouble))
		return false;
	*value = (size_t)item->valuedouble;
	return true;
}

static bool
read_entry(const struct weights *weights, const cJSON *entry, struct weight *weight)
{
	const cJSON *dtype = cJSON_GetObjectItemCaseSensitive(entry, "dtype");
	const cJSON *shape = cJSON_GetObjectItemCaseSensitive(entry, "shape");
	const cJSON *offsets = cJSON_GetObjectItemCaseSensitive(entry, "data_offsets");
	const cJSON *size;

	memset(weight, 0, sizeof *weight);
	if (!cJSON_IsString(dtype) || !cJSON_IsArray(shape) || !cJSON_IsArray(offsets) ||
	    cJSON_GetArraySize(offsets) != 2)
		return complain("entry without dtype, shape or data_offsets", entry->string);
	weight->dtype = dtype->valuestring;
	weight->count = 1;
	cJSON_ArrayForEach(size, shape) {
		if (weight->rank == WEIGHTS_MAX_RANK ||
		    !whole_number(size, &weight->shape[weight->rank]))
			return complain("bad shape", entry->string);
		weight->count *= weight->shape[weight->rank++];
	}
	if (!whole_number(cJSON_GetArrayItem(offsets, 0), &weight->begin) ||
	    !whole_number(cJSON_GetArrayItem(offsets, 1), &weight->end) ||
	    weight->begin > weight->end || weight->end > weights->data_size ||
	    weight->end - weight->begin != weight->count * dtype_size(weight->dtype))
		return complain("bad data_offsets", entry->string);
	weight->data = weights->data + weight->begin;
	return true;
}

bool
weights_find(const struct weights *weights, const char *name, struct weight *weight)
{
	const cJSON *entry = cJSON_GetObjectItemCaseSensitive(weights->header, name);

	if (entry == NULL)
		return complain("not in the file", name);
	return read_entry(weights, entry, weight);
}

static double
half_value(unsigned bits)
{
	unsigned exponent = bits >> 10 & 31, fraction = bits & 1023;
	double   value;

	if (exponent == 31)
		value = fraction != 0 ? NAN : INFINITY;
	else if (exponent == 0)
		value = ldexp(fraction, -24);
	else
		value = ldexp(fraction + 1024, (int)exponent - 25);
	return (bits & 0x8000) != 0 ? -value : value;
}

double
weights_value(const struct weight *weight, size_t index)
{
	uint16_t half;
	uint32_t word;
	float    single;

	if (dtype_size(weight->dtype) == 4) {
		memcpy(&word, weight->data + 4 * index, 4);
	} else {
		memcpy(&half, weight->data + 2 * index, 2);
		if (strcmp(weight->dtype, "F16") == 0)
			return half_value(half);
		word = (uint32_t)half << 16;
	}
	memcpy(&single, &word, 4);
	return single;
}

bool
weights_check_form(const struct weights *weights)
{
	const cJSON  *entry = weights->header->child, *format;
	const char   *last = "";
	size_t        at = 0, width = 4;
	struct weight weight;

	format = cJSON_GetObjectItemCaseSensitive(entry, "format");
	if ((weights->size - weights->data_size) % 8 != 0)
		return complain("the data does not begin at a multiple of 8", "header");
	if (entry == NULL || strcmp(entry->string, "__metadata__") != 0 ||
	    cJSON_GetArraySize(entry) != 1 || !cJSON_IsString(format) ||
	    strcmp(format->valuestring, "pt") != 0)
		return complain("does not begin with {\"format\":\"pt\"}", "__metadata__");
	for (entry = entry->next; entry != NULL; entry = entry->next) {
		if (!read_entry(weights, entry, &weight))
			return false;
		if (weight.begin != at)
			return complain("does not follow the tensor before it", entry->string);
		if (dtype_size(weight.dtype) > width ||
		    (dtype_size(weight.dtype) == width && strcmp(last, entry->string) >= 0))
			return complain("is not in the order of width and name", entry->string);
		at = weight.end;
		width = dtype_size(weight.dtype);
		last = entry->string;
	}
	return at == weights->data_size || complain("bytes after the last tensor", last);
}

void
weights_close(struct weights *weights)
{
	cJSON_Delete(weights->header);
	free(weights->bytes);
	memset(weights, 0, sizeof *weights);
}
