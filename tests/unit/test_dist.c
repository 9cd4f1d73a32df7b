#include "check.h"
#include "small_model.h"

#include "megatron/dist_grid.h"
#include "megatron/dist_names.h"
#include "plan/plan.h"

/* ---- names -------------------------------------------------------------------------------- */

static void
test_names(void)
{
	static const struct {
		const char     *key;
		enum dist_kind  kind;
		bool            is_known, is_stacked;
		enum model_role role;
		unsigned        layer;
	} rows[] = {
		{ "embedding.word_embeddings.weight", DIST_WEIGHT, true, false, ROLE_WORD_EMBEDDING, 0 },
		{ "model.embedding.position_embeddings.weight", DIST_WEIGHT, true, false, ROLE_POSITION_EMBEDDING, 0 },
		{ "module.model.module.output_layer.weight", DIST_WEIGHT, true, false, ROLE_OUTPUT_LAYER, 0 },
		{ "decoder.final_layernorm.bias", DIST_WEIGHT, true, false, ROLE_FINAL_NORM_BIAS, 0 },
		{ "decoder.layers.mlp.linear_fc1.weight", DIST_WEIGHT, true, true, ROLE_MLP_UP_WEIGHT, 0 },
		{ "decoder.layers.mlp.linear_fc1.layer_norm_bias", DIST_WEIGHT, true, true, ROLE_POST_ATTENTION_NORM_BIAS, 0 },
		{ "decoder.layers.input_layernorm.weight", DIST_WEIGHT, true, true, ROLE_INPUT_NORM_WEIGHT, 0 },
		{ "decoder.layers.17.mlp.linear_fc2.bias", DIST_WEIGHT, true, false, ROLE_MLP_DOWN_BIAS, 17 },
		{ "decoder.layers.0.self_attention.linear_qkv.weight", DIST_WEIGHT, true, false, ROLE_QKV_WEIGHT, 0 },
		{ "decoder.layers.00.mlp.linear_fc2.bias", DIST_WEIGHT, false, false, 0, 0 },
		{ "decoder.layers.100000.mlp.linear_fc2.bias", DIST_WEIGHT, false, false, 0, 0 },
		{ "decoder.layers.mlp.router.weight", DIST_WEIGHT, false, true, 0, 0 },
		{ "decoder.layers.", DIST_WEIGHT, false, true, 0, 0 },
		{ "decoder.layers", DIST_WEIGHT, false, false, 0, 0 },
		{ "ema_model.decoder.final_layernorm.bias", DIST_WEIGHT, false, false, 0, 0 },
		{ "model0.decoder.final_layernorm.bias", DIST_WEIGHT, false, false, 0, 0 },
		{ "optimizers.weight", DIST_WEIGHT, false, false, 0, 0 },
		{ "", DIST_WEIGHT, false, false, 0, 0 },
		{ "decoder.layers.mlp.linear_fc1._extra_state/shard_0_24", DIST_EXTRA_STATE, false, false, 0, 0 },
		{ "model.decoder.layers.3.self_attention._extra_state", DIST_EXTRA_STATE, false, false, 0, 0 },
		{ "mtp.layers.0.eh_proj.weight", DIST_PREDICTION_HEAD, false, false, 0, 0 },
		{ "optimizer.state.exp_avg.decoder.final_layernorm.bias", DIST_OTHER, false, false, 0, 0 },
		{ "optimizer.distributed.dp_group_idx_0.gbuf_idx_0.param", DIST_OTHER, false, false, 0, 0 },
		{ "chained_0.optimizer.state.exp_avg.weight", DIST_OTHER, false, false, 0, 0 },
		{ "rng_state/shard_0.0_1.1", DIST_OTHER, false, false, 0, 0 },
		{ "rerun_state_machine_state/shard_0_4", DIST_OTHER, false, false, 0, 0 },
		{ "common_state/shard_0_1", DIST_OTHER, false, false, 0, 0 },
		{ "iteration", DIST_OTHER, false, false, 0, 0 },
	};
	size_t i;

	for (i = 0; i < sizeof rows / sizeof *rows; i++) {
		const char      *path;
		struct dist_role role = { 0 };
		enum dist_kind   kind = dist_names_kind(rows[i].key, &path);

		CHECK(kind == rows[i].kind, "%s: kind %d", rows[i].key, (int)kind);
		if (kind != DIST_WEIGHT)
			continue;
		CHECK(dist_names_role(path, &role) == rows[i].is_known, "%s", rows[i].key);
		if (rows[i].is_known)
			CHECK(role.role == rows[i].role && role.layer == rows[i].layer
			    && role.is_stacked == rows[i].is_stacked, "%s: role %d, layer %u",
				rows[i].key, (int)role.role, role.layer);
	}
}

static void
test_tops(void)
{
	static const struct { const char *key, *top; } rows[] = {
		{ "optimizer.state.exp_avg.weight", "optimizer" },
		{ "chained_1.optimizer.param_state", "optimizer" },
		{ "rng_state/shard_0.0_1.1", "rng_state" },
		{ "args", "args" },
		{ "decoder.layers.mlp.linear_fc1._extra_state/shard_0_24", "model" },
		{ "mtp.layers.0.eh_proj.weight", "model" },
	};
	char   top[64];
	size_t i;

	for (i = 0; i < sizeof rows / sizeof *rows; i++)
		CHECK_TEXT(dist_names_top(rows[i].key, top, sizeof top), rows[i].top, "%s",
			rows[i].key);
}

/* ---- QKV that is cut anywhere --------------------------------------------------------------- */

enum { QKV_ROWS = 3 * HIDDEN, HEAD = HIDDEN / HEADS, PIECES = 3 };

static struct model_parameter *
parameter_of(struct model *model, enum model_role role)
{
	size_t i = 0;

	while (model->parameters[i].role != role)
		i++;
	return &model->parameters[i];
}

/* Rows [cuts[i], cuts[i + 1]) and columns [column, column + columns) are a piece. */
static struct weight_piece
make_piece(size_t shard, unsigned rank, const unsigned cuts[PIECES + 1], uint64_t column,
	uint64_t columns)
{
	struct weight_piece piece = { .shard = shard, .row = cuts[shard % PIECES],
		.column = column };

	piece.view = (struct tensor_view){ .storage = 0, .dtype = DTYPE_FLOAT32, .rank = rank,
		.shape = { cuts[shard % PIECES + 1] - cuts[shard % PIECES], columns },
		.stride = { columns, 1 } };
	return piece;
}

/* Carries out the copies of one tensor; an element of the whole is 100 * row + column. */
static void
carry_out(const struct plan *plan, const char *name, const struct weight_piece *pieces,
	float *target)
{
	size_t tensor = 0, i;

	while (strcmp(plan->tensors[tensor].name, name) != 0)
		tensor++;
	for (i = 0; i < plan->copy_count; i++) {
		const struct plan_copy    *copy = &plan->copies[i];
		const struct weight_piece *piece;
		float                      source[QKV_ROWS * HIDDEN];
		uint64_t                   columns, at;

		if (copy->tensor != tensor)
			continue;
		piece = &pieces[copy->shard];
		columns = piece->view.stride[0];
		for (at = 0; at < piece->view.shape[0] * columns; at++)
			source[at] = (float)(100 * (piece->row + at / columns) + piece->column
				+ at % columns);
		strided_copy_run(&copy->box, (const unsigned char *)source,
			(unsigned char *)target, sizeof *target);
	}
}

/* Column [part][head][dim] of the target is row [head][part][dim] of the source. */
static size_t
count_wrong(const float *weight, const float *bias)
{
	size_t   wrong = 0;
	unsigned part, head, dim, x;

	for (part = 0; part < 3; part++)
		for (head = 0; head < HEADS; head++)
			for (dim = 0; dim < HEAD; dim++) {
				unsigned to = part * HIDDEN + head * HEAD + dim;
				unsigned from = head * 3 * HEAD + part * HEAD + dim;

				wrong += bias[to] != (float)(100 * from);
				for (x = 0; x < HIDDEN; x++)
					wrong += weight[x * QKV_ROWS + to] != (float)(100 * from + x);
			}
	return wrong;
}

static void
use_pieces(struct model_parameter *parameter, const struct weight_piece *pieces, size_t count,
	struct arena *arena)
{
	struct weight_cell cell = { .path = "qkv", .pieces = pieces, .piece_count = count };
	struct error       err = { 0 };

	free(parameter->slices);
	parameter->slices = NULL;
	parameter->slice_count = 0;
	CHECK(dist_grid_slices(parameter, &cell, NULL, HEAD, arena, &err), "slices: %s", err.text);
}

/* Cut after rows `first` and `second`, the weight also between its columns 2 and 3. */
static void
test_cut(unsigned first, unsigned second)
{
	unsigned            cuts[PIECES + 1] = { 0, first, second, QKV_ROWS };
	struct weight_piece weight_pieces[2 * PIECES], bias_pieces[PIECES];
	float               weight[HIDDEN * QKV_ROWS], bias[QKV_ROWS];
	struct model        model;
	struct arena        arena;
	struct error        err = { 0 };
	struct plan        *plan;
	size_t              i;

	make_model(&model, QKV_LAYOUT_2);
	arena_init(&arena, (size_t)1 << 20);
	for (i = 0; i < PIECES; i++) {
		bias_pieces[i] = make_piece(i, 1, cuts, 0, 1);
		weight_pieces[i] = make_piece(i, 2, cuts, 0, 3);
		weight_pieces[PIECES + i] = make_piece(PIECES + i, 2, cuts, 3, HIDDEN - 3);
	}
	use_pieces(parameter_of(&model, ROLE_QKV_WEIGHT), weight_pieces, 2 * PIECES, &arena);
	use_pieces(parameter_of(&model, ROLE_QKV_BIAS), bias_pieces, PIECES, &arena);
	plan = plan_build(&model, NULL, &err);
	CHECK(plan != NULL, "cut at %u, %u: %s", first, second, err.text);
	if (plan != NULL) {
		memset(weight, 0, sizeof weight);
		memset(bias, 0, sizeof bias);
		carry_out(plan, "transformer.h.0.attn.c_attn.weight", weight_pieces, weight);
		carry_out(plan, "transformer.h.0.attn.c_attn.bias", bias_pieces, bias);
		CHECK(count_wrong(weight, bias) == 0, "cut at %u, %u: elements are elsewhere", first,
			second);
	}
	plan_close(plan);
	parameter_of(&model, ROLE_QKV_WEIGHT)->slices = NULL;
	parameter_of(&model, ROLE_QKV_BIAS)->slices = NULL;
	free_model(&model);
	arena_fini(&arena);
}

/* A tied output layer that is cut as the embedding is, and one that is not. */
static void
test_copies(void)
{
	static const struct { unsigned cut; bool fits; } rows[] = { { 8, true }, { 7, false } };
	size_t i;

	for (i = 0; i < sizeof rows / sizeof *rows; i++) {
		unsigned               words[] = { 0, 8, ROWS, ROWS }, copies[] = { 0, rows[i].cut, ROWS, ROWS };
		struct weight_piece    of_words[2] = { make_piece(0, 2, words, 0, HIDDEN),
			make_piece(1, 2, words, 0, HIDDEN) };
		struct weight_piece    of_copy[2] = { make_piece(0, 2, copies, 0, HIDDEN),
			make_piece(1, 2, copies, 0, HIDDEN) };
		struct weight_cell     cell = { .path = "words", .pieces = of_words, .piece_count = 2 };
		struct weight_cell     copy = { .path = "head", .pieces = of_copy, .piece_count = 2 };
		struct model_parameter parameter = { .role = ROLE_WORD_EMBEDDING };
		struct arena           arena;
		struct error           err = { 0 };

		arena_init(&arena, (size_t)1 << 20);
		CHECK(dist_grid_slices(&parameter, &cell, &copy, HEAD, &arena, &err)
		    == rows[i].fits, "copy cut at %u: %s", rows[i].cut, err.text);
		if (rows[i].fits)
			CHECK(parameter.slice_count == 2 && parameter.replica_count == 2
			    && parameter.replicas[1].slice == 1, "copy: piece by piece");
		else
			CHECK_TEXT(err.slug, "replicated", "copy: slug");
		arena_fini(&arena);
	}
}

int
main(void)
{
	unsigned first, second;

	test_names();
	test_tops();
	for (first = 0; first <= QKV_ROWS; first++)
		for (second = first; second <= QKV_ROWS; second++)
			test_cut(first, second);
	test_copies();
	return check_end("dist");
}
