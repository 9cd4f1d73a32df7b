#include "megatron/dropped.h"

#include "base/text.h"
#include "torch/torch_walk.h"

#include <stdlib.h>
#include <string.h>

/* Top-level keys that are read; 'model' is listed only for extra state that it holds. */
static const char *const used_keys[] = {
	"iteration", "total_iters", "args", "checkpoint_version", "common_state",
};

static const struct {
	const char *key, *reason;
} reasons[] = {
	{ "model",                 "extra state of the layers, heads that predict further tokens" },
	{ "optimizer",             "optimizer state" },
	{ "lr_scheduler",          "learning rate schedule" },
	{ "opt_param_scheduler",   "learning rate schedule" },
	{ "random_rng_state",      "random number state" },
	{ "np_rng_state",          "random number state" },
	{ "torch_rng_state",       "random number state" },
	{ "cuda_rng_state",        "random number state" },
	{ "rng_tracker_states",    "random number state" },
	{ "rng_state",             "random number state" },
	{ "num_floating_point_operations_so_far", "training progress" },
	{ "tokens",                "training progress" },
	{ "rerun_state_machine",   "training progress" },
	{ "rerun_state_machine_state", "training progress" },
	{ "content_metadata",      "how it was saved" },
};

/* Storages of one shard, and which of them are accounted for. */
struct account {
	const struct torch_file *torch;
	bool                    *is_counted;    /* by storage */
	size_t                   count;
};

static const char *
reason_of(const char *key)
{
	size_t index;

	for (index = 0; index < sizeof reasons / sizeof *reasons; index++)
		if (strcmp(reasons[index].key, key) == 0)
			return reasons[index].reason;
	return "no part of the model";
}

static bool
is_used(const char *key)
{
	size_t index;

	for (index = 0; index < sizeof used_keys / sizeof *used_keys; index++)
		if (strcmp(used_keys[index], key) == 0)
			return true;
	return false;
}

/* Adds to the entry of `key`, a new one where there is none. */
static bool
add(struct model *model, const char *key, const char *reason, uint64_t bytes,
	struct error *err)
{
	size_t index, room = model->dropped_count + 1;

	for (index = 0; index < model->dropped_count; index++) {
		if (strcmp(model->dropped[index].what, key) == 0) {
			model->dropped[index].bytes += bytes;
			return true;
		}
	}
	/* The room is the power of two that is not below the count. */
	if ((model->dropped_count & (model->dropped_count - 1)) == 0) {
		struct model_dropped *items;

		room = model->dropped_count == 0 ? 1 : 2 * model->dropped_count;
		if ((items = arena_take(&model->arena, room, sizeof *items)) == NULL)
			return error_no_memory(err, room * sizeof *items);
		if (model->dropped_count > 0)
			memcpy(items, model->dropped, model->dropped_count * sizeof *items);
		model->dropped = items;
	}
	if ((key = arena_copy(&model->arena, key, strlen(key))) == NULL)
		return error_no_memory(err, room);
	model->dropped[model->dropped_count++] = (struct model_dropped){ key, reason, bytes };
	return true;
}

bool
dropped_add(struct model *model, const char *key, uint64_t bytes, struct error *err)
{
	return is_used(key) || add(model, key, reason_of(key), bytes, err);
}

/* Bytes of storages under the node that were not counted before. */
static bool
count_under(struct account *account, const struct value *root, uint64_t *bytes,
	struct error *err)
{
	struct torch_walk  *walk = torch_walk_open(root, err);
	const struct value *node;
	struct tensor_view  view;
	struct error        ignored;

	*bytes = 0;
	if (walk == NULL)
		return false;
	while ((node = torch_walk_next(walk, err)) != NULL) {
		/* What is no plain tensor is not needed; its storages are counted as the rest. */
		if (!torch_file_is_tensor(account->torch, node)
		    || !torch_file_tensor(account->torch, node, &view, &ignored))
			continue;
		torch_walk_skip(walk);
		if (!account->is_counted[view.storage])
			*bytes += torch_file_storage(account->torch, view.storage)->bytes;
		account->is_counted[view.storage] = true;
	}
	torch_walk_close(walk);
	return err->kind == ERROR_NONE;
}

static bool
list_key(struct model *model, struct account *account, const struct value *key,
	const struct value *node, struct error *err)
{
	char     name[160];
	uint64_t bytes;

	if (key->kind == VALUE_TEXT)
		text_format(name, sizeof name, "%s", key->text.bytes);
	else
		value_describe(key, name, sizeof name);
	if (is_used(name))
		return true;
	if (!count_under(account, node, &bytes, err))
		return false;
	/* model0, model1, ...: chunks of a virtual pipeline. */
	if (text_has_prefix(name, "model") && strspn(name + 5, "0123456789") == strlen(name + 5)) {
		if (bytes == 0)
			return true;
		name[5] = '\0';
	}
	return add(model, name, reason_of(name), bytes, err);
}

static void
count_cell(struct account *account, const struct weight_cell *cell, size_t shard)
{
	if (cell->path != NULL && cell->shard == shard)
		account->is_counted[cell->view.storage] = true;
}

static bool
list_shard(struct model *model, const struct weight_grid *grid, size_t shard,
	struct account *account, struct error *err)
{
	const struct value *root = torch_file_root(account->torch);
	uint64_t            rest = 0;
	size_t              index, rank;
	uint32_t            entry;

	for (rank = 0; rank < grid->shards->tensor_size; rank++)
		for (index = 0; index < grid->slot_count; index++)
			count_cell(account, &grid->cells[rank][index], shard);
	for (index = 0; index < grid->copy_count; index++)
		count_cell(account, &grid->copies[index].cell, shard);
	for (entry = 0; entry + 1 < root->count; entry += 2)
		if (!list_key(model, account, root->items[entry], root->items[entry + 1], err))
			return false;
	for (index = 0; index < account->count; index++)
		if (!account->is_counted[index])
			rest += torch_file_storage(account->torch, index)->bytes;
	return rest == 0 ? true
	    : add(model, "other storages", "no part of a plain tensor", rest, err);
}

bool
dropped_list(struct model *model, const struct weight_grid *grid, struct error *err)
{
	size_t shard;

	for (shard = 0; shard < grid->shards->count; shard++) {
		struct account account = { .torch = grid->shards->items[shard].torch };
		bool           done;

		/* Nothing but weights is in a layer's file. */
		if (grid->shards->layer_prefixes != NULL
		    && shard < (size_t)grid->shards->stage_count * grid->shards->tensor_size)
			continue;
		account.count = torch_file_storage_count(account.torch);
		account.is_counted = calloc(account.count + 1, sizeof *account.is_counted);
		if (account.is_counted == NULL)
			return error_no_memory(err, account.count);
		done = list_shard(model, grid, shard, &account, err);
		free(account.is_counted);
		if (!done)
			return shards_blame(grid->shards, shard, err);
	}
	return true;
}
