#include "fuzz.h"

#include "megatron2hf.h"

/* `inspect --tensors --args` of a file that may be anything. */
void
fuzz_one(const uint8_t *bytes, size_t length)
{
	int  fd = memfd_create("fuzz", MFD_CLOEXEC);
	char path[64];

	memory_file_must(fd >= 0, "memfd_create");
	memory_file_must(write(fd, bytes, length) == (ssize_t)length, "write");
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	m2h_inspection_free(m2h_inspect(&(struct m2h_inspect_options){ .path = path,
		.tensors = true, .arguments = true }));
	close(fd);
}
