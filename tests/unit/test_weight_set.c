#include "check/weight_set.h"

#include "check/weight_index.h"
#include "check/weight_read.h"

#include "check.h"
#include "memory_file.h"
#include "scratch_folder.h"
#include "tiny_pickle.h"

/* ---- reading ---------------------------------------------------------------------- */

/* Element k of the storage is the number k, so that the element at an index is its place. */
#define STORAGE 1500000u        /* elements: 6 MB, more than is read at once */
#define BEFORE  12u             /* bytes in front of the storage */

static const struct view {
	const char *what;
	unsigned    rank;
	uint64_t    shape[TENSOR_MAX_RANK], stride[TENSOR_MAX_RANK];
	uint64_t    offset;             /* in elements */
} views[] = {
	{ "plain", 2, { 1000, 1500 }, { 1500, 1 }, 0 },
	{ "scalar", 0, { 0 }, { 0 }, 1499999 },
	{ "transposed, narrow", 2, { 300, 5000 }, { 1, 300 }, 0 },
	{ "transposed, wide gaps", 2, { 15000, 100 }, { 1, 15000 }, 0 },
	{ "transposed, wider than the buffer", 2, { 750000, 2 }, { 1, 750000 }, 0 },
	{ "columns", 2, { 1000, 3 }, { 1500, 1 }, 700 },
	{ "columns far apart", 2, { 60, 2 }, { 25000, 7 }, 11 },
	{ "every seventh", 1, { 200000 }, { 7 }, 5 },
	{ "single elements far apart", 1, { 300 }, { 5000 }, 1 },
	{ "expanded outside", 2, { 40, 1000 }, { 0, 1 }, 17 },
	{ "expanded inside", 3, { 1000, 9, 20 }, { 20, 0, 1 }, 3 },
	{ "one element expanded", 2, { 30, 40 }, { 0, 0 }, 99 },
	{ "overlapping windows", 2, { 5000, 30 }, { 10, 1 }, 0 },
	{ "sizes of 1", 4, { 1, 300, 1, 40 }, { 77, 40, 5, 1 }, 8 },
	{ "three, reversed", 3, { 50, 60, 70 }, { 1, 50, 3000 }, 0 },
	{ "four, mixed", 4, { 10, 20, 30, 40 }, { 1, 10, 8000, 200 }, 2 },
	{ "five, reversed", 5, { 5, 6, 7, 8, 9 }, { 1, 5, 30, 210, 1680 }, 0 },
	{ "eight, reversed", 8, { 2, 3, 2, 3, 2, 3, 2, 3 }, { 1, 2, 6, 12, 36, 72, 216, 432 }, 6 },
};

static struct input_file *
pattern_file(void)
{
	uint32_t          *numbers = malloc(BEFORE + STORAGE * sizeof *numbers);
	struct input_file *file;

	memory_file_must(numbers != NULL, "malloc");
	memset(numbers, 0xee, BEFORE);
	for (uint32_t i = 0; i < STORAGE; i++)
		numbers[BEFORE / sizeof *numbers + i] = i;
	file = memory_file_open(numbers, BEFORE + STORAGE * sizeof *numbers);
	free(numbers);
	return file;
}

static uint64_t
place_of(const struct view *view, uint64_t index)
{
	uint64_t place = view->offset;

	for (unsigned i = view->rank; i-- > 0;) {
		place += index % view->shape[i] * view->stride[i];
		index /= view->shape[i];
	}
	return place;
}

/* Elements [first, first + count), with a guard behind them. */
static void
check_range(const struct input_file *file, const struct view *view,
	const struct weight_tensor *tensor, uint64_t first, uint64_t count)
{
	uint32_t    *found = malloc((count + 1) * sizeof *found);
	struct error err = { 0 };
	uint64_t     i = 0;
	bool         done;

	memory_file_must(found != NULL, "malloc");
	found[count] = 0xdeadbeef;
	done = weight_read(file, tensor, first, count, found, &err);
	CHECK(done, "%s: %s", view->what, err.text);
	while (i < count && found[i] == place_of(view, first + i))
		i++;
	CHECK(i == count && found[count] == 0xdeadbeef, "%s, %llu from %llu: wrong at %llu",
		view->what, (unsigned long long)count, (unsigned long long)first,
		(unsigned long long)i);
	free(found);
}

static void
test_views(void)
{
	struct input_file *file = pattern_file();

	for (size_t i = 0; i < sizeof views / sizeof *views; i++) {
		const struct view   *view = &views[i];
		struct weight_tensor tensor = { .name = view->what, .dtype = DTYPE_INT32,
			.rank = view->rank, .offset = BEFORE + view->offset * sizeof(uint32_t) };
		uint64_t             count;

		memcpy(tensor.shape, view->shape, sizeof tensor.shape);
		memcpy(tensor.stride, view->stride, sizeof tensor.stride);
		count = weight_set_elements(&tensor);
		check_range(file, view, &tensor, 0, count);
		check_range(file, view, &tensor, count - 1, 1);
		check_range(file, view, &tensor, count / 3, count - count / 3);
		check_range(file, view, &tensor, count / 7, count / 5);
		for (uint64_t first = 0; first < count; first += 333333)
			check_range(file, view, &tensor, first,
				count - first < 333333 ? count - first : 333333);
	}
	input_file_close(file);
}

/* ---- directories ------------------------------------------------------------------ */

/* A safetensors file of tensors of 4 numbers, named by the letters of `names`. */
static void
put_weights(const char *file, const char *names)
{
	unsigned char bytes[4096] = { 0 };
	size_t        count = strlen(names), length = 0;
	char          header[2048] = "{";

	for (size_t i = 0; i < count; i++) {
		length = strlen(header);
		snprintf(header + length, sizeof header - length,
			"%s\"%c\":{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[%zu,%zu]}",
			i > 0 ? "," : "", names[i], 16 * i, 16 * i + 16);
	}
	strcat(header, "}");
	length = strlen(header);
	bytes[0] = (unsigned char)length;
	bytes[1] = (unsigned char)(length >> 8);
	memcpy(bytes + 8, header, length);
	scratch_write(file, bytes, 8 + length + 16 * count);
}

static void
put_index(const char *name, const char *map)
{
	char text[1024];

	snprintf(text, sizeof text, "{\"metadata\":{},\"weight_map\":{%s}}", map);
	scratch_write(name, text, strlen(text));
}

#define INDEX "d/model.safetensors.index.json"
#define TORCH_INDEX "d/pytorch_model.bin.index.json"

static void
put_shards(const char *map)
{
	put_weights("d/x.safetensors", "ac");
	put_weights("d/y.safetensors", "bd");
	put_index(INDEX, map);
}

static void one_file(void) { put_weights("d/model.safetensors", "ba"); }
static void no_weights(void) { scratch_write("d/config.json", "{}", 2); }
static void shards(void)
{
	put_shards("\"a\":\"x.safetensors\",\"b\":\"y.safetensors\","
		"\"c\":\"x.safetensors\",\"d\":\"y.safetensors\"");
}
static void shard_not_listed(void)
{
	put_shards("\"a\":\"x.safetensors\",\"b\":\"y.safetensors\"");
}
static void shard_missing(void)
{
	put_shards("\"a\":\"x.safetensors\",\"b\":\"z.safetensors\"");
}
static void tensor_missing(void)
{
	put_shards("\"a\":\"x.safetensors\",\"d\":\"x.safetensors\"");
}
static void name_twice(void)
{
	shards();
	put_weights("d/y.safetensors", "bcd");
}
static void path_up(void) { put_shards("\"a\":\"../d/x.safetensors\""); }
static void path_absolute(void) { put_shards("\"a\":\"/etc/passwd\""); }
static void path_folder(void) { put_shards("\"a\":\"sub/x.safetensors\""); }
static void path_backslash(void) { put_shards("\"a\":\"..\\\\x.safetensors\""); }
static void path_dots(void) { put_shards("\"a\":\"..\""); }
static void path_empty(void) { put_shards("\"a\":\"\""); }
static void file_number(void) { put_shards("\"a\":1"); }
static void no_map(void) { scratch_write(INDEX, "{\"metadata\":{}}", 15); }
static void index_cut(void) { scratch_write(INDEX, "{\"weight_map\":{", 15); }
static void index_list(void) { scratch_write(INDEX, "[]", 2); }
static void index_twice(void) { put_shards("\"a\":\"x.safetensors\",\"a\":\"y.safetensors\""); }
static void both(void)
{
	one_file();
	scratch_link("d/pytorch_model.bin", "fixtures/gpt2/tiny-legacy.bin");
}
static void torch_only(void) { scratch_link("d/pytorch_model.bin", "fixtures/gpt2/tiny-zip.bin"); }
static void torch_shards(void)
{
	scratch_link("d/one.bin", "fixtures/gpt2/tiny-legacy.bin");
	put_index(TORCH_INDEX, "\"transformer.wte.weight\":\"one.bin\"");
}
static void torch_hostile(void) { scratch_link("d/pytorch_model.bin", "fixtures/gpt2/hostile.bin"); }
static void torch_inside(void) { scratch_link("d/model.safetensors", "fixtures/gpt2/tiny-zip.bin"); }
static void torch_deflated(void)
{
	scratch_link("d/pytorch_model.bin", "fixtures/ngc/good-torchzip-rezipped-deflated.pt");
}
static void
put_torch(const char *notation)
{
	struct text file = { 0 };

	tiny_pickle_file(&file, notation);
	scratch_write("d/pytorch_model.bin", file.bytes, file.length);
	text_free(&file);
}
static void torch_alias(void) { put_torch("{a:T(2x2)=1,b:&1}"); }
static void torch_alias_nul(void) { put_torch("{a:T(2x2)=1,b^c:&1}"); }
static void torch_alias_below(void) { put_torch("{a:{x:T(2x2)=1},b:&1}"); }
static void torch_others(void) { put_torch("{a:T(2x2),step:5,names:['x']}"); }
static void torch_list(void) { put_torch("[T(2x2)]"); }
static void torch_nothing(void) { put_torch("{}"); }
static void torch_twice(void) { put_torch("{a:T(2x2),a:T(4)}"); }
static void torch_no_elements(void) { put_torch("{a:T(0x2),b:T(4)}"); }
static void index_empty(void) { put_index(INDEX, ""); }
static void safetensors_inside(void) { put_weights("d/pytorch_model.bin", "a"); }
static void cut_short(void) { scratch_write("d/model.safetensors", "abc", 3); }

static const struct row {
	const char      *what;
	void           (*make)(void);
	enum weight_form form;
	const char      *expected;      /* "TENSORS in FILES", or "KIND SLUG FILE TENSOR" */
} rows[] = {
	{ "one file", one_file, WEIGHTS_ANY, "2 in 1" },
	{ "one file, as safetensors", one_file, WEIGHTS_SAFETENSORS, "2 in 1" },
	{ "one file, as torch", one_file, WEIGHTS_TORCH, "6 noweights d " },
	{ "nothing", no_weights, WEIGHTS_ANY, "6 noweights d " },
	{ "shards", shards, WEIGHTS_ANY, "4 in 2" },
	{ "tensors that no index lists", shard_not_listed, WEIGHTS_ANY, "4 in 2" },
	{ "shard missing", shard_missing, WEIGHTS_ANY, "6 noinput d/z.safetensors " },
	{ "tensor missing", tensor_missing, WEIGHTS_ANY, "3 vindex d/x.safetensors d" },
	{ "name in two shards", name_twice, WEIGHTS_ANY, "3 nametwice d/y.safetensors c" },
	{ "path up", path_up, WEIGHTS_ANY, "5 vindex " INDEX " a" },
	{ "absolute path", path_absolute, WEIGHTS_ANY, "5 vindex " INDEX " a" },
	{ "path into a folder", path_folder, WEIGHTS_ANY, "5 vindex " INDEX " a" },
	{ "backslash", path_backslash, WEIGHTS_ANY, "5 vindex " INDEX " a" },
	{ "..", path_dots, WEIGHTS_ANY, "5 vindex " INDEX " a" },
	{ "no name", path_empty, WEIGHTS_ANY, "5 vindex " INDEX " a" },
	{ "number for a file", file_number, WEIGHTS_ANY, "3 vindex " INDEX " a" },
	{ "no weight_map", no_map, WEIGHTS_ANY, "3 vindex " INDEX " " },
	{ "index cut", index_cut, WEIGHTS_ANY, "3 json " INDEX " " },
	{ "index a list", index_list, WEIGHTS_ANY, "3 vindex " INDEX " " },
	{ "key twice", index_twice, WEIGHTS_ANY, "3 json " INDEX " " },
	{ "both, safetensors first", both, WEIGHTS_ANY, "2 in 1" },
	{ "both, as torch", both, WEIGHTS_TORCH, "16 in 1" },
	/* make_torch.py: 16 weights, 2 masks, and lm_head that is the object wte. */
	{ "torch zip with a tensor under two names", torch_only, WEIGHTS_ANY, "19 in 1" },
	{ "torch shards", torch_shards, WEIGHTS_ANY, "16 in 1" },
	{ "hostile pickle", torch_hostile, WEIGHTS_ANY, "5 os d/pytorch_model.bin " },
	{ "torch under a wrong name", torch_inside, WEIGHTS_ANY,
	  "3 otherformat d/model.safetensors " },
	{ "safetensors under a wrong name", safetensors_inside, WEIGHTS_ANY,
	  "3 otherformat d/pytorch_model.bin " },
	{ "deflated records", torch_deflated, WEIGHTS_ANY,
	  "4 deflated d/pytorch_model.bin model.language_model.embedding.word_embeddings.weight" },
	{ "a tensor under two names", torch_alias, WEIGHTS_ANY, "2 in 1" },
	{ "the second name with a NUL", torch_alias_nul, WEIGHTS_ANY, "3 strings d/pytorch_model.bin " },
	{ "the first name below another", torch_alias_below, WEIGHTS_ANY, "2 in 1" },
	{ "what is no tensor beside", torch_others, WEIGHTS_ANY, "1 in 1" },
	{ "a list of a tensor", torch_list, WEIGHTS_ANY, "1 in 1" },
	{ "no tensor", torch_nothing, WEIGHTS_ANY, "0 in 1" },
	{ "a key twice", torch_twice, WEIGHTS_ANY, "5 hash d/pytorch_model.bin " },
	{ "no elements", torch_no_elements, WEIGHTS_ANY, "2 in 1" },
	{ "an index of nothing", index_empty, WEIGHTS_ANY, "0 in 0" },
	{ "cut short", cut_short, WEIGHTS_ANY, "*" },
};

static void
test_rows(void)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct error       err = { 0 };
		struct weight_set *set;
		char               found[1024];

		scratch_empty();
		memory_file_must(chdir(scratch) == 0, scratch);
		rows[i].make();
		set = weight_set_open("d", rows[i].form, &err);
		if (set != NULL)
			snprintf(found, sizeof found, "%zu in %zu", set->count, set->file_count);
		else
			snprintf(found, sizeof found, "%d %s %s %s", (int)err.kind, err.slug, err.file,
				err.tensor);
		if (strcmp(rows[i].expected, "*") == 0)
			CHECK(set == NULL && err.kind == ERROR_CORRUPT, "%s: %s", rows[i].what, found);
		else
			CHECK_TEXT(found, rows[i].expected, "%s (%s)", rows[i].what, err.text);
		CHECK((set == NULL) == (err.kind != ERROR_NONE), "%s: both or neither",
			rows[i].what);
		weight_set_close(set);
		memory_file_must(chdir(scratch_start) == 0, scratch_start);
	}
}

/* ---- files ------------------------------------------------------------------------ */

/* Views that torch wrote, and the same tensors as the safetensors library wrote them. */
static void
test_torch_views(void)
{
	struct error       err = { 0 };
	struct weight_set *views_of_torch = weight_set_open("fixtures/diff/odd.bin", WEIGHTS_ANY,
		&err);
	struct weight_set *plain = weight_set_open("fixtures/diff/odd.safetensors", WEIGHTS_ANY,
		&err);

	CHECK(views_of_torch != NULL && plain != NULL, "%s", err.text);
	if (views_of_torch == NULL || plain == NULL)
		return;
	CHECK(plain->count == 12 && views_of_torch->count == 12, "%zu, %zu", plain->count,
		views_of_torch->count);
	for (size_t i = 0; i < plain->count; i++) {
		const struct weight_tensor *wanted = &plain->tensors[i];
		const struct weight_tensor *view = weight_set_find(views_of_torch, wanted->name);
		uint64_t                    count = weight_set_elements(wanted);
		uint32_t                    a[4096], b[4096];

		CHECK(view != NULL && view->rank == wanted->rank && memcmp(view->shape,
			wanted->shape, wanted->rank * sizeof *view->shape) == 0, "%s", wanted->name);
		if (view == NULL || count > sizeof a / sizeof *a)
			continue;
		CHECK(weight_set_read(plain, wanted, 0, count, a, &err)
			&& weight_set_read(views_of_torch, view, 0, count, b, &err)
			&& memcmp(a, b, count * sizeof *a) == 0, "%s: %s", wanted->name, err.text);
		for (uint64_t k = 0; k < count; k++)
			CHECK(weight_set_read(views_of_torch, view, k, 1, b, &err) && b[0] == a[k],
				"%s: element %llu", wanted->name, (unsigned long long)k);
	}
	CHECK(weight_set_find(plain, "none") == NULL, "found");
	CHECK(weight_set_unchanged(plain, &err), "%s", err.text);
	weight_set_close(views_of_torch);
	weight_set_close(plain);
	weight_set_close(NULL);
}

static void
test_bare(void)
{
	static const char *const bare[] = { "x", "model-00001-of-00002.safetensors", "..x", "x.." };
	static const char *const paths[] = { "", ".", "..", "/x", "a/b", "a/", "a\\b", "./x" };

	for (size_t i = 0; i < sizeof bare / sizeof *bare; i++)
		CHECK(weight_index_is_bare(bare[i]), "%s", bare[i]);
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
		CHECK(!weight_index_is_bare(paths[i]), "%s", paths[i]);
}

int
main(void)
{
	scratch_open();
	test_views();
	test_rows();
	test_torch_views();
	test_bare();
	scratch_close();
	return check_end("weight_set");
}
