/*
 * What a converted directory holds, against what it must hold.
 *
 *     tensor_digests compare NAME.expected.json DIR     exit status 0: as it must be
 *     tensor_digests get FILE.json KEY                  a value; a list one item a line
 */
#include "weights_reader.h"

#include <openssl/sha.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned problems;

static void
problem(const char *name, const char *what)
{
	printf("%s: %s\n", name, what);
	problems++;
}

static void
join(char *path, size_t size, const char *folder, const char *name)
{
	if (snprintf(path, size, "%s/%s", folder, name) >= (int)size)
		abort();
}

static void
compare_tensor(const struct weights *weights, const cJSON *expected)
{
	const cJSON  *dtype = cJSON_GetObjectItemCaseSensitive(expected, "dtype");
	const cJSON  *shape = cJSON_GetObjectItemCaseSensitive(expected, "shape");
	const cJSON  *digest = cJSON_GetObjectItemCaseSensitive(expected, "sha256");
	unsigned char hash[SHA256_DIGEST_LENGTH];
	char          hex[2 * SHA256_DIGEST_LENGTH + 1];
	struct weight weight;
	size_t        i;

	if (!weights_find(weights, expected->string, &weight)) {
		problems++;
		return;
	}
	if (strcmp(weight.dtype, dtype->valuestring) != 0)
		problem(expected->string, "another dtype");
	if (weight.rank != (size_t)cJSON_GetArraySize(shape))
		problem(expected->string, "another number of dimensions");
	for (i = 0; i < weight.rank; i++) {
		const cJSON *size = cJSON_GetArrayItem(shape, (int)i);

		if (size == NULL || (double)weight.shape[i] != size->valuedouble)
			problem(expected->string, "another shape");
	}
	SHA256((const unsigned char *)weight.data, weight.end - weight.begin, hash);
	for (i = 0; i < sizeof hash; i++)
		snprintf(hex + 2 * i, 3, "%02x", hash[i]);
	if (strcmp(hex, digest->valuestring) != 0)
		problem(expected->string, "other bytes");
}

static void
compare_config(const cJSON *config, const cJSON *expected)
{
	const cJSON *item;

	cJSON_ArrayForEach(item, expected) {
		const cJSON *found = cJSON_GetObjectItemCaseSensitive(config, item->string);

		if (found == NULL)
			problem(item->string, "not in config.json");
		else if (!cJSON_Compare(found, item, true))
			problem(item->string, "another value in config.json");
	}
}

static cJSON *
read_truth(const char *expected_path)
{
	char   path[4096];
	cJSON *expected = weights_read_json(expected_path);
	cJSON *truth = cJSON_GetObjectItemCaseSensitive(expected, "truth");
	char  *slash = strrchr(expected_path, '/');
	int    folder = slash != NULL ? (int)(slash - expected_path) : 1;

	if (!cJSON_IsString(truth)) {
		cJSON_Delete(expected);
		return NULL;
	}
	if (snprintf(path, sizeof path, "%.*s/%s", folder, slash != NULL ? expected_path : ".",
	    truth->valuestring) >= (int)sizeof path)
		abort();
	cJSON_Delete(expected);
	return weights_read_json(path);
}

static int
compare(const char *expected_path, const char *folder)
{
	char           path[4096];
	struct weights weights;
	cJSON         *truth = read_truth(expected_path), *config, *tensors, *item;

	join(path, sizeof path, folder, "config.json");
	config = weights_read_json(path);
	join(path, sizeof path, folder, "model.safetensors");
	if (!weights_open(&weights, path) || truth == NULL || config == NULL) {
		problem(folder, "cannot be compared");
	} else {
		if (!weights_check_form(&weights))
			problems++;
		tensors = cJSON_GetObjectItemCaseSensitive(truth, "tensors");
		cJSON_ArrayForEach(item, tensors)
			compare_tensor(&weights, item);
		if (cJSON_GetArraySize(tensors) + 1 != cJSON_GetArraySize(weights.header))
			problem(path, "holds more or fewer tensors");
		compare_config(config, cJSON_GetObjectItemCaseSensitive(truth, "config"));
	}
	weights_close(&weights);
	cJSON_Delete(config);
	cJSON_Delete(truth);
	return problems != 0;
}

static void
print_value(const cJSON *item)
{
	char *text;

	if (cJSON_IsString(item)) {
		puts(item->valuestring);
	} else if ((text = cJSON_PrintUnformatted(item)) != NULL) {
		puts(text);
		cJSON_free(text);
	}
}

static int
get(const char *path, const char *key)
{
	cJSON       *json = weights_read_json(path);
	const cJSON *value = cJSON_GetObjectItemCaseSensitive(json, key), *item;

	if (cJSON_IsArray(value)) {
		cJSON_ArrayForEach(item, value)
			print_value(item);
	} else if (value != NULL) {
		print_value(value);
	}
	cJSON_Delete(json);
	return json == NULL;
}

int
main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "compare") == 0)
		return compare(argv[2], argv[3]);
	if (argc == 4 && strcmp(argv[1], "get") == 0)
		return get(argv[2], argv[3]);
	fputs("usage: tensor_digests compare EXPECTED DIR | get FILE KEY\n", stderr);
	return 2;
}
