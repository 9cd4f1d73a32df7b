#include "torch/torch_zip_walk.h"

#include "base/checked.h"
#include "container/zip_local_header.h"
#include "torch/torch_source.h"

#include <stdlib.h>
#include <string.h>

#define LOCAL_HEADER_ROOM (ZIP_LOCAL_HEADER_BYTES + (size_t)2 * UINT16_MAX)
#define DESCRIPTOR_BYTES       16
#define DESCRIPTOR_BYTES_ZIP64 24

/* The header at the start of the stream.  *fits false: it is none that can be walked. */
static bool
read_first_header(struct byte_stream *stream, struct zip_local_header *header,
	uint64_t *header_length, bool *fits, struct error *err)
{
	unsigned char *bytes = malloc(LOCAL_HEADER_ROOM);
	size_t         rest;
	bool           done = false;

	*fits = false;
	if (bytes == NULL)
		return error_no_memory(err, LOCAL_HEADER_ROOM);
	if (!byte_stream_seek(stream, 0, err)
		|| !byte_stream_read(stream, bytes, ZIP_LOCAL_HEADER_BYTES, err))
		goto out;
	rest = checked_u16(bytes + 26) + (size_t)checked_u16(bytes + 28);
	if (rest > byte_stream_length(stream) - byte_stream_position(stream)) {
		done = true;
		goto out;
	}
	if (!byte_stream_read(stream, bytes + ZIP_LOCAL_HEADER_BYTES, rest, err))
		goto out;
	*header_length = ZIP_LOCAL_HEADER_BYTES + rest;
	*fits = zip_local_header_read(bytes, (size_t)*header_length, header);
	done = true;
out:
	free(bytes);
	return done;
}

/* "FOLDER/data.pkl", stored, with no flag but "sizes follow" and "UTF-8". */
static bool
is_walkable(const struct zip_local_header *header)
{
	const char *slash = strchr(header->name, '/');

	return header->method == ZIP_STORED && (header->flags & ~0x0808u) == 0 && slash != NULL
		&& slash != header->name && strcmp(slash, "/data.pkl") == 0;
}

/* Sizes and CRC of the first record, from its header or the descriptor after it. */
static bool
matches_record(struct torch_file *file, const struct zip_local_header *header,
	bool *fits, struct error *err)
{
	unsigned char at[DESCRIPTOR_BYTES_ZIP64];
	size_t        size = header->is_zip64 ? DESCRIPTOR_BYTES_ZIP64 : DESCRIPTOR_BYTES;
	uint64_t      stored, length;
	uint32_t      crc = header->crc;

	*fits = false;
	if (!header->has_descriptor) {
		stored = header->stored_length;
		length = header->length;
	} else {
		if (byte_stream_length(file->stream) - byte_stream_position(file->stream) < size)
			return true;
		if (!byte_stream_read(file->stream, at, size, err))
			return false;
		if (checked_u32(at) != 0x08074b50)
			return true;
		crc = checked_u32(at + 4);
		stored = header->is_zip64 ? checked_u64(at + 8) : checked_u32(at + 8);
		length = header->is_zip64 ? checked_u64(at + 16) : checked_u32(at + 12);
	}
	*fits = stored == file->pickle_length && length == file->pickle_length
		&& (crc == file->pickle_crc || crc == 0);
	file->has_checksums = crc == file->pickle_crc;
	return true;
}

static bool
walk_pickle(struct torch_file *file, const struct zip_local_header *header,
	uint64_t header_length, bool *fits, struct error *err)
{
	uint64_t            left = byte_stream_length(file->stream) - header_length;
	struct torch_source source;

	if (!header->has_descriptor && header->length < left)
		left = header->length;
	*fits = false;
	if (!torch_source_open(&source, file->stream, header_length, left, false, 0, err))
		return false;
	file->root = torch_source_pickle(&source, left, &file->arena, &file->globals, err);
	torch_source_settle(&source);
	file->pickle_length = source.consumed;
	file->pickle_crc = source.crc;
	torch_source_close(&source);
	if (file->root == NULL)
		return error_in_member(err, header->name);
	return matches_record(file, header, fits, err);
}

/* Could all storages lie in the archive as they are?  If not, records are deflated or missing. */
static bool
has_room(const struct torch_file *file)
{
	uint64_t left = byte_stream_length(file->stream);

	for (size_t i = 0; i < file->storages.count; i++) {
		uint64_t bytes = file->storages.entries[i].storage.bytes;

		if (bytes > left)
			return false;
		left -= bytes;
	}
	return true;
}

bool
torch_zip_walk_open(struct torch_file *file, bool *fits, struct error *err)
{
	struct zip_local_header header;
	uint64_t                header_length = 0;
	const char             *slash;

	file->form = TORCH_ZIP;
	if (!read_first_header(file->stream, &header, &header_length, fits, err))
		return false;
	if (!*fits)
		return true;
	*fits = is_walkable(&header);
	if (!*fits)
		return true;
	if (!walk_pickle(file, &header, header_length, fits, err))
		return false;
	if (!*fits)
		return true;
	slash = strchr(header.name, '/');
	file->folder = arena_copy(&file->arena, header.name, (size_t)(slash - header.name));
	if (file->folder == NULL)
		return error_no_memory(err, sizeof header.name);
	if (!torch_storages_collect(&file->storages, file->root, err))
		return false;
	*fits = has_room(file);
	return true;
}
