#include "cli/report_sarif.h"

#include "base/json.h"
#include "cli/escape.h"
#include "cli/report_rules.h"

#include <stdlib.h>
#include <string.h>

#define BASE "DIRECTORY"
#define ROOT "%SRCROOT%"

/* Slugs in the order in which they occur, with the status of the first. */
struct rule_list {
	struct rule_entry { const char *slug; int status; } *entries;
	size_t count;
};

struct sarif {
	struct json_writer           w;
	const struct report_subject *subject;
	struct rule_list             rules;
};

/* ---- rules ------------------------------------------------------------------------ */

static size_t
find_rule(const struct rule_list *rules, const char *slug)
{
	size_t i = 0;

	while (i < rules->count && strcmp(rules->entries[i].slug, slug) != 0)
		i++;
	return i;
}

static void
keep_rule(struct rule_list *rules, const char *slug, int status)
{
	if (find_rule(rules, slug) == rules->count)
		rules->entries[rules->count++] = (struct rule_entry){ slug, status };
}

/* Of a check that could not begin there is one rule, for the notification. */
static bool
collect_rules(struct sarif *sarif)
{
	const struct m2h_verification *result = sarif->subject->result;

	sarif->rules.entries = calloc(result->problem_count + result->note_count + 1,
		sizeof *sarif->rules.entries);
	if (sarif->rules.entries == NULL)
		return false;
	for (size_t i = 0; i < result->problem_count; i++)
		keep_rule(&sarif->rules, result->problems[i].error.slug,
			result->problems[i].status);
	for (size_t i = 0; i < result->note_count; i++)
		keep_rule(&sarif->rules, result->notes[i].slug, M2H_OK);
	return true;
}

/* ---- pieces ----------------------------------------------------------------------- */

static void
add_string(struct json_writer *w, const char *key, const char *value)
{
	json_add_string(w, key, value != NULL ? value : "");
}

static void
add_message(struct json_writer *w, const char *key, const char *text)
{
	json_open_member(w, key, '{');
	add_string(w, "text", text);
	json_close(w, '}');
}

/* In the directory; "." is itself. */
static void
add_location(struct json_writer *w, const char *key, const char *path)
{
	struct text uri = { 0 };

	escape_uri(&uri, strcmp(path, ".") == 0 ? "./" : path);
	json_open_member(w, key, '{');
	json_write_key(w, "uri");
	json_write_bytes(w, uri.length > 0 ? uri.bytes : "", uri.length);
	add_string(w, "uriBaseId", BASE);
	json_close(w, '}');
	w->to->failed = w->to->failed || uri.failed;
	text_free(&uri);
}

/* ---- parts of a run --------------------------------------------------------------- */

static void
add_tool(struct sarif *sarif)
{
	struct json_writer *w = &sarif->w;

	json_open_member(w, "tool", '{');
	json_open_member(w, "driver", '{');
	add_string(w, "name", "megatron2hf");
	add_string(w, "version", m2h_version());
	json_open_member(w, "rules", '[');
	for (size_t i = 0; i < sarif->rules.count; i++) {
		const struct rule_entry *rule = &sarif->rules.entries[i];

		json_open(w, '{');
		add_string(w, "id", rule->slug);
		add_message(w, "shortDescription", report_rules_text(rule->slug, rule->status));
		json_close(w, '}');
	}
	json_close(w, ']');
	json_close(w, '}');
	json_close(w, '}');
}

static void
add_invocation(struct sarif *sarif)
{
	struct json_writer            *w = &sarif->w;
	const struct m2h_verification *result = sarif->subject->result;
	bool could_not = result->problem_count == 0 && result->status != M2H_OK;

	json_open_member(w, "invocations", '[');
	json_open(w, '{');
	json_add_bool(w, "executionSuccessful", !could_not);
	json_add_u64(w, "exitCode", (uint64_t)result->status);
	add_string(w, "exitCodeDescription", report_subject_status(result->status));
	if (could_not) {
		json_open_member(w, "toolExecutionNotifications", '[');
		json_open(w, '{');
		add_string(w, "level", "error");
		add_message(w, "message", result->error.message);
		json_open_member(w, "descriptor", '{');
		add_string(w, "id", result->error.slug);
		json_close(w, '}');
		json_close(w, '}');
		json_close(w, ']');
	}
	json_close(w, '}');
	json_close(w, ']');
}

/* A path that climbs is not below the folder in which the program ran. */
static bool
is_below(const char *path)
{
	if (path[0] == '/')
		return false;
	for (const char *at = path; at != NULL; at = strchr(at, '/')) {
		at += *at == '/';
		if (strncmp(at, "..", 2) == 0 && (at[2] == '/' || at[2] == '\0'))
			return false;
	}
	return true;
}

static void
add_bases(struct sarif *sarif)
{
	struct json_writer *w = &sarif->w;
	const char         *directory = sarif->subject->directory;
	struct text         path = { 0 };
	bool                below = is_below(directory);

	json_open_member(w, "originalUriBaseIds", '{');
	json_open_member(w, BASE, '{');
	if (below) {
		while (text_has_prefix(directory, "./"))
			directory += 2 + strspn(directory + 2, "/");
		escape_uri(&path, strcmp(directory, ".") == 0 ? "" : directory);
		if (path.length == 0)
			text_add(&path, "./");
		else if (path.bytes[path.length - 1] != '/')
			text_add(&path, "/");
		add_string(w, "uri", path.bytes);
		add_string(w, "uriBaseId", ROOT);
	}
	add_message(w, "description", "The directory that was checked.");
	json_close(w, '}');
	if (below) {
		json_open_member(w, ROOT, '{');
		add_message(w, "description", "The folder in which megatron2hf ran.");
		json_close(w, '}');
	}
	json_close(w, '}');
	w->to->failed = w->to->failed || path.failed;
	text_free(&path);
}

static void
add_artifacts(struct sarif *sarif)
{
	struct json_writer            *w = &sarif->w;
	const struct m2h_verification *result = sarif->subject->result;

	json_open_member(w, "artifacts", '[');
	for (size_t i = 0; i < result->file_count; i++) {
		const struct m2h_file *file = &result->files[i];

		json_open(w, '{');
		add_location(w, "location", file->name);
		json_add_u64(w, "length", file->bytes);
		if (file->sha256[0] != '\0') {
			json_open_member(w, "hashes", '{');
			add_string(w, "sha-256", file->sha256);
			json_close(w, '}');
		}
		json_close(w, '}');
	}
	json_close(w, ']');
}

static void
add_result(struct sarif *sarif, const char *level, const char *slug, const char *message,
	const char *file, const char *tensor)
{
	struct json_writer *w = &sarif->w;

	json_open(w, '{');
	add_string(w, "ruleId", slug);
	json_add_u64(w, "ruleIndex", find_rule(&sarif->rules, slug));
	add_string(w, "level", level);
	add_message(w, "message", message);
	json_open_member(w, "locations", '[');
	json_open(w, '{');
	json_open_member(w, "physicalLocation", '{');
	add_location(w, "artifactLocation", file == NULL || file[0] == '\0' ? "." : file);
	json_close(w, '}');
	if (tensor != NULL && tensor[0] != '\0') {
		json_open_member(w, "logicalLocations", '[');
		json_open(w, '{');
		add_string(w, "name", tensor);
		add_string(w, "kind", "tensor");
		json_close(w, '}');
		json_close(w, ']');
	}
	json_close(w, '}');
	json_close(w, ']');
}

static void
add_results(struct sarif *sarif)
{
	struct json_writer            *w = &sarif->w;
	const struct m2h_verification *result = sarif->subject->result;

	json_open_member(w, "results", '[');
	for (size_t i = 0; i < result->problem_count; i++) {
		const struct m2h_problem *problem = &result->problems[i];

		add_result(sarif, "error", problem->error.slug, problem->error.message, problem->file,
			problem->tensor);
		json_open_member(w, "properties", '{');
		add_string(w, "class", report_subject_status(problem->status));
		json_add_u64(w, "exit", (uint64_t)problem->status);
		if (problem->error.hint != NULL && problem->error.hint[0] != '\0')
			add_string(w, "hint", problem->error.hint);
		json_close(w, '}');
		json_close(w, '}');
	}
	for (size_t i = 0; i < result->note_count; i++) {
		const struct m2h_note *note = &result->notes[i];

		add_result(sarif, note->is_warning ? "warning" : "note", note->slug, note->text, NULL,
			NULL);
		json_close(w, '}');
	}
	json_close(w, ']');
}

void
report_sarif(struct text *to, const struct report_subject *subject)
{
	struct sarif sarif = { .w = { .to = to, .indent = 2, .ascii = true },
		.subject = subject };

	if (!collect_rules(&sarif)) {
		to->failed = true;
		return;
	}
	json_open(&sarif.w, '{');
	add_string(&sarif.w, "$schema", "https://json.schemastore.org/sarif-2.1.0.json");
	add_string(&sarif.w, "version", "2.1.0");
	json_open_member(&sarif.w, "runs", '[');
	json_open(&sarif.w, '{');
	add_tool(&sarif);
	add_invocation(&sarif);
	add_bases(&sarif);
	add_artifacts(&sarif);
	add_results(&sarif);
	json_close(&sarif.w, '}');
	json_close(&sarif.w, ']');
	json_close(&sarif.w, '}');
	text_add(to, "\n");
	free(sarif.rules.entries);
}
