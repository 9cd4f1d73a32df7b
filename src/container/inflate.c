#include "container/inflate.h"

#include "container/inflate_engine.h"

#include <inttypes.h>
#include <stdlib.h>

struct inflater {
	struct inflate_engine *engine;
	uint64_t               declared, made, taken;
	bool                   ended;
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
	if ((inflater->engine = inflate_engine_open()) == NULL) {
		free(inflater);
		error_no_memory(err, 1 << 15);
		return NULL;
	}
	return inflater;
}

void
inflater_restart(struct inflater *inflater)
{
	inflate_engine_restart(inflater->engine);
	inflater->made = inflater->taken = 0;
	inflater->ended = false;
}

/* One call of the library; *made is what it put to `out`. */
static bool
run_engine(struct inflater *inflater, const unsigned char **in, size_t *in_count,
	unsigned char *out, size_t room, size_t *made, struct error *err)
{
	const char          *reason;
	size_t               taken;
	enum inflate_outcome outcome = inflate_engine_run(inflater->engine, *in, *in_count,
		&taken, out, room, made, &reason);

	if (taken > 0)          /* else there may be nothing to point at */
		*in += taken;
	*in_count -= taken;
	inflater->taken += taken;
	inflater->ended = outcome == INFLATE_ENDED;
	if (outcome == INFLATE_NO_MEMORY)
		return error_no_memory(err, 1 << 15);
	return outcome != INFLATE_DAMAGED || error_set(err, ERROR_CORRUPT, "deflbad",
		"damaged compressed data at byte %" PRIu64 ": %s", inflater->taken, reason);
}

/* All that is declared was made: only the end of the deflate stream may follow. */
static bool
probe_end(struct inflater *inflater, const unsigned char **in, size_t *in_count,
	struct error *err)
{
	unsigned char beyond;
	size_t        made;

	if (!run_engine(inflater, in, in_count, &beyond, 1, &made, err))
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
		if (!run_engine(inflater, in, in_count, out,
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
	inflate_engine_close(inflater->engine);
	free(inflater);
}
