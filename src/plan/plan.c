#include "plan/plan.h"

#include "plan/element.h"
#include "plan/proof.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PLAN_ARENA_BYTES ((size_t)256 << 20)
#define MASKED_BIAS      (-10000.0)

struct builder {
	struct plan        *plan;
	const struct model *model;
	struct plan_options options;
	const struct plan_target *targets;      /* by tensor of the plan */
	struct strided_copy *boxes;     /* of the tensor at hand, by slice, before normalising */
};

/* ---- copies ----------------------------------------------------------------------- */

static bool
add_copy(struct builder *builder, size_t tensor, enum copy_action action, size_t piece,
	const struct model_slice *slice, const struct strided_copy *box, struct error *err)
{
	struct plan_copy *copy = &builder->plan->copies[builder->plan->copy_count++];

	*copy = (struct plan_copy){ *box, action, slice->shard, slice->view.storage, tensor,
		piece };
	if (!builder->plan->tensors[tensor].is_repeat && action == COPY_COMPARE)
		builder->plan->replica_count++;
	else if (!builder->plan->tensors[tensor].is_repeat)
		builder->plan->slice_count++;
	if (!strided_copy_normalise(&copy->box)) {
		error_set(err, ERROR_UNSUPPORTED, "stride",
			"its elements overlap in their storage");
		return error_in_tensor(err, builder->plan->tensors[tensor].name);
	}
	return true;
}

/* All of a tensor at once. */
static struct strided_copy
fill_box(uint64_t elements)
{
	return (struct strided_copy){ .dims = 1, .target_stride = { 1 }, .extent = { elements } };
}

/* The slices and replicas of a parameter. */
static bool
add_pieces(struct builder *builder, size_t tensor, const struct model_parameter *whole,
	size_t *boxes, struct error *err)
{
	const struct plan_target *target = &builder->targets[tensor];
	size_t                    piece = builder->plan->piece_count;
	struct strided_copy       box;

	builder->plan->piece_count += whole->slice_count;
	for (size_t i = 0; i < whole->slice_count; i++) {
		if (!placement_box(builder->model, whole, &target->tensor, &whole->slices[i],
			target->mistake, &box))
			continue;
		if (!add_copy(builder, tensor, COPY_WRITE, piece + i, &whole->slices[i], &box, err))
			return false;
		builder->boxes[(*boxes)++] = box;
	}
	for (size_t i = 0; i < whole->replica_count; i++) {
		const struct model_replica *replica = &whole->replicas[i];

		if (placement_box(builder->model, whole, &target->tensor, &replica->piece,
			target->mistake, &box)
		    && !add_copy(builder, tensor, COPY_COMPARE, piece + replica->slice,
			&replica->piece, &box, err))
			return false;
	}
	return true;
}

/* What makes one tensor, and the proof that it does. */
static bool
add_copies(struct builder *builder, size_t tensor, struct error *err)
{
	struct plan_tensor *target = &builder->plan->tensors[tensor];
	uint64_t            elements = target->bytes / dtype_size(target->dtype);
	size_t              boxes = 0;

	if (target->fill != FILL_NOTHING)
		builder->boxes[boxes++] = fill_box(elements);
	if (target->parameter != PLAN_NO_PARAMETER
	    && !add_pieces(builder, tensor, &builder->model->parameters[target->parameter], &boxes,
		err))
		return false;
	return proof_covers(builder->boxes, boxes, elements, err)
		|| error_in_tensor(err, target->name);
}

static int
compare_copies(const void *a, const void *b)
{
	const struct plan_copy *x = a, *y = b;

	if (x->shard != y->shard)
		return x->shard < y->shard ? -1 : 1;
	if (x->storage != y->storage)
		return x->storage < y->storage ? -1 : 1;
	if (x->box.source_offset != y->box.source_offset)
		return x->box.source_offset < y->box.source_offset ? -1 : 1;
	/* Of two that lie in one place, what is used comes before what repeats it. */
	if (x->action != y->action)
		return x->action < y->action ? -1 : 1;
	return x->tensor < y->tensor ? -1 : x->tensor > y->tensor;
}

/* ---- tensors ---------------------------------------------------------------------- */

/* The parameter a part of GPT-2 comes from; NULL: it is a constant, or the model has none.
 * The head of a model whose output layer is tied is its embedding. */
static const struct model_parameter *
find_parameter(const struct model *model, const struct gpt2_tensor *tensor)
{
	enum model_role role;

	if (!placement_role(tensor->part, &role))
		return NULL;
	if (role == ROLE_OUTPUT_LAYER && !model->arguments.is_untied)
		role = ROLE_WORD_EMBEDDING;
	return model_find(model, role, tensor->layer);
}

static bool
error_missing(struct error *err, enum error_kind kind, const struct gpt2_tensor *tensor)
{
	enum model_role role = ROLE_WORD_EMBEDDING;

	placement_role(tensor->part, &role);
	error_set(err, kind, "missingkey", "the checkpoint has no %s", dialect_roles[role].name);
	return error_in_tensor(err, tensor->name);
}

static bool
is_constant(enum gpt2_part part)
{
	return part == GPT2_ATTN_MASK || part == GPT2_ATTN_MASKED_BIAS;
}

/* What is done to a tensor beside copying. */
static void
decide_finish(struct builder *builder, struct plan_tensor *tensor,
	const struct plan_target *target)
{
	const struct model_parameter *from = &builder->model->parameters[tensor->parameter];
	bool is_norm_weight = from->role == ROLE_INPUT_NORM_WEIGHT
		|| from->role == ROLE_POST_ATTENTION_NORM_WEIGHT
		|| from->role == ROLE_FINAL_NORM_WEIGHT;

	tensor->fill = from->slice_count == 0 ? FILL_ZEROS : FILL_NOTHING;
	builder->plan->zero_count += tensor->fill == FILL_ZEROS && !tensor->is_repeat;
	tensor->source_dtype = from->slice_count == 0 ? tensor->dtype : from->dtype;
	tensor->plus_one = is_norm_weight && (target->mistake == MISTAKE_NORM_PLUS_ONE
		|| (builder->model->arguments.norms_less_one
		&& target->mistake != MISTAKE_NORM_LESS_ONE));
	tensor->copies = 1 + from->replica_count;
	tensor->is_mean = builder->options.mean_of_replicas && from->replica_count > 0
		&& dialect_roles[from->role].join == JOIN_REPLICATED;
}

/* A tensor of the plan, but for its place. */
static bool
take_target(struct builder *builder, size_t index, struct error *err)
{
	struct plan_tensor           *to = &builder->plan->tensors[index];
	const struct plan_target     *target = &builder->targets[index];
	const struct model_parameter *from = find_parameter(builder->model, &target->tensor);
	uint64_t                      elements = gpt2_names_elements(&target->tensor);

	text_format(to->name, sizeof to->name, "%s", target->tensor.name);
	to->dtype = to->source_dtype = target->dtype;
	to->rank = target->tensor.rank;
	memcpy(to->shape, target->tensor.shape, sizeof to->shape);
	to->bytes = elements * dtype_size(to->dtype);
	to->parameter = PLAN_NO_PARAMETER;
	if (is_constant(target->tensor.part)) {
		to->fill = target->tensor.part == GPT2_ATTN_MASK ? FILL_CAUSAL_MASK
			: FILL_MASKED_BIAS;
	} else if (from == NULL) {
		return error_missing(err, ERROR_MISMATCH, &target->tensor);
	} else {
		to->parameter = (size_t)(from - builder->model->parameters);
		decide_finish(builder, to, target);
	}
	if (!to->is_repeat) {
		builder->plan->weight_bytes += to->bytes;
		builder->plan->distinct_count++;
		if (!is_constant(target->tensor.part))
			builder->plan->parameter_count += elements;
	}
	return true;
}

static bool
take_targets(struct builder *builder, size_t count, struct error *err)
{
	struct plan *plan = builder->plan;
	size_t       most = 1, copies = 0;

	for (size_t i = 0; i < count; i++) {
		const struct model_parameter *from;

		if (!take_target(builder, i, err))
			return false;
		if (plan->tensors[i].parameter == PLAN_NO_PARAMETER)
			continue;
		from = &builder->model->parameters[plan->tensors[i].parameter];
		copies += from->slice_count + from->replica_count;
		most = from->slice_count > most ? from->slice_count : most;
	}
	plan->copies = arena_take(&plan->arena, copies, sizeof *plan->copies);
	builder->boxes = arena_take(&plan->arena, most, sizeof *builder->boxes);
	if (plan->copies == NULL || builder->boxes == NULL)
		return error_no_memory(err, copies * sizeof *plan->copies);
	for (size_t i = 0; i < count; i++)
		if (!add_copies(builder, i, err))
			return false;
	if (plan->copy_count > 0)
		qsort(plan->copies, plan->copy_count, sizeof *plan->copies, compare_copies);
	return true;
}

/* ---- a conversion ----------------------------------------------------------------- */

/* Every parameter of the model has a place in GPT-2, or it would be lost in silence. */
static bool
check_all_used(const struct builder *builder, struct error *err)
{
	const struct plan        *plan = builder->plan;
	const struct model       *model = builder->model;
	const struct gpt2_tensor  words = { .part = GPT2_WTE,
		.shape = { model->arguments.vocabulary, model->arguments.hidden } };
	size_t                    slices = 0, padding_slices = 0;

	for (size_t i = 0; i < model->count; i++) {
		const struct model_parameter *parameter = &model->parameters[i];
		struct strided_copy           box;

		if (!placement_knows(parameter->role))
			return error_set(err, ERROR_INTERNAL, "plan", "%s has no place in GPT-2",
				dialect_roles[parameter->role].name);
		slices += parameter->slice_count + parameter->replica_count;
		if (parameter->role != ROLE_WORD_EMBEDDING && parameter->role != ROLE_OUTPUT_LAYER)
			continue;
		for (size_t s = 0; s < parameter->slice_count; s++)
			padding_slices += !placement_box(model, parameter, &words,
				&parameter->slices[s], MISTAKE_NONE, &box);
		for (size_t r = 0; r < parameter->replica_count; r++)
			padding_slices += !placement_box(model, parameter, &words,
				&parameter->replicas[r].piece, MISTAKE_NONE, &box);
	}
	if (plan->slice_count + plan->replica_count + padding_slices != slices)
		return error_set(err, ERROR_INTERNAL, "plan", "%zu of %zu slices are used",
			plan->slice_count + plan->replica_count + padding_slices, slices);
	return true;
}

/* What is to be stored, in the order of the state dict. */
static bool
list_tensors(struct builder *builder, struct stored_tensor *to, size_t count,
	const struct gpt2_sizes *sizes, struct error *err)
{
	for (size_t i = 0; i < count; i++) {
		struct gpt2_tensor           *tensor = &to[i].tensor;
		const struct model_parameter *from;

		gpt2_names_tensor(sizes, i, tensor);
		if (is_constant(tensor->part)) {
			to[i].dtype = DTYPE_FLOAT16;    /* whatever the weights are */
			continue;
		}
		if ((from = find_parameter(builder->model, tensor)) == NULL)
			return error_missing(err, ERROR_CORRUPT, tensor);
		to[i].dtype = builder->options.casts ? builder->options.dtype : from->dtype;
		to[i].is_tied = tensor->part == GPT2_LM_HEAD && !builder->model->arguments.is_untied;
	}
	return true;
}

static bool
lay_out(struct builder *builder, struct error *err)
{
	const struct arguments     *arguments = &builder->model->arguments;
	const struct plan_options  *options = &builder->options;
	struct plan                *plan = builder->plan;
	struct gpt2_sizes           sizes = { arguments->layers, arguments->hidden, arguments->ffn,
		arguments->positions, arguments->vocabulary,
		arguments->is_untied || options->reference_form, options->reference_form };
	struct weight_files_options files = { .safetensors = !options->torch_only,
		.torch = options->torch_only || options->torch_too,
		.shard_bytes = options->shard_bytes != 0 ? options->shard_bytes : PLAN_SHARD_BYTES,
		.counts_parameters = !options->reference_form };
	size_t                      count = gpt2_names_count(&sizes);
	struct stored_tensor       *tensors = arena_take(&plan->arena, count, sizeof *tensors);

	if (tensors == NULL)
		return error_no_memory(err, count * sizeof *tensors);
	if (!list_tensors(builder, tensors, count, &sizes, err))
		return false;
	plan->files = weight_files_open(tensors, count, &files, err);
	return plan->files != NULL;
}

static bool
build(struct builder *builder, struct error *err)
{
	struct plan        *plan = builder->plan;
	struct plan_target *targets;
	bool                has_both = !builder->options.torch_only && builder->options.torch_too;

	if (!lay_out(builder, err))
		return false;
	plan->tensor_count = plan->files->tensor_count;
	plan->padding_rows = builder->model->arguments.padded_vocabulary
		- builder->model->arguments.vocabulary;
	plan->tensors = arena_take(&plan->arena, plan->tensor_count, sizeof *plan->tensors);
	targets = arena_take(&plan->arena, plan->tensor_count, sizeof *targets);
	if (plan->tensors == NULL || targets == NULL)
		return error_no_memory(err, plan->tensor_count * sizeof *plan->tensors);
	for (size_t i = 0; i < plan->tensor_count; i++) {
		const struct stored_tensor *from = &plan->files->tensors[i];
		const struct stored_file   *file = &plan->files->files[from->file];

		targets[i] = (struct plan_target){ from->tensor, from->dtype, MISTAKE_NONE };
		plan->tensors[i].file = from->file;
		plan->tensors[i].position = i - file->first;
		plan->tensors[i].offset = from->offset;
		plan->tensors[i].is_repeat = has_both && file->format == FORMAT_TORCH;
	}
	for (size_t i = 0; i < plan->files->file_count; i++)
		plan->file_bytes += plan->files->files[i].bytes;
	builder->targets = targets;
	return take_targets(builder, plan->tensor_count, err) && check_all_used(builder, err);
}

static bool
open_builder(struct builder *builder, const struct model *model,
	const struct plan_options *options, struct error *err)
{
	*builder = (struct builder){ .model = model };
	if (options != NULL)
		builder->options = *options;
	if ((builder->plan = calloc(1, sizeof *builder->plan)) == NULL)
		return error_no_memory(err, sizeof *builder->plan);
	arena_init(&builder->plan->arena, PLAN_ARENA_BYTES);
	return true;
}

struct plan *
plan_build(const struct model *model, const struct plan_options *options, struct error *err)
{
	struct builder builder;

	if (!open_builder(&builder, model, options, err))
		return NULL;
	if (!build(&builder, err)) {
		plan_close(builder.plan);
		return NULL;
	}
	return builder.plan;
}

struct plan *
plan_build_comparison(const struct model *model, const struct plan_target *targets, size_t count,
	const struct plan_options *options, struct error *err)
{
	struct builder builder;
	struct plan   *plan;

	if (!open_builder(&builder, model, options, err))
		return NULL;
	plan = builder.plan;
	builder.targets = targets;
	plan->tensor_count = count;
	plan->tensors = arena_take(&plan->arena, count, sizeof *plan->tensors);
	if (plan->tensors == NULL)
		error_no_memory(err, count * sizeof *plan->tensors);
	else if (take_targets(&builder, count, err))
		return plan;
	plan_close(plan);
	return NULL;
}

/* ---- asking ----------------------------------------------------------------------- */

void
plan_fill_elements(const struct plan_tensor *tensor, uint64_t first, uint64_t count,
	unsigned char *to)
{
	uint64_t columns = tensor->rank > 0 ? tensor->shape[tensor->rank - 1] : 1;
	uint64_t rows = tensor->rank > 1 ? tensor->shape[tensor->rank - 2] : 1;
	size_t   size = dtype_size(tensor->dtype);

	memset(to, 0, count * size);
	for (uint64_t i = 0; i < count && tensor->fill != FILL_ZEROS; i++) {
		uint64_t row = (first + i) / columns % rows, column = (first + i) % columns;

		if (tensor->fill == FILL_MASKED_BIAS)
			element_put(tensor->dtype, MASKED_BIAS, to + i * size);
		else if (column <= row)
			element_put(tensor->dtype, 1, to + i * size);
	}
}

bool
plan_is_gathered(const struct plan_tensor *tensor)
{
	return tensor->plus_one || tensor->is_mean;
}

uint64_t
plan_gathered_bytes(const struct plan *plan)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < plan->tensor_count; i++) {
		const struct plan_tensor *tensor = &plan->tensors[i];
		uint64_t                  elements = tensor->bytes / dtype_size(tensor->dtype);

		if (plan_is_gathered(tensor))
			sum += elements * dtype_size(tensor->source_dtype);
		if (tensor->is_mean)
			sum += elements * sizeof(double);
	}
	return sum;
}

size_t
plan_copies_of(const struct plan *plan, size_t shard, size_t storage, size_t *first)
{
	size_t low = 0, high = plan->copy_count, count = 0;

	while (low < high) {
		size_t                  middle = low + (high - low) / 2;
		const struct plan_copy *copy = &plan->copies[middle];

		if (copy->shard < shard || (copy->shard == shard && copy->storage < storage))
			low = middle + 1;
		else
			high = middle;
	}
	*first = low;
	while (low + count < plan->copy_count && plan->copies[low + count].shard == shard
	       && plan->copies[low + count].storage == storage)
		count++;
	return count;
}

void
plan_close(struct plan *plan)
{
	if (plan == NULL)
		return;
	weight_files_close(plan->files);
	arena_fini(&plan->arena);
	free(plan);
}
