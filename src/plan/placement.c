#include "plan/placement.h"

/* ---- which parameter makes which tensor ------------------------------------------- */

enum change {
	KEEP,                   /* as Megatron has it */
	TRIM_ROWS,              /* vocabulary padding is left out */
	TRANSPOSE,              /* [out, in] becomes GPT-2's [in, out] */
};

/* ROLE_COUNT: a constant */
static const struct part_rule {
	enum model_role role;
	enum change     change;
} part_rules[GPT2_PART_COUNT] = {
	/* Hugging Face GPT-2           Megatron                           change     */
	[GPT2_WTE]                   = { ROLE_WORD_EMBEDDING,              TRIM_ROWS },
	[GPT2_WPE]                   = { ROLE_POSITION_EMBEDDING,          KEEP      },
	[GPT2_LN_1_WEIGHT]           = { ROLE_INPUT_NORM_WEIGHT,           KEEP      },
	[GPT2_LN_1_BIAS]             = { ROLE_INPUT_NORM_BIAS,             KEEP      },
	[GPT2_ATTN_MASK]             = { ROLE_COUNT,                       KEEP      },
	[GPT2_ATTN_MASKED_BIAS]      = { ROLE_COUNT,                       KEEP      },
	[GPT2_C_ATTN_WEIGHT]         = { ROLE_QKV_WEIGHT,                  TRANSPOSE },
	[GPT2_C_ATTN_BIAS]           = { ROLE_QKV_BIAS,                    KEEP      },
	[GPT2_ATTN_C_PROJ_WEIGHT]    = { ROLE_ATTENTION_DENSE_WEIGHT,      TRANSPOSE },
	[GPT2_ATTN_C_PROJ_BIAS]      = { ROLE_ATTENTION_DENSE_BIAS,        KEEP      },
	[GPT2_LN_2_WEIGHT]           = { ROLE_POST_ATTENTION_NORM_WEIGHT,  KEEP      },
	[GPT2_LN_2_BIAS]             = { ROLE_POST_ATTENTION_NORM_BIAS,    KEEP      },
	[GPT2_C_FC_WEIGHT]           = { ROLE_MLP_UP_WEIGHT,               TRANSPOSE },
	[GPT2_C_FC_BIAS]             = { ROLE_MLP_UP_BIAS,                 KEEP      },
	[GPT2_MLP_C_PROJ_WEIGHT]     = { ROLE_MLP_DOWN_WEIGHT,             TRANSPOSE },
	[GPT2_MLP_C_PROJ_BIAS]       = { ROLE_MLP_DOWN_BIAS,               KEEP      },
	[GPT2_LN_F_WEIGHT]           = { ROLE_FINAL_NORM_WEIGHT,           KEEP      },
	[GPT2_LN_F_BIAS]             = { ROLE_FINAL_NORM_BIAS,             KEEP      },
	[GPT2_LM_HEAD]               = { ROLE_OUTPUT_LAYER,                TRIM_ROWS },
};

bool
placement_role(enum gpt2_part part, enum model_role *role)
{
	*role = part_rules[part].role;
	return *role != ROLE_COUNT;
}

bool
placement_knows(enum model_role role)
{
	for (size_t i = 0; i < GPT2_PART_COUNT; i++)
		if (part_rules[i].role == role)
			return true;
	return false;
}

/* ---- one slice as a strided copy -------------------------------------------------- */

static void
add_dim(struct strided_copy *box, uint64_t extent, uint64_t source, uint64_t target)
{
	box->extent[box->dims] = extent;
	box->source_stride[box->dims] = source;
	box->target_stride[box->dims++] = target;
}

/* How far apart rows and columns are in the tensor [rows, columns] or, transposed,
 * [columns, rows]. */
struct placement {
	uint64_t row, column;
};

static struct placement
place_rows(const struct model_parameter *whole, bool transposed)
{
	uint64_t rows = whole->shape[0], columns = whole->rank > 1 ? whole->shape[1] : 1;

	return (struct placement){ .row = transposed ? 1 : columns,
		.column = transposed ? rows : 1 };
}

/*
 * The rows of a slice of the fused QKV, taken apart into part (q, k, v), head and dim.  In
 * the target they are q of all heads, k of all heads, v of all heads.
 */
static void
add_qkv_rows(struct strided_copy *box, const struct model *model,
	const struct model_slice *slice, enum qkv_layout layout, const struct placement *at)
{
	uint64_t           hidden = model->arguments.hidden, stride = slice->view.stride[0];
	uint64_t           head_size = hidden / model->arguments.heads, of_head = 3 * head_size;
	uint64_t           rows = slice->view.shape[0], inside = slice->row % of_head;
	uint64_t           parts = 3, heads = rows / of_head, dims = head_size;
	struct qkv_strides from;

	if (inside != 0 || rows % of_head != 0) {       /* of one head: only layout 2 has these */
		layout = QKV_LAYOUT_2;
		heads = 1;
		parts = rows < head_size ? 1 : rows / head_size;
		dims = rows < head_size ? rows : head_size;
	}
	from = qkv_strides(layout, heads, head_size);
	add_dim(box, parts, from.part * stride, hidden * at->row);
	add_dim(box, heads, from.head * stride, head_size * at->row);
	add_dim(box, dims, from.dim * stride, at->row);
	box->target_offset += (inside / head_size * hidden + slice->row / of_head * head_size
		+ inside % head_size) * at->row;
}

/* The last slice in the place of the first, and so on. */
static void
reverse(struct model_slice *slice, const struct model_parameter *whole)
{
	slice->row = whole->shape[0] - slice->row - slice->view.shape[0];
	if (whole->rank > 1)
		slice->column = whole->shape[1] - slice->column - slice->view.shape[1];
}

static enum qkv_layout
layout_of(const struct model *model, enum placement_mistake mistake)
{
	switch (mistake) {
	case MISTAKE_QKV_0: return QKV_LAYOUT_0;
	case MISTAKE_QKV_1: return QKV_LAYOUT_1;
	case MISTAKE_QKV_2: return QKV_LAYOUT_2;
	default: return model->qkv_layout;
	}
}

bool
placement_box(const struct model *model, const struct model_parameter *whole,
	const struct gpt2_tensor *target, const struct model_slice *slice,
	enum placement_mistake mistake, struct strided_copy *box)
{
	enum change        change = part_rules[target->part].change;
	struct model_slice placed = *slice;
	struct placement   at = place_rows(whole,
		change == TRANSPOSE && mistake != MISTAKE_NOT_TRANSPOSED);
	uint64_t           rows = placed.view.rank > 0 ? placed.view.shape[0] : 1;

	if (mistake == MISTAKE_RANKS_REVERSED)
		reverse(&placed, whole);
	*box = (struct strided_copy){ .source_offset = placed.view.offset,
		.target_offset = placed.column * at.column };
	if (change == TRIM_ROWS) {
		uint64_t wanted = target->shape[0];

		if (placed.row >= wanted)
			return false;
		rows = rows < wanted - placed.row ? rows : wanted - placed.row;
	}
	if (dialect_roles[whole->role].join == JOIN_QKV && mistake != MISTAKE_QKV_AS_STORED) {
		add_qkv_rows(box, model, &placed, layout_of(model, mistake), &at);
	} else {
		add_dim(box, rows, placed.view.stride[0], at.row);
		box->target_offset += placed.row * at.row;
	}
	if (placed.view.rank > 1)
		add_dim(box, placed.view.shape[1], placed.view.stride[1], at.column);
	return true;
}
