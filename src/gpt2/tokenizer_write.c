#include "gpt2/tokenizer_write.h"

#include "base/json.h"

#include <inttypes.h>

/* Of tokenizers 0.11 to 0.13.2, with which 4.18 went. */
#define TRAINED_BY " - Trained by `huggingface/tokenizers`"

static bool
finish(const struct text *to, struct error *err)
{
	return !to->failed || error_no_memory(err, to->length);
}

/* "A B", as merges.txt and tokenizer.json have it. */
static void
add_merge(struct text *to, const struct tokenizer *tokenizer, uint32_t merge)
{
	const uint32_t left = tokenizer->merges[merge][0], right = tokenizer->merges[merge][1];

	text_add_bytes(to, tokenizer_text(tokenizer, left), tokenizer_text_length(tokenizer, left));
	text_add_bytes(to, " ", 1);
	text_add_bytes(to, tokenizer_text(tokenizer, right),
		tokenizer_text_length(tokenizer, right));
}

bool
tokenizer_write_merges(const struct tokenizer *tokenizer, enum tokenizer_form form,
	struct text *to, struct error *err)
{
	text_add(to, "#version: 0.2%s\n", form == TOKENIZER_4_18 ? TRAINED_BY : "");
	for (uint32_t merge = 0; merge < tokenizer->merge_count; merge++) {
		add_merge(to, tokenizer, merge);
		text_add_bytes(to, "\n", 1);
	}
	return finish(to, err);
}

/* One line.  The hub's is that of OpenAI's encoder.json: blanks after ',' and ':', only ASCII;
 * tokenizers wrote it without blanks, in UTF-8. */
bool
tokenizer_write_vocabulary(const struct tokenizer *tokenizer, enum tokenizer_form form,
	struct text *to, struct error *err)
{
	const char *blank = form == TOKENIZER_HUB ? " " : "";

	text_add(to, "{");
	for (uint32_t id = 0; id < tokenizer->size; id++) {
		struct json_writer token = { .to = to, .ascii = form == TOKENIZER_HUB };

		if (id > 0)
			text_add(to, ",%s", blank);
		json_write_bytes(&token, tokenizer_text(tokenizer, id),
			tokenizer_text_length(tokenizer, id));
		text_add(to, ":%s%" PRIu32, blank, id);
	}
	text_add(to, "}");
	return finish(to, err);
}

/* ---- tokenizer.json --------------------------------------------------------------- */

static void
write_nothing(struct json_writer *w, const char *key)
{
	json_write_key(w, key);
	json_write_null(w);
}

/* The hub's file has the key order from before tokenizers 0.12, where "special" comes second;
 * since then it is the last. */
static void
write_added_tokens(struct json_writer *w, const struct tokenizer *tokenizer,
	enum tokenizer_form form)
{
	json_open_member(w, "added_tokens", '[');
	for (uint32_t i = 0; i < tokenizer->added_count; i++) {
		const struct tokenizer_added *added = &tokenizer->added[i];

		json_open(w, '{');
		json_add_u64(w, "id", added->id);
		if (form == TOKENIZER_HUB)
			json_add_bool(w, "special", added->special);
		json_write_key(w, "content");
		json_write_bytes(w, tokenizer_text(tokenizer, added->id),
			tokenizer_text_length(tokenizer, added->id));
		json_add_bool(w, "single_word", added->single_word);
		json_add_bool(w, "lstrip", added->lstrip);
		json_add_bool(w, "rstrip", added->rstrip);
		json_add_bool(w, "normalized", added->normalized);
		if (form == TOKENIZER_4_18)
			json_add_bool(w, "special", added->special);
		json_close(w, '}');
	}
	json_close(w, ']');
}

static void
write_byte_level(struct json_writer *w, const char *key, bool add_prefix_space,
	bool trim_offsets, enum tokenizer_form form)
{
	json_open_member(w, key, '{');
	json_add_string(w, "type", "ByteLevel");
	json_add_bool(w, "add_prefix_space", add_prefix_space);
	json_add_bool(w, "trim_offsets", trim_offsets);
	if (form == TOKENIZER_4_18)
		json_add_bool(w, "use_regex", true);
	json_close(w, '}');
}

/* Merges as strings: every version of the tokenizers library reads these; lists of two only
 * since 0.20. */
static void
write_tables(struct json_writer *w, const struct tokenizer *tokenizer)
{
	struct text line = { 0 };

	json_open_member(w, "vocab", '{');
	for (uint32_t id = 0; id < tokenizer->size; id++) {
		json_write_bytes(w, tokenizer_text(tokenizer, id),
			tokenizer_text_length(tokenizer, id));
		text_add(w->to, w->indent > 0 ? ": " : ":");
		w->after_key = true;
		json_write_u64(w, id);
	}
	json_close(w, '}');
	json_open_member(w, "merges", '[');
	for (uint32_t merge = 0; merge < tokenizer->merge_count; merge++) {
		line.length = 0;
		add_merge(&line, tokenizer, merge);
		if (!line.failed)
			json_write_bytes(w, line.bytes, line.length);
	}
	json_close(w, ']');
	if (line.failed)
		w->to->failed = true;
	text_free(&line);
}

/* 4.18 saved it with indent 2, the hub has it on one line. */
bool
tokenizer_write_tokenizer(const struct tokenizer *tokenizer, enum tokenizer_form form,
	struct text *to, struct error *err)
{
	struct json_writer w = { .to = to, .indent = form == TOKENIZER_4_18 ? 2 : 0 };

	json_open(&w, '{');
	json_add_string(&w, "version", "1.0");
	write_nothing(&w, "truncation");
	write_nothing(&w, "padding");
	write_added_tokens(&w, tokenizer, form);
	write_nothing(&w, "normalizer");
	write_byte_level(&w, "pre_tokenizer", tokenizer->add_prefix_space, true, form);
	write_byte_level(&w, "post_processor", true, false, form);
	write_byte_level(&w, "decoder", true, true, form);
	json_open_member(&w, "model", '{');
	if (form == TOKENIZER_4_18)
		json_add_string(&w, "type", "BPE");
	write_nothing(&w, "dropout");
	write_nothing(&w, "unk_token");
	json_add_string(&w, "continuing_subword_prefix", "");
	json_add_string(&w, "end_of_word_suffix", "");
	json_add_bool(&w, "fuse_unk", false);
	write_tables(&w, tokenizer);
	json_close(&w, '}');
	json_close(&w, '}');
	return finish(to, err);
}

/* ---- the small files -------------------------------------------------------------- */

#define IS_END_OF_TEXT ": \"" TOKENIZER_END_OF_TEXT "\""

/* Loading a tokenizer by its name on the hub left that name in 4.18's file. */
bool
tokenizer_write_config(const struct tokenizer *tokenizer, enum tokenizer_form form,
	uint64_t positions, struct text *to, struct error *err)
{
	const char *space = tokenizer->add_prefix_space ? "true" : "false";

	if (form == TOKENIZER_4_18)
		text_add(to, "{\"unk_token\"" IS_END_OF_TEXT ", \"bos_token\"" IS_END_OF_TEXT
			", \"eos_token\"" IS_END_OF_TEXT ", \"add_prefix_space\": %s, "
			"\"model_max_length\": %" PRIu64 ", \"special_tokens_map_file\": null, "
			"\"name_or_path\": \"%s\", \"tokenizer_class\": \"GPT2Tokenizer\"}", space,
			positions, tokenizer->is_gpt2 ? "gpt2" : "");
	else
		text_add(to, "{%s\"model_max_length\": %" PRIu64 "}",
			tokenizer->add_prefix_space ? "\"add_prefix_space\": true, " : "", positions);
	return finish(to, err);
}

bool
tokenizer_write_special_tokens(struct text *to, struct error *err)
{
	text_add(to, "{\"bos_token\"" IS_END_OF_TEXT ", \"eos_token\"" IS_END_OF_TEXT
		", \"unk_token\"" IS_END_OF_TEXT "}");
	return finish(to, err);
}
