#include "base/text.h"
#include "cli/options.h"

#include <stdio.h>
#include <string.h>

/*
 * Writes what makes a shell complete the command line, from the tables that the program
 * itself reads: completions bash|zsh|fish.  Part of the build, not of the program.
 */

static bool
takes_file(const char *value)
{
	return value != NULL && (strstr(value, "FILE") != NULL
		|| strstr(value, "PATH") != NULL || strstr(value, "SRC") != NULL);
}

static bool
takes_folder(const char *value)
{
	return value != NULL && (strcmp(value, "DIR") == 0 || strcmp(value, "FROM") == 0);
}

static bool
belongs(const struct option_spec *spec, unsigned command)
{
	return (spec->commands >> command & 1) != 0;
}

/* "auto none", as one word of the shell. */
static void
add_words(struct text *to, const struct option_spec *spec)
{
	const char *const *words = options_words(spec);

	for (size_t i = 0; words[i] != NULL; i++)
		text_add(to, "%s%s", i == 0 ? "" : " ", words[i]);
}

/* In single quotes; `also` is a character that needs a backslash there, or '\0'. */
static void
add_quoted(struct text *to, const char *string, char also)
{
	for (; *string != '\0'; string++) {
		if (*string == '\'')
			text_add(to, "'\\''");
		else
			text_add(to, "%s%c", *string == also ? "\\" : "", *string);
	}
}

static void
add_command_names(struct text *to, const char *between)
{
	for (unsigned i = COMMAND_NONE + 1; i < COMMAND_COUNT; i++)
		text_add(to, "%s%s", i == COMMAND_NONE + 1 ? "" : between,
			options_command((enum command)i)->name);
}

/* ---- bash ------------------------------------------------------------------------- */

/* A branch for each option that takes a value: what that can be. */
static void
add_bash_values(struct text *to)
{
	for (size_t i = 0; i < options_count; i++) {
		const struct option_spec *spec = &options_table[i];

		if (spec->value == NULL)
			continue;
		text_add(to, "\t");
		if (spec->letter != '\0')
			text_add(to, "-%c|", spec->letter);
		text_add(to, "--%s) words='", spec->name);
		add_words(to, spec);
		text_add(to, "'%s ;;\n", takes_file(spec->value) ? " paths=-f"
			: takes_folder(spec->value) ? " paths=-d" : "");
	}
}

/* A branch for each command: its options, and what it works on. */
static void
add_bash_commands(struct text *to)
{
	for (unsigned command = COMMAND_NONE; command < COMMAND_COUNT; command++) {
		text_add(to, "\t%s) words='", command == COMMAND_NONE ? "''"
			: options_command((enum command)command)->name);
		if (command == COMMAND_NONE || command == COMMAND_HELP)
			add_command_names(to, " ");
		for (size_t i = 0; i < options_count; i++) {
			if (belongs(&options_table[i], command))
				text_add(to, " --%s", options_table[i].name);
		}
		text_add(to, "'%s ;;\n", command == COMMAND_NONE || command == COMMAND_HELP
			? "" : " paths=-f");
	}
}

static void
add_bash(struct text *to)
{
	text_add(to,
		"# bash completion of megatron2hf\n"
		"_megatron2hf()\n{\n"
		"\tlocal word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n"
		"\tlocal command='' words='' paths='' i\n\n"
		"\t# bash takes --name=value apart at \"=\"\n"
		"\tif [ \"$word\" = '=' ]; then\n"
		"\t\tword=''\n"
		"\telif [ \"$before\" = '=' ] && [ \"$COMP_CWORD\" -ge 2 ]; then\n"
		"\t\tbefore=${COMP_WORDS[COMP_CWORD-2]}\n"
		"\tfi\n"
		"\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
		"\t\tcase ${COMP_WORDS[i]} in\n\t\t");
	add_command_names(to, "|");
	text_add(to, ") command=${COMP_WORDS[i]}; break ;;\n"
		"\t\tesac\n"
		"\tdone\n"
		"\tcase $before in\n");
	add_bash_values(to);
	text_add(to, "\t*)\n\tcase $command in\n");
	add_bash_commands(to);
	text_add(to, "\tesac ;;\n\tesac\n"
		"\tCOMPREPLY=()\n"
		"\tif [ -n \"$words\" ]; then\n"
		"\t\tmapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")\n"
		"\t\tcase ${COMPREPLY[0]-} in *=) compopt -o nospace 2>/dev/null ;; esac\n"
		"\tfi\n"
		"\tif [ -n \"$paths\" ] && [[ $word != -* ]]; then\n"
		"\t\tmapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen $paths -- \"$word\")\n"
		"\t\tcompopt -o filenames 2>/dev/null\n"
		"\tfi\n"
		"}\n"
		"complete -F _megatron2hf megatron2hf\n");
}

/* ---- zsh -------------------------------------------------------------------------- */

static void
add_zsh_value(struct text *to, const struct option_spec *spec, const char *value)
{
	bool has_words = options_words(spec)[0] != NULL;

	text_add(to, ":%s:", value);
	if (takes_folder(value) || takes_file(value)) {
		/* Words are few and documented: paths are what one looks for. */
		text_add(to, takes_folder(value) ? "_files -/" : "_files");
	} else if (has_words) {
		text_add(to, "(");
		add_words(to, spec);
		text_add(to, ")");
	} else {
		text_add(to, " ");
	}
}

static void
add_zsh_option(struct text *to, const struct option_spec *spec, enum command command)
{
	/* An option that may be given again has no list of what it excludes. */
	bool                again = strcmp(spec->name, "report") == 0;
	struct option_words said = options_said(spec, command);

	text_add(to, " \\\n\t\t");
	if (again)
		text_add(to, "'*'");
	else if (spec->letter != '\0')
		text_add(to, "'(-%c --%s)'", spec->letter, spec->name);
	if (spec->letter != '\0')
		text_add(to, "{-%c%s,--%s%s}", spec->letter, spec->value != NULL ? "+" : "",
			spec->name, spec->value != NULL ? "=" : "");
	else
		text_add(to, "--%s%s", spec->name, spec->value != NULL ? "=" : "");
	text_add(to, "'[");
	add_quoted(to, said.help, ']');
	text_add(to, "]");
	if (said.value != NULL)
		add_zsh_value(to, spec, said.value);
	text_add(to, "'");
}

static void
add_zsh(struct text *to)
{
	text_add(to,
		"#compdef megatron2hf\n"
		"_megatron2hf() {\n"
		"\tlocal context state state_descr line ret=1\n"
		"\ttypeset -A opt_args\n"
		"\tlocal -a commands\n"
		"\tcommands=(\n");
	for (unsigned i = COMMAND_NONE + 1; i < COMMAND_COUNT; i++) {
		text_add(to, "\t\t'%s:", options_command((enum command)i)->name);
		add_quoted(to, options_command((enum command)i)->summary, ':');
		text_add(to, "'\n");
	}
	text_add(to, "\t)\n\t_arguments -C");
	for (size_t i = 0; i < options_count; i++) {
		if (belongs(&options_table[i], COMMAND_NONE))
			add_zsh_option(to, &options_table[i], COMMAND_NONE);
	}
	text_add(to, " \\\n\t\t'1:command:->command' '*::argument:->argument' && ret=0\n"
		"\tcase $state in\n"
		"\tcommand) _describe -t commands command commands && ret=0 ;;\n"
		"\targument)\n"
		"\tcase $words[1] in\n");
	for (unsigned command = COMMAND_NONE + 1; command < COMMAND_COUNT; command++) {
		const struct command_spec *spec = options_command((enum command)command);

		text_add(to, "\t%s) _arguments", spec->name);
		for (size_t i = 0; i < options_count; i++) {
			if (belongs(&options_table[i], command))
				add_zsh_option(to, &options_table[i], (enum command)command);
		}
		if (command == COMMAND_HELP) {
			text_add(to, " \\\n\t\t'1:command:(");
			add_command_names(to, " ");
			text_add(to, ")' && ret=0 ;;\n");
		} else {
			text_add(to, " \\\n\t\t'*:%s:_files' && ret=0 ;;\n", spec->operand);
		}
	}
	text_add(to, "\tesac ;;\n\tesac\n\treturn ret\n}\n_megatron2hf \"$@\"\n");
}

/* ---- fish ------------------------------------------------------------------------- */

static void
add_fish_option(struct text *to, const struct option_spec *spec)
{
	text_add(to, "complete -c megatron2hf");
	if (spec->commands != ~0u) {
		text_add(to, " -n '__fish_seen_subcommand_from");
		for (unsigned command = COMMAND_NONE + 1; command < COMMAND_COUNT; command++) {
			if (belongs(spec, command))
				text_add(to, " %s", options_command((enum command)command)->name);
		}
		text_add(to, "'");
	}
	if (spec->letter != '\0')
		text_add(to, " -s %c", spec->letter);
	text_add(to, " -l %s", spec->name);
	if (spec->value != NULL)
		text_add(to, " -r");
	if (takes_file(spec->value) || takes_folder(spec->value))
		text_add(to, " -F");
	if (options_words(spec)[0] != NULL) {
		text_add(to, " -a '");
		add_words(to, spec);
		text_add(to, "'");
	}
	text_add(to, " -d '");
	for (const char *at = spec->help; *at != '\0'; at++)
		text_add(to, "%s%c", *at == '\'' ? "\\" : "", *at);
	text_add(to, "'\n");
}

static void
add_fish(struct text *to)
{
	text_add(to, "# fish completion of megatron2hf\ncomplete -c megatron2hf -f\n");
	for (unsigned i = COMMAND_NONE + 1; i < COMMAND_COUNT; i++) {
		const struct command_spec *spec = options_command((enum command)i);

		text_add(to, "complete -c megatron2hf -n __fish_use_subcommand -a %s -d '%s'\n",
			spec->name, spec->summary);
		if (i != COMMAND_HELP)
			text_add(to, "complete -c megatron2hf "
				"-n '__fish_seen_subcommand_from %s' -F\n", spec->name);
	}
	text_add(to, "complete -c megatron2hf -n '__fish_seen_subcommand_from help' -a '");
	add_command_names(to, " ");
	text_add(to, "'\n");
	for (size_t i = 0; i < options_count; i++)
		add_fish_option(to, &options_table[i]);
}

int
main(int argc, char **argv)
{
	const char *shell = argc == 2 ? argv[1] : "";
	struct text text = { 0 };
	bool        done = true;

	if (strcmp(shell, "bash") == 0)
		add_bash(&text);
	else if (strcmp(shell, "zsh") == 0)
		add_zsh(&text);
	else if (strcmp(shell, "fish") == 0)
		add_fish(&text);
	else
		done = false;
	done = done && !text.failed
		&& fwrite(text.bytes, 1, text.length, stdout) == text.length
		&& fflush(stdout) == 0;
	if (!done)
		fputs("usage: completions bash|zsh|fish\n", stderr);
	text_free(&text);
	return done ? 0 : 2;
}
