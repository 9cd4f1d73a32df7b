#ifndef PLAN_STRIDED_COPY_H
#define PLAN_STRIDED_COPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COPY_MAX_DIMS 4

/*
 * Moves a box of elements: the one at index (i0, i1, ...) goes from
 * source_offset + sum i*source_stride to target_offset + sum i*target_stride.
 * Counts are in elements.  Transposition, QKV order and joins of ranks are all just strides.
 */
struct strided_copy {
	unsigned dims;                          /* 0: one element */
	uint64_t extent[COPY_MAX_DIMS];
	uint64_t source_stride[COPY_MAX_DIMS];
	uint64_t target_stride[COPY_MAX_DIMS];
	uint64_t source_offset, target_offset;
};

/* Elements of the box. */
uint64_t strided_copy_count(const struct strided_copy *copy);

/* Does a normalised copy run on in both source and target? */
bool strided_copy_is_line(const struct strided_copy *copy);

/*
 * Puts the dimensions into the order of the source (largest stride first, stride 0 last),
 * drops those of extent 1, joins neighbours that run on in source and target.  false: two
 * indexes share a source element although no stride is 0 (an overlapping view).
 */
bool strided_copy_normalise(struct strided_copy *copy);

/* How many elements of a normalised copy lie before element `end` of the source, in its
 * order (dimensions of stride 0 not counted): the linear index of a place in memory. */
uint64_t strided_copy_rank(const struct strided_copy *copy, uint64_t end);
/* The largest such index, and the first source element after the box. */
uint64_t strided_copy_steps(const struct strided_copy *copy);
uint64_t strided_copy_source_end(const struct strided_copy *copy);

/*
 * Cuts linear indexes [*first, last) of a normalised copy into boxes: takes the next one off
 * the front into *box (offsets included) and moves *first on.  At most 2 * dims - 1 boxes
 * come.  *first < last.
 */
void strided_copy_next_box(const struct strided_copy *copy, uint64_t *first, uint64_t last,
	struct strided_copy *box);

/*
 * An image holds a box's elements densely, in the order of the target.  Gives the strides of
 * the box's dimensions in it to `image_stride`, and returns its run: how many elements at a
 * time lie side by side in the target as well.
 */
uint64_t strided_copy_image(const struct strided_copy *box, uint64_t image_stride[COPY_MAX_DIMS]);
/* The target offset of the element at `image_offset` of that image. */
uint64_t strided_copy_image_target(const struct strided_copy *box,
	const uint64_t image_stride[COPY_MAX_DIMS], uint64_t image_offset);

/* The way back, in normal form: source and target have changed places. */
struct strided_copy strided_copy_turned(const struct strided_copy *copy);

/*
 * Performs it.  `source` and `target` are where offset 0 lies; `element_bytes` is 1, 2, 4 or
 * 8; neither side need be aligned.
 */
void strided_copy_run(const struct strided_copy *copy, const unsigned char *source,
	unsigned char *target, size_t element_bytes);

#endif
