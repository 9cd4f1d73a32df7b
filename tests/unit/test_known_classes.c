#include "check.h"
#include "scratch_folder.h"
#include "tiny_pickle.h"

#include "megatron/known_classes.h"

/* The classes that a checkpoint names, and the end of the note on them, "" for none. */
static const struct {
	const char *notation, *note;
} notes[] = {
	{ "{model:{},x:[@torch.Size,@argparse.Namespace]}", "" },
	{ "{model:{},x:[@my.thing,@torch.Size]}", ": my.thing" },
	{ "{model:{},x:[@my.thing,@my.other,@my.thing]}", ": my.thing, my.other" },
	{ "{model:{},x:[@my.things,@my.thing,@amy.thing,@my.thing]}", ": my.things, my.thing, amy.thing" },
	{ "{model:{},x:[@m.A,@m.B,@m.C,@m.D,@m.E,@m.F,@m.G,@m.H]}", ": m.A, m.B, m.C, m.D, m.E, m.F, m.G, m.H" },
	{ "{model:{},x:[@m.A,@m.B,@m.C,@m.D,@m.E,@m.F,@m.G,@m.H,@m.I]}", ": m.A, m.B, m.C, m.D, m.E, m.F, m.G, m.H, ..." },
};

static void
check_note(const char *notation, const char *expected)
{
	const struct shards_options options = { .spool_directory = "/tmp",
		.arena_limit = (size_t)32 << 20 };
	struct decision_log         log;
	struct shards              *shards;
	struct error                err = { 0 };
	struct text                 file = { 0 };
	const char                 *found = "";

	tiny_pickle_file(&file, notation);
	scratch_write("x.pt", file.bytes, file.length);
	decision_log_init(&log);
	shards = shards_open(scratch_path("x.pt"), &options, &log, &err);
	CHECK(shards != NULL, "%s: %s", notation, err.text);
	if (shards != NULL)
		known_classes_note(shards, &log);
	for (size_t i = 0; i < log.note_count; i++)
		if (strcmp(log.notes[i].slug, "foreign") == 0)
			found = strrchr(log.notes[i].text, ':');
	CHECK_TEXT(found, expected, "%s", notation);
	shards_close(shards);
	decision_log_fini(&log);
	text_free(&file);
}

int
main(void)
{
	static const struct { const char *module, *name; bool is_known; } rows[] = {
		{ "torch._utils", "_rebuild_tensor_v2", true }, { "torch", "HalfStorage", true },
		{ "megatron.core.enums", "ModelType", true }, { "argparse", "Namespace", true },
		{ "fp16.loss_scaler", "DynamicLossScaler", true },
		{ "numpy.core.multiarray", "_reconstruct", true }, { "signal", "Signals", true },
		{ "torchvision.models", "ResNet", false }, { "megatronish", "Thing", false },
		{ "argparse", "Action", false }, { "my.research", "Scheduler", false },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		CHECK(known_classes_has(rows[i].module, rows[i].name) == rows[i].is_known, "%s.%s",
			rows[i].module, rows[i].name);
	scratch_open();
	for (size_t i = 0; i < sizeof notes / sizeof *notes; i++)
		check_note(notes[i].notation, notes[i].note);
	scratch_close();
	return check_end("known_classes");
}
