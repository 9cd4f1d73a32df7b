#include "convert/output_form.h"

#include "base/text.h"

#include <string.h>

/* The place of an option's word in a list that ends with NULL; no word is the first. */
static bool
find_word(const char *what, const char *word, const char *const *words, size_t *place,
	struct error *err)
{
	for (*place = 0; words[*place] != NULL; ++*place)
		if (word == NULL || strcmp(word, words[*place]) == 0)
			return true;
	return error_set(err, ERROR_USAGE, "usage", "%s: '%s' is not known", what, word);
}

static bool
read_weights(struct output_form *form, const char *weights, struct error *err)
{
	static const char *const words[] = { "safetensors", "pytorch", "both", NULL };
	size_t                   place;

	if (!find_word("the form of the weights", weights, words, &place, err))
		return false;
	if (form->is_4_18 && weights != NULL && strcmp(weights, "pytorch") != 0) {
		error_set(err, ERROR_USAGE, "usage",
			"the profile hf4.18 is one of pytorch weights, not of '%s'", weights);
		return error_hint(err, "transformers 4.18 reads pytorch_model.bin only");
	}
	form->plan.torch_only = form->is_4_18 || strcmp(words[place], "pytorch") == 0;
	form->plan.torch_too = strcmp(words[place], "both") == 0;
	return true;
}

static bool
read_dtype(struct output_form *form, const char *dtype, struct error *err)
{
	static const char *const words[] = { "keep", "float16", "bfloat16", "float32", NULL };
	size_t                   place;

	if (!find_word("the type of the weights", dtype, words, &place, err))
		return false;
	form->plan.casts = place > 0;
	form->plan.dtype = form->plan.casts ? dtype_of_name(words[place]) : DTYPE_UNKNOWN;
	return true;
}

bool
output_form_read(struct output_form *form, const struct m2h_convert_options *options,
	struct error *err)
{
	static const char *const profiles[] = { "hf5", "hf4.18", NULL };
	static const char *const read_back[] = { "kernel", "disk", NULL };
	static const char *const replicas[] = { "rank0", "mean", NULL };
	size_t                   place;

	*form = (struct output_form){ 0 };
	if (!find_word("the profile", options->profile, profiles, &place, err))
		return false;
	form->is_4_18 = form->plan.reference_form = place == 1;
	if (!find_word("which of the replicas", options->replicas, replicas, &place, err))
		return false;
	form->plan.mean_of_replicas = place == 1;
	if (!find_word("what is read back from", options->read_back, read_back, &place, err))
		return false;
	form->from_disk = place == 1;
	form->plan.shard_bytes = options->max_shard_bytes;
	return read_weights(form, options->weights, err) && read_dtype(form, options->dtype, err);
}
