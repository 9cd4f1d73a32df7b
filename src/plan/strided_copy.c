#include "plan/strided_copy.h"

#include "plan/transpose.h"

#include <string.h>

uint64_t
strided_copy_count(const struct strided_copy *copy)
{
	uint64_t count = 1;

	for (unsigned i = 0; i < copy->dims; i++)
		count *= copy->extent[i];
	return count;
}

bool
strided_copy_is_line(const struct strided_copy *copy)
{
	return copy->dims == 0
		|| (copy->dims == 1 && copy->source_stride[0] == 1 && copy->target_stride[0] == 1);
}

/* ---- normal form ------------------------------------------------------------------ */

static void
swap_dims(struct strided_copy *copy, unsigned a, unsigned b)
{
	uint64_t extent = copy->extent[a], source = copy->source_stride[a];
	uint64_t target = copy->target_stride[a];

	copy->extent[a] = copy->extent[b];
	copy->source_stride[a] = copy->source_stride[b];
	copy->target_stride[a] = copy->target_stride[b];
	copy->extent[b] = extent;
	copy->source_stride[b] = source;
	copy->target_stride[b] = target;
}

/* By one of the two stride arrays, largest first; stable, so ties keep their order. */
static void
sort_dims(struct strided_copy *copy, const uint64_t *stride)
{
	for (unsigned i = 1; i < copy->dims; i++)
		for (unsigned j = i; j > 0 && stride[j] > stride[j - 1]; j--)
			swap_dims(copy, j - 1, j);
}

static void
drop_single_dims(struct strided_copy *copy)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < copy->dims; i++) {
		if (copy->extent[i] == 1)
			continue;
		copy->extent[kept] = copy->extent[i];
		copy->source_stride[kept] = copy->source_stride[i];
		copy->target_stride[kept++] = copy->target_stride[i];
	}
	copy->dims = kept;
}

/* Neighbours where the outer step is exactly the inner extent, on both sides. */
static void
join_dims(struct strided_copy *copy)
{
	unsigned last = 0;

	for (unsigned i = 1; i < copy->dims; i++) {
		if (copy->source_stride[last] == copy->extent[i] * copy->source_stride[i]
		    && copy->target_stride[last] == copy->extent[i] * copy->target_stride[i]) {
			copy->extent[last] *= copy->extent[i];
		} else {
			last++;
			copy->extent[last] = copy->extent[i];
		}
		copy->source_stride[last] = copy->source_stride[i];
		copy->target_stride[last] = copy->target_stride[i];
	}
	if (copy->dims > 0)
		copy->dims = last + 1;
}

bool
strided_copy_normalise(struct strided_copy *copy)
{
	uint64_t reach = 0;     /* of the dimensions inside */

	drop_single_dims(copy);
	sort_dims(copy, copy->source_stride);
	join_dims(copy);
	for (unsigned i = copy->dims; i-- > 0;) {
		if (copy->source_stride[i] == 0)
			continue;
		if (copy->source_stride[i] <= reach)
			return false;
		reach += (copy->extent[i] - 1) * copy->source_stride[i];
	}
	return true;
}

struct strided_copy
strided_copy_turned(const struct strided_copy *copy)
{
	struct strided_copy turned = *copy;

	memcpy(turned.source_stride, copy->target_stride, sizeof turned.source_stride);
	memcpy(turned.target_stride, copy->source_stride, sizeof turned.target_stride);
	turned.source_offset = copy->target_offset;
	turned.target_offset = copy->source_offset;
	strided_copy_normalise(&turned);
	return turned;
}

/* ---- linear indexes --------------------------------------------------------------- */

/* Dimensions that move in the source; those of stride 0 stand behind them. */
static unsigned
moving_dims(const struct strided_copy *copy)
{
	unsigned dims = copy->dims;

	while (dims > 0 && copy->source_stride[dims - 1] == 0)
		dims--;
	return dims;
}

/* Steps that one index of dimension `dim` spans: the product of the extents inside it. */
static uint64_t
steps_inside(const struct strided_copy *copy, unsigned dim)
{
	uint64_t steps = 1;

	for (unsigned i = dim + 1; i < moving_dims(copy); i++)
		steps *= copy->extent[i];
	return steps;
}

uint64_t
strided_copy_steps(const struct strided_copy *copy)
{
	uint64_t steps = 1;

	for (unsigned i = 0; i < moving_dims(copy); i++)
		steps *= copy->extent[i];
	return steps;
}

uint64_t
strided_copy_source_end(const struct strided_copy *copy)
{
	uint64_t end = copy->source_offset + 1;

	for (unsigned i = 0; i < copy->dims; i++)
		end += (copy->extent[i] - 1) * copy->source_stride[i];
	return end;
}

uint64_t
strided_copy_rank(const struct strided_copy *copy, uint64_t end)
{
	unsigned dims = moving_dims(copy);
	uint64_t rank = 0, left;

	if (end <= copy->source_offset)
		return 0;
	left = end - copy->source_offset;       /* at least 1: index 0 lies before `end` */
	for (unsigned i = 0; i < dims; i++) {
		/* Index q is the last that begins before the end; all before it fit whole. */
		uint64_t q = (left - 1) / copy->source_stride[i];

		if (q >= copy->extent[i])
			return rank + copy->extent[i] * steps_inside(copy, i);
		rank += q * steps_inside(copy, i);
		left -= q * copy->source_stride[i];
	}
	return rank + 1;
}

void
strided_copy_next_box(const struct strided_copy *copy, uint64_t *first, uint64_t last,
	struct strided_copy *box)
{
	uint64_t index = *first, inside = 1;
	unsigned dims = moving_dims(copy), cut = dims;

	/* The outermost dimension of which whole indexes fit, from an index at its start. */
	while (cut > 0 && *first % (inside * copy->extent[cut - 1]) == 0
	       && last - *first >= inside * copy->extent[cut - 1])
		inside *= copy->extent[--cut];
	*box = *copy;
	if (cut > 0) {
		uint64_t in_dim = *first / inside % copy->extent[cut - 1];
		uint64_t whole = (last - *first) / inside;

		if (whole > copy->extent[cut - 1] - in_dim)
			whole = copy->extent[cut - 1] - in_dim;
		box->extent[cut - 1] = whole;
		*first += whole * inside;
	} else {
		*first += inside;
	}
	for (unsigned i = dims; i-- > 0;) {
		uint64_t at = index % copy->extent[i];

		index /= copy->extent[i];
		box->source_offset += at * copy->source_stride[i];
		box->target_offset += at * copy->target_stride[i];
		if (i + 1 < cut)
			box->extent[i] = 1;
	}
}

uint64_t
strided_copy_image(const struct strided_copy *box, uint64_t image_stride[COPY_MAX_DIMS])
{
	struct strided_copy sorted = *box;
	uint64_t            run = 1;

	for (unsigned i = 0; i < box->dims; i++) {
		image_stride[i] = 1;
		for (unsigned j = 0; j < box->dims; j++)
			if (box->target_stride[j] < box->target_stride[i])
				image_stride[i] *= box->extent[j];
	}
	drop_single_dims(&sorted);
	sort_dims(&sorted, sorted.target_stride);
	for (unsigned i = sorted.dims; i-- > 0 && sorted.target_stride[i] == run;)
		run *= sorted.extent[i];
	return run;
}

uint64_t
strided_copy_image_target(const struct strided_copy *box,
	const uint64_t image_stride[COPY_MAX_DIMS], uint64_t image_offset)
{
	uint64_t target = box->target_offset;

	for (unsigned i = 0; i < box->dims; i++)
		target += image_offset / image_stride[i] % box->extent[i] * box->target_stride[i];
	return target;
}

/* ---- the kernel ------------------------------------------------------------------- */

/* Elements in a line, at any pitch on either side. */
static void
copy_line(const unsigned char *source, uint64_t source_stride, unsigned char *target,
	uint64_t target_stride, uint64_t count, size_t element_bytes)
{
	if (source_stride == 1 && target_stride == 1) {
		memcpy(target, source, count * element_bytes);
		return;
	}
	for (uint64_t i = 0; i < count; i++) {
		memcpy(target, source, element_bytes);
		source += source_stride * element_bytes;
		target += target_stride * element_bytes;
	}
}

/* Index of the dimension whose stride is 1, or dims. */
static unsigned
dense_dim(const uint64_t *stride, unsigned dims)
{
	unsigned i = 0;

	while (i < dims && stride[i] != 1)
		i++;
	return i;
}

/* Takes dimension `dim` out of the box. */
static void
take_dim(struct strided_copy *copy, unsigned dim)
{
	for (unsigned i = dim; i + 1 < copy->dims; i++)
		swap_dims(copy, i, i + 1);
	copy->dims--;
}

/* Moves to the next index of the outer dimensions; false after the last. */
static bool
next_index(const struct strided_copy *outer, uint64_t index[COPY_MAX_DIMS],
	uint64_t *source_at, uint64_t *target_at)
{
	for (unsigned i = outer->dims; i-- > 0;) {
		*source_at += outer->source_stride[i];
		*target_at += outer->target_stride[i];
		if (++index[i] < outer->extent[i])
			return true;
		index[i] = 0;
		*source_at -= outer->extent[i] * outer->source_stride[i];
		*target_at -= outer->extent[i] * outer->target_stride[i];
	}
	return false;
}

/*
 * Two dimensions matter: in one the source is dense, in the other the target.  Where it is
 * the same one, lines are copied; else planes are transposed.
 */
void
strided_copy_run(const struct strided_copy *copy, const unsigned char *source,
	unsigned char *target, size_t element_bytes)
{
	struct strided_copy outer = *copy;
	uint64_t            index[COPY_MAX_DIMS] = { 0 };
	uint64_t            source_at = copy->source_offset, target_at = copy->target_offset;
	uint64_t            columns = 1, rows = 1, row_stride = 1, column_stride = 1;
	uint64_t            line_source = 1, line_target = 1;
	unsigned            dense_source = dense_dim(copy->source_stride, copy->dims);
	unsigned            dense_target = dense_dim(copy->target_stride, copy->dims);
	bool                crosses = dense_source < copy->dims && dense_target < copy->dims
		&& dense_source != dense_target;

	if (crosses) {
		columns = copy->extent[dense_source];
		column_stride = copy->target_stride[dense_source];
		rows = copy->extent[dense_target];
		row_stride = copy->source_stride[dense_target];
		take_dim(&outer, dense_source > dense_target ? dense_source : dense_target);
		take_dim(&outer, dense_source > dense_target ? dense_target : dense_source);
	} else if (copy->dims > 0) {
		unsigned line = dense_source < copy->dims ? dense_source : copy->dims - 1;
		columns = copy->extent[line];
		line_source = copy->source_stride[line];
		line_target = copy->target_stride[line];
		take_dim(&outer, line);
	}
	do {
		const unsigned char *from = source + source_at * element_bytes;
		unsigned char       *to = target + target_at * element_bytes;

		if (crosses)
			transpose(from, row_stride, to, column_stride, rows, columns, element_bytes);
		else
			copy_line(from, line_source, to, line_target, columns, element_bytes);
	} while (next_index(&outer, index, &source_at, &target_at));
}
