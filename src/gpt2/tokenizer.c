#include "gpt2/tokenizer.h"
#include "base/json.h"
#include "gpt2/merge_table.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define END_OF_TEXT "<|endoftext|>"

/* ---- the tokens, spelt out -------------------------------------------------------- */

/*
 * Every token but <|endoftext|> as files show it: printable bytes as themselves, the other
 * 68 as U+0100 and up, all in UTF-8.  Token ids [0, TOKENIZER_GPT2_END_OF_TEXT).
 */
struct spellings {
	char     *bytes;
	uint32_t  offsets[TOKENIZER_GPT2_END_OF_TEXT + 1];
};

static bool
byte_is_printable(unsigned byte)
{
	return (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
}

/* The characters of the ids 0 to 255. */
static void
byte_points(uint16_t points[MERGE_TABLE_BYTES])
{
	unsigned id = 0;

	for (unsigned byte = 0; byte < 256; byte++) {
		if (byte_is_printable(byte))
			points[id++] = (uint16_t)byte;
	}
	for (unsigned moved = 0; id < MERGE_TABLE_BYTES; moved++)
		points[id++] = (uint16_t)(0x100 + moved);
}

static uint32_t
spelling_length(const struct spellings *spellings, unsigned id)
{
	return spellings->offsets[id + 1] - spellings->offsets[id];
}

/* All offsets: parts come before the merge that joins them, so one pass knows every length. */
static void
measure(struct spellings *spellings, const uint16_t points[MERGE_TABLE_BYTES])
{
	uint32_t *offsets = spellings->offsets;

	for (unsigned id = 0; id < MERGE_TABLE_BYTES; id++)
		offsets[id + 1] = offsets[id] + (points[id] < 0x80 ? 1 : 2);
	for (unsigned merge = 0; merge < MERGE_TABLE_COUNT; merge++)
		offsets[MERGE_TABLE_BYTES + merge + 1] = offsets[MERGE_TABLE_BYTES + merge]
			+ spelling_length(spellings, merge_table[merge][0])
			+ spelling_length(spellings, merge_table[merge][1]);
}

static void
spell(struct spellings *spellings, const uint16_t points[MERGE_TABLE_BYTES])
{
	char *to = spellings->bytes;

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
			unsigned id = merge_table[merge][part];
			memcpy(to, spellings->bytes + spellings->offsets[id],
				spelling_length(spellings, id));
			to += spelling_length(spellings, id);
		}
	}
}

static void
spellings_close(struct spellings *spellings)
{
	if (spellings != NULL)
		free(spellings->bytes);
	free(spellings);
}

static struct spellings *
spellings_open(struct error *err)
{
	struct spellings *spellings = calloc(1, sizeof *spellings);
	uint16_t          points[MERGE_TABLE_BYTES];

	if (spellings == NULL) {
		error_no_memory(err, sizeof *spellings);
		return NULL;
	}
	byte_points(points);
	measure(spellings, points);
	spellings->bytes = malloc(spellings->offsets[TOKENIZER_GPT2_END_OF_TEXT]);
	if (spellings->bytes == NULL) {
		error_no_memory(err, spellings->offsets[TOKENIZER_GPT2_END_OF_TEXT]);
		spellings_close(spellings);
		return NULL;
	}
	spell(spellings, points);
	return spellings;
}

static const char *
spelling(const struct spellings *spellings, unsigned id)
{
	return spellings->bytes + spellings->offsets[id];
}

/* "A B", as merges.txt and tokenizer.json have it. */
static void
add_merge(struct text *to, const struct spellings *spellings, unsigned merge)
{
	const unsigned left = merge_table[merge][0], right = merge_table[merge][1];

	text_add_bytes(to, spelling(spellings, left), spelling_length(spellings, left));
	text_add_bytes(to, " ", 1);
	text_add_bytes(to, spelling(spellings, right), spelling_length(spellings, right));
}

static bool
finish(struct spellings *spellings, const struct text *to, struct error *err)
{
	spellings_close(spellings);
	return !to->failed || error_no_memory(err, to->length);
}

/* ---- the files -------------------------------------------------------------------- */

bool
tokenizer_write_merges(struct text *to, struct error *err)
{
	struct spellings *spellings = spellings_open(err);

	if (spellings == NULL)
		return false;
	text_add(to, "#version: 0.2\n");
	for (unsigned merge = 0; merge < MERGE_TABLE_COUNT; merge++) {
		add_merge(to, spellings, merge);
		text_add_bytes(to, "\n", 1);
	}
	return finish(spellings, to, err);
}

/* One line in the form of OpenAI's encoder.json: blanks after ',' and ':', only ASCII. */
bool
tokenizer_write_vocabulary(struct text *to, struct error *err)
{
	struct spellings *spellings = spellings_open(err);

	if (spellings == NULL)
		return false;
	text_add(to, "{");
	for (unsigned id = 0; id < TOKENIZER_GPT2_END_OF_TEXT; id++) {
		struct json_writer token = { .to = to, .ascii = true };

		json_write_bytes(&token, spelling(spellings, id), spelling_length(spellings, id));
		text_add(to, ": %u, ", id);
	}
	text_add(to, "\"" END_OF_TEXT "\": %d}", TOKENIZER_GPT2_END_OF_TEXT);
	return finish(spellings, to, err);
}

static void
write_flag(struct json_writer *w, const char *key, bool value)
{
	json_write_key(w, key);
	json_write_bool(w, value);
}

static void
write_nothing(struct json_writer *w, const char *key)
{
	json_write_key(w, key);
	json_write_null(w);
}

/* The key order of files from before tokenizers 0.12, as the hub's file of GPT-2 has it. */
static void
write_added_tokens(struct json_writer *w)
{
	json_write_key(w, "added_tokens");
	json_open(w, '[');
	json_open(w, '{');
	json_write_key(w, "id");
	json_write_u64(w, TOKENIZER_GPT2_END_OF_TEXT);
	write_flag(w, "special", true);
	json_write_key(w, "content");
	json_write_string(w, END_OF_TEXT);
	write_flag(w, "single_word", false);
	write_flag(w, "lstrip", false);
	write_flag(w, "rstrip", false);
	write_flag(w, "normalized", true);
	json_close(w, '}');
	json_close(w, ']');
}

static void
write_byte_level(struct json_writer *w, const char *key, bool add_prefix_space,
	bool trim_offsets)
{
	json_write_key(w, key);
	json_open(w, '{');
	json_write_key(w, "type");
	json_write_string(w, "ByteLevel");
	write_flag(w, "add_prefix_space", add_prefix_space);
	write_flag(w, "trim_offsets", trim_offsets);
	json_close(w, '}');
}

/* Merges as strings: every version of the tokenizers library reads these; lists of two only
 * since 0.20. */
static void
write_tables(struct json_writer *w, const struct spellings *spellings, struct text *merge_text)
{
	json_write_key(w, "vocab");
	json_open(w, '{');
	for (unsigned id = 0; id < TOKENIZER_GPT2_END_OF_TEXT; id++) {
		json_write_bytes(w, spelling(spellings, id), spelling_length(spellings, id));
		text_add(w->to, ":");
		w->after_key = true;
		json_write_u64(w, id);
	}
	json_write_key(w, END_OF_TEXT);
	json_write_u64(w, TOKENIZER_GPT2_END_OF_TEXT);
	json_close(w, '}');
	json_write_key(w, "merges");
	json_open(w, '[');
	for (unsigned merge = 0; merge < MERGE_TABLE_COUNT; merge++) {
		merge_text->length = 0;
		add_merge(merge_text, spellings, merge);
		if (!merge_text->failed)
			json_write_bytes(w, merge_text->bytes, merge_text->length);
	}
	json_close(w, ']');
}

bool
tokenizer_write_tokenizer(struct text *to, struct error *err)
{
	struct spellings  *spellings = spellings_open(err);
	struct json_writer w = { .to = to };
	struct text        merge_text = { 0 };

	if (spellings == NULL)
		return false;
	json_open(&w, '{');
	json_write_key(&w, "version");
	json_write_string(&w, "1.0");
	write_nothing(&w, "truncation");
	write_nothing(&w, "padding");
	write_added_tokens(&w);
	write_nothing(&w, "normalizer");
	write_byte_level(&w, "pre_tokenizer", false, true);
	write_byte_level(&w, "post_processor", true, false);
	write_byte_level(&w, "decoder", true, true);
	json_write_key(&w, "model");
	json_open(&w, '{');
	write_nothing(&w, "dropout");
	write_nothing(&w, "unk_token");
	json_write_key(&w, "continuing_subword_prefix");
	json_write_string(&w, "");
	json_write_key(&w, "end_of_word_suffix");
	json_write_string(&w, "");
	write_flag(&w, "fuse_unk", false);
	write_tables(&w, spellings, &merge_text);
	json_close(&w, '}');
	json_close(&w, '}');
	if (merge_text.failed)
		to->failed = true;
	text_free(&merge_text);
	return finish(spellings, to, err);
}

void
tokenizer_write_config(struct text *to, uint64_t positions)
{
	text_add(to, "{\"model_max_length\": %" PRIu64 "}", positions);
}
