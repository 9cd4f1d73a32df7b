#include "megatron/qkv.h"

struct qkv_strides
qkv_strides(enum qkv_layout layout, uint64_t heads_on_rank, uint64_t head_size)
{
	switch (layout) {
	case QKV_LAYOUT_1:
		return (struct qkv_strides){ .part = 1, .head = 3 * head_size, .dim = 3 };
	case QKV_LAYOUT_2:
		return (struct qkv_strides){ .part = head_size, .head = 3 * head_size, .dim = 1 };
	case QKV_LAYOUT_0:
		break;
	}
	return (struct qkv_strides){ .part = heads_on_rank * head_size, .head = head_size, .dim = 1 };
}
