#include "base/text.h"
#include "check.h"
#include "cli/command_line.h"
#include "cli/help.h"
#include "cli/progress.h"

#include <stdlib.h>

#define MAX_WORDS 24

/* Splits at blanks; "''" stands for the empty word. */
static int
split(char *line, char *words[MAX_WORDS])
{
	int count = 0;

	for (char *word = strtok(line, " "); word != NULL; word = strtok(NULL, " ")) {
		if (strcmp(word, "''") == 0)
			word[0] = '\0';
		words[count++] = word;
	}
	return count;
}

static bool
parse(const char *line, char *copy, size_t size, struct options *options, struct error *err)
{
	char *words[MAX_WORDS];

	*err = (struct error){ 0 };
	text_format(copy, size, "%s", line);
	return command_line_parse(options, split(copy, words), words, err);
}

/* ---- lines that are wrong ---------------------------------------------------------- */

static void
test_faults(void)
{
	static const struct { const char *line, *text, *hint; } rows[] = {
		{ "m", "no command was given", "help lists" },
		{ "m -q", "no command was given", "help lists" },
		{ "m ''", "unknown command \"\"", "" },
		{ "m convrt a -o d", "unknown command \"convrt\"", "did you mean convert?" },
		{ "m model.zip -o d", "unknown command \"model.zip\"", "the commands are" },
		{ "m help convrt", "unknown command \"convrt\"", "did you mean convert?" },
		{ "m convert a -o d --forse", "unknown option --forse", "did you mean --force?" },
		{ "m CONVERT a -o d", "unknown command \"CONVERT\"", "did you mean convert?" },
		{ "m check a", "unknown command \"check\"", "did you mean verify?" },
		{ "m info a", "unknown command \"info\"", "did you mean inspect?" },
		{ "m compare a b", "unknown command \"compare\"", "did you mean diff?" },
		{ "m convert --input a -o d", "unknown option --input",
			"SRC stands without an option: megatron2hf convert SRC -o DIR" },
		{ "m inspect --path a", "unknown option --path",
			"PATH stands without an option: megatron2hf inspect PATH" },
		{ "m convert a -o d --num-heads 2", "unknown option --num-heads",
			"did you mean --num-attention-heads?" },
		{ "m convert a -o d --n-head=2", "unknown option --n-head",
			"did you mean --num-attention-heads?" },
		{ "m convert a -o d --overwrite", "unknown option --overwrite",
			"did you mean --force?" },
		{ "m convert a -o=d", "-o=d: did you mean -o d?",
			"write -o ./=d for a directory of that name" },
		{ "m convert a -o d -j=4", "-j=4: did you mean -j 4?", "" },
		{ "m convert a -o d --profile hf4", "--profile: expected hf5 or hf4.18, found \"hf4\"",
			"did you mean hf4.18?" },
		{ "m convert a -o d --activation GELU", "--activation: expected gelu_new, gelu, relu2, "
			"gelu_fast or gelu_pytorch_tanh, found \"GELU\"", "did you mean gelu?" },
		{ "m convert a -o d --activation gelu_python", "--activation: expected gelu_new, gelu, "
			"relu2, gelu_fast or gelu_pytorch_tanh, found \"gelu_python\"",
			"did you mean gelu?" },
		{ "m convert a -o d --qkv-layout 1.0",
			"--qkv-layout: expected auto, 0, 1 or 2, found \"1.0\"", "did you mean 1?" },
		{ "m convert a -o d --qkv-layout 3.0",
			"--qkv-layout: expected auto, 0, 1 or 2, found \"3.0\"",
			"did you mean 2? checkpoint_version 2.0 and later have layout 2" },
		{ "m convert a -o d --qkv-layout 0.5",
			"--qkv-layout: expected auto, 0, 1 or 2, found \"0.5\"", "" },
		{ "m convert a --out d", "unknown option --out", "did you mean --output?" },
		{ "m convert a --outptu=d", "unknown option --outptu", "did you mean --output?" },
		{ "m convert a -output d", "unknown option -output", "did you mean --output?" },
		{ "m convert a -o d -x", "unknown option -x", "" },
		{ "m convert a -o d -fxn", "unknown option -x", "" },
		{ "m convert a -o d --=x", "unknown option --", "" },
		{ "m convert a -o d ---", "unknown option ---", "" },
		{ "m convert a -o d --zzzzzzzzz", "unknown option --zzzzzzzzz", "" },
		{ "m convert a -o c -o d", "--output: two places, \"c\" and \"d\"", "" },
		{ "m convert", "convert needs SRC", "convert SRC -o DIR" },
		{ "m convert a", "convert needs --output DIR", "convert SRC -o DIR" },
		{ "m convert -o d", "convert needs SRC", "" },
		{ "m convert a b -o d", "unexpected argument \"b\"", "" },
		{ "m convert '' -o d", "SRC: the path is empty", "" },
		{ "m convert a -o ''", "--output: the path is empty", "" },
		{ "m convert a --output=", "--output: the path is empty", "" },
		{ "m convert a -o", "--output needs a value: DIR", "" },
		{ "m sign a -o", "--output needs a value: FILE", "" },
		{ "m convert a -o -f", "--output needs a value: DIR, found \"-f\"", "--output=-f" },
		{ "m convert a -o -", "standard output", "./-" },
		{ "m convert a -o d --force=yes", "--force takes no value, found \"yes\"", "" },
		{ "m convert a -o d --json=", "--json takes no value, found \"\"", "" },
		{ "m convert a -o d --tensors", "--tensors is not an option of convert", "help" },
		{ "m inspect a -o d", "--output is not an option of inspect", "help" },
		{ "m verify d --sha256 x", "--sha256 is not an option of verify", "help" },
		{ "m inspect", "inspect needs PATH", "" },
		{ "m verify", "verify needs DIR", "" },
		{ "m verify a b", "unexpected argument \"b\"", "" },
		{ "m help convert x", "unexpected argument \"x\"", "" },
		{ "m convert a -o d --report github", "--report is not an option of convert", "" },
		{ "m verify d --report", "--report needs a value: FORM", "" },
		{ "m verify d --report xml", "expected github, junit=FILE or sarif=FILE", "" },
		{ "m verify d --report junit", "expected github, junit=FILE or sarif=FILE", "" },
		{ "m verify d --report github=f", "expected github, junit=FILE or sarif=FILE", "" },
		{ "m verify d --report=junit=", "--report junit=: the path is empty", "" },
		{ "m verify d --report=sarif=", "--report sarif=: the path is empty", "" },
		{ "m verify d --report=junit=-", "cannot go to standard output", "junit=./-" },
		{ "m verify d --report=sarif=-", "cannot go to standard output", "sarif=./-" },
		{ "m verify d --report=junit=f --report=sarif=f", "two reports for the file", "" },
		{ "m verify d --report=junit=1 --report=junit=2 --report=junit=3 --report=junit=4 "
		  "--report=junit=5 --report=junit=6 --report=junit=7 --report=junit=8 "
		  "--report=junit=9", "more than 8 reports", "" },
		{ "m sign d", "sign needs --key FILE", "sign DIR --key FILE" },
		{ "m sign --key k", "sign needs DIR", "sign DIR --key FILE" },
		{ "m sign d --key ''", "--key: the path is empty", "" },
		{ "m sign d --key k --ca c", "--ca is not an option of sign", "help" },
		{ "m verify d --signature s", "--signature needs --key FILE or --ca FILE", "help" },
		{ "m verify d --key k", "--key needs --signature FILE", "help" },
		{ "m verify d --ca c", "--ca needs --signature FILE", "help" },
		{ "m verify d --signature s --key k --ca c", "either --key or --ca", "help" },
		{ "m verify d --certificate c", "--certificate is not an option of verify", "" },
		{ "m convert a -o d --key k", "--key is not an option of convert", "help" },
		{ "m verify d -j", "--threads needs a value: N", "" },
		{ "m verify d -j4x", "--threads: expected a whole number", "" },
		{ "m verify d -j4x", "--threads: expected a whole number", "" },
		{ "m verify d --threads=-1", "found \"-1\"", "" },
		{ "m verify d --threads=+1", "found \"+1\"", "" },
		{ "m verify d --threads=", "found \"\"", "" },
		{ "m verify d --threads=0x4", "found \"0x4\"", "" },
		{ "m verify d --threads=1025", "from 0 to 1024", "" },
		{ "m verify d --threads=18446744073709551617", "from 0 to 1024", "" },
		{ "m inspect a --num-attention-heads 0", "from 1 to", "" },
		{ "m inspect a --num-attention-heads 1e3", "found \"1e3\"", "" },
		{ "m inspect a --vocab-size 0", "auto, padded or a number", "" },
		{ "m inspect a --vocab-size Auto", "auto, padded or a number", "" },
		{ "m convert a -o d --tokenizer=", "--tokenizer: the path is empty", "" },
		{ "m convert a -o d --qkv-layout 3", "expected auto, 0, 1 or 2", "" },
		{ "m convert a -o d --activation gelu_nwe", "expected gelu_new, gelu",
			"did you mean gelu_new?" },
		{ "m convert a -o d --iteration 0", "a number above 0 or release", "" },
		{ "m convert a -o d --iteration iter_0000005", "a number above 0 or release", "" },
		{ "m convert a -o d --config ''", "--config: the path is empty", "" },
		{ "m convert a -o d --replicas rank1", "expected rank0 or mean", "" },
		{ "m inspect a --replicas mean", "--replicas is not an option of inspect", "help" },
		{ "m inspect a --strict", "--strict is not an option of inspect", "help" },
		{ "m verify d --progress bra", "expected auto, bar, plain, json or none",
			"did you mean bar?" },
		{ "m verify d --color alwys", "expected auto, always or never",
			"did you mean always?" },
		{ "m convert a -o d --sha256 ''", "--sha256: the value is empty", "" },
		{ "m convert a -o d --sha256 sha256:12", "not a SHA-256 value", "" },
		/* 63 digits */
		{ "m convert a -o d --sha256 "
			"123456789012345678901234567890123456789012345678901234567890123",
			"expected 64 hex digits, found 63", "" },
		/* the first of two faults */
		{ "m convert a --bogus -j x", "unknown option --bogus", "" },
	};
	struct options options;
	struct error   err;
	char           copy[256];

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		bool parsed = parse(rows[i].line, copy, sizeof copy, &options, &err);

		CHECK(!parsed && err.kind == ERROR_USAGE, "%s", rows[i].line);
		CHECK(strstr(err.text, rows[i].text) != NULL, "%s: %s", rows[i].line, err.text);
		CHECK(strstr(err.hint, rows[i].hint) != NULL, "%s: %s", rows[i].line, err.hint);
	}
}

/* ---- lines that are right ---------------------------------------------------------- */

static void
test_lines(void)
{
	static const struct {
		const char  *line;
		enum command command;
		const char  *operand, *output;
	} rows[] = {
		{ "m convert a -o d", COMMAND_CONVERT, "a", "d" },
		{ "m -o d convert a", COMMAND_CONVERT, "a", "d" },
		{ "m convert -od a", COMMAND_CONVERT, "a", "d" },
		{ "m convert --output d a", COMMAND_CONVERT, "a", "d" },
		{ "m convert --output=d a", COMMAND_CONVERT, "a", "d" },
		{ "m convert --output=a=b a", COMMAND_CONVERT, "a", "a=b" },
		{ "m convert --output=-n a", COMMAND_CONVERT, "a", "-n" },
		{ "m convert a -fno d", COMMAND_CONVERT, "a", "d" },
		{ "m convert -o d a -o d", COMMAND_CONVERT, "a", "d" },
		{ "m convert - -o d", COMMAND_CONVERT, "-", "d" },
		{ "m convert -o d -- -a", COMMAND_CONVERT, "-a", "d" },
		{ "m -- inspect --json", COMMAND_INSPECT, "--json", NULL },
		{ "m verify d -j 4 -q", COMMAND_VERIFY, "d", NULL },
		{ "m help", COMMAND_HELP, NULL, NULL },
		{ "m convert --help", COMMAND_CONVERT, NULL, NULL },
		{ "m --version", COMMAND_NONE, NULL, NULL },
	};
	struct options options;
	struct error   err;
	char           copy[256];

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		bool parsed = parse(rows[i].line, copy, sizeof copy, &options, &err);

		CHECK(parsed && options.command == rows[i].command, "%s: %s", rows[i].line, err.text);
		CHECK_TEXT(options.operand != NULL ? options.operand : "(none)",
			rows[i].operand != NULL ? rows[i].operand : "(none)", "%s", rows[i].line);
		CHECK_TEXT(options.output != NULL ? options.output : "(none)",
			rows[i].output != NULL ? rows[i].output : "(none)", "%s", rows[i].line);
	}
}

static void
test_values(void)
{
	static const char digits[] =
		"0f7b4b63f24c7ce98fb5981670d99f7c9f5d0162bb50790b714b16cfa96e6008";
	struct options options;
	struct error   err;
	char           copy[256], line[256];

	CHECK(parse("m convert a -o d -f -n -v -j 7 --vocab-size padded --tokenizer none "
		"--num-attention-heads=16", copy, sizeof copy, &options, &err), "%s", err.text);
	CHECK(options.force && options.dry_run && options.verbose && !options.quiet, "flags");
	CHECK(options.threads == 7 && options.attention_heads == 16, "numbers");
	CHECK_TEXT(options.vocab_size, "padded", "vocab_size");
	CHECK_TEXT(options.tokenizer, "none", "tokenizer");

	CHECK(parse("m convert a -o d --strict --qkv-layout=1 --activation relu2 --iteration release "
		"--config c.json --replicas mean", copy, sizeof copy, &options, &err), "%s", err.text);
	CHECK(options.strict, "strict");
	CHECK_TEXT(options.qkv_layout, "1", "qkv_layout");
	CHECK_TEXT(options.activation, "relu2", "activation");
	CHECK_TEXT(options.iteration, "release", "iteration");
	CHECK_TEXT(options.config, "c.json", "config");
	CHECK_TEXT(options.replicas, "mean", "replicas");

	CHECK(parse("m inspect a -vq --json --tensors --args --progress json --color=never",
		copy, sizeof copy, &options, &err), "%s", err.text);
	CHECK(options.quiet && !options.verbose && options.json, "the last of -v and -q counts");
	CHECK(options.tensors && options.arguments, "flags of inspect");
	CHECK(options.progress == PROGRESS_JSON && options.color == COLOR_NEVER, "choices");

	/* After a fault, the rest of the line still says how to report it. */
	CHECK(!parse("m --bogus verify d --json", copy, sizeof copy, &options, &err), "fault");
	CHECK(options.json && options.command == COMMAND_VERIFY, "after a fault");

	text_format(line, sizeof line, "m convert a -o d --sha256 SHA256:%s", digits);
	CHECK(parse(line, copy, sizeof copy, &options, &err), "another word is a path");
	text_format(line, sizeof line, "m convert a -o d --sha256 sha256:0F7B%s", digits + 4);
	CHECK(parse(line, copy, sizeof copy, &options, &err), "%s", err.text);
	CHECK_TEXT(options.sha256, digits, "sha256");
	CHECK(parse("m convert a -o d --sha256 SHA256SUMS", copy, sizeof copy, &options, &err),
		"%s", err.text);
	CHECK_TEXT(options.sha256, "SHA256SUMS", "sha256 as a path");
}

static void
test_reports(void)
{
	struct options options;
	struct error   err;
	char           copy[256];

	CHECK(parse("m verify d --report github --report=junit=a=b --report github --report sarif=c",
		copy, sizeof copy, &options, &err), "%s", err.text);
	CHECK(options.report_count == 3, "%zu", options.report_count);
	CHECK(options.reports[0].form == FORM_GITHUB && options.reports[0].file == NULL, "github");
	CHECK(options.reports[1].form == FORM_JUNIT, "junit");
	CHECK_TEXT(options.reports[1].file, "a=b", "junit");
	CHECK(options.reports[2].form == FORM_SARIF, "sarif");
	CHECK_TEXT(options.reports[2].file, "c", "sarif");
}

static void
test_environment(void)
{
	struct options options;
	struct error   err;
	char           copy[64];

	setenv("MEGATRON2HF_THREADS", "3", 1);
	CHECK(parse("m verify d", copy, sizeof copy, &options, &err) && options.threads == 3,
		"%s", err.text);
	CHECK(parse("m verify d -j 5", copy, sizeof copy, &options, &err) && options.threads == 5,
		"%s", err.text);
	setenv("MEGATRON2HF_THREADS", "many", 1);
	CHECK(!parse("m verify d", copy, sizeof copy, &options, &err), "not a number");
	CHECK(strstr(err.text, "MEGATRON2HF_THREADS: expected") != NULL, "%s", err.text);
	CHECK(parse("m --version", copy, sizeof copy, &options, &err), "not looked at");
	setenv("MEGATRON2HF_THREADS", "", 1);
	CHECK(parse("m verify d", copy, sizeof copy, &options, &err) && options.threads == 0,
		"%s", err.text);
	unsetenv("MEGATRON2HF_THREADS");
}

/* ---- help and manual --------------------------------------------------------------- */

static void
check_help(const struct text *help, const char *name)
{
	size_t lines = 0;

	CHECK(!help->failed && help->length > 0, "%s", name);
	for (const char *at = help->bytes; *at != '\0'; lines++) {
		size_t length = strcspn(at, "\n");

		CHECK(length <= 80, "%s: %.*s", name, (int)length, at);
		at += length + (at[length] == '\n');
	}
	CHECK(lines <= 40, "%s has %zu lines", name, lines);
}

static void
test_help(void)
{
	for (unsigned i = 0; i < COMMAND_COUNT; i++) {
		const char *name = i == COMMAND_NONE ? "all" : options_command((enum command)i)->name;
		struct text help = { 0 };

		help_of_command(&help, (enum command)i);
		check_help(&help, name);
		for (char *end = strchr(help.bytes, '\n'); end != NULL; end = strchr(end, '\n'))
			*end = ' ';
		for (size_t j = 0; j < options_count && i != COMMAND_NONE; j++) {
			char option[40];
			bool belongs = (options_table[j].commands >> i & 1) != 0;

			text_format(option, sizeof option, "--%s ", options_table[j].name);
			CHECK((strstr(help.bytes, option) != NULL) == belongs, "%s: %s", name, option);
		}
		text_free(&help);
	}
}

static char *
read_file(const char *path)
{
	FILE *file = fopen(path, "r");
	char *bytes = calloc(1, 1 << 16);

	if (file != NULL && bytes != NULL)
		bytes[fread(bytes, 1, (1 << 16) - 1, file)] = '\0';
	if (file != NULL)
		fclose(file);
	return bytes;
}

/* "o , Fl -output Ar DIR" of an entry: the option must be in the table. */
static void
check_entry(const char *at)
{
	size_t length, i;

	if (at[0] != '-' && strncmp(at + 1, " , Fl ", 6) == 0)
		at += 7;
	at += at[0] == '-';
	length = strcspn(at, " \n");
	for (i = 0; i < options_count; i++)
		if (strlen(options_table[i].name) == length
		    && strncmp(options_table[i].name, at, length) == 0)
			break;
	CHECK(i < options_count, "in the manual only: %.*s", (int)length, at);
}

/* Every option stands in the manual as ".It Fl o , Fl -output Ar DIR", perhaps for several
 * commands, and no other does. */
static void
test_manual(void)
{
	char *manual = read_file("man/megatron2hf.1");

	CHECK(manual != NULL && manual[0] != '\0', "man/megatron2hf.1 cannot be read");
	if (manual == NULL)
		return;
	for (size_t i = 0; i < options_count; i++) {
		const struct option_spec *spec = &options_table[i];
		char                      entry[128], letter[16] = "";

		CHECK(spec->name != NULL && spec->set != NULL, "row %zu of the table is empty", i);
		if (spec->letter != '\0')
			text_format(letter, sizeof letter, "%c , Fl ", spec->letter);
		text_format(entry, sizeof entry, "\n.It Fl %s-%s\n", letter, spec->name);
		if (spec->value != NULL)
			text_format(entry, sizeof entry, "\n.It Fl %s-%s Ar ", letter, spec->name);
		CHECK(strstr(manual, entry) != NULL, "not in the manual: %s", entry);
	}
	for (const char *at = manual; (at = strstr(at, "\n.It Fl ")) != NULL; at++)
		check_entry(at + strlen("\n.It Fl "));
	free(manual);
}

/* ---- progress ---------------------------------------------------------------------- */

static void
test_bar(void)
{
	static const struct progress_state half = { M2H_READING, 500, 1000, 25, true, 20 },
		start = { M2H_CONVERTING, 0, 1000, 0, false, 0 },
		done = { M2H_SYNCING, 1000, 1000, 0, false, 0 },
		pipe = { M2H_READING, 5000, 0, 0, false, 0 },
		sync = { M2H_SYNCING, 0, 0, 0, false, 0 },
		long_one = { M2H_CHECKING, 1, 1000, 1, true, 7325 };
	static const struct {
		const struct progress_state *state;
		size_t                       columns;
		const char                  *line;
	} rows[] = {
		{ &half, 79, "reading    [###################...................]"
			"  50%  25 bytes/s  0:20 left" },
		{ &half, 40, "reading    [########........]  50%  0:20" },
		{ &half, 19, "[###...]  50%  0:20" },
		{ &half, 10, " 50%" },
		{ &half, 3, " 50" },
		{ &half, 0, "" },
		{ &start, 40, "converting [......................]   0%" },
		{ &done, 20, "[#############] 100%" },
		{ &pipe, 40, "reading    5.0 kB" },
		{ &sync, 40, "syncing    " },
		{ &long_one, 40, "checking   [.............]   0%  2:02:05" },
	};
	char line[256];

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		progress_bar(line, sizeof line, rows[i].columns, rows[i].state);
		CHECK(strlen(line) <= rows[i].columns, "row %zu is too long", i);
		CHECK_TEXT(line, rows[i].line, "row %zu", i);
	}
	for (size_t columns = 0; columns <= 200; columns++)
		CHECK(strlen(progress_bar(line, sizeof line, columns, &long_one)) <= columns,
			"%zu columns", columns);
}

int
main(void)
{
	test_faults();
	test_lines();
	test_values();
	test_reports();
	test_environment();
	test_help();
	test_manual();
	test_bar();
	return check_end("options");
}
