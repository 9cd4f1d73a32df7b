"""megatron-core builds a GPT, saves it rank by rank, and computes; ours must compute the same.

    python megatron_core.py WORK

The ranks are processes that talk over gloo on the CPU.  Each makes its part of the model with
Megatron's own code (local layers, unfused softmax; the inference RNG tracker, which forks
nothing), fills it with seeded noise, saves the state that state_dict_for_save_checkpoint()
gives in the folders of the classic format, and sharded_state_dict() by
dist_checkpointing.save(), and passes tokens through.  The last stage keeps
its slice of the logits.
"""
import argparse
import importlib.metadata
import os
import subprocess
import sys
import warnings
import zlib

sys.dont_write_bytecode = True
warnings.simplefilter("ignore")
import torch

from checks import Checks, convert, read

LAYERS, HIDDEN, HEADS, POSITIONS, VOCABULARY, PADDED = 4, 32, 4, 24, 101, 128
TOLERANCE = 1e-5
PATIENCE = 300          # seconds
VERSION = importlib.metadata.version("megatron-core")

# The writers of 0.12 call a torch that is older than the one here.
HAS_DISTRIBUTED = not VERSION.startswith("0.12.")

# name, tensor ranks, stages, what is set in the configuration
CASES = [("tp1-pp1", 1, 1, {}), ("tp2-pp1", 2, 1, {}), ("tp1-pp2", 1, 2, {}),
         ("tp2-pp2", 2, 2, {}), ("erf", 2, 1, dict(bias_activation_fusion=False)),
         ("no-biases", 2, 1, dict(add_bias_linear=False, bias_activation_fusion=False)),
         ("untied", 2, 2, dict(untied=True)), ("inner-size", 2, 1, dict(ffn_hidden_size=96)),
         ("epsilon", 1, 1, dict(layernorm_epsilon=1e-3))]


def tokens():
    return torch.randint(0, VOCABULARY, (2, 16), generator=torch.Generator().manual_seed(5))


# ---- one rank ---------------------------------------------------------------------------

def fill(model, first_layer, rank):
    """Seeded by the parameter's name in the whole model, and by the rank where it is cut."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parts = name.split(".")
            if parts[:2] == ["decoder", "layers"]:
                parts[2] = str(int(parts[2]) + first_layer)
            whole = ".".join(parts)
            if name == "output_layer.weight" and model.share_embeddings_and_output_weights:
                whole = "embedding.word_embeddings.weight"
            if getattr(parameter, "tensor_model_parallel", False):
                whole += "@%d" % rank
            noise = torch.Generator().manual_seed(zlib.crc32(whole.encode()))
            is_norm = "norm" in name and name.endswith("weight")
            spread = 0.1 if name.endswith("bias") or "norm" in name else 0.3
            parameter.copy_(torch.randn(parameter.shape, generator=noise) * spread
                            + (1.0 if is_norm else 0.0))


def build(tensor_size, stages, settings):
    import torch.nn.functional as F
    from megatron.core import parallel_state
    from megatron.core.models.gpt import GPTModel
    from megatron.core.models.gpt.gpt_layer_specs import get_gpt_layer_local_spec
    from megatron.core.transformer.transformer_config import TransformerConfig

    settings = dict(settings)
    untied = settings.pop("untied", False)
    config = TransformerConfig(**dict(dict(
        num_layers=LAYERS, hidden_size=HIDDEN, num_attention_heads=HEADS, ffn_hidden_size=4 * HIDDEN,
        use_cpu_initialization=True, params_dtype=torch.float32, pipeline_dtype=torch.float32,
        hidden_dropout=0.0, attention_dropout=0.0, activation_func=F.gelu,
        bias_activation_fusion=True, masked_softmax_fusion=False, gradient_accumulation_fusion=False,
        tensor_model_parallel_size=tensor_size, pipeline_model_parallel_size=stages), **settings))
    first = parallel_state.is_pipeline_first_stage()
    last = parallel_state.is_pipeline_last_stage()
    model = GPTModel(config, get_gpt_layer_local_spec(), PADDED, POSITIONS, pre_process=first,
                     post_process=last, parallel_output=True,
                     share_embeddings_and_output_weights=not untied)
    return model.eval(), config


def saved_args(config, tensor_size, stages, untied):
    """Of what megatron.training writes, the fields that say what the model is."""
    return argparse.Namespace(
        num_layers=LAYERS, hidden_size=HIDDEN, num_attention_heads=HEADS,
        ffn_hidden_size=config.ffn_hidden_size, kv_channels=HIDDEN // HEADS,
        max_position_embeddings=POSITIONS, seq_length=16, padded_vocab_size=PADDED,
        make_vocab_size_divisible_by=PADDED // tensor_size, tensor_model_parallel_size=tensor_size,
        pipeline_model_parallel_size=stages, norm_epsilon=config.layernorm_epsilon,
        normalization="LayerNorm", apply_layernorm_1p=False,
        position_embedding_type="learned_absolute", add_position_embedding=True,
        use_legacy_models=False, transformer_impl="local", swiglu=False, squared_relu=False,
        bias_gelu_fusion=config.bias_activation_fusion, openai_gelu=False,
        add_bias_linear=config.add_bias_linear, group_query_attention=False, num_query_groups=1,
        untie_embeddings_and_output_weights=untied, num_experts=None, ckpt_format="torch")


def forward(model, stage, stages, tensor_size, rank):
    import torch.distributed as dist
    ids = tokens()
    places = torch.arange(16).expand(2, 16)
    mask = torch.triu(torch.ones(1, 1, 16, 16, dtype=torch.bool), 1)
    with torch.no_grad():
        if stage > 0:
            entering = torch.empty(16, 2, HIDDEN)
            dist.recv(entering, rank - tensor_size)
            model.set_input_tensor(entering)
        out = model(ids, places, mask)
        if stage < stages - 1:
            dist.send(out.contiguous(), rank + tensor_size)
    return out


def save_distributed(model, state, folder, rank):
    """The same model as a torch_dist checkpoint."""
    import torch.distributed as dist
    from megatron.core import dist_checkpointing
    if rank == 0:
        os.makedirs(folder)
    dist.barrier()
    dist_checkpointing.save(dict(state, model=model.sharded_state_dict()), folder)


def one_rank(case, rank, root):
    import torch.distributed as dist
    from megatron.core import parallel_state
    from megatron.core.tensor_parallel.random import initialize_rng_tracker

    torch.cuda.current_device = lambda: "cpu"      # where its buffers and tables go
    torch.Tensor.cuda = lambda tensor, *_, **__: tensor
    torch.cuda.synchronize = lambda *_: None
    _, tensor_size, stages, settings = next(row for row in CASES if row[0] == case)
    dist.init_process_group("gloo", init_method="file://%s.meeting" % root, rank=rank,
                            world_size=tensor_size * stages)
    parallel_state.initialize_model_parallel(tensor_size, stages)
    initialize_rng_tracker(inference_rng_tracker=True)
    tensor_rank = parallel_state.get_tensor_model_parallel_rank()
    stage = parallel_state.get_pipeline_model_parallel_rank()
    model, config = build(tensor_size, stages, settings)
    fill(model, stage * LAYERS // stages, tensor_rank)

    name = "mp_rank_%02d" % tensor_rank + ("_%03d" % stage if stages > 1 else "")
    folder = os.path.join(root, "iter_0000007", name)
    os.makedirs(folder)
    state = dict(args=saved_args(config, tensor_size, stages, settings.get("untied", False)),
                 checkpoint_version=3.0, iteration=7)
    torch.save(dict(state, model=model.state_dict_for_save_checkpoint()),
               os.path.join(folder, "model_optim_rng.pt"))
    if HAS_DISTRIBUTED:
        save_distributed(model, state, root + "-dist/iter_0000007", rank)
    out = forward(model, stage, stages, tensor_size, rank)
    if stage == stages - 1:
        torch.save(out, root + ".logits%d" % tensor_rank)
    dist.barrier()
    dist.destroy_process_group()


# ---- all of them ------------------------------------------------------------------------

def train(case, tensor_size, stages, root):
    """The folder that the ranks saved, and their logits."""
    os.makedirs(root)
    ranks = [subprocess.Popen([sys.executable, __file__, "--rank", case, str(rank), root],
                              stdin=subprocess.DEVNULL) for rank in range(tensor_size * stages)]
    try:                            # one that has died leaves the others waiting for it
        statuses = [rank.wait(PATIENCE) for rank in ranks]
    finally:
        for rank in ranks:
            rank.kill()
    if any(statuses):
        raise RuntimeError("ranks ended with %s" % statuses)
    for folder in [root, root + "-dist"][:1 + HAS_DISTRIBUTED]:
        with open(os.path.join(folder, "latest_checkpointed_iteration.txt"), "w") as file:
            file.write("7")
    return torch.cat([torch.load(root + ".logits%d" % rank) for rank in range(tensor_size)], -1)


def main(work):
    import transformers
    checks = Checks("megatron_core")
    os.makedirs(work)
    distributed = (", and the same bytes from the torch_dist checkpoint that dist_checkpointing.save() "
                   "writes" if HAS_DISTRIBUTED else "")
    with checks.cell("megatron-core", VERSION, "logits of its GPT against transformers %s on ours, float32, "
                     "to 1e-5%s: %s" % (
                         transformers.__version__, distributed,
                         ", ".join(row[0] for row in CASES))) as cell:
        for case, tensor_size, stages, settings in CASES:
            root = os.path.join(os.path.abspath(work), case)
            expected = train(case, tensor_size, stages, root)
            out = convert(root, root + "-hf", "--vocab-size", "padded", "--tokenizer", "none")
            model = transformers.AutoModelForCausalLM.from_pretrained(
                out, attn_implementation="eager").eval()
            with torch.no_grad():
                found = model(tokens()).logits
            apart = float((found - expected).abs().max())
            print("%s: %.3g apart, largest %.3g" % (case, apart, expected.abs().max()))
            cell.check(expected.abs().max() > 1, "%s: logits are all but zero", case)
            cell.check(found.shape == expected.shape and
                       apart <= TOLERANCE * max(1.0, float(expected.abs().max())),
                       "%s: logits %g apart", case, apart)
            if not HAS_DISTRIBUTED:
                continue
            again = convert(root + "-dist", root + "-dist-hf", "--vocab-size", "padded",
                            "--tokenizer", "none")
            for name in "model.safetensors", "config.json":
                cell.check(read(os.path.join(again, name)) == read(os.path.join(out, name)),
                           "%s: torch_dist gives another %s", case, name)
    return checks.end()


if __name__ == "__main__":
    if sys.argv[1] == "--rank":
        sys.exit(one_rank(sys.argv[2], int(sys.argv[3]), sys.argv[4]))
    sys.exit(main(sys.argv[1]))
