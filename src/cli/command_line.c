#include "cli/command_line.h"

#include "base/text.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/*
 * Not getopt_long(): that accepts any unambiguous beginning of a name, so that a script which
 * says --out would break on the day a second option begins so, stops at the first operand when
 * POSIXLY_CORRECT is set, and does not tell an unknown option from an ambiguous one.
 */
struct parser {
	struct options *options;
	char          **next, **end;
	bool            used[OPTIONS_MOST];
	size_t          operand_count;
	const char     *extra;          /* first operand that is one too many */
	struct error   *first_fault;
};

/* Keeps the first fault only; what follows may be its consequence. */
static void
keep_fault(struct parser *parser, const struct error *fault)
{
	if (parser->first_fault->kind == ERROR_NONE)
		*parser->first_fault = *fault;
}

static const struct option_spec *
find_name(const char *name, size_t length)
{
	for (size_t i = 0; i < options_count; i++) {
		const char *candidate = options_table[i].name;

		if (strlen(candidate) == length && memcmp(candidate, name, length) == 0)
			return &options_table[i];
	}
	return NULL;
}

static const struct option_spec *
find_letter(char letter)
{
	for (size_t i = 0; i < options_count; i++)
		if (options_table[i].letter == letter)
			return &options_table[i];
	return NULL;
}

/* What others call our commands and options. */
static const struct other_name { const char *word, *ours; } other_commands[] = {
	{ "check", "verify" }, { "info", "inspect" }, { "compare", "diff" }, { NULL, NULL },
}, other_options[] = {
	{ "num-heads", "num-attention-heads" }, { "n-head", "num-attention-heads" },
	{ "overwrite", "force" }, { NULL, NULL },
};

static const char *
find_other(const struct other_name *names, const char *word)
{
	while (names->word != NULL && strcasecmp(names->word, word) != 0)
		names++;
	return names->ours;
}

/* NULL: nothing is like it. */
static const char *
guess_command(const char *word, const char *const *names, size_t count)
{
	const char *meant = find_other(other_commands, word);

	for (size_t i = 0; i < count && meant == NULL; i++)
		if (strcasecmp(names[i], word) == 0)
			meant = names[i];
	return meant != NULL ? meant : text_nearest(word, names, count);
}

static enum command
find_command(const char *name, struct error *err)
{
	const char *names[COMMAND_COUNT], *near;

	for (unsigned i = COMMAND_NONE + 1; i < COMMAND_COUNT; i++) {
		names[i - 1] = options_command((enum command)i)->name;
		if (strcmp(name, options_command((enum command)i)->name) == 0)
			return (enum command)i;
	}
	error_set(err, ERROR_USAGE, "usage", "unknown command \"%s\"", name);
	if (find_name(name, strlen(name)) != NULL)
		error_hint(err, "did you mean --%s?", name);
	else if ((near = guess_command(name, names, COMMAND_COUNT - 1)) != NULL)
		error_hint(err, "did you mean %s?", near);
	else
		error_hint(err, "the commands are convert, inspect, verify, diff, sign and help");
	return COMMAND_NONE;
}

/* A name that begins or ends with `word`, or one that is spelled nearly so; NULL: neither. */
static const char *
guess_name(const char *word)
{
	const char *names[OPTIONS_MOST], *other = find_other(other_options, word);

	if (strlen(word) < 2 || other != NULL)
		return other;
	for (size_t i = 0; i < options_count; i++) {
		names[i] = options_table[i].name;
		if (text_has_prefix(names[i], word))
			return names[i];
	}
	for (size_t i = 0; i < options_count; i++)
		if (text_has_suffix(names[i], word))    /* --heads */
			return names[i];
	return text_nearest(word, names, options_count);
}

static void
unknown_option(struct parser *parser, const char *dashes, const char *name, size_t length)
{
	struct error               fault = { 0 };
	const struct command_spec *command = options_command(
		parser->options->command != COMMAND_NONE ? parser->options->command
		: COMMAND_CONVERT);
	char                       word[64];
	const char                *guess;

	text_format(word, sizeof word, "%.*s", length < 60 ? (int)length : 60, name);
	error_set(&fault, ERROR_USAGE, "usage", "unknown option %s%s", dashes, word);
	if (strcmp(word, "input") == 0 || strcmp(word, "path") == 0)
		error_hint(&fault, "%s stands without an option: megatron2hf %s %s",
			command->operand, command->name, command->usage);
	else if ((guess = guess_name(word)) != NULL)
		error_hint(&fault, "did you mean --%s?", guess);
	else if (parser->options->command == COMMAND_NONE)
		error_hint(&fault, "megatron2hf help COMMAND lists the options");
	else
		error_hint(&fault, "megatron2hf help %s lists the options", command->name);
	keep_fault(parser, &fault);
}

/* `value` is what was attached to the option, or NULL. */
static void
take_option(struct parser *parser, const struct option_spec *spec, const char *value)
{
	const char  *needed = options_said(spec, parser->options->command).value;
	struct error fault = { 0 };
	bool         fine = true;

	parser->used[spec - options_table] = true;
	if (spec->value == NULL && value != NULL) {
		fine = error_set(&fault, ERROR_USAGE, "usage", "--%s takes no value, found \"%s\"",
			spec->name, value);
	} else if (spec->value != NULL && value == NULL) {
		value = parser->next < parser->end ? *parser->next : NULL;
		if (value == NULL) {
			fine = error_set(&fault, ERROR_USAGE, "usage", "--%s needs a value: %s",
				spec->name, needed);
		} else if (value[0] == '-' && value[1] != '\0') {
			/* A forgotten value must not swallow the option after it. */
			error_set(&fault, ERROR_USAGE, "usage", "--%s needs a value: %s, found \"%s\"",
				spec->name, needed, value);
			fine = error_hint(&fault, "write --%s=%s if that is the value", spec->name, value);
		} else {
			parser->next++;
		}
	}
	fine = fine && spec->set(parser->options, spec, value, &fault);
	if (!fine)
		keep_fault(parser, &fault);
}

/* "--name" or "--name=value" */
static void
take_long(struct parser *parser, const char *name)
{
	size_t                    length = strcspn(name, "=");
	const struct option_spec *spec = find_name(name, length);

	if (spec == NULL)
		unknown_option(parser, "--", name, length);
	else
		take_option(parser, spec, name[length] == '=' ? name + length + 1 : NULL);
}

/* "-o=DIR" is a slip for "-o DIR", never a directory "=DIR". */
static void
letter_with_sign(struct parser *parser, const char *letters)
{
	struct error fault = { 0 };

	error_set(&fault, ERROR_USAGE, "usage", "-%s: did you mean -%c %s?", letters, letters[0],
		letters + 2);
	if (letters[0] == 'o')
		error_hint(&fault, "write -o ./%s for a directory of that name", letters + 1);
	keep_fault(parser, &fault);
}

/* "-nf", "-j4", "-oDIR" */
static void
take_letters(struct parser *parser, const char *letters)
{
	const struct option_spec *spec;

	/* "-output DIR" is a slip for "--output DIR", never a directory "utput". */
	if (letters[1] != '\0' && find_name(letters, strcspn(letters, "=")) != NULL) {
		unknown_option(parser, "-", letters, strcspn(letters, "="));
		return;
	}
	for (; *letters != '\0'; letters++) {
		if ((spec = find_letter(*letters)) == NULL) {
			unknown_option(parser, "-", letters, 1);
			return;
		}
		if (spec->value != NULL && letters[1] == '=') {
			letter_with_sign(parser, letters);
			return;
		}
		if (spec->value != NULL) {
			take_option(parser, spec, letters[1] != '\0' ? letters + 1 : NULL);
			return;
		}
		take_option(parser, spec, NULL);
	}
}

/* The name of the second operand of a command, or NULL. */
static const char *
second_operand(enum command command)
{
	const char *blank = command != COMMAND_NONE
		? strchr(options_command(command)->operand, ' ') : NULL;

	return blank != NULL ? blank + 1 : NULL;
}

/* The first word that is no option is the command, what follows its operands. */
static void
take_word(struct parser *parser, const char *word)
{
	struct options *options = parser->options;
	struct error    fault = { 0 };

	if (parser->operand_count == 0)
		options->command = find_command(word, &fault);
	else if (parser->operand_count == 1 && options->command == COMMAND_HELP)
		options->help_topic = find_command(word, &fault);
	else if (parser->operand_count == 1)
		options->operand = word;
	else if (parser->operand_count == 2 && second_operand(options->command) != NULL)
		options->second = word;
	else if (parser->extra == NULL)
		parser->extra = word;
	parser->operand_count++;
	if (fault.kind != ERROR_NONE)
		keep_fault(parser, &fault);
}

static void
take_all(struct parser *parser)
{
	const char *word;
	bool        ended = false;

	while (parser->next < parser->end && (word = *parser->next++) != NULL) {
		if (ended || word[0] != '-' || word[1] == '\0')
			take_word(parser, word);
		else if (strcmp(word, "--") == 0)
			ended = true;
		else if (word[1] == '-')
			take_long(parser, word + 2);
		else
			take_letters(parser, word + 1);
	}
}

/* ---- checks that need the whole line ---------------------------------------------- */

static bool
check_used(const struct parser *parser, struct error *err)
{
	const struct options *options = parser->options;

	for (size_t i = 0; i < options_count; i++) {
		if (!parser->used[i] || (options_table[i].commands >> options->command & 1) != 0)
			continue;
		error_set(err, ERROR_USAGE, "usage", "--%s is not an option of %s", options_table[i].name,
			options_command(options->command)->name);
		return error_hint(err, "megatron2hf help %s lists its options",
			options_command(options->command)->name);
	}
	return true;
}

/* Options of verify that say how the source is read and compared. */
static bool
check_source(const struct parser *parser, struct error *err)
{
	if (parser->options->command != COMMAND_VERIFY || parser->options->source != NULL)
		return true;
	for (size_t i = 0; i < options_count; i++)
		if (parser->used[i] && options_need_source(&options_table[i]))
			return error_set(err, ERROR_USAGE, "usage",
				"--%s of verify needs --source", options_table[i].name);
	return true;
}

static bool
is_standard_input(const char *operand)
{
	return operand != NULL && strcmp(operand, "-") == 0;
}

static bool
check_operands(const struct parser *parser, struct error *err)
{
	const struct options      *options = parser->options;
	const struct command_spec *spec = options_command(options->command);
	const char                *second = second_operand(options->command);

	if (parser->extra != NULL) {
		error_set(err, ERROR_USAGE, "usage", "unexpected argument \"%s\"", parser->extra);
		if (options->command == COMMAND_CONVERT && options->output == NULL)
			return error_hint(err, "the directory to create comes after -o: "
				"megatron2hf convert %s", spec->usage);
	}
	else if ((spec->operand[0] != '\0' && options->operand == NULL)
		|| (second != NULL && options->second == NULL))
		error_set(err, ERROR_USAGE, "usage", "%s needs %s", spec->name, spec->operand);
	else if ((options->command == COMMAND_VERIFY || options->command == COMMAND_DIFF)
		&& (is_standard_input(options->operand) || is_standard_input(options->second)))
		return error_set(err, ERROR_USAGE, "usage", "%s needs a path (./- for one of that name)",
			spec->name);
	else if (options->operand != NULL && options->operand[0] == '\0')
		return error_set(err, ERROR_USAGE, "usage", "%.*s: the path is empty",
			(int)strcspn(spec->operand, " "), spec->operand);
	else if (options->second != NULL && options->second[0] == '\0')
		return error_set(err, ERROR_USAGE, "usage", "%s: the path is empty", second);
	else if (options->command == COMMAND_CONVERT && options->output == NULL)
		error_set(err, ERROR_USAGE, "usage",
			"convert needs --output DIR, the directory to create");
	else if (options->command == COMMAND_SIGN && options->key == NULL)
		error_set(err, ERROR_USAGE, "usage", "sign needs --key FILE, the private key");
	else
		return true;
	return error_hint(err, "usage: megatron2hf %s %s", spec->name, spec->usage);
}

/* Standard output takes one thing: a tar, or words. */
static bool
check_stream(const struct options *options, struct error *err)
{
	bool to_stdout = options->output != NULL && strcmp(options->output, "-") == 0;

	if (to_stdout && options->command == COMMAND_SIGN) {
		error_set(err, ERROR_USAGE, "usage",
			"--output: a signature cannot go to standard output");
		return error_hint(err, "write ./- for a file of that name");
	}
	if (to_stdout && options->stream == NULL) {
		error_set(err, ERROR_USAGE, "usage",
			"--output: a directory cannot go to standard output");
		return error_hint(err, "add --stream tar, or write ./- for a directory of that name");
	}
	if (options->stream != NULL && !to_stdout)
		return error_set(err, ERROR_USAGE, "usage",
			"--stream writes to standard output: expected --output -");
	if (options->staging != NULL && options->stream == NULL)
		return error_set(err, ERROR_USAGE, "usage", "--staging is where --stream makes the "
			"files: expected --stream tar");
	if (options->stream != NULL && options->json)
		return error_set(err, ERROR_USAGE, "usage",
			"--json and --stream cannot both have standard output");
	return true;
}

/* Nothing overflows that stays what it is. */
static bool
check_overflow(const struct options *options, struct error *err)
{
	bool converts = options->dtype != NULL && strcmp(options->dtype, "keep") != 0;

	return converts || !options->allow_overflow
		|| error_set(err, ERROR_USAGE, "usage", "--allow-overflow is for what --dtype "
			"converts: expected --dtype float16, bfloat16 or float32");
}

/* SOURCE_DATE_EPOCH counts where something would have a time. */
static bool
check_source_date(struct options *options, struct error *err)
{
	const char *date = getenv("SOURCE_DATE_EPOCH");

	if ((options->stream == NULL && options->provenance == NULL) || date == NULL || date[0] == '\0')
		return true;
	return options_take_source_date(options, "SOURCE_DATE_EPOCH", date, err);
}

/* A signature by whomever would prove nothing, and a key alone verifies nothing. */
static bool
check_signature(const struct options *options, struct error *err)
{
	bool has_signer = options->key != NULL || options->ca != NULL;

	if (options->command != COMMAND_VERIFY)
		return true;
	if (options->signature == NULL && has_signer)
		error_set(err, ERROR_USAGE, "usage", "--%s needs --signature FILE, what to verify",
			options->key != NULL ? "key" : "ca");
	else if (options->signature != NULL && !has_signer)
		error_set(err, ERROR_USAGE, "usage",
			"--signature needs --key FILE or --ca FILE, whom to trust");
	else if (options->key != NULL && options->ca != NULL)
		error_set(err, ERROR_USAGE, "usage", "either --key or --ca, not both");
	else
		return true;
	return error_hint(err, "megatron2hf help verify describes them");
}

static bool
check_environment(struct options *options, struct error *err)
{
	const char *threads = getenv("MEGATRON2HF_THREADS");

	if (!check_source_date(options, err))
		return false;
	if (options->has_threads || threads == NULL || threads[0] == '\0')
		return true;
	return options_take_threads(options, "MEGATRON2HF_THREADS", threads, err);
}

bool
command_line_parse(struct options *options, int argc, char **argv, struct error *err)
{
	struct parser parser = {
		.options = options, .next = argv + (argc > 0), .end = argv + argc, .first_fault = err,
	};

	*options = (struct options){ .command = COMMAND_NONE };
	take_all(&parser);
	if (err->kind != ERROR_NONE)
		return false;
	if (options->help || options->version)
		return true;
	if (options->command == COMMAND_NONE) {
		error_set(err, ERROR_USAGE, "usage", "no command was given");
		return error_hint(err, "megatron2hf help lists the commands");
	}
	return check_used(&parser, err) && check_source(&parser, err)
		&& check_operands(&parser, err) && check_stream(options, err)
		&& check_overflow(options, err) && check_signature(options, err)
		&& check_environment(options, err);
}
