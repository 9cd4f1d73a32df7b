"""A small model learns a text, as Megatron lays it out; transformers goes on with it.

    python text_survives.py WORK

Trained once, in PyTorch, on the words of the licence; saved as of 2019 (2 tensor ranks, flat
names, float16) and as mcore has it (2 x 2 ranks).  Before and after conversion the greedy
continuation must be the same and the perplexity too; the tokenizer is GPT-2's.
"""
import math
import os
import sys

sys.dont_write_bytecode = True
import torch
import transformers

from checks import Checks, MINI, MINI_OPTIONS, convert
from gpt2_tokenizer import Gpt2Tokenizer
from megatron_forward import MegatronModel

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "make"))
from saving_eras import EraRun, EraTruth, even

LENGTH, STEPS, BATCH, MEASURED = 48, 200, 16, 1200
SIZES = dict(hidden=64, layers=2, heads=4, positions=LENGTH, vocabulary=50257)
PROMPT = "Subject to the terms and conditions of this License, each Contributor"
CASES = [("2019 flat, 2 ranks, float16", "A", "2019", 2, even(2, 1), None, 0, torch.float16,
          ["--num-attention-heads", "4"]),
         ("mcore, 2 × 2 ranks, float32", "D", "core_v0.12.0", 2, even(2, 2), 3.0, 2, torch.float32,
          [])]


def teach(ids):
    """A GPT-2 that knows the text, as float32 tensors by name."""
    torch.manual_seed(3)
    config = transformers.GPT2Config(
        vocab_size=50257, n_positions=LENGTH, n_embd=64, n_layer=2, n_head=4, embd_pdrop=0.0,
        attn_pdrop=0.0, resid_pdrop=0.0)
    model = transformers.GPT2LMHeadModel(config)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.0)
    used, inverse = torch.unique(ids, return_inverse=True)
    for step in range(STEPS):
        starts = torch.randint(0, len(ids) - LENGTH, (BATCH,)).tolist()
        hidden = model.transformer(torch.stack([ids[s:s + LENGTH] for s in starts]))[0]
        wanted = torch.stack([inverse[s:s + LENGTH] for s in starts])[:, 1:]
        logits = hidden[:, :-1] @ model.transformer.wte.weight[used].t()     # the words in use
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), wanted.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():       # the others were not in the sum: they must not be said
        others = torch.ones(50257, dtype=torch.bool)
        others[used] = False
        model.transformer.wte.weight[others] *= 0.01
    return {name: tensor for name, tensor in model.state_dict().items() if name != "lm_head.weight"}


def continuation(logits_of, ids, count=24):
    ids = list(ids)
    for _ in range(count):
        ids.append(int(logits_of(torch.tensor([ids]))[0, -1, :50257].argmax()))
    return ids


def perplexity(logits_of, ids):
    losses = []
    for start in range(0, len(ids) - LENGTH, LENGTH):
        piece = ids[start:start + LENGTH].unsqueeze(0)
        losses.append(torch.nn.functional.cross_entropy(
            logits_of(piece)[0, :-1, :50257].double(), piece[0, 1:]))
    return math.exp(torch.stack(losses).mean())


def main(work):
    checks = Checks("text_survives")
    os.makedirs(work)
    plain = convert(MINI, os.path.join(work, "tokenizer"), *MINI_OPTIONS)
    tokenizer = Gpt2Tokenizer(os.path.join(plain, "merges.txt"))
    with open(os.path.join(HERE, "..", "..", "LICENSE")) as file:
        ids = torch.tensor(tokenizer.encode(" ".join(file.read().split())))
    tensors = teach(ids)
    for number, (name, dialect, era, size, plan, label, layout, dtype, options) in enumerate(CASES):
        with checks.cell("transformers", transformers.__version__, "a trained model: greedy continuation and "
                         "perplexity before and after: %s" % name) as cell:
            truth = EraTruth("text", 1, dtype=dtype, **SIZES)
            assert sorted(truth.tensors) == sorted(tensors)
            for key in truth.tensors:
                truth.tensors[key] = tensors[key].to(dtype)
            run = EraRun(truth, dialect, era, size, plan, layout, label, divisible_by=128)
            states = [[run.state(rank, stage) for rank in range(size)]
                      for stage in range(run.pipeline_size)]
            source = os.path.join(work, "source%d" % number)
            for stage, ranks in enumerate(states):
                for rank, state in enumerate(ranks):
                    folder = os.path.join(source, "mp_rank_%02d" % rank + (
                        "_%03d" % stage if len(states) > 1 else ""))
                    os.makedirs(folder)
                    torch.save(state, os.path.join(folder, "model_optim_rng.pt"),
                               _use_new_zipfile_serialization=era != "2019")
            out = convert(source, source + "-hf", *options)
            before = MegatronModel(states, len(plan), layout, 4, "gelu_new", 1e-5, False).logits
            after = transformers.AutoModelForCausalLM.from_pretrained(
                out, dtype=torch.float32).eval()
            their = transformers.AutoTokenizer.from_pretrained(out)
            with torch.no_grad():
                check(cell, tokenizer, ids, before, after, their)
    return checks.end()


def check(cell, tokenizer, ids, before, after, their):
    prompt = tokenizer.encode(PROMPT)
    cell.same(their(PROMPT)["input_ids"], prompt, "ids of the prompt")
    expected = continuation(before, prompt)
    found = after.generate(torch.tensor([prompt]), do_sample=False, max_new_tokens=24,
                           pad_token_id=50256)[0].tolist()
    text = their.decode(found)
    print("%r" % text)
    cell.same(found, expected, "continuation")
    cell.check("grants to You a perpetual, worldwide" in text, "it has not learnt the text: %r", text)
    measured = ids[:MEASURED]
    one, two = perplexity(before, measured), perplexity(lambda x: after(x).logits, measured)
    print("perplexity %.6f before, %.6f after" % (one, two))
    cell.check(one < 10 and abs(one - two) < 1e-4 * one, "perplexity %g before, %g after", one, two)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
