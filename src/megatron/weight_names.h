#ifndef MEGATRON_WEIGHT_NAMES_H
#define MEGATRON_WEIGHT_NAMES_H

#include "base/arena.h"
#include "megatron/dialect.h"
#include "torch/torch_file.h"

/* A leaf of one shard's 'model', by its path. */
struct weight_name {
	const char         *path;       /* keys joined by dots, without "module." and "model." */
	const struct value *node;       /* perhaps no tensor */
	bool                is_known;   /* weight_names_match() found role and layer */
	enum model_role     role;
	unsigned            layer;
};

struct weight_names {
	struct weight_name *items;
	size_t              count, room;
	size_t              prediction_heads;   /* names under "mtp.", left out */
};

/*
 * All leaves under `model`, in the order of the file, their paths behind `prefix` where it is
 * not empty; "_extra_state" entries and heads
 * for multi-token prediction are left out.
 * Nothing is looked into but dicts.  ERROR_UNSAFE "hash": a dict has a key twice.
 */
bool weight_names_collect(const struct value *model, const char *prefix, struct arena *arena,
	struct weight_names *names, struct error *err);

/* The dialect that knows the most of the names of all shards and chunks. */
enum dialect weight_names_dialect(const struct weight_names *names, size_t count);

/* Refuses unknown names: what they show the model to be ("arch"), else "extrakey" with the
 * names.  `where` is "under 'model'" or another place that holds them. */
bool weight_names_refuse(const char *const *paths, size_t count, const char *where,
	struct error *err);

/* Gives each its role.  Unknown names are ERROR_UNSUPPORTED: what they show the model to be
 * ("arch"), else "extrakey" with the names; so is a known name of no tensor. */
bool weight_names_match(struct weight_names *names, enum dialect dialect,
	const struct torch_file *torch, struct arena *arena, struct error *err);

#endif
