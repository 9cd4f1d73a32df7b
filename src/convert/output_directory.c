#include "convert/output_directory.h"

#include "base/descriptor.h"
#include "check/sums.h"
#include "gpt2/furniture.h"
#include "plan/drift.h"
#include "plan/element.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCK_BYTES ((size_t)8 << 10)   /* on the stack */

/* ---- reading back ----------------------------------------------------------------- */

static bool
compare_file(int fd, const struct text *text, struct error *err)
{
	char   block[BLOCK_BYTES];
	size_t at = 0, got;

	do {
		if (!descriptor_read_at(fd, at, block, sizeof block, &got))
			return error_os(err, ERROR_NO_OUTPUT, "eio", "cannot read back");
		if (got > text->length - at
		    || (got > 0 && memcmp(block, text->bytes + at, got) != 0))
			return error_set(err, ERROR_NO_OUTPUT, "readback",
				"what was read back is not what was written");
		at += got;
	} while (got == sizeof block);
	return at == text->length || error_set(err, ERROR_NO_OUTPUT, "readback",
		"%zu bytes came back of %zu", at, text->length);
}

static bool
read_back(const struct staging *staging, const char *name, const struct text *text,
	struct error *err)
{
	int  fd = descriptor_open(staging_directory(staging), name,
		O_RDONLY | O_NOFOLLOW, 0);
	bool same;

	if (fd < 0)
		return error_os(err, ERROR_NO_OUTPUT, "eio", "cannot read back");
	same = compare_file(fd, text, err);
	close(fd);
	return same;
}

bool
output_directory_sums(int fd, uint64_t offset, uint64_t bytes, enum dtype dtype,
	double *sum, double *square_sum, struct error *err)
{
	unsigned char block[BLOCK_BYTES];

	*sum = *square_sum = 0;
	while (bytes > 0) {
		size_t step = bytes < sizeof block ? (size_t)bytes : sizeof block, got;

		if (!descriptor_read_at(fd, offset, block, step, &got))
			return error_os(err, ERROR_NO_OUTPUT, "eio", "cannot read back");
		if (got < step)
			return error_set(err, ERROR_NO_OUTPUT, "readback",
				"the file became shorter than what was written");
		*square_sum += drift_square_sum(dtype, block, step / dtype_size(dtype));
		for (size_t at = 0; at < step; at += dtype_size(dtype))
			*sum += element_value(dtype, block + at);
		offset += step;
		bytes -= step;
	}
	return true;
}

/* ---- adding ----------------------------------------------------------------------- */

static struct manifest_file *
new_file(struct output_directory *directory, const char *name, uint64_t bytes,
	struct error *err)
{
	struct manifest_file *file;

	if (directory->count == directory->room) {
		size_t                room = 2 * directory->room + 16;
		struct manifest_file *grown = realloc(directory->files, room * sizeof *grown);

		if (grown == NULL) {
			error_no_memory(err, room * sizeof *grown);
			return NULL;
		}
		directory->files = grown;
		directory->room = room;
	}
	file = &directory->files[directory->count++];
	*file = (struct manifest_file){ .name = name, .bytes = bytes };
	return file;
}

bool
output_directory_add(struct output_directory *directory, const char *name,
	const struct text *text, struct error *err)
{
	struct manifest_file *file;

	if (text->failed)
		return error_no_memory(err, text->length);
	if ((file = new_file(directory, name, text->length, err)) == NULL)
		return false;
	if (!digest_sha256(text->bytes, text->length, file->sha256)
	    || (!furniture_is_lfs(name)
	        && !digest_git_blob(text->bytes, text->length, file->git_blob)))
		return error_no_memory(err, text->length);
	if (directory->staging == NULL)
		return true;
	if (!staging_write(directory->staging, name, text->bytes, text->length, err)
	    || !read_back(directory->staging, name, text, err))
		return error_in_file(err, name);
	return true;
}

bool
output_directory_add_weights(struct output_directory *directory, const char *name,
	uint64_t bytes, const char *sha256, struct error *err)
{
	struct manifest_file *file = new_file(directory, name, bytes, err);

	if (file == NULL)
		return false;
	text_format(file->sha256, sizeof file->sha256, "%s", sha256);
	return true;
}

static struct gpt2_config
config_of(const struct arguments *arguments, const struct tokenizer *tokenizer)
{
	const uint64_t end_of_text = tokenizer != NULL ? tokenizer->end_of_text
		: TOKENIZER_GPT2_END_OF_TEXT;

	return (struct gpt2_config){
		.sizes = { .n_layer = arguments->layers, .n_embd = arguments->hidden,
			.n_inner = arguments->ffn, .n_positions = arguments->positions,
			.vocab_size = arguments->vocabulary, .has_head = arguments->is_untied },
		.n_head = arguments->heads,
		.activation_function = arguments_activation_name(arguments->activation),
		.layer_norm_epsilon = arguments->layernorm_epsilon,
		.attn_pdrop = arguments->attention_dropout,
		.embd_pdrop = arguments->embedding_dropout, .resid_pdrop = arguments->hidden_dropout,
		.initializer_range = arguments->init_method_std,
		.has_token_ids = tokenizer != NULL || arguments->is_gpt2_vocabulary,
		.bos_token_id = end_of_text, .eos_token_id = end_of_text,
		.tie_word_embeddings = !arguments->is_untied,
	};
}

bool
output_directory_add_config(struct output_directory *directory,
	const struct arguments *arguments, const struct tokenizer *tokenizer, enum config_form form,
	const char *torch_dtype, struct error *err)
{
	struct gpt2_config config = config_of(arguments, tokenizer);
	struct text        text = { 0 }, generation = { 0 };
	bool               done;

	config.torch_dtype = torch_dtype;
	config_write(&config, form, &text);
	config_write_generation(&config, &generation);
	done = output_directory_add(directory, "config.json", &text, err)
		&& output_directory_add(directory, "generation_config.json", &generation, err);
	text_free(&text);
	text_free(&generation);
	return done;
}

bool
output_directory_add_tokenizer(struct output_directory *directory,
	const struct tokenizer *tokenizer, enum tokenizer_form form, uint64_t positions,
	struct error *err)
{
	static const struct {
		const char *name;
		bool      (*write)(const struct tokenizer *tokenizer, enum tokenizer_form form,
			struct text *to, struct error *err);
	} files[] = {
		{ "merges.txt", tokenizer_write_merges },
		{ "tokenizer.json", tokenizer_write_tokenizer },
		{ "vocab.json", tokenizer_write_vocabulary },
	};
	struct text text = { 0 };
	bool        done = true;

	for (size_t i = 0; i < sizeof files / sizeof *files && done; i++) {
		done = files[i].write(tokenizer, form, &text, err)
			&& output_directory_add(directory, files[i].name, &text, err);
		text_free(&text);
	}
	if (done) {
		done = tokenizer_write_config(tokenizer, form, positions, &text, err)
			&& output_directory_add(directory, "tokenizer_config.json", &text, err);
		text_free(&text);
	}
	if (done && form == TOKENIZER_4_18) {
		done = tokenizer_write_special_tokens(&text, err)
			&& output_directory_add(directory, "special_tokens_map.json", &text, err);
		text_free(&text);
	}
	return done;
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(((const struct manifest_file *)a)->name,
		((const struct manifest_file *)b)->name);
}

void
output_directory_sort(struct output_directory *directory)
{
	qsort(directory->files, directory->count, sizeof *directory->files, compare_names);
}

bool
output_directory_add_sums(struct output_directory *directory, struct error *err)
{
	struct text text = { 0 };
	bool        done;

	output_directory_sort(directory);
	for (size_t i = 0; i < directory->count; i++)
		sums_write_line(&text, directory->files[i].sha256, directory->files[i].name);
	done = output_directory_add(directory, "SHA256SUMS", &text, err);
	output_directory_sort(directory);
	text_free(&text);
	return done;
}

void
output_directory_fini(struct output_directory *directory)
{
	free(directory->files);
	*directory = (struct output_directory){ 0 };
}
