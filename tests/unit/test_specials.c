#include "check.h"

#include "plan/element.h"
#include "plan/instructions.h"

#include <stdlib.h>

/* Bit patterns by IEEE 754: the exponent all ones is an infinity (fraction 0) or no number. */
static const struct {
	enum dtype  dtype;
	uint64_t    bits;
	unsigned    not_number, infinity;
	const char *name;
} rows[] = {
	{ DTYPE_FLOAT16, 0x7c00, 0, 1, "half Inf" }, { DTYPE_FLOAT16, 0xfc00, 0, 1, "half -Inf" },
	{ DTYPE_FLOAT16, 0x7e00, 1, 0, "half NaN" }, { DTYPE_FLOAT16, 0x7c01, 1, 0, "half sNaN" },
	{ DTYPE_FLOAT16, 0x7bff, 0, 0, "largest half" }, { DTYPE_FLOAT16, 0x03ff, 0, 0, "subnormal" },
	{ DTYPE_BFLOAT16, 0x7f80, 0, 1, "bfloat Inf" }, { DTYPE_BFLOAT16, 0xffc0, 1, 0, "bfloat NaN" },
	{ DTYPE_BFLOAT16, 0x7f7f, 0, 0, "largest bfloat" },
	{ DTYPE_FLOAT32, 0x7f800000, 0, 1, "single Inf" },
	{ DTYPE_FLOAT32, 0x7fc00001, 1, 0, "single NaN" },
	{ DTYPE_FLOAT32, 0x7f7fffff, 0, 0, "largest single" },
	{ DTYPE_FLOAT64, 0x7ff0000000000000, 0, 1, "double Inf" },
	{ DTYPE_FLOAT64, 0xfff8000000000000, 1, 0, "double NaN" },
	{ DTYPE_FLOAT64, 0x7fefffffffffffff, 0, 0, "largest double" },
	{ DTYPE_FLOAT64, 0x3ff000007ff00000, 0, 0, "double with the bits of Inf in its lower half" },
};

/* One odd element among many, at every kind of place; in a float64 the lower half may have
 * the bits that would be an infinity in the upper one. */
static void
test_rows(void)
{
	static const size_t counts[] = { 1, 7, 31, 33, 2048, 2049, 5000 };
	unsigned char      *elements = calloc(5000, sizeof(uint64_t));

	for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
		size_t size = dtype_size(rows[r].dtype);

		for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
			for (unsigned place = 0; place < 3; place++) {
				struct element_specials found = { 0, 0 };
				size_t at = place == 0 ? 0 : place == 1 ? counts[c] / 2 : counts[c] - 1;

				memset(elements, 0, 5000 * sizeof(uint64_t));
				memcpy(elements + at * size, &rows[r].bits, size);
				element_count_specials(&found, rows[r].dtype, elements, counts[c]);
				CHECK(found.not_numbers == rows[r].not_number
					&& found.infinities == rows[r].infinity, "%s (%s) at %zu of %zu",
					rows[r].name, instructions_name(instructions_used()), at, counts[c]);
			}
		}
	}
	free(elements);
}

int
main(void)
{
	for (unsigned i = INSTRUCTIONS_PORTABLE; i <= INSTRUCTIONS_AVX512; i++) {
		instructions_limit(i);
		if (instructions_used() == i)
			test_rows();
		else
			printf("specials: skipped: %s, which this processor has not\n",
				instructions_name(i));
	}
	return check_end("specials");
}
