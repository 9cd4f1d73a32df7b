#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include "cli/options.h"
#include "megatron2hf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * How far the work is, on standard error: a bar that is drawn over and over on a terminal, one
 * line every ten seconds elsewhere, or one JSON object per line.  Without escape codes, since
 * blanks and a carriage return do.  The clock is monotonic.
 */
struct progress {
	enum options_progress mode;             /* never PROGRESS_AUTO */
	size_t                drawn;            /* columns of the bar that stands on the screen */
	bool                  has_phase;
	enum m2h_phase        phase;
	uint64_t              start_ms, said_ms;
	/* Two samples of the phase, some seconds apart: speed is what lies between the older
	 * one and now, so that an ETA follows a disk that slows down. */
	struct progress_sample { uint64_t ms, done; } older, newer;
};

/* Says at once that `source` is being read. */
void progress_start(struct progress *progress, const struct options *options,
	const char *source);
m2h_progress progress_update;                   /* the context is the struct progress */
/* Clears the bar, so that the next line starts on an empty one. */
void progress_end(struct progress *progress);

/* One state of the bar in at most `columns` columns, for the width of any terminal. */
struct progress_state {
	enum m2h_phase phase;
	uint64_t       done, total;             /* total 0: not known */
	uint64_t       bytes_per_second;        /* 0: not known yet */
	bool           has_eta;
	uint64_t       eta_seconds;
};
char *progress_bar(char *to, size_t size, size_t columns, const struct progress_state *state);

#endif
