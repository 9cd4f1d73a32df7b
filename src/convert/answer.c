#include "convert/answer.h"

#include "base/text.h"
#include "check/manifest.h"

#include <string.h>

#define ANSWER_BYTES ((size_t)256 << 20)

void
answer_init(struct answer *answer)
{
	*answer = (struct answer){ .failed = false };
	arena_init(&answer->arena, ANSWER_BYTES);
	decision_log_init(&answer->log);
}

void
answer_fini(struct answer *answer)
{
	decision_log_fini(&answer->log);
	arena_fini(&answer->arena);
}

void *
answer_take(struct answer *answer, size_t count, size_t size)
{
	void *taken = arena_take(&answer->arena, count > 0 ? count : 1, size);

	if (taken == NULL)
		answer->failed = true;
	return taken;
}

const char *
answer_text(struct answer *answer, const char *text)
{
	const char *copy = text != NULL ? arena_copy(&answer->arena, text, strlen(text)) : "";

	if (copy == NULL) {
		answer->failed = true;
		return "";
	}
	return copy;
}

int
answer_status(const struct error *err)
{
	return err->kind == ERROR_SIGNAL ? M2H_SIGNAL + err->os_errno : (int)err->kind;
}

void
answer_blame(const char *source, struct error *err)
{
	if (err->kind == ERROR_CORRUPT || err->kind == ERROR_UNSUPPORTED
	    || err->kind == ERROR_UNSAFE)
		error_in_file(err, source);
}

void
answer_error(struct answer *answer, const struct error *err, struct m2h_error *to)
{
	char line[2048];

	to->slug = answer_text(answer, err->slug);
	to->message = answer_text(answer, error_line(err, line, sizeof line));
	/* There is an error, and so its texts: answer_text() asks for NULL because of others. */
	to->hint = answer_text(answer, text_escape(line, sizeof line, err->hint,
		strlen(err->hint)));    /* NOLINT(clang-analyzer-core.NonNullParamChecker) */
}

bool
answer_is_whole(const struct answer *answer, struct error *err)
{
	return (!answer->failed && !answer->log.failed) || error_no_memory(err, 0);
}

void
answer_settle(const struct answer *answer, int *status, struct m2h_error *error)
{
	if (!answer->failed && !answer->log.failed)
		return;
	*status = M2H_LIMIT;
	*error = (struct m2h_error){ "oom", "out of memory", "" };
}

void
answer_notes(struct answer *answer, const struct m2h_note **notes, size_t *count)
{
	const struct decision_log *log = &answer->log;
	struct m2h_note           *to = answer_take(answer, log->note_count, sizeof *to);

	if (to == NULL)
		return;
	for (size_t i = 0; i < log->note_count; i++)
		to[i] = (struct m2h_note){ log->notes[i].level == NOTE_WARNING, log->notes[i].slug,
			log->notes[i].text };
	*notes = to;
	*count = log->note_count;
}

void
answer_decisions(struct answer *answer, const struct m2h_decision **decisions, size_t *count)
{
	const struct decision_log *log = &answer->log;
	struct m2h_decision       *to = answer_take(answer, log->decision_count, sizeof *to);

	if (to == NULL)
		return;
	for (size_t i = 0; i < log->decision_count; i++)
		to[i] = (struct m2h_decision){ log->decisions[i].key, log->decisions[i].value,
			log->decisions[i].source };
	*decisions = to;
	*count = log->decision_count;
}

void
answer_input_name(const struct shards *shards, size_t input, char *to, size_t size)
{
	text_base_name(to, size, shards->inputs[input]->name);
	for (size_t s = 0; s < shards->count; s++)
		if (shards->items[s].input == input && shards->items[s].member == NULL)
			text_format(to, size, "%s", shards->items[s].name);
}

struct m2h_file *
answer_inputs(struct answer *answer, const struct shards *shards, size_t more)
{
	struct m2h_file *files = answer_take(answer, shards->input_count + more, sizeof *files);

	if (files == NULL)
		return NULL;
	for (size_t i = 0; i < shards->input_count; i++) {
		char        name[256];
		const char *member = NULL;
		size_t      members = 0;

		for (size_t s = 0; s < shards->count; s++) {
			if (shards->items[s].input == i && shards->items[s].member != NULL) {
				member = shards->items[s].member;
				members++;
			}
		}
		answer_input_name(shards, i, name, sizeof name);
		files[i].name = answer_text(answer, name);
		files[i].member = answer_text(answer, members == 1 ? member : NULL);
		files[i].bytes = shards->inputs[i]->size;
	}
	return files;
}

void
answer_model(struct answer *answer, const struct shards *shards, const struct model *model,
	struct m2h_model *to)
{
	const struct arguments *arguments = &model->arguments;
	char                    container[128];

	manifest_container(shards, container, sizeof container);
	*to = (struct m2h_model){
		.family = "GPT-2",
		.dialect = dialect_name(model->dialect),
		.container = answer_text(answer, container),
		.dtype = model->dtype == DTYPE_UNKNOWN ? "mixed" : dtype_name(model->dtype),
		.iteration = answer_text(answer, shards->iteration),
		.version_label = answer_text(answer, model->version_label),
		.tensor_size = shards->tensor_size, .pipeline_size = shards->pipeline_size,
		.virtual_size = model->chunk_count,
		.qkv_layout = (unsigned)model->qkv_layout,
		.layers = arguments->layers, .hidden = arguments->hidden, .heads = arguments->heads,
		.ffn = arguments->ffn, .positions = arguments->positions,
		.vocabulary = arguments->vocabulary,
		.padded_vocabulary = arguments->padded_vocabulary,
		.parameters = model->parameter_count
			- (arguments->padded_vocabulary - arguments->vocabulary) * arguments->hidden
			* (arguments->is_untied ? 2 : 1),
		.stored_parameters = model->parameter_count,
	};
}

void
answer_dropped(struct answer *answer, const struct model *model,
	const struct m2h_dropped **dropped, size_t *count)
{
	struct m2h_dropped *to = answer_take(answer, model->dropped_count, sizeof *to);

	if (to == NULL)
		return;
	for (size_t i = 0; i < model->dropped_count; i++)
		to[i] = (struct m2h_dropped){ answer_text(answer, model->dropped[i].what),
			answer_text(answer, model->dropped[i].reason), model->dropped[i].bytes };
	*dropped = to;
	*count = model->dropped_count;
}
