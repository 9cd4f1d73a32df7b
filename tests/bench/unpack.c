/*
 * How fast a library inflates the largest member of a zip, and nothing else; the bytes are
 * dropped:
 *
 *     unpack isal|zlib ZIP      as a stream, in steps of 1 MiB
 *     unpack libdeflate ZIP     the whole member at once, which no stream can do
 *     unpack                    prints isal or zlib: what megatron2hf was built with
 *
 * Prints seconds.
 */
#include <err.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifdef M2H_HAS_ISAL
#include <isa-l/igzip_lib.h>
#endif
#include <libdeflate.h>
#include <zip.h>
#include <zlib.h>

enum { STEP = 1 << 20 };

static double
seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static unsigned char *
new_buffer(uint64_t size)
{
	unsigned char *bytes = malloc(size);

	if (bytes == NULL)
		err(1, "buffer");
	return bytes;
}

static zip_stat_t
largest_member(zip_t *zip)
{
	zip_stat_t  largest = { .size = 0 }, found;
	zip_int64_t count = zip_get_num_entries(zip, 0);

	for (zip_int64_t i = 0; i < count; i++)
		if (zip_stat_index(zip, (zip_uint64_t)i, 0, &found) == 0 &&
		    found.size > largest.size)
			largest = found;
	if (largest.size == 0)
		errx(1, "the zip holds no data");
	if (largest.comp_method != ZIP_CM_DEFLATE)
		errx(1, "%s is not deflated", largest.name);
	return largest;
}

/* Up to `most` of the member's raw bytes. */
static size_t
read_packed(zip_file_t *member, unsigned char *packed, uint64_t most)
{
	uint64_t    filled = 0;
	zip_int64_t got = 1;

	while (filled < most && got > 0) {
		got = zip_fread(member, packed + filled, most - filled);
		if (got > 0)
			filled += (uint64_t)got;
	}
	return filled;
}

/* Each inflates the raw bytes of an open member and returns how many came out. */

#ifdef M2H_HAS_ISAL
static uint64_t
stream_isal(zip_file_t *member, const zip_stat_t *found)
{
	unsigned char        *packed = new_buffer(STEP), *plain = new_buffer(STEP);
	struct inflate_state *state = calloc(1, sizeof *state);
	uint64_t              total = 0;
	bool                  more = true;

	(void)found;
	if (state == NULL)
		err(1, "state");
	isal_inflate_init(state);
	while (more && state->block_state != ISAL_BLOCK_FINISH) {
		if (state->avail_in == 0) {
			state->next_in = packed;
			state->avail_in = (uint32_t)read_packed(member, packed, STEP);
			more = state->avail_in > 0;
		}
		state->next_out = plain;
		state->avail_out = STEP;
		if (isal_inflate(state) < ISAL_DECOMP_OK)
			more = false;
		total += STEP - state->avail_out;
	}
	if (state->block_state != ISAL_BLOCK_FINISH)
		errx(1, "the member does not inflate");
	free(state);
	free(packed);
	free(plain);
	return total;
}
#endif

static uint64_t
stream_zlib(zip_file_t *member, const zip_stat_t *found)
{
	unsigned char *packed = new_buffer(STEP), *plain = new_buffer(STEP);
	z_stream       stream = { .next_in = NULL };
	int            result = inflateInit2(&stream, -15);
	uint64_t       total;

	(void)found;
	while (result == Z_OK || result == Z_BUF_ERROR) {
		if (stream.avail_in == 0) {
			stream.next_in = packed;
			stream.avail_in = (unsigned)read_packed(member, packed, STEP);
			if (stream.avail_in == 0)
				break;
		}
		stream.next_out = plain;
		stream.avail_out = STEP;
		result = inflate(&stream, Z_NO_FLUSH);
	}
	if (result != Z_STREAM_END)
		errx(1, "the member does not inflate");
	total = stream.total_out;
	inflateEnd(&stream);
	free(packed);
	free(plain);
	return total;
}

static uint64_t
whole_libdeflate(zip_file_t *member, const zip_stat_t *found)
{
	unsigned char *packed = new_buffer(found->comp_size), *plain = new_buffer(found->size);
	struct libdeflate_decompressor *decompressor = libdeflate_alloc_decompressor();
	size_t         filled = read_packed(member, packed, found->comp_size), total = 0;

	if (decompressor == NULL)
		err(1, "state");
	if (libdeflate_deflate_decompress(decompressor, packed, filled, plain, found->size,
	    &total) != LIBDEFLATE_SUCCESS)
		errx(1, "the member does not inflate");
	libdeflate_free_decompressor(decompressor);
	free(packed);
	free(plain);
	return total;
}

/* The first is the one that megatron2hf uses. */
static const struct library {
	const char *name;
	uint64_t  (*unpack)(zip_file_t *member, const zip_stat_t *found);
} libraries[] = {
#ifdef M2H_HAS_ISAL
	{ "isal",       stream_isal },
#endif
	{ "zlib",       stream_zlib },
	{ "libdeflate", whole_libdeflate },
};

static double
measure(const struct library *library, const char *path)
{
	double      start = seconds_now();
	zip_t      *zip = zip_open(path, ZIP_RDONLY, NULL);
	zip_stat_t  found;
	zip_file_t *member;

	if (zip == NULL)
		errx(1, "%s is not a zip", path);
	found = largest_member(zip);
	if ((member = zip_fopen_index(zip, found.index, ZIP_FL_COMPRESSED)) == NULL)
		errx(1, "%s: %s", found.name, zip_strerror(zip));
	if (library->unpack(member, &found) != found.size)
		errx(1, "%s: not the size that the zip states", found.name);
	zip_fclose(member);
	zip_discard(zip);
	return seconds_now() - start;
}

int
main(int argc, char **argv)
{
	if (argc == 1) {
		puts(libraries[0].name);
		return 0;
	}
	for (size_t i = 0; i < sizeof libraries / sizeof *libraries; i++)
		if (argc == 3 && strcmp(argv[1], libraries[i].name) == 0) {
			printf("%.3f\n", measure(&libraries[i], argv[2]));
			return 0;
		}
	errx(2, "usage: unpack [isal|zlib|libdeflate ZIP]");
}
