#include "container/inflate.h"

#include "check.h"

#include <stdlib.h>

/* 300 times 'a', by zlib 1.2.13; the others by hand: a stored block is 1 (last) or 0, u16
 * length, its complement, the bytes. */
#define HELLO  "\1\5\0\xfa\xffhello"
#define HELLO2 "\0\3\0\xfc\xffhel\1\2\0\xfd\xfflo"
#define AAA    "\x4b\x4c\x1c\x05\xc4\x02\0"

struct row {
	const char     *what, *in;
	size_t          in_count;
	uint64_t        declared;
	const char     *out;            /* NULL: `declared` times 'a', or nothing */
	enum error_kind kind;
	const char     *slug, *text;
	size_t          left;           /* input behind the end */
};

#define IN(bytes) bytes, sizeof(bytes) - 1
static const struct row rows[] = {
	{ "stored", IN(HELLO), 5, "hello", 0, "", "", 0 },
	{ "two blocks", IN(HELLO2), 5, "hello", 0, "", "", 0 },
	{ "compressed", IN(AAA), 300, NULL, 0, "", "", 0 },
	{ "empty", IN("\3\0"), 0, "", 0, "", "", 0 },
	{ "bytes behind", IN(HELLO "xyz"), 5, "hello", 0, "", "", 3 },
	{ "longer by 1", IN(HELLO), 4, NULL, ERROR_UNSAFE, "defllong",
		"expands beyond its declared 4 bytes", 0 },
	{ "longer, none declared", IN(HELLO), 0, NULL, ERROR_UNSAFE, "defllong",
		"expands beyond its declared 0 bytes", 0 },
	{ "much longer", IN(AAA), 10, NULL, ERROR_UNSAFE, "defllong",
		"expands beyond its declared 10 bytes", 0 },
	{ "shorter", IN(HELLO), 4294967294, NULL, ERROR_CORRUPT, "deflshort",
		"expands to 5 bytes, 4294967294 declared", 0 },
	{ "cut", IN("\1\5\0\xfa\xffhel"), 5, NULL, ERROR_CORRUPT, "deflshort",
		"expands to 3 bytes, 5 declared", 0 },
	{ "no last block", IN("\0\5\0\xfa\xffhello"), 5, NULL, ERROR_CORRUPT, "deflshort",
		"compressed data has no end: cut after 10 bytes", 0 },
	{ "nothing", IN(""), 5, NULL, ERROR_CORRUPT, "deflshort",
		"expands to 0 bytes, 5 declared", 0 },
	{ "bad block type", IN("\7\0\0\0\0"), 5, NULL, ERROR_CORRUPT, "deflbad",
		"damaged compressed data at byte", 0 },
	{ "bad complement", IN("\1\5\0\5\0hello"), 5, NULL, ERROR_CORRUPT, "deflbad",
		"damaged compressed data at byte", 0 },
};

/* Runs a row with input and output in pieces; *left: input that was not taken. */
static bool
run(struct inflater *inflater, const struct row *row, size_t in_step, size_t out_step,
	unsigned char *out, size_t *total, size_t *left, struct error *err)
{
	const unsigned char *in = (const unsigned char *)row->in;
	size_t               given = 0, count = 0, made;

	*total = 0;
	do {
		size_t more = row->in_count - given < in_step ? row->in_count - given : in_step;

		if (count == 0) {
			count = more;
			given += more;
		}
		if (!inflater_step(inflater, &in, &count, out + *total, out_step, &made, err))
			return false;
		*total += made;
		*left = row->in_count - given + count;
	} while (!inflater_ended(inflater) && (*left > 0 || made > 0));
	return inflater_finish(inflater, err);
}

static void
test_row(const struct row *row, size_t in_step, size_t out_step)
{
	struct error     err = { 0 };
	struct inflater *inflater = inflater_open(row->declared, &err);
	unsigned char    out[1024];
	size_t           total, left = 0;

	for (int again = 0; again < 2; again++) {       /* and after a restart */
		bool done = run(inflater, row, in_step, out_step, out, &total, &left, &err);

		CHECK(done == (row->kind == ERROR_NONE) && err.kind == row->kind,
			"%s: %s", row->what, err.text);
		CHECK_TEXT(err.slug, row->slug, "%s", row->what);
		/* Which byte, and why, is the library's to say. */
		CHECK(strncmp(err.text, row->text, strlen(row->text)) == 0, "%s: %s", row->what,
			err.text);
		CHECK(!done || (total == row->declared && left == row->left),
			"%s: made %zu, left %zu", row->what, total, left);
		for (size_t i = 0; done && i < total; i++)
			CHECK(out[i] == (unsigned char)(row->out != NULL ? row->out[i] : 'a'),
				"%s: byte %zu", row->what, i);
		err = (struct error){ 0 };
		inflater_restart(inflater);
	}
	inflater_close(inflater);
}

/* However input and output are cut, what follows the end is noticed: it was not taken, or it is
 * damage. */
static void
test_bytes_behind(void)
{
	static const char hello[] = HELLO HELLO HELLO;

	for (size_t in_step = 1; in_step < sizeof hello; in_step++) {
		for (size_t out_step = 1; out_step < 7; out_step++) {
			struct error     err = { 0 };
			struct inflater *inflater = inflater_open(5, &err);
			struct row       row = { "", hello, sizeof hello - 1, 5, "", 0, "", "", 0 };
			unsigned char    out[64];
			size_t           total, left = 0;
			bool             done = run(inflater, &row, in_step, out_step, out, &total,
				&left, &err);

			CHECK(done ? left == 2 * (sizeof HELLO - 1) : strcmp(err.slug, "deflbad") == 0,
				"pieces of %zu and %zu: left %zu, %s: %s", in_step, out_step, left,
				err.slug, err.text);
			inflater_close(inflater);
		}
	}
}

int
main(void)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		test_row(&rows[i], 100, 600);
		test_row(&rows[i], 1, 600);
		test_row(&rows[i], 1, 1);
		test_row(&rows[i], 3, 7);
	}
	test_bytes_behind();
	inflater_close(NULL);
	return check_end("inflate");
}
