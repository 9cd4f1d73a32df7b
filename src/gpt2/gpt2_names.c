#include "gpt2/gpt2_names.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

/* Which size a dimension is. */
enum extent { NONE, ONE, VOCABULARY, POSITIONS, EMBEDDING, EMBEDDING_3, INNER };

/* Shapes as GPT-2 stores them: a projection is [in, out]. */
static const struct part_rule {
	const char *suffix;
	bool        per_layer;
	enum extent extents[GPT2_MAX_RANK];
} rules[GPT2_PART_COUNT] = {
	[GPT2_WTE]                = { "wte.weight",         false, { VOCABULARY, EMBEDDING } },
	[GPT2_WPE]                = { "wpe.weight",         false, { POSITIONS, EMBEDDING } },
	[GPT2_LN_1_WEIGHT]        = { "ln_1.weight",        true,  { EMBEDDING, NONE } },
	[GPT2_LN_1_BIAS]          = { "ln_1.bias",          true,  { EMBEDDING, NONE } },
	[GPT2_ATTN_MASK]          = { "attn.bias",          true,  { ONE, ONE, POSITIONS, POSITIONS } },
	[GPT2_ATTN_MASKED_BIAS]   = { "attn.masked_bias",   true,  { NONE } },
	[GPT2_C_ATTN_WEIGHT]      = { "attn.c_attn.weight", true,  { EMBEDDING, EMBEDDING_3 } },
	[GPT2_C_ATTN_BIAS]        = { "attn.c_attn.bias",   true,  { EMBEDDING_3, NONE } },
	[GPT2_ATTN_C_PROJ_WEIGHT] = { "attn.c_proj.weight", true,  { EMBEDDING, EMBEDDING } },
	[GPT2_ATTN_C_PROJ_BIAS]   = { "attn.c_proj.bias",   true,  { EMBEDDING, NONE } },
	[GPT2_LN_2_WEIGHT]        = { "ln_2.weight",        true,  { EMBEDDING, NONE } },
	[GPT2_LN_2_BIAS]          = { "ln_2.bias",          true,  { EMBEDDING, NONE } },
	[GPT2_C_FC_WEIGHT]        = { "mlp.c_fc.weight",    true,  { EMBEDDING, INNER } },
	[GPT2_C_FC_BIAS]          = { "mlp.c_fc.bias",      true,  { INNER, NONE } },
	[GPT2_MLP_C_PROJ_WEIGHT]  = { "mlp.c_proj.weight",  true,  { INNER, EMBEDDING } },
	[GPT2_MLP_C_PROJ_BIAS]    = { "mlp.c_proj.bias",    true,  { EMBEDDING, NONE } },
	[GPT2_LN_F_WEIGHT]        = { "ln_f.weight",        false, { EMBEDDING, NONE } },
	[GPT2_LN_F_BIAS]          = { "ln_f.bias",          false, { EMBEDDING, NONE } },
	[GPT2_LM_HEAD]            = { "lm_head.weight",     false, { VOCABULARY, EMBEDDING } },
};

#define BEFORE_LAYERS ((size_t)GPT2_LN_1_WEIGHT)
#define MASKS         ((size_t)GPT2_C_ATTN_WEIGHT - (size_t)GPT2_ATTN_MASK)
#define AFTER_LAYERS  ((size_t)GPT2_LM_HEAD - (size_t)GPT2_LN_F_WEIGHT)

static uint64_t
extent_of(const struct gpt2_sizes *sizes, enum extent extent)
{
	switch (extent) {
	case VOCABULARY:
		return sizes->vocab_size;
	case POSITIONS:
		return sizes->n_positions;
	case EMBEDDING:
		return sizes->n_embd;
	case EMBEDDING_3:
		return 3 * sizes->n_embd;
	case INNER:
		return sizes->n_inner;
	case ONE:
		return 1;
	case NONE:
		break;
	}
	return 0;
}

static size_t
per_layer(const struct gpt2_sizes *sizes)
{
	return (size_t)GPT2_LN_F_WEIGHT - BEFORE_LAYERS - (sizes->has_masks ? 0 : MASKS);
}

size_t
gpt2_names_count(const struct gpt2_sizes *sizes)
{
	return BEFORE_LAYERS + per_layer(sizes) * (size_t)sizes->n_layer + AFTER_LAYERS
		+ (sizes->has_head ? 1 : 0);
}

void
gpt2_names_tensor(const struct gpt2_sizes *sizes, size_t index, struct gpt2_tensor *tensor)
{
	const size_t            layers_end = BEFORE_LAYERS + per_layer(sizes) * (size_t)sizes->n_layer;
	size_t                  part = index, layer = 0;
	const struct part_rule *rule;

	if (index >= layers_end) {
		part = GPT2_LN_F_WEIGHT + (index - layers_end);
	} else if (index >= BEFORE_LAYERS) {
		layer = (index - BEFORE_LAYERS) / per_layer(sizes);
		part = BEFORE_LAYERS + (index - BEFORE_LAYERS) % per_layer(sizes);
		if (part >= GPT2_ATTN_MASK && !sizes->has_masks)
			part += MASKS;
	}
	rule = &rules[part];
	tensor->part = (enum gpt2_part)part;
	tensor->layer = (unsigned)layer;
	if (rule->per_layer)
		snprintf(tensor->name, sizeof tensor->name, "transformer.h.%u.%s",
			tensor->layer, rule->suffix);
	else
		snprintf(tensor->name, sizeof tensor->name, "%s%s",
			part == GPT2_LM_HEAD ? "" : "transformer.", rule->suffix);
	tensor->rank = 0;
	for (unsigned i = 0; i < GPT2_MAX_RANK; i++) {
		tensor->rank += rule->extents[i] != NONE;
		tensor->shape[i] = extent_of(sizes, rule->extents[i]);
	}
}

uint64_t
gpt2_names_elements(const struct gpt2_tensor *tensor)
{
	uint64_t elements = 1;

	for (unsigned i = 0; i < tensor->rank; i++)
		elements *= tensor->shape[i];
	return elements;
}

/* "h.12.ln_1.weight": the layer number, and *name moved to what follows it. */
static bool
take_layer(const char **name, uint64_t *layer)
{
	const char *digits = *name + 2, *dot;

	if (!text_has_prefix(*name, "h.") || (dot = strchr(digits, '.')) == NULL)
		return false;
	if (digits[0] == '0' && dot - digits > 1)
		return false;
	*name = dot + 1;
	return text_parse_u64(digits, (size_t)(dot - digits), layer);
}

bool
gpt2_names_find(const struct gpt2_sizes *sizes, const char *name, size_t *index)
{
	uint64_t layer = 0;
	bool     in_layer, has_prefix = text_has_prefix(name, "transformer.");

	if (has_prefix)
		name += strlen("transformer.");
	in_layer = take_layer(&name, &layer);
	if (in_layer && layer >= sizes->n_layer)
		return false;
	for (size_t part = 0; part < GPT2_PART_COUNT; part++) {
		if (rules[part].per_layer != in_layer || strcmp(rules[part].suffix, name) != 0)
			continue;
		if (part == GPT2_LM_HEAD && (has_prefix || !sizes->has_head))
			return false;
		*index = part;
		if (part >= GPT2_ATTN_MASK && !sizes->has_masks) {
			if (part < GPT2_C_ATTN_WEIGHT)
				return false;
			*index -= MASKS;
		}
		if (in_layer)
			*index += per_layer(sizes) * (size_t)layer;
		else if (part >= GPT2_LN_F_WEIGHT)
			*index += per_layer(sizes) * (size_t)sizes->n_layer - per_layer(sizes);
		return true;
	}
	return false;
}
