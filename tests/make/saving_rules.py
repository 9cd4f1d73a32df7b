"""How Megatron-LM saves a GPT, from the other end: given Hugging Face GPT-2 tensors (the
truth), what does each rank of a run write?

Written from the rules of Megatron's own model and saving code, and knows nothing of the C
program.  A truth is an OrderedDict of GPT-2 names to torch tensors, with its sizes:

    Truth.tensors["transformer.h.0.attn.c_attn.weight"]   [hidden, 3 hidden]

Megatron keeps linear weights as [out, in], so all of them are transposed; it pads the
vocabulary to a multiple of 128 times the tensor ranks; it cuts rows (query_key_value,
h_to_4h, embeddings) or columns (dense, 4h_to_h) between tensor ranks; and the row order of
query_key_value on one rank changed twice (see qkv_source_columns).
"""
import argparse
import hashlib
import random
from collections import OrderedDict

import numpy as np
import torch


class Truth:
    def __init__(self, name, seed, hidden, layers, heads, positions, vocabulary,
                 dtype=torch.float16, coarse=0):
        self.name, self.hidden, self.layers, self.heads = name, hidden, layers, heads
        self.positions, self.vocabulary, self.dtype = positions, vocabulary, dtype
        self.ffn = 4 * hidden
        self.noise = np.random.RandomState(seed)
        self.coarse = coarse            # few distinct values, so that the file packs well
        self.tensors = OrderedDict()
        self._fill()

    def random(self, *shape, mean=0.0, spread=0.05, levels=16):
        if self.coarse:
            values = (self.noise.randint(0, levels, shape) - levels / 2) * (4 * spread / levels)
        else:
            values = self.noise.standard_normal(shape) * spread
        return torch.from_numpy((values + mean).astype(np.float32)).to(self.dtype)

    def _fill(self):
        h, t = self.hidden, self.tensors
        t["transformer.wte.weight"] = self.random(self.vocabulary, h, spread=0.25, levels=4)
        t["transformer.wpe.weight"] = self.random(self.positions, h, spread=0.1)
        for i in range(self.layers):
            at = "transformer.h.%d." % i
            for norm in ("ln_1", "ln_2"):
                t[at + norm + ".weight"] = self.random(h, mean=1.0, spread=0.2)
                t[at + norm + ".bias"] = self.random(h, spread=0.1)
            for name, rows, columns in (("attn.c_attn", h, 3 * h), ("attn.c_proj", h, h),
                                        ("mlp.c_fc", h, self.ffn), ("mlp.c_proj", self.ffn, h)):
                t[at + name + ".weight"] = self.random(rows, columns, spread=0.3)
                t[at + name + ".bias"] = self.random(columns, spread=0.1)
        t["transformer.ln_f.weight"] = self.random(h, mean=1.0, spread=0.2)
        t["transformer.ln_f.bias"] = self.random(h, spread=0.1)

    def description(self):
        """What a converted directory must hold."""
        is_gpt2 = self.vocabulary == 50257
        rows = OrderedDict()
        for name, tensor in self.tensors.items():
            rows[name] = OrderedDict(dtype=SAFETENSORS_DTYPES[tensor.dtype],
                                     shape=list(tensor.shape), sha256=digest(tensor))
        return OrderedDict(
            config=OrderedDict(
                model_type="gpt2", n_embd=self.hidden, n_head=self.heads, n_inner=self.ffn,
                n_layer=self.layers, n_positions=self.positions, vocab_size=self.vocabulary,
                activation_function="gelu_new", layer_norm_epsilon=1e-5, attn_pdrop=0.1,
                embd_pdrop=0.1, resid_pdrop=0.1, initializer_range=0.02,
                bos_token_id=50256 if is_gpt2 else None,
                eos_token_id=50256 if is_gpt2 else None),
            tensors=rows)


SAFETENSORS_DTYPES = {torch.float16: "F16", torch.bfloat16: "BF16", torch.float32: "F32"}


def raw_bytes(tensor):
    """Row-major little-endian bytes, bit by bit (a NaN keeps its payload)."""
    tensor = tensor.detach().contiguous()
    return tensor.view(torch.int32 if tensor.element_size() == 4 else torch.int16).numpy().tobytes()


def digest(tensor):
    return hashlib.sha256(raw_bytes(tensor)).hexdigest()


def padded_vocabulary(size, tensor_size, divisible_by=128):
    step = divisible_by * tensor_size
    return (size + step - 1) // step * step


def qkv_source_columns(layout, rank, heads_on_rank, head_size, hidden):
    """The c_attn column that each row of query_key_value on a rank holds.

    layout 0: [3, heads, dim]   layout 1: [heads, dim, 3]   layout 2: [heads, 3, dim]
    """
    columns = []
    for row in range(3 * heads_on_rank * head_size):
        if layout == 0:
            part, rest = divmod(row, heads_on_rank * head_size)
            head, dim = divmod(rest, head_size)
        elif layout == 1:
            rest, part = divmod(row, 3)
            head, dim = divmod(rest, head_size)
        else:
            rest, dim = divmod(row, head_size)
            head, part = divmod(rest, 3)
        columns.append(part * hidden + (rank * heads_on_rank + head) * head_size + dim)
    return columns


def own(tensor):
    """A contiguous copy in a storage of its own: torch.save writes whole storages."""
    return tensor.clone(memory_format=torch.contiguous_format)


class Run:
    """One training run's way to save a truth: its parallel sizes and its era."""

    def __init__(self, truth, tensor_size=1, pipeline_size=1, layout=0):
        self.truth, self.tensor_size, self.pipeline_size = truth, tensor_size, pipeline_size
        self.layout = layout
        self.rows = padded_vocabulary(truth.vocabulary, tensor_size)
        wte = truth.tensors["transformer.wte.weight"]
        noise = np.random.RandomState(7)        # trained padding rows are not zero
        padding = noise.choice([-0.5, -0.25, 0.25, 0.5], (self.rows - wte.shape[0], wte.shape[1]))
        self.wte = torch.cat([wte, torch.from_numpy(padding.astype(np.float32)).to(wte.dtype)])

    def cut(self, tensor, rank, dim):
        return own(torch.chunk(tensor, self.tensor_size, dim)[rank])

    def embedding(self, rank):
        return self.cut(self.wte, rank, 0)

    def layer(self, number, rank):
        """Names within a layer (dialects A and B) and that rank's tensors, in Megatron's
        order."""
        truth = self.truth
        get = lambda name: truth.tensors["transformer.h.%d.%s" % (number, name)]
        heads = truth.heads // self.tensor_size
        rows = qkv_source_columns(self.layout, rank, heads, truth.hidden // truth.heads,
                                  truth.hidden)
        return OrderedDict([
            ("input_layernorm.weight", own(get("ln_1.weight"))),
            ("input_layernorm.bias", own(get("ln_1.bias"))),
            ("attention.query_key_value.weight", own(get("attn.c_attn.weight").t()[rows])),
            ("attention.query_key_value.bias", own(get("attn.c_attn.bias")[rows])),
            ("attention.dense.weight", self.cut(get("attn.c_proj.weight").t(), rank, 1)),
            ("attention.dense.bias", own(get("attn.c_proj.bias"))),
            ("post_attention_layernorm.weight", own(get("ln_2.weight"))),
            ("post_attention_layernorm.bias", own(get("ln_2.bias"))),
            ("mlp.dense_h_to_4h.weight", self.cut(get("mlp.c_fc.weight").t(), rank, 0)),
            ("mlp.dense_h_to_4h.bias", self.cut(get("mlp.c_fc.bias"), rank, 0)),
            ("mlp.dense_4h_to_h.weight", self.cut(get("mlp.c_proj.weight").t(), rank, 1)),
            ("mlp.dense_4h_to_h.bias", own(get("mlp.c_proj.bias"))),
        ])

    def transformer(self, rank, stage=0):
        per_stage = self.truth.layers // self.pipeline_size
        state = OrderedDict()
        for local in range(per_stage):          # numbers restart on every stage
            for name, tensor in self.layer(stage * per_stage + local, rank).items():
                state["layers.%d.%s" % (local, name)] = tensor
        if stage == self.pipeline_size - 1:
            state["final_layernorm.weight"] = own(self.truth.tensors["transformer.ln_f.weight"])
            state["final_layernorm.bias"] = own(self.truth.tensors["transformer.ln_f.bias"])
        return with_metadata(state)

    def model_flat(self, rank):
        """Dialect A, July to October 2019: one flat state_dict."""
        state = OrderedDict()
        state["word_embeddings.weight"] = self.embedding(rank)
        state["position_embeddings.weight"] = own(self.truth.tensors["transformer.wpe.weight"])
        for name, tensor in self.transformer(rank).items():
            state["transformer." + name] = tensor
        return with_metadata(state)

    def model_nested(self, rank, stage=0):
        """Dialect B, October 2019 to v2.0: dicts built by hand around state_dicts."""
        language_model = {}
        if stage == 0:
            language_model["embedding"] = {
                "word_embeddings": with_metadata(OrderedDict(weight=self.embedding(rank))),
                "position_embeddings": with_metadata(OrderedDict(
                    weight=own(self.truth.tensors["transformer.wpe.weight"]))),
            }
        language_model["transformer"] = self.transformer(rank, stage)
        model = {"language_model": language_model}
        if self.pipeline_size > 1 and stage == self.pipeline_size - 1:
            model["word_embeddings_for_head"] = with_metadata(
                OrderedDict(weight=self.embedding(rank)))
        return model


def with_metadata(state):
    """What torch.nn.Module.state_dict() hangs on its OrderedDict."""
    modules = OrderedDict([("", {"version": 1})])
    for name in state:
        modules[name.rpartition(".")[0]] = {"version": 1}
    state._metadata = modules
    return state


def common_args(run, rank):
    truth = run.truth
    return OrderedDict(
        num_layers=truth.layers, hidden_size=truth.hidden, num_attention_heads=truth.heads,
        max_position_embeddings=truth.positions, make_vocab_size_divisible_by=128,
        layernorm_epsilon=1e-05, apply_residual_connection_post_layernorm=False,
        openai_gelu=True, attention_dropout=0.1, hidden_dropout=0.1, weight_decay=0.01,
        clip_grad=1.0, checkpoint_activations=False, checkpoint_num_layers=1,
        train_iters=500000, log_interval=100, exit_interval=None, tensorboard_dir=None,
        seed=1234, init_method_std=0.02, lr=0.00015, lr_decay_style="cosine", min_lr=1e-05,
        save="/checkpoints/gpt2", save_interval=1000, load=None, finetune=False,
        fp16=truth.dtype == torch.float16, apply_query_key_layer_scaling=False,
        attention_softmax_in_fp32=False, loss_scale=None, loss_scale_window=1000,
        distributed_backend="nccl", DDP_impl="local", local_rank=rank, split="949,50,1",
        data_path=["/data/text_document"], vocab_file="gpt2-vocab.json",
        merge_file="gpt2-merges.txt", seq_length=truth.positions, mask_prob=0.15,
        tokenizer_type="GPT2BPETokenizer", reset_position_ids=False, eod_mask_loss=False,
        rank=rank, world_size=run.tensor_size * run.pipeline_size,
        padded_vocab_size=run.rows)


def args_v1_0(run, rank, **changes):
    args = common_args(run, rank)
    args.update(batch_size=8, warmup=0.01, model_parallel_size=run.tensor_size,
                dynamic_loss_scale=True)
    args.update(changes)
    return argparse.Namespace(**args)


def args_v1_1_5(run, rank, **changes):
    args = common_args(run, rank)
    args.update(batch_size=8, model_parallel_size=run.tensor_size, openai_gelu=False,
                bias_gelu_fusion=True, bias_dropout_fusion=True, onnx_safe=None,
                params_dtype=run.truth.dtype, num_unique_layers=None)
    args.update(changes)
    return argparse.Namespace(**args)


def args_v2_0(run, rank, **changes):
    args = common_args(run, rank)
    args.update(micro_batch_size=8, global_batch_size=64, bias_gelu_fusion=True,
                bias_dropout_fusion=True, onnx_safe=None, params_dtype=run.truth.dtype,
                tensor_model_parallel_size=run.tensor_size,
                pipeline_model_parallel_size=run.pipeline_size, consumed_train_samples=64000)
    args.update(changes)
    return argparse.Namespace(**args)


def random_states():
    """The five RNG keys that a run saves, with values of the real types."""
    python_state = random.Random(1234).getstate()
    numpy_state = np.random.RandomState(1234).get_state()
    words = torch.arange(5056, dtype=torch.int64).remainder(251).to(torch.uint8)
    return OrderedDict(random_rng_state=python_state, np_rng_state=numpy_state,
                       torch_rng_state=words, cuda_rng_state=words[:816].clone(),
                       rng_tracker_states={"model-parallel-rng": words[:816].clone()})


class DynamicLossScaler:
    """Stands in for fp16.loss_scaler.DynamicLossScaler, which optimizer states hold."""

    def __init__(self):
        self.cur_scale, self.cur_iter, self.scale_factor = 65536.0, 1000, 2.0


DynamicLossScaler.__module__ = "fp16.loss_scaler"


def optimizer_states(model):
    """FP16_Optimizer over Adam: float32 masters as Parameters, and both moments."""
    masters, moments = [], {}
    for number, tensor in enumerate(each_tensor(model)):
        master = torch.nn.Parameter(tensor.float())
        masters.append(master)
        moments[number] = dict(step=1000, exp_avg=torch.full_like(master.data, 0.001),
                               exp_avg_sq=torch.full_like(master.data, 0.5))
    group = dict(lr=0.00015, betas=(0.9, 0.999), eps=1e-08, weight_decay=0.01,
                 params=list(range(len(masters))))
    return OrderedDict(
        optimizer=dict(loss_scaler=DynamicLossScaler(), dynamic_loss_scale=True, overflow=False,
                       first_closure_call_this_step=False, fp32_from_fp16=[masters],
                       optimizer_state_dict=dict(state=moments, param_groups=[group])),
        lr_scheduler=dict(start_lr=0.00015, warmup_iter=5000, num_iters=1000,
                          decay_style="cosine", end_iter=320000, min_lr=1e-05))


def each_tensor(node):
    if isinstance(node, torch.Tensor):
        yield node
    elif isinstance(node, dict):
        for value in node.values():
            yield from each_tensor(value)
