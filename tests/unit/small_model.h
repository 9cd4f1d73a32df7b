#ifndef TESTS_UNIT_SMALL_MODEL_H
#define TESTS_UNIT_SMALL_MODEL_H

#include "megatron/model.h"

#include <stdlib.h>

/* A model of one layer on two tensor parallel ranks, made by hand: what plan/ works on. */
enum { HIDDEN = 8, HEADS = 4, FFN = 32, RANKS = 2, POSITIONS = 6, ROWS = 16, WORDS = 11 };

/* Whole shapes, as Megatron has them. */
static const struct { uint64_t rows, columns; } shapes[ROLE_COUNT] = {
	[ROLE_WORD_EMBEDDING] = { ROWS, HIDDEN }, [ROLE_POSITION_EMBEDDING] = { POSITIONS, HIDDEN },
	[ROLE_INPUT_NORM_WEIGHT] = { HIDDEN, 0 }, [ROLE_INPUT_NORM_BIAS] = { HIDDEN, 0 },
	[ROLE_QKV_WEIGHT] = { 3 * HIDDEN, HIDDEN }, [ROLE_QKV_BIAS] = { 3 * HIDDEN, 0 },
	[ROLE_ATTENTION_DENSE_WEIGHT] = { HIDDEN, HIDDEN },
	[ROLE_ATTENTION_DENSE_BIAS] = { HIDDEN, 0 },
	[ROLE_POST_ATTENTION_NORM_WEIGHT] = { HIDDEN, 0 },
	[ROLE_POST_ATTENTION_NORM_BIAS] = { HIDDEN, 0 },
	[ROLE_MLP_UP_WEIGHT] = { FFN, HIDDEN }, [ROLE_MLP_UP_BIAS] = { FFN, 0 },
	[ROLE_MLP_DOWN_WEIGHT] = { HIDDEN, FFN }, [ROLE_MLP_DOWN_BIAS] = { HIDDEN, 0 },
	[ROLE_FINAL_NORM_WEIGHT] = { HIDDEN, 0 }, [ROLE_FINAL_NORM_BIAS] = { HIDDEN, 0 },
	[ROLE_OUTPUT_LAYER] = { ROWS, HIDDEN },
};

/* One parameter, cut as its role says; its storage on every rank has the role's number. */
static inline struct model_parameter
make_parameter(enum model_role role)
{
	enum model_join        join = dialect_roles[role].join;
	struct model_parameter made = { .role = role, .dtype = DTYPE_FLOAT32,
		.rank = dialect_roles[role].rank, .shape = { shapes[role].rows, shapes[role].columns },
		.slice_count = join == JOIN_REPLICATED ? 1 : RANKS,
		.replica_count = join == JOIN_REPLICATED ? RANKS - 1 : 0 };

	made.slices = calloc(RANKS, sizeof *made.slices);
	made.replicas = calloc(RANKS, sizeof *made.replicas);
	for (size_t rank = 0; rank < RANKS; rank++) {
		struct model_slice slice = { rank, { .storage = role, .dtype = DTYPE_FLOAT32,
			.rank = made.rank, .shape = { made.shape[0], made.shape[1] } }, "", 0, 0 };

		if (join == JOIN_ROWS || join == JOIN_QKV)
			slice.row = rank * (slice.view.shape[0] /= RANKS);
		if (join == JOIN_COLUMNS)
			slice.column = rank * (slice.view.shape[1] /= RANKS);
		slice.view.stride[0] = made.rank > 1 ? slice.view.shape[1] : 1;
		slice.view.stride[1] = 1;
		if (rank < made.slice_count)
			made.slices[rank] = slice;
		else
			made.replicas[rank - 1] = (struct model_replica){ slice, 0 };
	}
	return made;
}

static inline void
make_model(struct model *model, enum qkv_layout layout)
{
	*model = (struct model){ .qkv_layout = layout, .dtype = DTYPE_FLOAT32 };
	model->arguments = (struct arguments){ .layers = 1, .hidden = HIDDEN, .ffn = FFN,
		.heads = HEADS, .positions = POSITIONS, .padded_vocabulary = ROWS,
		.vocabulary = WORDS };
	arena_init(&model->arena, 1 << 20);
	model->parameters = arena_take(&model->arena, ROLE_COUNT, sizeof *model->parameters);
	for (unsigned role = 0; role < ROLE_OUTPUT_LAYER; role++)
		model->parameters[model->count++] = make_parameter((enum model_role)role);
}

static inline void
free_model(struct model *model)
{
	for (size_t i = 0; i < model->count; i++) {
		free(model->parameters[i].slices);
		free(model->parameters[i].replicas);
	}
	arena_fini(&model->arena);
}

/* The number an element has in its rank's storage: it tells rank, row and column. */
static inline float
element_of(size_t rank, uint64_t row, uint64_t column)
{
	return (float)(rank * 10000 + row * 100 + column);
}

/* One rank's storage of a parameter, filled; the number of its elements. */
static inline uint64_t
fill_storage(const struct tensor_view *view, size_t rank, float *to)
{
	uint64_t columns = view->rank > 1 ? view->shape[1] : 1;

	for (uint64_t row = 0; row < view->shape[0]; row++)
		for (uint64_t column = 0; column < columns; column++)
			to[row * columns + column] = element_of(rank, row, column);
	return view->shape[0] * columns;
}
#define STORAGE_ROOM (FFN * HIDDEN)

#endif
