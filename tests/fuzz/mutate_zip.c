#include "fuzz/mutate.h"

#include "fuzz/zip_parts.h"

#include <stdio.h>
#include <string.h>

static struct zip_part *
any_part(struct zip_parts *zip, struct mutation *mutation)
{
	return &zip->parts[mutation_below(mutation, zip->count)];
}

static void
change_content(struct zip_parts *zip, struct mutation *mutation)
{
	struct zip_part *part = zip_parts_choose(zip, mutation);
	struct text      changed = { 0 };

	if (part == NULL)
		return;
	mutate_any(mutation, (const uint8_t *)part->plain.bytes, part->plain.length, &changed);
	zip_parts_fill(part, changed.bytes, changed.length, 1 + (int)mutation_below(mutation, 9));
	text_free(&changed);
}

static void
change_method(struct zip_parts *zip, struct mutation *mutation)
{
	struct zip_part *part = any_part(zip, mutation);

	if (mutation_one_in(mutation, 10))
		part->method = (uint16_t)mutation_number(mutation, part->method);
	else if (part->plain.length > 0)
		zip_parts_repack(part, part->method == 8 ? 0 : 8,
			(int)mutation_below(mutation, 10));
}

static void
change_name(struct zip_parts *zip, struct mutation *mutation)
{
	static const char *const names[] = { "data.pkl", "archive/data.pkl", "archive/data/0",
		"archive/version", "archive/byteorder", "archive/.data/serialization_id",
		"archive/constants.pkl", "release/mp_rank_00/model_optim_rng.pt",
		"iter_0000001/mp_rank_01/model_optim_rng.pt", "latest_checkpointed_iteration.txt",
		"release/", "../x", "/x", "C:\\x", "__MACOSX/x", "a//b", "ARCHIVE/DATA.PKL" };
	struct zip_part *part = any_part(zip, mutation);
	const size_t     which = mutation_below(mutation, 2 * sizeof names / sizeof *names);
	struct text      changed = { 0 };

	if (which < sizeof names / sizeof *names)
		text_add(&changed, "%s", names[which]);
	else if (which % 2 == 0)
		text_add_bytes(&changed, any_part(zip, mutation)->name.bytes,
			any_part(zip, mutation)->name.length / 2);
	else
		mutate_bytes(mutation, (const uint8_t *)part->name.bytes, part->name.length,
			&changed);
	text_free(&part->name);
	part->name = changed;
}

/* The folder in front of all names. */
static void
change_root(struct zip_parts *zip, struct mutation *mutation)
{
	static const char *const roots[] = { "", "a/", "archive/", "x/y/", "../", "\xff/" };
	const char              *root = roots[mutation_below(mutation, sizeof roots / sizeof *roots)];
	const bool               is_added = mutation_one_in(mutation, 2);

	for (size_t i = 0; i < zip->count; i++) {
		struct text *name = &zip->parts[i].name, changed = { 0 };
		const char  *slash = name->length == 0 || is_added ? NULL
			: memchr(name->bytes, '/', name->length);
		const size_t skip = slash == NULL ? 0 : (size_t)(slash - name->bytes) + 1;

		text_add(&changed, "%s", root);
		if (name->length > 0)
			text_add_bytes(&changed, name->bytes + skip, name->length - skip);
		text_free(name);
		*name = changed;
	}
}

static void
move_part(struct zip_parts *zip, struct mutation *mutation)
{
	const size_t from = mutation_below(mutation, zip->count);
	const size_t at = mutation_below(mutation, zip->count + 1);

	zip_parts_copy(zip, from, at);
	if (!mutation_one_in(mutation, 4))
		zip_parts_remove(zip, from >= at ? from + 1 : from);
}

static void
remove_part(struct zip_parts *zip, struct mutation *mutation)
{
	if (zip->count > 1)
		zip_parts_remove(zip, mutation_below(mutation, zip->count));
}

static void
add_extra(struct zip_parts *zip, struct mutation *mutation)
{
	static const uint16_t ids[] = { 0x5455, 0x7875, 0x4246, 0x7075, 0x9901, 1, 0xcafe };
	struct zip_part *part = any_part(zip, mutation);
	struct text     *extra = mutation_one_in(mutation, 2) ? &part->local_extra
		: &part->central_extra;
	const size_t     length = mutation_below(mutation, 30);

	text_add_little_endian(extra, ids[mutation_below(mutation, sizeof ids / sizeof *ids)], 2);
	text_add_little_endian(extra, mutation_one_in(mutation, 10)
		? (uint64_t)mutation_number(mutation, (int64_t)length) : length, 2);
	for (size_t i = 0; i < length; i++)
		text_add_little_endian(extra, mutation_below(mutation, 256), 1);
}

static void
change_flags(struct zip_parts *zip, struct mutation *mutation)
{
	static const unsigned descriptors[] = { 0, 12, 16, 20, 24 };
	struct zip_part      *part = any_part(zip, mutation);

	switch (mutation_below(mutation, 6)) {
	case 0:
		part->flags ^= (uint16_t)(1u << mutation_below(mutation, 16));
		break;
	case 1:
		part->flags ^= 8;
		part->descriptor = (part->flags & 8) != 0 ? 16 : 0;
		part->is_blank = (part->flags & 8) != 0;
		break;
	case 2:
		part->descriptor = descriptors[mutation_below(mutation, 5)];
		break;
	case 3:
		part->external = (uint32_t)mutation_number(mutation, part->external) << 16;
		break;
	case 4:
		part->is_aligned = !part->is_aligned;
		break;
	default:
		part->local_zip64 = mutation_one_in(mutation, 2);
		part->central_zip64 = mutation_one_in(mutation, 2);
	}
}

static void
change_end(struct zip_parts *zip, struct mutation *mutation)
{
	struct text changed = { 0 };

	if (mutation_one_in(mutation, 2)) {
		zip->has_zip64_end = !zip->has_zip64_end;
		return;
	}
	mutate_bytes(mutation, (const uint8_t *)zip->comment.bytes, zip->comment.length, &changed);
	text_free(&zip->comment);
	zip->comment = changed;
}

bool
mutate_zip(struct mutation *mutation, const uint8_t *bytes, size_t length, struct text *to)
{
	static void (*const changes[])(struct zip_parts *, struct mutation *) = { change_method,
		change_name, change_root, move_part, remove_part, add_extra, change_flags,
		change_end };
	struct zip_parts zip;

	if (!zip_parts_take(bytes, length, &zip))
		return false;
	if (mutation_below(mutation, 4) != 0)
		change_content(&zip, mutation);
	else
		for (size_t times = 1 + mutation_below(mutation, 2); times > 0; times--)
			changes[mutation_below(mutation, sizeof changes / sizeof *changes)](&zip,
				mutation);
	zip_parts_put(&zip, mutation_one_in(mutation, 16) ? mutation : NULL, to);
	zip_parts_free(&zip);
	return true;
}
