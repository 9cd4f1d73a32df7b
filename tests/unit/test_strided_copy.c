#include "check.h"

#include "plan/strided_copy.h"

#include <stdlib.h>

/* A reference that shares nothing with the kernel: one element at a time, by definition. */
static void
copy_by_definition(const struct strided_copy *copy, const unsigned char *source,
	unsigned char *target, size_t element_bytes)
{
	uint64_t count = strided_copy_count(copy);

	for (uint64_t n = 0; n < count; n++) {
		uint64_t left = n, from = copy->source_offset, to = copy->target_offset;
		for (unsigned i = copy->dims; i-- > 0; left /= copy->extent[i]) {
			from += left % copy->extent[i] * copy->source_stride[i];
			to += left % copy->extent[i] * copy->target_stride[i];
		}
		memcpy(target + to * element_bytes, source + from * element_bytes, element_bytes);
	}
}

static const struct {
	const char         *name;
	struct strided_copy copy;
} rows[] = {
	{ "one element", { 0, { 0 }, { 0 }, { 0 }, 5, 7 } },
	{ "row", { 1, { 100 }, { 1 }, { 1 }, 3, 4 } },
	{ "transposition", { 2, { 37, 45 }, { 45, 1 }, { 1, 37 }, 0, 0 } },
	{ "transposition into columns of a wider target", { 2, { 40, 33 }, { 33, 1 }, { 1, 100 },
		2, 60 } },
	{ "source stored transposed", { 2, { 20, 30 }, { 1, 20 }, { 30, 1 }, 1, 1 } },
	{ "QKV layout 2", { 4, { 4, 3, 6, 24 }, { 432, 144, 24, 1 }, { 6, 24, 1, 72 }, 0, 0 } },
	{ "QKV layout 1", { 4, { 4, 6, 3, 24 }, { 432, 72, 24, 1 }, { 6, 1, 24, 72 }, 0, 0 } },
	{ "QKV layout 0, rank 1 of 2", { 4, { 3, 2, 6, 24 }, { 288, 144, 24, 1 },
		{ 24, 6, 1, 72 }, 0, 12 } },
	{ "gaps in the source", { 2, { 9, 11 }, { 50, 3 }, { 11, 1 }, 4, 0 } },
	{ "expanded dimension", { 2, { 8, 12 }, { 0, 1 }, { 12, 1 }, 2, 0 } },
	{ "extents of 1", { 4, { 1, 5, 1, 7 }, { 900, 7, 3, 1 }, { 1, 1, 40, 5 }, 0, 0 } },
};

#define ROOM 65536
static unsigned char source[ROOM], expected[ROOM], found[ROOM], image[ROOM];

/* Splits the copy into memory ranges as a stream would, and each into boxes. */
static void
run_in_pieces(const struct strided_copy *copy, uint64_t piece, size_t element_bytes)
{
	for (uint64_t at = 0; at < ROOM / element_bytes; at += piece) {
		uint64_t first = strided_copy_rank(copy, at), last = strided_copy_rank(copy, at + piece);

		while (first < last) {
			struct strided_copy box, to_image;
			uint64_t            stride[COPY_MAX_DIMS], run, in_box = first;

			strided_copy_next_box(copy, &first, last, &box);
			CHECK(first > in_box && first <= last, "boxes move on");
			run = strided_copy_image(&box, stride);
			to_image = box;
			to_image.target_offset = 0;
			memcpy(to_image.target_stride, stride, sizeof stride);
			strided_copy_run(&to_image, source, image, element_bytes);
			/* Run by run, the image is what belongs into the target. */
			for (uint64_t at_run = 0; at_run < strided_copy_count(&box); at_run += run)
				memcpy(found + strided_copy_image_target(&box, stride, at_run)
					* element_bytes, image + at_run * element_bytes,
					run * element_bytes);
		}
	}
}

int
main(void)
{
	static const size_t sizes[] = { 1, 2, 4, 8 };

	srand(1);
	for (size_t i = 0; i < ROOM; i++)
		source[i] = (unsigned char)rand();
	for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
		for (size_t s = 0; s < 4; s++) {
			struct strided_copy normal = rows[r].copy;
			uint64_t            pieces[] = { 1, 7, 64, 1000, ROOM };

			if (strided_copy_source_end(&normal) * sizes[s] > ROOM
			    || strided_copy_count(&normal) * sizes[s] * 3 > ROOM)
				continue;
			memset(expected, 0, sizeof expected);
			memset(found, 0, sizeof found);
			copy_by_definition(&rows[r].copy, source, expected, sizes[s]);
			strided_copy_run(&rows[r].copy, source, found, sizes[s]);
			CHECK(memcmp(expected, found, ROOM) == 0, "%s, %zu bytes, as it is",
				rows[r].name, sizes[s]);
			CHECK(strided_copy_normalise(&normal), "%s", rows[r].name);
			CHECK(strided_copy_count(&normal) == strided_copy_count(&rows[r].copy), "%s",
				rows[r].name);
			for (size_t p = 0; p < sizeof pieces / sizeof *pieces; p++) {
				memset(found, 0, sizeof found);
				run_in_pieces(&normal, pieces[p], sizes[s]);
				CHECK(memcmp(expected, found, ROOM) == 0, "%s, %zu bytes, pieces of %u",
					rows[r].name, sizes[s], (unsigned)pieces[p]);
			}
		}
	}
	{
		struct strided_copy overlapping = { 2, { 4, 4 }, { 2, 1 }, { 4, 1 }, 0, 0 };
		CHECK(!strided_copy_normalise(&overlapping), "an overlapping view is told");
	}
	return check_end("strided_copy");
}
