#ifndef MEGATRON_VOCABULARY_H
#define MEGATRON_VOCABULARY_H

#include "megatron/arguments.h"

#define VOCABULARY_GPT2 50257

/*
 * How many rows of the embedding are tokens and how many are padding, in this order: the
 * option, a given config, args.orig_vocab_size, the tokenizer that was found
 * where the rows are just what Megatron-LM pads its size to, the size that args give a
 * NullTokenizer, GPT-2's size where the rows are what it is padded to, else all rows.
 *
 * Megatron-LM pads to the next multiple of make_vocab_size_divisible_by (128) times the
 * tensor parallel size at the start of training: 50257 becomes 50304, 50432, 50688, 51200.
 * Padding rows are trained like others, so their numbers say nothing.
 *
 * Sets vocabulary and is_gpt2_vocabulary of `arguments`, whose padded_vocabulary is known.
 */
bool vocabulary_decide(struct arguments *arguments, const struct value *args,
	const struct model_options *options, struct decision_log *log, struct error *err);

#endif
