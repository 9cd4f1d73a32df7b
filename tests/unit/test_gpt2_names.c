#include "gpt2/gpt2_names.h"

#include "check.h"

/* The NGC 345M model: names and shapes from the table of the format notes. */
static const struct gpt2_sizes ngc = { 24, 1024, 4096, 1024, 50257, false, false };

static const struct row {
	size_t      index;
	const char *name;
	unsigned    rank;
	uint64_t    shape[2];
} rows[] = {
	{ 0,   "transformer.wte.weight",               2, { 50257, 1024 } },
	{ 1,   "transformer.wpe.weight",               2, { 1024, 1024 } },
	{ 2,   "transformer.h.0.ln_1.weight",          1, { 1024, 0 } },
	{ 3,   "transformer.h.0.ln_1.bias",            1, { 1024, 0 } },
	{ 4,   "transformer.h.0.attn.c_attn.weight",   2, { 1024, 3072 } },
	{ 5,   "transformer.h.0.attn.c_attn.bias",     1, { 3072, 0 } },
	{ 6,   "transformer.h.0.attn.c_proj.weight",   2, { 1024, 1024 } },
	{ 7,   "transformer.h.0.attn.c_proj.bias",     1, { 1024, 0 } },
	{ 8,   "transformer.h.0.ln_2.weight",          1, { 1024, 0 } },
	{ 9,   "transformer.h.0.ln_2.bias",            1, { 1024, 0 } },
	{ 10,  "transformer.h.0.mlp.c_fc.weight",      2, { 1024, 4096 } },
	{ 11,  "transformer.h.0.mlp.c_fc.bias",        1, { 4096, 0 } },
	{ 12,  "transformer.h.0.mlp.c_proj.weight",    2, { 4096, 1024 } },
	{ 13,  "transformer.h.0.mlp.c_proj.bias",      1, { 1024, 0 } },
	{ 14,  "transformer.h.1.ln_1.weight",          1, { 1024, 0 } },
	{ 289, "transformer.h.23.mlp.c_proj.bias",     1, { 1024, 0 } },
	{ 290, "transformer.ln_f.weight",              1, { 1024, 0 } },
	{ 291, "transformer.ln_f.bias",                1, { 1024, 0 } },
};

static const char *const strangers[] = {
	"", "transformer.", "lm_head.weight", "transformer.h.24.ln_1.weight",
	"transformer.h.00.ln_1.weight", "transformer.h.-1.ln_1.weight", "h..ln_1.weight",
	"transformer.h.0.attn.bias", "transformer.h.0.wte.weight", "transformer.ln_1.weight",
	"transformer.transformer.wte.weight", "h.18446744073709551616.ln_1.weight",
	"transformer.h.0.ln_1.weight.", "wte", "h.0", "transformer.h.1",
};

static void
test_table(void)
{
	uint64_t elements = 0;

	CHECK(gpt2_names_count(&ngc) == 292, "count %zu", gpt2_names_count(&ngc));
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct row  *row = &rows[i];
		struct gpt2_tensor tensor;

		gpt2_names_tensor(&ngc, row->index, &tensor);
		CHECK_TEXT(tensor.name, row->name, "row %zu", i);
		CHECK(tensor.rank == row->rank && tensor.shape[0] == row->shape[0]
			&& tensor.shape[1] == row->shape[1], "%s", row->name);
	}
	for (size_t i = 0; i < 292; i++) {
		struct gpt2_tensor tensor;

		gpt2_names_tensor(&ngc, i, &tensor);
		elements += tensor.shape[0] * (tensor.rank == 2 ? tensor.shape[1] : 1);
	}
	CHECK(elements == 354823168, "elements %llu", (unsigned long long)elements);
}

static void
test_find(void)
{
	for (size_t i = 0; i < 292; i++) {
		struct gpt2_tensor tensor;
		size_t             index = 999;

		gpt2_names_tensor(&ngc, i, &tensor);
		CHECK(gpt2_names_find(&ngc, tensor.name, &index) && index == i, "%s", tensor.name);
		index = 999;
		CHECK(gpt2_names_find(&ngc, tensor.name + strlen("transformer."), &index)
			&& index == i, "%s without prefix", tensor.name);
	}
	for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++) {
		size_t index;

		CHECK(!gpt2_names_find(&ngc, strangers[i], &index), "\"%s\"", strangers[i]);
	}
}

/* An output layer of its own is the last, and its name has no prefix. */
static void
test_head(void)
{
	const struct gpt2_sizes untied = { 24, 1024, 4096, 1024, 50257, true, false };
	struct gpt2_tensor      tensor;
	size_t                  index = 999;

	CHECK(gpt2_names_count(&untied) == 293, "count");
	gpt2_names_tensor(&untied, 292, &tensor);
	CHECK_TEXT(tensor.name, "lm_head.weight", "name");
	CHECK(tensor.rank == 2 && tensor.shape[0] == 50257 && tensor.shape[1] == 1024, "shape");
	CHECK(gpt2_names_find(&untied, "lm_head.weight", &index) && index == 292, "%zu", index);
	CHECK(!gpt2_names_find(&untied, "transformer.lm_head.weight", &index), "prefix");
}

/* The constants that versions before 5 saved, in the order of the model of 4.18: behind ln_1,
 * before c_attn. */
static void
test_masks(void)
{
	const struct gpt2_sizes masked = { 24, 1024, 4096, 1024, 50257, true, true };
	struct gpt2_tensor      tensor;
	size_t                  index;

	CHECK(gpt2_names_count(&masked) == 4 + 14 * 24 + 1, "count");
	gpt2_names_tensor(&masked, 2 + 14 + 2, &tensor);
	CHECK_TEXT(tensor.name, "transformer.h.1.attn.bias", "mask");
	CHECK(tensor.rank == 4 && tensor.shape[0] == 1 && tensor.shape[1] == 1
		&& tensor.shape[2] == 1024 && tensor.shape[3] == 1024, "shape of the mask");
	gpt2_names_tensor(&masked, 2 + 14 + 3, &tensor);
	CHECK_TEXT(tensor.name, "transformer.h.1.attn.masked_bias", "constant");
	CHECK(tensor.rank == 0 && gpt2_names_elements(&tensor) == 1, "a scalar");
	gpt2_names_tensor(&masked, 2 + 14 + 4, &tensor);
	CHECK_TEXT(tensor.name, "transformer.h.1.attn.c_attn.weight", "what follows");
	for (size_t i = 0; i < gpt2_names_count(&masked); i++) {
		gpt2_names_tensor(&masked, i, &tensor);
		CHECK(gpt2_names_find(&masked, tensor.name, &index) && index == i, "%s",
			tensor.name);
	}
	CHECK(!gpt2_names_find(&ngc, "transformer.h.1.attn.bias", &index)
		&& !gpt2_names_find(&ngc, "transformer.h.1.attn.masked_bias", &index), "no masks");
}

int
main(void)
{
	test_table();
	test_head();
	test_find();
	test_masks();
	return check_end("gpt2_names");
}
