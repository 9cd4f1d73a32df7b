#include "fuzz.h"

#include "gpt2/tokenizer_read.h"
#include "gpt2/tokenizer_write.h"

/* A tokenizer: tokenizer.json, or vocab.json and merges.txt with a NUL between them.  What
 * could be read is written. */
void
fuzz_one(const uint8_t *bytes, size_t length)
{
	const char             *text = (const char *)bytes, *split = memchr(bytes, '\0', length);
	struct tokenizer_files  files = { 0 };
	struct tokenizer       *tokenizer;
	struct text             written = { 0 };
	struct error            err = { 0 };

	if (split == NULL) {
		files.tokenizer = text;
		files.tokenizer_length = length;
	} else {
		files.vocabulary = text;
		files.vocabulary_length = (size_t)(split - text);
		files.merges = split + 1;
		files.merges_length = length - files.vocabulary_length - 1;
	}
	if ((tokenizer = tokenizer_read(&files, &err)) != NULL) {
		tokenizer_write_vocabulary(tokenizer, TOKENIZER_HUB, &written, &err);
		tokenizer_write_merges(tokenizer, TOKENIZER_HUB, &written, &err);
		tokenizer_write_tokenizer(tokenizer, TOKENIZER_HUB, &written, &err);
	}
	text_free(&written);
	tokenizer_close(tokenizer);
}
