#include "fuzz.h"

#include "check/sums.h"

/* SHA256SUMS in all forms that coreutils accepts; what was read is written and read again. */
void
fuzz_one(const uint8_t *bytes, size_t length)
{
	struct sums  sums, again;
	struct text  text = { 0 };
	struct error err = { 0 };
	struct arena arena;

	arena_init(&arena, FUZZ_ARENA_BYTES);
	if (sums_parse((const char *)bytes, length, &arena, &sums, &err)) {
		for (size_t i = 0; i < sums.count; i++)
			sums_write_line(&text, sums.lines[i].sha256, sums.lines[i].name);
		memory_file_must(text.failed || (sums_parse(text.bytes, text.length, &arena, &again,
			&err) && again.count == sums.count && again.malformed == 0), "sums");
	}
	text_free(&text);
	arena_fini(&arena);
}
