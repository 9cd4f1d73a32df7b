#ifndef GPT2_TOKENIZER_WRITE_H
#define GPT2_TOKENIZER_WRITE_H

#include "base/text.h"
#include "gpt2/tokenizer.h"

/* Two forms of the same files: as openai-community/gpt2 has them, and as transformers 4.18
 * (with tokenizers 0.12) saved them. */
enum tokenizer_form { TOKENIZER_HUB, TOKENIZER_4_18 };

/*
 * Each writes a file; for GPT-2's tokenizer its bytes are those of the hub, or those that 4.18
 * saved.  false: no memory.
 */
bool tokenizer_write_merges(const struct tokenizer *tokenizer, enum tokenizer_form form,
	struct text *to, struct error *err);            /* merges.txt */
bool tokenizer_write_vocabulary(const struct tokenizer *tokenizer, enum tokenizer_form form,
	struct text *to, struct error *err);            /* vocab.json */
bool tokenizer_write_tokenizer(const struct tokenizer *tokenizer, enum tokenizer_form form,
	struct text *to, struct error *err);            /* tokenizer.json */
/* `positions` is the model's; one line without a newline */
bool tokenizer_write_config(const struct tokenizer *tokenizer, enum tokenizer_form form,
	uint64_t positions, struct text *to, struct error *err);        /* tokenizer_config.json */
/* Only 4.18 had special_tokens_map.json. */
bool tokenizer_write_special_tokens(struct text *to, struct error *err);

#endif
