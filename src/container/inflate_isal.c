#include "container/inflate_engine.h"

/* Only where it is installed. */
#ifdef M2H_HAS_ISAL

#include <isa-l/igzip_lib.h>
#include <limits.h>
#include <stdlib.h>

struct inflate_engine {
	struct inflate_state isal;
};

struct inflate_engine *
inflate_engine_open(void)
{
	struct inflate_engine *engine = calloc(1, sizeof *engine);

	if (engine != NULL)
		isal_inflate_init(&engine->isal);
	return engine;
}

void
inflate_engine_restart(struct inflate_engine *engine)
{
	isal_inflate_init(&engine->isal);
}

static const char *
reason_of(int result)
{
	switch (result) {
	case ISAL_INVALID_BLOCK: return "invalid block";
	case ISAL_INVALID_SYMBOL: return "invalid code";
	case ISAL_INVALID_LOOKBACK: return "invalid distance too far back";
	default: return "not deflate";
	}
}

/* The library reads up to eight bytes ahead: what it has of those when the stream ends was not
 * taken, nor can it all be given back where it came with an earlier piece. */
enum inflate_outcome
inflate_engine_run(struct inflate_engine *engine, const unsigned char *in, size_t in_count,
	size_t *taken, unsigned char *out, size_t room, size_t *made, const char **reason)
{
	struct inflate_state *isal = &engine->isal;
	uint32_t              given = (uint32_t)(in_count < UINT_MAX ? in_count : UINT_MAX);
	uint32_t              space = (uint32_t)(room < UINT_MAX ? room : UINT_MAX);
	size_t                ahead;
	int                   result;

	isal->next_in = (uint8_t *)(uintptr_t)in;       /* which it only reads */
	isal->avail_in = given;
	isal->next_out = out;
	isal->avail_out = space;
	result = isal_inflate(isal);
	*taken = given - isal->avail_in;
	*made = space - isal->avail_out;
	*reason = reason_of(result);
	if (result < ISAL_DECOMP_OK)
		return INFLATE_DAMAGED;
	if (isal->block_state != ISAL_BLOCK_FINISH)
		return INFLATE_MORE;
	ahead = isal->read_in_length > 0 ? (size_t)isal->read_in_length / 8 : 0;
	isal->read_in_length = 0;
	if (ahead > *taken) {
		*reason = "bytes after its end";
		return INFLATE_DAMAGED;
	}
	*taken -= ahead;
	return INFLATE_ENDED;
}

void
inflate_engine_close(struct inflate_engine *engine)
{
	free(engine);
}

const char *
inflate_engine_name(void)
{
	return "ISA-L";
}

#endif
