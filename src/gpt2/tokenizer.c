#include "gpt2/tokenizer.h"

#include "gpt2/merge_table.h"

#include <stdlib.h>
#include <string.h>

struct tokenizer *
tokenizer_open(uint32_t size, uint32_t text_bytes, uint32_t merge_count, uint32_t added_count,
	struct error *err)
{
	struct tokenizer *tokenizer = calloc(1, sizeof *tokenizer);

	if (tokenizer != NULL) {
		tokenizer->bytes = malloc((size_t)text_bytes + 1);
		tokenizer->offsets = calloc((size_t)size + 1, sizeof *tokenizer->offsets);
		tokenizer->merges = calloc((size_t)merge_count + 1, sizeof *tokenizer->merges);
		tokenizer->added = calloc((size_t)added_count + 1, sizeof *tokenizer->added);
	}
	if (tokenizer == NULL || tokenizer->bytes == NULL || tokenizer->offsets == NULL
	    || tokenizer->merges == NULL || tokenizer->added == NULL) {
		error_no_memory(err, text_bytes);
		tokenizer_close(tokenizer);
		return NULL;
	}
	tokenizer->size = size;
	tokenizer->merge_count = merge_count;
	tokenizer->added_count = added_count;
	return tokenizer;
}

void
tokenizer_close(struct tokenizer *tokenizer)
{
	if (tokenizer == NULL)
		return;
	free(tokenizer->bytes);
	free(tokenizer->offsets);
	free(tokenizer->merges);
	free(tokenizer->added);
	free(tokenizer);
}

const char *
tokenizer_text(const struct tokenizer *tokenizer, uint32_t id)
{
	return tokenizer->bytes + tokenizer->offsets[id];
}

uint32_t
tokenizer_text_length(const struct tokenizer *tokenizer, uint32_t id)
{
	return tokenizer->offsets[id + 1] - tokenizer->offsets[id];
}

bool
tokenizer_same(const struct tokenizer *tokenizer, const struct tokenizer *other)
{
	return tokenizer->size == other->size && tokenizer->merge_count == other->merge_count
		&& memcmp(tokenizer->offsets, other->offsets,
			((size_t)other->size + 1) * sizeof *other->offsets) == 0
		&& memcmp(tokenizer->bytes, other->bytes, other->offsets[other->size]) == 0
		&& memcmp(tokenizer->merges, other->merges,
			other->merge_count * sizeof *other->merges) == 0;
}

/* A byte of a token comes as six in vocab.json at most ("\u0001"), as six in the table of
 * tokenizer.json and, being part of one merge, as twelve in both merge lists. */
uint64_t
tokenizer_bytes_bound(const struct tokenizer *tokenizer)
{
	uint64_t merges = 0;

	for (uint32_t i = 0; i < tokenizer->merge_count; i++)
		merges += tokenizer_text_length(tokenizer, tokenizer->merges[i][0])
			+ (uint64_t)tokenizer_text_length(tokenizer, tokenizer->merges[i][1]);
	return 4096 + 12 * (uint64_t)tokenizer->offsets[tokenizer->size] + 12 * merges
		+ 64 * (uint64_t)tokenizer->size + 32 * (uint64_t)tokenizer->merge_count
		+ 256 * (uint64_t)tokenizer->added_count;
}

/* ---- GPT-2's ---------------------------------------------------------------------- */

static bool
byte_is_printable(unsigned byte)
{
	return (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
}

uint16_t
tokenizer_byte_point(unsigned char byte)
{
	uint16_t moved = 0x100;

	if (byte_is_printable(byte))
		return byte;
	for (unsigned other = 0; other < byte; other++)
		moved = (uint16_t)(moved + !byte_is_printable(other));
	return moved;
}

/* The characters of the ids 0 to 255: printable bytes first. */
static void
byte_points(uint16_t points[MERGE_TABLE_BYTES])
{
	unsigned id = 0;

	for (unsigned byte = 0; byte < 256; byte++)
		if (byte_is_printable(byte))
			points[id++] = (uint16_t)byte;
	for (unsigned byte = 0; byte < 256; byte++)
		if (!byte_is_printable(byte))
			points[id++] = tokenizer_byte_point((unsigned char)byte);
}

/* All offsets: parts come before the merge that joins them, so one pass knows every length. */
static void
measure(uint32_t offsets[TOKENIZER_GPT2_SIZE + 1], const uint16_t points[MERGE_TABLE_BYTES])
{
	uint32_t at = 0;

	for (unsigned id = 0; id < MERGE_TABLE_BYTES; id++) {
		offsets[id] = at;
		at += points[id] < 0x80 ? 1 : 2;
	}
	for (unsigned merge = 0; merge < MERGE_TABLE_COUNT; merge++) {
		offsets[MERGE_TABLE_BYTES + merge] = at;
		for (unsigned part = 0; part < 2; part++) {
			unsigned id = merge_table[merge][part];
			at += offsets[id + 1] - offsets[id];
		}
		offsets[MERGE_TABLE_BYTES + merge + 1] = at;
	}
	offsets[TOKENIZER_GPT2_SIZE] = at + (uint32_t)strlen(TOKENIZER_END_OF_TEXT);
}

static void
spell(struct tokenizer *tokenizer, const uint16_t points[MERGE_TABLE_BYTES])
{
	char *to = tokenizer->bytes;

	for (unsigned id = 0; id < MERGE_TABLE_BYTES; id++) {
		if (points[id] < 0x80) {
			*to++ = (char)points[id];
		} else {
			*to++ = (char)(0xc0 | points[id] >> 6);
			*to++ = (char)(0x80 | (points[id] & 0x3f));
		}
	}
	for (unsigned merge = 0; merge < MERGE_TABLE_COUNT; merge++) {
		for (unsigned part = 0; part < 2; part++) {
			uint32_t id = merge_table[merge][part];
			memcpy(to, tokenizer_text(tokenizer, id), tokenizer_text_length(tokenizer, id));
			to += tokenizer_text_length(tokenizer, id);
			tokenizer->merges[merge][part] = id;
		}
	}
	memcpy(to, TOKENIZER_END_OF_TEXT, strlen(TOKENIZER_END_OF_TEXT));
}

struct tokenizer *
tokenizer_open_gpt2(struct error *err)
{
	uint32_t         *offsets = calloc(TOKENIZER_GPT2_SIZE + 1, sizeof *offsets);
	uint16_t          points[MERGE_TABLE_BYTES];
	struct tokenizer *tokenizer = NULL;

	if (offsets == NULL) {
		error_no_memory(err, (TOKENIZER_GPT2_SIZE + 1) * sizeof *offsets);
		return NULL;
	}
	byte_points(points);
	measure(offsets, points);
	tokenizer = tokenizer_open(TOKENIZER_GPT2_SIZE, offsets[TOKENIZER_GPT2_SIZE],
		MERGE_TABLE_COUNT, 1, err);
	if (tokenizer != NULL) {
		memcpy(tokenizer->offsets, offsets, (TOKENIZER_GPT2_SIZE + 1) * sizeof *offsets);
		spell(tokenizer, points);
		tokenizer->is_gpt2 = true;
		tokenizer->end_of_text = TOKENIZER_GPT2_END_OF_TEXT;
		tokenizer->added[0] = (struct tokenizer_added){
			.id = TOKENIZER_GPT2_END_OF_TEXT, .normalized = true, .special = true };
	}
	free(offsets);
	return tokenizer;
}
