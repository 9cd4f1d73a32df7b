#include "convert/model_card.h"

#include "container/input_file.h"
#include "gpt2/furniture.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define MAX_BYTES ((uint64_t)1 << 20)

/* ---- what the user gives ---------------------------------------------------------- */

static bool
read_given(struct model_card *card, const char *path, struct error *err)
{
	struct input_file *file = input_file_open(path, ".", err);

	if (file == NULL)
		return false;
	card->given_length = (size_t)file->size;
	if (file->size > MAX_BYTES)
		error_set(err, ERROR_LIMIT, "card", "larger than 1 MiB");
	else
		card->given = input_file_text(file, MAX_BYTES, err);
	input_file_close(file);
	return card->given != NULL;
}

static bool
check_given(const struct model_card *card, struct error *err)
{
	enum furniture_block block = furniture_find_block(card->given, card->given_length);

	if (!text_is_utf8(card->given, card->given_length))
		return error_set(err, ERROR_CORRUPT, "card", "not UTF-8 text");
	if (card->given_length >= 3 && memcmp(card->given, "\xef\xbb\xbf", 3) == 0)
		return error_set(err, ERROR_CORRUPT, "card",
			"begins with a byte-order mark, behind which no metadata is found");
	if (block == FURNITURE_OPEN_BLOCK)
		return error_set(err, ERROR_CORRUPT, "card",
			"the metadata begins with --- and does not end with it");
	if (block == FURNITURE_BLOCK && card->license != NULL) {
		error_set(err, ERROR_USAGE, "usage", "--license, but the card has metadata of its own");
		return error_hint(err, "write the licence there, or leave the metadata out");
	}
	return true;
}

bool
model_card_open(struct model_card *card, const char *request, const char *license,
	struct error *err)
{
	*card = (struct model_card){
		.is_wanted = request != NULL && strcmp(request, "none") != 0, .license = license };
	if (license != NULL && !card->is_wanted) {
		error_set(err, ERROR_USAGE, "usage", "--license without --model-card: a licence is "
			"named in README.md");
		return error_hint(err, "add --model-card auto, or a file of yours");
	}
	if (license != NULL && !furniture_is_license(license))
		return error_set(err, ERROR_USAGE, "usage", "--license: expected an id such as "
			"apache-2.0, found \"%.80s\"", license);
	if (request == NULL || !card->is_wanted || strcmp(request, "auto") == 0)
		return true;
	return (read_given(card, request, err) && check_given(card, err))
		|| error_in_file(err, request);
}

void
model_card_fini(struct model_card *card)
{
	free(card->given);
	card->given = NULL;
}

/* ---- Markdown --------------------------------------------------------------------- */

/* As code: nothing in it means anything.  The fence is longer than any inside. */
static void
add_code(struct text *to, const char *untrusted)
{
	char   shown[2048], fence[sizeof shown + 1];
	size_t longest = 0, run = 0, length;
	bool   pads;

	text_escape(shown, sizeof shown, untrusted, strlen(untrusted));
	length = strlen(shown);
	for (size_t i = 0; i < length; i++) {
		run = shown[i] == '`' ? run + 1 : 0;
		longest = run > longest ? run : longest;
	}
	memset(fence, '`', longest + 1);
	fence[longest + 1] = '\0';
	/* A blank on either side is taken away again. */
	pads = length == 0 || strchr("` ", shown[0]) != NULL
		|| strchr("` ", shown[length - 1]) != NULL;
	text_add(to, pads ? "%s %s %s" : "%s%s%s", fence, shown, fence);
}

/* As a sentence, in which a mark is only a mark: no emphasis, link, HTML or formula. */
static void
add_prose(struct text *to, const char *untrusted)
{
	char shown[2048];

	text_escape(shown, sizeof shown, untrusted, strlen(untrusted));
	for (const char *at = shown; *at != '\0'; at++) {
		bool inside = strchr(".:/", *at) != NULL && at[1] != ' ' && at[1] != '\0';

		text_add(to, inside || strchr("\\`*_{}[]<>#|~&$!@", *at) != NULL ? "\\%c" : "%c", *at);
	}
}

/* ---- the text --------------------------------------------------------------------- */

static bool
has_output(const struct manifest *manifest, const char *suffix)
{
	for (size_t i = 0; i < manifest->output_count; i++)
		if (text_has_suffix(manifest->outputs[i].name, suffix))
			return true;
	return false;
}

static void
add_sizes(struct text *to, const struct manifest *manifest)
{
	const struct arguments *sizes = &manifest->model->arguments;
	char                    number[TEXT_NUMBER_SIZE];

	text_add(to, "# GPT-2, %s parameters\n\n",
		text_grouped(number, manifest->plan->parameter_count));
	text_add(to, "A GPT-2 for the Hugging Face libraries, converted from a Megatron-LM checkpoint by "
		"megatron2hf\n%s. A conversion trains nothing. What the model was trained on, and what "
		"it is fit for, is not\nin a checkpoint: ask those who published it.\n\n"
		"%" PRIu64 " layers, %" PRIu64 " wide, %" PRIu64 " heads, inner size %" PRIu64 ", %"
		PRIu64 " positions, vocabulary %" PRIu64 ".\n", manifest->tool_version, sizes->layers,
		sizes->hidden, sizes->heads, sizes->ffn, sizes->positions, sizes->vocabulary);
}

static void
add_use(struct text *to, const struct manifest *manifest)
{
	bool has_tokenizer = has_output(manifest, "tokenizer.json");

	text_add(to, "\n## Use\n\nIn this directory:\n\n```python\n"
		"from transformers import AutoModelForCausalLM%s\n\n"
		"model = AutoModelForCausalLM.from_pretrained(\".\")\n%s```\n",
		has_tokenizer ? ", AutoTokenizer" : "",
		has_tokenizer ? "tokenizer = AutoTokenizer.from_pretrained(\".\")\n" : "");
}

/* Of the whole file, or of the parts that were read.  Zeros where it is not known yet, in a dry
 * run, so that the length comes out right. */
static void
add_digest(struct text *to, const struct manifest_file *input)
{
	if (input->ranges_sha256[0] != '\0')
		text_add(to, "SHA-256 of the parts that were read `%s`\n", input->ranges_sha256);
	else if (input->sha256[0] != '\0')
		text_add(to, "SHA-256 `%s`\n", input->sha256);
	else
		text_add(to, "SHA-256 `%064d`\n", 0);
}

static void
add_input_name(struct text *to, const char *name)
{
	if (strcmp(name, "-") == 0)
		text_add(to, "standard input");
	else
		add_code(to, name);
}

static void
add_source(struct text *to, const struct manifest *manifest)
{
	const struct shards *shards = manifest->shards;
	char                 container[128];

	manifest_container(shards, container, sizeof container);
	text_add(to, "\n## Source\n\n");
	for (size_t i = 0; i < manifest->input_count; i++) {
		const struct manifest_file *input = &manifest->inputs[i];

		text_add(to, "- ");
		add_input_name(to, input->name);
		text_add(to, ", %" PRIu64 " bytes, ", input->bytes);
		add_digest(to, input);
		for (size_t s = 0; s < shards->count; s++) {
			if (shards->items[s].input != i)
				continue;
			text_add(to, "  - ");
			add_input_name(to, shards->items[s].name);
			text_add(to, "\n");
		}
	}
	text_add(to, "\nLayout: ");
	add_prose(to, dialect_name(manifest->model->dialect));
	text_add(to, ", ");
	add_prose(to, container);
	text_add(to, ", %u tensor × %u pipeline rank%s, QKV layout %u.\n", shards->tensor_size,
		shards->pipeline_size, shards->pipeline_size == 1 ? "" : "s",
		(unsigned)manifest->model->qkv_layout);
}

static void
add_decisions(struct text *to, const struct manifest *manifest)
{
	const struct decision_log *log = manifest->log;

	text_add(to, "\n## Decisions\n\n");
	for (size_t i = 0; i < log->decision_count; i++) {
		text_add(to, "- ");
		add_code(to, log->decisions[i].key);
		text_add(to, ": ");
		add_code(to, log->decisions[i].value);
		text_add(to, " (");
		add_prose(to, log->decisions[i].source);
		text_add(to, ")\n");
	}
	if (log->note_count > 0)
		text_add(to, "\nNotes:\n\n");
	for (size_t i = 0; i < log->note_count; i++) {
		text_add(to, "- %s", log->notes[i].level == NOTE_WARNING ? "warning: " : "");
		add_prose(to, log->notes[i].text);
		text_add(to, "\n");
	}
	text_add(to, "\n`conversion.json` has for each tensor where it came from and where it lies.\n");
}

static void
write_card(const struct model_card *card, const struct manifest *manifest,
	struct text *to)
{
	const struct furniture_metadata metadata = { .license = card->license,
		.has_safetensors = has_output(manifest, ".safetensors") };

	if (card->given == NULL
	    || furniture_find_block(card->given, card->given_length) == FURNITURE_NO_BLOCK) {
		furniture_write_metadata(&metadata, to);
		text_add(to, "\n");
	}
	if (card->given != NULL) {
		text_add_bytes(to, card->given, card->given_length);
		return;
	}
	add_sizes(to, manifest);
	add_use(to, manifest);
	add_source(to, manifest);
	add_decisions(to, manifest);
	text_add(to, "\n## Check\n\n    sha256sum -c SHA256SUMS\n    megatron2hf verify .\n");
}

bool
model_card_add(const struct model_card *card, const struct manifest *manifest,
	struct output_directory *directory, struct error *err)
{
	struct text text = { 0 }, attributes = { 0 };
	bool        done;

	if (!card->is_wanted)
		return true;
	write_card(card, manifest, &text);
	furniture_write_gitattributes(&attributes);
	done = output_directory_add(directory, "README.md", &text, err)
		&& output_directory_add(directory, ".gitattributes", &attributes, err);
	text_free(&text);
	text_free(&attributes);
	return done;
}
