#include "check/diff.h"

#include "check.h"
#include "scratch_folder.h"
#include "tiny_pickle.h"

/*
 * Which tensor of two files goes with which, and what is compared of a pair: tests/diff has
 * the numbers.  Files are in the notation of tiny_pickle.h, in which all elements are equal.
 */
static const struct row {
	const char *what, *a, *b;
	const char *pairs;      /* "A/B STATE COMPARED;", padded ones with a "+" */
} rows[] = {
	{ "the same", "{x:T(2x3)}", "{x:T(2x3)}", "x/x equal 6;" },
	{ "another number of dimensions", "{x:T(2x3)}", "{x:T(6)}", "x/x shape 0;" },
	{ "another size", "{x:T(2x3)}", "{x:T(3x2)}", "x/x shape 0;" },
	{ "more rows of no embedding", "{c_fc.weight:T(2x3)}", "{c_fc.weight:T(4x3)}", "c_fc.weight/c_fc.weight shape 0;" },
	{ "more rows of an embedding", "{wte.weight:T(2x3)}", "{wte.weight:T(4x3)}", "wte.weight/wte.weight shape+ 6;" },
	{ "fewer rows of an embedding", "{wte.weight:T(4x3)}", "{wte.weight:T(2x3)}", "wte.weight/wte.weight shape+ 6;" },
	{ "more rows of an output layer", "{lm_head.weight:T(2x3)}", "{lm_head.weight:T(4x3)}", "lm_head.weight/lm_head.weight shape+ 6;" },
	{ "the same in a checkpoint", "{a.word_embeddings.weight:T(2x3)}", "{a.word_embeddings.weight:T(4x3)}", "a.word_embeddings.weight/a.word_embeddings.weight shape+ 6;" },
	{ "its output layer", "{output_layer.weight:T(2x3)}", "{output_layer.weight:T(4x3)}", "output_layer.weight/output_layer.weight shape+ 6;" },
	{ "wider rows of an embedding", "{wte.weight:T(2x3)}", "{wte.weight:T(2x4)}", "wte.weight/wte.weight shape 0;" },
	{ "an embedding of one dimension", "{wte.weight:T(6)}", "{wte.weight:T(2x3)}", "wte.weight/wte.weight shape 0;" },
	{ "an embedding against one", "{wte.weight:T(2x3)}", "{wte.weight:T(6)}", "wte.weight/wte.weight shape 0;" },
	{ "a prefix in B", "{x:T(2)}", "{transformer.x:T(2)}", "x/transformer.x equal 2;" },
	{ "a prefix in A", "{transformer.x:T(2)}", "{x:T(2)}", "transformer.x/x equal 2;" },
	{ "a prefix that has a namesake", "{x:T(2)}", "{x:T(2),transformer.x:T(2)}", "x/x equal 2;-/transformer.x only_b 0;" },
	{ "both in A", "{x:T(2),transformer.x:T(2)}", "{transformer.x:T(2)}", "transformer.x/transformer.x equal 2;x/- only_a 0;" },
	{ "nothing in common", "{x:T(2)}", "{y:T(2)}", "x/- only_a 0;-/y only_b 0;" },
	{ "no elements", "{x:T(0x3)}", "{x:T(0x3)}", "x/x equal 0;" },
};

static struct weight_set *
open_set(const char *name, const char *notation)
{
	struct text        file = { 0 };
	struct error       err = { 0 };
	struct weight_set *set;

	tiny_pickle_file(&file, notation);
	scratch_write(name, file.bytes, file.length);
	text_free(&file);
	set = weight_set_open(scratch_path(name), WEIGHTS_ANY, &err);
	CHECK(set != NULL, "%s: %s", notation, err.text);
	return set;
}

static void
describe(const struct diff_result *result, struct text *to)
{
	static const char *const states[] = { "equal", "within", "differs", "shape", "only_a",
		"only_b" };

	for (size_t i = 0; i < result->count; i++) {
		const struct diff_tensor *pair = &result->tensors[i];

		text_add(to, "%s/%s %s%s %llu;", pair->a != NULL ? pair->a->name : "-",
			pair->b != NULL ? pair->b->name : "-", states[pair->state],
			pair->is_padded ? "+" : "", (unsigned long long)pair->values.compared);
	}
}

static void
check_row(const struct row *row, unsigned threads)
{
	const struct diff_options options = { .tolerance = -1, .threads = threads };
	struct weight_set        *a = open_set("a.bin", row->a), *b = open_set("b.bin", row->b);
	struct diff_result        result = { 0 };
	struct text               found = { 0 };
	struct error              err = { 0 };

	if (a != NULL && b != NULL) {
		CHECK(diff_sets(a, b, &options, &result, &err), "%s: %s", row->what, err.text);
		describe(&result, &found);
		CHECK_TEXT(found.bytes != NULL ? found.bytes : "", row->pairs, "%s", row->what);
	}
	text_free(&found);
	diff_fini(&result);
	weight_set_close(a);
	weight_set_close(b);
}

int
main(void)
{
	scratch_open();
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		for (unsigned threads = 1; threads <= 2; threads++)
			check_row(&rows[i], threads);
	scratch_close();
	return check_end("diff_sets");
}
