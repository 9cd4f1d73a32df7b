#include "check.h"
#include "small_model.h"

#include "plan/plan.h"
#include "plan/proof.h"

/*
 * The worked example of QKV layouts: 4 heads of 2 dimensions on 2 tensor parallel ranks, so
 * 12 rows on a rank.  For each of the 24 columns of Hugging Face's c_attn the table says
 * which rank and row it comes from, by layout.  (Computed by hand from the row orders
 * [3, heads, dim], [heads, dim, 3] and [heads, 3, dim].)
 */
static const struct { unsigned char rank, row[3]; } columns[24] = {
	/* rank   layout 0  1  2 */
	{ 0, {  0,  0,  0 } }, { 0, {  1,  3,  1 } }, { 0, {  2,  6,  6 } }, { 0, {  3,  9,  7 } },
	{ 1, {  0,  0,  0 } }, { 1, {  1,  3,  1 } }, { 1, {  2,  6,  6 } }, { 1, {  3,  9,  7 } },
	{ 0, {  4,  1,  2 } }, { 0, {  5,  4,  3 } }, { 0, {  6,  7,  8 } }, { 0, {  7, 10,  9 } },
	{ 1, {  4,  1,  2 } }, { 1, {  5,  4,  3 } }, { 1, {  6,  7,  8 } }, { 1, {  7, 10,  9 } },
	{ 0, {  8,  2,  4 } }, { 0, {  9,  5,  5 } }, { 0, { 10,  8, 10 } }, { 0, { 11, 11, 11 } },
	{ 1, {  8,  2,  4 } }, { 1, {  9,  5,  5 } }, { 1, { 10,  8, 10 } }, { 1, { 11, 11, 11 } },
};

static void
carry_out(const struct plan *plan, const struct model *model, size_t tensor, float *target)
{
	for (size_t i = 0; i < plan->copy_count; i++) {
		const struct plan_copy       *copy = &plan->copies[i];
		const struct model_parameter *from;
		float                         source[STORAGE_ROOM];

		if (copy->tensor != tensor || copy->action != COPY_WRITE)
			continue;
		from = &model->parameters[plan->tensors[tensor].parameter];
		fill_storage(&from->slices[copy->shard % from->slice_count].view, copy->shard, source);
		strided_copy_run(&copy->box, (const unsigned char *)source,
			(unsigned char *)target, sizeof *target);
	}
}

static size_t
tensor_named(const struct plan *plan, const char *name)
{
	size_t i = 0;

	while (i + 1 < plan->tensor_count && strcmp(plan->tensors[i].name, name) != 0)
		i++;
	return i;
}

static void
test_qkv(const struct plan *plan, const struct model *model, unsigned layout)
{
	float  weight[HIDDEN * 3 * HIDDEN], bias[3 * HIDDEN];
	size_t wrong = 0;

	carry_out(plan, model, tensor_named(plan, "transformer.h.0.attn.c_attn.weight"), weight);
	carry_out(plan, model, tensor_named(plan, "transformer.h.0.attn.c_attn.bias"), bias);
	for (unsigned j = 0; j < 24; j++) {
		unsigned row = columns[j].row[layout];

		wrong += bias[j] != element_of(columns[j].rank, row, 0);
		for (unsigned x = 0; x < HIDDEN; x++)
			wrong += weight[x * 24 + j] != element_of(columns[j].rank, row, x);
	}
	CHECK(wrong == 0, "layout %u: %zu elements are elsewhere", layout, wrong);
}

/* target[x][y] for the other ways to join, by the rule written out. */
static void
test_joins(const struct plan *plan, const struct model *model)
{
	float  dense[HIDDEN * HIDDEN], up[HIDDEN * FFN], down[FFN * HIDDEN], words[WORDS * HIDDEN];
	float  up_bias[FFN];
	size_t wrong = 0;

	carry_out(plan, model, tensor_named(plan, "transformer.h.0.attn.c_proj.weight"), dense);
	carry_out(plan, model, tensor_named(plan, "transformer.h.0.mlp.c_fc.weight"), up);
	carry_out(plan, model, tensor_named(plan, "transformer.h.0.mlp.c_fc.bias"), up_bias);
	carry_out(plan, model, tensor_named(plan, "transformer.h.0.mlp.c_proj.weight"), down);
	carry_out(plan, model, tensor_named(plan, "transformer.wte.weight"), words);
	for (unsigned in = 0; in < HIDDEN; in++)
		for (unsigned out = 0; out < HIDDEN; out++)
			wrong += dense[in * HIDDEN + out] != element_of(in / 4, out, in % 4);
	CHECK(wrong == 0, "attention dense: columns are joined, then transposed");
	for (unsigned in = 0; in < HIDDEN; in++)
		for (unsigned out = 0; out < FFN; out++)
			wrong += up[in * FFN + out] != element_of(out / 16, out % 16, in);
	CHECK(wrong == 0, "up: rows are joined, then transposed");
	for (unsigned out = 0; out < FFN; out++)
		wrong += up_bias[out] != element_of(out / 16, out % 16, 0);
	CHECK(wrong == 0, "up bias: joined");
	for (unsigned in = 0; in < FFN; in++)
		for (unsigned out = 0; out < HIDDEN; out++)
			wrong += down[in * HIDDEN + out] != element_of(in / 16, out, in % 16);
	CHECK(wrong == 0, "down: columns are joined, then transposed");
	for (unsigned word = 0; word < WORDS; word++)
		for (unsigned x = 0; x < HIDDEN; x++)
			wrong += words[word * HIDDEN + x] != element_of(word / 8, word % 8, x);
	CHECK(wrong == 0, "words: rows are joined, 5 padding rows left out");
}

static void
test_proof(void)
{
	static const struct {
		const char         *name;
		struct strided_copy boxes[2];
		size_t              count;
		int                 covers;
	} rows[] = {
		{ "all of it", { { 1, { 12 }, { 1 }, { 1 }, 0, 0 } }, 1, 1 },
		{ "one too few", { { 1, { 11 }, { 1 }, { 1 }, 0, 0 } }, 1, 0 },
		{ "one too many", { { 1, { 13 }, { 1 }, { 1 }, 0, 0 } }, 1, 0 },
		{ "two halves", { { 1, { 6 }, { 1 }, { 1 }, 0, 0 }, { 1, { 6 }, { 1 }, { 1 }, 0, 6 } },
			2, 1 },
		{ "the same half twice", { { 1, { 6 }, { 1 }, { 1 }, 0, 0 },
			{ 1, { 6 }, { 1 }, { 1 }, 0, 0 } }, 2, 0 },
		{ "halves that overlap by one", { { 1, { 6 }, { 1 }, { 1 }, 0, 0 },
			{ 1, { 6 }, { 1 }, { 1 }, 0, 5 } }, 2, 0 },
		{ "left and right columns", { { 2, { 3, 2 }, { 2, 1 }, { 4, 1 }, 0, 0 },
			{ 2, { 3, 2 }, { 2, 1 }, { 4, 1 }, 0, 2 } }, 2, 1 },
		{ "left columns twice", { { 2, { 3, 2 }, { 2, 1 }, { 4, 1 }, 0, 0 },
			{ 2, { 3, 2 }, { 2, 1 }, { 4, 1 }, 0, 0 } }, 2, 0 },
		{ "columns that run into the next row", { { 2, { 3, 2 }, { 2, 1 }, { 4, 1 }, 0, 0 },
			{ 2, { 3, 2 }, { 2, 1 }, { 4, 1 }, 0, 3 } }, 2, 0 },
		{ "past the end", { { 1, { 6 }, { 1 }, { 1 }, 0, 0 }, { 1, { 6 }, { 1 }, { 1 }, 0, 7 } },
			2, 0 },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct error err = { 0 };

		CHECK(proof_covers(rows[i].boxes, rows[i].count, 12, &err) == rows[i].covers, "%s",
			rows[i].name);
		CHECK((err.kind == ERROR_INTERNAL) != rows[i].covers, "%s", rows[i].name);
	}
}

int
main(void)
{
	for (unsigned layout = 0; layout < 3; layout++) {
		struct model model;
		struct error err = { 0 };
		struct plan *plan;

		make_model(&model, (enum qkv_layout)layout);
		plan = plan_build(&model, NULL, &err);
		CHECK(plan != NULL, "%s", err.text);
		if (plan != NULL) {
			CHECK(plan->tensor_count == 16 && plan->padding_rows == ROWS - WORDS, "counts");
			/* Nine replicated parameters, each in one more rank. */
			CHECK(plan->replica_count == 9, "%zu replicas", plan->replica_count);
			test_qkv(plan, &model, layout);
			test_joins(plan, &model);
		}
		plan_close(plan);
		free_model(&model);
	}
	test_proof();
	return check_end("plan");
}
