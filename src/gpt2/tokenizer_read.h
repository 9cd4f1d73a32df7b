#ifndef GPT2_TOKENIZER_READ_H
#define GPT2_TOKENIZER_READ_H

#include "gpt2/merge_list.h"
#include "gpt2/tokenizer.h"

/* The tokenizer files of a directory, whoever wrote them.  NULL: not there. */
struct tokenizer_files {
	const char *vocabulary, *merges, *tokenizer, *config;
	size_t      vocabulary_length, merges_length, tokenizer_length, config_length;
};

#define TOKENIZER_READ_VOCABULARY "vocab.json"
#define TOKENIZER_READ_MERGES     "merges.txt"
#define TOKENIZER_READ_TOKENIZER  "tokenizer.json"
#define TOKENIZER_READ_CONFIG     "tokenizer_config.json"

/*
 * A byte-level BPE from vocab.json and merges.txt, from tokenizer.json, or from all three,
 * which must then agree.  tokenizer.json alone tells of added tokens; of a pair
 * <|endoftext|> is the only one.  The text is taken as it is: no normalisation is done.
 *
 * NULL: *err with the name above in err->file.  ERROR_CORRUPT: not what the format is, ids
 * not complete from 0 ("vocabgap", "vocabdup"), a merge that cannot be ("mergesbad"), no
 * <|endoftext|> ("eot"), files that differ ("vtok").  ERROR_UNSUPPORTED "vtok": another model
 * than a byte-level BPE, or steps that GPT-2's tokenizer has not.
 */
struct tokenizer *tokenizer_read(const struct tokenizer_files *files, struct error *err);

/* The tables of a tokenizer.json; the lists are the caller's to free in either case. */
bool tokenizer_read_tables(const struct json *root, struct token_list *vocabulary,
	struct token_list *added, struct merge_list *merges, struct error *err);

#endif
