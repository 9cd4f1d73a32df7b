#ifndef MEGATRON_DIALECT_H
#define MEGATRON_DIALECT_H

#include <stdbool.h>
#include <stddef.h>

/* How the eras of Megatron-LM spell a GPT's parameters. */
enum dialect {
	DIALECT_FLAT_2019,              /* A: word_embeddings.weight, transformer.layers.N... */
	DIALECT_NESTED_TRANSFORMER,     /* B: language_model / transformer / layers.N.attention... */
	DIALECT_NESTED_ENCODER,         /* C: language_model / encoder / layers.N.self_attention... */
	DIALECT_NESTED_NORM,            /* C': as C, with input_norm, post_attention_norm */
	DIALECT_NESTED_TE,              /* C'': as C, layers of Transformer Engine */
	DIALECT_CORE,                   /* D: decoder.layers.N.self_attention.linear_qkv... */
	DIALECT_DEEPSPEED,              /* E: C's names in a file for each layer */
	DIALECT_COUNT,
};

/* What a parameter is, whatever it is called. */
enum model_role {
	ROLE_WORD_EMBEDDING,
	ROLE_POSITION_EMBEDDING,
	ROLE_INPUT_NORM_WEIGHT,
	ROLE_INPUT_NORM_BIAS,
	ROLE_QKV_WEIGHT,
	ROLE_QKV_BIAS,
	ROLE_ATTENTION_DENSE_WEIGHT,
	ROLE_ATTENTION_DENSE_BIAS,
	ROLE_POST_ATTENTION_NORM_WEIGHT,
	ROLE_POST_ATTENTION_NORM_BIAS,
	ROLE_MLP_UP_WEIGHT,             /* h -> 4h */
	ROLE_MLP_UP_BIAS,
	ROLE_MLP_DOWN_WEIGHT,           /* 4h -> h */
	ROLE_MLP_DOWN_BIAS,
	ROLE_FINAL_NORM_WEIGHT,
	ROLE_FINAL_NORM_BIAS,
	ROLE_OUTPUT_LAYER,              /* of its own, or again the tied embedding */
	ROLE_HEAD_COPY,                 /* the tied embedding on the last pipeline stage */
	ROLE_COUNT,
};

/* How the pieces of the tensor parallel ranks make the whole. */
enum model_join {
	JOIN_REPLICATED,                /* every rank holds all of it */
	JOIN_ROWS,                      /* dimension 0 is cut */
	JOIN_COLUMNS,                   /* dimension 1 is cut */
	JOIN_QKV,                       /* dimension 0 is cut by heads; row order by version */
};

struct role_facts {
	const char     *name;           /* "attention.query_key_value.weight", for messages */
	enum model_join join;
	unsigned        rank;           /* of the tensor: 1 or 2 */
	bool            per_layer;
};
extern const struct role_facts dialect_roles[ROLE_COUNT];

const char *dialect_name(enum dialect dialect);         /* "2019 nested transformer" */
/* What its parameters are told by, for the source of a decision: "encoder names". */
const char *dialect_names(enum dialect dialect);
/* Are its names younger than checkpoint_version, so that a label is missing by accident? */
bool        dialect_is_labelled(enum dialect dialect);

/* Has a linear layer's bias, which a model may do without. */
bool        dialect_is_linear_bias(enum model_role role);

/*
 * The role of a parameter by its path ("language_model.embedding.word_embeddings.weight",
 * dicts joined by dots, prefixes "module." and "model." already gone).  false: not a name of
 * this dialect.  *layer is the local layer number, 0 where there is none.
 */
bool dialect_match(enum dialect dialect, const char *path, enum model_role *role,
	unsigned *layer);

/* A larger number is not a layer's: what it counts is allocated by it. */
#define DIALECT_MAX_LAYER 99999

/* A name of no known dialect that says what the model is instead. */
struct dialect_stranger {
	const char *mark;
	bool        at_start;           /* of the path; else anywhere in it */
	const char *what;               /* "a BERT model (binary_head)" */
};
/* The surest of the strangers among unknown names; NULL: none says anything. */
const struct dialect_stranger *dialect_stranger(const char *const *paths, size_t count);

#endif
