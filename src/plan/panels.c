#include "plan/panels.h"

#include <stdlib.h>
#include <string.h>

#define IMAGE_COUNT 4
/* Copies that give longer runs than this by themselves need not be joined. */
#define LONG_RUN_BYTES ((uint64_t)64 << 10)
/* A panel that gives shorter ones takes all the room there is, not half of it. */
#define LEAST_RUN_BYTES ((uint64_t)8 << 10)
#define BOX_BYTES      ((uint64_t)16 << 20)
#define LINE_BYTES     64
/* What is cut is cut at whole cache lines, in rows and in columns. */
#define LINE_ELEMENTS  (LINE_BYTES / 2)

struct image {
	const struct plan_copy *copy;           /* NULL: free; of a whole tensor: one of its copies */
	bool                    is_whole;
	uint64_t                first, last;    /* linear indexes of the copy; of the tensor */
	uint64_t                done;           /* elements that are here */
	uint64_t                used;           /* when it last was */
	unsigned char          *bytes;          /* kept for the next one */
	size_t                  room;
	/* A panel's: linear indexes [first, last) of a copy form one box, which it holds as it
	 * came: densely, in the order of the source. */
	struct strided_copy     to_image;       /* the whole copy, its target being the image */
	struct strided_copy     of_image;       /* the box, its source being the image */
};

struct panels {
	const struct plan *plan;
	size_t             limit_bytes;
	panels_put        *put;
	void              *context;
	struct image       images[IMAGE_COUNT];
	unsigned char     *portion;             /* of a panel, in the target's order */
	size_t             portion_bytes;
	uint64_t           clock;
	bool              *joins;               /* by tensor: it may become a whole one */
	uint64_t          *came;                /* by copy: indexes that are in a whole tensor */
};

static size_t
element_bytes(const struct panels *panels, const struct plan_copy *copy)
{
	return dtype_size(panels->plan->tensors[copy->tensor].source_dtype);
}

/* Room that begins with a cache line. */
static unsigned char *
new_lines(size_t bytes)
{
	void *lines;

	return posix_memalign(&lines, LINE_BYTES, bytes) == 0 ? lines : NULL;
}

/* ---- elements leave --------------------------------------------------------------- */

/* A box, from an image that holds it densely in the order of the target. */
static bool
put_dense(struct panels *panels, const struct plan_copy *copy, const struct strided_copy *box,
	const unsigned char *image, struct error *err)
{
	uint64_t image_stride[COPY_MAX_DIMS];
	uint64_t run = strided_copy_image(box, image_stride), count = strided_copy_count(box);
	size_t   size = element_bytes(panels, copy);

	for (uint64_t at = 0; at < count; at += run)
		if (!panels->put(panels->context, copy,
			strided_copy_image_target(box, image_stride, at), image + at * size, run, err))
			return false;
	return true;
}

/* A box, from the image of the whole tensor. */
static bool
put_strips(struct panels *panels, const struct plan_copy *copy, const struct strided_copy *box,
	const unsigned char *whole, struct error *err)
{
	uint64_t image_stride[COPY_MAX_DIMS];
	uint64_t run = strided_copy_image(box, image_stride), count = strided_copy_count(box);
	size_t   size = element_bytes(panels, copy);

	for (uint64_t at = 0; at < count; at += run) {
		uint64_t target = strided_copy_image_target(box, image_stride, at);

		if (!panels->put(panels->context, copy, target, whole + target * size, run, err))
			return false;
	}
	return true;
}

/* A whole tensor must go before it is complete. */
static bool
give_up_whole(struct panels *panels, struct image *image, struct error *err)
{
	const struct plan *plan = panels->plan;
	size_t             tensor = image->copy->tensor;

	image->copy = NULL;
	panels->joins[tensor] = false;
	for (size_t i = 0; i < plan->copy_count; i++) {
		const struct plan_copy *copy = &plan->copies[i];
		uint64_t                first = 0;

		if (copy->tensor != tensor)
			continue;
		while (first < panels->came[i]) {
			struct strided_copy box;

			strided_copy_next_box(&copy->box, &first, panels->came[i], &box);
			if (!put_strips(panels, copy, &box, image->bytes, err))
				return false;
		}
	}
	return true;
}

/*
 * The end of the box that begins at linear index `first`: as far as one goes that fits `room`
 * bytes.  `first` itself where not even one index fits.
 */
static uint64_t
box_end(const struct strided_copy *copy, uint64_t first, size_t size, size_t room)
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

		if (fit > LINE_ELEMENTS)
			fit -= fit % LINE_ELEMENTS;
		if (first % whole != 0 || whole * per_step > room)
			return first + (fit < left ? fit : left) * inside;
		inside = whole;
		dims--;
	}
	return first + inside;
}

/* What a panel holds, in the target's order: a portion at a time, which stays in the
 * second-level cache until it was cast, summed and written. */
static bool
put_panel(struct panels *panels, const struct plan_copy *copy, const struct image *panel,
	struct error *err)
{
	struct strided_copy by_target = strided_copy_turned(&panel->of_image);
	uint64_t            count = strided_copy_count(&by_target), at = 0;
	size_t              size = element_bytes(panels, copy);

	while (at < count) {
		uint64_t end = box_end(&by_target, at, size, panels->portion_bytes);
		struct strided_copy box, to_portion;

		strided_copy_next_box(&by_target, &at, end, &box);
		box = strided_copy_turned(&box);
		to_portion = box;
		to_portion.target_offset = 0;
		strided_copy_image(&box, to_portion.target_stride);
		strided_copy_run(&to_portion, panel->bytes, panels->portion, size);
		if (!put_dense(panels, copy, &box, panels->portion, err))
			return false;
	}
	return true;
}

/* All of an image is there. */
static bool
put_image(struct panels *panels, struct image *image, struct error *err)
{
	const struct plan_copy *copy = image->copy;

	image->copy = NULL;
	return image->is_whole
		? panels->put(panels->context, copy, 0, image->bytes, image->last, err)
		: put_panel(panels, copy, image, err);
}

/* ---- room ------------------------------------------------------------------------- */

/* The free image whose room is the smallest that is enough. */
static struct image *
find_room(struct panels *panels, size_t bytes)
{
	struct image *best = NULL;

	for (unsigned i = 0; i < IMAGE_COUNT; i++) {
		struct image *image = &panels->images[i];

		if (image->copy == NULL && image->room >= bytes
		    && (best == NULL || image->room < best->room))
			best = image;
	}
	return best;
}

/* Makes room that is not there yet, within the limit; what no image uses is let go for it. */
static struct image *
make_room(struct panels *panels, size_t bytes)
{
	struct image *found = NULL;
	size_t        used = 0;

	for (unsigned i = 0; i < IMAGE_COUNT; i++) {
		struct image *image = &panels->images[i];

		if (image->copy != NULL)
			used += image->room;
		else
			found = image;
	}
	if (found == NULL || bytes > panels->limit_bytes - used)
		return NULL;
	for (unsigned i = 0; i < IMAGE_COUNT; i++) {
		struct image *image = &panels->images[i];

		if (image->copy == NULL) {
			free(image->bytes);
			image->bytes = NULL;
			image->room = 0;
		}
	}
	if ((found->bytes = new_lines(bytes)) == NULL)
		return NULL;
	found->room = bytes;
	return found;
}

static struct image *
oldest_whole(struct panels *panels)
{
	struct image *oldest = NULL;

	for (unsigned i = 0; i < IMAGE_COUNT; i++) {
		struct image *image = &panels->images[i];

		if (image->copy != NULL && image->is_whole
		    && (oldest == NULL || image->used < oldest->used))
			oldest = image;
	}
	return oldest;
}

/* *image NULL: there is no room. */
static bool
take_image(struct panels *panels, size_t bytes, struct image **image, struct error *err)
{
	struct image *whole;

	for (;;) {
		if ((*image = find_room(panels, bytes)) != NULL
		    || (*image = make_room(panels, bytes)) != NULL
		    || (whole = oldest_whole(panels)) == NULL)
			return true;
		if (!give_up_whole(panels, whole, err))
			return false;
	}
}

/* ---- whole tensors ---------------------------------------------------------------- */

static struct image *
find_whole(struct panels *panels, size_t tensor)
{
	for (unsigned i = 0; i < IMAGE_COUNT; i++) {
		struct image *image = &panels->images[i];

		if (image->copy != NULL && image->is_whole && image->copy->tensor == tensor)
			return image;
	}
	return NULL;
}

static uint64_t
tensor_elements(const struct plan_tensor *tensor)
{
	return tensor->bytes / dtype_size(tensor->dtype);
}

/* A whole tensor, for the first of its elements.  *image NULL: there is none to be had. */
static bool
start_whole(struct panels *panels, const struct plan_copy *copy, struct image **image,
	struct error *err)
{
	uint64_t count = tensor_elements(&panels->plan->tensors[copy->tensor]);

	if (!take_image(panels, count * element_bytes(panels, copy), image, err))
		return false;
	if (*image == NULL) {
		panels->joins[copy->tensor] = false;
		return true;
	}
	(*image)->copy = copy;
	(*image)->is_whole = true;
	(*image)->first = 0;
	(*image)->last = count;
	(*image)->done = 0;
	return true;
}

static bool
fill_whole(struct panels *panels, struct image *image, const struct plan_copy *copy,
	uint64_t *first, uint64_t last, uint64_t start, const unsigned char *bytes,
	struct error *err)
{
	size_t size = element_bytes(panels, copy);

	while (*first < last) {
		struct strided_copy box;

		strided_copy_next_box(&copy->box, first, last, &box);
		image->done += strided_copy_count(&box);
		box.source_offset -= start;
		strided_copy_run(&box, bytes, image->bytes, size);
	}
	panels->came[copy - panels->plan->copies] = last;
	image->used = ++panels->clock;
	return image->done < image->last || put_image(panels, image, err);
}

/* Of several copies, none of them a replica or a line, which leaves as it comes; and one at
 * least with short runs. */
static void
find_joins(struct panels *panels)
{
	const struct plan *plan = panels->plan;
	size_t            *first = calloc(plan->tensor_count + 1, sizeof *first);

	for (size_t i = 0; i < plan->copy_count && first != NULL; i++) {
		const struct plan_copy *copy = &plan->copies[i];
		uint64_t                image_stride[COPY_MAX_DIMS];

		if (first[copy->tensor]++ > 0 && strided_copy_image(&copy->box, image_stride)
			< LONG_RUN_BYTES / element_bytes(panels, copy))
			panels->joins[copy->tensor] = true;
	}
	for (size_t i = 0; i < plan->copy_count; i++)
		if (plan->copies[i].action != COPY_WRITE
		    || strided_copy_is_line(&plan->copies[i].box))
			panels->joins[plan->copies[i].tensor] = false;
	for (size_t i = 0; i < plan->tensor_count; i++) {
		const struct plan_tensor *tensor = &plan->tensors[i];

		if (plan_is_gathered(tensor) || tensor_elements(tensor)
			> panels->limit_bytes / dtype_size(tensor->source_dtype))
			panels->joins[i] = false;
	}
	free(first);
}

/* ---- panels ----------------------------------------------------------------------- */

static struct image *
find_panel(struct panels *panels, const struct plan_copy *copy, uint64_t index)
{
	for (unsigned i = 0; i < IMAGE_COUNT; i++) {
		struct image *image = &panels->images[i];

		if (image->copy == copy && !image->is_whole && image->first <= index
		    && index < image->last)
			return image;
	}
	return NULL;
}

/* Linear indexes [first, *last) of the copy are the box of one panel. */
static void
panel_box(const struct panels *panels, const struct plan_copy *copy, uint64_t first,
	uint64_t *last, struct strided_copy *box)
{
	size_t   size = element_bytes(panels, copy), room = panels->limit_bytes / 2;
	uint64_t image_stride[COPY_MAX_DIMS], at = first;

	*last = box_end(&copy->box, first, size, room);
	if (*last == first)
		return;
	strided_copy_next_box(&copy->box, &at, *last, box);
	if (strided_copy_image(box, image_stride) >= LEAST_RUN_BYTES / size)
		return;
	at = first;
	*last = box_end(&copy->box, first, size, panels->limit_bytes);
	strided_copy_next_box(&copy->box, &at, *last, box);
}

/* A new panel that begins at `first`.  *image NULL: there is none to be had. */
static bool
start_panel(struct panels *panels, const struct plan_copy *copy, uint64_t first,
	struct image **image, struct error *err)
{
	size_t              size = element_bytes(panels, copy);
	uint64_t            last, stride = 1;
	uint64_t            per_step = strided_copy_count(&copy->box)
		/ strided_copy_steps(&copy->box);
	struct strided_copy box;
	struct image       *panel;

	*image = NULL;
	panel_box(panels, copy, first, &last, &box);
	if (last == first)
		return true;
	if (!take_image(panels, strided_copy_count(&box) * size, &panel, err))
		return false;
	if (panel == NULL)
		return true;
	panel->copy = copy;
	panel->is_whole = false;
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
	panel->of_image = box;
	panel->of_image.source_offset = 0;
	memcpy(panel->of_image.source_stride, panel->to_image.target_stride,
		sizeof panel->of_image.source_stride);
	*image = panel;
	return true;
}

/* Moves indexes [*first, last) of the panel's copy, or those of them in the panel. */
static bool
fill_panel(struct panels *panels, struct image *panel, uint64_t *first, uint64_t last,
	uint64_t start, const unsigned char *bytes, struct error *err)
{
	size_t size = element_bytes(panels, panel->copy);

	if (last > panel->last)
		last = panel->last;
	panel->done += last - *first;
	while (*first < last) {
		struct strided_copy box;

		strided_copy_next_box(&panel->to_image, first, last, &box);
		box.source_offset -= start;
		strided_copy_run(&box, bytes, panel->bytes, size);
	}
	return panel->done < panel->last - panel->first || put_image(panels, panel, err);
}

/* There is no room: one box at a time, straight to the target, run by run. */
static bool
put_box(struct panels *panels, const struct plan_copy *copy, uint64_t *first, uint64_t last,
	uint64_t start, const unsigned char *bytes, struct error *err)
{
	uint64_t            image_stride[COPY_MAX_DIMS];
	size_t              size = element_bytes(panels, copy);
	struct strided_copy box, to_image;
	unsigned char      *image;
	bool                put;

	strided_copy_next_box(&copy->box, first, last, &box);
	if (strided_copy_count(&box) * size > BOX_BYTES)
		return error_set(err, ERROR_UNSUPPORTED, "stride",
			"an expanded view that repeats its elements to more than 16 MiB");
	if ((image = malloc(strided_copy_count(&box) * size)) == NULL)
		return error_no_memory(err, strided_copy_count(&box) * size);
	strided_copy_image(&box, image_stride);
	to_image = box;
	to_image.source_offset -= start;
	to_image.target_offset = 0;
	memcpy(to_image.target_stride, image_stride, sizeof image_stride);
	strided_copy_run(&to_image, bytes, image, size);
	put = put_dense(panels, copy, &box, image, err);
	free(image);
	return put;
}

/* ---- face ------------------------------------------------------------------------- */

bool
panels_take(struct panels *panels, const struct plan_copy *copy, uint64_t first, uint64_t last,
	uint64_t start, const unsigned char *bytes, struct error *err)
{
	struct image *image = NULL;

	if (panels->joins[copy->tensor]
	    && (image = find_whole(panels, copy->tensor)) == NULL
	    && !start_whole(panels, copy, &image, err))
		return false;
	if (image != NULL)
		return fill_whole(panels, image, copy, &first, last, start, bytes, err);
	while (first < last) {
		image = find_panel(panels, copy, first);
		if (image == NULL && !start_panel(panels, copy, first, &image, err))
			return false;
		if (!(image != NULL ? fill_panel(panels, image, &first, last, start, bytes, err)
			: put_box(panels, copy, &first, last, start, bytes, err)))
			return false;
	}
	return true;
}

/* Less where panels are small, but one element. */
static size_t
portion_bytes(size_t limit_bytes)
{
	size_t part = limit_bytes / 32;

	return part > PANELS_PORTION_BYTES ? PANELS_PORTION_BYTES
		: part < sizeof(double) ? sizeof(double) : part;
}

struct panels *
panels_open(const struct plan *plan, size_t limit_bytes, panels_put *put, void *context,
	struct error *err)
{
	struct panels *panels = calloc(1, sizeof *panels);

	if (panels == NULL) {
		error_no_memory(err, sizeof *panels);
		return NULL;
	}
	panels->plan = plan;
	panels->limit_bytes = limit_bytes;
	panels->put = put;
	panels->context = context;
	panels->portion_bytes = portion_bytes(limit_bytes);
	panels->portion = new_lines(panels->portion_bytes);
	panels->joins = calloc(plan->tensor_count + 1, sizeof *panels->joins);
	panels->came = calloc(plan->copy_count + 1, sizeof *panels->came);
	if (panels->portion == NULL || panels->joins == NULL || panels->came == NULL) {
		error_no_memory(err, plan->copy_count * sizeof *panels->came);
		panels_close(panels);
		return NULL;
	}
	find_joins(panels);
	return panels;
}

void
panels_close(struct panels *panels)
{
	if (panels == NULL)
		return;
	for (unsigned i = 0; i < IMAGE_COUNT; i++)
		free(panels->images[i].bytes);
	free(panels->came);
	free(panels->joins);
	free(panels->portion);
	free(panels);
}
