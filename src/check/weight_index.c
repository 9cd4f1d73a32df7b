#include "check/weight_index.h"

#include "base/json.h"

#include <stdlib.h>
#include <string.h>

static int
compare_mappings(const void *a, const void *b)
{
	const struct weight_mapping *x = a, *y = b;
	int                          order = (x->file != NULL) - (y->file != NULL);

	if (order == 0 && x->file != NULL)
		order = strcmp(x->file, y->file);
	return order != 0 ? order : strcmp(x->tensor, y->tensor);
}

static void
read_total(const struct json *root, struct weight_index *index)
{
	const struct json *metadata = json_member(root, "metadata");
	const struct json *node = metadata != NULL && json_kind(metadata) == JSON_OBJECT
		? json_member(metadata, "total_size") : NULL;

	index->has_total = node != NULL;
	index->total_is_whole = node != NULL && json_u64(node, &index->total);
}

static bool
read_map(const struct json *root, struct weight_index *index, struct error *err)
{
	const struct json *map = json_kind(root) == JSON_OBJECT ? json_member(root, "weight_map")
		: NULL;
	size_t             count;

	if (map == NULL || json_kind(map) != JSON_OBJECT)
		return error_set(err, ERROR_CORRUPT, "vindex",
			"weight_map is missing or no JSON object");
	count = json_count(map);
	if ((index->mappings = calloc(count + 1, sizeof *index->mappings)) == NULL)
		return error_no_memory(err, count * sizeof *index->mappings);
	for (const struct json *at = json_first(map); at != NULL; at = json_next(at))
		index->mappings[index->count++] =
			(struct weight_mapping){ json_key(at), json_string(at) };
	if (count > 0)
		qsort(index->mappings, count, sizeof *index->mappings, compare_mappings);
	read_total(root, index);
	return true;
}

bool
weight_index_parse(const char *text, size_t length, struct weight_index *index,
	struct error *err)
{
	*index = (struct weight_index){ .root = json_parse(text, length, err) };
	if (index->root == NULL)
		return false;
	if (!read_map(index->root, index, err)) {
		weight_index_fini(index);
		return false;
	}
	return true;
}

void
weight_index_fini(struct weight_index *index)
{
	free(index->mappings);
	json_free(index->root);
	*index = (struct weight_index){ 0 };
}

bool
weight_index_is_bare(const char *file)
{
	return file[0] != '\0' && strcmp(file, ".") != 0 && strcmp(file, "..") != 0
		&& strpbrk(file, "/\\") == NULL;
}
