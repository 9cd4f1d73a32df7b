#include "base/tar.h"

#include "check.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define GIB ((uint64_t)1 << 30)

/* Fields where POSIX puts them; octal digits from Python. */
static void
test_small(void)
{
	unsigned char block[TAR_HEADER_MOST];
	unsigned      sum = 0;

	CHECK(tar_header(block, "model.safetensors", 709676376, 1700000000) == 512, "one block");
	CHECK(memcmp(block, "model.safetensors\0", 18) == 0, "name");
	CHECK(memcmp(block + 100, "0000644\0" "0000000\0" "0000000", 24) == 0, "mode, owner, group");
	CHECK(memcmp(block + 124, "05223146530", 12) == 0, "size %.11s", block + 124);
	CHECK(memcmp(block + 136, "14524770400", 12) == 0, "time %.11s", block + 136);
	CHECK(block[156] == '0' && memcmp(block + 257, "ustar\0" "00", 8) == 0, "type, magic");
	for (size_t i = 0; i < 512; i++)
		sum += i >= 148 && i < 156 ? ' ' : block[i];
	CHECK((unsigned)strtoul((char *)block + 148, NULL, 8) == sum && block[154] == '\0'
		&& block[155] == ' ', "checksum %u", sum);
	CHECK(tar_padding(0) == 0 && tar_padding(1) == 511 && tar_padding(511) == 1
		&& tar_padding(512) == 0 && tar_padding(9 * GIB + 2) == 510, "padding");
}

static void
test_limits(void)
{
	char          name[102];
	unsigned char blocks[TAR_HEADER_MOST];

	memset(name, 'n', sizeof name);
	name[101] = '\0';
	CHECK(tar_header(blocks, name, 0, 0) == 0, "101 letters");
	name[100] = '\0';
	CHECK(tar_header(blocks, name, 0, 0) == 512, "100 letters");
	CHECK(tar_header(blocks, "a", 0, TAR_MOST) == 512, "the last time");
	CHECK(tar_header(blocks, "a", 0, TAR_MOST + 1) == 0, "one later");
	CHECK(tar_header(blocks, "a", 8 * GIB - 1, 0) == 512
		&& memcmp(blocks + 124, "77777777777", 12) == 0, "8 GiB less 1");
	CHECK(tar_header(blocks, "a", 8 * GIB, 0) == 1536, "8 GiB");
	CHECK(memcmp(blocks + 512, "19 size=8589934592\n\0", 20) == 0, "%.20s", blocks + 512);
	CHECK(blocks[156] == 'x' && memcmp(blocks + 124, "00000000023", 12) == 0, "pax header");
	tar_header(blocks, "a", UINT64_MAX, 0);
	CHECK(memcmp(blocks + 512, "29 size=18446744073709551615\n\0", 30) == 0, "%.30s",
		blocks + 512);
}

/* For readers that are not ours: a hole of 9 GiB and 2 bytes, and a file after it. */
static void
write_large(const char *path)
{
	static const unsigned char zeros[2 * TAR_BLOCK];
	unsigned char              header[TAR_HEADER_MOST];
	int                        fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
	uint64_t                   at = tar_header(header, "large.bin", 9 * GIB + 2, 86400);
	size_t                     length;

	CHECK(pwrite(fd, header, (size_t)at, 0) == (ssize_t)at, "header");
	at += 9 * GIB + 2 + tar_padding(9 * GIB + 2);
	length = tar_header(header, "small.txt", 5, 86400);
	memcpy(header + length, "after\0\0", 7);
	memset(header + length + 7, 0, TAR_BLOCK - 7);
	CHECK(pwrite(fd, header, length + TAR_BLOCK, (off_t)at) == (ssize_t)length + TAR_BLOCK,
		"file");
	at += length + TAR_BLOCK;
	CHECK(pwrite(fd, zeros, sizeof zeros, (off_t)at) == sizeof zeros && close(fd) == 0, "end");
}

int
main(int argc, char **argv)
{
	test_small();
	test_limits();
	if (argc > 1)
		write_large(argv[1]);
	return check_end("tar");
}
