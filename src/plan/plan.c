#include "plan/plan.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PLAN_ARENA_BYTES ((size_t)256 << 20)

/* ---- which parameter makes which tensor ------------------------------------------- */

enum change {
	KEEP,                   /* as Megatron has it */
	TRIM_ROWS,              /* vocabulary padding is left out */
	TRANSPOSE,              /* [out, in] becomes GPT-2's [in, out] */
};

static const struct part_rule {
	enum gpt2_part  part;
	enum model_role role;
	enum change     change;
} part_rules[GPT2_PART_COUNT] = {
	/* Hugging Face GPT-2          Megatron                          change    */
	{ GPT2_WTE,                    ROLE_WORD_EMBEDDING,              TRIM_ROWS },
	{ GPT2_WPE,                    ROLE_POSITION_EMBEDDING,          KEEP      },
	{ GPT2_LN_1_WEIGHT,            ROLE_INPUT_NORM_WEIGHT,           KEEP      },
	{ GPT2_LN_1_BIAS,              ROLE_INPUT_NORM_BIAS,             KEEP      },
	{ GPT2_C_ATTN_WEIGHT,          ROLE_QKV_WEIGHT,                  TRANSPOSE },
	{ GPT2_C_ATTN_BIAS,            ROLE_QKV_BIAS,                    KEEP      },
	{ GPT2_ATTN_C_PROJ_WEIGHT,     ROLE_ATTENTION_DENSE_WEIGHT,      TRANSPOSE },
	{ GPT2_ATTN_C_PROJ_BIAS,       ROLE_ATTENTION_DENSE_BIAS,        KEEP      },
	{ GPT2_LN_2_WEIGHT,            ROLE_POST_ATTENTION_NORM_WEIGHT,  KEEP      },
	{ GPT2_LN_2_BIAS,              ROLE_POST_ATTENTION_NORM_BIAS,    KEEP      },
	{ GPT2_C_FC_WEIGHT,            ROLE_MLP_UP_WEIGHT,               TRANSPOSE },
	{ GPT2_C_FC_BIAS,              ROLE_MLP_UP_BIAS,                 KEEP      },
	{ GPT2_MLP_C_PROJ_WEIGHT,      ROLE_MLP_DOWN_WEIGHT,             TRANSPOSE },
	{ GPT2_MLP_C_PROJ_BIAS,        ROLE_MLP_DOWN_BIAS,               KEEP      },
	{ GPT2_LN_F_WEIGHT,            ROLE_FINAL_NORM_WEIGHT,           KEEP      },
	{ GPT2_LN_F_BIAS,              ROLE_FINAL_NORM_BIAS,             KEEP      },
	{ GPT2_LM_HEAD,                ROLE_OUTPUT_LAYER,                TRIM_ROWS },
};

static const struct part_rule *
rule_of(enum model_role role)
{
	for (size_t i = 0; i < GPT2_PART_COUNT; i++)
		if (part_rules[i].role == role)
			return &part_rules[i];
	return NULL;
}

/* ---- one slice as a strided copy -------------------------------------------------- */

static void
add_dim(struct strided_copy *box, uint64_t extent, uint64_t source, uint64_t target)
{
	box->extent[box->dims] = extent;
	box->source_stride[box->dims] = source;
	box->target_stride[box->dims++] = target;
}

/* How far apart rows and columns are in the tensor [rows, columns] or, transposed,
 * [columns, rows]. */
struct placement {
	uint64_t row, column;
};

static struct placement
place_rows(const struct model_parameter *whole, bool transposed)
{
	uint64_t rows = whole->shape[0], columns = whole->rank > 1 ? whole->shape[1] : 1;

	return (struct placement){ .row = transposed ? 1 : columns,
		.column = transposed ? rows : 1 };
}

/*
 * The rows of a slice of the fused QKV, taken apart into part (q, k, v), head and dim.  In
 * the target they are q of all heads, k of all heads, v of all heads.
 */
static void
add_qkv_rows(struct strided_copy *box, const struct model *model,
	const struct model_slice *slice, const struct placement *at)
{
	uint64_t           hidden = model->arguments.hidden, stride = slice->view.stride[0];
	uint64_t           head_size = hidden / model->arguments.heads, of_head = 3 * head_size;
	uint64_t           rows = slice->view.shape[0], inside = slice->row % of_head;
	uint64_t           parts = 3, heads = rows / of_head, dims = head_size;
	struct qkv_strides from = qkv_strides(model->qkv_layout, heads, head_size);

	if (inside != 0 || rows % of_head != 0) {       /* a piece of one head */
		heads = 1;
		parts = rows < head_size ? 1 : rows / head_size;
		dims = rows < head_size ? rows : head_size;
	}
	add_dim(box, parts, from.part * stride, hidden * at->row);
	add_dim(box, heads, from.head * stride, head_size * at->row);
	add_dim(box, dims, from.dim * stride, at->row);
	box->target_offset += (inside / head_size * hidden + slice->row / of_head * head_size
		+ inside % head_size) * at->row;
}

/* false: nothing of the slice is in the target (padding rows only). */
static bool
slice_to_box(const struct model *model, const struct model_parameter *whole,
	const struct part_rule *rule, const struct model_slice *slice, struct strided_copy *box)
{
	const struct tensor_view *view = &slice->view;
	struct placement          at = place_rows(whole, rule->change == TRANSPOSE);
	uint64_t                  rows = view->rank > 0 ? view->shape[0] : 1;

	*box = (struct strided_copy){ .source_offset = view->offset,
		.target_offset = slice->column * at.column };
	if (rule->change == TRIM_ROWS) {
		uint64_t wanted = model->arguments.vocabulary;

		if (slice->row >= wanted)
			return false;
		rows = rows < wanted - slice->row ? rows : wanted - slice->row;
	}
	if (dialect_roles[whole->role].join == JOIN_QKV) {
		add_qkv_rows(box, model, slice, &at);
	} else {
		add_dim(box, rows, view->stride[0], at.row);
		box->target_offset += slice->row * at.row;
	}
	if (view->rank > 1)
		add_dim(box, view->shape[1], view->stride[1], at.column);
	return true;
}

/* ---- the proof -------------------------------------------------------------------- */

/* Index range of one box in each digit of the target's mixed radix. */
struct box_digits {
	uint64_t low[COPY_MAX_DIMS], high[COPY_MAX_DIMS];
};

/* The distinct target strides of all boxes, largest first; 0: more than there can be. */
static unsigned
collect_radix(const struct strided_copy *boxes, size_t count, uint64_t radix[COPY_MAX_DIMS])
{
	unsigned digits = 0;

	for (size_t b = 0; b < count; b++) {
		for (unsigned d = 0; d < boxes[b].dims; d++) {
			unsigned at = 0;

			while (at < digits && radix[at] > boxes[b].target_stride[d])
				at++;
			if (at < digits && radix[at] == boxes[b].target_stride[d])
				continue;
			if (digits == COPY_MAX_DIMS)
				return 0;
			memmove(radix + at + 1, radix + at, (digits - at) * sizeof *radix);
			radix[at] = boxes[b].target_stride[d];
			digits++;
		}
	}
	if (digits == 0)
		radix[digits++] = 1;
	return digits;
}

/* Writes a box as ranges of digits; false where that is not exact (a digit would carry). */
static bool
box_to_digits(const struct strided_copy *box, const uint64_t *radix, unsigned digits,
	uint64_t elements, struct box_digits *to)
{
	uint64_t left = box->target_offset;

	for (unsigned i = 0; i < digits; i++) {
		uint64_t size = (i == 0 ? elements : radix[i - 1]) / radix[i], extent = 1;

		if ((i == 0 ? elements : radix[i - 1]) % radix[i] != 0)
			return false;
		for (unsigned d = 0; d < box->dims; d++)
			if (box->target_stride[d] == radix[i])
				extent *= box->extent[d];
		to->low[i] = left / radix[i];
		left %= radix[i];
		if (extent > size || to->low[i] > size - extent)
			return false;
		to->high[i] = to->low[i] + extent;
	}
	return left == 0;
}

static bool
boxes_meet(const struct box_digits *a, const struct box_digits *b, unsigned digits)
{
	for (unsigned i = 0; i < digits; i++)
		if (a->high[i] <= b->low[i] || b->high[i] <= a->low[i])
			return false;
	return true;
}

bool
plan_covers(const struct strided_copy *boxes, size_t count, uint64_t elements,
	struct error *err)
{
	uint64_t           radix[COPY_MAX_DIMS] = { 0 }, sum = 0;
	unsigned           digits = collect_radix(boxes, count, radix);
	struct box_digits *ranges = calloc(count + 1, sizeof *ranges);
	bool               covers = digits > 0;

	if (ranges == NULL)
		return error_no_memory(err, count * sizeof *ranges);
	for (size_t b = 0; b < count && covers; b++) {
		covers = box_to_digits(&boxes[b], radix, digits, elements, &ranges[b]);
		for (size_t other = 0; other < b && covers; other++)
			covers = !boxes_meet(&ranges[b], &ranges[other], digits);
		sum += strided_copy_count(&boxes[b]);
	}
	free(ranges);
	return (covers && sum == elements) || error_set(err, ERROR_INTERNAL, "plan",
		"the plan does not write every element exactly once");
}

/* ---- building --------------------------------------------------------------------- */

struct builder {
	struct plan        *plan;
	const struct model *model;
	struct plan_options options;
	struct strided_copy *boxes;     /* of the tensor at hand, by slice, before normalising */
};

static bool
add_copy(struct builder *builder, size_t tensor, enum copy_action action, size_t piece,
	const struct model_slice *slice, const struct strided_copy *box, struct error *err)
{
	struct plan_copy *copy = &builder->plan->copies[builder->plan->copy_count++];

	*copy = (struct plan_copy){ *box, action, slice->shard, slice->view.storage, tensor,
		piece };
	builder->plan->replica_count += action == COPY_COMPARE;
	if (!strided_copy_normalise(&copy->box)) {
		error_set(err, ERROR_UNSUPPORTED, "stride",
			"its elements overlap in their storage");
		return error_in_tensor(err, builder->plan->tensors[tensor].name);
	}
	return true;
}

/* All of a tensor at once. */
static struct strided_copy
fill_box(const struct plan_tensor *target)
{
	return (struct strided_copy){ .dims = 1, .target_stride = { 1 },
		.extent = { target->bytes / dtype_size(target->dtype) } };
}

/* The slices and replicas that make one tensor, and the proof that they do. */
static bool
add_copies(struct builder *builder, size_t tensor, struct error *err)
{
	struct plan_tensor           *target = &builder->plan->tensors[tensor];
	const struct model_parameter *whole = &builder->model->parameters[target->parameter];
	const struct part_rule       *rule = rule_of(whole->role);
	struct strided_copy           box;
	size_t                        boxes = 0, piece = builder->plan->piece_count;

	builder->plan->piece_count += whole->slice_count;
	if (target->is_zeros)
		builder->boxes[boxes++] = fill_box(target);
	for (size_t i = 0; i < whole->slice_count; i++) {
		if (!slice_to_box(builder->model, whole, rule, &whole->slices[i], &box))
			continue;
		if (!add_copy(builder, tensor, COPY_WRITE, piece + i, &whole->slices[i], &box, err))
			return false;
		builder->boxes[boxes++] = box;
	}
	for (size_t i = 0; i < whole->replica_count; i++) {
		const struct model_replica *replica = &whole->replicas[i];

		if (slice_to_box(builder->model, whole, rule, &replica->piece, &box)
		    && !add_copy(builder, tensor, COPY_COMPARE, piece + replica->slice,
			&replica->piece, &box, err))
			return false;
	}
	if (!plan_covers(builder->boxes, boxes, target->bytes / dtype_size(target->dtype), err))
		return error_in_tensor(err, target->name);
	return true;
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

static struct gpt2_sizes
target_sizes(const struct model *model)
{
	const struct arguments *arguments = &model->arguments;

	return (struct gpt2_sizes){ arguments->layers, arguments->hidden, arguments->ffn,
		arguments->positions, arguments->vocabulary, arguments->is_untied };
}

/* Names, shapes and dtypes of the target, laid out in the order of the file. */
static bool
lay_out_tensors(struct builder *builder, struct safetensors_tensor *file_tensors,
	struct error *err)
{
	struct plan      *plan = builder->plan;
	struct gpt2_sizes sizes = target_sizes(builder->model);

	for (size_t i = 0; i < plan->tensor_count; i++) {
		struct safetensors_tensor    *to = &file_tensors[i];
		const struct model_parameter *from;
		struct gpt2_tensor            tensor;

		gpt2_names_tensor(&sizes, i, &tensor);
		from = model_find(builder->model, part_rules[tensor.part].role, tensor.layer);
		if (from == NULL) {
			error_set(err, ERROR_CORRUPT, "missingkey", "the checkpoint has no %s",
				dialect_roles[part_rules[tensor.part].role].name);
			return error_in_tensor(err, tensor.name);
		}
		to->name = arena_copy(&plan->arena, tensor.name, strlen(tensor.name));
		if (to->name == NULL)
			return error_no_memory(err, sizeof tensor.name);
		to->dtype = from->dtype;
		to->rank = tensor.rank;
		memcpy(to->shape, tensor.shape, sizeof tensor.shape);
		plan->parameter_count += tensor.shape[0] * (tensor.rank > 1 ? tensor.shape[1] : 1);
	}
	return safetensors_lay_out(file_tensors, plan->tensor_count, &plan->header,
		&plan->file_bytes, err);
}

/* What is done to a tensor beside copying. */
static void
decide_finish(struct builder *builder, struct plan_tensor *tensor)
{
	const struct model_parameter *from = &builder->model->parameters[tensor->parameter];
	bool is_norm_weight = from->role == ROLE_INPUT_NORM_WEIGHT
		|| from->role == ROLE_POST_ATTENTION_NORM_WEIGHT
		|| from->role == ROLE_FINAL_NORM_WEIGHT;

	tensor->is_zeros = from->slice_count == 0;
	builder->plan->zero_count += tensor->is_zeros;
	tensor->plus_one = is_norm_weight && builder->model->arguments.norms_less_one;
	tensor->copies = 1 + from->replica_count;
	tensor->is_mean = builder->options.mean_of_replicas && from->replica_count > 0
		&& dialect_roles[from->role].join == JOIN_REPLICATED;
}

/* Laying out has sorted the tensors: find again what each one comes from. */
static bool
take_layout(struct builder *builder, const struct safetensors_tensor *file_tensors,
	struct error *err)
{
	struct plan      *plan = builder->plan;
	struct gpt2_sizes sizes = target_sizes(builder->model);
	size_t            found = 0;

	for (size_t i = 0; i < plan->tensor_count; i++) {
		struct plan_tensor *to = &plan->tensors[i];

		text_format(to->name, sizeof to->name, "%s", file_tensors[i].name);
		to->dtype = file_tensors[i].dtype;
		to->rank = file_tensors[i].rank;
		memcpy(to->shape, file_tensors[i].shape, sizeof to->shape);
		to->offset = file_tensors[i].offset;
		to->bytes = file_tensors[i].bytes;
		plan->weight_bytes += to->bytes;
	}
	for (size_t i = 0; i < plan->tensor_count; i++) {
		struct gpt2_tensor tensor;

		gpt2_names_tensor(&sizes, i, &tensor);
		for (size_t t = 0; t < plan->tensor_count; t++) {
			if (strcmp(plan->tensors[t].name, tensor.name) != 0)
				continue;
			plan->tensors[t].parameter = (size_t)(model_find(builder->model,
				part_rules[tensor.part].role, tensor.layer)
				- builder->model->parameters);
			decide_finish(builder, &plan->tensors[t]);
			found++;
		}
	}
	return found == plan->tensor_count || error_set(err, ERROR_INTERNAL, "plan",
		"%zu of %zu tensors were laid out", found, plan->tensor_count);
}

/* Every parameter of the model has a place in GPT-2, or it would be lost in silence. */
static bool
check_all_used(const struct plan *plan, const struct model *model, struct error *err)
{
	size_t slices = 0, padding_slices = 0;

	for (size_t i = 0; i < model->count; i++) {
		const struct model_parameter *parameter = &model->parameters[i];
		const struct part_rule       *rule = rule_of(parameter->role);
		struct strided_copy           box;

		if (rule == NULL)
			return error_set(err, ERROR_INTERNAL, "plan", "%s has no place in GPT-2",
				dialect_roles[parameter->role].name);
		slices += parameter->slice_count + parameter->replica_count;
		for (size_t s = 0; s < parameter->slice_count; s++)
			padding_slices += !slice_to_box(model, parameter, rule,
				&parameter->slices[s], &box);
		for (size_t r = 0; r < parameter->replica_count; r++)
			padding_slices += !slice_to_box(model, parameter, rule,
				&parameter->replicas[r].piece, &box);
	}
	if (plan->copy_count + padding_slices != slices)
		return error_set(err, ERROR_INTERNAL, "plan", "%zu of %zu slices are used",
			plan->copy_count + padding_slices, slices);
	return true;
}

static size_t
count_slices(const struct model *model, size_t *most)
{
	size_t sum = 0;

	for (size_t i = 0; i < model->count; i++) {
		sum += model->parameters[i].slice_count + model->parameters[i].replica_count;
		if (model->parameters[i].slice_count > *most)
			*most = model->parameters[i].slice_count;
	}
	return sum;
}

static bool
build(struct builder *builder, struct error *err)
{
	struct plan               *plan = builder->plan;
	struct gpt2_sizes          sizes = target_sizes(builder->model);
	size_t                     most = 1, slices = count_slices(builder->model, &most);
	struct safetensors_tensor *file_tensors;

	plan->tensor_count = gpt2_names_count(&sizes);
	plan->padding_rows = builder->model->arguments.padded_vocabulary - sizes.vocab_size;
	file_tensors = arena_take(&plan->arena, plan->tensor_count, sizeof *file_tensors);
	plan->tensors = arena_take(&plan->arena, plan->tensor_count, sizeof *plan->tensors);
	plan->copies = arena_take(&plan->arena, slices, sizeof *plan->copies);
	builder->boxes = arena_take(&plan->arena, most, sizeof *builder->boxes);
	if (file_tensors == NULL || plan->tensors == NULL || plan->copies == NULL
	    || builder->boxes == NULL)
		return error_no_memory(err, slices * sizeof *plan->copies);
	if (!lay_out_tensors(builder, file_tensors, err)
	    || !take_layout(builder, file_tensors, err))
		return false;
	for (size_t i = 0; i < plan->tensor_count; i++)
		if (!add_copies(builder, i, err))
			return false;
	qsort(plan->copies, plan->copy_count, sizeof *plan->copies, compare_copies);
	return check_all_used(plan, builder->model, err);
}

struct plan *
plan_build(const struct model *model, const struct plan_options *options, struct error *err)
{
	struct builder builder = { .model = model };

	if (options != NULL)
		builder.options = *options;

	if ((builder.plan = calloc(1, sizeof *builder.plan)) == NULL) {
		error_no_memory(err, sizeof *builder.plan);
		return NULL;
	}
	arena_init(&builder.plan->arena, PLAN_ARENA_BYTES);
	if (!build(&builder, err)) {
		plan_close(builder.plan);
		return NULL;
	}
	return builder.plan;
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

		if (plan_is_gathered(tensor))
			sum += tensor->bytes;
		if (tensor->is_mean)
			sum += tensor->bytes / dtype_size(tensor->dtype) * sizeof(double);
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
	text_free(&plan->header);
	arena_fini(&plan->arena);
	free(plan);
}
