#include "plan/scatter.h"

#include "plan/element.h"

#include <stdlib.h>
#include <string.h>

#define PANEL_COUNT   2
#define COMPARE_BYTES ((size_t)64 << 10)
#define LINE_BYTES    64
/* What is cut is cut at whole cache lines, in rows and in columns. */
#define TILE_ELEMENTS (LINE_BYTES / 2)

/* Linear indexes [first, last) of a copy, which form one box, as they come: densely, in the
 * order of the source. */
struct panel {
	const struct plan_copy *copy;   /* NULL: free */
	uint64_t                first, last, done;
	struct strided_copy     to_image;       /* the whole copy, its target being the image */
	struct strided_copy     of_image;       /* the panel's box, its source being the image */
	unsigned char          *image;          /* kept for the next panel */
};

/* How much of a slice came, in elements of its own order. */
struct piece {
	uint64_t written;
	uint64_t early;                 /* of a replica that came before it, and is in its place */
	size_t   early_shard;
};

/* A tensor that is finished in memory. */
struct gathered {
	unsigned char *elements;        /* NULL: it is not */
	double        *sums;            /* of all copies, for their mean; NULL: none is wanted */
};

struct scatter {
	const struct plan  *plan;
	struct scatter_target target;
	size_t              panel_bytes;
	struct drift       *drifts;             /* by tensor */
	struct cast_overflow *overflows;        /* by tensor */
	struct gathered    *gathered;           /* by tensor */
	uint64_t           *left;               /* by tensor: elements that are still to come */
	uint64_t           *compared;           /* by copy: elements of a replica that came */
	struct piece       *pieces;
	uint64_t            elements_done, elements_planned;
	struct panel        panels[PANEL_COUNT];
	unsigned char       used[COMPARE_BYTES];        /* what a replica is compared with */
	unsigned char      *portion;            /* SCATTER_PORTION_BYTES of a panel, in target order */
	unsigned char      *cast;               /* SCATTER_CAST_BYTES, NULL: nothing is cast */
	size_t              shard, storage, first_copy, copy_count;     /* the last looked up */
};

static enum dtype
copy_dtype(const struct scatter *scatter, const struct plan_copy *copy)
{
	return scatter->plan->tensors[copy->tensor].source_dtype;
}

/* What elements have while they are put: gathered ones are cast when they are finished. */
static enum dtype
put_dtype(const struct scatter *scatter, size_t tensor)
{
	return scatter->gathered[tensor].elements != NULL
		? scatter->plan->tensors[tensor].source_dtype : scatter->plan->tensors[tensor].dtype;
}

/* ---- to the target ---------------------------------------------------------------- */

static bool
target_write(struct scatter *scatter, size_t tensor, uint64_t offset,
	const unsigned char *bytes, size_t count, struct error *err)
{
	if (scatter->gathered[tensor].elements == NULL)
		return scatter->target.write(scatter->target.context, tensor, offset, bytes, count,
			err);
	memcpy(scatter->gathered[tensor].elements + offset, bytes, count);
	return true;
}

/* What is not the target's yet, but stands in its place. */
static bool
target_place(struct scatter *scatter, size_t tensor, uint64_t offset,
	const unsigned char *bytes, size_t count, struct error *err)
{
	if (scatter->gathered[tensor].elements == NULL)
		return scatter->target.place(scatter->target.context, tensor, offset, bytes, count,
			err);
	memcpy(scatter->gathered[tensor].elements + offset, bytes, count);
	return true;
}

static bool
target_read(struct scatter *scatter, size_t tensor, uint64_t offset, unsigned char *to,
	size_t count, struct error *err)
{
	if (scatter->gathered[tensor].elements == NULL)
		return scatter->target.read(scatter->target.context, tensor, offset, to, count, err);
	memcpy(to, scatter->gathered[tensor].elements + offset, count);
	return true;
}

/* Bytes that came against those that stand in their place; the difference is `shard`'s. */
static bool
compare_run(struct scatter *scatter, size_t tensor, uint64_t offset, const unsigned char *bytes,
	size_t count, size_t shard, struct error *err)
{
	enum dtype dtype = put_dtype(scatter, tensor);

	while (count > 0) {
		size_t step = count < COMPARE_BYTES ? count : COMPARE_BYTES;

		if (!target_read(scatter, tensor, offset, scatter->used, step, err))
			return false;
		drift_add(&scatter->drifts[tensor], dtype, scatter->used, bytes,
			step / dtype_size(dtype), shard);
		bytes += step;
		offset += step;
		count -= step;
	}
	return true;
}

/*
 * A replica is compared with its slice.  Where that comes later, in a zip that has its shards
 * or storages in another order, the replica takes its place until it comes.
 */
static bool
put_replica(struct scatter *scatter, const struct plan_copy *copy, uint64_t offset,
	const unsigned char *bytes, uint64_t count, struct error *err)
{
	struct piece *piece = &scatter->pieces[copy->piece];
	uint64_t     *came = &scatter->compared[copy - scatter->plan->copies];
	size_t        size = dtype_size(put_dtype(scatter, copy->tensor));

	*came += count;
	if (*came <= piece->written || *came <= piece->early || scatter->target.place == NULL)
		return compare_run(scatter, copy->tensor, offset, bytes, count * size, copy->shard,
			err);
	piece->early = *came;
	piece->early_shard = copy->shard;
	return target_place(scatter, copy->tensor, offset, bytes, count * size, err);
}

static bool
put_slice(struct scatter *scatter, const struct plan_copy *copy, uint64_t offset,
	const unsigned char *bytes, uint64_t count, struct error *err)
{
	struct piece *piece = &scatter->pieces[copy->piece];
	size_t        size = dtype_size(put_dtype(scatter, copy->tensor));

	piece->written += count;
	if (piece->early >= piece->written
	    && !compare_run(scatter, copy->tensor, offset, bytes, count * size,
		piece->early_shard, err))
		return false;
	return target_write(scatter, copy->tensor, offset, bytes, count * size, err);
}

/* Casts elements that lie side by side to the type of the tensor and puts them, in portions. */
static bool
put_cast(struct scatter *scatter, const struct plan_copy *copy, uint64_t target,
	const unsigned char *bytes, uint64_t count, struct error *err)
{
	enum dtype            from = copy_dtype(scatter, copy);
	enum dtype            to = put_dtype(scatter, copy->tensor);
	size_t                size = dtype_size(to);
	struct cast_overflow *overflow = copy->action == COPY_COMPARE ? NULL
		: &scatter->overflows[copy->tensor];

	for (uint64_t done = 0; done < count;) {
		uint64_t             room = from == to ? count : SCATTER_CAST_BYTES / size;
		uint64_t             step = count - done < room ? count - done : room;
		const unsigned char *put = bytes + done * dtype_size(from);
		bool                 is_put;

		if (from != to) {
			cast_elements(from, put, to, scatter->cast, step, overflow);
			put = scatter->cast;
		}
		is_put = copy->action == COPY_COMPARE
			? put_replica(scatter, copy, (target + done) * size, put, step, err)
			: put_slice(scatter, copy, (target + done) * size, put, step, err);
		if (!is_put)
			return false;
		done += step;
	}
	return true;
}

/* A value of a gathered tensor as it is in the end.  Sums are made in float32, those of
 * float64 weights in float64. */
static double
finished_value(const struct plan_tensor *target, const struct gathered *gathered, uint64_t index)
{
	size_t size = dtype_size(target->source_dtype);
	double value = element_value(target->source_dtype, gathered->elements + index * size);

	if (target->is_mean)
		value = gathered->sums[index] / (double)target->copies;
	if (target->source_dtype == DTYPE_FLOAT64)
		return target->plus_one ? value + 1 : value;
	return (double)(target->plus_one ? (float)value + 1.0f : (float)value);
}

/* All copies of a gathered tensor came: what it is in the end goes to the target. */
static bool
finish_gathered(struct scatter *scatter, size_t tensor, struct error *err)
{
	const struct plan_tensor *target = &scatter->plan->tensors[tensor];
	struct gathered          *gathered = &scatter->gathered[tensor];
	size_t                    size = dtype_size(target->dtype);
	uint64_t                  count = target->bytes / size;
	unsigned char            *finished = malloc(target->bytes + 1);
	bool                      done;

	if (finished == NULL)
		return error_no_memory(err, target->bytes);
	for (uint64_t i = 0; i < count; i++) {
		double value = finished_value(target, gathered, i);

		cast_elements(DTYPE_FLOAT64, (const unsigned char *)&value, target->dtype,
			finished + i * size, 1, &scatter->overflows[tensor]);
	}
	free(gathered->elements);
	free(gathered->sums);
	*gathered = (struct gathered){ NULL, NULL };
	done = target_write(scatter, tensor, 0, finished, target->bytes, err);
	free(finished);
	return done;
}

/* `count` elements that lie side by side in the target, from its element `target` on. */
static bool
put_run(struct scatter *scatter, const struct plan_copy *copy, uint64_t target,
	const unsigned char *bytes, uint64_t count, struct error *err)
{
	enum dtype dtype = copy_dtype(scatter, copy);
	size_t     size = dtype_size(dtype);
	double    *sums = scatter->gathered[copy->tensor].sums;
	bool       done;

	for (uint64_t i = 0; i < count && sums != NULL; i++)
		sums[target + i] += element_value(dtype, bytes + i * size);
	done = put_cast(scatter, copy, target, bytes, count, err);
	scatter->elements_done += count;
	scatter->left[copy->tensor] -= count;
	if (!done || scatter->left[copy->tensor] > 0
	    || scatter->gathered[copy->tensor].elements == NULL)
		return done;
	return finish_gathered(scatter, copy->tensor, err);
}

static bool
put_image(struct scatter *scatter, const struct plan_copy *copy, const struct strided_copy *box,
	const uint64_t *image_stride, uint64_t run, const unsigned char *image, struct error *err)
{
	uint64_t count = strided_copy_count(box);
	size_t   size = dtype_size(copy_dtype(scatter, copy));

	for (uint64_t at = 0; at < count; at += run)
		if (!put_run(scatter, copy, strided_copy_image_target(box, image_stride, at),
			image + at * size, run, err))
			return false;
	return true;
}

/* ---- panels ----------------------------------------------------------------------- */

/*
 * The end of the panel that begins at linear index `first`: as far as one box goes that fits
 * an image of `room` bytes.  `first` itself where not even one index fits.
 */
static uint64_t
portion_end(const struct strided_copy *copy, uint64_t first, size_t size, size_t room)
{
	uint64_t steps = strided_copy_steps(copy), inside = 1;
	uint64_t per_step = strided_copy_count(copy) / steps * size;    /* of stride-0 dims */
	unsigned dims = copy->dims;

	if (per_step > room)
		return first;
	while (dims > 0 && copy->source_stride[dims - 1] == 0)
		dims--;
	while (dims > 0) {
		uint64_t extent = copy->extent[dims - 1], whole = inside * extent;
		uint64_t fit = room / (inside * per_step), left = extent - first / inside % extent;

		if (fit > TILE_ELEMENTS)
			fit -= fit % TILE_ELEMENTS;
		if (first % whole != 0 || whole * per_step > room)
			return first + (fit < left ? fit : left) * inside;
		inside = whole;
		dims--;
	}
	return first + inside;
}

/*
 * What a panel holds goes to the target in its order, a portion at a time that stays in the
 * second-level cache until it was cast, summed and written.
 */
static bool
put_panel(struct scatter *scatter, const struct panel *panel, struct error *err)
{
	size_t              size = dtype_size(copy_dtype(scatter, panel->copy));
	uint64_t            count = strided_copy_count(&panel->of_image), at = 0;
	struct strided_copy by_target = strided_copy_turned(&panel->of_image);

	while (at < count) {
		uint64_t            image_stride[COPY_MAX_DIMS], run;
		uint64_t            end = portion_end(&by_target, at, size, SCATTER_PORTION_BYTES);
		struct strided_copy box, to_portion;

		strided_copy_next_box(&by_target, &at, end, &box);
		box = strided_copy_turned(&box);
		run = strided_copy_image(&box, image_stride);
		to_portion = box;
		to_portion.target_offset = 0;
		memcpy(to_portion.target_stride, image_stride, sizeof image_stride);
		strided_copy_run(&to_portion, panel->image, scatter->portion, size);
		if (!put_image(scatter, panel->copy, &box, image_stride, run, scatter->portion, err))
			return false;
	}
	return true;
}

static struct panel *
find_panel(struct scatter *scatter, const struct plan_copy *copy, uint64_t index)
{
	for (unsigned i = 0; i < PANEL_COUNT; i++) {
		struct panel *panel = &scatter->panels[i];
		if (panel->copy == copy && panel->first <= index && index < panel->last)
			return panel;
	}
	return NULL;
}

/* A new panel that begins at `first`; NULL when there is none to be had. */
static struct panel *
start_panel(struct scatter *scatter, const struct plan_copy *copy, uint64_t first)
{
	uint64_t      last = portion_end(&copy->box, first,
		dtype_size(copy_dtype(scatter, copy)), scatter->panel_bytes), at = first;
	uint64_t      stride = 1;
	uint64_t      per_step = strided_copy_count(&copy->box) / strided_copy_steps(&copy->box);
	struct panel *panel = NULL;

	for (unsigned i = 0; i < PANEL_COUNT && panel == NULL; i++)
		if (scatter->panels[i].copy == NULL)
			panel = &scatter->panels[i];
	if (panel == NULL || last == first)
		return NULL;
	if (panel->image == NULL && posix_memalign((void **)&panel->image, LINE_BYTES,
		scatter->panel_bytes) != 0)
		return NULL;
	if (scatter->portion == NULL && posix_memalign((void **)&scatter->portion, LINE_BYTES,
		SCATTER_PORTION_BYTES) != 0)
		return NULL;
	panel->copy = copy;
	panel->first = first;
	panel->last = last;
	panel->done = 0;
	panel->to_image = copy->box;
	for (unsigned i = copy->box.dims; i-- > 0;) {
		panel->to_image.target_stride[i] = stride;
		stride *= copy->box.extent[i];
	}
	/* Such that the panel's first element comes to 0 (arithmetic modulo 2^64). */
	panel->to_image.target_offset = 0 - first * per_step;
	strided_copy_next_box(&copy->box, &at, last, &panel->of_image);
	panel->of_image.source_offset = 0;
	memcpy(panel->of_image.source_stride, panel->to_image.target_stride,
		sizeof panel->of_image.source_stride);
	return panel;
}

/* Moves indexes [*first, last) of the panel's copy, or those of them in the panel. */
static bool
fill_panel(struct scatter *scatter, struct panel *panel, uint64_t *first, uint64_t last,
	uint64_t source_start, const unsigned char *bytes, struct error *err)
{
	size_t size = dtype_size(copy_dtype(scatter, panel->copy));

	if (last > panel->last)
		last = panel->last;
	panel->done += last - *first;
	while (*first < last) {
		struct strided_copy box;

		strided_copy_next_box(&panel->to_image, first, last, &box);
		box.source_offset -= source_start;
		strided_copy_run(&box, bytes, panel->image, size);
	}
	if (panel->done < panel->last - panel->first)
		return true;
	if (!put_panel(scatter, panel, err))
		return false;
	panel->copy = NULL;
	return true;
}

/* No panel is free: one box at a time, straight to the target, run by run. */
static bool
put_box(struct scatter *scatter, const struct plan_copy *copy, uint64_t *first, uint64_t last,
	uint64_t source_start, const unsigned char *bytes, struct error *err)
{
	uint64_t            image_stride[COPY_MAX_DIMS], run;
	size_t              size = dtype_size(copy_dtype(scatter, copy));
	struct strided_copy box, to_image;
	unsigned char      *image;
	bool                put;

	strided_copy_next_box(&copy->box, first, last, &box);
	if (strided_copy_count(&box) * size > SCATTER_PANEL_BYTES)
		return error_set(err, ERROR_UNSUPPORTED, "stride",
			"an expanded view that repeats its elements to more than 16 MiB");
	if ((image = malloc(strided_copy_count(&box) * size)) == NULL)
		return error_no_memory(err, strided_copy_count(&box) * size);
	run = strided_copy_image(&box, image_stride);
	to_image = box;
	to_image.source_offset -= source_start;
	to_image.target_offset = 0;
	memcpy(to_image.target_stride, image_stride, sizeof image_stride);
	strided_copy_run(&to_image, bytes, image, size);
	put = put_image(scatter, copy, &box, image_stride, run, image, err);
	free(image);
	return put;
}

/* ---- from the storages ------------------------------------------------------------ */

static bool
is_line(const struct strided_copy *box)
{
	return box->dims == 0
		|| (box->dims == 1 && box->source_stride[0] == 1 && box->target_stride[0] == 1);
}

static bool
carry_out(struct scatter *scatter, const struct plan_copy *copy, uint64_t byte_offset,
	const unsigned char *bytes, size_t count, struct error *err)
{
	size_t   size = dtype_size(copy_dtype(scatter, copy));
	uint64_t start = byte_offset / size;
	uint64_t first = strided_copy_rank(&copy->box, start);
	uint64_t last = strided_copy_rank(&copy->box, start + count / size);

	if (first == last)
		return true;
	if (is_line(&copy->box))
		return put_run(scatter, copy, copy->box.target_offset + first,
			bytes + (copy->box.source_offset + first - start) * size, last - first, err);
	while (first < last) {
		struct panel *panel = find_panel(scatter, copy, first);

		if (panel == NULL)
			panel = start_panel(scatter, copy, first);
		if (!(panel != NULL ? fill_panel(scatter, panel, &first, last, start, bytes, err)
			: put_box(scatter, copy, &first, last, start, bytes, err)))
			return false;
	}
	return true;
}

bool
scatter_bytes(struct scatter *scatter, size_t shard, size_t storage, uint64_t byte_offset,
	const unsigned char *bytes, size_t count, struct error *err)
{
	if (scatter->shard != shard || scatter->storage != storage) {
		scatter->shard = shard;
		scatter->storage = storage;
		scatter->copy_count = plan_copies_of(scatter->plan, shard, storage,
			&scatter->first_copy);
	}
	for (size_t i = 0; i < scatter->copy_count; i++) {
		const struct plan_copy *copy = &scatter->plan->copies[scatter->first_copy + i];

		if (!carry_out(scatter, copy, byte_offset, bytes, count, err))
			return error_in_tensor(err, scatter->plan->tensors[copy->tensor].name);
	}
	return true;
}

/* ---- the whole -------------------------------------------------------------------- */

/* Zeros and masks. */
static bool
fill_constants(struct scatter *scatter, struct error *err)
{
	for (size_t i = 0; i < scatter->plan->tensor_count; i++) {
		const struct plan_tensor *tensor = &scatter->plan->tensors[i];
		size_t                    size = dtype_size(tensor->dtype);

		for (uint64_t at = 0; tensor->fill != FILL_NOTHING && at < tensor->bytes;) {
			uint64_t left = tensor->bytes - at;
			size_t   step = left < COMPARE_BYTES ? (size_t)left : COMPARE_BYTES;

			plan_fill_elements(tensor, at / size, step / size, scatter->used);
			if (!target_write(scatter, i, at, scatter->used, step, err))
				return error_in_tensor(err, tensor->name);
			at += step;
		}
	}
	return true;
}

static bool
open_gathered(struct scatter *scatter, struct error *err)
{
	for (size_t i = 0; i < scatter->plan->tensor_count; i++) {
		const struct plan_tensor *tensor = &scatter->plan->tensors[i];
		struct gathered          *gathered = &scatter->gathered[i];

		if (!plan_is_gathered(tensor))
			continue;
		gathered->elements = malloc(tensor->bytes / dtype_size(tensor->dtype)
			* dtype_size(tensor->source_dtype));
		if (tensor->is_mean)
			gathered->sums = calloc(tensor->bytes / dtype_size(tensor->dtype),
				sizeof *gathered->sums);
		if (gathered->elements == NULL || (tensor->is_mean && gathered->sums == NULL))
			return error_no_memory(err, tensor->bytes);
	}
	return true;
}

static bool
open_tables(struct scatter *scatter, struct error *err)
{
	const struct plan *plan = scatter->plan;

	scatter->drifts = calloc(plan->tensor_count, sizeof *scatter->drifts);
	scatter->overflows = calloc(plan->tensor_count, sizeof *scatter->overflows);
	scatter->gathered = calloc(plan->tensor_count, sizeof *scatter->gathered);
	scatter->left = calloc(plan->tensor_count, sizeof *scatter->left);
	scatter->compared = calloc(plan->copy_count + 1, sizeof *scatter->compared);
	scatter->pieces = calloc(plan->piece_count + 1, sizeof *scatter->pieces);
	if (scatter->drifts == NULL || scatter->overflows == NULL || scatter->gathered == NULL
	    || scatter->left == NULL || scatter->compared == NULL || scatter->pieces == NULL)
		return error_no_memory(err, plan->copy_count * sizeof *scatter->compared);
	for (size_t i = 0; i < plan->tensor_count && scatter->cast == NULL; i++)
		if (plan->tensors[i].dtype != plan->tensors[i].source_dtype
		    && (scatter->cast = malloc(SCATTER_CAST_BYTES)) == NULL)
			return error_no_memory(err, SCATTER_CAST_BYTES);
	for (size_t i = 0; i < plan->copy_count; i++) {
		uint64_t count = strided_copy_count(&plan->copies[i].box);

		scatter->left[plan->copies[i].tensor] += count;
		scatter->elements_planned += count;
	}
	return true;
}

struct scatter *
scatter_open(const struct plan *plan, const struct scatter_target *target, size_t panel_bytes,
	struct error *err)
{
	struct scatter *scatter = calloc(1, sizeof *scatter);

	if (scatter == NULL) {
		error_no_memory(err, sizeof *scatter);
		return NULL;
	}
	scatter->plan = plan;
	scatter->target = *target;
	scatter->panel_bytes = panel_bytes;
	scatter->shard = SIZE_MAX;
	if (!open_tables(scatter, err) || !open_gathered(scatter, err)
	    || !fill_constants(scatter, err)) {
		scatter_close(scatter);
		return NULL;
	}
	return scatter;
}

bool
scatter_finish(struct scatter *scatter, struct error *err)
{
	return scatter->elements_done == scatter->elements_planned
		|| error_set(err, ERROR_INTERNAL, "incomplete",
			"%llu of %llu elements were carried out",
			(unsigned long long)scatter->elements_done,
			(unsigned long long)scatter->elements_planned);
}

const struct drift *
scatter_drift(const struct scatter *scatter, size_t tensor)
{
	return &scatter->drifts[tensor];
}

const struct cast_overflow *
scatter_overflow(const struct scatter *scatter, size_t tensor)
{
	return &scatter->overflows[tensor];
}

void
scatter_close(struct scatter *scatter)
{
	if (scatter == NULL)
		return;
	for (unsigned i = 0; i < PANEL_COUNT; i++)
		free(scatter->panels[i].image);
	for (size_t i = 0; scatter->gathered != NULL && i < scatter->plan->tensor_count; i++) {
		free(scatter->gathered[i].elements);
		free(scatter->gathered[i].sums);
	}
	free(scatter->gathered);
	free(scatter->pieces);
	free(scatter->compared);
	free(scatter->left);
	free(scatter->overflows);
	free(scatter->cast);
	free(scatter->portion);
	free(scatter->drifts);
	free(scatter);
}
