#include "torch/torch_members.h"

#include "base/checked.h"
#include "base/text.h"
#include "container/crc32.h"
#include "container/zip_names.h"
#include "torch/torch_directory.h"
#include "torch/torch_parts.h"
#include "torch/torch_zip.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define SIGNATURE_LOCAL      0x04034b50u
#define SIGNATURE_DESCRIPTOR 0x08074b50u
#define SIGNATURE_ENTRY      0x02014b50u
#define SIGNATURE_END64      0x06064b50u
#define SIGNATURE_LOCATOR    0x07064b50u
#define SIGNATURE_END        0x06054b50u

#define SIGNATURE_BYTES         4
#define DESCRIPTOR_BYTES       16
#define DESCRIPTOR_BYTES_ZIP64 24
/* The largest thing that is collected: a directory entry with everything that can hang on it. */
#define COLLECTED_BYTES (TORCH_DIRECTORY_ENTRY_BYTES + (size_t)3 * UINT16_MAX)

enum state {
	STATE_SIGNATURE,        /* of whatever comes next */
	STATE_LOCAL, STATE_LOCAL_REST,
	STATE_DATA,             /* bytes of a record, to the delivery */
	STATE_SMALL,            /* a record that is collected, of known length */
	STATE_SCAN,             /* the same, up to a descriptor that fits what came */
	STATE_DESCRIPTOR,
	STATE_ENTRY, STATE_ENTRY_REST,
	STATE_END64, STATE_LOCATOR, STATE_END,
	STATE_DONE,
};

enum member {
	MEMBER_PICKLE,
	MEMBER_STORAGE,
	MEMBER_VERSION,
	MEMBER_BYTEORDER,
	MEMBER_SMALL,           /* of no interest, but short for sure */
	MEMBER_UNKNOWN,
};

/* Records of torch.save other than the pickle and the storages. */
static const struct member_name {
	const char *name;
	enum member member;
} member_names[] = {
	{ "data.pkl",               MEMBER_PICKLE    },
	{ "version",                MEMBER_VERSION   },
	{ ".data/version",          MEMBER_VERSION   },
	{ "byteorder",              MEMBER_BYTEORDER },
	{ ".data/serialization_id", MEMBER_SMALL     },
	{ ".format_version",        MEMBER_SMALL     },
	{ ".storage_alignment",     MEMBER_SMALL     },
};

struct torch_members {
	const struct torch_file *file;
	struct torch_delivery   *delivery;
	struct torch_directory  *directory;
	enum state               state;
	uint64_t                 position;      /* of the next byte */
	unsigned char           *collected;
	size_t                   have, need;

	/* The present record */
	struct zip_local_header  header;
	uint64_t                 header_position, length;
	enum member              member;
	size_t                   storage;
	uint32_t                 crc;           /* computed */

	bool                    *came;          /* storages */
	bool                     has_version, has_directory;
};

static bool
refuse_walk(const struct torch_members *members, const char *why, struct error *err)
{
	error_set(err, ERROR_UNSUPPORTED, "walk", "%s: %s; the directory must be read first",
		members->header.name, why);
	return error_at(err, members->header_position);
}

static void
expect(struct torch_members *members, enum state state, size_t need)
{
	members->state = state;
	members->need = need;
}

static void
expect_signature(struct torch_members *members)
{
	members->have = 0;
	expect(members, STATE_SIGNATURE, SIGNATURE_BYTES);
}

static bool
is_collected(const struct torch_members *members)
{
	return members->member == MEMBER_VERSION || members->member == MEMBER_BYTEORDER
		|| members->member == MEMBER_SMALL;
}

/* ---- the end of a record ------------------------------------------------------------ */

static bool
check_contents(struct torch_members *members, struct error *err)
{
	const char *bytes = (const char *)members->collected;
	size_t      length = (size_t)members->length;

	switch (members->member) {
	case MEMBER_STORAGE:
		members->came[members->storage] = true;
		return true;
	case MEMBER_PICKLE:
		return members->crc == members->file->pickle_crc
			|| error_set(err, ERROR_CORRUPT, "changing",
				"changed while being read (data.pkl is not that of before)");
	case MEMBER_VERSION:
		members->has_version = true;
		return torch_zip_check_version(bytes, length, err);
	case MEMBER_BYTEORDER:
		return torch_zip_check_byteorder(bytes, length, err);
	default:
		return true;
	}
}

/* The record has ended; header or descriptor says what its CRC-32 and lengths are. */
static bool
end_record(struct torch_members *members, uint32_t crc, uint64_t stored, uint64_t length,
	struct error *err)
{
	const char *name = members->header.name;

	if (stored != members->length || length != members->length) {
		error_set(err, ERROR_CORRUPT, "dd", "data descriptor of %s disagrees: %" PRIu64
			" bytes, %" PRIu64 " were expected", name,
			stored != members->length ? stored : length, members->length);
		return error_at(err, members->position);
	}
	if (is_collected(members)) {
		if (crc != members->crc && (crc != 0 || length == 0))
			return torch_zip_crc_error(name, crc, members->crc, err);
	} else {
		members->crc = members->delivery->crc;
		if (!torch_delivery_check(members->delivery, crc, err))
			return false;
	}
	if (!check_contents(members, err))
		return false;
	expect_signature(members);
	return torch_directory_note(members->directory, &members->header,
		members->header_position, crc, length, err);
}

static size_t
descriptor_bytes(const struct torch_members *members)
{
	return members->header.is_zip64 ? DESCRIPTOR_BYTES_ZIP64 : DESCRIPTOR_BYTES;
}

static bool
end_descriptor(struct torch_members *members, const unsigned char *at, struct error *err)
{
	bool wide = members->header.is_zip64;

	if (checked_u32(at) != SIGNATURE_DESCRIPTOR) {
		error_set(err, ERROR_CORRUPT, members->member == MEMBER_STORAGE ? "recsize" : "dd",
			"%s must have %" PRIu64 " bytes, but no data descriptor follows them",
			members->header.name, members->length);
		return error_at(err, members->position);
	}
	return end_record(members, checked_u32(at + 4),
		wide ? checked_u64(at + 8) : checked_u32(at + 8),
		wide ? checked_u64(at + 16) : checked_u32(at + 12), err);
}

/* All bytes of a record of known length have come. */
static bool
end_data(struct torch_members *members, struct error *err)
{
	const struct zip_local_header *header = &members->header;

	if (members->state == STATE_SMALL)
		members->crc = crc32_of(0, members->collected, members->have);
	if (!header->has_descriptor)
		return end_record(members, header->crc, header->stored_length, header->length,
			err);
	/* What was collected must stay, so the descriptor goes behind it. */
	expect(members, STATE_DESCRIPTOR, members->have + descriptor_bytes(members));
	return true;
}

/* One more byte of a small record of unknown length: do the last ones describe it? */
static bool
scan(struct torch_members *members, unsigned char byte, struct error *err)
{
	size_t               size = descriptor_bytes(members), length;
	const unsigned char *at;

	members->collected[members->have++] = byte;
	if (members->have < size)
		return true;
	length = members->have - size;
	at = members->collected + length;
	if (checked_u32(at) == SIGNATURE_DESCRIPTOR && checked_u32(at + 8) == length) {
		uint32_t crc = crc32_of(0, members->collected, length);

		if (checked_u32(at + 4) == crc || checked_u32(at + 4) == 0) {
			members->length = length;
			members->crc = crc;
			return end_descriptor(members, at, err);
		}
	}
	return length < TORCH_ZIP_SMALL_RECORD
		|| refuse_walk(members, "no end is to be seen", err);
}

/* ---- the beginning of a record ------------------------------------------------------ */

static bool
classify(struct torch_members *members, struct error *err)
{
	const struct torch_file *file = members->file;
	const char              *full = members->header.name, *name, *key;
	size_t                   folder = strlen(file->folder);

	if (strncmp(full, file->folder, folder) != 0 || full[folder] != '/')
		return error_set(err, ERROR_UNSUPPORTED, "noroot",
			"%s is outside the folder %s: more than one folder", full, file->folder);
	name = full + folder + 1;
	members->member = MEMBER_UNKNOWN;
	if (strcmp(name, "constants.pkl") == 0 || text_has_prefix(name, "code/"))
		return error_set(err, ERROR_UNSUPPORTED, "torchscript",
			"TorchScript archive: it holds code, not only weights");
	for (size_t i = 0; i < sizeof member_names / sizeof *member_names; i++)
		if (strcmp(member_names[i].name, name) == 0)
			members->member = member_names[i].member;
	if ((key = torch_zip_storage_key(full)) == NULL)
		return true;
	members->storage = torch_storages_find(&file->storages, key, strlen(key));
	if (members->storage == file->storages.count)
		return true;
	members->member = MEMBER_STORAGE;
	return !members->came[members->storage]
		|| error_set(err, ERROR_UNSAFE, "dup", "%s appears twice", full);
}

/* How long the record is, as far as that can be known.  *known false: only by its end. */
static bool
find_length(struct torch_members *members, bool *known, struct error *err)
{
	const struct zip_local_header *header = &members->header;
	const struct torch_file       *file = members->file;
	bool                           in_header = !header->has_descriptor || header->length > 0;

	*known = true;
	members->length = header->length;
	if (members->member == MEMBER_STORAGE)
		members->length = file->storages.entries[members->storage].storage.bytes;
	else if (members->member == MEMBER_PICKLE)
		members->length = file->pickle_length;
	else
		*known = in_header;
	if (in_header && header->length != members->length)
		return error_set(err, ERROR_CORRUPT, "recsize",
			"record %s holds %" PRIu64 " bytes, %" PRIu64 " are needed", header->name,
			header->length, members->length);
	if (!*known && !is_collected(members))
		return refuse_walk(members, "its length is not known yet", err);
	if (*known && is_collected(members) && members->length > TORCH_ZIP_SMALL_RECORD)
		return error_set(err, ERROR_LIMIT, "recsize", "%s has %" PRIu64
			" bytes (limit %d)", header->name, members->length, TORCH_ZIP_SMALL_RECORD);
	return true;
}

static bool
begin_record(struct torch_members *members, struct error *err)
{
	const struct zip_local_header *header = &members->header;
	bool                           known;

	if (!zip_names_check(header->name, header->name_length, err))
		return false;
	if (header->flags & 1)
		return error_set(err, ERROR_UNSUPPORTED, "encflag", "%s is encrypted", header->name);
	if (header->method != ZIP_STORED || (header->flags & ~0x0808u) != 0)
		return refuse_walk(members, "is compressed", err);
	if (text_has_suffix(header->name, "/"))
		return refuse_walk(members, "is a directory", err);
	if (!classify(members, err) || !find_length(members, &known, err))
		return false;
	members->have = 0;
	if (is_collected(members)) {
		expect(members, known ? STATE_SMALL : STATE_SCAN, (size_t)members->length);
		return !known || members->length > 0 || end_data(members, err);
	}
	torch_delivery_begin(members->delivery, header->name,
		members->member == MEMBER_STORAGE ? members->storage : TORCH_NO_STORAGE, true,
		members->length, members->position);
	expect(members, STATE_DATA, 0);
	return members->length > 0 || end_data(members, err);
}

/* ---- what was collected ------------------------------------------------------------- */

static bool
end_signature(struct torch_members *members, struct error *err)
{
	members->header_position = members->position - SIGNATURE_BYTES;
	switch (checked_u32(members->collected)) {
	case SIGNATURE_LOCAL:
		if (members->has_directory)
			break;
		expect(members, STATE_LOCAL, ZIP_LOCAL_HEADER_BYTES);
		return true;
	case SIGNATURE_ENTRY:
		members->has_directory = true;
		expect(members, STATE_ENTRY, TORCH_DIRECTORY_ENTRY_BYTES);
		return true;
	case SIGNATURE_END64:
		expect(members, STATE_END64, TORCH_DIRECTORY_END64_BYTES);
		return true;
	case SIGNATURE_LOCATOR:
		expect(members, STATE_LOCATOR, TORCH_DIRECTORY_LOCATOR_BYTES);
		return true;
	case SIGNATURE_END:
		expect(members, STATE_END, TORCH_DIRECTORY_END_BYTES);
		return true;
	default:
		break;
	}
	error_set(err, ERROR_CORRUPT, "lh", "no zip record begins here");
	return error_at(err, members->header_position);
}

static bool
end_local(struct torch_members *members, struct error *err)
{
	if (zip_local_header_read(members->collected, members->have, &members->header))
		return begin_record(members, err);
	error_set(err, ERROR_CORRUPT, "lh", "damaged local header");
	return error_at(err, members->header_position);
}

/* Everything of the present state has come. */
static bool
end_collecting(struct torch_members *members, struct error *err)
{
	unsigned char *at = members->collected;
	bool           done;

	switch (members->state) {
	case STATE_SIGNATURE:
		return end_signature(members, err);
	case STATE_LOCAL:
		expect(members, STATE_LOCAL_REST, members->have + checked_u16(at + 26)
			+ checked_u16(at + 28));
		return members->need > members->have || end_local(members, err);
	case STATE_LOCAL_REST:
		return end_local(members, err);
	case STATE_SMALL:
		return end_data(members, err);
	case STATE_DESCRIPTOR:
		return end_descriptor(members, at + members->need - descriptor_bytes(members), err);
	case STATE_ENTRY:
		expect(members, STATE_ENTRY_REST, members->have + checked_u16(at + 28)
			+ checked_u16(at + 30) + checked_u16(at + 32));
		if (members->need > members->have)
			return true;
		/* fall through */
	case STATE_ENTRY_REST:
		done = torch_directory_entry(members->directory, members->header_position, at,
			members->have, err);
		break;
	case STATE_END64:
		done = torch_directory_end64(members->directory, members->header_position, at, err);
		break;
	case STATE_LOCATOR:
		done = torch_directory_locator(members->directory, members->header_position, at,
			err);
		break;
	default:
		expect(members, STATE_DONE, 0);
		return torch_directory_end(members->directory, members->header_position, at, err)
			|| error_at(err, members->header_position);
	}
	if (!done)
		return error_at(err, members->header_position);
	expect_signature(members);
	return true;
}

/* ---- face --------------------------------------------------------------------------- */

struct torch_members *
torch_members_open(const struct torch_file *file, struct torch_delivery *delivery,
	struct error *err)
{
	struct torch_members *members = calloc(1, sizeof *members);

	if (members == NULL) {
		error_no_memory(err, sizeof *members);
		return NULL;
	}
	members->file = file;
	members->delivery = delivery;
	members->collected = malloc(COLLECTED_BYTES);
	members->came = calloc(file->storages.count + 1, sizeof *members->came);
	if (members->collected == NULL || members->came == NULL)
		error_no_memory(err, COLLECTED_BYTES);
	else if ((members->directory = torch_directory_open(err)) != NULL) {
		expect_signature(members);
		return members;
	}
	torch_members_close(members);
	return NULL;
}

/* Bytes of a record go on as they are. */
static bool
feed_data(struct torch_members *members, const unsigned char *bytes, size_t count,
	size_t *taken, struct error *err)
{
	uint64_t left = members->length - members->delivery->seen;

	*taken = count < left ? count : (size_t)left;
	if (!torch_delivery_bytes(members->delivery, bytes, *taken, err))
		return false;
	members->position += *taken;
	return *taken < left || end_data(members, err);
}

static bool
feed_collected(struct torch_members *members, const unsigned char *bytes, size_t count,
	size_t *taken, struct error *err)
{
	size_t missing = members->need - members->have;

	*taken = count < missing ? count : missing;
	memcpy(members->collected + members->have, bytes, *taken);
	members->have += *taken;
	members->position += *taken;
	return *taken < missing || end_collecting(members, err);
}

bool
torch_members_feed(struct torch_members *members, const unsigned char *bytes, size_t count,
	struct error *err)
{
	while (count > 0) {
		size_t taken = 1;
		bool   done;

		if (members->state == STATE_DONE) {
			error_set(err, ERROR_CORRUPT, "trailing",
				"%zu or more bytes after the end of the archive", count);
			return error_at(err, members->position);
		}
		if (members->state == STATE_DATA) {
			done = feed_data(members, bytes, count, &taken, err);
		} else if (members->state == STATE_SCAN) {
			members->position++;
			done = scan(members, bytes[0], err);
		} else {
			done = feed_collected(members, bytes, count, &taken, err);
		}
		if (!done)
			return false;
		bytes += taken;
		count -= taken;
	}
	return true;
}

bool
torch_members_finish(struct torch_members *members, struct error *err)
{
	const struct torch_storages *storages = &members->file->storages;

	if (members->state != STATE_DONE)
		return error_set(err, ERROR_CORRUPT, "truncated",
			"truncated: zip end record missing; the archive ends after %" PRIu64
			" bytes", members->position);
	if (!members->has_version)
		return error_set(err, ERROR_CORRUPT, "version", "the record %s/version is missing",
			members->file->folder);
	for (size_t i = 0; i < storages->count; i++)
		if (!members->came[i])
			return error_set(err, ERROR_CORRUPT, "missingrec",
				"the pickle needs record %s/data/%s, which is not in the archive",
				members->file->folder, storages->entries[i].storage.key);
	return true;
}

void
torch_members_close(struct torch_members *members)
{
	if (members == NULL)
		return;
	torch_directory_close(members->directory);
	free(members->collected);
	free(members->came);
	free(members);
}
