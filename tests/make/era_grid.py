"""The even part of the matrix: what a cell is, the truths, the grid, variants and stages.

grid() and the others make cells lazily.  era_cells.py has the odd ones, and all of them.
"""
from collections import OrderedDict

import torch

from saving_eras import ERAS_OF, EraRun, EraTruth, even

TRACKER = "latest_checkpointed_iteration.txt"
MEMBER = "model_optim_rng.pt"
FOLDER = "iter_0001000"
SIZES = dict(hidden=8, layers=12, heads=4, positions=12, vocabulary=101)
HEADS = ["--num-attention-heads", "4"]
TRUE_SIZE = ["--vocab-size", "101"]
KIND_LAYERS = 6         # of the truths that are no plain ones
DTYPES = OrderedDict(fp16=torch.float16, bf16=torch.bfloat16, fp32=torch.float32)


class Cell:
    """files(): an OrderedDict of paths and what is there, bytes or what torch.save gets.

    outer: pack the files into a zip, "stored" or "deflated"; says: texts that standard error
    must have; decided: {key: source} of decisions in conversion.json; inspected: texts that
    `inspect` must print.
    """

    def __init__(self, name, files, truth=None, options=TRUE_SIZE, status=0, slug=None, says=(),
                 zipped=True, outer=None, text="", decided=None,
                 inspected=()):
        self.name, self.files, self.truth, self.options = name, files, truth, list(options)
        self.status, self.slug, self.says = status, slug, [says] if isinstance(says, str) else says
        self.zipped, self.outer, self.text = zipped, outer, text
        self.decided, self.inspected = decided or {}, inspected


def make_truths():
    truths = [EraTruth(name, 100 + i, dtype=dtype, coarse=1, **SIZES)
              for i, (name, dtype) in enumerate(DTYPES.items())]
    more = lambda name, seed, **kind: truths.append(
        EraTruth(name, seed, coarse=1, **dict(SIZES, **kind)))
    kind = lambda name, seed, **kind: more(name, seed, layers=KIND_LAYERS, **kind)
    for i, (name, dtype) in enumerate(DTYPES.items()):
        kind("1p-" + name, 110 + i, dtype=dtype, zero_centered=True, epsilon=1e-3)
    kind("erf", 120, activation="gelu")
    kind("untied", 121, untied=True)
    kind("untied-1p-nobias", 122, untied=True, zero_centered=True, biases="none",
         activation="gelu")
    kind("nobias", 123, biases="none", activation="gelu")
    kind("nobias-tanh", 124, biases="none")
    kind("qkvbias", 125, biases="qkv", activation="gelu")
    kind("relu2", 126, activation="relu2")
    kind("relu2-nobias", 127, activation="relu2", biases="none")
    kind("ffn", 128, ffn=20)
    more("small", 130, layers=4)
    more("two", 132, layers=2)
    more("tiny", 131, layers=1)
    more("gpt2-vocabulary", 133, layers=2, vocabulary=50257, hidden=4)
    return {truth.name: truth for truth in truths}


def allows(dialect, era, truth):
    """Can this code train this model?"""
    if truth.zero_centered or truth.untied or truth.biases != "all" or truth.activation == "relu2":
        if dialect in "AB" or era == "v2.5":
            return False
    if truth.inner and dialect in "AB":
        return False
    if era == "2019" or dialect == "A":
        return truth.activation == "gelu_new" and truth.epsilon == 1e-5
    if truth.biases == "qkv" and era in ("23.04", "core_v0.4.0"):
        return False
    if dialect == "Ct":                 # tanh, whatever the flags say
        return truth.activation == "gelu_new"
    if dialect in ("D", "Dt"):          # tanh by fusion only, and that needs biases
        return truth.activation != "gelu_new" or truth.biases == "all"
    return True


def rank_name(run, rank, stage):
    return "mp_rank_%02d" % rank + ("_%03d" % stage if run.pipeline_size > 1 else "")


def checkpoint(run, folder=FOLDER, member=MEMBER, change=None, random=False):
    """{path: state} of a checkpoint root; change(state, rank, stage) may spoil a state."""
    files = OrderedDict()
    files[TRACKER] = b"release" if folder == "release" else folder[5:].lstrip("0").encode()
    for stage in range(run.pipeline_size):
        for rank in range(run.tensor_size):
            state = run.state(rank, stage, random)
            if change is not None:
                state = change(state, rank, stage) or state
            files["%s/%s/%s" % (folder, rank_name(run, rank, stage), member)] = state
    return files


# ---- the grid ---------------------------------------------------------------------------

def plans(dialect, version, layers):
    if dialect == "A" or version in (None, 0):
        return [even(layers, 1)]
    stages = [even(layers, pp) for pp in (1, 2, 3)]
    return stages if dialect == "B" else stages + [even(layers, pp, 2) for pp in (2, 3)]


def labels(dialect):
    """checkpoint_version and the layout that it stands for."""
    if dialect == "A":
        return [(None, 0)]
    if dialect == "B":
        return [(None, 0), (0, 0), (1, 1), (1.0, 1), (2.0, 2), (3.0, 2)]
    return [(3.0, 2), (None, 2)] if dialect == "C" else [(3.0, 2)]


def eras_of_label(dialect, version):
    if dialect == "B":
        return {None: ["2019", "v1.0"], 0: ["v1.0"], 3.0: ["v2.0"]}.get(version, ["v1.1.5"])
    return ERAS_OF[dialect]


def plan_text(plan):
    text = "pp%d" % len(plan[0])
    return text if len(plan) == 1 else text + "-vpp%d" % len(plan)


def grid(truths):
    """dialect x version x tp x pp x vpp x container x dtype, eras in turn."""
    turn = 0
    for dialect in ERAS_OF:
        for version, layout in labels(dialect):
            for plan in plans(dialect, version, SIZES["layers"]):
                for size in (1, 2, 4):
                    for zipped in (False, True):
                        for dtype in DTYPES:
                            eras = eras_of_label(dialect, version)
                            turn += 1
                            yield grid_cell(truths[dtype], dialect, eras[turn % len(eras)],
                                            version, layout, plan, size, zipped, turn)


def grid_cell(truth, dialect, era, version, layout, plan, size, zipped, turn):
    name = "%s-v%s-tp%d-%s-%s-%s-%s" % (dialect, version, size, plan_text(plan),
                                        "zip" if zipped else "legacy", truth.name, era)
    make = lambda: checkpoint(EraRun(truth, dialect, era, size, plan, layout, version),
                              "release" if turn % 7 == 0 else FOLDER, random=turn % 4 == 0)
    return Cell(name, make, truth, TRUE_SIZE + (HEADS if era == "2019" else []), zipped=zipped,
                outer=[None, None, "stored", None, "deflated"][turn % 5],
                decided=dict(qkv_layout=label_source(dialect, version),
                             layer_norm_epsilon=epsilon_source(era)),
                inspected=sizes_text(size, plan))


def sizes_text(size, plan):
    return ["%d tensor" % size, "%d pipeline" % len(plan[0])] + (
        ["%d virtual" % len(plan)] if len(plan) > 1 else [])


def label_source(dialect, version):
    if version is not None:
        return "checkpoint_version %s" % (version if isinstance(version, int) else float(version))
    return {"A": "2019 names", "B": "2019 names", "C": "encoder names"}.get(
        dialect, "encoder names" if dialect in ("Cn", "Ct") else "decoder names") + ", no label"


def epsilon_source(era):
    """The field was renamed twice."""
    if era == "2019":
        return "default"
    return "args.norm_epsilon" if era in ("core_v0.4.0", "core_v0.5.0", "core_v0.8.0",
                                          "core_v0.12.0") else "args.layernorm_epsilon"


def variants(truths):
    """Every truth that is no plain one, in every dialect and era that can have it; and a small
    plain one in all of them, each era with another shape."""
    turn = 0
    for dialect, eras in ERAS_OF.items():
        for era in eras:
            size, stages, chunks = [(2, 2, 1), (1, 2, 2), (1, 1, 1), (2, 1, 1)][turn % 4]
            turn += 1
            if era in ("v1.0", "core_v0.16.0"):
                size, stages, chunks = 4, 1, 1
            if dialect in "AB":
                stages = stages if era == "v2.0" else 1
                chunks = 1
            yield variant(truths["small"], dialect, era, size,
                          even(truths["small"].layers, stages, chunks), outer="deflated")
    shapes = [(1, 1, 1), (2, 1, 1), (1, 2, 1), (4, 3, 2)]
    for truth in truths.values():
        if truth.layers != KIND_LAYERS:
            continue
        for dialect, eras in ERAS_OF.items():
            for era in eras:
                if not allows(dialect, era, truth):
                    continue
                for size, stages, chunks in shapes:
                    if dialect in "AB" and stages > 1:
                        continue
                    yield variant(truth, dialect, era, size, even(truth.layers, stages, chunks))


DIALECT_TEXT = dict(A="flat", B="transformer", C="encoder", Cn="encoder with input_norm",
                    Ct="encoder with layernorm_qkv", D="decoder", Dt="decoder with fused norms")


def variant(truth, dialect, era, size, plan, outer=None):
    version, layout = {"2019": (None, 0), "v1.0": (None, 0), "v1.1.5": (1.0, 1)}.get(era, (3.0, 2))
    name = "%s-%s-%s-tp%d-%s" % (truth.name, dialect, era, size, plan_text(plan))
    return Cell(name, lambda: checkpoint(EraRun(truth, dialect, era, size, plan, layout, version)),
                truth, TRUE_SIZE + (HEADS if era == "2019" else []), outer=outer,
                zipped=era not in ("2019", "v1.0", "v1.1.5"),
                text="%s, %s names, tensor size %d, layers per stage %s" % (
                    era, DIALECT_TEXT[dialect], size, plan),
                decided=dict(qkv_layout=label_source(dialect, version),
                             layer_norm_epsilon=epsilon_source(era)),
                inspected=sizes_text(size, plan))


# ---- stages -----------------------------------------------------------------------------

def stages(truths):
    """Layers that are not divided evenly."""
    plain, layers = truths["fp16"], SIZES["layers"]
    rows = [
        ("standalone-embedding", "C", "23.04", 2, [[0, 6, 6]], dict(
            standalone_embedding_stage=True, transformer_pipeline_model_parallel_size=2)),
        ("standalone-embedding-norm", "Cn", "core_v0.4.0", 1, [[0, 4, 4, 4]], dict(
            standalone_embedding_stage=True, transformer_pipeline_model_parallel_size=3)),
        ("standalone-embedding-vpp", "C", "23.04", 1, [[0, 3, 3], [0, 3, 3]], dict(
            standalone_embedding_stage=True, transformer_pipeline_model_parallel_size=2)),
        ("uneven-first-last", "D", "core_v0.12.0", 1, [[2, 6, 4]], dict(
            decoder_first_pipeline_num_layers=2, decoder_last_pipeline_num_layers=4)),
        ("uneven-last", "Dt", "core_v0.12.0", 1, [[5, 5, 2]], dict(
            decoder_last_pipeline_num_layers=2)),
        ("uneven-vpp", "D", "core_v0.12.0", 1, [[1, 3, 2], [1, 3, 2]], dict(
            decoder_first_pipeline_num_layers=2, decoder_last_pipeline_num_layers=4,
            num_layers_per_virtual_pipeline_stage=None, num_virtual_stages_per_pipeline_rank=2)),
        ("counted-embedding-loss", "Dt", "core_v0.16.0", 1, [[1, 2, 2, 2, 2, 2, 1]], dict(
            account_for_embedding_in_pipeline_split=True,
            account_for_loss_in_pipeline_split=True)),
        ("layout-string", "D", "core_v0.16.0", 1, [[1, 3], [4, 4]], dict(
            pipeline_model_parallel_layout="Et|ttt|tttt|ttttL",
            num_layers_per_virtual_pipeline_stage=None)),
        ("layout-empty-stages", "Dt", "core_v0.16.0", 1, [[0, 6], [6, 0]], dict(
            pipeline_model_parallel_layout="E|tttttt|tttttt|L",
            num_layers_per_virtual_pipeline_stage=None)),
        ("layer-per-stage", "C", "v2.5", 1, [[1] * layers], {}),
    ]
    for name, dialect, era, size, plan, changes in rows:
        yield Cell("stages-" + name,
                   lambda d=dialect, e=era, s=size, p=plan, c=changes: checkpoint(
                       EraRun(plain, d, e, s, p, **c)), plain, outer="deflated",
                   text="%s, layers per stage %s" % (era, plan))
    for outer in (None, "deflated"):
        yield Cell("stages-untied-pp3-%s" % (outer or "folder"),
                   lambda: checkpoint(EraRun(truths["untied"], "D", "core_v0.8.0", 2,
                                             even(KIND_LAYERS, 3))), truths["untied"], outer=outer)
