#include "fuzz/mutate.h"

#include "fuzz/zip_parts.h"

#include <stdlib.h>
#include <string.h>

#define MAX_DEPTH 3

/* libFuzzer's own; absent where the mutants are made without it. */
size_t LLVMFuzzerMutate(uint8_t *bytes, size_t length, size_t room) __attribute__((weak));

/* xorshift64* */
static uint32_t
throw(struct mutation *mutation)
{
	mutation->dice ^= mutation->dice >> 12;
	mutation->dice ^= mutation->dice << 25;
	mutation->dice ^= mutation->dice >> 27;
	return (uint32_t)(mutation->dice * 0x2545f4914f6cdd1d >> 32);
}

size_t
mutation_below(struct mutation *mutation, size_t limit)
{
	return limit == 0 ? 0 : throw(mutation) % limit;
}

bool
mutation_one_in(struct mutation *mutation, size_t count)
{
	return mutation_below(mutation, count) == 0;
}

int64_t
mutation_number(struct mutation *mutation, int64_t old)
{
	static const int64_t telling[] = { 0, 1, 2, 3, 4, 7, 8, 9, 16, 64, 127, 128, 255, 256, 1000,
		1001, 1024, 32767, 32768, 50257, 50304, 65535, 65536, 0x7fffffff, 0x80000000,
		0xffffffff, 0x100000000, 0x3fffffffffffffff, INT64_MAX, -1, -2, -128,
		-0x80000000ll, INT64_MIN };
	const uint64_t       near = (uint64_t)old;

	switch (mutation_below(mutation, 9)) {
	case 0: return (int64_t)(near + 1);
	case 1: return (int64_t)(near - 1);
	case 2: return (int64_t)(near * 2);
	case 3: return (int64_t)(near / 2);
	case 4: return (int64_t)(0 - near);
	case 5: return (int64_t)mutation_below(mutation, 100);
	default: return telling[mutation_below(mutation, sizeof telling / sizeof *telling)];
	}
}

static size_t
change_some(struct mutation *mutation, uint8_t *bytes, size_t length, size_t room)
{
	for (size_t times = 1 + mutation_below(mutation, 3); times > 0; times--) {
		const size_t at = mutation_below(mutation, length);
		const size_t count = 1 + mutation_below(mutation, 4);

		switch (mutation_below(mutation, 4)) {
		case 0:
			if (length > 0)
				bytes[at] ^= (uint8_t)(1 << mutation_below(mutation, 8));
			break;
		case 1:
			if (length > 0)
				bytes[at] = (uint8_t)mutation_number(mutation, bytes[at]);
			break;
		case 2:
			if (at + count <= length) {
				memmove(bytes + at, bytes + at + count, length - at - count);
				length -= count;
			}
			break;
		default:
			if (length + count <= room) {
				memmove(bytes + at + count, bytes + at, length - at);
				for (size_t i = 0; i < count; i++)
					bytes[at + i] = (uint8_t)throw(mutation);
				length += count;
			}
		}
	}
	return length;
}

void
mutate_bytes(struct mutation *mutation, const uint8_t *bytes, size_t length, struct text *to)
{
	const size_t room = length + 64;
	uint8_t     *changed = malloc(room);

	if (changed == NULL)
		abort();
	if (length > 0)
		memcpy(changed, bytes, length);
	if (LLVMFuzzerMutate != NULL)
		length = LLVMFuzzerMutate(changed, length, room);
	else
		length = change_some(mutation, changed, length, room);
	text_add_bytes(to, changed, length);
	free(changed);
}

void
mutate_any(struct mutation *mutation, const uint8_t *bytes, size_t length, struct text *to)
{
	static bool (*const forms[])(struct mutation *, const uint8_t *, size_t, struct text *) = {
		mutate_zip, mutate_legacy, mutate_safetensors, mutate_json, mutate_pickle };
	bool done = mutation->depth >= MAX_DEPTH || mutation_one_in(mutation, 40);

	if (done)
		mutate_bytes(mutation, bytes, length, to);
	mutation->depth++;
	for (size_t i = 0; i < sizeof forms / sizeof *forms && !done; i++)
		done = forms[i](mutation, bytes, length, to);
	mutation->depth--;
	if (!done)
		mutate_bytes(mutation, bytes, length, to);
}

/* The fourth of a legacy stream is the one that matters. */
static bool
find_in_row(const uint8_t *bytes, size_t length, struct text *to)
{
	size_t at = 0, taken, start = 0, found = 0;

	for (int i = 0; i < 4 && at < length; i++) {
		if ((taken = mutate_pickle_length(bytes + at, length - at)) == 0)
			break;
		start = at;
		found = taken;
		at += taken;
	}
	if (found > 0)
		text_add_bytes(to, bytes + start, found);
	return found > 0;
}

bool
mutate_find_pickle(struct mutation *mutation, const uint8_t *bytes, size_t length,
	struct text *to)
{
	struct text      holder = { 0 };
	struct zip_parts zip;
	bool             found;

	text_add_bytes(&holder, bytes, length);
	for (int depth = 0; depth < MAX_DEPTH
		&& zip_parts_take((const uint8_t *)holder.bytes, holder.length, &zip); depth++) {
		const struct zip_part *part = zip_parts_choose(&zip, mutation);

		text_free(&holder);
		if (part != NULL)
			text_add_bytes(&holder, part->plain.bytes, part->plain.length);
		zip_parts_free(&zip);
	}
	found = find_in_row((const uint8_t *)holder.bytes, holder.length, to);
	text_free(&holder);
	return found;
}
