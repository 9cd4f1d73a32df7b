#ifndef TESTS_UNIT_ZIP_EDITS_H
#define TESTS_UNIT_ZIP_EDITS_H

#include "zip_builder.h"

/* Where an edit of a built archive happens: at `offset` of this part of record `record`. */
enum place { LOCAL, DATA, DESCRIPTOR, CENTRAL, ZIP64, LOCATOR, END, START, TAIL };

struct edit {
	enum place  place;
	int         record, offset;
	int         width;              /* 1 to 8: put the number; 0: insert the bytes */
	uint64_t    number;
	const char *bytes;
	size_t      count;
};

#define PUT(place, record, offset, width, number) { place, record, offset, width, number, "", 0 }
#define INSERT(place, record, offset, bytes) \
	{ place, record, offset, 0, 0, bytes, sizeof(bytes) - 1 }
#define NO_EDIT { START, 0, 0, 0, 0, "", 0 }

static inline size_t
edit_place(const struct zip_builder *zip, const struct edit *edit)
{
	size_t i = (size_t)edit->record, at = 0;

	switch (edit->place) {
	case LOCAL: at = zip->local[i]; break;
	case DATA: at = zip->data[i]; break;
	case DESCRIPTOR: at = zip->descriptor[i]; break;
	case CENTRAL: at = zip->central[i]; break;
	case ZIP64: at = zip->zip64; break;
	case LOCATOR: at = zip->locator; break;
	case END: at = zip->end; break;
	case START: at = 0; break;
	case TAIL: at = zip->length; break;
	}
	return at + (size_t)edit->offset;
}

/* Places are those before the first edit, but for TAIL. */
static inline void
edit_apply(struct zip_builder *zip, const struct edit *edit)
{
	if (edit->width > 0)
		builder_put(zip, edit_place(zip, edit), (unsigned)edit->width, edit->number);
	else
		builder_insert(zip, edit_place(zip, edit), edit->bytes, edit->count);
}

#endif
