#ifndef GPT2_MERGE_TABLE_H
#define GPT2_MERGE_TABLE_H

#include <stdint.h>

#define MERGE_TABLE_BYTES 256           /* ids of single bytes come first */
#define MERGE_TABLE_COUNT 50000

/* Merge N joins the tokens merge_table[N][0] and [1] and makes id 256 + N. */
extern const uint16_t merge_table[MERGE_TABLE_COUNT][2];

#endif
