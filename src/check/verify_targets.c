#include "check/verify_targets.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define MASK_BLOCK 4096         /* elements */

static void
report_as(const struct comparing *comparing, const char *slug, const struct weight_tensor *found,
	const char *text)
{
	verify_run_report(comparing->run, ERROR_MISMATCH, slug,
		comparing->set->files[found->file].name, found->name, "%s", text);
}

static void
report_tensor(const struct comparing *comparing, const struct weight_tensor *found,
	const char *text)
{
	report_as(comparing, "vsource", found, text);
}

/* ---- shapes ------------------------------------------------------------------------- */

/* The names that a directory may have: the model's, the masks of old versions, a head. */
static struct gpt2_sizes
possible_sizes(const struct arguments *arguments)
{
	return (struct gpt2_sizes){ arguments->layers, arguments->hidden, arguments->ffn,
		arguments->positions, arguments->vocabulary, true, true };
}

static bool
has_shape(const struct weight_tensor *found, const struct gpt2_tensor *tensor)
{
	return found->rank == tensor->rank
		&& memcmp(found->shape, tensor->shape, found->rank * sizeof *found->shape) == 0;
}

/* [in, out] against [out, in]: the projection was left as Megatron has it. */
static bool
is_turned(const struct weight_tensor *found, const struct gpt2_tensor *tensor)
{
	return found->rank == 2 && tensor->rank == 2 && found->shape[0] == tensor->shape[1]
		&& found->shape[1] == tensor->shape[0];
}

static void
report_shape(const struct comparing *comparing, const struct weight_tensor *found,
	const struct gpt2_tensor *tensor)
{
	struct tensor_view is = { .rank = found->rank }, wanted = { .rank = tensor->rank };
	char               shown[200], expected[200], text[500];

	memcpy(is.shape, found->shape, sizeof is.shape);
	memcpy(wanted.shape, tensor->shape, tensor->rank * sizeof *tensor->shape);
	text_format(text, sizeof text, "has the shape %s, the checkpoint makes it %s%s",
		tensor_view_shape_text(&is, shown, sizeof shown),
		tensor_view_shape_text(&wanted, expected, sizeof expected),
		is_turned(found, tensor) ? ": it is not transposed" : "");
	/* A name of its own: the cause is more than what the directory alone can tell. */
	report_as(comparing, is_turned(found, tensor) ? "vturned" : "vsource", found, text);
}

/* Rows beyond those of the model are padding that was kept, if the checkpoint has them. */
static void
settle_rows(const struct comparing *comparing, const struct weight_tensor *found,
	struct gpt2_tensor *tensor)
{
	const struct arguments *arguments = &comparing->model->arguments;
	char                    text[200];

	if (found->shape[0] > arguments->padded_vocabulary) {
		text_format(text, sizeof text, "has %" PRIu64 " rows, the checkpoint stores %" PRIu64,
			found->shape[0], arguments->padded_vocabulary);
		report_tensor(comparing, found, text);
	} else if (found->shape[0] < tensor->shape[0]) {
		text_format(text, sizeof text, "has %" PRIu64 " rows, the checkpoint makes it %" PRIu64
			": tokens are lost (--vocab-size, if that is meant)", found->shape[0],
			tensor->shape[0]);
		report_tensor(comparing, found, text);
	} else if (found->shape[0] > tensor->shape[0]) {
		decision_log_note(comparing->run->log, NOTE_NOTE, "padding-kept",
			"%s: %" PRIu64 " padding rows are kept", found->name,
			found->shape[0] - tensor->shape[0]);
	}
	tensor->shape[0] = found->shape[0] < arguments->padded_vocabulary ? found->shape[0]
		: arguments->padded_vocabulary;
}

/* ---- constants ---------------------------------------------------------------------- */

/* Elements of a mask or of the constant beside it, in the type in which they are there. */
static void
make_constants(const struct gpt2_tensor *tensor, enum dtype dtype, uint64_t first,
	uint64_t count, unsigned char *to)
{
	struct plan_tensor facts = { .dtype = dtype, .rank = tensor->rank,
		.fill = tensor->part == GPT2_ATTN_MASK ? FILL_CAUSAL_MASK : FILL_MASKED_BIAS };
	const size_t       size = dtype_size(dtype);
	float              one;

	memcpy(facts.shape, tensor->shape, sizeof facts.shape);
	if (dtype_is_weight(dtype)) {
		plan_fill_elements(&facts, first, count, to);
		return;
	}
	/* bool and the integers: 1 or 0, little-endian. */
	facts.dtype = DTYPE_FLOAT32;
	memset(to, 0, count * size);
	for (uint64_t i = 0; i < count; i++) {
		plan_fill_elements(&facts, first + i, 1, (unsigned char *)&one);
		to[i * size] = one > 0;
	}
}

static bool
compare_constant(struct comparing *comparing, const struct weight_tensor *found,
	const struct gpt2_tensor *tensor, struct error *err)
{
	unsigned char  there[8 * MASK_BLOCK], expected[8 * MASK_BLOCK];
	const size_t   size = dtype_size(found->dtype);
	const uint64_t count = gpt2_names_elements(tensor);

	if (!dtype_is_weight(found->dtype) && tensor->part == GPT2_ATTN_MASKED_BIAS) {
		report_tensor(comparing, found, "has a type that cannot hold -10000");
		return true;
	}
	comparing->constants++;
	for (uint64_t at = 0; at < count;) {
		uint64_t step = count - at < MASK_BLOCK ? count - at : MASK_BLOCK;

		if (!weight_set_read(comparing->set, found, at, step, there, err))
			return false;
		make_constants(tensor, found->dtype, at, step, expected);
		if (memcmp(there, expected, step * size) != 0) {
			report_tensor(comparing, found, tensor->part == GPT2_ATTN_MASK
				? "is not the causal mask" : "is not -10000");
			return true;
		}
		at += step;
	}
	return true;
}

/* ---- all of them -------------------------------------------------------------------- */

/* One tensor of the directory: a target of the plan, or a problem. */
static bool
take_tensor(struct comparing *comparing, const struct gpt2_sizes *sizes, bool *seen,
	const struct weight_tensor *found, struct error *err)
{
	struct plan_target *target = &comparing->targets[comparing->count];
	struct gpt2_tensor *tensor = &target->tensor;
	size_t              index;

	if (!gpt2_names_find(sizes, found->name, &index))
		return true;            /* not of this model: verify_model tells */
	seen[index] = true;
	*target = (struct plan_target){ .dtype = found->dtype };
	gpt2_names_tensor(sizes, index, tensor);
	if ((tensor->part == GPT2_WTE || tensor->part == GPT2_LM_HEAD) && found->rank == 2
	    && found->shape[1] == tensor->shape[1])
		settle_rows(comparing, found, tensor);
	else if (!has_shape(found, tensor)) {
		report_shape(comparing, found, tensor);
		return true;
	}
	if (tensor->part == GPT2_ATTN_MASK || tensor->part == GPT2_ATTN_MASKED_BIAS)
		return compare_constant(comparing, found, tensor, err);
	if (!dtype_is_weight(found->dtype))
		report_tensor(comparing, found, "has a type that no weight has");
	else
		comparing->tensors[comparing->count++] = found;
	return true;
}

/* What the model cannot do without; the head of a tied one is its embedding. */
static bool
is_needed(const struct comparing *comparing, enum gpt2_part part)
{
	return part != GPT2_ATTN_MASK && part != GPT2_ATTN_MASKED_BIAS
		&& (part != GPT2_LM_HEAD || comparing->model->arguments.is_untied);
}

bool
verify_targets_take(struct comparing *comparing, struct error *err)
{
	struct gpt2_sizes sizes = possible_sizes(&comparing->model->arguments);
	size_t            names = gpt2_names_count(&sizes);
	bool             *seen = calloc(names, sizeof *seen), done = true;

	comparing->targets = calloc(comparing->set->count + 1, sizeof *comparing->targets);
	comparing->tensors = calloc(comparing->set->count + 1, sizeof *comparing->tensors);
	if (seen == NULL || comparing->targets == NULL || comparing->tensors == NULL)
		done = error_no_memory(err, names);
	for (size_t i = 0; i < comparing->set->count && done; i++)
		done = take_tensor(comparing, &sizes, seen, &comparing->set->tensors[i], err);
	for (size_t i = 0; i < names && done; i++) {
		struct gpt2_tensor tensor;

		gpt2_names_tensor(&sizes, i, &tensor);
		if (!seen[i] && is_needed(comparing, tensor.part))
			verify_run_report(comparing->run, ERROR_MISMATCH, "vsource",
				comparing->set->files[0].name, tensor.name,
				"is missing, the checkpoint has it");
	}
	free(seen);
	return done;
}
