#ifndef MEGATRON_QKV_H
#define MEGATRON_QKV_H

#include <stdint.h>

/*
 * Row order of the fused QKV weight and bias on one tensor parallel rank, by layout:
 *
 *   0    [3, heads, dim]     no checkpoint_version, before 2020-09
 *   1    [heads, dim, 3]     checkpoint_version 1.0
 *   2    [heads, 3, dim]     checkpoint_version 2.0, 3.0, and mcore
 *
 * Reading one as another gives a model that loads, runs and babbles.  (Megatron-LM
 * v1.0, d80433e1a0 and v2.0, megatron/model/transformer.py.)
 */
enum qkv_layout { QKV_LAYOUT_0, QKV_LAYOUT_1, QKV_LAYOUT_2 };

/* Strides, in rows, of the three axes of a rank's [rows] in a layout: row =
 * part * strides->part + head * strides->head + dim * strides->dim, where part is 0 query,
 * 1 key, 2 value, head counts from the rank's first, and dim lies inside the head. */
struct qkv_strides {
	uint64_t part, head, dim;
};
struct qkv_strides qkv_strides(enum qkv_layout layout, uint64_t heads_on_rank, uint64_t head_size);

#endif
