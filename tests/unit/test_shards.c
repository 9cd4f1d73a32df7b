#include "check.h"
#include "scratch_folder.h"
#include "stored_zip.h"

#include "base/text.h"
#include "megatron/rank_name.h"
#include "megatron/shards.h"

#include <fcntl.h>

#define V1   "fixtures/megatron/v1.0_tp2_legacy/checkpoint"
#define BARE "fixtures/ngc/good-bare.pt"
#define FILE_NAME "model_optim_rng.pt"

static struct decision_log log_of_last;
static struct error        error_of_last;

static struct shards *
open_shards(const char *path, const char *iteration)
{
	struct shards_options options = {
		.spool_directory = "/tmp",
		.iteration = iteration,
		.arena_limit = (size_t)32 << 20,
	};

	decision_log_fini(&log_of_last);
	decision_log_init(&log_of_last);
	memset(&error_of_last, 0, sizeof error_of_last);
	return shards_open(path, &options, &log_of_last, &error_of_last);
}

static bool
has_note(const char *slug)
{
	size_t index;

	for (index = 0; index < log_of_last.note_count; index++)
		if (strcmp(log_of_last.notes[index].slug, slug) == 0)
			return true;
	return false;
}

/* ---- names -------------------------------------------------------------------------------- */

static void
check_names(void)
{
	static const struct {
		const char *name;
		bool        is_rank;
		unsigned    tensor, pipeline;
		bool        expert;
	} ranks[] = {
		{ "mp_rank_00", true, 0, 0, false },
		{ "mp_rank_07", true, 7, 0, false },
		{ "mp_rank_100", true, 100, 0, false },
		{ "mp_rank_01_002", true, 1, 2, false },
		{ "mp_rank_01_002_003", true, 1, 2, true },
		{ "mp_rank_1", false, 0, 0, false },
		{ "mp_rank_", false, 0, 0, false },
		{ "mp_rank_00_", false, 0, 0, false },
		{ "mp_rank_00_00", false, 0, 0, false },
		{ "mp_rank_00_000_000_000", false, 0, 0, false },
		{ "mp_rank_00_model_states.pt", false, 0, 0, false },
		{ "mp_rank_99999999999999999999", false, 0, 0, false },
		{ "xmp_rank_00", false, 0, 0, false },
		{ "mp_rank_99999", true, 99999, 0, false },
		{ "mp_rank_100000", false, 0, 0, false },
		{ "mp_rank_0.", false, 0, 0, false },
		{ "mp_rank_00x000", false, 0, 0, false },
		{ "mp_rank_00_000x000", false, 0, 0, false },
		{ "mp_rank_00_000_00", false, 0, 0, false },
	};
	static const struct {
		const char *text, *folder;
	} trackers[] = {
		{ "release", "release" },
		{ " release\n", "release" },
		{ "5000", "iter_0005000" },
		{ "\t1234 \r\n", "iter_0001234" },
		{ "0000005", "iter_0000005" },
		{ "123456789", "iter_123456789" },
		{ "", NULL },
		{ " \n", NULL },
		{ "0", NULL },
		{ "-5", NULL },
		{ "+5", NULL },
		{ "1e3", NULL },
		{ "5 6", NULL },
		{ "iter_0000005", NULL },
		{ "Release", NULL },
		{ "99999999999999999999999", NULL },
		{ "../../x", NULL },
	};
	static const struct {
		const char *name;
		bool        is_iteration;
	} folders[] = {
		{ "release", true }, { "releases", false }, { "iter_0000005", true },
		{ "iter_123456789", true }, { "iter_000005", false }, { "iter_0000005x", false },
		{ "global_step5", true }, { "global_step", false }, { "global_step5x", false },
		{ "iterate", false },
	};
	size_t index;

	for (index = 0; index < sizeof folders / sizeof *folders; index++)
		CHECK(rank_name_is_iteration(folders[index].name) == folders[index].is_iteration,
			"%s", folders[index].name);
	for (index = 0; index < sizeof ranks / sizeof *ranks; index++) {
		struct rank_name rank;
		bool is_rank = rank_name_parse(ranks[index].name, strlen(ranks[index].name), &rank);

		CHECK(is_rank == ranks[index].is_rank, "%s", ranks[index].name);
		if (is_rank && ranks[index].is_rank)
			CHECK(rank.tensor_rank == ranks[index].tensor
			    && rank.pipeline_rank == ranks[index].pipeline
			    && rank.has_expert_rank == ranks[index].expert, "%s", ranks[index].name);
	}
	for (index = 0; index < sizeof trackers / sizeof *trackers; index++) {
		char         folder[RANK_NAME_ITERATION_SIZE] = "";
		struct error err = { 0 };
		bool done = rank_name_tracker(trackers[index].text, strlen(trackers[index].text),
			folder, &err);

		CHECK(done == (trackers[index].folder != NULL), "tracker \"%s\"",
			trackers[index].text);
		if (done && trackers[index].folder != NULL)
			CHECK_TEXT(folder, trackers[index].folder, "tracker");
		else
			CHECK(err.kind == ERROR_UNSUPPORTED && strcmp(err.slug, "tracker") == 0,
				"tracker \"%s\"", trackers[index].text);
	}
}

/* ---- what is found ------------------------------------------------------------------------ */

struct found {
	const char *path;
	unsigned    tensor_size;
	const char *iteration;
	const char *first_name;
	bool        in_zip, deflated, lone;
	const char *note;
};

static const struct found found_rows[] = {
	{ V1, 2, "iter_0001234", "mp_rank_00/" FILE_NAME, false, false, false, NULL },
	{ V1 "//", 2, "iter_0001234", "mp_rank_00/" FILE_NAME, false, false, false, NULL },
	{ V1 "/iter_0001234", 2, "iter_0001234", "mp_rank_00/" FILE_NAME, false, false, false, NULL },
	{ V1 "/iter_0001234/.", 2, "iter_0001234", "mp_rank_00/" FILE_NAME, false, false, false, NULL },
	{ V1 "/iter_0001234/mp_rank_00/..", 2, "iter_0001234", "mp_rank_00/" FILE_NAME, false, false, false, NULL },
	{ "fixtures/megatron/v1.0_tp1_legacy/checkpoint/iter_0001234/mp_rank_00", 1, "", "mp_rank_00/" FILE_NAME, false, false, true, NULL },
	{ "fixtures/megatron/v1.0_tp1_legacy/checkpoint/iter_0001234/mp_rank_00/" FILE_NAME, 1, "", FILE_NAME, false, false, true, NULL },
	{ BARE, 1, "", "good-bare.pt", false, false, true, NULL },
	{ "fixtures/ngc/good-torchzip.pt", 1, "", "good-torchzip.pt", false, false, true, NULL },
	{ "fixtures/good-ngc-mini.zip", 1, "release", "release/mp_rank_00/" FILE_NAME, true, true, false, NULL },
	{ "fixtures/ngc/good-stored.zip", 1, "release", "release/mp_rank_00/" FILE_NAME, true, false, false, NULL },
	{ "fixtures/ngc/good-folders.zip", 1, "release", "release/mp_rank_00/" FILE_NAME, true, true, false, NULL },
	{ "fixtures/ngc/good-streamed.zip", 1, "release", "release/mp_rank_00/" FILE_NAME, true, true, false, NULL },
	{ "fixtures/ngc/good-streamed-stored.zip", 1, "release", "release/mp_rank_00/" FILE_NAME, true, false, false, NULL },
	{ "fixtures/ngc/good-prefix.zip", 1, "release", NULL, true, true, false, "unused-members" },
	{ "fixtures/ngc/good-torchzip-in-stored.zip", 1, "release", "release/mp_rank_00/" FILE_NAME, true, false, false, NULL },
	{ "fixtures/ngc/good-torchzip-in-deflated.zip", 1, "release", "release/mp_rank_00/" FILE_NAME, true, true, false, NULL },
	{ "fixtures/ngc/good-torchzip-data-last.zip", 1, "release", "release/mp_rank_00/" FILE_NAME, true, true, false, "inflates-twice" },
	{ "fixtures/ngc/good-tp2-stored.zip", 2, "iter_0001000", NULL, true, false, false, NULL },
	{ "fixtures/ngc/good-tp2.zip", 2, NULL, NULL, true, true, false, NULL },
	{ "fixtures/ngc/good-tp4", 4, NULL, NULL, false, false, false, NULL },
	{ "fixtures/ngc/good-noise-tp2", 2, "iter_0001000", NULL, false, false, false, NULL },
};

static void
check_found(const struct found *row)
{
	struct shards *shards = open_shards(row->path, NULL);
	size_t         index;
	char           shown[4200];

	CHECK(shards != NULL, "%s: %s", row->path, error_of_last.text);
	if (shards == NULL)
		return;
	CHECK(shards->count == row->tensor_size && shards->tensor_size == row->tensor_size
	    && shards->pipeline_size == 1, "%s: %zu shards", row->path, shards->count);
	CHECK(shards->in_zip == row->in_zip && shards->zip_deflated == row->deflated
	    && shards->is_lone == row->lone, "%s", row->path);
	CHECK(shards->input_count == (row->in_zip ? 1 : shards->count), "%s: %zu inputs", row->path,
		shards->input_count);
	if (row->iteration != NULL)
		CHECK_TEXT(shards->iteration, row->iteration, "%s", row->path);
	if (row->first_name != NULL)
		CHECK_TEXT(shards->items[0].name, row->first_name, "%s", row->path);
	if (row->note != NULL)
		CHECK(has_note(row->note), "%s: note %s", row->path, row->note);
	for (index = 0; index < shards->count; index++) {
		const struct shard *shard = &shards->items[index];

		CHECK(shard->tensor_rank == index && shard->pipeline_rank == 0, "%s", row->path);
		CHECK(shard->torch != NULL && shard->stream != NULL, "%s", row->path);
		CHECK((shard->member != NULL) == row->in_zip, "%s", row->path);
		CHECK(shard->input == (row->in_zip ? 0 : index), "%s", row->path);
		CHECK(!row->in_zip || shard->member_crc != 0, "%s", row->path);
		CHECK(text_has_suffix(shards_describe(shards, index, shown, sizeof shown),
			shard->name), "%s: %s", row->path, shown);
	}
	shards_close(shards);
}

static void
check_standard_input(void)
{
	int            kept = dup(0), file = open(BARE, O_RDONLY);
	struct shards *shards;

	CHECK(file >= 0 && dup2(file, 0) == 0, "standard input");
	shards = open_shards("-", NULL);
	CHECK(shards != NULL && shards->count == 1 && shards->is_lone, "-: %s", error_of_last.text);
	shards_close(shards);
	close(file);
	if (kept >= 0) {
		dup2(kept, 0);
		close(kept);
	}
}

/* ---- folders that are broken on purpose ----------------------------------------------------- */

/* Each name in `make`: ending in "/" a folder, ending in ".pt" a shard, with "=" a text. */
struct broken {
	const char *what;
	const char *make[7];
	const char *path;       /* below the scratch folder */
	const char *iteration;  /* option */
	int         status;
	const char *slug;
	const char *part;       /* of the text */
	const char *note;
};

#define SHARD(folder) folder "/" FILE_NAME
#define TRACKER "latest_checkpointed_iteration.txt="

static const struct broken broken_rows[] = {
	{ "tracker", { TRACKER "5\n", SHARD("iter_0000005/mp_rank_00") }, "", NULL, 0, "", NULL, NULL },
	{ "release", { TRACKER "release", SHARD("release/mp_rank_00") }, "", NULL, 0, "", NULL, NULL },
	{ "tracker among several", { TRACKER "5", SHARD("iter_0000005/mp_rank_00"), SHARD("iter_0000006/mp_rank_00") }, "", NULL, 0, "", NULL, NULL },
	{ "no tracker, one folder", { SHARD("iter_0000005/mp_rank_00") }, "", NULL, 0, "", NULL, "tracker-missing" },
	{ "no tracker, two folders", { SHARD("iter_0000005/mp_rank_00"), SHARD("release/mp_rank_00") }, "", NULL, ERROR_NO_INPUT, "tracker", "iter_0000005, release", NULL },
	{ "tracker garbage", { TRACKER "soon", SHARD("release/mp_rank_00") }, "", NULL, ERROR_UNSUPPORTED, "tracker", "soon", NULL },
	{ "tracker empty", { TRACKER, SHARD("release/mp_rank_00") }, "", NULL, ERROR_UNSUPPORTED, "tracker", NULL, NULL },
	{ "tracker names nothing", { TRACKER "1000", SHARD("iter_0000900/mp_rank_00") }, "", NULL, ERROR_NO_INPUT, "tracker", "iter_0001000, which is missing; have iter_0000900", NULL },
	{ "tracker alone", { TRACKER "1000" }, "", NULL, ERROR_NO_INPUT, "tracker", "have no iteration folder", NULL },
	{ "option", { TRACKER "5", SHARD("iter_0000005/mp_rank_00"), SHARD("iter_0000006/mp_rank_00") }, "", "6", 0, "", NULL, NULL },
	{ "option names nothing", { TRACKER "5", SHARD("iter_0000005/mp_rank_00") }, "", "7", ERROR_NO_INPUT, "tracker", "--iteration names iter_0000007", NULL },
	{ "option garbage", { TRACKER "5", SHARD("iter_0000005/mp_rank_00") }, "", "seven", ERROR_USAGE, "usage", "seven", NULL },
	{ "hole", { SHARD("mp_rank_00"), SHARD("mp_rank_02"), SHARD("mp_rank_03") }, "", NULL, ERROR_NO_INPUT, "missingrank", "shard mp_rank_01 is missing (found 00, 02, 03)", NULL },
	{ "first missing", { SHARD("mp_rank_01") }, "", NULL, ERROR_NO_INPUT, "missingrank", "mp_rank_00 is missing", NULL },
	{ "empty rank", { SHARD("mp_rank_00"), "mp_rank_01/" }, "", NULL, ERROR_NO_INPUT, "missingrank", "the shard is missing", NULL },
	{ "unfinished rank", { SHARD("mp_rank_00"), "mp_rank_01/model_optim_rng.pt.part=x" }, "", NULL, ERROR_NO_INPUT, "missingrank", NULL, NULL },
	{ "one cell twice", { SHARD("mp_rank_00"), SHARD("mp_rank_00_000") }, "", NULL, ERROR_CORRUPT, "collision", "mp_rank_00_000", NULL },
	{ "stage missing", { SHARD("mp_rank_00_000"), SHARD("mp_rank_00_002") }, "", NULL, ERROR_NO_INPUT, "missingrank", "shard mp_rank_00_001 is missing (found 00_000, 00_002)", NULL },
	{ "first stage missing", { SHARD("mp_rank_00_001"), SHARD("mp_rank_01_001") }, "", NULL, ERROR_NO_INPUT, "missingrank", "shard mp_rank_00_000 is missing", NULL },
	{ "rank of the last stage missing", { SHARD("mp_rank_00_000"), SHARD("mp_rank_01_000"), SHARD("mp_rank_00_001") }, "", NULL, ERROR_NO_INPUT, "missingrank", "shard mp_rank_01_001 is missing", NULL },
	{ "rank of the first stage missing", { SHARD("mp_rank_00_000"), SHARD("mp_rank_00_001"), SHARD("mp_rank_01_001") }, "", NULL, ERROR_NO_INPUT, "missingrank", "shard mp_rank_01_000 is missing", NULL },
	{ "one stage of two", { SHARD("a/mp_rank_00_000"), SHARD("a/mp_rank_00_001") }, "a/mp_rank_00_000", NULL, ERROR_NO_INPUT, "missingrank", "shard mp_rank_00_001 is missing", NULL },
	{ "one stage by its long name", { SHARD("mp_rank_00_000"), SHARD("mp_rank_01_000") }, "", NULL, 0, "", NULL, NULL },
	{ "expert ranks", { SHARD("mp_rank_00_000_000") }, "", NULL, ERROR_UNSUPPORTED, "arch", "expert", NULL },
	{ "optimizer folders", { SHARD("mp_rank_00"), "mp_rank_00_001/optim.pt=x", "mp_rank_00_002/distrib_optim.pt=x" }, "", NULL, 0, "", NULL, NULL },
	{ "model_rng.pt", { "mp_rank_00/model_rng.pt" }, "", NULL, 0, "", NULL, NULL },
	{ "other files", { SHARD("mp_rank_00"), ".DS_Store=x", "train.log=x", "mp_rank_07=x", "mp_rank_00/optim.pt=x" }, "", NULL, 0, "", NULL, NULL },
	{ "one rank of two", { SHARD("a/mp_rank_00"), SHARD("a/mp_rank_01") }, "a/mp_rank_00", NULL, ERROR_NO_INPUT, "missingrank", "shard mp_rank_01 is missing", NULL },
	{ "one file of two", { SHARD("a/mp_rank_00"), SHARD("a/mp_rank_01") }, SHARD("a/mp_rank_01"), NULL, ERROR_NO_INPUT, "missingrank", "shard mp_rank_00 is missing", NULL },
	{ "second rank alone", { SHARD("a/mp_rank_01") }, "a/mp_rank_01", NULL, ERROR_NO_INPUT, "missingrank", "shard mp_rank_00 is missing (found 01)", NULL },
	{ "rank in a folder of another name", { SHARD("a/weights"), SHARD("a/mp_rank_01") }, "a/weights", NULL, 0, "", NULL, NULL },
	{ "nothing", { "a/" }, "a", NULL, ERROR_NO_INPUT, "nocheckpoint", NULL, NULL },
	{ "empty iteration", { TRACKER "release", "release/" }, "", NULL, ERROR_NO_INPUT, "missingrank", NULL, NULL },
	{ "distcp without index", { TRACKER "5", "iter_0000005/__0_0.distcp=x" }, "", NULL, ERROR_UNSUPPORTED, "distckpt", "without its index", NULL },
	{ "index that is none", { TRACKER "5", "iter_0000005/__0_0.distcp=x", "iter_0000005/.metadata=x" }, "", NULL, ERROR_CORRUPT, "opcode", "at byte 0", NULL },
	{ "index for each rank", { "__0_0.distcp=x", "__0.metadata=x" }, "", NULL, ERROR_UNSUPPORTED, "distckpt", "an index for each rank", NULL },
	{ "one distcp", { "a/__0_0.distcp=x", "a/.metadata=x" }, "a/__0_0.distcp", NULL, ERROR_UNSUPPORTED, "distckpt", "one file of a distributed checkpoint", NULL },
	{ "index by itself", { "a/__0_0.distcp=x", "a/.metadata=x" }, "a/.metadata", NULL, ERROR_UNSUPPORTED, "distckpt", "one file of a distributed checkpoint", NULL },
	{ "metadata.json", { "metadata.json={}", "common.pt" }, "", NULL, ERROR_UNSUPPORTED, "distckpt", "metadata.json", NULL },
	{ "zarr", { "metadata.json={\"sharded_backend\": \"zarr\"}" }, "", NULL, ERROR_UNSUPPORTED, "distckpt", "zarr", NULL },
	{ "zarr array", { ".zarray={}" }, "", NULL, ERROR_UNSUPPORTED, "distckpt", "zarr", NULL },
	{ "ranks before an index without marker", { SHARD("mp_rank_00"), ".metadata=x" }, "", NULL, 0, "", NULL, NULL },
	{ "an index with marker before ranks", { SHARD("mp_rank_00"), ".metadata=x", "metadata.json={\"sharded_backend\": \"torch_dist\"}" }, "", NULL, ERROR_CORRUPT, "opcode", NULL, NULL },
	{ "DeepSpeed root", { "latest=global_step5", "global_step5/" }, "", NULL, ERROR_NO_INPUT, "missingrank", NULL, NULL },
	{ "DeepSpeed step missing", { "latest=global_step5", "global_step6/" }, "", NULL, ERROR_NO_INPUT, "tracker", "latest names global_step5, which is missing; have global_step6", NULL },
	{ "DeepSpeed step with blanks behind", { "latest=global_step5 \r\n", "global_step6/" }, "", NULL, ERROR_NO_INPUT, "tracker", "latest names global_step5, which", NULL },
	{ "DeepSpeed latest empty", { "latest=", "global_step5/" }, "", NULL, ERROR_UNSUPPORTED, "tracker", NULL, NULL },
	{ "DeepSpeed latest of blanks", { "latest= \n", "global_step5/" }, "", NULL, ERROR_UNSUPPORTED, "tracker", NULL, NULL },
	{ "DeepSpeed latest of a long name", { "latest=global_step55555555555555555555555555555555555555555555555555555555555555555555555555555", "global_step5/" }, "", NULL, ERROR_UNSUPPORTED, "tracker", NULL, NULL },
	{ "DeepSpeed path", { "latest=../x", "x/" }, "", NULL, ERROR_UNSUPPORTED, "tracker", "../x", NULL },
	{ "DeepSpeed of another kind", { "mp_rank_00_model_states.pt" }, "", NULL, ERROR_UNSUPPORTED, "distckpt", "DeepSpeed", NULL },
	{ "DeepSpeed files of else", { "mp_rank_00_model_states.pt", "layer_01-model_00-model_states.pt" }, "", NULL, ERROR_UNSUPPORTED, "toplevel", "embeddings, a layer or a norm", NULL },
	{ "DeepSpeed rank missing", { "layer_01-model_00-model_states.pt", "layer_03-model_01-model_states.pt" }, "", NULL, ERROR_NO_INPUT, "missingrank", "layer_01-model_01-model_states.pt is missing", NULL },
	{ "DeepSpeed first rank missing", { "layer_01-model_00-model_states.pt", "layer_01-model_01-model_states.pt", "layer_03-model_01-model_states.pt" }, "", NULL, ERROR_NO_INPUT, "missingrank", "layer_03-model_00-model_states.pt is missing", NULL },
	{ "DeepSpeed rank of 999999", { "layer_01-model_999999-model_states.pt" }, "", NULL, ERROR_NO_INPUT, "missingrank", "layer_01-model_00-model_states.pt is missing", NULL },
	{ "NeMo", { "model.nemo=x" }, "", NULL, ERROR_UNSUPPORTED, "distckpt", "NeMo", NULL },
	{ "safetensors", { "config.json={}", "model.safetensors=x" }, "", NULL, ERROR_UNSUPPORTED, "distckpt", "safetensors", NULL },
	{ "damaged shard", { SHARD("mp_rank_00"), "mp_rank_01/" FILE_NAME "=abc" }, "", NULL, ERROR_CORRUPT, "tiny", NULL, NULL },
	{ "folder for a file", { "mp_rank_00/" FILE_NAME "/" }, "", NULL, ERROR_NO_INPUT, "notreg", NULL, NULL },
	{ "missing", { "a/" }, "b", NULL, ERROR_NO_INPUT, NULL, NULL, NULL },
	{ "unfinished name", { "x.pt.part>" }, "x.pt.part", NULL, 0, "", NULL, "partsuffix" },
};

static void
make_entry(const char *entry)
{
	const char *equals = strchr(entry, '=');
	char        name[256];

	if (equals != NULL) {
		snprintf(name, sizeof name, "%.*s", (int)(equals - entry), entry);
		scratch_write(name, equals + 1, strlen(equals + 1));
	} else if (text_has_suffix(entry, "/")) {
		scratch_folders(entry);
	} else {
		snprintf(name, sizeof name, "%.*s", (int)strcspn(entry, ">"), entry);
		scratch_link(name, BARE);
	}
}

static void
check_broken(const struct broken *row)
{
	struct shards *shards;
	size_t         index;

	for (index = 0; index < 7 && row->make[index] != NULL; index++)
		make_entry(row->make[index]);
	shards = open_shards(scratch_path(row->path), row->iteration);
	CHECK((shards != NULL) == (row->status == 0), "%s: %s", row->what, error_of_last.text);
	if (shards == NULL) {
		CHECK((int)error_of_last.kind == row->status, "%s: status %d", row->what,
			(int)error_of_last.kind);
		if (row->slug != NULL)
			CHECK_TEXT(error_of_last.slug, row->slug, "%s", row->what);
		CHECK(row->part == NULL || strstr(error_of_last.text, row->part) != NULL, "%s: %s",
			row->what, error_of_last.text);
		CHECK(strstr(error_of_last.file, scratch) != NULL || row->status == ERROR_USAGE,
			"%s: names the file (%s)", row->what, error_of_last.file);
	}
	CHECK(row->note == NULL || has_note(row->note), "%s: note %s", row->what, row->note);
	shards_close(shards);
	scratch_empty();
}

/* More shards than a message names. */
static void
check_many_shards(void)
{
	struct shards *shards;
	char           name[64];

	for (unsigned rank = 0; rank < 80; rank++) {
		snprintf(name, sizeof name, "mp_rank_%02u/" FILE_NAME, rank);
		if (rank != 1)
			scratch_link(name, BARE);
	}
	shards = open_shards(scratch_path(""), NULL);
	CHECK(shards == NULL && error_of_last.kind == ERROR_NO_INPUT
	    && strstr(error_of_last.text, "mp_rank_01 is missing (found 00, 02, 03") != NULL
	    && strstr(error_of_last.text, ", ...)") != NULL, "many: %s", error_of_last.text);
	shards_close(shards);
	scratch_empty();
}

/* What is no regular file must neither be read nor waited for. */
static void
check_odd_files(void)
{
	struct shards *shards;

	scratch_folders("mp_rank_00/");
	CHECK(mkfifo(scratch_path("mp_rank_00/" FILE_NAME), 0666) == 0, "mkfifo");
	shards = open_shards(scratch_path(""), NULL);
	CHECK(shards == NULL && error_of_last.kind == ERROR_NO_INPUT, "FIFO: %s",
		error_of_last.text);
	scratch_empty();
	scratch_folders("mp_rank_00/");
	CHECK(symlink("nowhere", scratch_path("mp_rank_00/" FILE_NAME)) == 0, "symlink");
	shards = open_shards(scratch_path(""), NULL);
	CHECK(shards == NULL && error_of_last.kind == ERROR_NO_INPUT, "dangling: %s",
		error_of_last.text);
	scratch_empty();
	scratch_link("mp_rank_00/" FILE_NAME, BARE);
	CHECK(symlink("nowhere", scratch_path("mp_rank_01")) == 0, "symlink");
	shards = open_shards(scratch_path(""), NULL);
	CHECK(shards == NULL && error_of_last.kind == ERROR_NO_INPUT
	    && strcmp(error_of_last.slug, "mixedperm") == 0, "dangling rank: %s", error_of_last.text);
	scratch_empty();
	scratch_write("mp_rank_00/" FILE_NAME, "\x02\0\0\0\0\0\0\0{}", 10);
	shards = open_shards(scratch_path(""), NULL);
	CHECK(shards == NULL && error_of_last.kind == ERROR_UNSUPPORTED
	    && strstr(error_of_last.text, "safetensors") != NULL, "safetensors: %s",
		error_of_last.text);
	scratch_empty();
}

/* A file has no iterations to choose from. */
static void
check_iteration_of_file(void)
{
	struct shards *shards = open_shards(BARE, "5");

	CHECK(shards == NULL && error_of_last.kind == ERROR_USAGE
	    && strstr(error_of_last.text, "--iteration") != NULL, "%s", error_of_last.text);
	shards_close(shards);
}

/* ---- zips ----------------------------------------------------------------------------------- */

static const struct {
	const char *what;
	const char *members[5];
	const char *iteration;          /* option */
	int         status;
	const char *slug, *part;
	const char *taken;              /* iteration */
	unsigned    count;
} zip_rows[] = {
	{ "release", { TRACKER "release", SHARD("release/mp_rank_00") }, NULL, 0, "", NULL, "release", 1 },
	{ "no tracker", { SHARD("release/mp_rank_00") }, NULL, 0, "", NULL, "release", 1 },
	{ "rank at the top", { SHARD("mp_rank_00") }, NULL, 0, "", NULL, "", 1 },
	{ "ranks the wrong way round", { SHARD("release/mp_rank_01"), SHARD("release/mp_rank_00") }, NULL, 0, "", NULL, "release", 2 },
	{ "bare file", { "readme.txt=x", "weights.pt" }, NULL, 0, "", NULL, "", 1 },
	{ "two bare files", { "a.pt", "b.pt" }, NULL, ERROR_UNSUPPORTED, "outerzip", "2 members", NULL, 0 },
	{ "two iterations by tracker", { "m/" TRACKER "7", SHARD("m/iter_0000005/mp_rank_00"), SHARD("m/iter_0000007/mp_rank_00") }, NULL, 0, "", NULL, "iter_0000007", 1 },
	{ "two iterations by option", { TRACKER "7", SHARD("iter_0000005/mp_rank_00"), SHARD("iter_0000007/mp_rank_00") }, "5", 0, "", NULL, "iter_0000005", 1 },
	{ "two iterations", { SHARD("iter_0000005/mp_rank_00"), SHARD("iter_0000007/mp_rank_00") }, NULL, ERROR_NO_INPUT, "tracker", "iter_0000005, iter_0000007", NULL, 0 },
	{ "option names nothing", { SHARD("iter_0000005/mp_rank_00") }, "6", ERROR_NO_INPUT, "tracker", "have iter_0000005", NULL, 0 },
	{ "option garbage", { SHARD("iter_0000005/mp_rank_00") }, "six", ERROR_USAGE, "usage", "--iteration six", NULL, 0 },
	{ "option names two", { SHARD("a/iter_0000005/mp_rank_00"), SHARD("bb/iter_0000005/mp_rank_00") }, "5", ERROR_NO_INPUT, "tracker", "which is there more than once", NULL, 0 },
	{ "one folder in another", { SHARD("a/release/mp_rank_00"), SHARD("a/mp_rank_00") }, NULL, ERROR_NO_INPUT, "tracker", "several checkpoints are inside", NULL, 0 },
	{ "two trackers", { "a/" TRACKER "5", "b/" TRACKER "5", SHARD("a/iter_0000005/mp_rank_00"), SHARD("b/iter_0000005/mp_rank_00") }, NULL, ERROR_NO_INPUT, "tracker", "several tracker files", NULL, 0 },
	{ "a folder that is no rank", { SHARD("release/mp_rank_0"), SHARD("release/mp_rank_00") }, NULL, 0, "", NULL, "release", 1 },
	{ "tracker names nothing", { TRACKER "6", SHARD("iter_0000005/mp_rank_00") }, NULL, ERROR_NO_INPUT, "tracker", "have iter_0000005", NULL, 0 },
	{ "tracker garbage", { TRACKER "six", SHARD("iter_0000005/mp_rank_00") }, NULL, ERROR_UNSUPPORTED, "tracker", "six", NULL, 0 },
	{ "hole", { SHARD("release/mp_rank_00"), SHARD("release/mp_rank_02") }, NULL, ERROR_NO_INPUT, "missingrank", "mp_rank_01", NULL, 0 },
	{ "stage missing", { SHARD("release/mp_rank_00_000"), SHARD("release/mp_rank_00_002") }, NULL, ERROR_NO_INPUT, "missingrank", "mp_rank_00_001", NULL, 0 },
	{ "no checkpoint", { "readme.txt=x" }, NULL, ERROR_UNSUPPORTED, "outerzip", NULL, NULL, 0 },
	{ "damaged member", { "release/mp_rank_00/" FILE_NAME "=abc" }, NULL, ERROR_CORRUPT, "tiny", NULL, NULL, 0 },
};

/* The comment is the end of a zip, behind its length in two bytes. */
static void
check_zip_comment(const char *shard, size_t length)
{
	static const char *const members[] = { SHARD("release/mp_rank_00") };
	struct shards *shards;
	FILE          *file;

	stored_zip_write("x.zip", members, 1, shard, length);
	if ((file = fopen(scratch_path("x.zip"), "r+b")) == NULL)
		abort();
	fseek(file, -2, SEEK_END);
	fwrite("\5\0hello", 1, 7, file);
	fclose(file);
	shards = open_shards(scratch_path("x.zip"), NULL);
	CHECK(shards != NULL && has_note("zip-comment"), "comment: %s", error_of_last.text);
	shards_close(shards);
	scratch_empty();
}

static void
check_zips(void)
{
	FILE  *file = fopen(BARE, "rb");
	char  *shard = malloc(1 << 20);
	size_t index, length = file != NULL && shard != NULL ? fread(shard, 1, 1 << 20, file) : 0;

	CHECK(length > 0, "%s", BARE);
	for (index = 0; index < sizeof zip_rows / sizeof *zip_rows; index++) {
		struct shards *shards;

		stored_zip_write("x.zip", zip_rows[index].members, 5, shard, length);
		shards = open_shards(scratch_path("x.zip"), zip_rows[index].iteration);
		CHECK((shards != NULL) == (zip_rows[index].status == 0), "%s: %s",
			zip_rows[index].what, error_of_last.text);
		if (shards == NULL) {
			CHECK((int)error_of_last.kind == zip_rows[index].status, "%s: status %d",
				zip_rows[index].what, (int)error_of_last.kind);
			CHECK_TEXT(error_of_last.slug, zip_rows[index].slug, "%s",
				zip_rows[index].what);
			CHECK(zip_rows[index].part == NULL
			    || strstr(error_of_last.text, zip_rows[index].part) != NULL, "%s: %s",
				zip_rows[index].what, error_of_last.text);
			CHECK_TEXT(error_of_last.file, scratch_path("x.zip"), "%s",
				zip_rows[index].what);
		} else if (zip_rows[index].taken != NULL) {
			CHECK_TEXT(shards->iteration, zip_rows[index].taken, "%s",
				zip_rows[index].what);
			CHECK(shards->count == zip_rows[index].count
			    && shards->items[0].tensor_rank == 0, "%s", zip_rows[index].what);
		}
		shards_close(shards);
		scratch_empty();
	}
	check_zip_comment(shard, length);
	free(shard);
	if (file != NULL)
		fclose(file);
}

int
main(void)
{
	size_t index;

	decision_log_init(&log_of_last);
	scratch_open();
	check_names();
	for (index = 0; index < sizeof found_rows / sizeof *found_rows; index++)
		check_found(&found_rows[index]);
	check_standard_input();
	for (index = 0; index < sizeof broken_rows / sizeof *broken_rows; index++)
		check_broken(&broken_rows[index]);
	check_many_shards();
	check_odd_files();
	check_iteration_of_file();
	check_zips();
	scratch_close();
	decision_log_fini(&log_of_last);
	return check_end("shards");
}
