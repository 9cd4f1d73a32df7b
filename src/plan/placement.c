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

/*
 * Where row 0 and column 0 of slice `rank` go, and how far apart rows and columns are, in
 * the tensor [rows, columns] or, transposed, [columns, rows].
 */
struct placement {
	uint64_t offset, row, column;
};

static struct placement
place_slice(const struct model_parameter *whole, const struct tensor_view *view, size_t rank,
	bool transposed)
{
	enum model_join  join = dialect_roles[whole->role].join;
	uint64_t         rows = whole->shape[0], columns = whole->rank > 1 ? whole->shape[1] : 1;
	struct placement at;

	at.row = transposed ? 1 : columns;
	at.column = transposed ? rows : 1;
	at.offset = join == JOIN_ROWS ? rank * view->shape[0] * at.row
		: join == JOIN_COLUMNS ? rank * view->shape[1] * at.column : 0;
	return at;
}

/*
 * The rows of a rank's fused QKV, taken apart into part (q, k, v), head and dim.  In the
 * target they are q of all heads, k of all heads, v of all heads.
 */
static void
add_qkv_rows(struct strided_copy *box, const struct model *model, const struct tensor_view *view,
	size_t rank, enum qkv_layout layout, const struct placement *at)
{
	uint64_t           heads = view->shape[0] / 3 * model->arguments.heads
		/ model->arguments.hidden;
	uint64_t           head_size = model->arguments.hidden / model->arguments.heads;
	struct qkv_strides rows = qkv_strides(layout, heads, head_size);

	add_dim(box, 3, rows.part * view->stride[0], model->arguments.hidden * at->row);
	add_dim(box, heads, rows.head * view->stride[0], head_size * at->row);
	add_dim(box, head_size, rows.dim * view->stride[0], at->row);
	box->target_offset += rank * heads * head_size * at->row;
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
	const struct gpt2_tensor *target, const struct tensor_view *view, size_t rank,
	enum placement_mistake mistake, struct strided_copy *box)
{
	enum change      change = part_rules[target->part].change;
	size_t           place = mistake == MISTAKE_RANKS_REVERSED
		? whole->slice_count - 1 - rank : rank;
	bool             transposed = change == TRANSPOSE && mistake != MISTAKE_NOT_TRANSPOSED;
	struct placement at = place_slice(whole, view, place, transposed);
	uint64_t         rows = view->rank > 0 ? view->shape[0] : 1;

	*box = (struct strided_copy){ .source_offset = view->offset, .target_offset = at.offset };
	if (change == TRIM_ROWS) {
		uint64_t before = place * rows, wanted = target->shape[0];

		if (before >= wanted)
			return false;
		rows = rows < wanted - before ? rows : wanted - before;
	}
	if (dialect_roles[whole->role].join == JOIN_QKV && mistake == MISTAKE_QKV_AS_STORED) {
		box->target_offset += place * rows * at.row;
		add_dim(box, rows, view->stride[0], at.row);
	} else if (dialect_roles[whole->role].join == JOIN_QKV) {
		add_qkv_rows(box, model, view, place, layout_of(model, mistake), &at);
	} else {
		add_dim(box, rows, view->stride[0], at.row);
	}
	if (view->rank > 1)
		add_dim(box, view->shape[1], view->stride[1], at.column);
	return true;
}
