#include "check.h"
#include "scratch_folder.h"
#include "stored_zip.h"
#include "tiny_pickle.h"

#include "megatron/model.h"

struct opened {
	struct shards      *shards;
	struct model       *model;
	struct decision_log log;
	struct error        err;
};

static void
open_model(struct opened *opened, const char *path, uint64_t heads, const char *vocabulary)
{
	struct shards_options shards_options = {
		.spool_directory = "/tmp",
		.arena_limit = (size_t)32 << 20,
	};
	struct model_options options = { .attention_heads = heads, .vocabulary = vocabulary };

	memset(opened, 0, sizeof *opened);
	decision_log_init(&opened->log);
	opened->shards = shards_open(path, &shards_options, &opened->log, &opened->err);
	if (opened->shards != NULL)
		opened->model = model_open(opened->shards, &options, &opened->log, &opened->err);
}

static void
close_model(struct opened *opened)
{
	model_close(opened->model);
	shards_close(opened->shards);
	decision_log_fini(&opened->log);
}

static bool
has_note(const struct decision_log *log, const char *slug)
{
	size_t index;

	for (index = 0; index < log->note_count; index++)
		if (strcmp(log->notes[index].slug, slug) == 0)
			return true;
	return false;
}

/* ---- checkpoints of NVIDIA's code; the values are those of their meta.json ------------------- */

static const struct {
	const char     *path;
	uint64_t        heads;          /* option */
	enum dialect    dialect;
	unsigned        tensor_size;
	const char     *label;
	enum qkv_layout layout;
	enum activation activation;
	uint64_t        layers, vocabulary, parameters;
	bool            has_args, has_rng;
	const char     *note;
} samples[] = {
	{ "fixtures/megatron/abe36e2e5f_tp2_legacy/checkpoint", 4, DIALECT_FLAT_2019, 2, "", QKV_LAYOUT_0,
	  ACTIVATION_GELU_TANH, 4, 64, 53696, false, true, "activation-assumed" },
	{ "fixtures/megatron/v1.0_tp1_legacy/checkpoint", 0, DIALECT_NESTED_TRANSFORMER, 1, "", QKV_LAYOUT_0,
	  ACTIVATION_GELU_ERF, 4, 56, 53440, true, true, "vocabulary-padded" },
	{ "fixtures/megatron/v1.0_tp2_legacy/checkpoint", 0, DIALECT_NESTED_TRANSFORMER, 2, "", QKV_LAYOUT_0,
	  ACTIVATION_GELU_ERF, 4, 64, 53696, true, true, "vocabulary-padded" },
	{ "fixtures/megatron/d80433e1a0_tp2/checkpoint", 4, DIALECT_NESTED_TRANSFORMER, 2, "1.0", QKV_LAYOUT_1,
	  ACTIVATION_GELU_ERF, 4, 64, 53696, true, false, "vocabulary-padded" },
	{ "fixtures/megatron/v2.0_tp2_loaded_from_v1.0/checkpoint", 0, DIALECT_NESTED_TRANSFORMER, 2, "3.0", QKV_LAYOUT_2,
	  ACTIVATION_GELU_TANH, 2, 64, 28288, true, false, "qkv-label-doubtful" },
};

/* Every parameter is whole: its slices have its shape, its replicas too. */
static void
check_parameters(const char *path, const struct opened *opened)
{
	const struct model *model = opened->model;
	size_t              index, piece;

	for (index = 0; index < model->count; index++) {
		const struct model_parameter *parameter = &model->parameters[index];
		const struct role_facts      *facts = &dialect_roles[parameter->role];
		uint64_t                      total[2] = { 0, 0 };

		CHECK(model_find(model, parameter->role, parameter->layer) == parameter,
			"%s: parameter %zu", path, index);
		for (piece = 0; piece < parameter->slice_count; piece++) {
			CHECK(parameter->slices[piece].shard == (facts->join == JOIN_REPLICATED ? 0
				: piece), "%s: %s", path, facts->name);
			total[0] += parameter->slices[piece].view.shape[0];
			total[1] += parameter->slices[piece].view.shape[1];
		}
		if (facts->join == JOIN_COLUMNS)
			CHECK(total[1] == parameter->shape[1], "%s: %s", path, facts->name);
		else
			CHECK(total[0] == parameter->shape[0], "%s: %s", path, facts->name);
		CHECK(parameter->slice_count + parameter->replica_count == opened->shards->count,
			"%s: %s", path, facts->name);
	}
}

static void
check_samples(void)
{
	size_t        index, key;
	struct opened opened;

	for (index = 0; index < sizeof samples / sizeof *samples; index++) {
		const char         *path = samples[index].path;
		const struct model *model;
		uint64_t            bytes = 0;

		open_model(&opened, path, samples[index].heads, NULL);
		CHECK(opened.model != NULL, "%s: %s", path, opened.err.text);
		if ((model = opened.model) != NULL) {
			CHECK(model->dialect == samples[index].dialect, "%s: dialect", path);
			CHECK(opened.shards->tensor_size == samples[index].tensor_size, "%s", path);
			CHECK(model->qkv_layout == samples[index].layout, "%s: layout", path);
			CHECK(model->arguments.activation == samples[index].activation,
				"%s: activation", path);
			CHECK(model->arguments.layers == samples[index].layers
			    && model->arguments.heads == 4 && model->arguments.hidden == 32
			    && model->arguments.ffn == 128 && model->arguments.positions == 24
			    && model->arguments.vocabulary == samples[index].vocabulary
			    && model->arguments.padded_vocabulary == samples[index].vocabulary,
				"%s: sizes", path);
			CHECK(model->arguments.has_args == samples[index].has_args, "%s", path);
			CHECK(model->iteration == 1234 && model->dtype == DTYPE_FLOAT32, "%s", path);
			CHECK(model->parameter_count == samples[index].parameters, "%s: %llu", path,
				(unsigned long long)model->parameter_count);
			CHECK(model->count == 4 + 12 * samples[index].layers, "%s", path);
			CHECK_TEXT(model->version_label, samples[index].label, "%s", path);
			CHECK(has_note(&opened.log, samples[index].note), "%s: note", path);
			for (key = 0; key < model->dropped_count; key++) {
				CHECK_TEXT(model->dropped[key].reason, "random number state", "%s",
					path);
				bytes += model->dropped[key].bytes;
			}
			/* Three states of 5056 bytes in each shard. */
			CHECK(bytes == (samples[index].has_rng
				? 3 * 5056 * opened.shards->count : 0), "%s: dropped", path);
			check_parameters(path, &opened);
		}
		close_model(&opened);
	}
}

/* ---- made fixtures ----------------------------------------------------------------------------- */

static const struct {
	const char *name;
	uint64_t    heads;
	const char *vocabulary;
	int         status;
	const char *slug, *part;
} fixtures[] = {
	{ "good-ngc-mini.zip", 2, NULL, 0, NULL, NULL },
	{ "ngc/good-bare.pt", 4, "101", 0, NULL, NULL },
	{ "ngc/good-flat.pt", 4, "101", 0, NULL, NULL },
	{ "ngc/good-py2.zip", 4, "101", 0, NULL, NULL },
	{ "ngc/good-tp2.zip", 4, "101", 0, NULL, NULL },
	{ "ngc/good-tp4", 4, "101", 0, NULL, NULL },
	{ "ngc/good-label-1-tp2", 0, "101", 0, NULL, NULL },
	{ "ngc/good-label-2.0-tp2", 0, "101", 0, NULL, NULL },
	{ "ngc/good-noise-tp2", 0, "101", 0, NULL, NULL },
	{ "ngc/good-strided.zip", 0, "101", 0, NULL, NULL },
	{ "ngc/good-one-storage.zip", 4, "101", 0, NULL, NULL },
	{ "ngc/good-parameters.pt", 4, "101", 0, NULL, NULL },
	{ "ngc/good-optimizer.pt", 0, "101", 0, NULL, NULL },
	{ "ngc/good-mixed.pt", 4, "101", 0, NULL, NULL },
	{ "ngc/good-twelve-layers.pt", 0, "101", 0, NULL, NULL },
	{ "ngc/good-bare.pt", 0, NULL, ERROR_UNSUPPORTED, "noargs", NULL },
	{ "ngc/good-bare.pt", 3, NULL, ERROR_USAGE, "headsdiv", "3 heads" },
	{ "ngc/good-bare.pt", 4, "129", ERROR_USAGE, "vocabpad", "128 rows" },
	{ "ngc/bad-missing-weight.pt", 4, NULL, ERROR_CORRUPT, "missingkey", "layers.1 has no mlp.dense_4h_to_h.bias" },
	{ "ngc/bad-missing-layer.pt", 4, NULL, ERROR_CORRUPT, "missingkey", "layers.1" },
	{ "ngc/bad-missing-norm.pt", 4, NULL, ERROR_CORRUPT, "missingkey", "final_layernorm" },
	{ "ngc/bad-shape.pt", 4, NULL, ERROR_CORRUPT, "partshape", NULL },
	{ "ngc/bad-args-layers.pt", 0, NULL, ERROR_CORRUPT, "argsvsshape", NULL },
	{ "ngc/bad-args-hidden.pt", 0, NULL, ERROR_CORRUPT, "argsvsshape", NULL },
	{ "ngc/bad-args-heads.pt", 0, NULL, ERROR_CORRUPT, "headsdiv", NULL },
	{ "ngc/bad-args-epsilon.pt", 0, NULL, ERROR_CORRUPT, "floats", NULL },
	{ "ngc/bad-missing-rank", 4, NULL, ERROR_NO_INPUT, "missingrank", "mp_rank_01 is missing (found 00, 02, 03" },
	{ "ngc/bad-missing-last-rank", 4, NULL, ERROR_NO_INPUT, "missingrank", "mp_rank_01 is missing" },
	{ "ngc/bad-empty-rank", 4, NULL, ERROR_NO_INPUT, "missingrank", NULL },
	{ "ngc/bad-extra-rank", 0, NULL, ERROR_CORRUPT, "extrarank", "3 shards" },
	{ "ngc/bad-swapped-ranks", 0, NULL, ERROR_CORRUPT, "swapped", "mp_rank_00 was saved by rank 1" },
	{ "ngc/bad-iterations-differ", 0, NULL, ERROR_CORRUPT, "iteration", "900" },
	{ "ngc/bad-args-differ", 0, NULL, ERROR_CORRUPT, "argsdiff", "num_attention_heads" },
	{ "ngc/bad-labels-differ", 0, NULL, ERROR_CORRUPT, "cvdiff", NULL },
	{ "ngc/bad-dtypes-differ", 0, NULL, ERROR_CORRUPT, "dtypeshard", NULL },
	{ "ngc/bad-missing-in-rank", 0, NULL, ERROR_CORRUPT, "missingkey", NULL },
	{ "ngc/bad-part-shape", 0, NULL, ERROR_CORRUPT, "partshape", "[30, 16]" },
	{ "ngc/unsupported-unknown-weight.pt", 4, NULL, ERROR_UNSUPPORTED, "extrakey", "adapter" },
	{ "ngc/unsupported-int8.pt", 4, NULL, ERROR_UNSUPPORTED, "dtype", "int8" },
	{ "ngc/unsupported-post-norm.pt", 0, NULL, ERROR_UNSUPPORTED, "arch", NULL },
	{ "ngc/unsupported-label.pt", 0, NULL, ERROR_UNSUPPORTED, "cv", "99" },
	{ "ngc/unsupported-bert.pt", 4, NULL, ERROR_UNSUPPORTED, "arch", "BERT" },
	{ "ngc/unsupported-token-types.pt", 4, NULL, ERROR_UNSUPPORTED, "arch", NULL },
	{ "ngc/unsupported-list.pt", 4, NULL, ERROR_UNSUPPORTED, "toplevel", "a list" },
};

static void
check_failure(const char *what, const struct opened *opened, int status, const char *slug,
	const char *part)
{
	CHECK((opened->model != NULL) == (status == 0), "%s: %s", what, opened->err.text);
	if (opened->model != NULL || status == 0)
		return;
	CHECK((int)opened->err.kind == status, "%s: status %d", what, (int)opened->err.kind);
	CHECK_TEXT(opened->err.slug, slug, "%s: %s", what, opened->err.text);
	CHECK(part == NULL || strstr(opened->err.text, part) != NULL, "%s: %s", what,
		opened->err.text);
	CHECK(opened->err.file[0] != '\0' || status == ERROR_USAGE, "%s: names the file", what);
}

static void
check_fixtures(void)
{
	size_t        index;
	struct opened opened;
	char          path[256];

	for (index = 0; index < sizeof fixtures / sizeof *fixtures; index++) {
		snprintf(path, sizeof path, "fixtures/%s", fixtures[index].name);
		open_model(&opened, path, fixtures[index].heads, fixtures[index].vocabulary);
		check_failure(fixtures[index].name, &opened, fixtures[index].status,
			fixtures[index].slug, fixtures[index].part);
		close_model(&opened);
	}
	open_model(&opened, "fixtures/ngc/good-mixed.pt", 4, NULL);
	CHECK(opened.model != NULL && opened.model->dtype == DTYPE_UNKNOWN
	    && has_note(&opened.log, "mixed"), "mixed");
	close_model(&opened);
}

/* The first rank gives what all ranks hold, wherever it stands in a zip. */
static void
check_reading_order(void)
{
	static const char *const members[] = {
		"release/mp_rank_01/model_optim_rng.pt", "release/mp_rank_00/model_optim_rng.pt",
	};
	const struct model_parameter *norm, *words;
	struct opened                 opened;
	FILE  *file = fopen("fixtures/megatron/abe36e2e5f_tp2_legacy/checkpoint/iter_0001234"
		"/mp_rank_00/model_optim_rng.pt", "rb");
	char  *shard = malloc(1 << 20);
	size_t length = file != NULL && shard != NULL ? fread(shard, 1, 1 << 20, file) : 0;

	stored_zip_write("x.zip", members, 2, shard, length);
	open_model(&opened, scratch_path("x.zip"), 4, NULL);
	CHECK(opened.model != NULL, "order: %s", opened.err.text);
	if (opened.model != NULL) {
		norm = model_find(opened.model, ROLE_FINAL_NORM_BIAS, 0);
		words = model_find(opened.model, ROLE_WORD_EMBEDDING, 0);
		CHECK(norm->slice_count == 1 && norm->slices[0].shard == 0, "order: norm");
		CHECK(norm->replica_count == 1 && norm->replicas[0].piece.shard == 1
		    && norm->replicas[0].slice == 0, "order: replica");
		CHECK(words->slice_count == 2 && words->slices[0].shard == 0
		    && words->slices[1].shard == 1, "order: words");
		CHECK(model_find(opened.model, ROLE_QKV_BIAS, 4) == NULL, "no layer 4");
		CHECK(model_find(opened.model, ROLE_HEAD_COPY, 0) == NULL, "no head");
	}
	close_model(&opened);
	free(shard);
	if (file != NULL)
		fclose(file);
	scratch_empty();
}

/* ---- layouts and grids ---------------------------------------------------------------------- */

/* By meta.json of each sample; `note` NULL: no doubt of the label may be raised. */
static const struct {
	const char  *sample, *option;
	enum dialect dialect;
	unsigned     tensor_size, pipeline_size, chunks, layout;
	const char  *source, *note;
} layouts[] = {
	{ "v1.0_tp2_legacy", NULL, DIALECT_NESTED_TRANSFORMER, 2, 1, 1, 0, "2019 names, no label", NULL },
	{ "d80433e1a0_tp2", "auto", DIALECT_NESTED_TRANSFORMER, 2, 1, 1, 1, "checkpoint_version 1.0", NULL },
	{ "v2.0_tp2_loaded_from_v1.0", NULL, DIALECT_NESTED_TRANSFORMER, 2, 1, 1, 2, "checkpoint_version 3.0", "qkv-label-doubtful" },
	{ "v2.0_tp2_loaded_from_v1.0", "0", DIALECT_NESTED_TRANSFORMER, 2, 1, 1, 0, "option", NULL },
	{ "v2.0_tp2_pp2_openai", NULL, DIALECT_NESTED_TRANSFORMER, 2, 2, 1, 2, "checkpoint_version 3.0", NULL },
	{ "v2.5_tp1_pp3_vp2", NULL, DIALECT_NESTED_ENCODER, 1, 3, 2, 2, "checkpoint_version 3.0", NULL },
	{ "23.06_tp2_untied_nobias", NULL, DIALECT_NESTED_ENCODER, 2, 1, 1, 2, "checkpoint_version 3.0", NULL },
	{ "core_v0.4.0_legacy_tp1_1p", NULL, DIALECT_NESTED_NORM, 1, 1, 1, 2, "checkpoint_version 3.0", NULL },
	{ "core_v0.5.0_mcore_tp2", "2", DIALECT_CORE, 2, 1, 1, 2, "option", NULL },
	{ "core_v0.12.0_mcore_tp1_pp2_vp2", NULL, DIALECT_CORE, 1, 2, 2, 2, "checkpoint_version 3.0", NULL },
};

static void
check_layouts(void)
{
	for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++) {
		const char                *name = layouts[i].sample;
		struct model_options       options = { .qkv_layout = layouts[i].option };
		const struct shards_options shards_options = { .spool_directory = "/tmp",
			.arena_limit = (size_t)32 << 20 };
		struct opened              opened = { 0 };
		char                       path[256];
		size_t                     key = 0;

		snprintf(path, sizeof path, "fixtures/megatron/%s/checkpoint", name);
		decision_log_init(&opened.log);
		opened.shards = shards_open(path, &shards_options, &opened.log, &opened.err);
		if (opened.shards != NULL)
			opened.model = model_open(opened.shards, &options, &opened.log, &opened.err);
		CHECK(opened.model != NULL, "%s: %s", name, opened.err.text);
		if (opened.model != NULL) {
			CHECK(opened.model->dialect == layouts[i].dialect, "%s: dialect", name);
			CHECK(opened.shards->tensor_size == layouts[i].tensor_size
			    && opened.shards->pipeline_size == layouts[i].pipeline_size
			    && opened.model->chunk_count == layouts[i].chunks, "%s: grid", name);
			CHECK(opened.model->qkv_layout == layouts[i].layout, "%s: layout", name);
			while (key < opened.log.decision_count
			       && strcmp(opened.log.decisions[key].key, "qkv_layout") != 0)
				key++;
			CHECK(key < opened.log.decision_count, "%s: no decision", name);
			if (key < opened.log.decision_count)
				CHECK_TEXT(opened.log.decisions[key].source, layouts[i].source, "%s",
					name);
			CHECK(has_note(&opened.log, "qkv-label-doubtful")
			    == (layouts[i].note != NULL), "%s: doubt", name);
		}
		close_model(&opened);
	}
}

/* ---- files that torch would not write ------------------------------------------------------------ */

#define WORDS "word_embeddings.weight"

static const struct {
	const char *notation;
	int         status;
	const char *slug, *part;
} odd[] = {
	{ "5", ERROR_UNSUPPORTED, "toplevel", "a dict with 'model' is expected" },
	{ "[]", ERROR_UNSUPPORTED, "toplevel", "a list" },
	{ "{}", ERROR_UNSUPPORTED, "toplevel", "none" },
	{ "{iteration:5,weights:{}}", ERROR_UNSUPPORTED, "toplevel", "iteration, weights" },
	{ "{model0:{},model1:{}}", ERROR_CORRUPT, "missingkey", NULL },
	{ "{model:{},model0:{}}", ERROR_UNSUPPORTED, "toplevel", "'model' and 'model0'" },
	{ "{model1:{},model2:{}}", ERROR_UNSUPPORTED, "toplevel", "model1, model2" },
	{ "{model0:{},model1:5}", ERROR_UNSUPPORTED, "foreignweight", "'model1'" },
	{ "{args:{virtual_pipeline_model_parallel_size:3},model0:{},model1:{}}", ERROR_CORRUPT, "pp", "2 virtual pipeline chunks are there, but args say virtual_pipeline_model_parallel_size=3" },
	{ "{args:{virtual_pipeline_model_parallel_size:2},model:{}}", ERROR_CORRUPT, "pp", "1 virtual pipeline chunk is there" },
	{ "{sd:{},total_iters:5}", ERROR_UNSUPPORTED, "arch", "BERT" },
	{ "{module:{}}", ERROR_UNSUPPORTED, "distckpt", "DeepSpeed" },
	{ "{model:{},model:{}}", ERROR_UNSAFE, "hash", "two values for key 'model'" },
	{ "{model:5}", ERROR_UNSUPPORTED, "foreignweight", NULL },
	{ "{model:[T]}", ERROR_UNSUPPORTED, "foreignweight", "a list" },
	{ "{model:{}}", ERROR_CORRUPT, "missingkey", NULL },
	{ "{model:{a:T,b:T,a:T}}", ERROR_UNSAFE, "hash", "'a'" },
	{ "{model:{x:{y:{a:T,a:T}}}}", ERROR_UNSAFE, "hash", "'a'" },
	{ "{model:{x:{a:T},x:{b:T}}}", ERROR_UNSAFE, "hash", "'x'" },
	{ "{model:{adapter:T}}", ERROR_UNSUPPORTED, "extrakey", "adapter" },
	{ "{model:{x:{adapter:T},y.z:5}}", ERROR_UNSUPPORTED, "extrakey", "2 unknown names under 'model': x.adapter, y.z" },
	{ "{model:{a:1,b:1,c:1,d:1,e:1,f:1,g:1,h:1,i:1,j:1,k:1,l:1}}", ERROR_UNSUPPORTED, "extrakey", "12 unknown names under 'model': a, b, c, d, e, f, g, h, i, j, ..." },
	{ "{model:{a^b:T}}", ERROR_CORRUPT, "strings", "NUL" },
	{ "{model:{" WORDS ":5}}", ERROR_UNSUPPORTED, "foreignweight", "not a plain tensor" },
	{ "{model:{" WORDS ":N}}", ERROR_UNSUPPORTED, "foreignweight", NULL },
	{ "{model:{" WORDS ":T}}", ERROR_CORRUPT, "missingkey", "layers.0" },
	{ "{model:{model:{module:{" WORDS ":T}}}}", ERROR_CORRUPT, "missingkey", "layers.0" },
	{ "{model:{" WORDS ":T,module." WORDS ":T}}", ERROR_CORRUPT, "missingkey", NULL },
	{ "{model:{" WORDS ":T,module." WORDS ":T,transformer.layers.0.mlp.dense_4h_to_h.bias:T}}", ERROR_CORRUPT, "collision", WORDS },
	{ "{model:{word_embeddings:{weight:T}," WORDS ":T,transformer.layers.0.mlp.dense_4h_to_h.bias:T}}", ERROR_CORRUPT, "collision", WORDS },
	{ "{model:{" WORDS ":T,x._extra_state:5,y:{_extra_state:T}}}", ERROR_CORRUPT, "missingkey", NULL },
	{ "{model:{transformer.layers.99999.input_layernorm.bias:T}}", ERROR_CORRUPT, "missingkey", "layers.0" },
	{ "{model:{transformer.layers.100000.input_layernorm.bias:T}}", ERROR_UNSUPPORTED, "extrakey", NULL },
	{ "{model:{a:{b:{c:{d:{e:{f:{g:{h:{i:{j:{k:{l:{m:{n:{o:{p:{q:T}}}}}}}}}}}}}}}}}}", ERROR_LIMIT, "depth", NULL },
	{ "{model:{a:&9}=9}", ERROR_CORRUPT, NULL, NULL },
	{ "{iteration:'x',model:{}}", ERROR_CORRUPT, "iteration", "x" },
	{ "{iteration:-1,model:{}}", ERROR_CORRUPT, "iteration", "-1" },
	{ "{args:5,model:{}}", ERROR_UNSUPPORTED, "noneargs", NULL },
	{ "{args:{a:5,a:6},model:{}}", ERROR_UNSAFE, "hash", "'a'" },
	{ "{args:{tensor_model_parallel_size:2},model:{}}", ERROR_NO_INPUT, "missingrank", "args say tensor_model_parallel_size=2" },
	{ "{args:{model_parallel_size:4},model:{}}", ERROR_NO_INPUT, "missingrank", "found 00; args say model_parallel_size=4" },
	{ "{args:{pipeline_model_parallel_size:2},model:{}}", ERROR_NO_INPUT, "missingrank", "shard mp_rank_00_001 is missing (found 00; args say pipeline_model_parallel_size=2)" },
	{ "{checkpoint_version:'3.0',model:{}}", ERROR_UNSUPPORTED, "cv", "3.0" },
	{ "{checkpoint_version:4,model:{}}", ERROR_UNSUPPORTED, "cv", "4" },
	{ "{checkpoint_version:N,model:{}}", ERROR_UNSUPPORTED, "cv", "None" },
};

static void
check_odd(void)
{
	size_t        index;
	struct opened opened;

	for (index = 0; index < sizeof odd / sizeof *odd; index++) {
		struct text file = { 0 };

		tiny_pickle_file(&file, odd[index].notation);
		scratch_write("x.pt", file.bytes, file.length);
		open_model(&opened, scratch_path("x.pt"), 4, NULL);
		if (odd[index].slug != NULL)
			check_failure(odd[index].notation, &opened, odd[index].status,
				odd[index].slug, odd[index].part);
		else
			CHECK(opened.model == NULL && opened.err.kind == (unsigned)odd[index].status,
				"%s", odd[index].notation);
		close_model(&opened);
		text_free(&file);
	}
	scratch_empty();
}

/* A dict of so many keys is no checkpoint, even where 'model' is one of them. */
static void
check_many_keys(void)
{
	static const struct { unsigned keys; const char *slug; } sizes[] = {
		{ 255, "missingkey" }, { 256, "toplevel" },
	};

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		struct text   notation = { 0 }, file = { 0 };
		struct opened opened;

		text_add(&notation, "{model:{}");
		for (unsigned key = 0; key < sizes[i].keys; key++)
			text_add(&notation, ",k%u:1", key);
		text_add(&notation, "}");
		tiny_pickle_file(&file, notation.bytes);
		scratch_write("x.pt", file.bytes, file.length);
		open_model(&opened, scratch_path("x.pt"), 4, NULL);
		CHECK(opened.model == NULL, "%u keys", sizes[i].keys);
		CHECK_TEXT(opened.err.slug, sizes[i].slug, "%u keys", sizes[i].keys);
		close_model(&opened);
		text_free(&file);
		text_free(&notation);
	}
	scratch_empty();
}

static void
check_layout_option(void)
{
	static const char *const options_of[] = { "3", "", "two", "00" };

	for (size_t i = 0; i < sizeof options_of / sizeof *options_of; i++) {
		struct model_options options = { .attention_heads = 4, .qkv_layout = options_of[i] };
		struct opened        opened;

		open_model(&opened, "fixtures/ngc/good-bare.pt", 3, NULL);
		memset(&opened.err, 0, sizeof opened.err);
		opened.model = model_open(opened.shards, &options, &opened.log, &opened.err);
		CHECK(opened.model == NULL && opened.err.kind == ERROR_USAGE
		    && strstr(opened.err.text, "--qkv-layout") != NULL, "--qkv-layout %s: %s",
			options_of[i], opened.err.text);
		close_model(&opened);
	}
}

/* Shared dicts: a few hundred bytes that denote 10^12 names must not be expanded. */
static void
check_shared_dicts(void)
{
	struct text   notation = { 0 }, file = { 0 };
	struct opened opened;
	unsigned      level, entry;

	text_add(&notation, "{a:{x:1}=0");
	for (level = 1; level < 13; level++) {
		text_add(&notation, ",a%u:{", level);
		for (entry = 0; entry < 10; entry++)
			text_add(&notation, "k%u:&%u,", entry, level - 1);
		text_add(&notation, "}=%u", level);
	}
	text_add(&notation, ",model:&12}");
	tiny_pickle_file(&file, notation.bytes);
	scratch_write("x.pt", file.bytes, file.length);
	open_model(&opened, scratch_path("x.pt"), 4, NULL);
	check_failure("shared dicts", &opened, ERROR_LIMIT, "weights", NULL);
	close_model(&opened);
	text_free(&file);
	text_free(&notation);
	scratch_empty();
}

int
main(void)
{
	scratch_open();
	check_samples();
	check_layouts();
	check_fixtures();
	check_reading_order();
	check_odd();
	check_shared_dicts();
	check_many_keys();
	check_layout_option();
	scratch_close();
	return check_end("model");
}
