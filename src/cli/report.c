#include "cli/report.h"

#include "base/descriptor.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FEW_INPUTS 4            /* shards that are named without -v */

/* Colour only where it can be seen, and never where NO_COLOR says no (no-color.org). */
static bool
wants_colour(const struct options *options, int descriptor)
{
	const char *no_colour = getenv("NO_COLOR"), *term = getenv("TERM");

	if (options->color != COLOR_AUTO)
		return options->color == COLOR_ALWAYS;
	if (no_colour != NULL && no_colour[0] != '\0')
		return false;
	return term != NULL && term[0] != '\0' && strcmp(term, "dumb") != 0 && isatty(descriptor);
}

struct report
report_start(const struct options *options, int descriptor, unsigned label_width)
{
	return (struct report){
		.colour = wants_colour(options, descriptor), .label_width = label_width,
		.verbose = options->verbose,
	};
}

/* ---- lines ------------------------------------------------------------------------ */

void
report_begin(struct report *report, const char *label)
{
	const char *code = text_has_prefix(label, "warning") ? "33" : "1";
	size_t      length = strlen(label);

	if (report->colour)
		text_add(&report->text, "\033[%sm%s\033[0m", code, label);
	else
		text_add(&report->text, "%s", label);
	text_add(&report->text, "%*s",
		length < report->label_width ? (int)(report->label_width - length) : 1, "");
}

void
report_words(struct report *report, const char *fmt, ...)
{
	va_list args;
	char    words[512];

	va_start(args, fmt);
	vsnprintf(words, sizeof words, fmt, args);
	va_end(args);
	text_add(&report->text, "%s", words);
}

void
report_count(struct report *report, size_t count, const char *one, const char *many)
{
	report_words(report, "%zu %s", count, count == 1 ? one : many);
}

void
report_escaped(struct report *report, const char *untrusted)
{
	size_t length = untrusted != NULL ? strlen(untrusted) : 0, room = 4 * length + 1;
	char  *escaped;

	if (length == 0)
		return;
	if ((escaped = malloc(room)) == NULL) {
		report->text.failed = true;
		return;
	}
	text_add(&report->text, "%s", text_escape(escaped, room, untrusted, length));
	free(escaped);
}

void
report_end(struct report *report)
{
	text_add(&report->text, "\n");
}

void
report_piece(struct report *report, bool *first)
{
	if (!*first)
		text_add(&report->text, ", ");
	*first = false;
}

/* ---- parts of results -------------------------------------------------------------- */

void
report_sha256(struct report *report, const char *sha256)
{
	size_t length = strlen(sha256);

	if (report->verbose || length < 8)
		report_words(report, "sha256 %.64s", sha256);
	else
		report_words(report, "sha256 %.4s…%s", sha256, sha256 + length - 2);
}

void
report_inputs(struct report *report, const char *label, const struct m2h_file *files,
	size_t count)
{
	size_t shown = report->verbose || count <= FEW_INPUTS + 1 ? count : FEW_INPUTS;
	char   number[TEXT_NUMBER_SIZE];

	for (size_t i = 0; i < shown; i++) {
		report_begin(report, label);
		report_escaped(report, files[i].name);
		if (files[i].member != NULL && files[i].member[0] != '\0') {
			report_words(report, ": ");
			report_escaped(report, files[i].member);
		}
		report_words(report, "  %s", text_byte_count(number, files[i].bytes));
		if (files[i].sha256[0] != '\0') {
			report_words(report, "  ");
			report_sha256(report, files[i].sha256);
		}
		report_end(report);
	}
	if (shown < count) {
		report_begin(report, label);
		report_words(report, "and %zu more (-v lists them)", count - shown);
		report_end(report);
	}
}

bool
report_model(struct report *report, const char *label, const struct m2h_model *model)
{
	const struct { const char *before; uint64_t number; const char *after; } sizes[] = {
		{ "", model->layers, " layers" }, { "", model->hidden, " wide" },
		{ "", model->heads, " heads" }, { "", model->positions, " positions" },
		{ "vocabulary ", model->vocabulary, "" },
	};
	char        number[TEXT_NUMBER_SIZE];
	const char *between = "";

	if (model->layers == 0 && model->hidden == 0 && model->parameters == 0)
		return false;
	report_begin(report, label);
	if (model->family != NULL && model->family[0] != '\0') {
		report_escaped(report, model->family);
		between = ", ";
	}
	if (model->parameters != 0) {
		report_words(report, "%s%s parameters", between,
			text_grouped(number, model->parameters));
		between = ": ";
	}
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		if (sizes[i].number == 0)
			continue;
		report_words(report, "%s%s%" PRIu64 "%s", between, sizes[i].before, sizes[i].number,
			sizes[i].after);
		between = ", ";
	}
	report_end(report);
	return true;
}

void
report_ranks(struct report *report, const struct m2h_model *model)
{
	report_words(report, "%u tensor × %u pipeline rank%s", model->tensor_size,
		model->pipeline_size, model->tensor_size * model->pipeline_size == 1 ? "" : "s");
	if (model->virtual_size > 1)
		report_words(report, " of %u virtual stages", model->virtual_size);
}

void
report_notes(struct report *report, const struct m2h_note *notes, size_t count)
{
	bool has_colon = report->label_width > 9;       /* the screen of inspect */

	for (size_t i = 0; i < count; i++) {
		const char *label = notes[i].is_warning ? "warning" : "note";
		char        with_colon[16];

		report_begin(report, has_colon
			? text_format(with_colon, sizeof with_colon, "%s:", label) : label);
		report_escaped(report, notes[i].text);
		report_end(report);
	}
}

void
report_decisions(struct report *report, const char *label,
	const struct m2h_decision *decisions, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		report_begin(report, label);
		report_escaped(report, decisions[i].key);
		report_words(report, " = ");
		report_escaped(report, decisions[i].value);
		report_words(report, " (");
		report_escaped(report, decisions[i].source);
		report_words(report, ")");
		report_end(report);
	}
}

void
report_dropped(struct report *report, const char *label, const struct m2h_dropped *dropped,
	size_t count)
{
	char number[TEXT_NUMBER_SIZE];

	for (size_t i = 0; i < count; i++) {
		report_begin(report, label);
		report_escaped(report, dropped[i].what);
		if (dropped[i].bytes != 0)
			report_words(report, "  %s", text_byte_count(number, dropped[i].bytes));
		report_words(report, "  (");
		report_escaped(report, dropped[i].reason);
		report_words(report, ")");
		report_end(report);
	}
}

/* ---- sending ----------------------------------------------------------------------- */

/* Not stdio: that forgets the errno of a write that failed early, and gives up where the
 * other end of a pipe made it non-blocking. */
int
report_write(int descriptor, const struct text *text)
{
	return descriptor_send(descriptor, text->bytes, text->length);
}

void
report_say(struct report *report)
{
	static char no_memory[] = "megatron2hf: out of memory: the summary is lost\n";

	if (report->text.failed)
		report_write(STDERR_FILENO,
			&(struct text){ .bytes = no_memory, .length = sizeof no_memory - 1 });
	else
		report_write(STDERR_FILENO, &report->text);
	text_free(&report->text);
}

void
report_give(struct report *report, struct text *out)
{
	text_add_bytes(out, report->text.bytes, report->text.length);
	out->failed = out->failed || report->text.failed;
	text_free(&report->text);
}

/* Works without memory, since that may be the error. */
void
report_error(const struct options *options, const char *message, const char *hint)
{
	bool colour = wants_colour(options, STDERR_FILENO);
	char escaped[2048], line[4 * sizeof escaped];

	text_escape(escaped, sizeof escaped, message, strlen(message));
	text_format(line, sizeof line, "megatron2hf: %serror:%s %s\n", colour ? "\033[1;31m" : "",
		colour ? "\033[0m" : "", escaped);
	if (hint != NULL && hint[0] != '\0') {
		size_t used = strlen(line);

		text_escape(escaped, sizeof escaped, hint, strlen(hint));
		text_format(line + used, sizeof line - used, "hint: %s\n", escaped);
	}
	report_write(STDERR_FILENO, &(struct text){ .bytes = line, .length = strlen(line) });
}
