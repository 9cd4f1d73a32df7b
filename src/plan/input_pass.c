#include "plan/input_pass.h"

#include "base/signals.h"
#include "container/crc32.h"
#include "container/inflate.h"
#include "plan/reading_order.h"
#include "torch/torch_pass.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Deflated bytes that are worth two places. */
#define AHEAD_LEAST ((uint64_t)1 << 20)

/* One shard while its bytes go by. */
struct shard_run {
	const struct shard *shard;
	size_t              index;
	uint64_t            begin, end;         /* in its input, as it is stored */
	struct inflater    *inflater;           /* NULL: it is not deflated */
	struct inflate_ahead *ahead;            /* NULL, or it inflates as far as it can */
	uint64_t            cut;                /* where the first piece of it ended */
	uint64_t            again;              /* bytes that the inflater has to make again */
	struct input_pass  *owner;
	struct torch_pass  *pass;               /* NULL: before its first byte, after its last */
	struct torch_file  *piece;              /* open while its bytes go by */
	struct scatter     *scatter;
	uint32_t            crc;
	uint64_t            bytes;              /* of the stream that went by */
};

/* One input file while it is read. */
struct input_run {
	struct shard_run *items;                /* by begin */
	size_t            count;
	size_t            current;              /* of the stage that takes raw slabs */
	bool              is_open;
	struct digest    *digest;               /* NULL: not wanted */
};

#define DIGEST_LANES 4

/*
 *     read ─┬─ lanes: SHA-256, each input in one of them
 *           └─ members ─ (inflate) ─ records ─ scatter
 */
struct input_pass {
	const struct shards      *shards;
	struct scatter           *scatter;
	struct input_pass_options options;
	struct reading_order     *order;
	struct input_run         *runs;         /* by input */
	struct shard_run         *items;        /* by input, by begin */
	struct slab_pool         *read_pool, *inflate_pool;
	struct conveyor          *lanes[DIGEST_LANES], *to_members, *to_records;
	unsigned                  lane_count;
};

static bool
error_in_shard(const struct input_pass *pass, const struct shard_run *item, struct error *err)
{
	if (err->kind == ERROR_CORRUPT && err->hint[0] == '\0')
		error_hint(err, "the file is damaged: get it again, and compare its checksum");
	if (item->shard->member != NULL || item->shard->piece != NULL)
		error_in_member(err, item->shard->member != NULL ? item->shard->member
			: item->shard->piece);
	return error_in_file(err, pass->shards->inputs[item->shard->input]->name);
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
close_item(struct shard_run *item)
{
	torch_pass_close(item->pass);
	shards_close_piece(item->piece);
	inflater_close(item->inflater);
	inflate_ahead_close(item->ahead);
	item->pass = NULL;
	item->piece = NULL;
	item->inflater = NULL;
	item->ahead = NULL;
}

/* A conveyor_consumer: inflated bytes of the shard that the slab names. */
static bool
take_inflated(void *context, struct slab *slab, struct error *err)
{
	struct input_pass *pass = context;
	struct shard_run  *item = &pass->items[slab->tag];

	if (!take_bytes(item, slab->bytes + slab->start, slab->length, err))
		return error_in_shard(pass, item, err);
	return true;
}

/* ---- members: which bytes of the file are a shard's ------------------------------- */

/*
 * More came out than was declared.  A flipped bit does that too: the member is only called
 * hostile when what was declared is intact.
 */
static bool
judge_overflow(struct input_pass *pass, struct shard_run *item, struct error *err)
{
	struct error records = { 0 };

	if (strcmp(err->slug, "defllong") == 0 && conveyor_finish(pass->to_records, &records)
	    && item->crc != item->shard->member_crc)
		error_set(err, ERROR_CORRUPT, "bitflip", "damaged: the first %" PRIu64 " bytes have "
			"CRC-32 %08x, not %08x, and more follow", item->bytes, item->crc,
			item->shard->member_crc);
	return error_in_shard(pass, item, err);
}

/* What the slab holds goes to the records, save what these have already. */
static bool
send_inflated(struct input_pass *pass, struct shard_run *item, struct slab *slab,
	struct error *err)
{
	size_t again = item->again < slab->length ? (size_t)item->again : slab->length;

	item->again -= again;
	slab->start += again;
	slab->length -= again;
	slab->tag = (size_t)(item - pass->items);
	return conveyor_push(pass->to_records, slab, err);
}

/* An inflate_ahead_sink. */
static bool
send_ahead(void *context, struct slab *slab, struct error *err)
{
	struct shard_run *item = context;

	return send_inflated(item->owner, item, slab, err);
}

static bool
inflate_piece(struct input_pass *pass, struct shard_run *item, const unsigned char *bytes,
	size_t count, struct error *err)
{
	size_t made;

	do {
		struct slab *slab = slab_take(pass->inflate_pool);
		struct error fault = { 0 };
		bool         intact = inflater_step(item->inflater, &bytes, &count, slab->bytes,
			SLAB_BYTES, &made, &fault);

		slab->length = made;
		if (!send_inflated(pass, item, slab, err))
			return false;
		if (!intact) {
			*err = fault;
			return judge_overflow(pass, item, err);
		}
		if (inflater_ended(item->inflater) && count > 0) {
			error_set(err, ERROR_CORRUPT, "deflbad",
				"%zu bytes after the end of the compressed data", count);
			return error_in_shard(pass, item, err);
		}
	} while (count > 0 || made == SLAB_BYTES);
	return true;
}

/* Two places gave up: the shard's bytes up to `end` of the file once more, cut as they were, now
 * by the inflater, which decides what is wrong with them, if anything is. */
static bool
inflate_anew(struct input_pass *pass, struct shard_run *item, uint64_t end, struct error *err)
{
	const struct input_file *file = pass->shards->inputs[item->shard->input];
	unsigned char           *piece = malloc(SLAB_BYTES);
	uint64_t                 to = item->cut;
	bool                     done = piece != NULL || error_no_memory(err, SLAB_BYTES);

	item->again = inflate_ahead_made(item->ahead);
	inflate_ahead_close(item->ahead);
	item->ahead = NULL;
	for (uint64_t from = item->begin; from < end && done; from = to, to += SLAB_BYTES) {
		size_t count = (size_t)((to < end ? to : end) - from);

		done = signals_go_on(err) && input_file_read(file, from, piece, count, err)
			&& inflate_piece(pass, item, piece, count, err);
	}
	free(piece);
	return done;
}

/* Bytes of a shard that is deflated, [from, to) of its input. */
static bool
take_deflated(struct input_pass *pass, struct shard_run *item, const unsigned char *bytes,
	uint64_t from, uint64_t to, struct error *err)
{
	size_t count = (size_t)(to - from);
	bool   done;

	if (from == item->begin && item->end - item->begin >= AHEAD_LEAST
	    && pass->options.inflate_slabs >= INPUT_PASS_AHEAD_SLABS) {
		item->cut = to;
		item->ahead = inflate_ahead_open(byte_stream_length(item->shard->stream),
			INFLATE_AHEAD_ROUND, pass->inflate_pool, send_ahead, item, err);
		if (item->ahead == NULL)
			return false;
	}
	if (item->ahead == NULL)
		done = inflate_piece(pass, item, bytes, count, err);
	else
		done = inflate_ahead_feed(item->ahead, bytes, count, to == item->end, err)
			&& (!inflate_ahead_gave_up(item->ahead)
				|| inflate_anew(pass, item, to, err));
	if (!done || to < item->end)
		return done;
	if (item->ahead == NULL)
		return inflater_finish(item->inflater, err);
	inflate_ahead_close(item->ahead);
	item->ahead = NULL;
	return true;
}

/* Bytes of a shard before `to` that are not read. */
static bool
skip_stored(struct shard_run *item, uint64_t to, struct error *err)
{
	uint64_t left_out = to - item->begin - item->bytes;

	item->bytes += left_out;
	return left_out == 0 || torch_pass_skip(item->pass, left_out, err);
}

/* Bytes of a shard that is not deflated.  A piece of a distributed checkpoint is only open
 * from its first byte to its last. */
static bool
take_stored(struct input_pass *pass, struct shard_run *item, uint64_t offset,
	const unsigned char *bytes, size_t count, struct error *err)
{
	if (item->pass == NULL
	    && ((item->piece = shards_open_piece(pass->shards, item->index, err)) == NULL
	    || (item->pass = torch_pass_open(item->piece, take_storage, item, err)) == NULL))
		return false;
	if (!skip_stored(item, offset, err) || !take_bytes(item, bytes, count, err))
		return false;
	if (item->bytes < item->end - item->begin)
		return true;
	if (!end_shard(item, err))
		return false;
	close_item(item);
	return true;
}

/* A conveyor_consumer: a piece of the file as it is. */
static bool
take_raw(void *context, struct slab *slab, struct error *err)
{
	struct input_pass *pass = context;
	struct input_run  *run = &pass->runs[slab->tag];
	uint64_t           end = slab->offset + slab->length;

	while (run->current < run->count && run->items[run->current].begin < end) {
		struct shard_run    *item = &run->items[run->current];
		uint64_t             from = item->begin > slab->offset ? item->begin : slab->offset;
		uint64_t             to = item->end < end ? item->end : end;
		const unsigned char *bytes = slab->bytes + (from - slab->offset);

		if (item->end <= slab->offset) {        /* its end was passed over */
			run->current++;
			continue;
		}
		if (item->inflater != NULL) {
			if (!take_deflated(pass, item, bytes, from, to, err))
				return error_in_shard(pass, item, err);
		} else if (!take_stored(pass, item, from, bytes, to - from, err)) {
			return error_in_shard(pass, item, err);
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
	struct input_pass *pass = context;

	(void)err;
	digest_add(pass->runs[slab->tag].digest, slab->bytes, slab->length);
	return true;
}

/* ---- one input -------------------------------------------------------------------- */

/* Its first byte is about to be read. */
static bool
open_input(struct input_pass *pass, size_t input, struct error *err)
{
	struct input_run *run = &pass->runs[input];

	run->is_open = true;
	if (pass->options.digests && (run->digest = digest_open(DIGEST_SHA256)) == NULL)
		return error_no_memory(err, 0);
	for (size_t i = 0; i < run->count; i++) {
		struct shard_run   *item = &run->items[i];
		struct byte_stream *stream = item->shard->stream;

		if (stream != NULL && byte_stream_is_deflated(stream)) {
			item->inflater = inflater_open(byte_stream_length(stream), err);
			if (item->inflater == NULL)
				return false;
		}
		if (item->shard->torch == NULL)
			continue;
		item->pass = torch_pass_open(item->shard->torch, take_storage, item, err);
		if (item->pass == NULL)
			return error_in_shard(pass, item, err);
	}
	return true;
}

static bool
read_step(struct input_pass *pass, const struct reading_step *step, struct error *err)
{
	const struct input_file *file = pass->shards->inputs[step->input];
	struct conveyor         *lane = pass->lanes[step->input % pass->lane_count];
	struct slab             *slab;

	if (!signals_go_on(err))
		return false;
	if (!pass->runs[step->input].is_open && !open_input(pass, step->input, err))
		return false;
	slab = slab_take(pass->read_pool);
	slab->offset = step->offset;
	slab->length = step->length;
	slab->tag = step->input;
	if (!input_file_read(file, step->offset, slab->bytes, step->length, err)) {
		slab_release(slab);
		return error_in_file(err, file->name);
	}
	if (pass->options.digests) {
		slab_share(slab);
		if (!conveyor_push(lane, slab, err)) {
			slab_release(slab);
			return false;
		}
	}
	if (!conveyor_push(pass->to_members, slab, err))
		return false;
	pass->options.progress(pass->options.context, step->length);
	return true;
}

/* All conveyors are emptied, in the order of the flow, whatever failed. */
static bool
finish_conveyors(struct input_pass *pass, struct error *err)
{
	struct error later = { 0 };
	bool         members = conveyor_finish(pass->to_members, err);
	bool         records = conveyor_finish(pass->to_records, members ? err : &later);
	bool         done = members && records;

	/* A fault in the records stops the members' stage too: the cause is the former. */
	if (!members && !records)
		*err = later;
	for (unsigned i = 0; i < pass->lane_count; i++)
		done = conveyor_finish(pass->lanes[i], done ? err : &later) && done;
	return done;
}

/* All of an input went by: what is not closed yet ends here. */
static bool
end_input(struct input_pass *pass, size_t input, char sha256[DIGEST_HEX_SIZE], struct error *err)
{
	const struct input_file *file = pass->shards->inputs[input];
	struct input_run        *run = &pass->runs[input];

	for (size_t i = 0; i < run->count; i++) {
		struct shard_run *item = &run->items[i];

		if (item->pass != NULL && ((item->inflater == NULL
			&& !skip_stored(item, item->end, err)) || !end_shard(item, err)))
			return error_in_shard(pass, item, err);
	}
	if (!input_file_unchanged(file, err))
		return error_in_file(err, file->name);
	if (!pass->options.digests)
		return true;
	if (run->digest == NULL)                /* nothing of it was read */
		return digest_sha256("", 0, sha256) || error_no_memory(err, 0);
	digest_hex(run->digest, sha256);
	return true;
}

bool
input_pass_run(struct input_pass *pass, char (*sha256)[DIGEST_HEX_SIZE], struct error *err)
{
	struct reading_step step;
	struct error        cause;
	bool                done = true;

	while (done && reading_order_next(pass->order, SLAB_BYTES, &step))
		done = read_step(pass, &step, err);
	if (!finish_conveyors(pass, &cause)) {
		if (done || err->kind != ERROR_SIGNAL)
			*err = cause;
		done = false;
	}
	for (size_t i = 0; i < pass->shards->input_count && done; i++)
		done = end_input(pass, i, sha256[i], err);
	return done;
}

/* ---- all of them ------------------------------------------------------------------ */

static int
compare_begin(const void *a, const void *b)
{
	const struct shard_run *x = a, *y = b;

	if (x->shard->input != y->shard->input)
		return x->shard->input < y->shard->input ? -1 : 1;
	return x->begin < y->begin ? -1 : x->begin > y->begin;
}

/* Which shards lie where. */
static bool
deal_shards(struct input_pass *pass, struct error *err)
{
	const struct shards *shards = pass->shards;

	pass->runs = calloc(shards->input_count + 1, sizeof *pass->runs);
	pass->items = calloc(shards->count + 1, sizeof *pass->items);
	if (pass->runs == NULL || pass->items == NULL)
		return error_no_memory(err, shards->count * sizeof *pass->items);
	for (size_t i = 0; i < shards->count; i++) {
		const struct shard *shard = &shards->items[i];
		struct shard_run   *item = &pass->items[i];

		*item = (struct shard_run){ .shard = shard, .index = i, .scatter = pass->scatter,
			.owner = pass, .begin = shard->offset,
			.end = shard->offset + shard->length };
		if (shard->stream == NULL)
			continue;
		item->begin = byte_stream_file_offset(shard->stream);
		item->end = item->begin + byte_stream_stored_length(shard->stream);
	}
	if (shards->count > 0)
		qsort(pass->items, shards->count, sizeof *pass->items, compare_begin);
	for (size_t i = shards->count; i-- > 0;) {
		struct input_run *run = &pass->runs[pass->items[i].shard->input];

		run->items = &pass->items[i];
		run->count++;
	}
	return true;
}

static bool
open_conveyors(struct input_pass *pass, struct error *err)
{
	const struct shards *shards = pass->shards;
	bool                 beside = pass->options.threads > 1, all_deflated = true;

	for (size_t i = 0; i < shards->count; i++)
		all_deflated = all_deflated && shards->items[i].stream != NULL
			&& byte_stream_is_deflated(shards->items[i].stream);
	/* One lane for two cores: there is more to do than digests. */
	for (unsigned i = 0; i < DIGEST_LANES && i < shards->input_count
		&& (i == 0 || i < pass->options.threads / 2); i++) {
		pass->lanes[i] = conveyor_open(beside && pass->options.digests, take_for_digest,
			pass, err);
		if (pass->lanes[i] == NULL)
			return false;
		pass->lane_count++;
	}
	/* One thread has the records: that of the members, where any of these has some. */
	return (pass->to_members = conveyor_open(beside, take_raw, pass, err)) != NULL
		&& (pass->to_records = conveyor_open(beside && all_deflated, take_inflated, pass,
			err)) != NULL;
}

struct input_pass *
input_pass_open(const struct shards *shards, const struct plan *plan,
	const struct used_ranges *used, struct scatter *scatter,
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
	if ((pass->order = reading_order_open(shards, plan, used, err)) != NULL
	    && deal_shards(pass, err)
	    && (pass->read_pool = slab_pool_open(options->read_slabs, err)) != NULL
	    && (pass->inflate_pool = slab_pool_open(options->inflate_slabs, err)) != NULL
	    && open_conveyors(pass, err))
		return pass;
	input_pass_close(pass);
	return NULL;
}

void
input_pass_close(struct input_pass *pass)
{
	if (pass == NULL)
		return;
	for (unsigned i = 0; i < DIGEST_LANES; i++)
		conveyor_close(pass->lanes[i]);
	conveyor_close(pass->to_members);
	conveyor_close(pass->to_records);
	for (size_t i = 0; pass->items != NULL && i < pass->shards->count; i++)
		close_item(&pass->items[i]);
	for (size_t i = 0; pass->runs != NULL && i < pass->shards->input_count; i++)
		digest_close(pass->runs[i].digest);
	slab_pool_close(pass->inflate_pool);
	slab_pool_close(pass->read_pool);
	reading_order_close(pass->order);
	free(pass->items);
	free(pass->runs);
	free(pass);
}
