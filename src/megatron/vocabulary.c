#include "megatron/vocabulary.h"

#include "base/checked.h"
#include "base/text.h"
#include "megatron/argument_value.h"

#include <inttypes.h>
#include <string.h>

#define DIVISIBLE_BY_DEFAULT 128
#define TENSOR_DOUBLINGS     7  /* tensor parallel sizes 1, 2, 4, ... 64 */

/* Is `rows` what that many tokens are padded to: the next multiple of `unit`, or of it times
 * a power of two up to `doublings`? */
static bool
is_padded_from(uint64_t tokens, uint64_t rows, uint64_t unit, unsigned doublings)
{
	uint64_t padded;

	if (rows == tokens)
		return true;
	for (; doublings > 0; doublings--) {
		if (unit == 0 || !checked_add(tokens - 1, unit, &padded))
			return false;
		if (rows == padded / unit * unit)
			return true;
		if (!checked_multiply(unit, 2, &unit))
			return false;
	}
	return false;
}

/* Which sizes the rows may be padded from, as far as they and the arguments can tell.  Of a
 * tokenizer whose padding nobody tells, any power of two up to 128 x 64 will do. */
static bool
follows_rule(const struct arguments *arguments, const struct value *args,
	uint64_t tokenizer_size, bool *is_gpt2, bool *is_tokenizer, struct error *err)
{
	uint64_t            divisible_by = DIVISIBLE_BY_DEFAULT;
	bool                found;
	const uint64_t      rows = arguments->padded_vocabulary;
	const struct value *type = argument_find(args, "tokenizer_type");

	*is_gpt2 = false;
	if (!argument_whole(args, "make_vocab_size_divisible_by", &divisible_by, &found, err))
		return false;
	if (args == NULL || value_is_text(type, "GPT2BPETokenizer"))
		*is_gpt2 = is_padded_from(VOCABULARY_GPT2, rows, divisible_by, TENSOR_DOUBLINGS);
	*is_tokenizer = tokenizer_size > 0 && (found
		? is_padded_from(tokenizer_size, rows, divisible_by, TENSOR_DOUBLINGS)
		: is_padded_from(tokenizer_size, rows, 1, TENSOR_DOUBLINGS + 7));
	return true;
}

/* --vocab-size N; *given false: "auto", "padded" or nothing. */
static bool
read_option(const struct model_options *options, uint64_t rows, bool *given, uint64_t *number,
	struct error *err)
{
	const char *text = options->vocabulary;
	char        shown[48];

	*given = text != NULL && strcmp(text, "auto") != 0 && strcmp(text, "padded") != 0;
	if (!*given)
		return true;
	if (!text_parse_u64(text, strlen(text), number) || *number == 0)
		return error_set(err, ERROR_USAGE, "usage",
			"--vocab-size %s: auto, padded or a number above 0 is expected",
			text_escape(shown, sizeof shown, text, strlen(text)));
	if (*number > rows)
		return error_set(err, ERROR_USAGE, "vocabpad", "--vocab-size %" PRIu64 ": the "
			"checkpoint stores %" PRIu64 " rows only, and rows are never invented",
			*number, rows);
	return true;
}

static void
note_trimmed(const struct arguments *arguments, const char *whose, struct decision_log *log)
{
	uint64_t rows = arguments->padded_vocabulary - arguments->vocabulary;

	if (rows > 0)
		decision_log_note(log, NOTE_NOTE, "vocabulary-trimmed", "%" PRIu64 " padding row%s of "
			"the embedding left out (%" PRIu64 " -> %" PRIu64 ", %s)", rows,
			rows == 1 ? "" : "s", arguments->padded_vocabulary, arguments->vocabulary,
			whose);
}

static void
settle(struct arguments *arguments, uint64_t size, const char *source, const char *whose,
	struct decision_log *log)
{
	arguments->vocabulary = size;
	decision_log_decide(log, "vocab_size", source, "%" PRIu64, size);
	note_trimmed(arguments, whose, log);
}

/*
 * --vocab-size of a run goes with the NullTokenizer.  Up to core_v0.17.0 it adds a token for
 * the end of documents, later that is one of them; a row too many is harmless.  0: no word.
 */
static bool
null_tokenizer_size(const struct value *args, uint64_t rows, uint64_t *size, struct error *err)
{
	const struct value *type = argument_find(args, "tokenizer_type");
	bool                found;

	if (!value_is_text(type, "NullTokenizer"))
		return true;
	if (!argument_whole(args, "vocab_size", size, &found, err))
		return false;
	if (!found || *size == 0 || *size > rows)
		*size = 0;
	else if (*size < rows)
		++*size;
	return true;
}

/* Nothing was said: what the checkpoint, a tokenizer or the padding rule tell. */
static bool
decide_alone(struct arguments *arguments, const struct value *args, uint64_t tokenizer_size,
	bool follows, struct decision_log *log, struct error *err)
{
	uint64_t rows = arguments->padded_vocabulary, original = 0, null_size = 0;
	bool     found;

	if (!argument_whole(args, "orig_vocab_size", &original, &found, err))
		return false;
	if (found && (original == 0 || original > rows))
		return error_set(err, ERROR_CORRUPT, "vocabpad", "args.orig_vocab_size=%" PRIu64
			" but the embedding has %" PRIu64 " rows", original, rows);
	if (!null_tokenizer_size(args, rows, &null_size, err))
		return false;
	if (found) {
		settle(arguments, original, "args.orig_vocab_size", "args.orig_vocab_size", log);
	} else if (tokenizer_size > 0) {
		settle(arguments, tokenizer_size, "tokenizer", "the tokenizer's size", log);
	} else if (null_size > 0) {
		settle(arguments, null_size, "args.vocab_size", "args.vocab_size of a NullTokenizer",
			log);
	} else if (follows) {
		settle(arguments, VOCABULARY_GPT2,
			rows == VOCABULARY_GPT2 ? "tensor shape" : "GPT-2 tokenizer",
			"GPT-2 tokenizer", log);
	} else {
		settle(arguments, rows, "tensor shape", "", log);
		decision_log_note(log, NOTE_NOTE, "vocabulary-padded", "all %" PRIu64 " rows of the "
			"embedding kept: how many of them are padding is not known", rows);
	}
	return true;
}

bool
vocabulary_decide(struct arguments *arguments, const struct value *args,
	const struct model_options *options, struct decision_log *log, struct error *err)
{
	uint64_t number = 0, wanted = options->given != NULL ? options->given->vocabulary : 0;
	bool     given, follows, fits;
	bool     is_padded = options->vocabulary != NULL
	    && strcmp(options->vocabulary, "padded") == 0;

	if (!read_option(options, arguments->padded_vocabulary, &given, &number, err)
	    || !follows_rule(arguments, args, options->tokenizer_size, &follows, &fits, err))
		return false;
	if (!given && !is_padded && wanted > 0) {
		if (wanted > arguments->padded_vocabulary)
			return error_set(err, ERROR_CORRUPT, "confconflict", "--config says vocab_size %"
				PRIu64 ", but the embedding has %" PRIu64 " rows", wanted,
				arguments->padded_vocabulary);
		settle(arguments, wanted, "config", "--config", log);
	} else if (given)
		settle(arguments, number, "option", "--vocab-size", log);
	else if (is_padded)
		settle(arguments, arguments->padded_vocabulary, "option", "", log);
	else if (!decide_alone(arguments, args, fits ? options->tokenizer_size : 0, follows, log,
		err))
		return false;
	arguments->is_gpt2_vocabulary = arguments->vocabulary == VOCABULARY_GPT2
	    && (given || wanted > 0 || follows);
	return true;
}
