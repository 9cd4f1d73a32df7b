#ifndef CONVERT_LISTING_H
#define CONVERT_LISTING_H

#include "convert/answer.h"

/*
 * The lists that an inspection can be asked for: tensors, pickle globals, arguments.  Strings
 * go to the answer's arena; the tables grow and are freed with listing_fini().
 */
struct listing {
	struct answer       *answer;
	bool                 tensors_wanted;
	struct m2h_tensor   *tensors;
	size_t               tensor_count, tensor_room;
	const char         **globals;
	size_t               global_count, global_room;
	struct m2h_argument *arguments;
	size_t               argument_count, argument_room;
};

void listing_add_global(struct listing *listing, const char *module, const char *name);
/* After the last one: what several shards name is listed once, where it came first. */
bool listing_settle_globals(struct listing *listing, struct error *err);
void listing_add_argument(struct listing *listing, const struct value *name,
	const struct value *value);
/*
 * Every tensor of a shard is looked at; what cannot be read is an error when `strict`, else
 * it is left out.  When tensors are wanted, the shard's bytes are read through and all of its
 * checksums and lengths are checked.
 */
bool listing_add_torch(struct listing *listing, const struct shard *shard, bool strict,
	struct error *err);
void listing_add_tensor(struct listing *listing, const struct m2h_tensor *tensor);
void listing_answer(const struct listing *listing, struct m2h_inspection *result);
void listing_fini(struct listing *listing);

#endif
