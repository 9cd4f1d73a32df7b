"""How Megatron-LM of 2021 to 2026 saves a GPT: the later dialects, pipelines and arguments.

Continues saving_rules.py and is as independent of the C program.  A run has a dialect

    A    2019-07  flat, transformer.layers.N
    B    2019-10  language_model / transformer, attention.
    C    v2.5     language_model / encoder, self_attention.
    Cn   2023-09  the same with input_norm, post_attention_norm, final_norm
    Ct   2022-12  the same with Transformer Engine layers: layernorm_qkv, layernorm_mlp
    D    2023-09  decoder.layers.N, one flat state_dict, norms of their own (local spec)
    Dt   2023-05  the same with norms inside linear_qkv and linear_fc1 (Transformer Engine)

and a plan of layers: plan[chunk][stage] layers lie on each pipeline stage, in the order in
which a token passes them.  Numbers restart in each.  The first chunk of the first stage has
the embeddings, the last chunk of the last stage has the final norm and the head.
"""
import argparse
import enum
import io
import pickle
import sys
import types
from collections import OrderedDict

import numpy as np
import torch

import saving_rules as rules
from saving_rules import Run, Truth, own, with_metadata

# name within a layer of what a GPT-2 calls NAME; A and B have C's with attention. for
# self_attention.
C_NAMES = {
    "ln_1.weight": "input_layernorm.weight",
    "ln_1.bias": "input_layernorm.bias",
    "attn.c_attn.weight": "self_attention.query_key_value.weight",
    "attn.c_attn.bias": "self_attention.query_key_value.bias",
    "attn.c_proj.weight": "self_attention.dense.weight",
    "attn.c_proj.bias": "self_attention.dense.bias",
    "ln_2.weight": "post_attention_layernorm.weight",
    "ln_2.bias": "post_attention_layernorm.bias",
    "mlp.c_fc.weight": "mlp.dense_h_to_4h.weight",
    "mlp.c_fc.bias": "mlp.dense_h_to_4h.bias",
    "mlp.c_proj.weight": "mlp.dense_4h_to_h.weight",
    "mlp.c_proj.bias": "mlp.dense_4h_to_h.bias",
}
CT_NAMES = {
    "ln_1.weight": "self_attention.layernorm_qkv.layer_norm_weight",
    "ln_1.bias": "self_attention.layernorm_qkv.layer_norm_bias",
    "attn.c_attn.weight": "self_attention.layernorm_qkv.weight",
    "attn.c_attn.bias": "self_attention.layernorm_qkv.bias",
    "attn.c_proj.weight": "self_attention.proj.weight",
    "attn.c_proj.bias": "self_attention.proj.bias",
    "ln_2.weight": "layernorm_mlp.layer_norm_weight",
    "ln_2.bias": "layernorm_mlp.layer_norm_bias",
    "mlp.c_fc.weight": "layernorm_mlp.fc1_weight",
    "mlp.c_fc.bias": "layernorm_mlp.fc1_bias",
    "mlp.c_proj.weight": "layernorm_mlp.fc2_weight",
    "mlp.c_proj.bias": "layernorm_mlp.fc2_bias",
}
D_NAMES = {
    "ln_1.weight": "input_layernorm.weight",
    "ln_1.bias": "input_layernorm.bias",
    "attn.c_proj.weight": "self_attention.linear_proj.weight",
    "attn.c_proj.bias": "self_attention.linear_proj.bias",
    "attn.c_attn.weight": "self_attention.linear_qkv.weight",
    "attn.c_attn.bias": "self_attention.linear_qkv.bias",
    "ln_2.weight": "pre_mlp_layernorm.weight",
    "ln_2.bias": "pre_mlp_layernorm.bias",
    "mlp.c_fc.weight": "mlp.linear_fc1.weight",
    "mlp.c_fc.bias": "mlp.linear_fc1.bias",
    "mlp.c_proj.weight": "mlp.linear_fc2.weight",
    "mlp.c_proj.bias": "mlp.linear_fc2.bias",
}
DT_NAMES = dict(D_NAMES, **{
    "ln_1.weight": "self_attention.linear_qkv.layer_norm_weight",
    "ln_1.bias": "self_attention.linear_qkv.layer_norm_bias",
    "ln_2.weight": "mlp.linear_fc1.layer_norm_weight",
    "ln_2.bias": "mlp.linear_fc1.layer_norm_bias",
})
AB_NAMES = {gpt2: name.replace("self_attention.", "attention.") for gpt2, name in C_NAMES.items()}
CN_NAMES = {gpt2: name.replace("_layernorm", "_norm") for gpt2, name in C_NAMES.items()}
NAMES = dict(A=AB_NAMES, B=AB_NAMES, C=C_NAMES, Cn=CN_NAMES, Ct=CT_NAMES, D=D_NAMES, Dt=DT_NAMES)

# Modules that keep a state beside their parameters.
LOCAL_LINEARS = ["self_attention.query_key_value", "self_attention.dense", "mlp.dense_h_to_4h",
                 "mlp.dense_4h_to_h"]
EXTRA_STATES = dict(
    C=LOCAL_LINEARS, Cn=LOCAL_LINEARS,
    Ct=["self_attention.layernorm_qkv", "self_attention.core_attention", "self_attention.proj",
        "layernorm_mlp"],
    D=["self_attention.linear_proj", "self_attention.linear_qkv", "mlp.linear_fc1",
       "mlp.linear_fc2"],
    Dt=["self_attention.core_attention", "self_attention.linear_proj",
        "self_attention.linear_qkv", "mlp.linear_fc1", "mlp.linear_fc2"])


class EraTruth(Truth):
    """A truth with the variants that came later.

    biases: "all", "none", or "qkv" only; activation: GPT-2's name for it; zero_centered:
    norm weights are saved less 1, so the truth's must survive that; untied: own lm_head.
    """

    def __init__(self, name, seed, biases="all", activation="gelu_new", epsilon=1e-5,
                 zero_centered=False, untied=False, ffn=None, **sizes):
        self.biases, self.activation, self.epsilon = biases, activation, epsilon
        self.zero_centered, self.untied, self.inner = zero_centered, untied, ffn
        super().__init__(name, seed, **sizes)

    def _fill(self):
        self.ffn = self.inner or 4 * self.hidden
        super()._fill()
        for name, tensor in self.tensors.items():
            if name.endswith(".bias") and ".ln_" not in name and self.biases != "all":
                if self.biases == "none" or not name.endswith("c_attn.bias"):
                    tensor.zero_()
            if ".ln_" in name and name.endswith(".weight") and self.zero_centered:
                tensor.copy_(tensor.float().clamp(0.5, 1.99))
                assert torch.equal(tensor, (tensor.float() - 1).to(tensor.dtype).float()
                                   .add(1).to(tensor.dtype))
        if self.untied:
            self.tensors["lm_head.weight"] = self.random(self.vocabulary, self.hidden, spread=0.2)

    def description(self):
        what = super().description()
        what["config"].update(activation_function=self.activation,
                              layer_norm_epsilon=self.epsilon)
        if self.untied:
            what["config"]["tie_word_embeddings"] = False
        return what


def even(layers, stages, chunks=1):
    return [[layers // stages // chunks] * stages for _ in range(chunks)]


class EraRun(Run):
    """One run of any dialect.  `era` names the code that saved it (ERAS); `plan` is a list of
    chunks, each a list of layers per stage; `changes` are laid over args."""

    def __init__(self, truth, dialect, era, tensor_size=1, plan=None, layout=2, version=3.0,
                 divisible_by=8, **changes):
        self.dialect, self.era, self.version = dialect, era, version
        self.plan = plan or [[truth.layers]]
        self.chunks, self.changes = len(self.plan), changes
        self.divisible_by = divisible_by
        self.extra_state = ERAS[era].get("extra_state", {}).get(dialect)
        assert sum(map(sum, self.plan)) == truth.layers
        super().__init__(truth, tensor_size, len(self.plan[0]), layout)
        self.rows = rules.padded_vocabulary(truth.vocabulary, tensor_size, divisible_by)
        self.wte = self.padded(truth.tensors["transformer.wte.weight"], 7)
        if truth.untied:
            self.head = self.padded(truth.tensors["lm_head.weight"], 8)

    def padded(self, table, seed):
        noise = np.random.RandomState(seed)     # trained padding rows are not zero
        padding = noise.choice([-0.5, -0.25, 0.25, 0.5], (self.rows - len(table), table.shape[1]))
        return torch.cat([table, torch.from_numpy(padding.astype(np.float32)).to(table.dtype)])

    # ---- parts --------------------------------------------------------------------------

    def part(self, number, gpt2, rank):
        """What one rank keeps of a layer's tensor."""
        truth = self.truth
        tensor = truth.tensors["transformer.h.%d.%s" % (number, gpt2)]
        if gpt2.startswith("ln_"):
            return self.norm(tensor, gpt2)
        if gpt2.endswith(".weight"):
            tensor = tensor.t()
        if gpt2.startswith("attn.c_attn"):
            return own(tensor[rules.qkv_source_columns(
                self.layout, rank, truth.heads // self.tensor_size,
                truth.hidden // truth.heads, truth.hidden)])
        if gpt2.startswith("mlp.c_fc"):
            return self.cut(tensor, rank, 0)
        return self.cut(tensor, rank, 1) if gpt2.endswith(".weight") else own(tensor)

    def norm(self, tensor, name):
        if self.truth.zero_centered and name.endswith("weight"):
            return (tensor.float() - 1).to(tensor.dtype)
        return own(tensor)

    def has(self, gpt2):
        if gpt2.startswith("ln_") or gpt2.endswith(".weight") or self.truth.biases == "all":
            return True
        return self.truth.biases == "qkv" and gpt2 == "attn.c_attn.bias"

    def extra(self):
        """One module's _extra_state, in the form of the era."""
        content = {"recipe": None, "scale_fwd": [1.0, 1.0], "extra_fp8_variables": {}}
        if self.extra_state == "bytes":         # Transformer Engine before 2.0
            buffer = io.BytesIO()
            torch.save(content, buffer)
            return io.BytesIO(buffer.getvalue())
        if self.extra_state == "tensor":        # and since
            return torch.frombuffer(bytearray(pickle.dumps(content)), dtype=torch.uint8)
        return None

    def layers(self, chunk, stage, rank, prefix=""):
        before = [count for row in self.plan[:chunk] for count in row] + self.plan[chunk][:stage]
        state = OrderedDict()
        for local in range(self.plan[chunk][stage]):
            at = "%slayers.%d." % (prefix, local)
            for gpt2, name in NAMES[self.dialect].items():
                if self.has(gpt2):
                    state[at + name] = self.part(sum(before) + local, gpt2, rank)
            if self.extra_state:
                for module in EXTRA_STATES[self.dialect]:
                    state[at + module + "._extra_state"] = self.extra()
        if self.is_last(chunk, stage):
            name = "final_norm" if self.dialect == "Cn" or (
                self.dialect == "Ct" and ERAS[self.era].get("norm_spelling")) else "final_layernorm"
            for end in (".weight", ".bias"):
                state[prefix + name + end] = self.norm(
                    self.truth.tensors["transformer.ln_f" + end], end)
        return state

    def is_first(self, chunk, stage):
        return chunk == stage == 0

    def is_last(self, chunk, stage):
        return chunk == self.chunks - 1 and stage == self.pipeline_size - 1

    def words(self, rank):
        return self.cut(self.wte, rank, 0)

    def places(self):
        return own(self.truth.tensors["transformer.wpe.weight"])

    # ---- models -------------------------------------------------------------------------

    def model(self, rank, stage=0, chunk=0):
        if self.dialect == "A":
            return self.flat_2019(rank)
        if self.dialect in ("D", "Dt"):
            return self.mcore(rank, stage, chunk)
        return self.nested(rank, stage, chunk)

    def flat_2019(self, rank):
        state = OrderedDict([("word_embeddings.weight", self.words(rank)),
                             ("position_embeddings.weight", self.places())])
        state.update(self.layers(0, 0, rank, "transformer."))
        return with_metadata(state)

    def nested(self, rank, stage, chunk):
        language_model = {}
        if self.is_first(chunk, stage):
            language_model["embedding"] = {
                "word_embeddings": with_metadata(OrderedDict(weight=self.words(rank))),
                "position_embeddings": with_metadata(OrderedDict(weight=self.places()))}
        language_model["transformer" if self.dialect == "B" else "encoder"] = with_metadata(
            self.layers(chunk, stage, rank))
        model = {"language_model": language_model}
        if self.is_last(chunk, stage):
            if self.truth.untied:
                layer = OrderedDict(weight=self.cut(self.head, rank, 0))
                if self.extra_state:
                    layer["_extra_state"] = None
                language_model["output_layer"] = with_metadata(layer)
            elif self.pipeline_size > 1:
                model["word_embeddings_for_head"] = with_metadata(
                    OrderedDict(weight=self.words(rank)))
        return model

    def mcore(self, rank, stage, chunk):
        state = OrderedDict()
        if self.is_first(chunk, stage):
            state["embedding.word_embeddings.weight"] = self.words(rank)
            state["embedding.position_embeddings.weight"] = self.places()
        state.update(self.layers(chunk, stage, rank, "decoder."))
        if self.is_last(chunk, stage):
            if self.truth.untied:
                state["output_layer.weight"] = self.cut(self.head, rank, 0)
            elif self.pipeline_size > 1:
                state["output_layer.weight"] = self.words(rank)
            state["output_layer._extra_state"] = None
        return with_metadata(state)

    # ---- a rank's file ------------------------------------------------------------------

    def args(self, rank, stage):
        make = ERAS[self.era].get("args")
        if make is None:
            return None
        return argparse.Namespace(**dict(make(self, rank + stage * self.tensor_size),
                                         **self.changes))

    def state(self, rank, stage=0, random=False):
        era, state = ERAS[self.era], {}
        args = self.args(rank, stage)
        if args is not None:
            state["args"] = args
        if self.version is not None:
            state["checkpoint_version"] = self.version
        state["iteration"] = 1000
        if self.era.startswith("core") and self.era != "core_v0.4.0":
            state["num_floating_point_operations_so_far"] = 1.5e15
        if self.chunks == 1:
            state["model"] = self.model(rank, stage)
        else:
            for chunk in range(self.chunks):
                state["model%d" % chunk] = self.model(rank, stage, chunk)
        if random:
            states = rules.random_states()
            state.update({"rng_state": [dict(states)]} if era.get("rng_list") else states)
        if era.get("rerun"):
            state["rerun_state_machine"] = {"mode": RerunMode("disabled"), "sharded": None}
        return state


# ---- args of each era -------------------------------------------------------------------

class EnumMember:
    """Pickled as enums are up to Python 3.10: the class called with the value."""

    def __init__(self, value):
        self.value = value

    def __reduce__(self):
        return type(self), (self.value,)


def stand_in(module, name, base):
    """A class that only Megatron has."""
    parts = module.split(".")
    for i in range(len(parts)):
        sys.modules.setdefault(".".join(parts[:i + 1]), types.ModuleType(parts[i]))
    made = type(name, (base,), {}) if base is EnumMember else base(name, *members(name))
    made.__module__ = module
    setattr(sys.modules[module], name, made)
    if base is enum.Enum:       # as Python 3.11: getattr(class, "NAME")
        made.__reduce_ex__ = lambda self, protocol: (getattr, (self.__class__, self._name_))
    return made


def members(name):
    return {"ModelType": ([("encoder_or_decoder", 1), ("encoder_and_decoder", 2)],),
            "AttnBackend": ([("flash", 1), ("auto", 5)],),
            "RerunMode": ([("DISABLED", "disabled")],)}[name]


ModelTypeCall = stand_in("megatron.model.enums", "ModelType", EnumMember)
ModelType = stand_in("megatron.core.enums", "ModelType", enum.Enum)
AttnBackend = stand_in("megatron.core.transformer.enums", "AttnBackend", enum.Enum)
RerunMode = stand_in("megatron.core.rerun_state_machine", "RerunMode", enum.Enum)
RerunState = stand_in("megatron.core.rerun_state_machine", "RerunState", EnumMember)
RerunDiagnostic = stand_in("megatron.core.rerun_state_machine", "RerunDiagnostic", EnumMember)


def args_v1_0(run, rank):
    args = vars(rules.args_v1_0(run, rank))
    args.update(layernorm_epsilon=run.truth.epsilon,
                make_vocab_size_divisible_by=run.divisible_by,
                openai_gelu=run.truth.activation == "gelu_new")
    return args


def with_activation(args, run):
    """Fusion is the usual way to the tanh form; it needs biases (checked by arguments.py)."""
    activation = run.truth.activation
    fused = activation == "gelu_new" and run.truth.biases == "all"
    args.update(make_vocab_size_divisible_by=run.divisible_by, bias_gelu_fusion=fused,
                layernorm_epsilon=run.truth.epsilon,
                openai_gelu=activation == "gelu_new" and not fused)
    return args


def args_v1_1_5(run, rank):
    return with_activation(vars(rules.args_v1_1_5(run, rank)), run)


def args_v2_0(run, rank):
    return with_activation(vars(rules.args_v2_0(run, rank)), run)


def args_v2_5(run, rank):
    """Also of v2.6: sizes of their own for the inner layer and the heads."""
    truth = run.truth
    args = args_v2_0(run, rank)
    args.update(ffn_hidden_size=truth.ffn, kv_channels=truth.hidden // truth.heads,
                bf16=truth.dtype == torch.bfloat16, encoder_seq_length=truth.positions,
                decoder_seq_length=None, masked_softmax_fusion=True, vocab_extra_ids=0,
                apply_query_key_layer_scaling=True, data_parallel_size=1,
                num_layers_per_virtual_pipeline_stage=None,
                virtual_pipeline_model_parallel_size=None, bert_binary_head=True,
                use_contiguous_buffers_in_ddp=False, ict_head_size=None, num_classes=1000)
    if run.chunks > 1:
        args.update(num_layers_per_virtual_pipeline_stage=run.plan[0][0],
                    virtual_pipeline_model_parallel_size=run.chunks)
    return args


def args_23_04(run, rank):
    """2022 and early 2023: options for what others' models have, all off by default."""
    truth = run.truth
    args = args_v2_5(run, rank)
    args.update(encoder_num_layers=truth.layers, decoder_num_layers=None,
                use_rotary_position_embeddings=False, rotary_percent=1.0,
                add_position_embedding=True, apply_layernorm_1p=truth.zero_centered,
                squared_relu=truth.activation == "relu2", swiglu=False, num_experts=None,
                untie_embeddings_and_output_weights=truth.untied,
                add_bias_linear=truth.biases == "all", sequence_parallel=run.tensor_size > 1,
                standalone_embedding_stage=False,
                transformer_pipeline_model_parallel_size=run.pipeline_size,
                use_distributed_optimizer=False, recompute_granularity=None, vocab_size=None,
                transformer_impl="transformer_engine" if run.dialect == "Ct" else "local",
                fp8_e4m3=False, fp8_hybrid=False, retro_add_retriever=False,
                model_type=ModelTypeCall(1), use_flash_attn=False)
    return args


def args_core_v0_4(run, rank):
    truth = run.truth
    args = args_23_04(run, rank)
    del args["layernorm_epsilon"]
    args.update(norm_epsilon=truth.epsilon, normalization="LayerNorm",
                position_embedding_type="learned_absolute", group_query_attention=False,
                num_query_groups=1, rotary_seq_len_interpolation_factor=None,
                use_mcore_models=run.dialect in ("D", "Dt"), expert_model_parallel_size=1,
                context_parallel_size=1, model_type=ModelType(1), fp8=None,
                apply_query_key_layer_scaling=False, profile_ranks=[0])
    return args


def args_core_v0_5(run, rank):
    """add_qkv_bias is off in ordinary models with biases.  transformer_impl stays "local" in
    models with Transformer Engine layers: what built them did not ask."""
    args = args_core_v0_4(run, rank)
    args.update(add_qkv_bias=run.truth.biases == "qkv", rotary_interleaved=False,
                bias_swiglu_fusion=True, mock_data=False, moe_router_topk=2)
    return args


def args_core_v0_8(run, rank):
    is_core = run.dialect in ("D", "Dt")
    args = args_core_v0_5(run, rank)
    del args["use_mcore_models"]
    args.update(use_legacy_models=not is_core, qk_layernorm=False,
                spec=None, is_hybrid_model=False, hybrid_override_pattern=None,
                hybrid_attention_ratio=0.0, ckpt_format="torch", tiktoken_pattern=None,
                transformer_impl="transformer_engine" if run.dialect[1:] == "t" else "local")
    return args


def args_core_v0_12(run, rank):
    args = args_core_v0_8(run, rank)
    del args["standalone_embedding_stage"]
    args.update(add_qkv_bias=run.truth.biases != "none", attention_backend=AttnBackend(5),
                multi_latent_attention=False, mtp_num_layers=None, mtp_loss_scaling_factor=0.1,
                decoder_first_pipeline_num_layers=None, decoder_last_pipeline_num_layers=None,
                account_for_embedding_in_pipeline_split=False,
                account_for_loss_in_pipeline_split=False, relative_attention_num_buckets=32,
                heterogeneous_layers_config_path=None, mrope_section=None,
                heterogeneous_layers_config_encoded_json=None, rotary_base=10000,
                main_grads_dtype=torch.float32, exp_avg_dtype=torch.float32,
                cp_comm_type=["p2p"], use_rope_scaling=False)
    return args


def args_core_v0_16(run, rank):
    """Two fields take the names that they have in the configuration class."""
    truth = run.truth
    args = args_core_v0_12(run, rank)
    for name in ("norm_epsilon", "apply_layernorm_1p"):
        del args[name]
    args.update(layernorm_epsilon=truth.epsilon,
                layernorm_zero_centered_gamma=truth.zero_centered, quick_geglu=False,
                qk_l2_norm=False, softmax_scale=None, softmax_type="vanilla", window_size=None,
                attention_output_gate=False, experimental_attention_variant=None,
                linear_attention_freq=None, activation_func_clamp_value=None,
                glu_linear_offset=0.0, pipeline_model_parallel_layout=None,
                use_te_activation_func=False, hybrid_layer_pattern=None)
    return args


# The code that saved.  extra_state: the form of it by dialect.
NONE = {dialect: "none" for dialect in ("Cn", "D")}
ERAS = {
    "2019": dict(),
    "v1.0": dict(args=args_v1_0),
    "v1.1.5": dict(args=args_v1_1_5),
    "v2.0": dict(args=args_v2_0),
    "v2.5": dict(args=args_v2_5),
    "23.04": dict(args=args_23_04, rng_list=True, extra_state=dict(Ct="bytes")),
    "core_v0.4.0": dict(args=args_core_v0_4, rng_list=True, norm_spelling=True,
                        extra_state=dict(Ct="bytes", Dt="bytes")),
    "core_v0.5.0": dict(args=args_core_v0_5, rng_list=True, norm_spelling=True,
                        extra_state=dict(NONE, Ct="bytes", Dt="bytes")),
    "core_v0.8.0": dict(args=args_core_v0_8, rng_list=True, norm_spelling=True,
                        extra_state=dict(NONE, Ct="none", Dt="bytes")),
    "core_v0.12.0": dict(args=args_core_v0_12, rng_list=True, rerun=True, norm_spelling=True,
                         extra_state=dict(NONE, Ct="tensor", Dt="tensor")),
    "core_v0.16.0": dict(args=args_core_v0_16, rng_list=True, rerun=True,
                         extra_state=dict(NONE, Dt="tensor")),
}
ERAS_OF = dict(
    A=["2019"], B=["2019", "v1.0", "v1.1.5", "v2.0"], C=["v2.5", "23.04"],
    Cn=["core_v0.4.0", "core_v0.5.0", "core_v0.8.0", "core_v0.12.0"],
    Ct=["23.04", "core_v0.4.0", "core_v0.5.0", "core_v0.12.0"],
    D=["core_v0.5.0", "core_v0.8.0", "core_v0.12.0", "core_v0.16.0"],
    Dt=["core_v0.4.0", "core_v0.5.0", "core_v0.8.0", "core_v0.12.0", "core_v0.16.0"])
