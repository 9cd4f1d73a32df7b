#include "cli/help.h"

#include <string.h>

#define HELP_COLUMN 30          /* where the explanations of options begin */
#define HELP_WIDTH  79

static void
add_option(struct text *to, const struct option_spec *spec, enum command command)
{
	struct option_words words = options_said(spec, command);
	char                left[HELP_COLUMN + 1], letter[8] = "    ";

	if (spec->letter != '\0')
		text_format(letter, sizeof letter, "-%c, ", spec->letter);
	text_format(left, sizeof left, "  %s--%s%s%s", letter, spec->name,
		words.value != NULL ? " " : "", words.value != NULL ? words.value : "");
	text_add(to, "%-*s%s\n", HELP_COLUMN, left, words.help);
}

static bool
is_common(const struct option_spec *spec)
{
	return spec->commands == ~0u;
}

static void
add_common_options(struct text *to)
{
	for (size_t i = 0; i < options_count; i++)
		if (is_common(&options_table[i]))
			add_option(to, &options_table[i], COMMAND_NONE);
}

/* Those of the command alone; of verify either those that need --source or the others. */
static void
add_options(struct text *to, enum command command, bool need_source)
{
	for (size_t i = 0; i < options_count; i++) {
		const struct option_spec *spec = &options_table[i];
		bool needs = command == COMMAND_VERIFY && options_need_source(spec);

		if (!is_common(spec) && (spec->commands >> command & 1) != 0 && needs == need_source)
			add_option(to, spec, command);
	}
}

/* Their names only: what they do stands in the help of all. */
static void
add_common_names(struct text *to)
{
	size_t column = HELP_WIDTH;

	text_add(to, "\nOptions of every command, which megatron2hf --help describes:");
	for (size_t i = 0; i < options_count; i++) {
		char name[HELP_COLUMN];

		if (!is_common(&options_table[i]))
			continue;
		text_format(name, sizeof name, "--%s", options_table[i].name);
		if (column + 1 + strlen(name) > HELP_WIDTH) {
			text_add(to, "\n ");
			column = 1;
		}
		text_add(to, " %s", name);
		column += 1 + strlen(name);
	}
	text_add(to, "\n");
}

static void
add_commands(struct text *to)
{
	for (unsigned i = COMMAND_NONE + 1; i < COMMAND_COUNT; i++) {
		const struct command_spec *spec = options_command((enum command)i);

		text_add(to, "  %s %-*s%s\n", spec->name,
			HELP_COLUMN - 3 - (int)strlen(spec->name), spec->usage, spec->summary);
	}
}

void
help_of_command(struct text *to, enum command command)
{
	if (command == COMMAND_NONE) {
		text_add(to, "usage: megatron2hf COMMAND [OPTION ...] [ARGUMENT]\n\n"
			"Turns a Megatron-LM GPT checkpoint into a Hugging Face GPT-2 directory.\n\n"
			"Commands:\n");
		add_commands(to);
		text_add(to, "\nOptions of every command:\n");
		add_common_options(to);
		text_add(to, "\nOptions may stand anywhere; -- ends them.\n\n"
			"Exit status: 0 done, 1 a check said no, 2 usage, 3 input damaged,\n"
			"4 not supported, 5 input hostile, 6 no input, 7 cannot write, 8 limit reached,\n"
			"9 fault of megatron2hf, 128+N ended by signal N.\n\n"
			"megatron2hf help COMMAND describes one command.\n");
		return;
	}
	text_add(to, "usage: megatron2hf %s [OPTION ...] %s\n\n%s", options_command(command)->name,
		options_command(command)->usage, options_command(command)->about);
	if (command != COMMAND_HELP) {
		text_add(to, "\nOptions:\n");
		add_options(to, command, false);
	}
	if (command == COMMAND_VERIFY) {
		text_add(to, "\nOptions that need --source:\n");
		add_options(to, command, true);
	}
	add_common_names(to);
}

void
help_short(struct text *to)
{
	text_add(to, "usage: megatron2hf COMMAND [OPTION ...] [ARGUMENT]\n");
	add_commands(to);
	text_add(to, "megatron2hf help COMMAND describes one command.\n");
}
