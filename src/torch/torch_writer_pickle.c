#include "torch/torch_writer_pickle.h"

#include "pickle/opcodes.h"

#include <string.h>

/*
 * data.pkl, protocol 2:
 *
 *   80 02                                             PROTO
 *   63 "collections\nOrderedDict\n" 29 52             an empty OrderedDict
 *   28                                                MARK; only where there are tensors
 *      58 u32 length, name                            for each tensor: its key, and
 *      63 "torch._utils\n_rebuild_tensor_v2\n" 28     the call that makes it, of
 *         28 "storage", 63 "torch\nXStorage\n", "0", "cpu", elements, 74 51
 *                                                        its storage: a persistent id
 *         4B 00                                          offset in it
 *         28 sizes 74, 28 strides 74                     (a scalar: 29 twice)
 *         89                                             needs no gradient
 *         63 "collections\nOrderedDict\n" 29 52          backward hooks; None breaks old loaders
 *      74 52
 *   75                                                SETITEMS
 *   2E                                                STOP
 *
 * These opcodes and globals are among those that torch.load(weights_only=True) of every
 * version takes, and that scanners of model files know as harmless.  Without a memo a tensor
 * is about 200 bytes, and they depend on nothing but the tensor.
 */
#define PROTOCOL 2

static void
add_opcode(struct text *to, enum opcode_code code)
{
	text_add_little_endian(to, (uint64_t)code, 1);
}

/* An opcode, and a number of that many bytes after it. */
static void
add_number(struct text *to, enum opcode_code code, uint64_t number, unsigned bytes)
{
	add_opcode(to, code);
	text_add_little_endian(to, number, bytes);
}

/* Least bytes of a two's complement that is not negative: its first bit is the sign. */
static unsigned
long_bytes(uint64_t number)
{
	unsigned bytes = 1;

	while (bytes < 8 && number >> (8 * bytes - 1) != 0)
		bytes++;
	return bytes;
}

/* In the shortest form that Python's pickler knows in protocol 2. */
static void
add_integer(struct text *to, uint64_t number)
{
	if (number <= UINT8_MAX) {
		add_number(to, OPCODE_BININT1, number, 1);
	} else if (number <= UINT16_MAX) {
		add_number(to, OPCODE_BININT2, number, 2);
	} else if (number <= INT32_MAX) {
		add_number(to, OPCODE_BININT, number, 4);
	} else {
		add_number(to, OPCODE_LONG1, long_bytes(number), 1);
		text_add_little_endian(to, number, long_bytes(number));
	}
}

static void
add_string(struct text *to, const char *string)
{
	size_t length = strlen(string);

	add_number(to, OPCODE_BINUNICODE, length, 4);
	text_add_bytes(to, string, length);
}

static void
add_global(struct text *to, const char *module, const char *name)
{
	add_opcode(to, OPCODE_GLOBAL);
	text_add(to, "%s\n%s\n", module, name);
}

static void
add_ordered_dict(struct text *to)
{
	add_global(to, "collections", "OrderedDict");
	add_opcode(to, OPCODE_EMPTY_TUPLE);
	add_opcode(to, OPCODE_REDUCE);
}

static void
add_tuple(struct text *to, const uint64_t *numbers, unsigned count)
{
	if (count == 0) {
		add_opcode(to, OPCODE_EMPTY_TUPLE);
		return;
	}
	add_opcode(to, OPCODE_MARK);
	for (unsigned i = 0; i < count; i++)
		add_integer(to, numbers[i]);
	add_opcode(to, OPCODE_TUPLE);
}

static void
add_storage(struct text *to, const struct torch_writer_tensor *tensor, uint64_t count)
{
	char key[TEXT_NUMBER_SIZE];

	add_opcode(to, OPCODE_MARK);
	add_string(to, "storage");
	add_global(to, "torch", dtype_storage_name(tensor->dtype));
	add_string(to, text_format(key, sizeof key, "%zu", tensor->storage));
	add_string(to, "cpu");
	add_integer(to, count);
	add_opcode(to, OPCODE_TUPLE);
	add_opcode(to, OPCODE_BINPERSID);
}

static void
add_tensor(struct text *to, const struct torch_writer_tensor *tensor)
{
	uint64_t stride[TENSOR_MAX_RANK], count = 1, step = 1;

	/* A size of 0 counts as 1 in a stride, as torch has it. */
	for (unsigned i = tensor->rank; i-- > 0;) {
		stride[i] = step;
		step *= tensor->shape[i] > 0 ? tensor->shape[i] : 1;
		count *= tensor->shape[i];
	}
	add_string(to, tensor->name);
	add_global(to, "torch._utils", "_rebuild_tensor_v2");
	add_opcode(to, OPCODE_MARK);
	add_storage(to, tensor, count);
	add_integer(to, 0);
	add_tuple(to, tensor->shape, tensor->rank);
	add_tuple(to, stride, tensor->rank);
	add_opcode(to, OPCODE_NEWFALSE);
	add_ordered_dict(to);
	add_opcode(to, OPCODE_TUPLE);
	add_opcode(to, OPCODE_REDUCE);
}

void
torch_writer_pickle_add(struct text *to, const struct torch_writer_tensor *tensors,
	size_t count)
{
	add_number(to, OPCODE_PROTO, PROTOCOL, 1);
	add_ordered_dict(to);
	if (count > 0)
		add_opcode(to, OPCODE_MARK);
	for (size_t i = 0; i < count; i++)
		add_tensor(to, &tensors[i]);
	if (count > 0)
		add_opcode(to, OPCODE_SETITEMS);
	add_opcode(to, OPCODE_STOP);
}
