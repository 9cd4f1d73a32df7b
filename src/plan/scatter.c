#include "plan/scatter.h"

#include "plan/element.h"
#include "plan/panels.h"

#include <stdlib.h>
#include <string.h>

#define COMPARE_BYTES ((size_t)64 << 10)

/* How much of a slice came, in elements of its own order. */
struct piece {
	uint64_t written;
	uint64_t early;                 /* of a replica that came before it, and is in its place */
	size_t   early_shard;
};

/* How far the replicas of a tensor are from its slices. */
struct agreement {
	struct drift drift;             /* from what is used */
	struct drift early;             /* from a replica that stood in for a slice to come */
	bool         misled;            /* that one is not as the slice is: `early` tells nothing */
};

/* A tensor that is finished in memory. */
struct gathered {
	unsigned char *elements;        /* NULL: it is not */
	double        *sums;            /* of all copies, for their mean; NULL: none is wanted */
};

struct scatter {
	const struct plan  *plan;
	struct scatter_target target;
	struct panels      *panels;
	struct agreement   *agreements;         /* by tensor */
	struct cast_overflow *overflows;        /* by tensor */
	struct gathered    *gathered;           /* by tensor */
	uint64_t           *left;               /* by tensor: elements that are still to come */
	uint64_t           *compared;           /* by copy: elements of a replica that came */
	struct piece       *pieces;
	uint64_t            elements_done, elements_planned;
	unsigned char       used[COMPARE_BYTES];        /* what a replica is compared with, and
	                                                 * other elements for a moment */
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
compare_run(struct scatter *scatter, struct drift *drift, size_t tensor, uint64_t offset,
	const unsigned char *bytes, size_t count, size_t shard, struct error *err)
{
	enum dtype dtype = put_dtype(scatter, tensor);

	while (count > 0) {
		size_t step = count < COMPARE_BYTES ? count : COMPARE_BYTES;

		if (!target_read(scatter, tensor, offset, scatter->used, step, err))
			return false;
		drift_add(drift, dtype, scatter->used, bytes, step / dtype_size(dtype), shard);
		bytes += step;
		offset += step;
		count -= step;
	}
	return true;
}

/* Of `count` from `from` on, how many lie below `end`. */
static uint64_t
up_to(uint64_t from, uint64_t end, uint64_t count)
{
	return end <= from ? 0 : end - from < count ? end - from : count;
}

/*
 * A replica is compared with as much of its slice as has come, and with what another replica
 * put in its place; the rest of it takes the slice's place until that comes.
 */
static bool
put_replica(struct scatter *scatter, const struct plan_copy *copy, uint64_t offset,
	const unsigned char *bytes, uint64_t count, struct error *err)
{
	struct agreement *agreement = &scatter->agreements[copy->tensor];
	struct piece     *piece = &scatter->pieces[copy->piece];
	uint64_t         *came = &scatter->compared[copy - scatter->plan->copies];
	bool              is_there = scatter->target.place == NULL
		&& scatter->gathered[copy->tensor].elements == NULL;
	uint64_t          used = is_there ? count : up_to(*came, piece->written, count);
	uint64_t          early = used + up_to(*came + used, piece->early, count - used);
	size_t            size = dtype_size(put_dtype(scatter, copy->tensor));

	*came += count;
	if (!compare_run(scatter, &agreement->drift, copy->tensor, offset, bytes, used * size,
		copy->shard, err)
	    || !compare_run(scatter, &agreement->early, copy->tensor, offset + used * size,
		bytes + used * size, (early - used) * size, copy->shard, err))
		return false;
	if (early == count)
		return true;
	piece->early = *came;
	piece->early_shard = copy->shard;
	return target_place(scatter, copy->tensor, offset + early * size, bytes + early * size,
		(count - early) * size, err);
}

static bool
put_slice(struct scatter *scatter, const struct plan_copy *copy, uint64_t offset,
	const unsigned char *bytes, uint64_t count, struct error *err)
{
	struct piece *piece = &scatter->pieces[copy->piece];
	uint64_t      early = up_to(piece->written, piece->early, count);
	size_t        size = dtype_size(put_dtype(scatter, copy->tensor));
	struct agreement *agreement = &scatter->agreements[copy->tensor];
	uint64_t      differed = agreement->drift.elements;

	if (!compare_run(scatter, &agreement->drift, copy->tensor, offset, bytes, early * size,
		piece->early_shard, err))
		return false;
	agreement->misled = agreement->misled || agreement->drift.elements != differed;
	piece->written += count;
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
	struct gathered           made = *gathered;
	size_t                    size = dtype_size(target->dtype);
	uint64_t                  count = target->bytes / size, room = COMPARE_BYTES / size;
	bool                      done = true;

	*gathered = (struct gathered){ NULL, NULL };
	for (uint64_t first = 0; first < count && done; first += room) {
		uint64_t step = count - first < room ? count - first : room;

		for (uint64_t i = 0; i < step; i++) {
			double value = finished_value(target, &made, first + i);

			cast_elements(DTYPE_FLOAT64, (const unsigned char *)&value, target->dtype,
				scatter->used + i * size, 1, &scatter->overflows[tensor]);
		}
		done = target_write(scatter, tensor, first * size, scatter->used, step * size, err);
	}
	free(made.elements);
	free(made.sums);
	return done;
}

/* Fits panels_put. */
static bool
put_run(void *context, const struct plan_copy *copy, uint64_t target, const unsigned char *bytes,
	uint64_t count, struct error *err)
{
	struct scatter *scatter = context;
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

/* ---- from the storages ------------------------------------------------------------ */

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
	if (strided_copy_is_line(&copy->box))
		return put_run(scatter, copy, copy->box.target_offset + first,
			bytes + (copy->box.source_offset + first - start) * size, last - first, err);
	return panels_take(scatter->panels, copy, first, last, start, bytes, err);
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

	scatter->agreements = calloc(plan->tensor_count, sizeof *scatter->agreements);
	scatter->overflows = calloc(plan->tensor_count, sizeof *scatter->overflows);
	scatter->gathered = calloc(plan->tensor_count, sizeof *scatter->gathered);
	scatter->left = calloc(plan->tensor_count, sizeof *scatter->left);
	scatter->compared = calloc(plan->copy_count + 1, sizeof *scatter->compared);
	scatter->pieces = calloc(plan->piece_count + 1, sizeof *scatter->pieces);
	if (scatter->agreements == NULL || scatter->overflows == NULL || scatter->gathered == NULL
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
	scatter->shard = SIZE_MAX;
	scatter->panels = panels_open(plan, panel_bytes, put_run, scatter, err);
	if (scatter->panels == NULL || !open_tables(scatter, err) || !open_gathered(scatter, err)
	    || !fill_constants(scatter, err)) {
		scatter_close(scatter);
		return NULL;
	}
	return scatter;
}

bool
scatter_finish(struct scatter *scatter, struct error *err)
{
	for (size_t i = 0; i < scatter->plan->tensor_count; i++)
		if (!scatter->agreements[i].misled)
			drift_join(&scatter->agreements[i].drift, &scatter->agreements[i].early);
	return scatter->elements_done == scatter->elements_planned
		|| error_set(err, ERROR_INTERNAL, "incomplete",
			"%llu of %llu elements were carried out",
			(unsigned long long)scatter->elements_done,
			(unsigned long long)scatter->elements_planned);
}

uint64_t
scatter_bytes_bound(size_t panel_bytes)
{
	return (uint64_t)panel_bytes + panel_bytes / 2 + SCATTER_CAST_BYTES + PANELS_PORTION_BYTES;
}

const struct drift *
scatter_drift(const struct scatter *scatter, size_t tensor)
{
	return &scatter->agreements[tensor].drift;
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
	panels_close(scatter->panels);
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
	free(scatter->agreements);
	free(scatter);
}
