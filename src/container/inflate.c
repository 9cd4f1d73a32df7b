#define ZLIB_CONST              /* zlib's next_in points to const */
#include "container/inflate.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <zlib.h>

struct inflater {
	z_stream zlib;
	uint64_t declared, made, taken;
	bool     ended;
};

struct inflater *
inflater_open(uint64_t declared_length, struct error *err)
{
	struct inflater *inflater = calloc(1, sizeof *inflater);

	if (inflater == NULL) {
		error_no_memory(err, sizeof *inflater);
		return NULL;
	}
	inflater->declared = declared_length;
	if (inflateInit2(&inflater->zlib, -MAX_WBITS) != Z_OK) {
		free(inflater);
		error_no_memory(err, 1 << MAX_WBITS);
		return NULL;
	}
	return inflater;
}

bool
inflater_restart(struct inflater *inflater, struct error *err)
{
	if (inflateReset2(&inflater->zlib, -MAX_WBITS) != Z_OK)
		return error_set(err, ERROR_INTERNAL, "internal", "cannot restart zlib");
	inflater->made = inflater->taken = 0;
	inflater->ended = false;
	return true;
}

/* One call of zlib; *made is what it put to `out`. */
static bool
run_zlib(struct inflater *inflater, const unsigned char **in, size_t *in_count,
	unsigned char *out, size_t room, size_t *made, struct error *err)
{
	z_stream *zlib = &inflater->zlib;
	uInt      given = (uInt)(*in_count < UINT_MAX ? *in_count : UINT_MAX);
	uInt      space = (uInt)(room < UINT_MAX ? room : UINT_MAX);
	int       result;

	zlib->next_in = *in;
	zlib->avail_in = given;
	zlib->next_out = out;
	zlib->avail_out = space;
	result = inflate(zlib, Z_NO_FLUSH);
	*in += given - zlib->avail_in;
	*in_count -= given - zlib->avail_in;
	inflater->taken += given - zlib->avail_in;
	*made = space - zlib->avail_out;
	inflater->ended = result == Z_STREAM_END;
	/* Z_BUF_ERROR: no input or no room, nothing is wrong. */
	if (result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR)
		return true;
	if (result == Z_MEM_ERROR)
		return error_no_memory(err, 1 << MAX_WBITS);
	return error_set(err, ERROR_CORRUPT, "deflbad",
		"damaged compressed data at byte %" PRIu64 ": %s", inflater->taken,
		zlib->msg != NULL ? zlib->msg : "not deflate");
}

/* All that is declared was made: only the end of the deflate stream may follow. */
static bool
probe_end(struct inflater *inflater, const unsigned char **in, size_t *in_count,
	struct error *err)
{
	unsigned char beyond;
	size_t        made;

	if (!run_zlib(inflater, in, in_count, &beyond, 1, &made, err))
		return false;
	if (made == 0)
		return true;
	inflater->ended = false;
	return error_set(err, ERROR_UNSAFE, "defllong",
		"expands beyond its declared %" PRIu64 " bytes", inflater->declared);
}

bool
inflater_step(struct inflater *inflater, const unsigned char **in, size_t *in_count,
	unsigned char *out, size_t room, size_t *made, struct error *err)
{
	uint64_t left = inflater->declared - inflater->made;

	*made = 0;
	if (inflater->ended)
		return true;
	if (left > 0) {
		if (!run_zlib(inflater, in, in_count, out,
		    room < left ? room : (size_t)left, made, err))
			return false;
		inflater->made += *made;
	}
	if (inflater->made < inflater->declared || inflater->ended)
		return true;
	return probe_end(inflater, in, in_count, err);
}

bool
inflater_ended(const struct inflater *inflater)
{
	return inflater->ended;
}

bool
inflater_finish(const struct inflater *inflater, struct error *err)
{
	if (inflater->ended && inflater->made == inflater->declared)
		return true;
	if (inflater->made == inflater->declared)
		return error_set(err, ERROR_CORRUPT, "deflshort",
			"compressed data has no end: cut after %" PRIu64 " bytes",
			inflater->taken);
	return error_set(err, ERROR_CORRUPT, "deflshort",
		"expands to %" PRIu64 " bytes, %" PRIu64 " declared", inflater->made,
		inflater->declared);
}

void
inflater_close(struct inflater *inflater)
{
	if (inflater == NULL)
		return;
	inflateEnd(&inflater->zlib);
	free(inflater);
}
