#include "cli/options.h"

#include "base/path.h"
#include "base/text.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define FOR_CONVERT (1u << COMMAND_CONVERT)
#define FOR_INSPECT (1u << COMMAND_INSPECT)
#define FOR_DIFF    (1u << COMMAND_DIFF)
#define FOR_VERIFY  (1u << COMMAND_VERIFY)
#define FOR_SIGN    (1u << COMMAND_SIGN)
#define WITH_SOURCE (FOR_VERIFY | OPTIONS_WITH_SOURCE)
#define FOR_MODEL   (FOR_CONVERT | FOR_INSPECT | WITH_SOURCE)
#define FOR_ALL     (~0u)

static const struct command_spec commands[COMMAND_COUNT] = {
	[COMMAND_CONVERT] = {
		"convert", "SRC -o DIR", "write a Hugging Face GPT-2 directory", "SRC",
		"Write the Megatron-LM GPT checkpoint SRC as a Hugging Face GPT-2 directory DIR.\n"
		"SRC: the NGC zip, a checkpoint, iteration or mp_rank_* folder, a .pt file, or -.\n" },
	[COMMAND_INSPECT] = {
		"inspect", "PATH", "say what a checkpoint or directory holds", "PATH",
		"Say what PATH holds, whether it converts, and if not why, without reading the\n"
		"tensors.  PATH: as for convert, or a Hugging Face directory or weight file.\n" },
	[COMMAND_VERIFY] = {
		"verify", "DIR", "check a converted directory", "DIR",
		"Check the Hugging Face directory DIR: checksums, manifest, structure of the\n"
		"weights, configuration, tokenizer; and with --source SRC every tensor against\n"
		"the checkpoint.  All problems are listed, not the first.\n" },
	[COMMAND_DIFF] = {
		"diff", "A B", "compare weights tensor by tensor", "A B",
		"Compare the weights of A and B, each a Hugging Face directory or a weight file\n"
		"(safetensors, or what torch.save writes). Status 0: equal, 1: they differ.\n" },
	[COMMAND_SIGN] = {
		"sign", "DIR --key FILE", "sign a directory (OpenSSF Model Signing)", "DIR",
		"Sign every file of DIR with an ECDSA key, in the form of OpenSSF Model Signing\n"
		"v1.0, into DIR/model.sig.  Sign last: what is added later is not signed.\n" },
	[COMMAND_HELP] = {
		"help", "[COMMAND]", "describe a command", "",
		"Describe COMMAND, or list the commands.\n" },
};

static option_setter set_output, set_force, set_dry_run, set_sha256, set_heads, set_vocab_size,
	set_tokenizer, set_qkv_layout, set_activation, set_iteration, set_config, set_replicas,
	set_weights, set_dtype, set_shard_size, set_profile, set_overflow, set_tensor_sha256,
	set_read_back, set_input_sha256, set_memory_limit, set_model_card, set_license, set_stream, set_staging, set_provenance, set_strict,
	set_key, set_certificate, set_signature, set_ca, set_tensors, set_arguments, set_source,
	set_tolerance, set_report, set_json, set_quiet, set_verbose, set_progress, set_color,
	set_threads, set_help, set_version;

const struct option_spec options_table[] = {
	{ 'o', "output", "PATH", FOR_CONVERT | FOR_SIGN,
		"directory or signature to create", set_output },
	{ 'f', "force", NULL, FOR_CONVERT | FOR_SIGN,
		"replace it if it exists, in one step", set_force },
	{ 'n', "dry-run", NULL, FOR_CONVERT,
		"print the plan, write nothing", set_dry_run },
	{ '\0', "sha256", "HEX|FILE", FOR_CONVERT,
		"what SRC must hash to, or a SHA256SUMS file", set_sha256 },
	{ '\0', "input-sha256", "WHAT", FOR_CONVERT,
		"full, or used: do not read what is no weight", set_input_sha256 },
	{ '\0', "weights", "FORM", FOR_CONVERT,
		"safetensors, pytorch or both", set_weights },
	{ '\0', "dtype", "TYPE", FOR_CONVERT,
		"keep, float16, bfloat16 or float32", set_dtype },
	{ '\0', "allow-overflow", NULL, FOR_CONVERT,
		"what the type cannot hold becomes infinite", set_overflow },
	{ '\0', "max-shard-size", "SIZE", FOR_CONVERT,
		"of the weights in a file: 5GB, 500MB", set_shard_size },
	{ '\0', "profile", "NAME", FOR_CONVERT,
		"form of the directory: hf5 or hf4.18", set_profile },
	{ '\0', "tensor-sha256", NULL, FOR_CONVERT,
		"a SHA-256 of each tensor in conversion.json", set_tensor_sha256 },
	{ '\0', "read-back", "FROM", FOR_CONVERT,
		"what was written is read from: kernel or disk", set_read_back },
	{ '\0', "tokenizer", "FROM", FOR_CONVERT,
		"tokenizer files: auto, none or a folder", set_tokenizer },
	{ '\0', "replicas", "WHICH", FOR_CONVERT | WITH_SOURCE,
		"of copies that drifted apart: rank0 or mean", set_replicas },
	{ '\0', "model-card", "FILE", FOR_CONVERT,
		"write README.md: auto, none or a text of yours", set_model_card },
	{ '\0', "license", "ID", FOR_CONVERT,
		"the licence that README.md names", set_license },
	{ '\0', "stream", "FORM", FOR_CONVERT,
		"with -o -: tar, to standard output", set_stream },
	{ '\0', "staging", "DIR", FOR_CONVERT,
		"for --stream's files (default: $TMPDIR, else /tmp)", set_staging },
	{ '\0', "provenance", "FILE", FOR_CONVERT,
		"say in FILE what was made of what (SLSA)", set_provenance },
	{ '\0', "strict", NULL, FOR_CONVERT,
		"warnings fail, and nothing is written", set_strict },
	{ '\0', "source", "SRC", FOR_VERIFY,
		"the checkpoint that DIR was made from", set_source },
	{ '\0', "signature", "FILE", FOR_VERIFY,
		"verify this model signature too; needs one of:", set_signature },
	{ '\0', "key", "FILE", FOR_VERIFY | FOR_SIGN,
		"the signer's key, or the one to sign with, PEM", set_key },
	{ '\0', "ca", "FILE", FOR_VERIFY,
		"PEM root certificates the signer's leads to", set_ca },
	{ '\0', "report", "FORM", FOR_VERIFY,
		"for CI: github, junit=FILE or sarif=FILE", set_report },
	{ '\0', "certificate", "FILE", FOR_SIGN,
		"PEM certificates of the key, its own first", set_certificate },
	{ '\0', "tensors", NULL, FOR_INSPECT,
		"add a line for every tensor", set_tensors },
	{ '\0', "args", NULL, FOR_INSPECT,
		"add a line for every training argument", set_arguments },
	{ '\0', "num-attention-heads", "N", FOR_MODEL,
		"heads, where the checkpoint does not say", set_heads },
	{ '\0', "vocab-size", "SIZE", FOR_MODEL,
		"rows of the embedding: auto, padded or a number", set_vocab_size },
	{ '\0', "qkv-layout", "N", FOR_MODEL,
		"row order of QKV: auto, 0, 1 or 2", set_qkv_layout },
	{ '\0', "activation", "NAME", FOR_MODEL,
		"gelu_new, gelu or relu2, against the checkpoint", set_activation },
	{ '\0', "config", "FILE", FOR_CONVERT | FOR_INSPECT,
		"a config.json to fill and to check from", set_config },
	{ '\0', "iteration", "N", FOR_MODEL,
		"another than the tracker names, or release", set_iteration },
	{ '\0', "memory-limit", "SIZE", FOR_MODEL,
		"rather fail than use more: 64MB, 1GB", set_memory_limit },
	{ '\0', "tolerance", "X", FOR_DIFF | WITH_SOURCE,
		"numbers that are at most X apart count as equal", set_tolerance },
	{ '\0', "json", NULL, FOR_ALL,
		"exactly one JSON document on standard output", set_json },
	{ 'q', "quiet", NULL, FOR_ALL,
		"say nothing but errors", set_quiet },
	{ 'v', "verbose", NULL, FOR_ALL,
		"say every decision, name and checksum", set_verbose },
	{ '\0', "progress", "MODE", FOR_ALL,
		"auto, bar, plain, json or none", set_progress },
	{ '\0', "color", "WHEN", FOR_ALL,
		"auto, always or never", set_color },
	{ 'j', "threads", "N", FOR_ALL,
		"threads to use (0: all cores allowed)", set_threads },
	{ 'h', "help", NULL, FOR_ALL,
		"this help", set_help },
	{ 'V', "version", NULL, FOR_ALL,
		"the version", set_version },
};
const size_t options_count = sizeof options_table / sizeof *options_table;
_Static_assert(sizeof options_table / sizeof *options_table <= OPTIONS_MOST, "room");

/* Where a command means something of its own by an option that others take too. */
static const struct {
	enum command        command;
	const char         *option;
	struct option_words words;
} own_words[] = {
	{ COMMAND_CONVERT, "output", { "DIR", "directory to create" } },
	{ COMMAND_SIGN, "output", { "FILE", "signature to create, not DIR/model.sig" } },
	{ COMMAND_VERIFY, "key", { "FILE", "the signer's public key or certificate, PEM" } },
	{ COMMAND_SIGN, "key", { "FILE", "the private key, PEM (-: standard input)" } },
};

/* Values that are words, for the setters and for completion.  The last ones also take others. */
static const struct { const char *option, *words[OPTIONS_MOST_WORDS + 1]; } words_table[] = {
	{ "weights", { "safetensors", "pytorch", "both" } },
	{ "dtype", { "keep", "float16", "bfloat16", "float32" } },
	{ "profile", { "hf5", "hf4.18" } },
	{ "replicas", { "rank0", "mean" } },
	{ "read-back", { "kernel", "disk" } },
	{ "input-sha256", { "full", "used" } },
	{ "stream", { "tar" } },
	{ "qkv-layout", { "auto", "0", "1", "2" } },
	{ "activation", { "gelu_new", "gelu", "relu2", "gelu_fast", "gelu_pytorch_tanh" } },
	{ "progress", { "auto", "bar", "plain", "json", "none" } },
	{ "color", { "auto", "always", "never" } },
	{ "tokenizer", { "auto", "none" } },
	{ "model-card", { "auto", "none" } },
	{ "vocab-size", { "auto", "padded" } },
	{ "iteration", { "release" } },
	{ "report", { "github", "junit=", "sarif=" } },
};

/* What others call our words, in either case. */
static const struct { const char *option, *word, *ours, *because; } other_names[] = {
	{ "dtype", "fp16", "float16", "" }, { "dtype", "f16", "float16", "" },
	{ "dtype", "half", "float16", "" }, { "dtype", "bf16", "bfloat16", "" },
	{ "dtype", "fp32", "float32", "" }, { "dtype", "f32", "float32", "" },
	{ "dtype", "float", "float32", "" }, { "dtype", "single", "float32", "" },
	{ "dtype", "float64", "float32", "" }, { "dtype", "double", "float32", "" },
	{ "activation", "gelu_python", "gelu", "" },
	{ "qkv-layout", "1.0", "1", "" },
	{ "qkv-layout", "2.0", "2", " checkpoint_version 2.0 and later have layout 2" },
	{ "qkv-layout", "3.0", "2", " checkpoint_version 2.0 and later have layout 2" },
};

const char *const *
options_words(const struct option_spec *spec)
{
	static const char *const none[] = { NULL };

	for (size_t i = 0; i < sizeof words_table / sizeof *words_table; i++) {
		if (strcmp(words_table[i].option, spec->name) == 0)
			return words_table[i].words;
	}
	return none;
}

struct option_words
options_said(const struct option_spec *spec, enum command command)
{
	for (size_t i = 0; i < sizeof own_words / sizeof *own_words; i++)
		if (own_words[i].command == command && strcmp(own_words[i].option, spec->name) == 0)
			return own_words[i].words;
	return (struct option_words){ spec->value, spec->help };
}

bool
options_need_source(const struct option_spec *spec)
{
	return spec->commands != FOR_ALL && (spec->commands & OPTIONS_WITH_SOURCE) != 0;
}

const struct command_spec *
options_command(enum command command)
{
	return &commands[command];
}

/* ---- setters ---------------------------------------------------------------------- */

static bool
usage_error(struct error *err, const char *what, const char *expected, const char *value)
{
	return error_set(err, ERROR_USAGE, "usage", "%s: expected %s, found \"%s\"", what,
		expected, value);
}

/* What others call it, a beginning of ours, ours in other letters, or one spelled nearly so. */
static bool
hint_word(const struct option_spec *spec, const char *value, const char *const *words,
	size_t count, struct error *err)
{
	const char *near = text_nearest(value, words, count);

	for (size_t i = 0; i < sizeof other_names / sizeof *other_names; i++)
		if (strcmp(other_names[i].option, spec->name) == 0
		    && strcasecmp(other_names[i].word, value) == 0)
			return error_hint(err, "did you mean %s?%s", other_names[i].ours,
				other_names[i].because);
	for (size_t i = count; i-- > 0 && value[0] != '\0' && value[1] != '\0';)
		if (text_has_prefix(words[i], value) || strcasecmp(words[i], value) == 0)
			near = words[i];
	return near != NULL && error_hint(err, "did you mean %s?", near);
}

/* The place of `value` among the words of the option. */
static bool
choose(const struct option_spec *spec, const char *value, unsigned *choice, struct error *err)
{
	const char *const *names = options_words(spec);
	char               option[32], expected[96] = "";
	size_t             count;

	for (count = 0; names[count] != NULL; count++) {
		size_t used = strlen(expected);

		if (strcmp(value, names[count]) == 0) {
			*choice = (unsigned)count;
			return true;
		}
		text_format(expected + used, sizeof expected - used, "%s%s",
			count == 0 ? "" : names[count + 1] == NULL ? " or " : ", ", names[count]);
	}
	usage_error(err, text_format(option, sizeof option, "--%s", spec->name), expected, value);
	return hint_word(spec, value, names, count, err);
}

static bool
parse_number(const char *what, const char *value, uint64_t least, uint64_t most,
	uint64_t *number, struct error *err)
{
	char expected[96];

	if (text_parse_u64(value, strlen(value), number) && *number >= least && *number <= most)
		return true;
	text_format(expected, sizeof expected, "a whole number from %llu to %llu",
		(unsigned long long)least, (unsigned long long)most);
	return usage_error(err, what, expected, value);
}

/* 64 hex digits in either case, with or without "sha256:" before them, are a digest; any
 * other word is a path, unless it looks like a digest that lost some digits. */
static bool
set_sha256(struct options *options, const struct option_spec *spec, const char *value,
	struct error *err)
{
	const char *digits = text_has_prefix(value, "sha256:") ? value + 7 : value;
	size_t      length = strlen(digits);
	bool        is_hex = strspn(digits, "0123456789abcdefABCDEF") == length;

	(void)spec;
	if (value[0] == '\0')
		return error_set(err, ERROR_USAGE, "usage", "--sha256: the value is empty");
	options->sha256 = value;
	if (is_hex && length == OPTIONS_SHA256_SIZE - 1) {
		for (size_t i = 0; i <= length; i++)
			options->sha256_digits[i] = (char)tolower((unsigned char)digits[i]);
		options->sha256 = options->sha256_digits;
	} else if (digits != value || (is_hex && length >= 32 && access(value, F_OK) != 0)) {
		return error_set(err, ERROR_USAGE, "shaform",
			"--sha256: not a SHA-256 value: expected 64 hex digits, found %zu characters",
			length);
	}
	return true;
}

static bool
set_heads(struct options *options, const struct option_spec *spec, const char *value,
	struct error *err)
{
	(void)spec;
	return parse_number("--num-attention-heads", value, 1, 65536, &options->attention_heads, err);
}

static bool
set_vocab_size(struct options *options, const struct option_spec *spec, const char *value,
	struct error *err)
{
	uint64_t number;

	(void)spec;
	options->vocab_size = value;
	if (strcmp(value, "auto") == 0 || strcmp(value, "padded") == 0)
		return true;
	if (text_parse_u64(value, strlen(value), &number) && number > 0)
		return true;
	return usage_error(err, "--vocab-size", "auto, padded or a number above 0", value);
}

static bool
set_model_card(struct options *options, const struct option_spec *spec, const char *value,
	struct error *err)
{
	(void)spec;
	options->model_card = value;
	return (value[0] != '\0' && strcmp(value, "-") != 0)
		|| usage_error(err, "--model-card", "auto, none or the path of a file", value);
}

static bool
set_license(struct options *options, const struct option_spec *spec, const char *value,
	struct error *err)
{
	(void)spec, (void)err;
	options->license = value;
	return true;
}

static bool
set_provenance(struct options *options, const struct option_spec *spec, const char *value,
	struct error *err)
{
	(void)spec;
	options->provenance = value;
	return (value[0] != '\0' && strcmp(value, "-") != 0)
		|| usage_error(err, "--provenance", "the path of a file", value);
}

/* "5GB", "1.5mb": a number, perhaps with a fraction, and a decimal unit, as the Hub's tools
 * read it; what is less than a byte is cut off. */
static bool
set_size(const struct option_spec *spec, const char *value, uint64_t *size, struct error *err)
{
	static const char units[] = "KMGT";
	size_t            digits = strspn(value, "0123456789");
	const char       *unit = value + digits, *found;
	uint64_t          whole, fraction = 0, scale = 1, factor = 1;
	char              what[32];

	if (unit[0] == '.') {
		size_t more = strspn(unit + 1, "0123456789");

		for (size_t i = 0; i < more && scale < 1000000000000; i++) {
			fraction = 10 * fraction + (uint64_t)(unit[1 + i] - '0');
			scale *= 10;
		}
		unit += 1 + more;
	}
	found = unit[0] != '\0' ? strchr(units, toupper((unsigned char)unit[0])) : NULL;
	if (found != NULL && toupper((unsigned char)unit[1]) == 'B' && unit[2] == '\0'
	    && text_parse_u64(value, digits, &whole) && whole < 1000000) {
		for (const char *at = units; at <= found; at++)
			factor *= 1000;
		*size = whole * factor
			+ (uint64_t)((double)fraction / (double)scale * (double)factor);
		if (*size > 0)
			return true;
	}
	return usage_error(err, text_format(what, sizeof what, "--%s", spec->name),
		"a size like 5GB (KB, MB, GB or TB)", value);
}

static bool
set_shard_size(struct options *options, const struct option_spec *spec, const char *value,
	struct error *err)
{
	return set_size(spec, value, &options->max_shard_bytes, err);
}

static bool
set_memory_limit(struct options *options, const struct option_spec *spec, const char *value,
	struct error *err)
{
	return set_size(spec, value, &options->memory_limit, err);
}

static bool
set_iteration(struct options *options, const struct option_spec *spec, const char *value,
	struct error *err)
{
	uint64_t number;

	(void)spec;
	options->iteration = value;
	if (strcmp(value, "release") == 0
	    || (text_parse_u64(value, strlen(value), &number) && number > 0))
		return true;
	return usage_error(err, "--iteration", "a number above 0 or release", value);
}

/* "github", "junit=FILE" or "sarif=FILE"; each use adds a report. */
static bool
set_report(struct options *options, const struct option_spec *spec, const char *value,
	struct error *err)
{
	struct options_report report = { .form = FORM_GITHUB };

	(void)spec;
	if (text_has_prefix(value, "junit=") || text_has_prefix(value, "sarif=")) {
		report.form = value[0] == 'j' ? FORM_JUNIT : FORM_SARIF;
		report.file = value + strlen("junit=");
	} else if (strcmp(value, "github") != 0) {
		return usage_error(err, "--report", "github, junit=FILE or sarif=FILE", value);
	}
	if (report.file != NULL && report.file[0] == '\0')
		return error_set(err, ERROR_USAGE, "usage", "--report %s: the path is empty", value);
	if (report.file != NULL && strcmp(report.file, "-") == 0) {
		error_set(err, ERROR_USAGE, "usage", "--report: a report in a file cannot go to "
			"standard output");
		return error_hint(err, "write %.6s./- for a file of that name", value);
	}
	for (size_t i = 0; i < options->report_count; i++) {
		const char *other = options->reports[i].file;

		if (report.file == NULL && other == NULL)
			return true;            /* said twice, done once */
		if (report.file != NULL && other != NULL && path_is_same_place(report.file, other))
			return error_set(err, ERROR_USAGE, "usage",
				"--report: two reports for the file \"%s\"", other);
	}
	if (options->report_count == OPTIONS_MAX_REPORTS)
		return error_set(err, ERROR_USAGE, "usage", "--report: more than %d reports",
			OPTIONS_MAX_REPORTS);
	options->reports[options->report_count++] = report;
	return true;
}

static bool
set_tolerance(struct options *options, const struct option_spec *spec, const char *value,
	struct error *err)
{
	char *end = NULL;

	(void)spec;
	/* Digits first: strtod() also takes blanks, signs, "nan" and "infinity". */
	if (isdigit((unsigned char)value[0]) || value[0] == '.')
		options->tolerance = strtod(value, &end);
	options->has_tolerance = true;
	return (end != NULL && end != value && *end == '\0' && isfinite(options->tolerance))
		|| usage_error(err, "--tolerance", "a number from 0 up", value);
}

static bool
set_progress(struct options *options, const struct option_spec *spec, const char *value,
	struct error *err)
{
	unsigned choice = PROGRESS_AUTO;
	bool     known = choose(spec, value, &choice, err);

	options->progress = (enum options_progress)choice;
	return known;
}

static bool
set_color(struct options *options, const struct option_spec *spec, const char *value,
	struct error *err)
{
	unsigned choice = COLOR_AUTO;
	bool     known = choose(spec, value, &choice, err);

	options->color = (enum options_color)choice;
	return known;
}

bool
options_take_threads(struct options *options, const char *what, const char *value,
	struct error *err)
{
	uint64_t number;

	if (!parse_number(what, value, 0, OPTIONS_MAX_THREADS, &number, err))
		return false;
	options->threads = (unsigned)number;
	options->has_threads = true;
	return true;
}

bool
options_take_source_date(struct options *options, const char *what, const char *value,
	struct error *err)
{
	return parse_number(what, value, 0, 8589934591, &options->source_date, err);
}

static bool
set_threads(struct options *options, const struct option_spec *spec, const char *value,
	struct error *err)
{
	(void)spec;
	return options_take_threads(options, "--threads", value, err);
}

#define SET_PATH(setter, member) \
	static bool \
	setter(struct options *options, const struct option_spec *spec, const char *value, \
		struct error *err) \
	{ \
		options->member = value; \
		return value[0] != '\0' || error_set(err, ERROR_USAGE, "usage", \
			"--%s: the path is empty", spec->name); \
	}

SET_PATH(set_tokenizer, tokenizer)
SET_PATH(set_staging, staging)
SET_PATH(set_source, source)
SET_PATH(set_config, config)
SET_PATH(set_key, key)
SET_PATH(set_certificate, certificate)
SET_PATH(set_signature, signature)
SET_PATH(set_ca, ca)

/* Elsewhere the last word counts; here it would write where it was not looked for. */
static bool
set_output(struct options *options, const struct option_spec *spec, const char *value,
	struct error *err)
{
	const char *before = options->output;

	options->output = value;
	if (before != NULL && strcmp(before, value) != 0)
		return error_set(err, ERROR_USAGE, "usage", "--%s: two places, \"%s\" and \"%s\"",
			spec->name, before, value);
	return value[0] != '\0' || error_set(err, ERROR_USAGE, "usage",
		"--%s: the path is empty", spec->name);
}

#define SET_WORD(setter, member) \
	static bool \
	setter(struct options *options, const struct option_spec *spec, const char *value, \
		struct error *err) \
	{ \
		unsigned choice; \
		\
		options->member = value; \
		return choose(spec, value, &choice, err); \
	}

SET_WORD(set_qkv_layout, qkv_layout)
SET_WORD(set_activation, activation)
SET_WORD(set_replicas, replicas)
SET_WORD(set_weights, weights)
SET_WORD(set_dtype, dtype)
SET_WORD(set_profile, profile)
SET_WORD(set_read_back, read_back)
SET_WORD(set_input_sha256, input_sha256)
SET_WORD(set_stream, stream)

#define SET_FLAG(setter, member) \
	static bool \
	setter(struct options *options, const struct option_spec *spec, const char *value, \
		struct error *err) \
	{ \
		(void)spec, (void)value, (void)err; \
		options->member = true; \
		return true; \
	}

SET_FLAG(set_force, force)
SET_FLAG(set_dry_run, dry_run)
SET_FLAG(set_strict, strict)
SET_FLAG(set_overflow, allow_overflow)
SET_FLAG(set_tensor_sha256, tensor_sha256)
SET_FLAG(set_tensors, tensors)
SET_FLAG(set_arguments, arguments)
SET_FLAG(set_json, json)
SET_FLAG(set_help, help)
SET_FLAG(set_version, version)

/* Of -q and -v the last one counts. */
static bool
set_quiet(struct options *options, const struct option_spec *spec, const char *value,
	struct error *err)
{
	(void)spec, (void)value, (void)err;
	options->quiet = true;
	options->verbose = false;
	return true;
}

static bool
set_verbose(struct options *options, const struct option_spec *spec, const char *value,
	struct error *err)
{
	(void)spec, (void)value, (void)err;
	options->verbose = true;
	options->quiet = false;
	return true;
}
