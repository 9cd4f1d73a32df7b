#include "plan/input_pass.h"

#include "base/signals.h"
#include "container/crc32.h"
#include "container/inflate.h"
#include "torch/torch_pass.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Deflated bytes that are worth two places. */
#define AHEAD_LEAST ((uint64_t)1 << 20)

/* What is made once, for all inputs. */
struct input_pass {
	const struct shards      *shards;
	struct scatter           *scatter;
	struct input_pass_options options;
	struct slab_pool         *read_pool, *inflate_pool;
};

/* One shard while its bytes go by. */
struct shard_run {
	const struct shard *shard;
	size_t              index;
	uint64_t            begin, end;         /* in its input, as it is stored */
	struct inflater    *inflater;           /* NULL: it is not deflated */
	struct inflate_ahead *ahead;            /* which does it in its place, as long as it can */
	struct input_run   *run;                /* for the sink of that */
	uint64_t            again;              /* bytes that the inflater makes again */
	struct torch_pass  *pass;
	struct torch_file  *piece;              /* open while its bytes go by */
	struct scatter     *scatter;
	uint32_t            crc;
	uint64_t            bytes;              /* of the stream that went by */
};

/* One input file while it is read. */
struct input_run {
	const struct shards *shards;
	size_t               input;
	struct shard_run    *items;             /* by begin */
	size_t               count;
	size_t               current;           /* of the stage that takes raw slabs */
	struct digest       *digest;            /* NULL: not wanted */
	struct slab_pool    *inflate_pool;
	struct conveyor     *to_digest, *to_members, *to_records;
};

static bool
error_in_shard(const struct input_run *run, const struct shard_run *item, struct error *err)
{
	if (err->kind == ERROR_CORRUPT && err->hint[0] == '\0')
		error_hint(err, "the file is damaged: get it again, and compare its checksum");
	if (item->shard->member != NULL || item->shard->piece != NULL)
		error_in_member(err, item->shard->member != NULL ? item->shard->member
			: item->shard->piece);
	return error_in_file(err, run->shards->inputs[run->input]->name);
}

/* ---- records: what a shard's bytes mean ------------------------------------------- */

static bool
take_storage(void *context, size_t storage, uint64_t byte_offset, const unsigned char *bytes,
	size_t count, struct error *err)
{
	struct shard_run *item = context;

	return scatter_bytes(item->scatter, item->index, storage, byte_offset, bytes, count, err);
}

static bool
take_bytes(struct shard_run *item, const unsigned char *bytes, size_t count, struct error *err)
{
	if (item->shard->member != NULL)
		item->crc = crc32_of(item->crc, bytes, count);
	item->bytes += count;
	return torch_pass_feed(item->pass, bytes, count, err);
}

/* The last byte of the shard went by. */
static bool
end_shard(struct shard_run *item, struct error *err)
{
	if (item->shard->member != NULL && item->crc != item->shard->member_crc)
		return error_set(err, ERROR_CORRUPT, "bitflip",
			"CRC-32 mismatch (stored %08x, computed %08x)", item->shard->member_crc,
			item->crc);
	return torch_pass_finish(item->pass, err);
}

static void
close_piece(struct shard_run *item)
{
	torch_pass_close(item->pass);
	shards_close_piece(item->piece);
	item->pass = NULL;
	item->piece = NULL;
}

/* A conveyor_consumer: inflated bytes of the shard that the slab names. */
static bool
take_inflated(void *context, struct slab *slab, struct error *err)
{
	struct input_run *run = context;
	struct shard_run *item = &run->items[slab->tag];

	if (!take_bytes(item, slab->bytes + slab->start, slab->length, err))
		return error_in_shard(run, item, err);
	return true;
}

/* ---- members: which bytes of the file are a shard's ------------------------------- */

/*
 * More came out than was declared.  A flipped bit does that too: the member is only called
 * hostile when what was declared is intact.
 */
static bool
judge_overflow(struct input_run *run, struct shard_run *item, struct error *err)
{
	struct error records = { 0 };

	if (strcmp(err->slug, "defllong") == 0 && conveyor_finish(run->to_records, &records)
	    && item->crc != item->shard->member_crc)
		error_set(err, ERROR_CORRUPT, "bitflip", "damaged: the first %" PRIu64 " bytes have "
			"CRC-32 %08x, not %08x, and more follow", item->bytes, item->crc,
			item->shard->member_crc);
	return error_in_shard(run, item, err);
}

/* What the slab holds goes to the records, save what these have already. */
static bool
send_inflated(struct input_run *run, struct shard_run *item, struct slab *slab,
	struct error *err)
{
	size_t again = item->again < slab->length ? (size_t)item->again : slab->length;

	item->again -= again;
	slab->start += again;
	slab->length -= again;
	slab->tag = (size_t)(item - run->items);
	return conveyor_push(run->to_records, slab, err);
}

/* An inflate_ahead_sink. */
static bool
send_ahead(void *context, struct slab *slab, struct error *err)
{
	struct shard_run *item = context;

	return send_inflated(item->run, item, slab, err);
}

static bool
inflate_in_turn(struct input_run *run, struct shard_run *item, const unsigned char *bytes,
	size_t count, struct error *err)
{
	size_t made;

	do {
		struct slab *slab = slab_take(run->inflate_pool);
		struct error fault = { 0 };
		bool         intact = inflater_step(item->inflater, &bytes, &count, slab->bytes,
			SLAB_BYTES, &made, &fault);

		slab->length = made;
		if (!send_inflated(run, item, slab, err))
			return false;
		if (!intact) {
			*err = fault;
			return judge_overflow(run, item, err);
		}
		if (inflater_ended(item->inflater) && count > 0) {
			error_set(err, ERROR_CORRUPT, "deflbad",
				"%zu bytes after the end of the compressed data", count);
			return error_in_shard(run, item, err);
		}
	} while (count > 0 || made == SLAB_BYTES);
	return true;
}

/* The shard's bytes up to `end` of the file, once more and in the same pieces, now by the
 * inflater: it decides what is wrong with them, if anything is. */
static bool
begin_anew(struct input_run *run, struct shard_run *item, uint64_t end, struct error *err)
{
	const struct input_file *file = run->shards->inputs[run->input];
	unsigned char           *piece = malloc(SLAB_BYTES);
	bool                     done = piece != NULL || error_no_memory(err, SLAB_BYTES);

	item->again = inflate_ahead_made(item->ahead);
	inflate_ahead_close(item->ahead);
	item->ahead = NULL;
	for (uint64_t from = item->begin, to; from < end && done; from = to) {
		to = (from / SLAB_BYTES + 1) * SLAB_BYTES;
		to = to < end ? to : end;
		done = signals_go_on(err)
			&& input_file_read(file, from, piece, (size_t)(to - from), err)
			&& inflate_in_turn(run, item, piece, (size_t)(to - from), err);
	}
	free(piece);
	return done;
}

/* Bytes of a shard that is deflated, from `from` to `to` of the file. */
static bool
take_deflated(struct input_run *run, struct shard_run *item, const unsigned char *bytes,
	uint64_t from, uint64_t to, struct error *err)
{
	bool last = to == item->end;

	if (from == item->begin && item->end - item->begin >= AHEAD_LEAST) {
		item->ahead = inflate_ahead_open(byte_stream_length(item->shard->stream),
			INFLATE_AHEAD_ROUND, run->inflate_pool, send_ahead, item, err);
		if (item->ahead == NULL)
			return false;
	}
	if (item->ahead == NULL) {
		if (!inflate_in_turn(run, item, bytes, (size_t)(to - from), err))
			return false;
	} else {
		if (!inflate_ahead_feed(item->ahead, bytes, (size_t)(to - from), last, err))
			return false;
		if (!inflate_ahead_gave_up(item->ahead)) {
			if (last) {
				inflate_ahead_close(item->ahead);
				item->ahead = NULL;
			}
			return true;
		}
		if (!begin_anew(run, item, to, err))
			return false;
	}
	return !last || inflater_finish(item->inflater, err);
}

/* Bytes of a shard that is not deflated.  A piece of a distributed checkpoint is only open
 * from its first byte to its last. */
static bool
take_stored(struct input_run *run, struct shard_run *item, const unsigned char *bytes,
	size_t count, struct error *err)
{
	bool is_piece = item->shard->torch == NULL;

	if (is_piece && item->piece == NULL
	    && ((item->piece = shards_open_piece(run->shards, item->index, err)) == NULL
	    || (item->pass = torch_pass_open(item->piece, take_storage, item, err)) == NULL))
		return false;
	if (!take_bytes(item, bytes, count, err))
		return false;
	if (!is_piece || item->bytes < item->end - item->begin)
		return true;
	if (!end_shard(item, err))
		return false;
	close_piece(item);
	return true;
}

/* A conveyor_consumer: a piece of the file as it is. */
static bool
take_raw(void *context, struct slab *slab, struct error *err)
{
	struct input_run *run = context;
	uint64_t          end = slab->offset + slab->length;

	while (run->current < run->count && run->items[run->current].begin < end) {
		struct shard_run    *item = &run->items[run->current];
		uint64_t             from = item->begin > slab->offset ? item->begin : slab->offset;
		uint64_t             to = item->end < end ? item->end : end;
		const unsigned char *bytes = slab->bytes + (from - slab->offset);

		if (item->inflater != NULL) {
			if (!take_deflated(run, item, bytes, from, to, err))
				return error_in_shard(run, item, err);
		} else if (!take_stored(run, item, bytes, to - from, err)) {
			return error_in_shard(run, item, err);
		}
		if (item->end > end)
			break;
		run->current++;
	}
	return true;
}

/* A conveyor_consumer. */
static bool
take_for_digest(void *context, struct slab *slab, struct error *err)
{
	struct input_run *run = context;

	(void)err;
	digest_add(run->digest, slab->bytes, slab->length);
	return true;
}

/* ---- one input -------------------------------------------------------------------- */

static int
compare_begin(const void *a, const void *b)
{
	const struct shard_run *x = a, *y = b;

	return x->begin < y->begin ? -1 : x->begin > y->begin;
}

static bool
open_shard_run(struct input_pass *pass, size_t index, struct shard_run *item,
	struct error *err)
{
	const struct shard *shard = &pass->shards->items[index];
	struct byte_stream *stream = shard->stream;

	*item = (struct shard_run){ .shard = shard, .index = index,
		.scatter = pass->scatter };
	item->begin = stream != NULL ? byte_stream_file_offset(stream) : shard->offset;
	item->end = item->begin + (stream != NULL ? byte_stream_stored_length(stream)
		: shard->length);
	if (stream != NULL && byte_stream_is_deflated(stream)) {
		item->inflater = inflater_open(byte_stream_length(stream), err);
		if (item->inflater == NULL)
			return false;
	}
	return true;
}

/* The passes point at the items they feed, so they are opened when these lie still. */
static bool
open_passes(struct input_run *run, struct error *err)
{
	qsort(run->items, run->count, sizeof *run->items, compare_begin);
	for (size_t i = 0; i < run->count; i++) {
		struct shard_run *item = &run->items[i];

		item->run = run;
		if (item->shard->torch == NULL)
			continue;
		item->pass = torch_pass_open(item->shard->torch, take_storage, item, err);
		if (item->pass == NULL)
			return error_in_shard(run, item, err);
	}
	return true;
}

static bool
open_input_run(struct input_pass *pass, size_t input, struct input_run *run,
	struct error *err)
{
	const struct shards *shards = pass->shards;
	const bool           beside = pass->options.beside, digests = pass->options.digests;
	bool                 deflated = false;

	*run = (struct input_run){ .shards = shards, .input = input,
		.inflate_pool = pass->inflate_pool };
	run->items = calloc(shards->count, sizeof *run->items);
	if (digests)
		run->digest = digest_open(DIGEST_SHA256);
	if (run->items == NULL || (digests && run->digest == NULL))
		return error_no_memory(err, shards->count * sizeof *run->items);
	for (size_t i = 0; i < shards->count; i++) {
		if (shards->items[i].input != input)
			continue;
		if (!open_shard_run(pass, i, &run->items[run->count++], err))
			return false;
		deflated = deflated || run->items[run->count - 1].inflater != NULL;
	}
	return open_passes(run, err)
		&& (run->to_digest = conveyor_open(beside && digests,
			take_for_digest, run, err)) != NULL
		&& (run->to_members = conveyor_open(beside, take_raw, run, err)) != NULL
		&& (run->to_records = conveyor_open(beside && deflated, take_inflated, run, err))
			!= NULL;
}

static void
close_input_run(struct input_run *run)
{
	conveyor_close(run->to_digest);
	conveyor_close(run->to_members);
	conveyor_close(run->to_records);
	for (size_t i = 0; i < run->count; i++) {
		close_piece(&run->items[i]);
		inflate_ahead_close(run->items[i].ahead);
		inflater_close(run->items[i].inflater);
	}
	free(run->items);
	digest_close(run->digest);
}

static bool
read_slabs(struct input_pass *pass, struct input_run *run, struct error *err)
{
	const struct input_file *file = run->shards->inputs[run->input];

	for (uint64_t offset = 0; offset < file->size; offset += SLAB_BYTES) {
		struct slab *slab;
		uint64_t     left = file->size - offset;
		size_t       length = left < SLAB_BYTES ? (size_t)left : SLAB_BYTES;

		if (!signals_go_on(err))
			return false;
		slab = slab_take(pass->read_pool);
		slab->offset = offset;
		slab->length = length;
		if (!input_file_read(file, offset, slab->bytes, length, err)) {
			slab_release(slab);
			return error_in_file(err, file->name);
		}
		if (run->digest != NULL) {
			slab_share(slab);
			if (!conveyor_push(run->to_digest, slab, err)) {
				slab_release(slab);
				return false;
			}
		}
		if (!conveyor_push(run->to_members, slab, err))
			return false;
		pass->options.progress(pass->options.context, length);
	}
	return true;
}

/* All conveyors are emptied, in the order of the flow, whatever failed. */
static bool
finish_conveyors(struct input_run *run, struct error *err)
{
	struct error later;
	bool         members = conveyor_finish(run->to_members, err);
	bool         records = conveyor_finish(run->to_records, members ? err : &later);

	/* A fault in the records stops the members' stage too: the cause is the former. */
	if (!members && !records)
		*err = later;
	return conveyor_finish(run->to_digest, members && records ? err : &later)
		&& members && records;
}

bool
input_pass_run(struct input_pass *pass, size_t input, char sha256[DIGEST_HEX_SIZE],
	struct error *err)
{
	const struct input_file *file = pass->shards->inputs[input];
	struct input_run         run;
	struct error             cause;
	bool                     done;

	done = open_input_run(pass, input, &run, err);
	if (done) {
		done = read_slabs(pass, &run, err);
		if (!finish_conveyors(&run, &cause)) {
			if (done || err->kind != ERROR_SIGNAL)
				*err = cause;
			done = false;
		}
	}
	for (size_t i = 0; i < run.count && done; i++)
		done = run.items[i].shard->torch == NULL || end_shard(&run.items[i], err)
			|| error_in_shard(&run, &run.items[i], err);
	done = done && (input_file_unchanged(file, err) || error_in_file(err, file->name));
	if (done && run.digest != NULL)
		digest_hex(run.digest, sha256);
	close_input_run(&run);
	return done;
}

/* ---- all of them ------------------------------------------------------------------ */

struct input_pass *
input_pass_open(const struct shards *shards, struct scatter *scatter,
	const struct input_pass_options *options, struct error *err)
{
	struct input_pass *pass = calloc(1, sizeof *pass);

	if (pass == NULL) {
		error_no_memory(err, sizeof *pass);
		return NULL;
	}
	pass->shards = shards;
	pass->scatter = scatter;
	pass->options = *options;
	if ((pass->read_pool = slab_pool_open(INPUT_PASS_READ_SLABS, err)) != NULL
	    && (pass->inflate_pool = slab_pool_open(INPUT_PASS_INFLATE_SLABS, err)) != NULL)
		return pass;
	input_pass_close(pass);
	return NULL;
}

void
input_pass_close(struct input_pass *pass)
{
	if (pass == NULL)
		return;
	slab_pool_close(pass->inflate_pool);
	slab_pool_close(pass->read_pool);
	free(pass);
}
