/*
 * GPT-2's forward pass over a converted directory, in double precision, against logits that
 * somebody else computed.
 *
 *     forward DIR TOKENS.json LOGITS.npy        exit status 0: within the tolerance
 *
 * x = wte[token] + wpe[place]
 * each layer:  x += c_proj(attention(c_attn(ln_1(x)));  x += c_proj(act(c_fc(ln_2(x))))
 * logits = ln_f(x) head^T               weights are [in, out]: y = x W + b
 *
 * act is config.json's activation_function; head is lm_head.weight where the file has it, which
 * must be so if, and only if, tie_word_embeddings is false; else wte.
 */
#include "convert/weights_reader.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOLERANCE 2e-4

struct model {
	struct weights weights;
	size_t         layers, wide, heads, inner, positions, vocabulary;
	double         epsilon;
	double       (*activation)(double x);
	const char    *head;            /* the name of the table that gives the logits */
};

__attribute__((noreturn, format(printf, 1, 2))) static void
fail(const char *format, ...)
{
	va_list list;

	va_start(list, format);
	fputs("forward: ", stderr);
	vfprintf(stderr, format, list);
	va_end(list);
	fputc('\n', stderr);
	exit(2);
}

static double *
numbers(size_t count)
{
	double *room = calloc(count, sizeof *room);

	if (room == NULL)
		fail("no memory");
	return room;
}

/* A tensor of the given shape (columns 0: one dimension) as doubles; the caller frees. */
__attribute__((format(printf, 4, 5))) static double *
load(const struct model *model, size_t rows, size_t columns, const char *format, ...)
{
	char          name[128];
	struct weight weight;
	double       *values;
	va_list       list;
	size_t        i;

	va_start(list, format);
	vsnprintf(name, sizeof name, format, list);
	va_end(list);
	if (!weights_find(&model->weights, name, &weight))
		exit(2);
	if (weight.rank != (columns == 0 ? 1 : 2) || weight.shape[0] != rows ||
	    (columns != 0 && weight.shape[1] != columns))
		fail("%s has another shape than config.json says", name);
	values = numbers(weight.count);
	for (i = 0; i < weight.count; i++)
		values[i] = weights_value(&weight, i);
	return values;
}

/* to[places, columns] += from[places, rows] weight[rows, columns] + bias */
static void
add_linear(const struct model *model, const char *name, unsigned layer, const double *from,
	size_t places, size_t rows, size_t columns, double *to)
{
	double *weight = load(model, rows, columns, "transformer.h.%u.%s.weight", layer, name);
	double *bias = load(model, columns, 0, "transformer.h.%u.%s.bias", layer, name);
	size_t  place, row, column;

	for (place = 0; place < places; place++) {
		for (column = 0; column < columns; column++)
			to[place * columns + column] += bias[column];
		for (row = 0; row < rows; row++)
			for (column = 0; column < columns; column++)
				to[place * columns + column] += from[place * rows + row] *
				    weight[row * columns + column];
	}
	free(weight);
	free(bias);
}

static double *
normed(const struct model *model, const char *name, const double *from, size_t places)
{
	size_t  wide = model->wide, place, i;
	double *weight = load(model, wide, 0, "%s.weight", name);
	double *bias = load(model, wide, 0, "%s.bias", name);
	double *to = numbers(places * wide);

	for (place = 0; place < places; place++) {
		const double *x = from + place * wide;
		double        mean = 0, variance = 0;

		for (i = 0; i < wide; i++)
			mean += x[i] / (double)wide;
		for (i = 0; i < wide; i++)
			variance += (x[i] - mean) * (x[i] - mean) / (double)wide;
		for (i = 0; i < wide; i++)
			to[place * wide + i] = (x[i] - mean) / sqrt(variance + model->epsilon) *
			    weight[i] + bias[i];
	}
	free(weight);
	free(bias);
	return to;
}

/* One head at one place: to[dim] = softmax(q k / sqrt(dim)) v over this and earlier places.
 * A row of qkv is all queries, then all keys, then all values, heads side by side in each. */
static void
attend(const double *qkv, size_t place, size_t head, size_t dim, size_t wide, double *scores,
	double *to)
{
	const double *query = qkv + place * 3 * wide + head * dim;
	double        largest = -INFINITY, sum = 0;
	size_t        other, i;

	for (other = 0; other <= place; other++) {
		const double *key = qkv + other * 3 * wide + wide + head * dim;

		scores[other] = 0;
		for (i = 0; i < dim; i++)
			scores[other] += query[i] * key[i] / sqrt((double)dim);
		largest = fmax(largest, scores[other]);
	}
	for (other = 0; other <= place; other++) {
		scores[other] = exp(scores[other] - largest);
		sum += scores[other];
	}
	for (other = 0; other <= place; other++)
		for (i = 0; i < dim; i++)
			to[i] += scores[other] / sum *
			    qkv[other * 3 * wide + 2 * wide + head * dim + i];
}

static void
attention_block(const struct model *model, unsigned layer, double *x, size_t places)
{
	size_t  wide = model->wide, dim = wide / model->heads, place, head;
	double *y, *qkv = numbers(places * 3 * wide), *context = numbers(places * wide);
	double *scores = numbers(places);
	char    name[64];

	snprintf(name, sizeof name, "transformer.h.%u.ln_1", layer);
	y = normed(model, name, x, places);
	add_linear(model, "attn.c_attn", layer, y, places, wide, 3 * wide, qkv);
	for (place = 0; place < places; place++)
		for (head = 0; head < model->heads; head++)
			attend(qkv, place, head, dim, wide, scores,
			    context + place * wide + head * dim);
	add_linear(model, "attn.c_proj", layer, context, places, wide, wide, x);
	free(y);
	free(qkv);
	free(context);
	free(scores);
}

static double
gelu_tanh(double x)
{
	return 0.5 * x * (1 + tanh(sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
}

static double
gelu_erf(double x)
{
	return 0.5 * x * (1 + erf(x / sqrt(2)));
}

static double
squared_relu(double x)
{
	return x > 0 ? x * x : 0;
}

static const struct {
	const char *name;
	double    (*function)(double x);
} activations[] = {
	{ "gelu_new", gelu_tanh    },
	{ "gelu",     gelu_erf     },
	{ "relu2",    squared_relu },
};

static void
mlp_block(const struct model *model, unsigned layer, double *x, size_t places)
{
	double *y, *inner = numbers(places * model->inner);
	char    name[64];
	size_t  i;

	snprintf(name, sizeof name, "transformer.h.%u.ln_2", layer);
	y = normed(model, name, x, places);
	add_linear(model, "mlp.c_fc", layer, y, places, model->wide, model->inner, inner);
	for (i = 0; i < places * model->inner; i++)
		inner[i] = model->activation(inner[i]);
	add_linear(model, "mlp.c_proj", layer, inner, places, model->inner, model->wide, x);
	free(y);
	free(inner);
}

/* Logits [places, vocabulary] of one row of tokens; the caller frees. */
static double *
forward(const struct model *model, const size_t *tokens, size_t places)
{
	size_t   wide = model->wide, place, token, i;
	double  *words = load(model, model->vocabulary, wide, "transformer.wte.weight");
	double  *head = load(model, model->vocabulary, wide, "%s", model->head);
	double  *table = load(model, model->positions, wide, "transformer.wpe.weight");
	double  *x = numbers(places * wide), *y, *logits = numbers(places * model->vocabulary);
	unsigned layer;

	for (place = 0; place < places; place++)
		for (i = 0; i < wide; i++)
			x[place * wide + i] = words[tokens[place] * wide + i] +
			    table[place * wide + i];
	for (layer = 0; layer < model->layers; layer++) {
		attention_block(model, layer, x, places);
		mlp_block(model, layer, x, places);
	}
	y = normed(model, "transformer.ln_f", x, places);
	for (place = 0; place < places; place++)
		for (token = 0; token < model->vocabulary; token++)
			for (i = 0; i < wide; i++)
				logits[place * model->vocabulary + token] +=
				    y[place * wide + i] * head[token * wide + i];
	free(words);
	free(head);
	free(table);
	free(x);
	free(y);
	return logits;
}

static size_t
config_count(const cJSON *config, const char *key)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(config, key);

	if (!cJSON_IsNumber(item) || item->valuedouble < 1)
		fail("config.json: no %s", key);
	return (size_t)item->valuedouble;
}

static void
find_activation(struct model *model, const cJSON *config)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(config, "activation_function");
	size_t       i;

	for (i = 0; cJSON_IsString(item) && i < sizeof activations / sizeof *activations; i++)
		if (strcmp(item->valuestring, activations[i].name) == 0) {
			model->activation = activations[i].function;
			return;
		}
	fail("config.json: unknown activation_function");
}

/* The embedding, unless the model has an output layer of its own. */
static void
find_head(struct model *model, const cJSON *config)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(config, "tie_word_embeddings");
	bool         is_tied = !cJSON_IsFalse(item);
	bool         is_there = cJSON_GetObjectItemCaseSensitive(model->weights.header,
	    "lm_head.weight") != NULL;

	if (is_tied == is_there)
		fail("config.json: tie_word_embeddings and the weights disagree");
	model->head = is_tied ? "transformer.wte.weight" : "lm_head.weight";
}

static void
open_model(struct model *model, const char *folder)
{
	char         path[4096];
	const cJSON *item;
	cJSON       *config;

	snprintf(path, sizeof path, "%s/config.json", folder);
	if ((config = weights_read_json(path)) == NULL)
		exit(2);
	model->layers = config_count(config, "n_layer");
	model->wide = config_count(config, "n_embd");
	model->heads = config_count(config, "n_head");
	item = cJSON_GetObjectItemCaseSensitive(config, "n_inner");
	model->inner = cJSON_IsNumber(item) ? (size_t)item->valuedouble : 4 * model->wide;
	model->positions = config_count(config, "n_positions");
	model->vocabulary = config_count(config, "vocab_size");
	item = cJSON_GetObjectItemCaseSensitive(config, "layer_norm_epsilon");
	if (!cJSON_IsNumber(item))
		fail("config.json: no layer_norm_epsilon");
	model->epsilon = item->valuedouble;
	find_activation(model, config);
	snprintf(path, sizeof path, "%s/model.safetensors", folder);
	if (!weights_open(&model->weights, path))
		exit(2);
	find_head(model, config);
	cJSON_Delete(config);
}

/* The float32 values of a NumPy 1.0 file, "\x93NUMPY", 1, 0, uint16 length, a Python dict,
 * data; exactly `shape` = [rows, places, vocabulary] of them in C order. */
static const char *
open_logits(const char *path, size_t rows, size_t places, size_t vocabulary, char **bytes)
{
	char   shape[96];
	size_t size, start;

	if ((*bytes = weights_read_file(path, &size)) == NULL)
		exit(2);
	if (size < 10 || memcmp(*bytes, "\x93NUMPY\x01", 8) != 0)
		fail("%s: no NumPy 1.0 file", path);
	start = 10 + (size_t)(unsigned char)(*bytes)[8] + 256 * (size_t)(unsigned char)(*bytes)[9];
	snprintf(shape, sizeof shape, "'shape': (%zu, %zu, %zu)", rows, places, vocabulary);
	if (start > size || memmem(*bytes, start, shape, strlen(shape)) == NULL ||
	    memmem(*bytes, start, "'<f4'", 5) == NULL ||
	    memmem(*bytes, start, "'fortran_order': False", 22) == NULL)
		fail("%s: float32 with %s is expected", path, shape);
	if (size - start != rows * places * vocabulary * sizeof(float))
		fail("%s: wrong size", path);
	return *bytes + start;
}

static size_t *
read_row(const struct model *model, const cJSON *row, size_t places)
{
	size_t *tokens = calloc(places, sizeof *tokens), i;

	if (tokens == NULL || (size_t)cJSON_GetArraySize(row) != places ||
	    places > model->positions)
		fail("rows of tokens are empty, too long or not equally long");
	for (i = 0; i < places; i++) {
		double token = cJSON_GetArrayItem(row, (int)i)->valuedouble;

		if (token < 0 || token >= (double)model->vocabulary)
			fail("token outside the vocabulary");
		tokens[i] = (size_t)token;
	}
	return tokens;
}

int
main(int argc, char **argv)
{
	struct model model;
	cJSON       *rows, *row;
	const char  *expected;
	char        *bytes;
	double       worst = 0;
	size_t       places, count, i;

	if (argc != 4)
		fail("usage: forward DIR TOKENS.json LOGITS.npy");
	open_model(&model, argv[1]);
	if ((rows = weights_read_json(argv[2])) == NULL || rows->child == NULL)
		fail("%s: no rows", argv[2]);
	places = (size_t)cJSON_GetArraySize(rows->child);
	count = places * model.vocabulary;
	expected = open_logits(argv[3], (size_t)cJSON_GetArraySize(rows), places,
	    model.vocabulary, &bytes);
	cJSON_ArrayForEach(row, rows) {
		size_t *tokens = read_row(&model, row, places);
		double *logits = forward(&model, tokens, places);

		for (i = 0; i < count; i++, expected += sizeof(float)) {
			float  value;
			double difference;

			memcpy(&value, expected, sizeof value);
			difference = fabs(logits[i] - value);
			if (isnan(difference) || difference > worst)
				worst = difference;     /* a NaN stays */
		}
		free(tokens);
		free(logits);
	}
	printf("%s: largest difference %.3g, tolerance %g\n", argv[1], worst, TOLERANCE);
	free(bytes);
	cJSON_Delete(rows);
	weights_close(&model.weights);
	return worst <= TOLERANCE ? 0 : 1;
}
