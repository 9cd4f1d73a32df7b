"""The checkpoints of tests/matrix and fixtures/eras: which there are, and what must come.

Here are labels that lie, what known tools write, files that do not belong, arguments, options,
what is no GPT-2, contradictions, damage and drift.  cells() makes all cells, those of
era_grid.py too, lazily, one after the other.
"""
import copy
import types
from collections import OrderedDict

import torch

import saving_rules as rules
from era_grid import (FOLDER, HEADS, MEMBER, TRACKER, TRUE_SIZE, Cell, checkpoint, grid,
                      label_source, rank_name, stages, variants)
from saving_eras import EnumMember, EraRun, ModelType, even, stand_in


# ---- labels -----------------------------------------------------------------------------

def label_cells(truths):
    """checkpoint_version is missing or says what is not so."""
    two = truths["two"]

    def cell(name, text, dialect, era, size, layout, version, options=(), plan=None, says=(),
             **changes):
        return Cell("label-" + name, lambda: checkpoint(
            EraRun(two, dialect, era, size, plan, layout, version, **changes)), two,
            list(options) + TRUE_SIZE, says=says, zipped=era not in ("v1.0", "v1.1.5"),
            outer="deflated", text=text, decided=dict(
                qkv_layout="option" if options and options[1] != "auto"
                else label_source(dialect, version)))

    yield cell("loaded-from-v0", "layout 0 under 3.0: a v1.0 checkpoint loaded and saved by v2.0",
               "B", "v2.0", 2, 0, 3.0, ["--qkv-layout", "0"], load="/checkpoints/v1.0")
    yield cell("loaded-from-v1", "layout 1 under 3.0: a v1.1.5 checkpoint loaded and saved by v2.0",
               "B", "v2.0", 2, 1, 3.0, ["--qkv-layout", "1"], load="/checkpoints/v1.1.5")
    yield cell("main-2020-09", "layout 2 without a label: main between 2020-09-11 and 09-29",
               "B", "v1.1.5", 2, 2, None, ["--qkv-layout", "2"])
    yield cell("branch-2020-10-12", "layout 2 under 1.0: a branch of one hour", "B", "v1.1.5", 2,
               2, 1.0, ["--qkv-layout", "2"])
    yield cell("same-as-label", "--qkv-layout says what the label says", "B", "v2.0", 2, 2, 3.0,
               ["--qkv-layout", "2"])
    yield cell("auto", "--qkv-layout auto: the label", "B", "v1.1.5", 2, 1, 1.0,
               ["--qkv-layout", "auto"])
    yield cell("encoder-none", "encoder names, no label: layout 2", "C", "v2.5", 2, 2, None)
    yield cell("norm-none", "input_norm names, no label: layout 2", "Cn", "core_v0.4.0", 2, 2,
               None)
    yield cell("te-none", "Transformer Engine names, no label: layout 2", "Ct", "core_v0.4.0", 2, 2,
               None)
    yield cell("mcore-none", "decoder names, no label: layout 2", "D", "core_v0.8.0", 2, 2, None,
               plan=even(2, 2))
    for version in (0, 1, 1.0, 2, 2.0, 3, 3.0):
        layout = {0: 0, 1: 1}.get(version, 2)
        yield cell("number-%s" % version, "checkpoint_version %s" % version, "B",
                   "v1.1.5" if version == 1 else "v1.0" if version == 0 else "v2.0", 2, layout,
                   version)


# ---- tools ------------------------------------------------------------------------------

def reshape_tool(truth, size, stage_count, distributed, inner):
    """Hugging Face's converter to Megatron: few args, one namespace for all ranks, no
    iteration, a head copy always, padding rows that repeat the last real one, and clones of
    transposed views, whose strides are (1, rows)."""
    run = EraRun(truth, "C", "v2.5", size, even(truth.layers, stage_count))
    args = types.SimpleNamespace(
        orig_vocab_size=truth.vocabulary, max_position_embeddings=truth.positions,
        hidden_size=truth.hidden, num_layers=truth.layers, num_attention_heads=truth.heads,
        ffn_hidden_size=inner, tensor_model_parallel_size=size,
        pipeline_model_parallel_size=stage_count, data_parallel_size=1,
        make_vocab_size_divisible_by=8, rank=0, tokenizer_type="GPT2BPETokenizer",
        bias_gelu_fusion=False, openai_gelu=True, params_dtype=truth.dtype,
        padded_vocab_size=run.rows)
    last = truth.tensors["transformer.wte.weight"][-1:]
    run.wte = torch.cat([truth.tensors["transformer.wte.weight"],
                         last.expand(run.rows - truth.vocabulary, -1)])
    dummy = {"step": 0, "param_groups": [{"lr": 0.0, "params": []}]}
    files = OrderedDict([(TRACKER, b"release")])
    for stage in range(stage_count):
        for rank in range(size):
            model = run.model(rank, stage)
            encoder = model["language_model"]["encoder"]
            for name, tensor in encoder.items():
                if tensor.dim() == 2 and "query_key_value" not in name:
                    encoder[name] = tensor.t().contiguous().t().clone()
            if stage == stage_count - 1:
                model["word_embeddings_for_head"] = {"weight": run.words(rank)}
            state = {"model": model, "checkpoint_version": 3.0, "args": args}
            name = "release/" + rank_name(run, rank, stage)
            if distributed:
                files[name + "_000/optim.pt"] = {"optimizer": dummy}
            else:
                state["optimizer"] = dummy
            files["%s/%s" % (name, "model_rng.pt" if distributed else MEMBER)] = state
    tensor = encoder["layers.0.mlp.dense_h_to_4h.weight"]
    assert tensor.stride() == (1, tensor.shape[0])
    return files


PositionEmbeddingType = stand_in("megatron.enums", "PositionEmbeddingType", EnumMember)


def bigscience(truth, size, stage_count):
    """The head copy always, an empty embedding on later stages, args with their own enum."""
    run = EraRun(truth, "C", "v2.5", size, even(truth.layers, stage_count),
                 position_embedding_type=PositionEmbeddingType(2), embed_layernorm=False,
                 glu_activation=None, tokenizer_type="PretrainedFromHF", curriculum_learning=False,
                 tokenizer_name_or_path="gpt2")

    def change(state, rank, stage):
        state["model"]["language_model"].setdefault("embedding", {})
        if stage == stage_count - 1:
            state["model"]["word_embeddings_for_head"] = {"weight": run.words(rank)}
        state["tokens"], state["checkpoint_info"] = 1000, {"padded_vocab_size": run.rows}
    return checkpoint(run, change=change)


def tools(truths):
    two = truths["two"]
    for size, stage_count, distributed, inner in ((1, 1, False, 32), (2, 2, False, None),
                                                  (2, 2, True, 32), (1, 1, True, None)):
        yield Cell("tool-reshape-tp%d-pp%d%s%s" % (
            size, stage_count, "-model_rng" if distributed else "", "" if inner else "-no-inner"),
            lambda a=(size, stage_count, distributed, inner): reshape_tool(two, *a), two, [],
            outer="deflated", text="as Hugging Face's tool writes it: few args, rank 0 "
            "in all, no iteration, head copy always, strides (1, rows)")
    for size, stage_count in ((1, 1), (2, 2)):
        yield Cell("tool-bigscience-tp%d-pp%d" % (size, stage_count),
                   lambda a=(size, stage_count): bigscience(two, *a), two, outer="deflated",
                   text="as BigScience's tool writes it: head copy always, empty embedding later")

    def merged(state, rank, stage):
        return {"model": state["model"], "iteration": state["iteration"]}
    yield Cell("tool-merged-v1.0", lambda: checkpoint(
        EraRun(two, "B", "v1.0", 1, None, 0, None), change=merged), two, HEADS + TRUE_SIZE,
        zipped=False, text="merged by v1.0's tool: model and iteration only")

    def nemo(prefix):
        def change(state, rank, stage):
            model = state["model"]
            if "language_model" in model:
                parts = model["language_model"]
                flat = OrderedDict(("language_model.embedding.%s.weight" % name, table["weight"])
                                   for name, table in parts["embedding"].items())
                flat.update(("language_model.encoder." + name, tensor)
                            for name, tensor in parts["encoder"].items())
                model = flat
            state["model"] = OrderedDict((prefix + name, v) for name, v in model.items())
        return change
    for dialect, era in (("D", "core_v0.8.0"), ("Dt", "core_v0.12.0"), ("C", "v2.5")):
        for prefix in ("module.", "model.", "model.module."):
            yield Cell("tool-prefix-%s-%s" % (dialect, prefix.strip(".")),
                       lambda d=dialect, e=era, p=prefix: checkpoint(
                           EraRun(two, d, e, 2), change=nemo(p)), two, outer="deflated",
                       text="names that begin with " + prefix)


# ---- files and folders ------------------------------------------------------------------

def folders(truths):
    two = truths["two"]
    optimizer = {"optimizer": {"state": {0: {"exp_avg": torch.ones(9)}}}}

    def sharded_optimizer():
        run = EraRun(two, "C", "23.04", 2, even(2, 2), use_distributed_optimizer=True)
        files = checkpoint(run, member="model_rng.pt")
        for stage in range(2):
            for rank in range(2):
                for data in range(2):
                    files["%s/%s_%03d/optim.pt" % (FOLDER, rank_name(run, rank, stage), data)] = (
                        optimizer)
        return files

    def sharded_optimizer_one_stage():
        run = EraRun(two, "C", "23.04", 2, use_distributed_optimizer=True)
        files = checkpoint(run, member="model_rng.pt")
        for rank in range(2):
            for data in range(4):
                files["%s/mp_rank_%02d_%03d/optim.pt" % (FOLDER, rank, data)] = optimizer
        return files

    def beside():
        run = EraRun(two, "Dt", "core_v0.16.0", 2, even(2, 2), use_distributed_optimizer=True)
        files = checkpoint(run)
        for name in list(files)[1:]:
            for other in ("distrib_optim.pt", "train_dataloader_dprank000.pt",
                          "layer_wise_optimizer_0.pt"):
                files[name.replace(MEMBER, other)] = optimizer
        return files

    def two_iterations():
        other = copy.copy(truths["two"])
        other.tensors = OrderedDict((n, t * 0) for n, t in other.tensors.items())
        files = checkpoint(EraRun(other, "D", "core_v0.8.0", 1, even(2, 2)))
        older = checkpoint(EraRun(two, "D", "core_v0.8.0", 1, even(2, 2)), "iter_0000900",
                           change=lambda state, rank, stage: state.update(iteration=900))
        files.update((name, state) for name, state in older.items() if name != TRACKER)
        released = checkpoint(EraRun(two, "D", "core_v0.8.0", 2), "release")
        files.update((name, state) for name, state in released.items() if name != TRACKER)
        return files

    for outer in (None, "deflated"):
        where = outer or "folder"
        yield Cell("folders-model_rng-pp2-%s" % where, sharded_optimizer, two, outer=outer,
                   text="model_rng.pt; folders with three numbers hold the optimizer only")
        yield Cell("folders-model_rng-%s" % where, sharded_optimizer_one_stage, two,
                   outer=outer, text="model_rng.pt; mp_rank_00_003 is no pipeline stage")
        yield Cell("folders-beside-%s" % where, beside, two, outer=outer,
                   text="distrib_optim.pt and others beside the model")
        yield Cell("folders-iteration-900-%s" % where, two_iterations, two,
                   ["--iteration", "900"] + TRUE_SIZE, outer=outer,
                   text="another iteration than the tracker says")
        yield Cell("folders-iteration-release-%s" % where, two_iterations, two,
                   ["--iteration", "release"] + TRUE_SIZE, outer=outer)
    yield Cell("folders-iteration-absent", two_iterations, None, ["--iteration", "77"] + TRUE_SIZE,
               status=6, slug="tracker")


# ---- args -------------------------------------------------------------------------------

def plain_arguments(truths):
    """Arguments that must not stop or change anything."""
    two = truths["two"]

    def cell(name, truth, dialect, era, options=TRUE_SIZE, size=1, plan=None, text="", says=(),
             change=None, **changes):
        return Cell("args-" + name, lambda: checkpoint(
            EraRun(truth, dialect, era, size, plan, **changes), change=change), truth, options,
            outer="deflated", text=text, says=says)

    yield cell("mcore-ignores-openai-gelu", truths["erf"], "D", "core_v0.12.0", openai_gelu=True,
               onnx_safe=True, text="mcore: erf, --openai-gelu is not used")
    yield cell("te-ignores-flags", two, "Ct", "core_v0.4.0", bias_gelu_fusion=False,
               openai_gelu=False, text="legacy Transformer Engine: tanh, whatever flags say")
    yield cell("te-activation", two, "Dt", "core_v0.16.0", bias_gelu_fusion=False,
               use_te_activation_func=True, text="tanh by Transformer Engine")
    yield cell("fusion-over-onnx", two, "C", "v2.5", onnx_safe=True)
    yield cell("scaling", two, "C", "v2.5", apply_query_key_layer_scaling=True,
               text="query-key layer scaling cancels out")
    yield cell("precision", two, "D", "core_v0.12.0", attention_softmax_in_fp32=True,
               fp32_residual_connection=True, masked_softmax_fusion=False, use_flash_attn=True,
               context_parallel_size=2, sequence_parallel=True, recompute_granularity="full")
    yield cell("groups-equal-heads", two, "D", "core_v0.12.0", group_query_attention=True,
               num_query_groups=4, text="as many query groups as heads")
    yield cell("groups-one-unused", two, "D", "core_v0.12.0", num_query_groups=1)
    yield cell("experts-one", two, "C", "v2.5", num_experts=[1])
    yield cell("null-tokenizer", two, "D", "core_v0.12.0", [], tokenizer_type="NullTokenizer",
               vocab_size=100, text="NullTokenizer: one token more than vocab_size")
    yield cell("seq-length", two, "D", "core_v0.12.0", seq_length=6)
    yield cell("disable-bias-linear", truths["nobias"], "C", "23.04", disable_bias_linear=True,
               change=lambda s, r, t: s["args"].__dict__.pop("add_bias_linear") and None)
    yield cell("dictionary", two, "D", "core_v0.12.0", text="args as a plain dict",
               change=lambda s, r, t: s.update(args=vars(s["args"])))
    yield cell("none", two, "D", "core_v0.12.0", HEADS + TRUE_SIZE, size=2,
               change=lambda s, r, t: s.pop("args") and None, text="mcore names without args")
    yield cell("activation-option", truths["erf"], "D", "core_v0.12.0",
               ["--activation", "gelu"] + TRUE_SIZE, bias_gelu_fusion=True)
    yield cell("vocabulary-gpt2", truths["gpt2-vocabulary"], "D", "core_v0.12.0", [], size=2,
               divisible_by=128, text="50432 rows of 50257, by the padding rule")
    mtp = dict(mtp_num_layers=1)
    for size, stage_count in ((1, 1), (2, 2)):
        yield cell("mtp-tp%d-pp%d" % (size, stage_count), two, "Dt", "core_v0.12.0", size=size,
                   plan=even(2, stage_count), change=add_mtp, says="mtp", **mtp)


CONFIGS = {     # files of fixtures/eras that --config names
    "config-two.json": dict(model_type="gpt2", n_embd=8, n_head=4, n_layer=2, n_positions=12,
                            n_inner=32, vocab_size=101, activation_function="gelu_new",
                            layer_norm_epsilon=1e-5),
    "config-heads.json": dict(model_type="gpt2", n_embd=8, n_head=2, n_layer=2, n_positions=12,
                              vocab_size=101, activation_function="gelu_new",
                              layer_norm_epsilon=1e-5),
    "config-layers.json": dict(model_type="gpt2", n_embd=8, n_head=4, n_layer=3, n_positions=12,
                               vocab_size=101),
}


def option_cells(truths):
    """--config, --activation, --qkv-layout and others, beside what the checkpoint says."""
    two, erf = truths["two"], truths["erf"]

    def cell(name, truth, dialect, era, options, text, version=3.0, layout=2, **expected):
        return Cell("options-" + name, lambda: checkpoint(
            EraRun(truth, dialect, era, 1, None, layout, version)),
            None if expected.get("status") else truth, options, outer="deflated", text=text,
            **expected)
    config = lambda name: ["--config", "fixtures/eras/config-%s.json" % name]

    yield cell("config-fills", two, "A", "2019", config("two") + TRUE_SIZE,
               "--config says how many heads", None, 0)
    yield cell("config-agrees", two, "D", "core_v0.12.0", config("two") + TRUE_SIZE,
               "--config repeats what args say")
    yield cell("config-contradicts-args", two, "D", "core_v0.12.0", config("heads") + TRUE_SIZE,
               "--config says 2 heads, args say 4", status=3, says=["n_head", "2", "4"])
    yield cell("config-contradicts-tensors", two, "A", "2019", config("layers") + TRUE_SIZE,
               "--config says 3 layers, there are 2", None, 0, status=3, says=["n_layer", "3"])
    yield cell("activation-unknown", two, "D", "core_v0.12.0", ["--activation", "swish"],
               "an activation that the program does not know", status=2, says="swish")
    yield cell("layout-unknown", two, "D", "core_v0.12.0", ["--qkv-layout", "3"],
               "a layout that there is not", status=2, says="qkv-layout")
    yield cell("replicas-unknown", two, "D", "core_v0.12.0", ["--replicas", "median"],
               "a way that there is not", status=2, says="replicas")
    yield cell("iteration-unknown", two, "D", "core_v0.12.0", ["--iteration", "last"],
               "no number", status=2, says="iteration")
    yield cell("activation-2019", erf, "B", "v2.0", ["--activation", "gelu"] + TRUE_SIZE,
               "what args say already")


def add_mtp(state, rank, stage):
    """Multi-token prediction sits on the last stage, with embeddings of its own to look up."""
    model = state["model"]
    if "output_layer._extra_state" not in model:
        return
    h = 8
    ones = lambda *shape: torch.ones(shape, dtype=torch.float16)
    layers = [(name, v) for name, v in model.items() if name.startswith("decoder.layers.0.")]
    for name, value in layers:
        model[name.replace("decoder.layers.0.", "mtp.layers.0.transformer_layer.")] = value
    for name, shape in (("enorm.weight", (h,)), ("enorm.bias", (h,)), ("hnorm.weight", (h,)),
                        ("hnorm.bias", (h,)), ("eh_proj.weight", (h, 2 * h)),
                        ("final_layernorm.weight", (h,)), ("final_layernorm.bias", (h,))):
        model["mtp.layers.0." + name] = ones(*shape)
    if "embedding.word_embeddings.weight" not in model:
        model["embedding.word_embeddings.weight"] = rules.own(model["output_layer.weight"])
        model["embedding.position_embeddings.weight"] = rules.own(add_mtp.places)


# ---- what is no GPT-2 -------------------------------------------------------------------

REFUSED = [
    # argument, value, and what else must change with it
    ("normalization", "RMSNorm", {}),
    ("apply_residual_connection_post_layernorm", True, {}),
    ("position_embedding_type", "rope", {}),
    ("position_embedding_type", "yarn", {}),
    ("position_embedding_type", "mrope", {}),
    ("position_embedding_type", "relative", {}),
    ("position_embedding_type", "none", {}),
    ("position_embedding_type", PositionEmbeddingType(1), {}),
    ("position_embedding_type", PositionEmbeddingType(3), {}),
    ("add_position_embedding", False, {}),
    ("use_rotary_position_embeddings", True, {}),
    ("num_query_groups", 2, dict(group_query_attention=True)),
    ("attention_head_type", "multiquery", {}),
    ("swiglu", True, {}),
    ("quick_geglu", True, {}),
    ("glu_activation", "geglu", {}),
    ("num_experts", 8, {}),
    ("num_experts", [8], {}),
    ("qk_layernorm", True, {}),
    ("qk_l2_norm", True, {}),
    ("multi_latent_attention", True, {}),
    ("heterogeneous_layers_config_path", "/models/layers.json", {}),
    ("heterogeneous_layers_config_encoded_json", "{}", {}),
    ("is_hybrid_model", True, {}),
    ("hybrid_layer_pattern", "M-M*", {}),
    ("hybrid_override_pattern", "M-M*", {}),
    ("spec", ["megatron.core.models.mamba", "stack"], {}),
    ("retro_add_retriever", True, {}),
    ("softmax_scale", 0.5, {}),
    ("softmax_type", "learnable", {}),
    ("window_size", (128, 0), {}),
    ("attention_output_gate", True, {}),
    ("experimental_attention_variant", "gated_delta_net", {}),
    ("linear_attention_freq", 4, {}),
    ("activation_func_clamp_value", 7.0, {}),
    ("glu_linear_offset", 1.0, {}),
    ("use_mup", True, {}),
    ("embed_layernorm", True, {}),
    ("num_tokentypes", 2, {}),
    ("model_type", ModelType(2), {}),
    ("decoder_num_layers", 4, {}),
    ("kv_channels", 4, {}),
]


def refusals(truths):
    tiny = truths["tiny"]
    for number, (name, value, others) in enumerate(REFUSED):
        shown = getattr(value, "value", value)
        yield Cell("refuse-%02d-%s" % (number, name), lambda n=name, v=value, o=others: checkpoint(
            EraRun(tiny, "D", "core_v0.16.0", **dict(o, **{n: v}))), None, status=4,
            says="group_query_attention" if name == "num_query_groups" else "args." + name,
            outer="deflated", text="args.%s=%s" % (name, shown))

    half = lambda *shape: torch.ones(shape, dtype=torch.float16)
    in_layers = lambda name, *shape: lambda model: model.update(
        {"decoder.layers.0." + name: half(*shape)})
    nested = lambda name, table: lambda model: model["language_model"].update({name: table})
    for name, dialect, change in (      # `name` is part of what must be said
            ("q_layernorm", "D", in_layers("self_attention.q_layernorm.weight", 2)),
            ("router", "D", in_layers("mlp.router.weight", 4, 8)),
            ("experts", "D", in_layers("mlp.experts.local_experts.0.linear_fc1.weight", 32, 8)),
            ("adapter", "D", in_layers("self_attention.linear_qkv.adapter.weight", 2, 8)),
            ("final_norm", "D", lambda model: model.update({"decoder.final_norm.weight": half(8)})),
            ("pooler", "C", nested("pooler", {"dense.weight": half(8, 8)})),
            ("retriever", "C", nested("retriever", {"layers.0.weight": half(8, 8)})),
            ("decoder", "C", nested("decoder", {"final_layernorm.weight": half(8)})),
            ("token type", "C", lambda model: model["language_model"]["embedding"].update(
                tokentype_embeddings={"weight": half(2, 8)}))):
        era = "core_v0.12.0" if dialect == "D" else "v2.5"
        yield Cell("refuse-key-" + name.replace(" ", "-"),
                   lambda d=dialect, e=era, c=change: checkpoint(
                       EraRun(tiny, d, e), change=lambda s, r, t: c(s["model"]) and None),
                   None, status=4, says=name, outer="deflated",
                   text="a weight that no GPT-2 has: " + name)
    run = lambda **changes: EraRun(tiny, "D", "core_v0.12.0", **changes)

    def renamed(run, pattern):
        files = checkpoint(run)
        first = list(files)[1]
        files[first.replace("mp_rank_00", pattern % 0)] = state = files.pop(first)
        files[first.replace("mp_rank_00", pattern % 1)] = dict(state, iteration=1000)
        return files
    yield Cell("refuse-expert-folders", lambda: renamed(
        run(num_experts=2, expert_model_parallel_size=2), "mp_rank_00_%03d"), None, status=4,
        outer="deflated", text="expert-parallel ranks: mp_rank_00_001 is no pipeline stage")
    yield Cell("refuse-expert-folders-3", lambda: renamed(
        run(num_experts=2, expert_model_parallel_size=2), "mp_rank_00_000_%03d"), None, status=4,
        outer="deflated", text="expert-parallel ranks with pipeline numbers")


# ---- contradictions, damage, drift ------------------------------------------------------

def contradictions(truths):
    two = truths["two"]
    for name, value, status in (
            ("num_layers", 6, 3), ("encoder_num_layers", 6, 3), ("hidden_size", 16, 3),
            ("ffn_hidden_size", 64, 3), ("max_position_embeddings", 24, 3),
            ("padded_vocab_size", 128, 3), ("num_attention_heads", 3, 3),
            ("tensor_model_parallel_size", 4, [3, 6]), ("tensor_model_parallel_size", 1, 3),
            ("pipeline_model_parallel_size", 3, [3, 6]), ("pipeline_model_parallel_size", 1, 3),
            ("virtual_pipeline_model_parallel_size", 2, 3)):
        yield Cell("contradict-%s-%s" % (name, value), lambda n=name, v=value: checkpoint(
            EraRun(two, "D", "core_v0.12.0", 2, even(2, 2), **{n: v})), None, status=status,
            says=[str(value)], zipped=False, outer="deflated",
            text="args.%s=%s" % (name, value))
    yield Cell("contradict-untied", lambda: checkpoint(
        EraRun(two, "D", "core_v0.12.0", 2, untie_embeddings_and_output_weights=True)), None,
        status=3, says="output", zipped=False, outer="deflated",
        text="args say an output layer of its own, there is none")


def damaged_shards(truths):
    small = truths["small"]

    def cell(name, spoil, status, slug=None, text="", dialect="C", era="v2.5", size=2, plan=None,
             says=(), **changes):
        def make():
            files = checkpoint(EraRun(small, dialect, era, size, plan or even(4, 2), **changes))
            return spoil(files) or files
        return Cell("shards-" + name, make, None, status=status, slug=slug, says=says,
                    zipped=False, outer="deflated", text=text)
    path = lambda rank, stage: "%s/mp_rank_%02d_%03d/%s" % (FOLDER, rank, stage, MEMBER)

    def swap(one, two):
        def spoil(files):
            files[one], files[two] = files[two], files[one]
        return spoil

    def assign(one, two):
        def spoil(files):
            files[one] = files[two]
        return spoil

    def update(where, **values):
        return lambda files: files[where].update(values)

    def spoil_model(where, change):
        def spoil(files):
            change(files[where]["model"])
        return spoil

    drop = lambda *where: lambda files: [files.pop(w) for w in where] and None
    yield cell("missing-rank", drop(path(1, 1)), 6, "missingrank", "tensor rank 1 of stage 1",
               says="mp_rank_01_001")
    yield cell("missing-last-stage", drop(path(0, 1), path(1, 1)), 6, "missingrank",
               "no last stage")
    yield cell("missing-first-stage", drop(path(0, 0), path(1, 0)), 6, "missingrank",
               "no first stage")
    yield cell("missing-middle-stage", drop("%s/mp_rank_00_001/%s" % (FOLDER, MEMBER)), 6,
               "missingrank", "stages 0 and 2 of 3", dialect="B", era="v2.0", size=1,
               plan=[[1, 2, 1]], says="mp_rank_00_001")
    yield cell("missing-last-stage-no-args",
               lambda files: [files.pop(path(0, 1)), files.pop(path(1, 1)),
                              [s.pop("args") for s in files.values() if isinstance(s, dict)]]
               and None, [3, 6], None, "no last stage, and no args to say so")
    yield cell("swapped-stages", swap(path(0, 0), path(0, 1)), 3, "swapped",
               "stages exchanged in one tensor rank")
    yield cell("swapped-ranks", swap(path(0, 1), path(1, 1)), 3, "swapped",
               "tensor ranks exchanged in one stage")
    yield cell("copied", assign(path(1, 1), path(0, 1)), 3, None, "one shard under two names")
    yield cell("extra-stage", assign(path(0, 2), path(0, 1)), [3, 6], None,
               "one more stage than args say")
    yield cell("iterations", update(path(1, 1), iteration=900), 3, "iteration",
               "stage 1 of another iteration", says="900")
    yield cell("labels", update(path(0, 1), checkpoint_version=2.0), 3, "cvdiff",
               "another checkpoint_version in stage 1")
    yield cell("layer-missing", spoil_model(path(0, 1), lambda m: m["language_model"]["encoder"]
                                            .pop("layers.1.mlp.dense_4h_to_h.bias")), 3,
               "missingkey", "a weight missing in stage 1")
    yield cell("norm-missing", spoil_model(path(0, 1), lambda m: m["language_model"]["encoder"]
                                           .pop("final_layernorm.weight")), 3, "missingkey",
               "no final norm on the last stage")
    yield cell("chunk-missing", lambda files: files[path(0, 1)].pop("model1") and None, 3, None,
               "a stage without its second virtual chunk", plan=even(4, 2, 2))


def drift(truths):
    """Replicas that differ."""
    small = truths["small"]
    scale = lambda table, name, factor: table.update({name: (table[name].float() * factor)
                                                      .to(table[name].dtype)})

    def ranks(factor):
        def change(state, rank, stage):
            if rank == 1:
                encoder = state["model"]["language_model"]["encoder"]
                scale(encoder, "layers.1.input_layernorm.weight", factor)
                scale(encoder, "layers.0.mlp.dense_4h_to_h.bias", factor)
        return change

    def head(factor):
        def change(state, rank, stage):
            if stage == 1 and rank == 1:
                scale(state["model"]["word_embeddings_for_head"], "weight", factor)
        return change

    def core_head(factor):
        def change(state, rank, stage):
            if stage == 1:
                scale(state["model"], "output_layer.weight", factor)
        return change

    mean = copy.copy(small)
    mean.name, mean.tensors = "mean", OrderedDict(small.tensors)
    factor = 1.004
    for stage in range(2):
        for name, at in (("ln_1.weight", 1), ("mlp.c_proj.bias", 0)):
            key = "transformer.h.%d.%s" % (stage * 2 + at, name)
            both = mean.tensors[key], (mean.tensors[key].float() * factor).to(torch.float16)
            if stage == 0 and at == 1:
                largest = float((both[0].float() - both[1].float()).abs().max())
            mean.tensors[key] = ((both[0].float() + both[1].float()) / 2).to(torch.float16)

    def cell(name, change, text, truth=small, options=(), dialect="C", era="v2.5", **expected):
        return Cell("drift-" + name, lambda: checkpoint(
            EraRun(small, dialect, era, 2, even(4, 2)), change=change), truth,
            list(options) + TRUE_SIZE, zipped=False, outer="deflated", text=text, **expected)

    yield cell("rank0", ranks(factor), "replicas differ by 0.4 %: rank 0, with a warning",
               says=["h.1.ln_1.weight", "%.3g" % largest])
    yield cell("rank0-named", ranks(factor), "the same by --replicas rank0",
               options=["--replicas", "rank0"])
    yield cell("mean", ranks(factor), "the same by --replicas mean", mean, ["--replicas", "mean"])
    yield cell("strict", ranks(factor), "the same with --strict", None, ["--strict"], status=1)
    yield cell("gross", ranks(1.5), "replicas differ by half", None, status=3, slug="replicated")
    yield cell("head", head(factor), "the head copy drifted a little",
               says="wte.weight")
    yield cell("head-gross", head(1.5), "the head copy is another table", None, status=3)
    yield cell("head-mcore", core_head(factor), "output_layer.weight of a tied model drifted",
               dialect="D", era="core_v0.12.0", says="wte.weight")
    yield cell("head-mcore-gross", core_head(1.5), "output_layer.weight of a tied model is another",
               None, dialect="D", era="core_v0.12.0", status=[3, 4])
    yield cell("strict-clean", None, "nothing to warn of", options=["--strict"])


def suspicious_norms(truths):
    """Trap 13: norms saved less 1, and no flag that says so."""
    def change(state, rank, stage):
        state["args"].__dict__.pop("apply_layernorm_1p")
    truth = truths["1p-fp16"]
    yield Cell("norms-flag-lost", lambda: checkpoint(
        EraRun(truth, "C", "23.04", 1), change=change), None, ["--strict"] + TRUE_SIZE, status=1,
        says="norm", outer="deflated", text="norm weights near 0 and no flag: --strict stops")

    # Weights that 1 + w rounds: the sum is made in float32, then rounded once.
    rounded = copy.copy(truths["small"])
    rounded.name, rounded.zero_centered = "1p-rounded", True
    rounded.tensors = OrderedDict(rounded.tensors)
    saved = {}
    for name, tensor in rounded.tensors.items():
        if ".ln_" in name and name.endswith(".weight"):
            stored = torch.linspace(-0.3, 0.2, tensor.numel()).pow(3).to(torch.float16)
            rounded.tensors[name] = (stored.float() + 1).to(torch.float16)
            saved[name] = stored

    class Stored(EraRun):
        def layers(self, chunk, stage, rank, prefix=""):
            state = super().layers(chunk, stage, rank, prefix)
            some = next(iter(saved.values()))
            for name in state:
                if "norm" in name and name.endswith("weight") and state[name].dim() == 1:
                    state[name] = some.clone()
            return state
    yield Cell("norms-rounded", lambda: checkpoint(Stored(rounded, "D", "core_v0.16.0", 2)),
               rounded, outer="deflated", text="1 + w is rounded once, from float32")


def cells(truths):
    add_mtp.places = truths["two"].tensors["transformer.wpe.weight"]
    for part in (grid, variants, stages, label_cells, tools, folders, plain_arguments,
                 option_cells, refusals, contradictions, damaged_shards, drift, suspicious_norms):
        yield from part(truths)
