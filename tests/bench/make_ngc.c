/*
 * A checkpoint of the size and form of NGC's megatron_lm_345m, filled with random numbers,
 * so that a conversion can be measured without the download; and larger ones.
 *
 * DIR/latest_checkpointed_iteration.txt says "release"; DIR/release/mp_rank_NN/
 * model_optim_rng.pt, for each tensor rank, is a torch "legacy" stream:
 *
 *     pickle   the magic integer 0x1950a86a20f9469cfc6c
 *     pickle   1001, the protocol version
 *     pickle   {protocol_version, little_endian, type_sizes}
 *     pickle   {'iteration': 0, 'model': {'language_model': {'embedding': ...,
 *              'transformer': OrderedDict of 'layers.N....'}}}
 *     pickle   the list of storage keys, sorted as text
 *     for each key: i64 count of elements, then count x fp16, little-endian
 *
 * With --optimizer N there are N more storages of its size behind each weight's, which hold
 * nothing (holes, where the file system has them), and {'optimizer': {'state': ...}} names them.
 * With --holes the weights hold nothing either: enough for what looks at their places only.
 *
 * A file that is there already with the right size is kept, whatever its seed.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { EMBEDDING_TENSORS = 2, LAYER_TENSORS = 12, FINAL_TENSORS = 2, MOST_RANKS = 64 };

/* Extents of a tensor; what each is worth stands in struct model. */
enum extent { NONE, HIDDEN, QKV, FFN, POSITIONS, VOCABULARY, EXTENTS };

struct model {
	uint64_t layers, seed, tensor_size, extents[EXTENTS];
	uint64_t optimizer;             /* storages of an optimizer behind that of each weight */
	bool     holes;
};

/* What tensor ranks share out; WHOLE: each has the same copy. */
enum split { WHOLE, ROWS, COLUMNS };

struct tensor_rule {
	const char *name;
	enum extent rows, columns;
	enum split  split;
	float       centre;             /* mean of the values */
};

static const struct tensor_rule embeddings[EMBEDDING_TENSORS] = {
	{ "word_embeddings",                  VOCABULARY, HIDDEN, ROWS,    0 },
	{ "position_embeddings",              POSITIONS,  HIDDEN, WHOLE,   0 },
};

static const struct tensor_rule layer[LAYER_TENSORS] = {
	{ "input_layernorm.weight",           HIDDEN, NONE,   WHOLE,   1 },
	{ "input_layernorm.bias",             HIDDEN, NONE,   WHOLE,   0 },
	{ "attention.query_key_value.weight", QKV,    HIDDEN, ROWS,    0 },
	{ "attention.query_key_value.bias",   QKV,    NONE,   ROWS,    0 },
	{ "attention.dense.weight",           HIDDEN, HIDDEN, COLUMNS, 0 },
	{ "attention.dense.bias",             HIDDEN, NONE,   WHOLE,   0 },
	{ "post_attention_layernorm.weight",  HIDDEN, NONE,   WHOLE,   1 },
	{ "post_attention_layernorm.bias",    HIDDEN, NONE,   WHOLE,   0 },
	{ "mlp.dense_h_to_4h.weight",         FFN,    HIDDEN, ROWS,    0 },
	{ "mlp.dense_h_to_4h.bias",           FFN,    NONE,   ROWS,    0 },
	{ "mlp.dense_4h_to_h.weight",         HIDDEN, FFN,    COLUMNS, 0 },
	{ "mlp.dense_4h_to_h.bias",           HIDDEN, NONE,   WHOLE,   0 },
};

static const struct tensor_rule final[FINAL_TENSORS] = {
	{ "final_layernorm.weight",           HIDDEN, NONE,   WHOLE,   1 },
	{ "final_layernorm.bias",             HIDDEN, NONE,   WHOLE,   0 },
};

struct tensor {
	char     name[64], key[24];
	uint64_t rows, columns;         /* columns 0: one dimension */
	uint64_t count, offset;         /* offset: of the count field in the file */
	bool     shared_out;
	float    centre;
};

struct tensor_list {
	struct tensor *tensors;
	size_t         count;
	uint64_t       next_address;
	uint64_t       optimizer;       /* of the model */
};

static void
list_add(struct tensor_list *list, const struct model *model, const struct tensor_rule *rule,
	const char *name)
{
	struct tensor *tensor = &list->tensors[list->count++];

	snprintf(tensor->name, sizeof tensor->name, "%s", name);
	tensor->rows = model->extents[rule->rows] / (rule->split == ROWS ? model->tensor_size : 1);
	tensor->columns = model->extents[rule->columns] /
		(rule->split == COLUMNS ? model->tensor_size : 1);
	tensor->shared_out = rule->split != WHOLE;
	tensor->count = tensor->rows * (tensor->columns ? tensor->columns : 1);
	if (tensor->count > INT32_MAX)
		errx(2, "%s would have more than 2^31 - 1 elements", name);
	tensor->centre = rule->centre;
	/* torch names a storage by its address: ascending in the order of creation. */
	snprintf(tensor->key, sizeof tensor->key, "%llu",
		(unsigned long long)list->next_address);
	list->next_address += (1 + list->optimizer) * ((tensor->count * 2 + 511) / 512 * 512);
}

/* One of the optimizer's, behind that of the weight. */
static struct tensor
optimizer_tensor(const struct tensor *weight, uint64_t number)
{
	struct tensor made = *weight;

	snprintf(made.key, sizeof made.key, "%llu", strtoull(weight->key, NULL, 10)
		+ (unsigned long long)(number * ((weight->count * 2 + 511) / 512 * 512)));
	made.offset += number * (8 + 2 * weight->count);
	return made;
}

static struct tensor_list
list_build(const struct model *model)
{
	struct tensor_list list = { .next_address = 94102938475648,
		.optimizer = model->optimizer };
	char               name[64];

	list.tensors = calloc(EMBEDDING_TENSORS + LAYER_TENSORS * model->layers +
		FINAL_TENSORS, sizeof *list.tensors);
	if (list.tensors == NULL)
		err(1, "list of tensors");
	for (int i = 0; i < EMBEDDING_TENSORS; i++)
		list_add(&list, model, &embeddings[i], embeddings[i].name);
	for (uint64_t n = 0; n < model->layers; n++)
		for (int i = 0; i < LAYER_TENSORS; i++) {
			snprintf(name, sizeof name, "layers.%llu.%s",
				(unsigned long long)n, layer[i].name);
			list_add(&list, model, &layer[i], name);
		}
	for (int i = 0; i < FINAL_TENSORS; i++)
		list_add(&list, model, &final[i], final[i].name);
	return list;
}

/* The pickles, protocol 2, without memo: what repeats is spelled out again. */

#define PUT(pickle, opcodes) fwrite(opcodes, 1, sizeof opcodes - 1, pickle)

static void
put_little_endian(FILE *pickle, uint64_t value, int bytes)
{
	for (int i = 0; i < bytes; i++)
		putc((int)(value >> 8 * i & 255), pickle);
}

static void
put_text(FILE *pickle, const char *text)
{
	PUT(pickle, "X");
	put_little_endian(pickle, strlen(text), 4);
	fputs(text, pickle);
}

static void
put_int(FILE *pickle, uint64_t value)
{
	PUT(pickle, "J");
	put_little_endian(pickle, value, 4);
}

static void
put_ordered_dict(FILE *pickle)
{
	PUT(pickle, "ccollections\nOrderedDict\n)R");
}

/* _rebuild_tensor_v2(storage, offset, size, stride, requires_grad, backward_hooks) */
static void
put_tensor(FILE *pickle, const struct tensor *tensor)
{
	PUT(pickle, "ctorch._utils\n_rebuild_tensor_v2\n((");
	put_text(pickle, "storage");
	PUT(pickle, "ctorch\nHalfStorage\n");
	put_text(pickle, tensor->key);
	put_text(pickle, "cuda:0");
	put_int(pickle, tensor->count);
	PUT(pickle, "NtQK\0(");
	put_int(pickle, tensor->rows);
	if (tensor->columns != 0) {
		put_int(pickle, tensor->columns);
		PUT(pickle, "t(");
		put_int(pickle, tensor->columns);
	} else
		PUT(pickle, "t(");
	put_int(pickle, 1);
	PUT(pickle, "t\x89");
	put_ordered_dict(pickle);
	PUT(pickle, "tR");
}

static void
put_head(FILE *pickle)
{
	PUT(pickle, "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.");
	PUT(pickle, "\x80\x02M\xe9\x03.");
	PUT(pickle, "\x80\x02}(");
	put_text(pickle, "protocol_version");
	put_int(pickle, 1001);
	put_text(pickle, "little_endian");
	PUT(pickle, "\x88");
	put_text(pickle, "type_sizes");
	PUT(pickle, "}(");
	put_text(pickle, "short");
	put_int(pickle, 2);
	put_text(pickle, "int");
	put_int(pickle, 4);
	put_text(pickle, "long");
	put_int(pickle, 4);
	PUT(pickle, "uu.");
}

static void
put_optimizer(FILE *pickle, const struct tensor_list *list)
{
	char name[96];

	if (list->optimizer == 0)
		return;
	put_text(pickle, "optimizer");
	PUT(pickle, "}");
	put_text(pickle, "state");
	PUT(pickle, "}(");
	for (size_t i = 0; i < list->count; i++)
		for (uint64_t n = 1; n <= list->optimizer; n++) {
			struct tensor tensor = optimizer_tensor(&list->tensors[i], n);

			snprintf(name, sizeof name, "%s.%llu", tensor.name, (unsigned long long)n);
			put_text(pickle, name);
			put_tensor(pickle, &tensor);
		}
	PUT(pickle, "us");
}

static void
put_model(FILE *pickle, const struct tensor_list *list)
{
	PUT(pickle, "\x80\x02}(");
	put_text(pickle, "iteration");
	put_int(pickle, 0);
	put_text(pickle, "model");
	PUT(pickle, "}");
	put_text(pickle, "language_model");
	PUT(pickle, "}(");
	put_text(pickle, "embedding");
	PUT(pickle, "}(");
	for (size_t i = 0; i < EMBEDDING_TENSORS; i++) {
		put_text(pickle, list->tensors[i].name);
		put_ordered_dict(pickle);
		put_text(pickle, "weight");
		put_tensor(pickle, &list->tensors[i]);
		PUT(pickle, "s");
	}
	PUT(pickle, "u");
	put_text(pickle, "transformer");
	put_ordered_dict(pickle);
	PUT(pickle, "(");
	for (size_t i = EMBEDDING_TENSORS; i < list->count; i++) {
		put_text(pickle, list->tensors[i].name);
		put_tensor(pickle, &list->tensors[i]);
	}
	PUT(pickle, "uus");
	put_optimizer(pickle, list);
	PUT(pickle, "u.");
}

static void
put_keys(FILE *pickle, const struct tensor_list *list)
{
	PUT(pickle, "\x80\x02](");
	for (size_t i = 0; i < list->count; i++)
		for (uint64_t n = 0; n <= list->optimizer; n++)
			put_text(pickle, optimizer_tensor(&list->tensors[i], n).key);
	PUT(pickle, "e.");
}

/* The five pickles; the caller frees them. */
static char *
pickles_build(const struct tensor_list *list, size_t *size)
{
	char *bytes = NULL;
	FILE *pickle = open_memstream(&bytes, size);

	if (pickle == NULL)
		err(1, "pickles");
	put_head(pickle);
	put_model(pickle, list);
	put_keys(pickle, list);
	if (ferror(pickle) || fclose(pickle) != 0)
		err(1, "pickles");
	return bytes;
}

/* Where each storage lies; returns the size of the whole file. */
static uint64_t
list_place(struct tensor_list *list, uint64_t at)
{
	for (size_t i = 0; i < list->count; i++) {
		list->tensors[i].offset = at;
		at += (1 + list->optimizer) * (8 + list->tensors[i].count * 2);
	}
	return at;
}

/* The numbers. */

static uint64_t
splitmix64(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static uint32_t
sum_of_four(uint64_t fields)    /* each of 16 bits */
{
	uint64_t pairs = (fields & 0x0000ffff0000ffff) + (fields >> 16 & 0x0000ffff0000ffff);

	return (uint32_t)pairs + (uint32_t)(pairs >> 32);
}

/* Mean 0, standard deviation 1: the sum of eight uniform numbers is near enough to a normal
 * one for how the result compresses, and needs no logarithm. */
static float
bell(uint64_t *state)
{
	const float mean = 8 * 65535 / 2, deviation = 53509.92F;  /* 65536 x sqrt(8 / 12) */
	uint32_t    sum = sum_of_four(splitmix64(state)) + sum_of_four(splitmix64(state));

	return ((float)sum - mean) / deviation;
}

/* To nearest, ties to even; |value| < 65504. */
static uint16_t
half_from_float(float value)
{
	uint32_t bits, sign;
	float    shifted;

	memcpy(&bits, &value, sizeof bits);
	sign = bits >> 16 & 0x8000;
	bits &= 0x7fffffff;
	if (bits >= 0x38800000) {               /* 2^-14: the smallest normal half */
		bits += 0xfff + (bits >> 13 & 1);
		return (uint16_t)(sign | (bits - 0x38000000) >> 13);
	}
	memcpy(&shifted, &bits, sizeof shifted);
	shifted += 0.5F;                        /* now the last bit is 2^-24 */
	memcpy(&bits, &shifted, sizeof bits);
	return (uint16_t)(sign | (bits - 0x3f000000));
}

static void
put_at(int file, const void *from, size_t size, uint64_t offset)
{
	if (pwrite(file, from, size, (off_t)offset) != (ssize_t)size)
		err(1, "write");
}

static void
tensor_write(int file, const struct tensor *tensor, uint64_t seed)
{
	unsigned char bytes[1 << 16];
	uint64_t      offset = tensor->offset, left = tensor->count, state = seed;

	for (int i = 0; i < 8; i++)
		bytes[i] = (unsigned char)(tensor->count >> 8 * i);
	put_at(file, bytes, 8, offset);
	offset += 8;
	while (left > 0) {
		size_t some = left < sizeof bytes / 2 ? (size_t)left : sizeof bytes / 2;

		for (size_t i = 0; i < some; i++) {
			uint16_t half = half_from_float(tensor->centre + 0.02F * bell(&state));

			bytes[2 * i] = (unsigned char)half;
			bytes[2 * i + 1] = (unsigned char)(half >> 8);
		}
		put_at(file, bytes, some * 2, offset);
		offset += some * 2;
		left -= some;
	}
}

/* Its count, and its last element, behind which the file ends and which no other rank has. */
static void
hole_write(int file, struct tensor tensor, uint64_t number, uint64_t rank)
{
	unsigned char bytes[8], last[2] = { (unsigned char)rank };

	tensor = optimizer_tensor(&tensor, number);
	for (int i = 0; i < 8; i++)
		bytes[i] = (unsigned char)(tensor.count >> 8 * i);
	put_at(file, bytes, 8, tensor.offset);
	put_at(file, last, 2, tensor.offset + 8 + 2 * tensor.count - 2);
}

/* Each tensor has a seed of its own, so the bytes do not depend on who fills which; what
 * ranks share out has one for each of them. */
struct filling {
	const struct tensor_list *list;
	uint64_t                  seed, rank;
	bool                      holes;
	int                       file;
	atomic_size_t             next;
};

static void *
fill_tensors(void *context)
{
	struct filling *filling = context;
	size_t          i;

	while ((i = atomic_fetch_add(&filling->next, 1)) < filling->list->count) {
		const struct tensor *tensor = &filling->list->tensors[i];
		uint64_t state = filling->seed + i + (tensor->shared_out ? filling->rank << 32 : 0);

		if (filling->holes)
			hole_write(filling->file, *tensor, 0, filling->rank);
		else
			tensor_write(filling->file, tensor, splitmix64(&state));
		for (uint64_t n = 1; n <= filling->list->optimizer; n++)
			hole_write(filling->file, *tensor, n, filling->rank);
	}
	return NULL;
}

static void
storages_write(int file, const struct tensor_list *list, const struct model *model, uint64_t rank)
{
	struct filling filling = { .list = list, .seed = model->seed, .rank = rank,
		.holes = model->holes, .file = file };
	pthread_t      threads[16];
	long           cores = sysconf(_SC_NPROCESSORS_ONLN);
	int            count = cores < 1 ? 1 : cores > 16 ? 16 : (int)cores;

	atomic_init(&filling.next, 0);
	for (int i = 0; i < count; i++)
		if ((errno = pthread_create(&threads[i], NULL, fill_tensors, &filling)) != 0)
			err(1, "thread");
	for (int i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
}

/* The files. */

static char *
path_join(const char *dir, const char *rest)
{
	char *path;

	if (asprintf(&path, "%s/%s", dir, rest) < 0)
		err(1, "path");
	return path;
}

static void
make_folder(char *path)
{
	if (mkdir(path, 0777) != 0 && errno != EEXIST)
		err(1, "%s", path);
	free(path);
}

static void
tracker_write(char *path)
{
	FILE *out;

	if (access(path, F_OK) != 0) {
		out = fopen(path, "w");
		if (out == NULL || fputs("release", out) == EOF || fclose(out) != 0)
			err(1, "%s", path);
	}
	free(path);
}

/* Written under another name first: a file with the final name is complete. */
static void
checkpoint_write(const char *path, const char *pickles, size_t pickles_size,
	const struct tensor_list *list, const struct model *model, uint64_t rank)
{
	char *unfinished;
	int   file;

	if (asprintf(&unfinished, "%s.unfinished", path) < 0)
		err(1, "path");
	if ((file = open(unfinished, O_WRONLY | O_CREAT | O_TRUNC, 0666)) < 0)
		err(1, "%s", unfinished);
	put_at(file, pickles, pickles_size, 0);
	storages_write(file, list, model, rank);
	if (close(file) != 0 || rename(unfinished, path) != 0)
		err(1, "%s", unfinished);
	free(unfinished);
}

static uint64_t
number(const char *text)
{
	char              *end;
	unsigned long long value;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || value > 1000000)
		errx(2, "a number up to 1000000 is expected, found %s", text);
	return value;
}

static const char usage[] = "usage: make_ngc [--layers N] [--hidden N] [--ffn N] "
	"[--positions N] [--vocab ROWS] [--tensor-size N] [--seed N] [--optimizer N] [--holes] DIR";

/* Returns DIR. */
static const char *
read_options(int argc, char **argv, struct model *model)
{
	static const struct option options[] = {
		{ "hidden",    required_argument, NULL, HIDDEN },
		{ "ffn",       required_argument, NULL, FFN },
		{ "positions", required_argument, NULL, POSITIONS },
		{ "vocab",     required_argument, NULL, VOCABULARY },
		{ "layers",    required_argument, NULL, 'l' },
		{ "seed",      required_argument, NULL, 's' },
		{ "tensor-size", required_argument, NULL, 't' },
		{ "optimizer", required_argument, NULL, 'o' },
		{ "holes",     no_argument,       NULL, 'e' },
		{ NULL, 0, NULL, 0 },
	};
	int found;

	while ((found = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (found == '?')
			errx(2, "%s", usage);
		else if (found == 'l')
			model->layers = number(optarg);
		else if (found == 's')
			model->seed = number(optarg);
		else if (found == 't')
			model->tensor_size = number(optarg);
		else if (found == 'o')
			model->optimizer = number(optarg);
		else if (found == 'e')
			model->holes = true;
		else
			model->extents[found] = number(optarg);
	}
	if (optind + 1 != argc)
		errx(2, "%s", usage);
	if (model->extents[FFN] == 0)
		model->extents[FFN] = 4 * model->extents[HIDDEN];
	model->extents[QKV] = 3 * model->extents[HIDDEN];
	if (model->tensor_size < 1 || model->tensor_size > MOST_RANKS)
		errx(2, "1 to %d tensor ranks are expected", MOST_RANKS);
	for (int i = HIDDEN; i < EXTENTS; i++)
		if (i != POSITIONS && model->extents[i] % model->tensor_size != 0)
			errx(2, "%llu rows or columns cannot be shared out to %llu ranks",
				(unsigned long long)model->extents[i],
				(unsigned long long)model->tensor_size);
	return argv[optind];
}

static void
rank_write(const char *dir, const struct tensor_list *list, const char *pickles,
	size_t pickles_size, uint64_t size, const struct model *model, uint64_t rank)
{
	char        name[64];
	char       *path;
	struct stat there;

	snprintf(name, sizeof name, "release/mp_rank_%02llu", (unsigned long long)rank);
	make_folder(path_join(dir, name));
	strcat(name, "/model_optim_rng.pt");
	path = path_join(dir, name);
	if (stat(path, &there) == 0 && (uint64_t)there.st_size == size)
		printf("%s: kept\n", path);
	else {
		checkpoint_write(path, pickles, pickles_size, list, model, rank);
		printf("%s: %llu bytes, %zu tensors\n", path, (unsigned long long)size,
			list->count);
	}
	free(path);
}

int
main(int argc, char **argv)
{
	struct model model = { .layers = 24, .seed = 345, .tensor_size = 1, .extents = {
		[HIDDEN] = 1024, [POSITIONS] = 1024, [VOCABULARY] = 50304 } };
	const char        *dir = read_options(argc, argv, &model);
	struct tensor_list list = list_build(&model);
	size_t             pickles_size;
	char              *pickles = pickles_build(&list, &pickles_size);
	uint64_t           size = list_place(&list, pickles_size);

	make_folder(path_join(dir, ""));
	make_folder(path_join(dir, "release"));
	tracker_write(path_join(dir, "latest_checkpointed_iteration.txt"));
	for (uint64_t rank = 0; rank < model.tensor_size; rank++)
		rank_write(dir, &list, pickles, pickles_size, size, &model, rank);
	free(pickles);
	free(list.tensors);
	return 0;
}
