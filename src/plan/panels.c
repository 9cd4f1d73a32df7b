#include "plan/panels.h"

#include "plan/joins.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define IMAGE_COUNT 4
#define BOX_BYTES      ((uint64_t)16 << 20)
#define LINE_BYTES     64
/* What is cut is cut at whole cache lines, in rows and in columns. */
#define LINE_ELEMENTS  (LINE_BYTES / 2)

struct image {
	const struct plan_copy *copy;           /* NULL: free; of joined copies: the first */
	bool                    is_joined;
	uint64_t                first, last;    /* linear indexes of the copy; elements of all */
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
	struct joins       joins;
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

/* A box whose place in an image is `held`, which keeps the order of the target. */
static bool
put_strips(struct panels *panels, const struct plan_copy *copy, const struct strided_copy *box,
	const struct strided_copy *held, const unsigned char *image, struct error *err)
{
	uint64_t image_stride[COPY_MAX_DIMS];
	uint64_t run = strided_copy_image(box, image_stride), count = strided_copy_count(box);
	size_t   size = element_bytes(panels, copy);

	for (uint64_t at = 0; at < count; at += run)
		if (!panels->put(panels->context, copy,
			strided_copy_image_target(box, image_stride, at),
			image + strided_copy_image_target(held, image_stride, at) * size, run, err))
			return false;
	return true;
}

/* ---- joined copies ------------------------------------------------------------------ */

/* What is joined must go before it is complete. */
static bool
give_up_join(struct panels *panels, struct image *image, struct error *err)
{
	const struct join join = *joins_of(&panels->joins, image->copy);

	image->copy = NULL;
	for (size_t i = 0; i < join.count; i++) {
		const struct plan_copy *copy = joins_copy(&panels->joins, &join, i);
		struct strided_copy     held = joins_place(&panels->joins, copy);
		uint64_t                came = joins_of(&panels->joins, copy)->came, first = 0, again = 0;

		while (first < came) {
			struct strided_copy box, held_box;

			strided_copy_next_box(&copy->box, &first, came, &box);
			strided_copy_next_box(&held, &again, came, &held_box);
			if (!put_strips(panels, copy, &box, &held_box, image->bytes, err))
				return false;
		}
	}
	joins_dissolve(&panels->joins, &join);
	return true;
}

/* All of it is there. */
static bool
put_join(struct panels *panels, const struct image *image, struct error *err)
{
	const struct plan_copy *copy = image->copy;
	const struct join      *join = joins_of(&panels->joins, copy);
	struct strided_copy     all;

	if (join->step == 0)
		return panels->put(panels->context, copy, 0, image->bytes, image->last, err);
	joins_boxes(&copy->box, join->count, join->step, &all);
	return put_dense(panels, copy, &all, image->bytes, err);
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

	bool                    put = image->is_joined ? put_join(panels, image, err)
		: put_panel(panels, copy, image, err);

	image->copy = NULL;
	return put;
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

/* Mapped, so that what is let go goes back at once: a heap keeps some of it. */
static bool
map_room(struct image *image, size_t bytes)
{
	void *room = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (room == MAP_FAILED)
		return false;
	image->bytes = room;
	image->room = bytes;
	return true;
}

static void
drop_room(struct image *image)
{
	if (image->bytes != NULL)
		munmap(image->bytes, image->room);
	image->bytes = NULL;
	image->room = 0;
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

		if (image->copy == NULL)
			drop_room(image);
	}
	return map_room(found, bytes) ? found : NULL;
}

static struct image *
oldest_join(struct panels *panels)
{
	struct image *oldest = NULL;

	for (unsigned i = 0; i < IMAGE_COUNT; i++) {
		struct image *image = &panels->images[i];

		if (image->copy != NULL && image->is_joined
		    && (oldest == NULL || image->used < oldest->used))
			oldest = image;
	}
	return oldest;
}

/* *image NULL: there is no room. */
static bool
take_image(struct panels *panels, size_t bytes, struct image **image, struct error *err)
{
	struct image *join;

	for (;;) {
		if ((*image = find_room(panels, bytes)) != NULL
		    || (*image = make_room(panels, bytes)) != NULL
		    || (join = oldest_join(panels)) == NULL)
			return true;
		if (!give_up_join(panels, join, err))
			return false;
	}
}

/* ---- what is joined ---------------------------------------------------------------- */

static struct image *
find_joined(struct panels *panels, const struct plan_copy *copy)
{
	const struct plan_copy *first = joins_copy(&panels->joins, joins_of(&panels->joins, copy), 0);

	for (unsigned i = 0; i < IMAGE_COUNT; i++)
		if (panels->images[i].copy == first && panels->images[i].is_joined)
			return &panels->images[i];
	return NULL;
}

/* For the first element of the copies that are joined with this one.  *image NULL: there is no
 * room for them. */
static bool
start_joined(struct panels *panels, const struct plan_copy *copy, struct image **image,
	struct error *err)
{
	struct join *join = joins_of(&panels->joins, copy);
	uint64_t     count = join->step == 0
		? joins_tensor_elements(&panels->plan->tensors[copy->tensor])
		: join->count * strided_copy_count(&copy->box);

	if (!take_image(panels, count * element_bytes(panels, copy), image, err))
		return false;
	if (*image == NULL) {
		joins_dissolve(&panels->joins, join);
		return true;
	}
	(*image)->copy = joins_copy(&panels->joins, join, 0);
	(*image)->is_joined = true;
	(*image)->first = 0;
	(*image)->last = count;
	(*image)->done = 0;
	return true;
}

static bool
fill_joined(struct panels *panels, struct image *image, const struct plan_copy *copy,
	uint64_t first, uint64_t last, uint64_t start, const unsigned char *bytes,
	struct error *err)
{
	struct strided_copy held = joins_place(&panels->joins, copy);
	size_t              size = element_bytes(panels, copy);

	while (first < last) {
		struct strided_copy box;

		strided_copy_next_box(&held, &first, last, &box);
		image->done += strided_copy_count(&box);
		box.source_offset -= start;
		strided_copy_run(&box, bytes, image->bytes, size);
	}
	joins_of(&panels->joins, copy)->came = last;
	image->used = ++panels->clock;
	return image->done < image->last || put_image(panels, image, err);
}

/* ---- panels ----------------------------------------------------------------------- */

static struct image *
find_panel(struct panels *panels, const struct plan_copy *copy, uint64_t index)
{
	for (unsigned i = 0; i < IMAGE_COUNT; i++) {
		struct image *image = &panels->images[i];

		if (image->copy == copy && !image->is_joined && image->first <= index
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
	if (strided_copy_image(box, image_stride) >= JOINS_LONG_RUN_BYTES / size)
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
	panel->is_joined = false;
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

	if (joins_of(&panels->joins, copy)->count > 0 && (image = find_joined(panels, copy)) == NULL
	    && !start_joined(panels, copy, &image, err))
		return false;
	if (image != NULL)
		return fill_joined(panels, image, copy, first, last, start, bytes, err);
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
	if (!joins_find(&panels->joins, plan, limit_bytes, err) || panels->portion == NULL) {
		error_no_memory(err, panels->portion_bytes);
		panels_close(panels);
		return NULL;
	}
	return panels;
}

void
panels_close(struct panels *panels)
{
	if (panels == NULL)
		return;
	for (unsigned i = 0; i < IMAGE_COUNT; i++)
		drop_room(&panels->images[i]);
	joins_free(&panels->joins);
	free(panels->portion);
	free(panels);
}
