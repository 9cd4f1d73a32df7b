#ifndef CONVERT_TOKENIZER_FILES_H
#define CONVERT_TOKENIZER_FILES_H

#include "base/digest.h"
#include "base/error.h"
#include "container/zip_archive.h"
#include "gpt2/tokenizer.h"

#define TOKENIZER_FILES_MAX_BYTES ((size_t)64 << 20)    /* of each */
#define TOKENIZER_FILES_MAX       3

/*
 * The tokenizer files of one folder, on disk or in a zip, read as a whole: tokenizer.json, or
 *
 *   vocab.json       merges.txt            as Hugging Face names them
 *   gpt2-vocab.json  gpt2-merges.txt       as Megatron-LM does
 *
 * or tokenizer.json and such a pair.  Half a pair beside a tokenizer.json is not read.
 */
struct tokenizer_files_one {
	const char *name;
	char       *bytes;
	size_t      length;
	char        sha256[DIGEST_HEX_SIZE];
};

struct tokenizer_files_set {
	struct tokenizer_files_one items[TOKENIZER_FILES_MAX];
	size_t                     count;       /* 0: the folder holds none */
};

/*
 * `shown` names the folder in messages ("": it is not named).  A folder with none is no error;
 * half a pair is ERROR_NO_INPUT "tokhalf", a file that is too large ERROR_LIMIT "toksize".
 */
bool tokenizer_files_in_folder(struct tokenizer_files_set *set, int directory,
	const char *shown, struct error *err);
/* The folder `folder` (with its slash; "": the top) of an archive. */
bool tokenizer_files_in_zip(struct tokenizer_files_set *set, const struct zip_archive *archive,
	const char *folder, struct error *err);
/* Is it the name of such a file? */
bool tokenizer_files_knows(const char *name);
/* "vocab.json and merges.txt"; returns `to`. */
char *tokenizer_files_names(const struct tokenizer_files_set *set, char *to, size_t size);
/* What they say: tokenizer_read(), with the names of these files in messages. */
struct tokenizer *tokenizer_files_read(const struct tokenizer_files_set *set,
	const char *shown, struct error *err);
void tokenizer_files_fini(struct tokenizer_files_set *set);

#endif
