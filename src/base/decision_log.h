#ifndef BASE_DECISION_LOG_H
#define BASE_DECISION_LOG_H

#include "base/arena.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * What a conversion decided and why, for the summary, -v, --json and the manifest.
 * Decisions and notes keep the order in which they were added; a second decision for a key
 * replaces the first.  Strings are copied into the log's arena.
 */
enum note_level { NOTE_NOTE, NOTE_WARNING };

struct decision {
	const char *key;        /* config.json key, or a name of ours ("qkv_layout") */
	const char *value;      /* as text */
	const char *source;     /* "tensor shape", "args.hidden_size", "option", "known model", "default" */
};

struct note {
	enum note_level level;
	const char     *slug;   /* stable: "vocabulary-trimmed" */
	const char     *text;
};

struct decision_log {
	struct arena     arena;
	struct decision *decisions;
	size_t           decision_count, decision_room;
	struct note     *notes;
	size_t           note_count, note_room;
	bool             failed;        /* memory ended: checked once, at the end */
};

void decision_log_init(struct decision_log *log);
void decision_log_decide(struct decision_log *log, const char *key, const char *source,
	const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void decision_log_note(struct decision_log *log, enum note_level level, const char *slug,
	const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void decision_log_fini(struct decision_log *log);

#endif
