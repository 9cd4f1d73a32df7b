#!/usr/bin/python3
"""Make fixtures/deepspeed: what Megatron-DeepSpeed's pipeline engine saves.

    /usr/bin/python3 tests/make/make_deepspeed.py FIXTURES

Needs PyTorch.  The truths are those of fixtures/eras, so the results must be the same bytes.
Two forks number their files differently: BigScience (2021) puts the embeddings at 1, layers
from 3, the final norm after a gap; Microsoft (2023) has no gaps.
"""
import os
import shutil
import sys
from collections import OrderedDict

sys.dont_write_bytecode = True
from era_grid import TRUE_SIZE, make_truths
from make_checkpoints import readme_line, save, write_fixture, write_json, write_readme
from saving_eras import EraRun

BEGIN = "begin: written by tests/make/make_deepspeed.py"
STEP = "global_step1000/"


def layer_files(run, gaps):
    """path: content, in the order of the pipeline's list."""
    truth, files = run.truth, OrderedDict()

    def add(place, rank, content):
        files[STEP + "layer_%02d-model_%02d-model_states.pt" % (place, rank)] = content

    for rank in range(run.tensor_size):
        add(1, rank, OrderedDict([("word_embeddings.weight", run.words(rank)),
                                  ("position_embeddings.weight", run.places())]))
        state = run.layers(0, 0, rank)
        first = 3 if gaps else 2
        for number in range(truth.layers):
            at = "layers.%d." % number
            add(first + number, rank, OrderedDict(
                (name[len(at):], tensor) for name, tensor in state.items()
                if name.startswith(at) and not name.endswith("_extra_state")))
        last = first + truth.layers + (1 if gaps else 0)
        add(last, rank, OrderedDict((end, state["final_layernorm." + end])
                                    for end in ("weight", "bias")))
        if truth.untied:
            add(last + 1, rank, {"lm_head.weight": run.cut(run.head, rank, 0)})
    return files


def checkpoint(run, gaps=True, change=None, tracker=False, states=True):
    files = layer_files(run, gaps)
    if states:
        for rank in range(run.tensor_size):
            files[STEP + "mp_rank_%02d_model_states.pt" % rank] = dict(
                module=None, buffer_names=[], optimizer=None, lr_scheduler=None,
                sparse_tensor_module_names=set(), skipped_steps=0, global_steps=1000,
                global_samples=16000, dp_world_size=1, mp_world_size=run.tensor_size,
                ds_config={"train_batch_size": 16, "zero_optimization": {"stage": 1}},
                ds_version="0.5.9", args=run.args(rank, 0), checkpoint_version=3.0,
                iteration=1000, tokens=16384000)
    if change:
        change(files)
    what = OrderedDict((path, save(content, True)) for path, content in files.items())
    what[STEP + "zero_pp_rank_0_mp_rank_00_optim_states.pt"] = b"not read"
    what["latest"] = b"global_step1000"
    if tracker:
        what["latest_checkpointed_iteration.txt"] = b"1000"
    return what


def cells(truths):
    small, two = truths["small"], truths["two"]
    run = lambda truth, size=1, **changes: EraRun(truth, "C", "v2.5", size, **changes)
    path = lambda place, rank=0: STEP + "layer_%02d-model_%02d-model_states.pt" % (place, rank)
    yield ("good-bigscience-tp2", 0, small, "", "numbers of BigScience's fork, tensor size 2",
           checkpoint(run(small, 2)))
    yield ("good-microsoft", 0, two, "", "numbers of Microsoft's fork",
           checkpoint(run(two), gaps=False))
    yield ("good-tracker", 0, two, "", "Megatron-LM's tracker beside DeepSpeed's",
           checkpoint(run(two), tracker=True))
    yield ("good-untied", 0, truths["untied"], "", "an lm_head of its own, tensor size 2",
           checkpoint(EraRun(truths["untied"], "C", "23.04", 2), gaps=False))
    yield ("good-twelve-layers", 0, truths["fp16"], "", "twelve layers, the last is file 14",
           checkpoint(run(truths["fp16"])))

    def drop(*paths):
        def change(files):
            for gone in paths:
                del files[gone]
        return change

    def embedding_norm(files):
        files[path(1)]["word_embeddings.norm.weight"] = two.random(two.hidden)

    def whole_module(files):
        for name in list(files):
            if "layer_" in name:
                del files[name]

    def zero_3(files):
        for name in list(files):
            files[STEP + "zero_pp_rank_0_mp_rank_00_model_states.pt"] = {"module": {}}
            del files[name]

    yield ("bad-missing-rank", 6, None, "missingrank", "layer 4 has no file of rank 1",
           checkpoint(run(two, 2), change=drop(path(4, 1))))
    yield ("bad-missing-layer", 6, None, "missingrank", "no file of the second of four layers",
           checkpoint(run(small), change=drop(path(4))))
    yield ("bad-missing-last-layer", 3, None, "", "no file of the last layer: args tell",
           checkpoint(run(small), change=drop(path(6))))
    yield ("bad-missing-norm", 3, None, "missingkey", "no file of the final norm",
           checkpoint(run(two), change=drop(path(6))))
    yield ("bad-missing-ranks", 6, None, "missingrank", "all files of rank 1 are gone: args tell",
           checkpoint(run(two, 2), change=drop(*(path(place, 1) for place in (1, 3, 4, 6)))))
    yield ("unsupported-embedding-norm", 4, None, "arch", "a norm after the embedding, as BLOOM has",
           checkpoint(run(two), change=embedding_norm))
    yield ("unsupported-no-layer-files", 4, None, "distckpt", "saved without pipeline engine",
           checkpoint(run(two), change=whole_module))
    yield ("unsupported-zero-3", 4, None, "distckpt", "weights that ZeRO has partitioned",
           checkpoint(run(two), change=zero_3))
    yield ("unsupported-no-arguments", 4, None, "", "no file with args: heads cannot be known",
           checkpoint(run(two), states=False))


def main():
    folder = os.path.join(sys.argv[1], "deepspeed")
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    lines = []
    for name, status, truth, slug, text, files in cells(make_truths()):
        path = write_fixture(folder, name, files)
        expected = dict(status=status, options=TRUE_SIZE)
        if slug:
            expected["slug"] = slug
        if truth:
            expected["truth"] = "../eras/truth-%s.json" % truth.name
        write_json(path + ".expected.json", expected)
        lines.append(readme_line("deepspeed/" + name, status, text))
    write_readme(os.path.join(sys.argv[1], "README"), BEGIN, lines)


if __name__ == "__main__":
    main()
