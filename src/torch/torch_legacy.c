#include "torch/torch_legacy.h"

#include "base/checked.h"
#include "base/text.h"
#include "torch/torch_source.h"

#include <inttypes.h>
#include <stdlib.h>

/*
 * torch.save before 1.6, and later on request:
 *
 *	pickle 1    the magic number 0x1950a86a20f9469cfc6c
 *	pickle 2    protocol version, 1001
 *	pickle 3    sys_info: { protocol_version, little_endian, type_sizes }
 *	pickle 4    the object; storages are persistent ids
 *	pickle 5    list of storage keys
 *	then for each key of that list, in its order (never sorted again):
 *	            i64 count of elements, then count x element size bytes
 *
 * Little-endian, no padding, no checksum, nothing after the last storage.  Each pickle has
 * its own stack and memo.
 */
#define LEGACY_PROTOCOL 1001

static struct value *
next_pickle(struct torch_file *file, struct torch_source *source, const char *what,
	struct error *err)
{
	uint64_t      left = byte_stream_length(file->stream) - source->consumed;
	struct value *value = torch_source_pickle(source, left, &file->arena, &file->globals,
		err);

	if (value == NULL)
		error_in_member(err, what);
	return value;
}

/* Pickles 1 to 3. */
static bool
read_preamble(struct torch_file *file, struct torch_source *source, struct error *err)
{
	struct value *magic, *protocol, *sys_info, *order;
	char          shown[96];

	if ((magic = next_pickle(file, source, "magic number", err)) == NULL)
		return false;
	/* The value has 80 bits; identify_stream() has compared its bytes. */
	if (magic->kind != VALUE_BIG)
		return error_set(err, ERROR_INTERNAL, "legacymagic", "the magic number is no number");
	if ((protocol = next_pickle(file, source, "protocol version", err)) == NULL)
		return false;
	if (protocol->kind != VALUE_INT)
		return error_set(err, ERROR_CORRUPT, "legacyproto",
			"legacy protocol version is %s, 1001 was expected",
			value_describe(protocol, shown, sizeof shown));
	if (protocol->integer != LEGACY_PROTOCOL)
		return error_set(err, ERROR_UNSUPPORTED, "legacyproto",
			"legacy protocol %" PRId64 " (1001 was expected)", protocol->integer);
	if ((sys_info = next_pickle(file, source, "system information", err)) == NULL)
		return false;
	order = value_find(sys_info, "little_endian");
	if (order == NULL || order->kind != VALUE_BOOL)
		return error_set(err, ERROR_UNSUPPORTED, "legacyproto",
			"the system information of the file does not tell its byte order");
	if (!order->boolean)
		return error_set(err, ERROR_UNSUPPORTED, "legacyproto",
			"the file was written by a big-endian machine");
	return true;
}

/* One entry of pickle 5 becomes the next storage in the stream. */
static bool
list_key(struct torch_file *file, const struct value *key, struct error *err)
{
	struct torch_storage_entry *entry;
	char                        shown[96];
	size_t                      found;

	if (key->kind != VALUE_TEXT)
		return error_set(err, ERROR_CORRUPT, "legacylist",
			"storage key list holds %s, text was expected",
			value_describe(key, shown, sizeof shown));
	found = torch_storages_find(&file->storages, key->text.bytes, key->text.length);
	if (found == file->storages.count)
		return error_set(err, ERROR_CORRUPT, "legacylist",
			"storage key list names %s, which no tensor has",
			text_escape(shown, sizeof shown, key->text.bytes, key->text.length));
	entry = &file->storages.entries[found];
	if (entry->is_listed)
		return error_set(err, ERROR_CORRUPT, "legacylist",
			"storage key list names %s twice", entry->storage.key);
	entry->is_listed = true;
	file->order[file->order_count++] = found;
	return true;
}

static bool
read_key_list(struct torch_file *file, struct torch_source *source, struct error *err)
{
	const struct value *keys = next_pickle(file, source, "storage key list", err);
	char                shown[96];

	if (keys == NULL)
		return false;
	if (keys->kind != VALUE_LIST)
		return error_set(err, ERROR_CORRUPT, "legacylist",
			"storage key list is %s, a list was expected",
			value_describe(keys, shown, sizeof shown));
	file->order = calloc(file->storages.count + 1, sizeof *file->order);
	if (file->order == NULL)
		return error_no_memory(err, file->storages.count * sizeof *file->order);
	for (uint32_t i = 0; i < keys->count; i++)
		if (!list_key(file, keys->items[i], err))
			return false;
	for (size_t i = 0; i < file->storages.count; i++)
		if (!file->storages.entries[i].is_listed)
			return error_set(err, ERROR_CORRUPT, "legacylist",
				"storage %s has no data: its key is not in the key list",
				file->storages.entries[i].storage.key);
	return true;
}

/* Where each storage lies; together with the pickles they fill the stream exactly. */
static bool
place_storages(struct torch_file *file, struct error *err)
{
	uint64_t length = byte_stream_length(file->stream), position = file->pickle_length;

	for (size_t i = 0; i < file->order_count; i++) {
		struct torch_storage *storage = &file->storages.entries[file->order[i]].storage;

		if (length - position < TORCH_LEGACY_COUNT_BYTES
			|| length - position - TORCH_LEGACY_COUNT_BYTES < storage->bytes) {
			error_set(err, ERROR_CORRUPT, "legacyhdr", "truncated: storage %s needs %"
				PRIu64 " bytes and a count of 8, beyond the end of the file, where"
				" %" PRIu64 " are left", storage->key, storage->bytes,
				length - position);
			return error_at(err, position);
		}
		storage->offset = position + TORCH_LEGACY_COUNT_BYTES;
		storage->is_placed = true;
		position = storage->offset + storage->bytes;
	}
	if (position == length)
		return true;
	error_set(err, ERROR_CORRUPT, "legacyhdr", "%" PRIu64 " bytes after the last storage",
		length - position);
	return error_at(err, position);
}

static uint64_t
byte_swapped(uint64_t number)
{
	uint64_t swapped = 0;

	for (int i = 0; i < 8; i++)
		swapped = swapped << 8 | (number >> 8 * i & 0xff);
	return swapped;
}

bool
torch_legacy_check_count(const struct torch_storage *storage,
	const unsigned char bytes[TORCH_LEGACY_COUNT_BYTES], struct error *err)
{
	uint64_t count = checked_u64(bytes);

	if (count == storage->count)
		return true;
	if (byte_swapped(count) == storage->count)
		error_set(err, ERROR_UNSUPPORTED, "legacyhdr",
			"storage %s: its count is byte-swapped, the file comes from a big-endian"
			" machine", storage->key);
	else
		error_set(err, ERROR_CORRUPT, "legacyhdr", "storage %s: header says %" PRId64
			" elements, pickle says %" PRIu64, storage->key, (int64_t)count,
			storage->count);
	return error_at(err, storage->offset - TORCH_LEGACY_COUNT_BYTES);
}

/* Only where going there is cheap; the pass looks at all of them in any case. */
static bool
check_counts(const struct torch_file *file, struct error *err)
{
	if (byte_stream_is_deflated(file->stream))
		return true;
	for (size_t i = 0; i < file->order_count; i++) {
		const struct torch_storage *storage = &file->storages.entries[file->order[i]].storage;
		unsigned char               bytes[TORCH_LEGACY_COUNT_BYTES];

		if (!byte_stream_seek(file->stream, storage->offset - sizeof bytes, err)
			|| !byte_stream_read(file->stream, bytes, sizeof bytes, err)
			|| !torch_legacy_check_count(storage, bytes, err))
			return false;
	}
	return true;
}

bool
torch_legacy_open(struct torch_file *file, struct error *err)
{
	bool                done = false;
	struct torch_source source;

	file->form = TORCH_LEGACY;
	if (!torch_source_open(&source, file->stream, 0, byte_stream_length(file->stream), false,
		0, err))
		goto out;
	if (!read_preamble(file, &source, err))
		goto out;
	file->root = next_pickle(file, &source, "object", err);
	if (file->root == NULL || !torch_storages_collect(&file->storages, file->root, err)
		|| !read_key_list(file, &source, err))
		goto out;
	torch_source_settle(&source);
	file->pickle_length = source.consumed;
	file->pickle_crc = source.crc;
	done = place_storages(file, err) && check_counts(file, err);
out:
	torch_source_close(&source);
	return done;
}
