#include "cli/progress.h"

#include "base/json.h"
#include "base/text.h"
#include "cli/report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define BAR_EVERY_MS    100
#define PLAIN_EVERY_MS  10000
#define JSON_EVERY_MS   1000
#define SAMPLE_EVERY_MS 5000
#define MAX_COLUMNS     200             /* a longer bar tells nothing more */
#define LINE_SIZE       (MAX_COLUMNS + 64)

static const char *const phase_names[] = {
	[M2H_READING] = "reading", [M2H_CONVERTING] = "converting",
	[M2H_CHECKING] = "checking", [M2H_SYNCING] = "syncing",
};
#define PHASE_WIDTH 10

static uint64_t
now_ms(void)
{
	struct timespec now = { 0 };

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* The last column stays free, since many terminals wrap when it is filled, and two more for
 * the ^C that they show. */
static size_t
usable_columns(void)
{
	struct winsize size = { 0 };
	const char    *text = getenv("COLUMNS");
	uint64_t       columns = 0;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		columns = size.ws_col;
	else if (text == NULL || !text_parse_u64(text, strlen(text), &columns) || columns == 0)
		columns = 80;
	columns -= columns > 8 ? 3 : 1;
	return columns > MAX_COLUMNS ? MAX_COLUMNS : (size_t)columns;
}

static void
say(char *line)
{
	report_write(STDERR_FILENO, &(struct text){ .bytes = line, .length = strlen(line) });
}

/* ---- numbers ----------------------------------------------------------------------- */

static unsigned
percent(uint64_t done, uint64_t total)
{
	if (total == 0)
		return 0;
	return done >= total ? 100 : (unsigned)((double)done * 100 / (double)total);
}

/* "0:07", "12:34", "2:00:05" */
static char *
format_seconds(char to[TEXT_NUMBER_SIZE], uint64_t seconds)
{
	if (seconds >= 3600)
		return text_format(to, TEXT_NUMBER_SIZE, "%" PRIu64 ":%02u:%02u", seconds / 3600,
			(unsigned)(seconds / 60 % 60), (unsigned)(seconds % 60));
	return text_format(to, TEXT_NUMBER_SIZE, "%u:%02u", (unsigned)(seconds / 60),
		(unsigned)(seconds % 60));
}

/* Speed and rest, once the phase has run long enough (a second) to tell. */
static struct progress_state
measure(struct progress *progress, uint64_t now, uint64_t done, uint64_t total)
{
	struct progress_state state = { .phase = progress->phase, .done = done, .total = total };
	uint64_t              span;

	if (now - progress->newer.ms >= SAMPLE_EVERY_MS) {
		progress->older = progress->newer;
		progress->newer = (struct progress_sample){ now, done };
	}
	span = now - progress->older.ms;
	if (span < 1000 || done <= progress->older.done)
		return state;
	state.bytes_per_second = (uint64_t)((double)(done - progress->older.done) * 1000 / (double)span);
	if (state.bytes_per_second > 0 && total > 0) {
		state.has_eta = true;
		state.eta_seconds = done < total ? (total - done) / state.bytes_per_second : 0;
	}
	return state;
}

/* ---- the three forms --------------------------------------------------------------- */

/* " 42%  301.5 MB/s  0:12 left", or less of it: `detail` 0 to 2.  Nothing where nothing is
 * known, as in a sync. */
static char *
format_tail(char *to, size_t size, const struct progress_state *state, int detail)
{
	char   number[TEXT_NUMBER_SIZE];
	size_t used;

	if (state->total > 0)
		text_format(to, size, "%3u%%", percent(state->done, state->total));
	else
		text_format(to, size, "%s", state->done > 0 ? text_byte_count(number, state->done) : "");
	used = strlen(to);
	if (detail >= 2 && state->bytes_per_second > 0)
		text_format(to + used, size - used, "  %s/s",
			text_byte_count(number, state->bytes_per_second));
	used = strlen(to);
	if (detail >= 1 && state->has_eta)
		text_format(to + used, size - used, "  %s%s",
			format_seconds(number, state->eta_seconds), detail >= 2 ? " left" : "");
	return to;
}

/* Wide: phase, bar, percent, speed, rest.  Narrower ones leave out from both ends. */
char *
progress_bar(char *to, size_t size, size_t columns, const struct progress_state *state)
{
	int    detail = columns >= 60 ? 2 : columns >= 16 ? 1 : 0;
	size_t used = 0, width, filled;
	char   tail[96];

	format_tail(tail, sizeof tail, state, detail);
	if (columns >= 30)
		used = strlen(text_format(to, size, "%-*s ", PHASE_WIDTH, phase_names[state->phase]));
	/* What is left for the bar, without its brackets and the blank before the tail. */
	width = used + strlen(tail) + 3 < columns ? columns - used - strlen(tail) - 3 : 0;
	if (width < 4 || state->total == 0 || size <= columns) {
		text_format(to + used, size - used, "%s", tail);
		if (columns < size)
			to[columns] = '\0';
		return to;
	}
	filled = width * percent(state->done, state->total) / 100;
	to[used++] = '[';
	memset(to + used, '#', filled);
	memset(to + used + filled, '.', width - filled);
	used += width;
	text_format(to + used, size - used, "] %s", tail);
	return to;
}

/* Over whatever was drawn before. */
static void
draw(struct progress *progress, const char *line)
{
	char   whole[2 * LINE_SIZE];
	size_t length = strlen(line);
	int    blanks = progress->drawn > length ? (int)(progress->drawn - length) : 0;

	say(text_format(whole, sizeof whole, "\r%s%*s", line, blanks, ""));
	progress->drawn = length;
}

static void
say_plain(const struct progress_state *state)
{
	char line[LINE_SIZE], tail[96], done[TEXT_NUMBER_SIZE], total[TEXT_NUMBER_SIZE];

	format_tail(tail, sizeof tail, state, 2);
	if (state->total > 0)
		text_format(line, sizeof line, "%s %s  %s of %s\n", phase_names[state->phase], tail,
			text_byte_count(done, state->done), text_byte_count(total, state->total));
	else
		text_format(line, sizeof line, "%s%s%s\n", phase_names[state->phase],
			tail[0] != '\0' ? " " : "", tail);
	say(line);
}

static void
say_json(const struct progress_state *state, uint64_t elapsed_ms)
{
	struct text        line = { 0 };
	struct json_writer w = { .to = &line, .ascii = true };

	json_open(&w, '{');
	json_add_string(&w, "phase", phase_names[state->phase]);
	json_add_u64(&w, "done", state->done);
	json_write_key(&w, "total");
	if (state->total > 0)
		json_write_u64(&w, state->total);
	else
		json_write_null(&w);
	json_add_u64(&w, "elapsed_ms", elapsed_ms);
	json_write_key(&w, "eta_seconds");
	if (state->has_eta)
		json_write_u64(&w, state->eta_seconds);
	else
		json_write_null(&w);
	json_close(&w, '}');
	text_add(&line, "\n");
	if (!line.failed)
		report_write(STDERR_FILENO, &line);
	text_free(&line);
}

/* ---- the course of the work -------------------------------------------------------- */

static enum options_progress
choose_mode(const struct options *options)
{
	const char *term = getenv("TERM");
	bool        is_screen = isatty(STDERR_FILENO) && term != NULL && term[0] != '\0'
		&& strcmp(term, "dumb") != 0;

	if (options->progress != PROGRESS_AUTO)
		return options->progress;
	if (options->quiet)
		return PROGRESS_NONE;
	if (is_screen)
		return PROGRESS_BAR;
	return options->json ? PROGRESS_NONE : PROGRESS_PLAIN;
}

void
progress_start(struct progress *progress, const struct options *options, const char *source)
{
	uint64_t now = now_ms();
	char     name[128], second[128], line[LINE_SIZE], shown[LINE_SIZE];
	bool     two = options->second != NULL;

	*progress = (struct progress){
		.mode = choose_mode(options), .start_ms = now, .said_ms = now,
	};
	text_base_name(name, sizeof name, source);
	text_format(line, sizeof line, "reading %s%s%s",
		strcmp(source, "-") == 0 ? "standard input" : name, two ? " and " : "",
		two ? text_base_name(second, sizeof second, options->second) : "");
	if (progress->mode == PROGRESS_BAR)
		draw(progress, text_escape(shown, usable_columns() + 1, line, strlen(line)));
	else if (progress->mode == PROGRESS_PLAIN)
		say(strcat(text_escape(shown, sizeof shown - 1, line, strlen(line)), "\n"));
	else if (progress->mode == PROGRESS_JSON)
		say_json(&(struct progress_state){ .phase = M2H_READING }, 0);
}

void
progress_update(void *context, enum m2h_phase phase, uint64_t done, uint64_t total)
{
	static const uint64_t every[] = {
		[PROGRESS_BAR] = BAR_EVERY_MS, [PROGRESS_PLAIN] = PLAIN_EVERY_MS,
		[PROGRESS_JSON] = JSON_EVERY_MS,
	};
	struct progress      *progress = context;
	struct progress_state state;
	char                  line[LINE_SIZE];
	uint64_t              now;

	if (progress->mode == PROGRESS_NONE)
		return;
	now = now_ms();
	if (!progress->has_phase || phase != progress->phase) {
		progress->has_phase = true;
		progress->phase = phase;
		progress->older = progress->newer = (struct progress_sample){ now, done };
	}
	if (now - progress->said_ms < every[progress->mode])
		return;
	progress->said_ms = now;
	state = measure(progress, now, done, total);
	if (progress->mode == PROGRESS_BAR)
		draw(progress, progress_bar(line, sizeof line, usable_columns(), &state));
	else if (progress->mode == PROGRESS_PLAIN)
		say_plain(&state);
	else
		say_json(&state, now - progress->start_ms);
}

void
progress_end(struct progress *progress)
{
	char back[] = "\r";

	if (progress->drawn == 0)
		return;
	draw(progress, "");
	say(back);
}
