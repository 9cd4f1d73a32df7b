#include "convert/provenance.h"

#include "base/json.h"
#include "convert/answer.h"

#include <stddef.h>
#include <string.h>
#include <time.h>

/* The URIs of SLSA are names: the manual says what stands behind ours. */
#define BUILD_TYPE "urn:megatron2hf:conversion:v1"
#define BUILDER    "urn:megatron2hf:builder"

/* Options on which the bytes of the result depend, as the command line calls them. */
static const struct parameter {
	const char *name;
	enum { TEXT, NUMBER, FLAG } kind;       /* of a text that is a path its last component */
	size_t      field;
} parameters[] = {
#define AT(member) offsetof(struct m2h_convert_options, member)
	{ "source",              TEXT,   AT(source) },
	{ "sha256",              TEXT,   AT(sha256) },
	{ "input-sha256",        TEXT,   AT(input_sha256) },
	{ "tokenizer",           TEXT,   AT(tokenizer) },
	{ "weights",             TEXT,   AT(weights) },
	{ "dtype",               TEXT,   AT(dtype) },
	{ "allow-overflow",      FLAG,   AT(allow_overflow) },
	{ "max-shard-size",      NUMBER, AT(max_shard_bytes) },
	{ "tensor-sha256",       FLAG,   AT(tensor_sha256) },
	{ "read-back",           TEXT,   AT(read_back) },
	{ "replicas",            TEXT,   AT(replicas) },
	{ "profile",             TEXT,   AT(profile) },
	{ "model-card",          TEXT,   AT(model_card) },
	{ "license",             TEXT,   AT(license) },
	{ "strict",              FLAG,   AT(strict) },
	{ "num-attention-heads", NUMBER, AT(attention_heads) },
	{ "vocab-size",          TEXT,   AT(vocab_size) },
	{ "qkv-layout",          TEXT,   AT(qkv_layout) },
	{ "activation",          TEXT,   AT(activation) },
	{ "config",              TEXT,   AT(config) },
	{ "iteration",           TEXT,   AT(iteration) },
#undef AT
};

static void
write_digest(struct json_writer *w, const char *sha256)
{
	json_open_member(w, "digest", '{');
	json_add_string(w, "sha256", sha256);
	json_close(w, '}');
}

static void
write_subjects(struct json_writer *w, const struct provenance *provenance)
{
	json_open_member(w, "subject", '[');
	for (size_t i = 0; i < provenance->manifest->output_count; i++) {
		json_open(w, '{');
		json_add_string(w, "name", provenance->manifest->outputs[i].name);
		write_digest(w, provenance->manifest->outputs[i].sha256);
		json_close(w, '}');
	}
	json_close(w, ']');
}

static void
write_parameter(struct json_writer *w, const struct parameter *parameter, const void *field)
{
	const char *text;
	uint64_t    number;
	bool        flag;
	char        name[4096];

	switch (parameter->kind) {
	case TEXT:
		memcpy(&text, field, sizeof text);
		if (text != NULL)
			json_add_string(w, parameter->name, text_base_name(name, sizeof name, text));
		break;
	case NUMBER:
		memcpy(&number, field, sizeof number);
		if (number != 0)
			json_add_u64(w, parameter->name, number);
		break;
	case FLAG:
		memcpy(&flag, field, sizeof flag);
		if (flag)
			json_add_bool(w, parameter->name, true);
		break;
	}
}

static void
write_parameters(struct json_writer *w, const struct provenance *provenance)
{
	json_open_member(w, "externalParameters", '{');
	for (size_t i = 0; i < sizeof parameters / sizeof *parameters; i++)
		write_parameter(w, &parameters[i],
			(const char *)provenance->options + parameters[i].field);
	json_close(w, '}');
	json_open_member(w, "internalParameters", '{');
	json_add_string(w, "version", provenance->manifest->tool_version);
	json_close(w, '}');
}

/* A relative reference of RFC 3986: all but unreserved characters and '/' as %XX. */
static void
write_uri(struct json_writer *w, const char *name)
{
	struct text uri = { 0 };

	text_add(&uri, "%s", "");
	for (const char *at = name; *at != '\0'; at++) {
		bool is_plain = (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z')
			|| (*at >= '0' && *at <= '9') || strchr("-._~/", *at) != NULL;

		text_add(&uri, is_plain ? "%c" : "%%%02X", (unsigned char)*at);
	}
	json_add_string(w, "uri", uri.bytes);
	w->to->failed = w->to->failed || uri.failed;
	text_free(&uri);
}

/* Of an input that was not read in full there is no digest; conversion.json says which ranges
 * the one in the annotations is of. */
static void
write_dependency(struct json_writer *w, const char *name, const char *sha256,
	const char *ranges_sha256)
{
	json_open(w, '{');
	json_add_string(w, "name", name);
	write_uri(w, name);
	if (ranges_sha256[0] == '\0') {
		write_digest(w, sha256);
	} else {
		json_open_member(w, "annotations", '{');
		json_add_string(w, "sha256_of_ranges", ranges_sha256);
		json_close(w, '}');
	}
	json_close(w, '}');
}

/* The files of the checkpoint, ranks with their folders; after them those of a tokenizer. */
static void
write_inputs(struct json_writer *w, const struct manifest *manifest)
{
	char name[4096];

	for (size_t i = 0; i < manifest->input_count; i++) {
		if (i < manifest->shards->input_count)
			answer_input_name(manifest->shards, i, name, sizeof name);
		else
			text_format(name, sizeof name, "%s", manifest->inputs[i].name);
		write_dependency(w, name, manifest->inputs[i].sha256,
			manifest->inputs[i].ranges_sha256);
	}
}

static void
write_dependencies(struct json_writer *w, const struct provenance *provenance)
{
	const struct m2h_convert_options *options = provenance->options;
	char                              name[4096], sha256[DIGEST_HEX_SIZE];

	json_open_member(w, "resolvedDependencies", '[');
	write_inputs(w, provenance->manifest);
	if (options->config != NULL)
		write_dependency(w, text_base_name(name, sizeof name, options->config),
			provenance->given->sha256, "");
	if (provenance->card->given != NULL) {
		if (!digest_sha256(provenance->card->given, provenance->card->given_length, sha256))
			w->to->failed = true;
		else
			write_dependency(w, text_base_name(name, sizeof name, options->model_card),
				sha256, "");
	}
	json_close(w, ']');
}

static void
write_run(struct json_writer *w, const struct provenance *provenance)
{
	time_t    date = (time_t)provenance->options->source_date;
	struct tm parts;
	char      shown[64];

	json_open_member(w, "runDetails", '{');
	json_open_member(w, "builder", '{');
	json_add_string(w, "id", BUILDER);
	json_open_member(w, "version", '{');
	json_add_string(w, "megatron2hf", provenance->manifest->tool_version);
	json_close(w, '}');
	json_close(w, '}');
	if (date != 0 && gmtime_r(&date, &parts) != NULL) {
		strftime(shown, sizeof shown, "%Y-%m-%dT%H:%M:%SZ", &parts);
		json_open_member(w, "metadata", '{');
		json_add_string(w, "startedOn", shown);
		json_add_string(w, "finishedOn", shown);
		json_close(w, '}');
	}
	json_close(w, '}');
}

static void
write_statement(const struct provenance *provenance, struct text *to)
{
	struct json_writer w = { .to = to, .indent = 2 };

	json_open(&w, '{');
	json_add_string(&w, "_type", "https://in-toto.io/Statement/v1");
	write_subjects(&w, provenance);
	json_add_string(&w, "predicateType", "https://slsa.dev/provenance/v1");
	json_open_member(&w, "predicate", '{');
	json_open_member(&w, "buildDefinition", '{');
	json_add_string(&w, "buildType", BUILD_TYPE);
	write_parameters(&w, provenance);
	write_dependencies(&w, provenance);
	json_close(&w, '}');
	write_run(&w, provenance);
	json_close(&w, '}');
	json_close(&w, '}');
	text_add(to, "\n");
}

struct atomic_file *
provenance_stage(const struct provenance *provenance, struct error *err)
{
	const struct m2h_convert_options *options = provenance->options;
	struct text                       text = { 0 };
	struct atomic_file               *file = NULL;

	write_statement(provenance, &text);
	if (text.failed)
		error_no_memory(err, text.length);
	else
		file = atomic_file_stage(options->provenance, text.bytes, text.length,
			options->replace, err);
	text_free(&text);
	return file;
}
