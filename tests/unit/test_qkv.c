#include "check.h"
#include "megatron/qkv.h"

/*
 * 4 heads of 2 dimensions on 2 tensor ranks, so 12 rows per rank.  Both tables were written
 * down beforehand, from the layouts as Megatron-LM's code views them.
 */
#define HEADS 4
#define DIMS  2
#define RANKS 2
#define ROWS  12

static const char *const rows_on_rank[3][RANKS] = {
	{ "q0.0 q0.1 q1.0 q1.1 k0.0 k0.1 k1.0 k1.1 v0.0 v0.1 v1.0 v1.1",
	  "q2.0 q2.1 q3.0 q3.1 k2.0 k2.1 k3.0 k3.1 v2.0 v2.1 v3.0 v3.1" },
	{ "q0.0 k0.0 v0.0 q0.1 k0.1 v0.1 q1.0 k1.0 v1.0 q1.1 k1.1 v1.1",
	  "q2.0 k2.0 v2.0 q2.1 k2.1 v2.1 q3.0 k3.0 v3.0 q3.1 k3.1 v3.1" },
	{ "q0.0 q0.1 k0.0 k0.1 v0.0 v0.1 q1.0 q1.1 k1.0 k1.1 v1.0 v1.1",
	  "q2.0 q2.1 k2.0 k2.1 v2.0 v2.1 q3.0 q3.1 k3.0 k3.1 v3.0 v3.1" },
};

/* Of each c_attn column, by layout: the rank and the row that it comes from. */
static const struct {
	unsigned part, head, dim;
	unsigned from[3][2];
} columns[24] = {
	{ 0, 0, 0, { { 0, 0 },  { 0, 0 },  { 0, 0 } } },
	{ 0, 0, 1, { { 0, 1 },  { 0, 3 },  { 0, 1 } } },
	{ 0, 1, 0, { { 0, 2 },  { 0, 6 },  { 0, 6 } } },
	{ 0, 1, 1, { { 0, 3 },  { 0, 9 },  { 0, 7 } } },
	{ 0, 2, 0, { { 1, 0 },  { 1, 0 },  { 1, 0 } } },
	{ 0, 2, 1, { { 1, 1 },  { 1, 3 },  { 1, 1 } } },
	{ 0, 3, 0, { { 1, 2 },  { 1, 6 },  { 1, 6 } } },
	{ 0, 3, 1, { { 1, 3 },  { 1, 9 },  { 1, 7 } } },
	{ 1, 0, 0, { { 0, 4 },  { 0, 1 },  { 0, 2 } } },
	{ 1, 0, 1, { { 0, 5 },  { 0, 4 },  { 0, 3 } } },
	{ 1, 1, 0, { { 0, 6 },  { 0, 7 },  { 0, 8 } } },
	{ 1, 1, 1, { { 0, 7 },  { 0, 10 }, { 0, 9 } } },
	{ 1, 2, 0, { { 1, 4 },  { 1, 1 },  { 1, 2 } } },
	{ 1, 2, 1, { { 1, 5 },  { 1, 4 },  { 1, 3 } } },
	{ 1, 3, 0, { { 1, 6 },  { 1, 7 },  { 1, 8 } } },
	{ 1, 3, 1, { { 1, 7 },  { 1, 10 }, { 1, 9 } } },
	{ 2, 0, 0, { { 0, 8 },  { 0, 2 },  { 0, 4 } } },
	{ 2, 0, 1, { { 0, 9 },  { 0, 5 },  { 0, 5 } } },
	{ 2, 1, 0, { { 0, 10 }, { 0, 8 },  { 0, 10 } } },
	{ 2, 1, 1, { { 0, 11 }, { 0, 11 }, { 0, 11 } } },
	{ 2, 2, 0, { { 1, 8 },  { 1, 2 },  { 1, 4 } } },
	{ 2, 2, 1, { { 1, 9 },  { 1, 5 },  { 1, 5 } } },
	{ 2, 3, 0, { { 1, 10 }, { 1, 8 },  { 1, 10 } } },
	{ 2, 3, 1, { { 1, 11 }, { 1, 11 }, { 1, 11 } } },
};

static unsigned
row_of(enum qkv_layout layout, unsigned part, unsigned local_head, unsigned dim)
{
	struct qkv_strides strides = qkv_strides(layout, HEADS / RANKS, DIMS);

	return (unsigned)(part * strides.part + local_head * strides.head + dim * strides.dim);
}

static void
check_rank(unsigned layout, unsigned rank)
{
	char     names[ROWS][8] = { { 0 } }, line[ROWS * 8] = "";
	unsigned part, head, dim, row;

	for (part = 0; part < 3; part++)
		for (head = 0; head < HEADS / RANKS; head++)
			for (dim = 0; dim < DIMS; dim++) {
				row = row_of((enum qkv_layout)layout, part, head, dim);
				if (row < ROWS)
					snprintf(names[row], sizeof names[row], "%c%u.%u",
						"qkv"[part], rank * (HEADS / RANKS) + head, dim);
			}
	for (row = 0; row < ROWS; row++) {
		strcat(line, row > 0 ? " " : "");
		strcat(line, names[row]);
	}
	CHECK_TEXT(line, rows_on_rank[layout][rank], "layout %u, rank %u", layout, rank);
}

int
main(void)
{
	unsigned layout, rank, column;

	for (layout = 0; layout < 3; layout++) {
		for (rank = 0; rank < RANKS; rank++)
			check_rank(layout, rank);
		for (column = 0; column < 24; column++) {
			unsigned head = columns[column].head;
			unsigned row = row_of((enum qkv_layout)layout, columns[column].part,
				head % (HEADS / RANKS), columns[column].dim);

			CHECK(columns[column].from[layout][0] == head / (HEADS / RANKS)
			    && columns[column].from[layout][1] == row,
				"layout %u, column %u: row %u", layout, column, row);
		}
	}
	return check_end("qkv");
}
