#include "container/inflate_engine.h"

/* Not where ISA-L does it. */
#ifndef M2H_HAS_ISAL

#define ZLIB_CONST              /* zlib's next_in points to const */
#include <limits.h>
#include <stdlib.h>
#include <zlib.h>

struct inflate_engine {
	z_stream zlib;
};

struct inflate_engine *
inflate_engine_open(void)
{
	struct inflate_engine *engine = calloc(1, sizeof *engine);

	if (engine != NULL && inflateInit2(&engine->zlib, -MAX_WBITS) != Z_OK) {
		free(engine);
		return NULL;
	}
	return engine;
}

void
inflate_engine_restart(struct inflate_engine *engine)
{
	inflateReset2(&engine->zlib, -MAX_WBITS);
}

enum inflate_outcome
inflate_engine_run(struct inflate_engine *engine, const unsigned char *in, size_t in_count,
	size_t *taken, unsigned char *out, size_t room, size_t *made, const char **reason)
{
	z_stream *zlib = &engine->zlib;
	uInt      given = (uInt)(in_count < UINT_MAX ? in_count : UINT_MAX);
	uInt      space = (uInt)(room < UINT_MAX ? room : UINT_MAX);
	int       result;

	zlib->next_in = in;
	zlib->avail_in = given;
	zlib->next_out = out;
	zlib->avail_out = space;
	result = inflate(zlib, Z_NO_FLUSH);
	*taken = given - zlib->avail_in;
	*made = space - zlib->avail_out;
	*reason = zlib->msg != NULL ? zlib->msg : "not deflate";
	/* Z_BUF_ERROR: no input or no room, nothing is wrong. */
	if (result == Z_OK || result == Z_BUF_ERROR)
		return INFLATE_MORE;
	return result == Z_STREAM_END ? INFLATE_ENDED
		: result == Z_MEM_ERROR ? INFLATE_NO_MEMORY : INFLATE_DAMAGED;
}

void
inflate_engine_close(struct inflate_engine *engine)
{
	if (engine != NULL)
		inflateEnd(&engine->zlib);
	free(engine);
}

const char *
inflate_engine_name(void)
{
	return "zlib " ZLIB_VERSION;
}

#endif
