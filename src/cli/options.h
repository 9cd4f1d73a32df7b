#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The command line as data.  Tables of commands, options and words feed the parser, the
 * help, the completion of shells and the test that looks every option up in the manual.
 */
enum command {
	COMMAND_NONE, COMMAND_CONVERT, COMMAND_INSPECT, COMMAND_VERIFY, COMMAND_DIFF,
	COMMAND_SIGN, COMMAND_HELP, COMMAND_COUNT
};

struct command_spec {
	const char *name;
	const char *usage;              /* what follows the name: "SRC -o DIR" */
	const char *summary;            /* for the list of commands */
	const char *operand;            /* what it works on: "SRC"; "" when it may be left out;
	                                   "A B": two of them */
	const char *about;              /* for its own help, lines of at most 79 columns */
};

enum options_progress {
	PROGRESS_AUTO, PROGRESS_BAR, PROGRESS_PLAIN, PROGRESS_JSON, PROGRESS_NONE
};
enum options_color { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER };

#define OPTIONS_MAX_THREADS 1024
#define OPTIONS_MAX_REPORTS 8
#define OPTIONS_SHA256_SIZE 65          /* 64 hex digits and the NUL */

/* A report for a program that runs checks: --report FORM or FORM=FILE. */
enum options_form { FORM_GITHUB, FORM_JUNIT, FORM_SARIF };
struct options_report {
	enum options_form form;
	const char       *file;                 /* NULL for FORM_GITHUB */
};

/* Strings point into argv, or into the struct itself. */
struct options {
	enum command          command;
	enum command          help_topic;       /* of `help COMMAND` */
	bool                  help, version;
	bool                  json, quiet, verbose;
	enum options_progress progress;
	enum options_color    color;
	unsigned              threads;          /* 0: all cores allowed */
	bool                  has_threads;
	const char           *operand;          /* SRC, PATH or DIR; NULL: not given */
	const char           *second;           /* operand, of diff */
	const char           *output;
	bool                  force, dry_run;
	const char           *sha256;
	char                  sha256_digits[OPTIONS_SHA256_SIZE];
	uint64_t              attention_heads;  /* 0: not given */
	const char           *vocab_size, *tokenizer;   /* NULL: not given; as all of these */
	const char           *qkv_layout, *activation, *iteration, *config, *replicas;
	const char           *weights, *dtype, *profile;
	uint64_t              max_shard_bytes;  /* 0: not given */
	bool                  allow_overflow, tensor_sha256;
	const char           *read_back, *input_sha256; /* NULL: not given */
	const char           *model_card, *license;
	const char           *stream, *staging, *provenance;
	uint64_t              source_date;      /* SOURCE_DATE_EPOCH; 0: not given */
	bool                  strict;
	uint64_t              memory_limit;     /* 0: not given */
	bool                  tensors, arguments;
	const char           *source;
	bool                  has_tolerance;
	double                tolerance;
	struct options_report reports[OPTIONS_MAX_REPORTS];
	size_t                report_count;
	const char           *key, *certificate;        /* NULL: not given; as all of these */
	const char           *signature, *ca;
};

struct option_spec;
typedef bool option_setter(struct options *options, const struct option_spec *spec,
	const char *value, struct error *err);

struct option_spec {
	char           letter;          /* '\0': it has none */
	const char    *name;
	const char    *value;           /* what it takes: "DIR"; NULL: nothing */
	unsigned       commands;        /* bit 1 << COMMAND_... for each that takes it, and */
#define OPTIONS_WITH_SOURCE (1u << 31)  /* verify does with --source only */
	const char    *help;            /* at most 50 columns */
	option_setter *set;
};

/* What stands in the help of a command: the value's name, as in the table, and what it does. */
struct option_words {
	const char *value, *help;
};
struct option_words options_said(const struct option_spec *spec, enum command command);
bool options_need_source(const struct option_spec *spec);

const struct command_spec *options_command(enum command command);       /* not COMMAND_NONE */

#define OPTIONS_MOST_WORDS 5
/* The words that an option's value can be, up to a NULL; a word that ends with "=" goes on
 * with a path.  None: anything. */
const char *const *options_words(const struct option_spec *spec);

extern const struct option_spec options_table[];
extern const size_t options_count;
#define OPTIONS_MOST 64                 /* room in tables that go by it */

/* -j and MEGATRON2HF_THREADS; `what` names the one. */
bool options_take_threads(struct options *options, const char *what, const char *value,
	struct error *err);
/* Seconds since 1970, as many as a tar can say. */
bool options_take_source_date(struct options *options, const char *what, const char *value,
	struct error *err);

#endif
