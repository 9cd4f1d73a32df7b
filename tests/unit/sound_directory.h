#ifndef TESTS_UNIT_SOUND_DIRECTORY_H
#define TESTS_UNIT_SOUND_DIRECTORY_H

#include "check/sums.h"
#include "check/verify.h"
#include "gpt2/config.h"
#include "gpt2/safetensors.h"
#include "gpt2/tokenizer.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * A small converted directory in which all is well, made in the present directory, and what a
 * test needs to break one thing in it and to tell which problems are found then.
 */
#define LAYERS     1
#define WIDTH      4
#define INNER      16
#define POSITIONS  8
#define VOCABULARY 4

static const struct gpt2_config tiny = {
	.sizes = { .n_layer = LAYERS, .n_embd = WIDTH, .n_inner = INNER,
		.n_positions = POSITIONS, .vocab_size = VOCABULARY }, .n_head = 2,
	.activation_function = "gelu_new", .layer_norm_epsilon = 1e-5, .attn_pdrop = 0.1,
	.embd_pdrop = 0.1, .resid_pdrop = 0.1, .initializer_range = 0.02,
	.has_token_ids = true, .bos_token_id = 3, .eos_token_id = 3,
	.tie_word_embeddings = true,
};

#define VOCAB_TEXT "{\"a\":0,\"b\":1,\"ab\":2,\"<|endoftext|>\":3}"
#define H0 "transformer.h.0."

static char workplace[64];      /* a temporary directory, made once */
static char fixtures[4096];     /* absolute: the test works in the directory it builds */

/* ---- files ------------------------------------------------------------------------ */

static inline void
die(const char *what)
{
	perror(what);
	exit(1);
}

static inline void
put_bytes(const char *name, const void *bytes, size_t length)
{
	FILE *file = fopen(name, "wb");

	if (file == NULL || fwrite(bytes, 1, length, file) != length || fclose(file) != 0)
		die(name);
}

static inline void
put(const char *name, const char *text)
{
	put_bytes(name, text, strlen(text));
}

static inline char *
get(const char *name, size_t *length)
{
	char *bytes = calloc(1, 1 << 20);
	FILE *file = fopen(name, "rb");

	if (bytes == NULL || file == NULL)
		die(name);
	*length = fread(bytes, 1, (1 << 20) - 1, file);
	fclose(file);
	return bytes;
}

static inline void
copy_fixture(const char *fixture, const char *name)
{
	char   path[4200];
	size_t length;
	char  *bytes;

	snprintf(path, sizeof path, "%s/%s", fixtures, fixture);
	bytes = get(path, &length);
	put_bytes(name, bytes, length);
	free(bytes);
}

static inline void
flip_byte(const char *name, long place)
{
	size_t length;
	char  *bytes = get(name, &length);

	bytes[place >= 0 ? (size_t)place : length - (size_t)-place] ^= 1;
	put_bytes(name, bytes, length);
	free(bytes);
}

static inline void
replace(const char *name, const char *from, const char *to)
{
	size_t      length;
	char       *bytes = get(name, &length), *at = strstr(bytes, from);
	struct text text = { 0 };

	if (at == NULL) {
		printf("%s: no \"%s\" in it\n", name, from);
		exit(1);
	}
	text_add_bytes(&text, bytes, (size_t)(at - bytes));
	text_add(&text, "%s%s", to, at + strlen(from));
	put_bytes(name, text.bytes, text.length);
	text_free(&text);
	free(bytes);
}

static inline int
by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/* Regular files of the present directory as "HEX  NAME" lines, or as entries of outputs. */
static inline void
list_files(struct text *to, bool as_json)
{
	struct dirent **items;
	int             count = scandir(".", &items, NULL, by_name);

	for (int i = 0; i < count; i++) {
		const char *name = items[i]->d_name;
		struct stat status;
		char        hex[DIGEST_HEX_SIZE], *bytes;
		size_t      length;

		if (stat(name, &status) == 0 && S_ISREG(status.st_mode)
		    && strcmp(name, "SHA256SUMS") != 0) {
			bytes = get(name, &length);
			digest_sha256(bytes, length, hex);
			if (as_json)
				text_add(to, "%s{\"name\":\"%s\",\"bytes\":%zu,\"sha256\":\"%s\"}",
					to->length > 0 ? "," : "", name, length, hex);
			else
				sums_write_line(to, hex, name);
			free(bytes);
		}
		free(items[i]);
	}
	free(items);
}

static inline void
put_sums(void)
{
	struct text text = { 0 };

	list_files(&text, false);
	put_bytes("SHA256SUMS", text.bytes, text.length);
	text_free(&text);
}

static inline void
empty_directory(void)
{
	if (system("chmod -R u+rwX . && rm -rf ./* ./.[!.]*") != 0)
		die("rm");
}

/* ---- weights ---------------------------------------------------------------------- */

#define MAX_TENSORS 64
static struct safetensors_tensor tensors[MAX_TENSORS];
static char                      names[MAX_TENSORS][GPT2_NAME_SIZE];
static size_t                    tensor_count;

static inline void
begin_weights(void)
{
	tensor_count = gpt2_names_count(&tiny.sizes);
	for (size_t i = 0; i < tensor_count; i++) {
		struct gpt2_tensor tensor;

		gpt2_names_tensor(&tiny.sizes, i, &tensor);
		memcpy(names[i], tensor.name, GPT2_NAME_SIZE);
		tensors[i] = (struct safetensors_tensor){ .name = names[i],
			.dtype = DTYPE_FLOAT16, .rank = tensor.rank,
			.shape = { tensor.shape[0], tensor.shape[1] } };
	}
}

static inline struct safetensors_tensor *
find_tensor(const char *name)
{
	for (size_t i = 0; i < tensor_count; i++) {
		if (strcmp(tensors[i].name, name) == 0)
			return &tensors[i];
	}
	printf("no tensor %s\n", name);
	exit(1);
}

static inline void
drop_tensor(const char *name)
{
	*find_tensor(name) = tensors[--tensor_count];
}

static inline void
add_tensor(const char *name, enum dtype dtype, unsigned rank, uint64_t first, uint64_t second)
{
	tensors[tensor_count++] = (struct safetensors_tensor){ .name = name, .dtype = dtype,
		.rank = rank, .shape = { first, second } };
}

static inline void
put_weights(const char *name)
{
	struct text  file = { 0 };
	struct error err = { 0 };
	uint64_t     bytes;

	if (!safetensors_lay_out(tensors, tensor_count, &file, &bytes, &err)) {
		printf("%s\n", err.text);
		exit(1);
	}
	while (file.length < bytes)
		text_add_bytes(&file, "", 1);
	put_bytes(name, file.bytes, file.length);
	text_free(&file);
}

/* ---- the sound directory ---------------------------------------------------------- */

static inline void
put_manifest(void)
{
	struct text text = { 0 }, outputs = { 0 };

	list_files(&outputs, true);
	text_add(&text, "{\"outputs\":[%s],\"tensors\":[", outputs.bytes);
	for (size_t i = 0; i < tensor_count; i++) {
		const struct safetensors_tensor *t = &tensors[i];

		text_add(&text, "%s{\"name\":\"%s\",\"dtype\":\"F16\",\"shape\":[%llu",
			i > 0 ? "," : "", t->name, (unsigned long long)t->shape[0]);
		if (t->rank == 2)
			text_add(&text, ",%llu", (unsigned long long)t->shape[1]);
		text_add(&text, "],\"file\":\"model.safetensors\",\"offset\":%llu,\"bytes\":%llu}",
			(unsigned long long)t->offset, (unsigned long long)t->bytes);
	}
	text_add(&text, "]}\n");
	put_bytes("conversion.json", text.bytes, text.length);
	text_free(&outputs);
	text_free(&text);
}

static inline void
put_config(const struct gpt2_config *config)
{
	struct text text = { 0 };

	config_write(config, CONFIG_HF5, &text);
	put_bytes("config.json", text.bytes, text.length);
	text_free(&text);
}

static inline void
build_sound(void)
{
	struct text text = { 0 };

	empty_directory();
	begin_weights();
	put_config(&tiny);
	config_write_generation(&tiny, &text);
	put_bytes("generation_config.json", text.bytes, text.length);
	text_free(&text);
	put("vocab.json", VOCAB_TEXT);
	put("merges.txt", "#version: 0.2\na b\n");
	put("tokenizer_config.json", "{\"model_max_length\": 8}");
	put_weights("model.safetensors");
	put_manifest();
	put_sums();
}

/* ---- without its lists, in shards -------------------------------------------------- */

#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"

static inline void
append_sums(const char *line)
{
	FILE *file = fopen("SHA256SUMS", "a");

	if (file == NULL || fputs(line, file) == EOF || fclose(file) != 0)
		die("SHA256SUMS");
}

/* For what is about one part: the lists would only repeat it. */
static inline void
without_lists(void)
{
	unlink("SHA256SUMS");
	unlink("conversion.json");
}

/* Two shards and their index; `edit` of the index from -> to. */
static inline void
put_shards(const char *from, const char *to)
{
	struct safetensors_tensor all[MAX_TENSORS];
	const size_t              count = tensor_count, half = count / 2;
	struct text               map = { 0 };
	uint64_t                  bytes = 0;

	without_lists();
	unlink("model.safetensors");
	memcpy(all, tensors, sizeof all);
	for (unsigned shard = 0; shard < 2; shard++) {
		char name[64];

		snprintf(name, sizeof name, "model-0000%u-of-00002.safetensors", shard + 1);
		tensor_count = shard == 0 ? half : count - half;
		memcpy(tensors, shard == 0 ? all : all + half, tensor_count * sizeof *tensors);
		put_weights(name);
		for (size_t i = 0; i < tensor_count; i++) {
			bytes += tensors[i].bytes;
			text_add(&map, "%s\"%s\":\"%s\"", map.length > 0 ? "," : "",
				tensors[i].name, name);
		}
	}
	text_add(&map, "}}");
	FILE *file = fopen("model.safetensors.index.json", "w");
	if (file == NULL)
		die("index");
	fprintf(file, "{\"metadata\":{\"total_size\":%llu},\"weight_map\":{%s",
		(unsigned long long)bytes, map.bytes);
	fclose(file);
	text_free(&map);
	if (from != NULL)
		replace("model.safetensors.index.json", from, to);
}

/* ---- what is found ----------------------------------------------------------------- */

static inline char *
describe(const struct verify_result *result, struct text *to)
{
	for (size_t i = 0; i < result->problem_count; i++) {
		const struct error *problem = &result->problems[i];

		text_add(to, "%d %s%s%s %s;", (int)problem->kind, problem->file,
			problem->tensor[0] != '\0' ? " " : "", problem->tensor, problem->slug);
	}
	return to->length > 0 ? to->bytes : (char *)"";
}

/* A '*' at the end of what is expected stands for anything. */
static inline bool
is_as_expected(const char *found, const char *expected)
{
	size_t length = strlen(expected);

	if (length > 0 && expected[length - 1] == '*')
		return strncmp(found, expected, length - 1) == 0;
	return strcmp(found, expected) == 0;
}

static inline bool
has_note(const struct decision_log *log, const char *slug)
{
	for (size_t i = 0; i < log->note_count; i++) {
		if (strcmp(log->notes[i].slug, slug) == 0)
			return true;
	}
	return slug[0] == '\0';
}

/* ---- a place of its own ------------------------------------------------------------- */

static inline void
enter_workplace(const char *test)
{
	char folder[128];

	if (realpath("fixtures/gpt2", fixtures) == NULL)
		die("fixtures/gpt2 (run from the project root)");
	snprintf(workplace, sizeof workplace, "/tmp/%s.XXXXXX", test);
	if (mkdtemp(workplace) == NULL)
		die(workplace);
	snprintf(folder, sizeof folder, "%s/model", workplace);
	if (mkdir(folder, 0777) != 0 || chdir(folder) != 0)
		die(folder);
}

static inline void
leave_workplace(void)
{
	char command[128];

	empty_directory();
	if (chdir("/") != 0)
		die("/");
	snprintf(command, sizeof command, "rm -rf %s", workplace);
	if (system(command) != 0)
		die(workplace);
}

#endif
