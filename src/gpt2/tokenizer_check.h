#ifndef GPT2_TOKENIZER_CHECK_H
#define GPT2_TOKENIZER_CHECK_H

#include "gpt2/tokenizer_read.h"

/* Called for each problem, with the file's name in problem->file. */
typedef void tokenizer_problem(void *context, const struct error *problem);

/*
 * Checks the files by themselves, against each other and against a vocabulary size (0: not
 * known): ids complete from 0, no more tokens than the embedding has rows (fewer: it is
 * padded), every merge made of tokens and making one, none twice, <|endoftext|> there,
 * vocab.json and merges.txt the same as in tokenizer.json, model_max_length an integer.
 *
 * Returns the number of problems reported; of each table only the first is.
 */
size_t tokenizer_check(const struct tokenizer_files *files, uint64_t vocab_size,
	tokenizer_problem *report, void *context);

#endif
