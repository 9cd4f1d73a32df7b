#ifndef GPT2_TOKENIZER_H
#define GPT2_TOKENIZER_H

#include "base/error.h"
#include "base/text.h"

#include <stdint.h>

#define TOKENIZER_GPT2_SIZE 50257
#define TOKENIZER_GPT2_END_OF_TEXT 50256

/*
 * GPT-2's byte-level BPE, from the merge list built into the program: everything else
 * follows from it.  Ids 0-187 are the printable bytes, 188-255 the others (shown as
 * U+0100...), 256-50255 the merges in order, 50256 <|endoftext|>.
 *
 * Each writes the bytes of that file of openai-community/gpt2; false: no memory.
 */
bool tokenizer_write_merges(struct text *to, struct error *err);        /* merges.txt */
bool tokenizer_write_vocabulary(struct text *to, struct error *err);    /* vocab.json */
bool tokenizer_write_tokenizer(struct text *to, struct error *err);     /* tokenizer.json */
/* {"model_max_length": N}, without a newline */
void tokenizer_write_config(struct text *to, uint64_t positions);       /* tokenizer_config.json */

#endif
