#include "base/tar.h"

#include "base/text.h"

#include <inttypes.h>
#include <string.h>

/*
 * A header block (POSIX pax, "ustar Interchange Format"): numbers are octal digits and a NUL,
 * and the checksum is the sum of all bytes with blanks in its own place.
 *
 *     0 name[100]  100 mode[8]  108 uid[8]  116 gid[8]  124 size[12]  136 mtime[12]
 *     148 chksum[8]  156 typeflag  157 linkname[100]  257 magic[6] "ustar"  263 version[2] "00"
 *     265 uname[32]  297 gname[32]  329 devmajor[8]  337 devminor[8]  345 prefix[155]
 *
 * Sizes beyond 11 octal digits are in a file of type 'x' before, as "LENGTH size=N\n".
 */
#define NAME_BYTES 100

static void
put_octal(unsigned char *to, size_t digits, uint64_t number)
{
	to[digits] = '\0';
	for (size_t i = digits; i > 0; i--, number >>= 3)
		to[i - 1] = (unsigned char)('0' + (number & 7));
}

static void
put_block(unsigned char to[TAR_BLOCK], char type, const char *name, uint64_t size, uint64_t mtime)
{
	unsigned sum = 0;

	memset(to, 0, TAR_BLOCK);
	memcpy(to, name, strlen(name));
	put_octal(to + 100, 7, 0644);
	put_octal(to + 108, 7, 0);
	put_octal(to + 116, 7, 0);
	put_octal(to + 124, 11, size);
	put_octal(to + 136, 11, mtime);
	memset(to + 148, ' ', 8);
	to[156] = (unsigned char)type;
	memcpy(to + 257, "ustar\0" "00", 8);
	put_octal(to + 329, 7, 0);
	put_octal(to + 337, 7, 0);
	for (size_t i = 0; i < TAR_BLOCK; i++)
		sum += to[i];
	put_octal(to + 148, 6, sum);
}

/* "LENGTH size=N\n", where LENGTH counts itself. */
static size_t
put_size_record(unsigned char to[TAR_BLOCK], uint64_t size)
{
	char   record[64];
	size_t length;

	text_format(record, sizeof record, " size=%" PRIu64 "\n", size);
	length = strlen(record) + 2;    /* two digits: it is 19 to 29 */
	memset(to, 0, TAR_BLOCK);
	text_format((char *)to, TAR_BLOCK, "%zu%s", length, record);
	return length;
}

size_t
tar_header(unsigned char to[TAR_HEADER_MOST], const char *name, uint64_t size, uint64_t mtime)
{
	if (strlen(name) > NAME_BYTES || mtime > TAR_MOST)
		return 0;
	if (size <= TAR_MOST) {
		put_block(to, '0', name, size, mtime);
		return TAR_BLOCK;
	}
	put_block(to, 'x', "PaxHeader", put_size_record(to + TAR_BLOCK, size), mtime);
	put_block(to + 2 * (size_t)TAR_BLOCK, '0', name, 0, mtime);
	return TAR_HEADER_MOST;
}

size_t
tar_padding(uint64_t size)
{
	return (size_t)((TAR_BLOCK - size % TAR_BLOCK) % TAR_BLOCK);
}
