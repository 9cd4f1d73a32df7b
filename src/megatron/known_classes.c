#include "megatron/known_classes.h"

#include "base/text.h"

#include <string.h>

#define MAX_NAMED 8     /* in the note */

/* A module with what is below it, or one name of it. */
static const struct known {
	const char *module, *name;      /* name NULL: all */
} known[] = {
	{ "collections", NULL }, { "argparse", "Namespace" }, { "types", "SimpleNamespace" },
	{ "torch", NULL }, { "numpy", NULL }, { "_codecs", "encode" }, { "copyreg", NULL },
	{ "builtins", NULL }, { "_io", "BytesIO" }, { "signal", NULL }, { "pathlib", NULL },
	{ "datetime", NULL }, { "functools", "partial" }, { "fp16", NULL }, { "megatron", NULL },
	{ "apex", NULL }, { "transformer_engine", NULL }, { "modelopt", NULL },
	{ "omegaconf", NULL },
};

/* "torch" is "torch" and "torch._utils", not "torchvision". */
static bool
is_below(const char *module, const char *top)
{
	size_t length = strlen(top);

	return strncmp(module, top, length) == 0
		&& (module[length] == '\0' || module[length] == '.');
}

bool
known_classes_has(const char *module, const char *name)
{
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (is_below(module, known[i].module)
		    && (known[i].name == NULL || strcmp(name, known[i].name) == 0))
			return true;
	return false;
}

/* In "a, b, c"? */
static bool
is_listed(const char *names, const char *full)
{
	size_t length = strlen(full);

	for (const char *at = strstr(names, full); at != NULL; at = strstr(at + 1, full))
		if ((at == names || at[-1] == ' ') && (at[length] == ',' || at[length] == '\0'))
			return true;
	return false;
}

static void
add_name(struct text *names, size_t *count, const struct value *global)
{
	char full[256];

	text_format(full, sizeof full, "%s.%s", global->global.module, global->global.name);
	if (names->bytes != NULL && is_listed(names->bytes, full))
		return;
	if (++*count <= MAX_NAMED)
		text_add(names, "%s%s", *count > 1 ? ", " : "", full);
}

void
known_classes_note(const struct shards *shards, struct decision_log *log)
{
	struct text names = { 0 };
	size_t      count = 0;

	for (size_t i = 0; i < shards->count; i++) {
		const struct pickle_globals *globals;

		if (shards->items[i].torch == NULL)
			continue;
		globals = torch_file_globals(shards->items[i].torch);
		for (size_t g = 0; g < globals->count; g++)
			if (!known_classes_has(globals->items[g]->global.module,
				globals->items[g]->global.name))
				add_name(&names, &count, globals->items[g]);
	}
	if (count > 0 && !names.failed)
		decision_log_note(log, NOTE_NOTE, "foreign",
			"classes that Megatron-LM does not store, kept as inert objects: %s%s",
			names.bytes, count > MAX_NAMED ? ", ..." : "");
	text_free(&names);
}
