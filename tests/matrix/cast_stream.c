/*
 * cast_stream FROM TO [portable|AVX2]: converts elements of type FROM on standard input to type
 * TO on standard output, for cast.py.  The types have torch's names.  No instructions beyond
 * those named are used.
 */
#include <err.h>
#include <stdio.h>
#include <string.h>

#include "plan/cast.h"
#include "plan/instructions.h"

enum { ELEMENTS = 5000 };

int
main(int argc, char **argv)
{
	static unsigned char source[ELEMENTS * 8], target[ELEMENTS * 8];
	enum dtype           from = argc > 2 ? dtype_of_name(argv[1]) : DTYPE_UNKNOWN;
	enum dtype           to = argc > 2 ? dtype_of_name(argv[2]) : DTYPE_UNKNOWN;
	size_t               count;

	if (!dtype_is_weight(from) || !dtype_is_weight(to))
		errx(2, "usage: cast_stream FROM TO [portable|AVX2]");
	for (unsigned i = 0; argc > 3 && i <= INSTRUCTIONS_AVX512; i++)
		if (strcmp(argv[3], instructions_name(i)) == 0)
			instructions_limit(i);
	while ((count = fread(source, dtype_size(from), ELEMENTS, stdin)) > 0) {
		cast_elements(from, source, to, target, count, NULL);
		if (fwrite(target, dtype_size(to), count, stdout) != count)
			err(1, "standard output");
	}
	if (ferror(stdin) || fflush(stdout) != 0)
		err(1, "standard input or output");
	return 0;
}
