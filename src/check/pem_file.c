#include "check/pem_file.h"

#include "base/descriptor.h"
#include "base/ecdsa.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_BYTES ((size_t)1 << 20)

static bool
read_all(int fd, struct pem_file *file, struct error *err)
{
	struct stat status;
	size_t      count = 0;

	if (fstat(fd, &status) != 0)
		return error_os(err, ERROR_NO_INPUT, "noinput", "cannot look at it");
	if (S_ISDIR(status.st_mode))
		return error_set(err, ERROR_NO_INPUT, "notreg", "is a directory");
	file->is_world_readable = S_ISREG(status.st_mode) && (status.st_mode & S_IROTH) != 0;
	/* All at once: growing would leave copies of a secret behind. */
	if ((file->bytes = malloc(MAX_BYTES + 1)) == NULL)
		return error_no_memory(err, MAX_BYTES + 1);
	do {
		if (!descriptor_read(fd, file->bytes + file->length, MAX_BYTES + 1 - file->length,
			&count, err))
			return false;
		file->length += count;
		if (file->length > MAX_BYTES)
			return error_set(err, ERROR_LIMIT, "pemlarge",
				"more than %zu bytes are no key or certificate", MAX_BYTES);
	} while (count > 0);
	return true;
}

bool
pem_file_read(const char *path, struct pem_file *file, struct error *err)
{
	bool is_input = strcmp(path, "-") == 0;
	int  fd = is_input ? STDIN_FILENO
		: descriptor_open(AT_FDCWD, path, O_RDONLY | O_NOCTTY, 0);
	bool done;

	*file = (struct pem_file){ .bytes = NULL };
	done = fd >= 0 ? read_all(fd, file, err)
		: error_os(err, ERROR_NO_INPUT, "noinput", "cannot open it");
	if (!done)
		error_in_file(err, path);
	if (fd >= 0 && !is_input)
		close(fd);
	return done;
}

void
pem_file_close(struct pem_file *file)
{
	if (file->bytes != NULL)
		ecdsa_wipe(file->bytes, MAX_BYTES + 1);
	free(file->bytes);
	*file = (struct pem_file){ .bytes = NULL };
}
