#include "check.h"
#include "model_verdict.h"
#include "scratch_folder.h"
#include "tiny_pickle.h"

#include "megatron/model.h"

/*
 * Shards that do not go together: small checkpoints in the notation of tiny_pickle.h, of one
 * layer with a width of 4, an inner width of 8, 8 words and 4 positions.
 */

#define SHARD(place) "mp_rank_" place "/model_optim_rng.pt"

/* The parts of a model in the names of 2019; LAYER of a layer as one rank or half of one has it. */
#define WORDS     "word_embeddings.weight:T(8x4),"
#define POSITIONS "position_embeddings.weight:T(4x4),"
#define AT(layer) "transformer.layers." layer "."
#define NORM_1(l) AT(l) "input_layernorm.weight:T(4)," AT(l) "input_layernorm.bias:T(4),"
#define NORM_2(l) AT(l) "post_attention_layernorm.weight:T(4)," AT(l) "post_attention_layernorm.bias:T(4),"
#define QKV(l)    AT(l) "attention.query_key_value.weight:T(12x4)," AT(l) "attention.query_key_value.bias:T(12),"
#define DENSE(l)  AT(l) "attention.dense.weight:T(4x4)," AT(l) "attention.dense.bias:T(4),"
#define UP(l)     AT(l) "mlp.dense_h_to_4h.weight:T(8x4)," AT(l) "mlp.dense_h_to_4h.bias:T(8),"
#define DOWN(l)   AT(l) "mlp.dense_4h_to_h.weight:T(4x8)," AT(l) "mlp.dense_4h_to_h.bias:T(4),"
#define LAYER(l)  NORM_1(l) NORM_2(l) QKV(l) DENSE(l) UP(l) DOWN(l)
#define FINAL     "transformer.final_layernorm.weight:T(4),transformer.final_layernorm.bias:T(4),"
#define HALF_QKV(l)   AT(l) "attention.query_key_value.weight:T(6x4)," AT(l) "attention.query_key_value.bias:T(6),"
#define HALF_DENSE(l) AT(l) "attention.dense.weight:T(4x2)," AT(l) "attention.dense.bias:T(4),"
#define HALF_UP(l)    AT(l) "mlp.dense_h_to_4h.weight:T(4x4)," AT(l) "mlp.dense_h_to_4h.bias:T(4),"
#define HALF_DOWN(l)  AT(l) "mlp.dense_4h_to_h.weight:T(4x4)," AT(l) "mlp.dense_4h_to_h.bias:T(4),"
#define HALF_LAYER(l) NORM_1(l) NORM_2(l) HALF_QKV(l) HALF_DENSE(l) HALF_UP(l) HALF_DOWN(l)
#define HALF_WORDS    "word_embeddings.weight:T(4x4),"
#define HEAD          "word_embeddings_for_head.weight:T(4x4),"

#define WHOLE "model:{" WORDS POSITIONS LAYER("0") FINAL "}"
#define HALF  "model:{" HALF_WORDS POSITIONS HALF_LAYER("0") FINAL "}"
#define FIRST "model:{" WORDS POSITIONS LAYER("0") "}"
#define LAST  "model:{" LAYER("0") FINAL "}"

/* The names of 2021, of half a model each. */
#define E_AT      "language_model.encoder."
#define E_WORDS   "language_model.embedding.word_embeddings.weight:T(4x4),"
#define E_PLACES  "language_model.embedding.position_embeddings.weight:T(4x4),"
#define E_OUTPUT  "language_model.output_layer.weight:T(4x4),"
#define E_LAYER   E_AT "layers.0.input_layernorm.weight:T(4)," E_AT "layers.0.input_layernorm.bias:T(4)," \
	E_AT "layers.0.post_attention_layernorm.weight:T(4)," E_AT "layers.0.post_attention_layernorm.bias:T(4)," \
	E_AT "layers.0.self_attention.query_key_value.weight:T(6x4)," E_AT "layers.0.self_attention.query_key_value.bias:T(6)," \
	E_AT "layers.0.self_attention.dense.weight:T(4x2)," E_AT "layers.0.self_attention.dense.bias:T(4)," \
	E_AT "layers.0.mlp.dense_h_to_4h.weight:T(4x4)," E_AT "layers.0.mlp.dense_h_to_4h.bias:T(4)," \
	E_AT "layers.0.mlp.dense_4h_to_h.weight:T(4x4)," E_AT "layers.0.mlp.dense_4h_to_h.bias:T(4),"
#define E_FINAL   E_AT "final_layernorm.weight:T(4)," E_AT "final_layernorm.bias:T(4),"
#define E_HALF    E_WORDS E_PLACES E_LAYER E_FINAL

/* Files of a layer each; the names are those of Megatron-DeepSpeed. */
#define STATES      "mp_rank_00_model_states.pt"
#define FILE_OF(l, r) "layer_" l "-model_" r "-model_states.pt"
#define WORD_FILE   "{word_embeddings.weight:T(8x4),position_embeddings.weight:T(4x4)}"
#define OF_LAYER    "input_layernorm.weight:T(4),input_layernorm.bias:T(4)," \
	"post_attention_layernorm.weight:T(4),post_attention_layernorm.bias:T(4)," \
	"self_attention.query_key_value.weight:T(12x4),self_attention.query_key_value.bias:T(12)," \
	"self_attention.dense.weight:T(4x4),self_attention.dense.bias:T(4)," \
	"mlp.dense_h_to_4h.weight:T(8x4),mlp.dense_h_to_4h.bias:T(8)," \
	"mlp.dense_4h_to_h.weight:T(4x8),mlp.dense_4h_to_h.bias:T(4)"
#define NORM_FILE   "{weight:T(4),bias:T(4)}"
#define DEEPSPEED   { FILE_OF("01", "00"), WORD_FILE }, { FILE_OF("03", "00"), "{" OF_LAYER "}" }, \
	{ FILE_OF("05", "00"), NORM_FILE }

static const struct row {
	const char *what;
	struct { const char *path, *notation; } files[4];
	int         status;
	const char *slug, *part;        /* of the text */
} rows[] = {
	{ "one shard", { { SHARD("00"), "{" WHOLE "}" } }, 0, "", "" },
	{ "two halves", { { SHARD("00"), "{" HALF "}" }, { SHARD("01"), "{" HALF "}" } }, 0, "", "" },
	{ "two stages", { { SHARD("00_000"), "{" FIRST "}" }, { SHARD("00_001"), "{" LAST "}" } }, 0, "", "" },
	{ "no iteration", { { SHARD("00"), "{iteration:N," WHOLE "}" } }, 0, "", "" },

	/* What is where. */
	{ "a layer far away", { { SHARD("00"), "{model:{" WORDS NORM_1("0") NORM_1("99999") "}}" } }, ERROR_CORRUPT, "missingkey", "layers.1 has no" },
	{ "norm in both stages", { { SHARD("00_000"), "{" WHOLE "}" }, { SHARD("00_001"), "{" LAST "}" } }, ERROR_CORRUPT, "collision", "mp_rank_00_000/model_optim_rng.pt has transformer.final_layernorm" },
	{ "two copies in a stage", { { SHARD("00_000"), "{" FIRST "}" }, { SHARD("00_001"), "{model:{" WORDS "module." WORDS LAYER("0") FINAL "}}" } }, ERROR_CORRUPT, "collision", "two tensors under 'model' are" },
	{ "a copy of the words", { { SHARD("00_000"), "{" FIRST "}" }, { SHARD("00_001"), "{model:{" WORDS LAYER("0") FINAL "}}" } }, 0, "", "" },
	{ "a copy of another shape", { { SHARD("00_000"), "{" FIRST "}" }, { SHARD("00_001"), "{model:{" HALF_WORDS LAYER("0") FINAL "}}" } }, ERROR_CORRUPT, "partshape", "shape [4, 4], but" },
	{ "a copy of another rank", { { SHARD("00_000"), "{" FIRST "}" }, { SHARD("00_001"), "{model:{word_embeddings.weight:T(32)," LAYER("0") FINAL "}}" } }, ERROR_CORRUPT, "partshape", "shape [32], but" },
	{ "a copy in one of two ranks", { { SHARD("00_000"), "{model:{" HALF_WORDS POSITIONS HALF_LAYER("0") "}}" }, { SHARD("01_000"), "{model:{" HALF_WORDS POSITIONS HALF_LAYER("0") "}}" },
	  { SHARD("00_001"), "{model:{" HALF_WORDS HALF_LAYER("0") FINAL "}}" }, { SHARD("01_001"), "{model:{" HALF_LAYER("0") FINAL "}}" } }, ERROR_CORRUPT, "missingkey", "not every tensor rank of the stage has it" },
	{ "stages swapped", { { SHARD("00_000"), "{" LAST "}" }, { SHARD("00_001"), "{" FIRST "}" } }, ERROR_CORRUPT, "missingkey", "were stages swapped?" },
	{ "no positions anywhere", { { SHARD("00_000"), "{model:{" WORDS LAYER("0") "}}" }, { SHARD("00_001"), "{" LAST "}" } }, ERROR_CORRUPT, "missingkey", "no position_embeddings.weight" },
	{ "a tensor of the second rank only", { { SHARD("00"), "{model:{" HALF_WORDS POSITIONS HALF_LAYER("0") "transformer.final_layernorm.weight:T(4)}}" }, { SHARD("01"), "{" HALF "}" } }, ERROR_CORRUPT, "missingkey", "final_layernorm.bias" },
	{ "a layer of the second stage", { { SHARD("00_000"), "{" FIRST "}" }, { SHARD("00_001"), "{model:{" NORM_1("0") NORM_2("0") QKV("0") DENSE("0") UP("0") FINAL "}}" } }, ERROR_CORRUPT, "missingkey", "layers.0 (of the model 1) has no mlp.dense_4h_to_h.weight" },

	{ "halves in the names of 2021", { { SHARD("00"), "{model:{" E_HALF "}}" }, { SHARD("01"), "{model:{" E_HALF "}}" } }, 0, "", "" },
	{ "an output layer of the second rank only", { { SHARD("00"), "{model:{" E_HALF "}}" }, { SHARD("01"), "{model:{" E_HALF E_OUTPUT "}}" } }, ERROR_CORRUPT, "missingkey", "tensor rank 0 has no such tensor" },
	{ "an output layer of the first rank only", { { SHARD("00"), "{model:{" E_HALF E_OUTPUT "}}" }, { SHARD("01"), "{model:{" E_HALF "}}" } }, ERROR_CORRUPT, "missingkey", "no output_layer.weight" },
	{ "words for the head only", { { SHARD("00_000"), "{model:{" E_PLACES E_LAYER "}}" }, { SHARD("01_000"), "{model:{" E_PLACES E_LAYER "}}" },
	  { SHARD("00_001"), "{model:{" E_LAYER E_FINAL HEAD "}}" }, { SHARD("01_001"), "{model:{" E_LAYER E_FINAL HEAD "}}" } }, ERROR_CORRUPT, "missingkey", "the model has no word_embeddings.weight" },
	{ "words for the head, and no positions", { { SHARD("00_000"), "{model:{" E_WORDS E_LAYER "}}" }, { SHARD("01_000"), "{model:{" E_WORDS E_LAYER "}}" },
	  { SHARD("00_001"), "{model:{" E_LAYER E_FINAL HEAD "}}" }, { SHARD("01_001"), "{model:{" E_LAYER E_FINAL HEAD "}}" } }, ERROR_CORRUPT, "missingkey", "the model has no position_embeddings.weight" },

	/* Shapes. */
	{ "a norm of two dimensions", { { SHARD("00"), "{model:{" WORDS POSITIONS AT("0") "input_layernorm.weight:T(2x2)," AT("0") "input_layernorm.bias:T(4)," NORM_2("0") QKV("0") DENSE("0") UP("0") DOWN("0") FINAL "}}" } }, ERROR_CORRUPT, "partshape", "shape [2, 2]; 1 dimension is expected" },
	{ "words of one dimension", { { SHARD("00"), "{model:{word_embeddings.weight:T(32)," POSITIONS LAYER("0") FINAL "}}" } }, ERROR_CORRUPT, "partshape", "shape [32]; 2 dimensions are expected" },
	{ "a bias of two dimensions", { { SHARD("00"), "{model:{" WORDS POSITIONS LAYER("0") "transformer.final_layernorm.weight:T(4),transformer.final_layernorm.bias:T(4x1)}}" } }, ERROR_CORRUPT, "partshape", "shape [4, 1]; 1 dimension is expected" },
	{ "no words", { { SHARD("00"), "{model:{word_embeddings.weight:T(0x4)," POSITIONS LAYER("0") FINAL "}}" } }, ERROR_CORRUPT, "partshape", "a size of 0" },
	{ "no positions", { { SHARD("00"), "{model:{" WORDS "position_embeddings.weight:T(0x4)," LAYER("0") FINAL "}}" } }, ERROR_CORRUPT, "partshape", "a size of 0" },
	{ "no width", { { SHARD("00"), "{model:{" WORDS POSITIONS AT("0") "input_layernorm.weight:T(0)," AT("0") "input_layernorm.bias:T(0)," NORM_2("0") QKV("0") DENSE("0") UP("0") DOWN("0") FINAL "}}" } }, ERROR_CORRUPT, "partshape", "a size of 0" },
	{ "no inner width", { { SHARD("00"), "{model:{" WORDS POSITIONS NORM_1("0") NORM_2("0") QKV("0") DENSE("0") AT("0") "mlp.dense_h_to_4h.weight:T(0x4)," AT("0") "mlp.dense_h_to_4h.bias:T(0)," DOWN("0") FINAL "}}" } }, ERROR_CORRUPT, "partshape", "a size of 0" },
	{ "a dense layer without columns", { { SHARD("00"), "{model:{" WORDS POSITIONS NORM_1("0") NORM_2("0") QKV("0") AT("0") "attention.dense.weight:T(4x0)," AT("0") "attention.dense.bias:T(4)," UP("0") DOWN("0") FINAL "}}" } }, ERROR_CORRUPT, "partshape", "shape [4, 0]" },
	{ "a dense layer of three columns", { { SHARD("00"), "{model:{" WORDS POSITIONS NORM_1("0") NORM_2("0") QKV("0") AT("0") "attention.dense.weight:T(4x3)," AT("0") "attention.dense.bias:T(4)," UP("0") DOWN("0") FINAL "}}" } }, ERROR_CORRUPT, "partshape", "shape [4, 3]" },
	{ "half of a dense layer", { { SHARD("00"), "{model:{" WORDS POSITIONS NORM_1("0") NORM_2("0") QKV("0") HALF_DENSE("0") UP("0") DOWN("0") FINAL "}}" } }, ERROR_CORRUPT, "partshape", "shape [4, 2]" },
	{ "one of two halves", { { SHARD("00"), "{" HALF "}" } }, ERROR_NO_INPUT, "missingrank", "shard mp_rank_01 is missing (found 00; the tensors are cut for 2 ranks)" },
	{ "one whole twice", { { SHARD("00"), "{" WHOLE "}" }, { SHARD("01"), "{" WHOLE "}" } }, ERROR_CORRUPT, "extrarank", "2 shards, but the tensors are cut for 1" },
	{ "the second rank has other rows", { { SHARD("00"), "{" HALF "}" }, { SHARD("01"), "{model:{word_embeddings.weight:T(5x4)," POSITIONS HALF_LAYER("0") FINAL "}}" } }, ERROR_CORRUPT, "partshape", "shape [5, 4], but" },

	/* What shards say of themselves. */
	{ "args of the first only", { { SHARD("00"), "{args:{a:1}," HALF "}" }, { SHARD("01"), "{" HALF "}" } }, ERROR_CORRUPT, "argsdiff", "the shard has no args" },
	{ "args of the second only", { { SHARD("00"), "{" HALF "}" }, { SHARD("01"), "{args:{a:1}," HALF "}" } }, ERROR_CORRUPT, "argsdiff", "the shard has an args" },
	{ "chunks of the second only", { { SHARD("00"), "{" HALF "}" }, { SHARD("01"), "{model0:{},model1:{}}" } }, ERROR_CORRUPT, "pp", "the shard holds 2 virtual pipeline chunks" },
	{ "chunks of the first only", { { SHARD("00"), "{model0:{},model1:{}}" }, { SHARD("01"), "{" HALF "}" } }, ERROR_CORRUPT, "pp", "the shard holds 1 virtual pipeline chunk, " },
	{ "a label of the first only", { { SHARD("00"), "{checkpoint_version:1," HALF "}" }, { SHARD("01"), "{" HALF "}" } }, ERROR_CORRUPT, "cvdiff", "checkpoint_version is None" },
	{ "a label of the second only", { { SHARD("00"), "{" HALF "}" }, { SHARD("01"), "{checkpoint_version:1," HALF "}" } }, ERROR_CORRUPT, "cvdiff", "has None" },
	{ "labels differ", { { SHARD("00"), "{checkpoint_version:1," HALF "}" }, { SHARD("01"), "{checkpoint_version:2," HALF "}" } }, ERROR_CORRUPT, "cvdiff", "checkpoint_version is 2" },
	{ "a label that is a text", { { SHARD("00"), "{checkpoint_version:1," HALF "}" }, { SHARD("01"), "{checkpoint_version:'1'," HALF "}" } }, ERROR_CORRUPT, "cvdiff", "checkpoint_version is 1" },
	{ "total_iters below 0", { { SHARD("00"), "{total_iters:-1," WHOLE "}" } }, ERROR_CORRUPT, "iteration", "-1" },
	{ "tensor size is a text", { { SHARD("00"), "{args:{tensor_model_parallel_size:'1'}," WHOLE "}" } }, ERROR_CORRUPT, "args", "args.tensor_model_parallel_size" },
	{ "old tensor size is a text", { { SHARD("00"), "{args:{model_parallel_size:'1'}," WHOLE "}" } }, ERROR_CORRUPT, "args", "args.model_parallel_size" },
	{ "pipeline size is a text", { { SHARD("00"), "{args:{pipeline_model_parallel_size:'1'}," WHOLE "}" } }, ERROR_CORRUPT, "args", "args.pipeline_model_parallel_size" },
	{ "virtual size is a text", { { SHARD("00"), "{args:{virtual_pipeline_model_parallel_size:'1'}," WHOLE "}" } }, ERROR_CORRUPT, "args", "args.virtual_pipeline_model_parallel_size" },
	{ "virtual size 0", { { SHARD("00"), "{args:{virtual_pipeline_model_parallel_size:0}," WHOLE "}" } }, 0, "", "" },
	{ "heads are a text", { { SHARD("00"), "{args:{num_attention_heads:'2'}," WHOLE "}" } }, ERROR_CORRUPT, "args", "args.num_attention_heads" },
	{ "more stages than shards", { { SHARD("00_000"), "{args:{pipeline_model_parallel_size:3}," FIRST "}" }, { SHARD("00_001"), "{args:{pipeline_model_parallel_size:3}," LAST "}" } }, ERROR_NO_INPUT, "missingrank", "shard mp_rank_00_002 is missing" },
	{ "fewer stages than shards", { { SHARD("00_000"), "{args:{pipeline_model_parallel_size:1}," FIRST "}" }, { SHARD("00_001"), "{args:{pipeline_model_parallel_size:1}," LAST "}" } }, ERROR_CORRUPT, "extrarank", "2 pipeline stages, but args say" },
	{ "a rank that is a text", { { SHARD("00"), "{args:{rank:0}," HALF "}" }, { SHARD("01"), "{args:{rank:'1'}," HALF "}" } }, ERROR_CORRUPT, "args", "args.rank" },
	{ "a rank that is not said", { { SHARD("00"), "{args:{rank:0}," HALF "}" }, { SHARD("01"), "{args:{rank:N}," HALF "}" } }, 0, "", "" },
	{ "one rank in both", { { SHARD("00"), "{args:{rank:5}," HALF "}" }, { SHARD("01"), "{args:{rank:5}," HALF "}" } }, 0, "", "" },
	{ "ranks swapped", { { SHARD("00"), "{args:{rank:1}," HALF "}" }, { SHARD("01"), "{args:{rank:0}," HALF "}" } }, ERROR_CORRUPT, "swapped", "mp_rank_00 was saved by rank 1" },
	{ "stages as they were saved", { { SHARD("00_000"), "{args:{rank:1,world_size:4}," FIRST "}" }, { SHARD("00_001"), "{args:{rank:3,world_size:4}," LAST "}" } }, 0, "", "" },
	{ "stages saved the other way round", { { SHARD("00_000"), "{args:{rank:2,world_size:4}," FIRST "}" }, { SHARD("00_001"), "{args:{rank:1,world_size:4}," LAST "}" } }, ERROR_CORRUPT, "swapped", "mp_rank_00_000 was saved by rank 2" },
	{ "stages inside, by an option", { { SHARD("00_000"), "{args:{rank:2,world_size:4,use_tp_pp_dp_mapping:1}," FIRST "}" }, { SHARD("00_001"), "{args:{rank:1,world_size:4,use_tp_pp_dp_mapping:1}," LAST "}" } }, 0, "", "" },
	{ "a world that stages do not divide", { { SHARD("00_000"), "{args:{rank:2,world_size:3}," FIRST "}" }, { SHARD("00_001"), "{args:{rank:1,world_size:3}," LAST "}" } }, 0, "", "" },
	{ "a world that is a text", { { SHARD("00_000"), "{args:{rank:2,world_size:'4'}," FIRST "}" }, { SHARD("00_001"), "{args:{rank:1,world_size:'4'}," LAST "}" } }, 0, "", "" },
	{ "a label that the names do not have", { { SHARD("00"), "{checkpoint_version:2," WHOLE "}" } }, 0, "", "" },

	/* DeepSpeed's layers. */
	{ "layer files", { DEEPSPEED }, 0, "", "" },
	{ "layer files and states", { DEEPSPEED, { STATES, "{args:{num_attention_heads:2}}" } }, 0, "", "" },
	{ "states without args", { DEEPSPEED, { STATES, "{iteration:5}" } }, 0, "", "" },
	{ "other files beside", { DEEPSPEED, { "layer_1-model_00-model_states.pt", "{}" } }, 0, "", "" },
	{ "a number of seven digits", { DEEPSPEED, { "layer_0000007-model_00-model_states.pt", "{}" } }, 0, "", "" },
	{ "a rank of one digit", { DEEPSPEED, { "layer_07-model_0-model_states.pt", "{}" } }, 0, "", "" },
	{ "another word", { DEEPSPEED, { "layer_07-modal_00-model_states.pt", "{}" } }, 0, "", "" },
	{ "another end", { DEEPSPEED, { "layer_07-model_00-model_states.pt.1", "{}" } }, 0, "", "" },
	{ "a layer that is a list", { { FILE_OF("01", "00"), WORD_FILE }, { FILE_OF("03", "00"), "[]" } }, ERROR_UNSUPPORTED, "toplevel", "a dict of a layer's weights is expected" },
	{ "a layer of no known key", { { FILE_OF("01", "00"), WORD_FILE }, { FILE_OF("03", "00"), "{a:1}" } }, ERROR_UNSUPPORTED, "toplevel", "no key of it" },
	{ "two kinds at a place", { { FILE_OF("01", "00"), WORD_FILE }, { FILE_OF("01", "01"), WORD_FILE }, { FILE_OF("03", "00"), NORM_FILE }, { FILE_OF("03", "01"), "{" OF_LAYER "}" } }, ERROR_CORRUPT, "missingkey", "another kind of layer than" },
	{ "the last rank is missing", { { FILE_OF("01", "00"), WORD_FILE }, { FILE_OF("01", "01"), WORD_FILE }, { FILE_OF("03", "00"), NORM_FILE } }, ERROR_NO_INPUT, "missingrank", "layer_03-model_01-model_states.pt is missing" },
	{ "one place by two names", { DEEPSPEED, { FILE_OF("003", "00"), "{" OF_LAYER "}" } }, ERROR_CORRUPT, "collision", "layer_003-model_00-model_states.pt and layer_03-model_00-model_states.pt are of one" },
	{ "states with args of another kind", { DEEPSPEED, { STATES, "{args:5}" } }, ERROR_UNSUPPORTED, "noneargs", "args is" },
	{ "states with another iteration", { DEEPSPEED, { STATES, "{iteration:'x'}" } }, ERROR_CORRUPT, "iteration", "a number from 0 on" },
	{ "states with an unknown label", { DEEPSPEED, { STATES, "{checkpoint_version:9}" } }, ERROR_UNSUPPORTED, "cv", "9" },
	{ "states of another model", { DEEPSPEED, { STATES, "{args:{swiglu:1}}" } }, ERROR_UNSUPPORTED, "act", "swiglu" },
	{ "a key of the states twice", { DEEPSPEED, { STATES, "{a:1,a:2}" } }, ERROR_UNSAFE, "hash", "two values for key 'a'" },
	{ "states say a text", { DEEPSPEED, { STATES, "{args:{tensor_model_parallel_size:'1'}}" } }, ERROR_CORRUPT, "args", "args.tensor_model_parallel_size" },
	{ "states say stages in a text", { DEEPSPEED, { STATES, "{args:{pipeline_model_parallel_size:'1'}}" } }, ERROR_CORRUPT, "args", "args.pipeline_model_parallel_size" },
	{ "states say virtual stages in a text", { DEEPSPEED, { STATES, "{args:{virtual_pipeline_model_parallel_size:'1'}}" } }, ERROR_CORRUPT, "args", "args.virtual_pipeline_model_parallel_size" },
	{ "states say two ranks", { DEEPSPEED, { STATES, "{args:{tensor_model_parallel_size:2}}" } }, ERROR_NO_INPUT, "missingrank", "each layer has 1 file, but args say tensor_model_parallel_size=2" },
	{ "states say one rank", { { FILE_OF("01", "00"), WORD_FILE }, { FILE_OF("01", "01"), WORD_FILE }, { STATES, "{args:{tensor_model_parallel_size:1}}" } }, ERROR_CORRUPT, "extrarank", "each layer has 2 files, but args say tensor_model_parallel_size=1" },
	{ "states say no stages", { DEEPSPEED, { STATES, "{args:{pipeline_model_parallel_size:0}}" } }, 0, "", "" },
	{ "states say 70000 stages", { DEEPSPEED, { STATES, "{args:{pipeline_model_parallel_size:70000}}" } }, 0, "", "" },
};

static void
make_files(const struct row *row)
{
	for (size_t i = 0; i < sizeof row->files / sizeof *row->files; i++) {
		struct text file = { 0 };

		if (row->files[i].path == NULL)
			break;
		tiny_pickle_file(&file, row->files[i].notation);
		scratch_write(row->files[i].path, file.bytes, file.length);
		text_free(&file);
	}
}

static void
check_row(const struct row *row)
{
	struct decision_log log;

	make_files(row);
	decision_log_init(&log);
	model_verdict_check(row->what, row->status, row->slug, row->part, &log);
	decision_log_fini(&log);
	scratch_empty();
}

int
main(void)
{
	scratch_open();
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		check_row(&rows[i]);
	scratch_close();
	return check_end("grid");
}
