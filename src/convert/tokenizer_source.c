#include "convert/tokenizer_source.h"

#include "base/descriptor.h"
#include "base/text.h"
#include "convert/tokenizer_search.h"
#include "gpt2/tokenizer_read.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

/* ---- a folder that was named ------------------------------------------------------ */

static bool
read_folder(struct tokenizer_source *source, int directory, struct error *err)
{
	if (!tokenizer_files_in_folder(&source->files, directory, source->folder, err))
		return false;
	if (source->files.count == 0) {
		error_set(err, ERROR_NO_INPUT, "tokmissing", "the folder holds neither "
			TOKENIZER_READ_VOCABULARY " and " TOKENIZER_READ_MERGES " nor "
			TOKENIZER_READ_TOKENIZER);
		return error_in_file(err, source->folder);
	}
	source->tokenizer = tokenizer_files_read(&source->files, source->folder, err);
	return source->tokenizer != NULL || error_in_file(err, source->folder);
}

static bool
hint_folder(const char *option, struct error *err)
{
	if (strcmp(option, "gpt2") == 0 || strcmp(option, "openai-community/gpt2") == 0)
		return error_hint(err, "GPT-2's own is built in: auto");
	if (err->os_errno == ENOTDIR)
		return error_hint(err, "give its folder");
	return error_hint(err, "--tokenizer takes auto, none or a folder");
}

bool
tokenizer_source_name(struct tokenizer_source *source, const char *option, struct error *err)
{
	int  directory;
	bool done;

	*source = (struct tokenizer_source){ .where = "default" };
	if (option == NULL || strcmp(option, "auto") == 0)
		return true;
	source->where = "option";
	source->is_unwanted = strcmp(option, "none") == 0;
	if (source->is_unwanted)
		return true;
	source->folder = option;
	directory = descriptor_open_directory(AT_FDCWD, option, 0);
	if (directory < 0) {
		error_os(err, ERROR_NO_INPUT, "tokmissing", "cannot open the tokenizer's folder");
		hint_folder(option, err);
		return error_in_file(err, option);
	}
	done = read_folder(source, directory, err);
	close(directory);
	return done;
}

/* ---- what came with the checkpoint ------------------------------------------------ */

bool
tokenizer_source_searches(const struct tokenizer_source *source)
{
	return source->folder == NULL && !source->is_unwanted;
}

bool
tokenizer_source_find(struct tokenizer_source *source, const struct shards *shards,
	const char *path, struct decision_log *log, struct error *err)
{
	if (!tokenizer_source_searches(source))
		return true;
	source->tokenizer = tokenizer_search(shards, path, &source->files, &source->where, log,
		err);
	return source->tokenizer != NULL || err->kind == ERROR_NONE;
}

uint64_t
tokenizer_source_size(const struct tokenizer_source *source)
{
	return source->tokenizer != NULL ? source->tokenizer->size : 0;
}

void
tokenizer_source_forget(struct tokenizer_source *source)
{
	if (source->folder != NULL)
		return;
	tokenizer_close(source->tokenizer);
	source->tokenizer = NULL;
	tokenizer_files_fini(&source->files);
}

void
tokenizer_source_fini(struct tokenizer_source *source)
{
	tokenizer_close(source->tokenizer);
	tokenizer_files_fini(&source->files);
	*source = (struct tokenizer_source){ 0 };
}

/* ---- does it belong to the model? ------------------------------------------------- */

/* All rows have a token and all tokens a row; fewer tokens only where the user said so. */
static bool
fits(const struct tokenizer *tokenizer, const struct arguments *arguments, bool is_size_given)
{
	return tokenizer->size == arguments->vocabulary
		|| (is_size_given && tokenizer->size < arguments->vocabulary);
}

static bool
refuse(const struct tokenizer_source *source, const struct arguments *arguments,
	struct error *err)
{
	error_set(err, ERROR_CORRUPT, "vocabsize", "%" PRIu32 " tokens, but the vocabulary of the "
		"model has %" PRIu64 " (%" PRIu64 " rows are stored)", source->tokenizer->size,
		arguments->vocabulary, arguments->padded_vocabulary);
	if (source->tokenizer->size <= arguments->padded_vocabulary)
		error_hint(err, "if it is the model's all the same, --vocab-size %" PRIu32 " cuts "
			"the embedding to it and --vocab-size padded keeps all rows",
			source->tokenizer->size);
	return error_in_file(err, source->folder);
}

static void
tell(const struct tokenizer_source *source, const struct arguments *arguments,
	struct decision_log *log)
{
	const struct tokenizer *tokenizer = source->tokenizer;
	const char             *whose = tokenizer->is_gpt2 ? "GPT-2's tokenizer" : "tokenizer";
	char                    names[96];

	tokenizer_files_names(&source->files, names, sizeof names);
	decision_log_decide(log, "tokenizer", source->where, "%s (%s, %" PRIu32 " tokens)",
		tokenizer->is_gpt2 ? "GPT-2" : "byte-level BPE", names, tokenizer->size);
	decision_log_note(log, NOTE_NOTE, "tokenizer", "%s of %" PRIu32 " tokens from %s %s",
		whose, tokenizer->size, names,
		source->folder != NULL ? "(--tokenizer)" : source->where);
	if (tokenizer->size < arguments->vocabulary)
		decision_log_note(log, NOTE_NOTE, "rows-without-token", "%" PRIu64 " rows of the "
			"embedding have no token", arguments->vocabulary - tokenizer->size);
}

bool
tokenizer_source_settle(struct tokenizer_source *source, const struct arguments *arguments,
	bool is_size_given, struct decision_log *log, struct error *err)
{
	if (source->tokenizer != NULL && fits(source->tokenizer, arguments, is_size_given)) {
		tell(source, arguments, log);
		return true;
	}
	if (source->tokenizer != NULL && source->folder != NULL)
		return refuse(source, arguments, err);
	if (source->tokenizer != NULL) {
		decision_log_note(log, NOTE_WARNING, "tokenizer-unused", "tokenizer files %s are not "
			"used: %" PRIu32 " tokens, but the vocabulary of the model has %" PRIu64,
			source->where, source->tokenizer->size, arguments->vocabulary);
		tokenizer_source_forget(source);
	}
	if (source->is_unwanted) {
		decision_log_decide(log, "tokenizer", "option", "none");
		return true;
	}
	if (arguments->is_gpt2_vocabulary) {
		decision_log_decide(log, "tokenizer", "built in", "GPT-2");
		source->tokenizer = tokenizer_open_gpt2(err);
		return source->tokenizer != NULL;
	}
	decision_log_decide(log, "tokenizer", "default", "none");
	decision_log_note(log, NOTE_NOTE, "no-tokenizer",
		"no tokenizer files: the vocabulary is not known to be GPT-2's");
	return true;
}
