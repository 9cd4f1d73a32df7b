#ifndef CONVERT_TAR_STREAM_H
#define CONVERT_TAR_STREAM_H

#include "check/manifest.h"

/*
 * The files of a directory as a tar, written to the descriptor `to` in the order given, with
 * their base names and the time `mtime` (seconds since 1970).  ERROR_NO_OUTPUT "stdoutfull"
 * when it cannot be written; ERROR_SIGNAL with SIGPIPE when nobody reads any more.
 */
bool tar_stream_write(int to, int directory, const struct manifest_file *files, size_t count,
	uint64_t mtime, struct error *err);

#endif
