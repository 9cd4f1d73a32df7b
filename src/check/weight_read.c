#include "check/weight_read.h"

#include "plan/strided_copy.h"

#include <stdlib.h>

/*
 * What is asked for is a range of row-major indexes; it is cut into boxes.  The elements of a
 * box are spread over the file, so spans of the file that hold many of them are read into a
 * buffer in one go, and the kernel puts them into their order from there.
 */
#define SPAN_BYTES ((size_t)2 << 20)
/* Bytes between two pieces that are read along rather than jumped over: about what a call
 * costs. */
#define GAP_BYTES  ((size_t)8 << 10)

/* The dimensions of a tensor, those that run on into the next one joined. */
struct layout {
	unsigned dims;
	uint64_t extent[TENSOR_MAX_RANK], stride[TENSOR_MAX_RANK];
};

struct reader {
	const struct input_file *file;
	uint64_t                 offset;        /* byte of the element at index 0 */
	size_t                   element_bytes;
	unsigned char           *span, *to;
	struct error            *err;
};

/* No overflow: the last element lies in the file. */
static struct layout
layout_of(const struct weight_tensor *tensor)
{
	struct layout layout = { 0 };

	for (unsigned i = 0; i < tensor->rank; i++) {
		unsigned last = layout.dims - 1;

		if (tensor->shape[i] == 1)
			continue;
		if (layout.dims > 0
		    && layout.stride[last] == tensor->shape[i] * tensor->stride[i]) {
			layout.extent[last] *= tensor->shape[i];
			layout.stride[last] = tensor->stride[i];
		} else {
			layout.extent[layout.dims] = tensor->shape[i];
			layout.stride[layout.dims++] = tensor->stride[i];
		}
	}
	return layout;
}

static bool
is_plain(const struct layout *layout)
{
	return layout->dims == 0 || (layout->dims == 1 && layout->stride[0] == 1);
}

bool
weight_read_is_plain(const struct weight_tensor *tensor)
{
	struct layout layout = layout_of(tensor);

	return is_plain(&layout);
}

/* ---- one box ---------------------------------------------------------------------- */

/* How a box is taken from the file: `step` indexes of dimension `first` at a time, with all of
 * the dimensions inside it, by one read for all of them or one for each. */
struct cut {
	unsigned first;
	uint64_t step;
	uint64_t reach;         /* elements from the first to the last of one index */
	bool     in_one;
};

/* As many dimensions, from the inside, as the span has room for. */
static struct cut
cut_box(const struct strided_copy *box, size_t element_bytes)
{
	const uint64_t room = SPAN_BYTES / element_bytes, gap = GAP_BYTES / element_bytes;
	struct cut     cut = { .reach = 1 };

	for (unsigned i = box->dims; i-- > 0;) {
		uint64_t extent = box->extent[i], stride = box->source_stride[i], fits = extent;

		cut.first = i;
		cut.in_one = stride <= cut.reach + gap;
		if (!cut.in_one)
			fits = room / cut.reach;
		else if (stride > 0)
			fits = (room - cut.reach) / stride + 1;
		cut.step = fits < extent ? fits : extent;
		if (!cut.in_one || fits < extent || i == 0)
			break;
		cut.reach += (extent - 1) * stride;
	}
	return cut;
}

/* `count` spans of `length` elements, one every `stride` elements, side by side. */
static bool
read_spans(const struct reader *reader, uint64_t at, uint64_t stride, uint64_t count,
	uint64_t length)
{
	const size_t size = reader->element_bytes;

	for (uint64_t i = 0; i < count; i++) {
		if (!input_file_read(reader->file, reader->offset + (at + i * stride) * size,
			reader->span + i * length * size, (size_t)(length * size), reader->err))
			return false;
	}
	return true;
}

/* `count` indexes of dimension cut->first; the box's offsets are those of the first. */
static bool
read_piece(const struct reader *reader, const struct strided_copy *box, const struct cut *cut,
	uint64_t count)
{
	struct strided_copy piece = { .dims = box->dims - cut->first,
		.target_offset = box->target_offset };
	uint64_t            stride = box->source_stride[cut->first];

	for (unsigned i = 0; i < piece.dims; i++) {
		piece.extent[i] = box->extent[cut->first + i];
		piece.source_stride[i] = box->source_stride[cut->first + i];
		piece.target_stride[i] = box->target_stride[cut->first + i];
	}
	piece.extent[0] = count;
	if (cut->in_one) {
		if (!read_spans(reader, box->source_offset, 0, 1,
			(count - 1) * stride + cut->reach))
			return false;
	} else {
		piece.source_stride[0] = cut->reach;
		if (!read_spans(reader, box->source_offset, stride, count, cut->reach))
			return false;
	}
	strided_copy_run(&piece, reader->span, reader->to, reader->element_bytes);
	return true;
}

/* Moves the box to the next index of its outer dimensions [0, dims); false after the last. */
static bool
next_outer(struct strided_copy *box, unsigned dims, uint64_t index[COPY_MAX_DIMS])
{
	for (unsigned i = dims; i-- > 0;) {
		box->source_offset += box->source_stride[i];
		box->target_offset += box->target_stride[i];
		if (++index[i] < box->extent[i])
			return true;
		index[i] = 0;
		box->source_offset -= box->extent[i] * box->source_stride[i];
		box->target_offset -= box->extent[i] * box->target_stride[i];
	}
	return false;
}

static bool
read_box(const struct reader *reader, struct strided_copy *box)
{
	uint64_t   index[COPY_MAX_DIMS] = { 0 };
	struct cut cut;

	strided_copy_normalise(box);            /* the order of the file; overlaps do no harm */
	if (box->dims == 0)
		return input_file_read(reader->file,
			reader->offset + box->source_offset * reader->element_bytes,
			reader->to + box->target_offset * reader->element_bytes,
			reader->element_bytes, reader->err);
	cut = cut_box(box, reader->element_bytes);
	do {
		const uint64_t      extent = box->extent[cut.first];
		struct strided_copy at = *box;

		for (uint64_t done = 0; done < extent; done += cut.step) {
			uint64_t count = extent - done < cut.step ? extent - done : cut.step;

			if (!read_piece(reader, &at, &cut, count))
				return false;
			at.source_offset += count * box->source_stride[cut.first];
			at.target_offset += count * box->target_stride[cut.first];
		}
	} while (next_outer(box, cut.first, index));
	return true;
}

/* ---- ranges ----------------------------------------------------------------------- */

/* Indexes [from, end) of at most four dimensions, whose first element lies `at` elements
 * after the tensor's.  The kernel cuts ranges by source order, and row-major order is that of
 * the target here: the sides are exchanged for it. */
static bool
read_range(const struct reader *reader, const struct layout *layout, unsigned first_dim,
	uint64_t at, uint64_t from, uint64_t end)
{
	struct strided_copy view = { .dims = layout->dims - first_dim, .target_offset = at };
	const uint64_t      start = from;
	uint64_t            dense = 1;

	for (unsigned i = view.dims; i-- > 0;) {
		view.extent[i] = layout->extent[first_dim + i];
		view.target_stride[i] = layout->stride[first_dim + i];
		view.source_stride[i] = dense;
		dense *= view.extent[i];
	}
	while (from < end) {
		struct strided_copy part, box;

		strided_copy_next_box(&view, &from, end, &part);
		box = (struct strided_copy){ .dims = part.dims,
			.source_offset = part.target_offset,
			.target_offset = part.source_offset - start };
		for (unsigned i = 0; i < part.dims; i++) {
			box.extent[i] = part.extent[i];
			box.source_stride[i] = part.target_stride[i];
			box.target_stride[i] = part.source_stride[i];
		}
		if (!read_box(reader, &box))
			return false;
	}
	return true;
}

/* Views of more dimensions than the kernel has are read block by block. */
static bool
read_blocks(struct reader *reader, const struct layout *layout, uint64_t first, uint64_t count)
{
	const unsigned outer = layout->dims > COPY_MAX_DIMS ? layout->dims - COPY_MAX_DIMS : 0;
	uint64_t       block = 1;

	for (unsigned i = outer; i < layout->dims; i++)
		block *= layout->extent[i];
	while (count > 0) {
		uint64_t left = first / block, at = 0, from = first % block;
		uint64_t part = block - from < count ? block - from : count;

		for (unsigned i = outer; i-- > 0;) {
			at += left % layout->extent[i] * layout->stride[i];
			left /= layout->extent[i];
		}
		if (!read_range(reader, layout, outer, at, from, from + part))
			return false;
		reader->to += part * reader->element_bytes;
		first += part;
		count -= part;
	}
	return true;
}

bool
weight_read(const struct input_file *file, const struct weight_tensor *tensor,
	uint64_t first, uint64_t count, void *to, struct error *err)
{
	struct reader reader = { .file = file, .offset = tensor->offset,
		.element_bytes = dtype_size(tensor->dtype), .to = to, .err = err };
	struct layout layout = layout_of(tensor);
	bool          done;

	if (is_plain(&layout))
		return input_file_read(file, tensor->offset + first * reader.element_bytes, to,
			(size_t)(count * reader.element_bytes), err);
	if ((reader.span = malloc(SPAN_BYTES)) == NULL)
		return error_no_memory(err, SPAN_BYTES);
	done = read_blocks(&reader, &layout, first, count);
	free(reader.span);
	return done;
}
