#ifndef GPT2_TOKENIZER_H
#define GPT2_TOKENIZER_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

#define TOKENIZER_GPT2_SIZE 50257
#define TOKENIZER_GPT2_END_OF_TEXT 50256
#define TOKENIZER_END_OF_TEXT "<|endoftext|>"

/* A token that is found in a text as it stands, before the text is cut into words. */
struct tokenizer_added {
	uint32_t id;
	bool     single_word, lstrip, rstrip, normalized, special;
};

/* A byte-level BPE as GPT-2's, held as files show it: of a token's bytes the printable ones
 * stand for themselves, the other 68 as U+0100 and up, all in UTF-8. */
struct tokenizer {
	char                   *bytes;          /* all tokens in the order of their ids */
	uint32_t               *offsets;        /* token N: bytes [offsets[N], offsets[N + 1]) */
	uint32_t                size;           /* tokens, added ones included */
	uint32_t              (*merges)[2];     /* ids of both parts, in the order of the list */
	uint32_t                merge_count;
	struct tokenizer_added *added;          /* by id; <|endoftext|> is among them */
	uint32_t                added_count;
	uint32_t                end_of_text;    /* its id */
	bool                    add_prefix_space;       /* a word at the start is as others are */
	bool                    is_gpt2;        /* the tokens and merges are GPT-2's */
};

/*
 * GPT-2's, from the merge list built into the program: everything else follows from it.  Ids
 * 0-187 are the printable bytes, 188-255 the others, 256-50255 the merges in order, 50256
 * <|endoftext|>.  NULL: no memory.
 */
struct tokenizer *tokenizer_open_gpt2(struct error *err);
/* One without tokens, but with room for them; its opener fills it.  NULL: no memory. */
struct tokenizer *tokenizer_open(uint32_t size, uint32_t text_bytes, uint32_t merge_count,
	uint32_t added_count, struct error *err);
const char *tokenizer_text(const struct tokenizer *tokenizer, uint32_t id);    /* no NUL after it */
uint32_t tokenizer_text_length(const struct tokenizer *tokenizer, uint32_t id);
/* The character that stands for a byte: [0x21, 0x143]. */
uint16_t tokenizer_byte_point(unsigned char byte);
/* Same tokens with the same ids, same merges. */
bool tokenizer_same(const struct tokenizer *tokenizer, const struct tokenizer *other);
/* More than its files take. */
uint64_t tokenizer_bytes_bound(const struct tokenizer *tokenizer);
void tokenizer_close(struct tokenizer *tokenizer);      /* NULL is fine */

#endif
