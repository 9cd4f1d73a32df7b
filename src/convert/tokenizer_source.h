#ifndef CONVERT_TOKENIZER_SOURCE_H
#define CONVERT_TOKENIZER_SOURCE_H

#include "convert/tokenizer_files.h"
#include "base/decision_log.h"
#include "megatron/arguments.h"
#include "megatron/shards.h"

/*
 * Where the tokenizer of a conversion comes from (--tokenizer), in three steps: a folder that
 * the user named is read first; files that came with the checkpoint are looked for once it is
 * open; and once the model is known, it is settled whether what was found belongs to it, or
 * the built-in table of GPT-2 does.  Zeroed: nothing is known yet.
 */
struct tokenizer_source {
	struct tokenizer          *tokenizer;   /* NULL: none */
	struct tokenizer_files_set files;       /* that it was read from; none: built in */
	const char                *folder;      /* that was named, or NULL */
	const char                *where;       /* for the log: "option", "in the zip" */
	bool                       is_unwanted; /* "none" */
};

/* `option`: "auto" or NULL, "none", or a folder.  ERROR_NO_INPUT "tokmissing", "tokhalf": the
 * folder or a file is not there; else as tokenizer_read(). */
bool tokenizer_source_name(struct tokenizer_source *source, const char *option,
	struct error *err);
/* Neither was a folder named nor is none wanted: files are looked for. */
bool tokenizer_source_searches(const struct tokenizer_source *source);
/* Where they are. */
bool tokenizer_source_find(struct tokenizer_source *source, const struct shards *shards,
	const char *path, struct decision_log *log, struct error *err);
/* For model_options: 0 where nothing was found. */
uint64_t tokenizer_source_size(const struct tokenizer_source *source);
/*
 * `is_size_given`: the user said how many rows there are, so that some may be without a token.
 * A named tokenizer that does not fit is ERROR_CORRUPT "vocabsize"; one that was found is
 * left aside with a warning.
 */
bool tokenizer_source_settle(struct tokenizer_source *source, const struct arguments *arguments,
	bool is_size_given, struct decision_log *log, struct error *err);
/* Forgets what was found, keeps what was named. */
void tokenizer_source_forget(struct tokenizer_source *source);
void tokenizer_source_fini(struct tokenizer_source *source);

#endif
