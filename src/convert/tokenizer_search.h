#ifndef CONVERT_TOKENIZER_SEARCH_H
#define CONVERT_TOKENIZER_SEARCH_H

#include "base/decision_log.h"
#include "convert/tokenizer_files.h"
#include "megatron/shards.h"

/*
 * --tokenizer auto: the tokenizer files that came with a checkpoint, nearest first:
 *
 *   in a zip           the folders that the shards lie in, inmost first; else the only other
 *                      folder that holds some
 *   beside a file      its folder
 *   around a folder    itself (the iteration's before the root), and of a rank's or an
 *                      iteration's folder those above it, up to the checkpoint's root
 *
 * The first place that holds some counts.  What is wrong with files that nobody named is a
 * warning in the log, and the search goes on.
 *
 * NULL: none was found (err->kind is ERROR_NONE), or memory ended.  *where is "in the zip" or
 * "beside the source"; `set` is the caller's to free.
 */
struct tokenizer *tokenizer_search(const struct shards *shards, const char *source,
	struct tokenizer_files_set *set, const char **where, struct decision_log *log,
	struct error *err);

#endif
