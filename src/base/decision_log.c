#include "base/decision_log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOG_BYTES ((size_t)4 << 20)

void
decision_log_init(struct decision_log *log)
{
	*log = (struct decision_log){ 0 };
	arena_init(&log->arena, LOG_BYTES);
}

static const char *
keep(struct decision_log *log, const char *text)
{
	const char *copy = arena_copy(&log->arena, text, strlen(text));

	if (copy == NULL)
		log->failed = true;
	return copy;
}

/* Room for one more element of a table; NULL (and the table as it was) when memory ends. */
static void *
grow(struct decision_log *log, void *table, size_t count, size_t *room, size_t size)
{
	size_t more = *room != 0 ? *room * 2 : 32;
	void  *grown;

	if (count < *room)
		return table;
	if ((grown = realloc(table, more * size)) == NULL) {
		log->failed = true;
		return NULL;
	}
	*room = more;
	return grown;
}

void
decision_log_decide(struct decision_log *log, const char *key, const char *source,
	const char *fmt, ...)
{
	struct decision *table, made;
	char             value[256];
	va_list          args;

	va_start(args, fmt);
	vsnprintf(value, sizeof value, fmt, args);
	va_end(args);
	made = (struct decision){ keep(log, key), keep(log, value), keep(log, source) };
	if (log->failed)
		return;
	for (size_t i = 0; i < log->decision_count; i++) {
		if (strcmp(log->decisions[i].key, key) == 0) {
			log->decisions[i] = made;
			return;
		}
	}
	table = grow(log, log->decisions, log->decision_count, &log->decision_room,
		sizeof *table);
	if (table == NULL)
		return;
	log->decisions = table;
	log->decisions[log->decision_count++] = made;
}

void
decision_log_note(struct decision_log *log, enum note_level level, const char *slug,
	const char *fmt, ...)
{
	struct note *table, made = { .level = level };
	char         text[1024];
	va_list      args;

	va_start(args, fmt);
	vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	made.slug = keep(log, slug);
	made.text = keep(log, text);
	if (log->failed)
		return;
	table = grow(log, log->notes, log->note_count, &log->note_room, sizeof *table);
	if (table == NULL)
		return;
	log->notes = table;
	log->notes[log->note_count++] = made;
}

void
decision_log_fini(struct decision_log *log)
{
	free(log->decisions);
	free(log->notes);
	arena_fini(&log->arena);
	*log = (struct decision_log){ 0 };
}
