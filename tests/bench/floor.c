/*
 * What no conversion can undercut, so that its time can be told as a ratio:
 *
 *     floor convert DIR INPUT ...
 *                               one thread reads the INPUTs and takes their SHA-256; beside
 *                               it another writes as many bytes to a new file in DIR, reads
 *                               them back for a SHA-256 and syncs the file
 *     floor double DIR INPUT ...
 *                               the same with twice as many bytes in the file
 *     floor two DIR INPUT ...   the same with two files, a thread for each
 *     floor disk DIR INPUT ...  as convert, but synced and out of the cache before it is read
 *                               back
 *     floor sha256 FILE         read and SHA-256
 *     floor both FILE FILE      the same of two files at once, a thread for each
 *     floor fsync BYTES DIR     the sync alone of so many bytes, new in the page cache
 *
 * Prints seconds.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "clock.h"

enum { STEP = 1 << 20, MOST_OUTPUTS = 2, ANY = 0 };

static unsigned char *
step_buffer(void)
{
	unsigned char *bytes = malloc(STEP);

	if (bytes == NULL)
		err(1, "buffer");
	return bytes;
}

static int
open_input(const char *path, uint64_t *size)
{
	int         file = open(path, O_RDONLY);
	struct stat found;

	if (file < 0 || fstat(file, &found) != 0)
		err(1, "%s", path);
	*size = (uint64_t)found.st_size;
	return file;
}

static void
hash_file(int file, const char *path)
{
	unsigned char *bytes = step_buffer(), digest[EVP_MAX_MD_SIZE];
	EVP_MD_CTX    *hash = EVP_MD_CTX_new();
	uint64_t       offset = 0;
	ssize_t        got;

	if (hash == NULL || !EVP_DigestInit_ex(hash, EVP_sha256(), NULL))
		errx(1, "SHA-256 is not available");
	while ((got = pread(file, bytes, STEP, (off_t)offset)) > 0) {
		EVP_DigestUpdate(hash, bytes, (size_t)got);
		offset += (uint64_t)got;
	}
	if (got < 0)
		err(1, "%s", path);
	EVP_DigestFinal_ex(hash, digest, NULL);
	EVP_MD_CTX_free(hash);
	free(bytes);
}

/* A new file in `dir`, which may be there, of `size` bytes that do not repeat within a step. */
static int
write_output(const char *dir, int number, uint64_t size, const unsigned char *bytes)
{
	char *path;
	int   file;

	if (mkdir(dir, 0777) != 0 && errno != EEXIST)
		err(1, "%s", dir);
	if (asprintf(&path, "%s/floor-%d.bin", dir, number) < 0)
		err(1, "path");
	if ((file = open(path, O_RDWR | O_CREAT | O_EXCL, 0666)) < 0)
		err(1, "%s", path);
	if ((errno = posix_fallocate(file, 0, (off_t)size)) != 0)
		err(1, "%s", path);
	for (uint64_t offset = 0; offset < size; offset += STEP) {
		size_t some = size - offset < STEP ? (size_t)(size - offset) : STEP;

		if (pwrite(file, bytes, some, (off_t)offset) != (ssize_t)some)
			err(1, "%s", path);
	}
	free(path);
	return file;
}

static unsigned char *
prepared_bytes(void)
{
	unsigned char *bytes = step_buffer();
	uint32_t       state = 1;

	for (size_t i = 0; i < STEP; i++) {
		state = state * 1664525 + 1013904223;
		bytes[i] = (unsigned char)(state >> 24);
	}
	return bytes;
}

struct output {
	const char          *dir;
	int                  number;
	const unsigned char *bytes;
	uint64_t             size;
	bool                 from_disk;
};

static void *
produce_output(void *context)
{
	const struct output *output = context;
	int                  file = write_output(output->dir, output->number, output->size,
		output->bytes);

	if (output->from_disk && (fsync(file) != 0
	    || posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED) != 0))
		err(1, "%s", output->dir);
	hash_file(file, output->dir);
	if (fsync(file) != 0 || close(file) != 0)
		err(1, "%s", output->dir);
	return NULL;
}

static void *
hash_input(void *path)
{
	uint64_t size;
	int      file = open_input(path, &size);

	hash_file(file, path);
	close(file);
	return NULL;
}

/* Arguments: the folder for `count` outputs of `times` the bytes that the inputs have, and
 * the inputs, up to a NULL. */
static double
floor_outputs(char **arguments, int count, uint64_t times, bool from_disk)
{
	unsigned char *bytes = prepared_bytes();
	double         start = seconds_now();
	uint64_t       all = 0, size;
	pthread_t      beside[MOST_OUTPUTS];
	struct output  outputs[MOST_OUTPUTS];

	for (char **input = arguments + 1; *input != NULL; input++) {
		close(open_input(*input, &size));
		all += size;
	}
	for (int i = 0; i < count; i++) {
		outputs[i] = (struct output){ arguments[0], i, bytes, all * times, from_disk };
		if ((errno = pthread_create(&beside[i], NULL, produce_output, &outputs[i])) != 0)
			err(1, "thread");
	}
	for (char **input = arguments + 1; *input != NULL; input++)
		hash_input(*input);
	for (int i = 0; i < count; i++)
		pthread_join(beside[i], NULL);
	free(bytes);
	return seconds_now() - start;
}

static double
floor_convert(char **arguments)
{
	return floor_outputs(arguments, 1, 1, false);
}

static double
floor_disk(char **arguments)
{
	return floor_outputs(arguments, 1, 1, true);
}

static double
floor_double(char **arguments)
{
	return floor_outputs(arguments, 1, 2, false);
}

static double
floor_two(char **arguments)
{
	return floor_outputs(arguments, 2, 1, false);
}

static double
floor_sha256(char **arguments)
{
	double start = seconds_now();

	hash_input(arguments[0]);
	return seconds_now() - start;
}

static double
floor_both(char **arguments)
{
	double    start = seconds_now();
	pthread_t beside;

	if ((errno = pthread_create(&beside, NULL, hash_input, arguments[1])) != 0)
		err(1, "thread");
	hash_input(arguments[0]);
	pthread_join(beside, NULL);
	return seconds_now() - start;
}

static double
floor_fsync(char **arguments)
{
	unsigned char *bytes = prepared_bytes();
	int            file = write_output(arguments[1], 0, strtoull(arguments[0], NULL, 10),
		bytes);
	double         start = seconds_now();

	if (fsync(file) != 0)
		err(1, "%s", arguments[1]);
	close(file);
	free(bytes);
	return seconds_now() - start;
}

static const struct mode {
	const char *name;
	int         arguments;          /* ANY: two or more */
	double    (*run)(char **arguments);
} modes[] = {
	{ "convert", ANY, floor_convert },
	{ "double",  ANY, floor_double },
	{ "two",     ANY, floor_two },
	{ "disk",    ANY, floor_disk },
	{ "sha256",  1,   floor_sha256 },
	{ "both",    2,   floor_both },
	{ "fsync",   2,   floor_fsync },
};

static bool
takes(const struct mode *mode, int arguments)
{
	return mode->arguments == ANY ? arguments >= 2 : arguments == mode->arguments;
}

int
main(int argc, char **argv)
{
	for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
		if (argc > 1 && takes(&modes[i], argc - 2) && strcmp(argv[1], modes[i].name) == 0) {
			printf("%.3f\n", modes[i].run(argv + 2));
			return 0;
		}
	errx(2, "usage: floor convert|double|two|disk DIR INPUT ... | sha256 FILE | both FILE FILE | "
		"fsync BYTES DIR");
}
