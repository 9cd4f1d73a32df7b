#!/usr/bin/env python3
"""The script that transformers had for this conversion, on the inputs of the benchmark.

    reference.py BUILD MEGATRON2HF ROWS ROUNDS

transformers 4.47.1 is the last release whose wheel holds convert_megatron_gpt2_checkpoint.py.
It is run as it is, in the environment that `make interop` uses (tests/interop/environments.py),
with two things around it: its tokenizer comes from a folder that has the name of the hub's, and
its input lies in a folder of its own, for it writes beside its input.  It does not sync what it
writes, and ours does; the time of both is taken all the same.  Its tensors must be ours.
"""
import os
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop"))
import environments

MODULE = "transformers.models.megatron_gpt2.convert_megatron_gpt2_checkpoint"
ENVIRONMENT = "transformers-4.47"
INPUTS = (("folder", "ngc", "ngc/release/mp_rank_00/model_optim_rng.pt"),
          ("deflated", "ngc-deflated.zip", "ngc-deflated.zip"))
CHECKPOINTS = {case: file for case, _, file in INPUTS}

build, program, rows, rounds = *map(os.path.abspath, sys.argv[1:4]), int(sys.argv[4])
bench = os.path.join(build, "bench")
work = os.path.join(bench, "reference")
tokenizer = os.path.join(work, "openai-community", "gpt2")
output = os.path.join(work, "ours")


def timed(round_, case, what, *command):
    """timing.sh tells why the input is read and memory had before."""
    os.sync()
    source = os.path.join(bench, CHECKPOINTS[case])
    subprocess.run(["cat", source], check=True, stdout=subprocess.DEVNULL)
    subprocess.run([os.path.join(bench, "resident"), str(os.path.getsize(source) >> 20)], check=True)
    subprocess.run([os.path.join(bench, "measure"), rows, "%d\treference-%s\t%s" % (
        round_, case, what), *command], check=True, cwd=work, stdin=subprocess.DEVNULL,
        env=dict(os.environ, HF_HUB_OFFLINE="1", HF_HOME=os.path.join(work, "home")))


def convert(source, to, *options):
    return [program, "convert", "-q", "--force", source, "-o", to, *options]


def one_round(python, round_):
    for case, ours, theirs in INPUTS:
        source = os.path.join(bench, ours)
        beside = os.path.join(work, case)
        shutil.rmtree(output, ignore_errors=True)
        timed(round_, case, "convert", *convert(source, output))
        shutil.rmtree(beside, ignore_errors=True)
        os.mkdir(beside)
        path = os.path.join(beside, os.path.basename(theirs))
        os.link(os.path.join(bench, theirs), path)
        timed(round_, case, "theirs", python, "-m", MODULE, path)
        os.remove(path)
        if round_ == 0:
            subprocess.run([program, "verify", beside, "--source", source, "-q"], check=True)
        shutil.rmtree(beside)


def main():
    try:
        python = environments.environment(os.path.join(build, "interop"), ENVIRONMENT)
    except environments.Unreachable as why:
        print("bench: reference skipped: %s" % why, file=sys.stderr)
        return
    shutil.rmtree(work, ignore_errors=True)
    os.makedirs(os.path.dirname(tokenizer))
    subprocess.run(convert(os.path.join(bench, "ngc"), tokenizer), check=True,
                   stdout=subprocess.DEVNULL)
    os.remove(os.path.join(tokenizer, "model.safetensors"))
    versions = subprocess.run(
        [python, "-c", "import torch, transformers; print('transformers', transformers.__version__"
         " + ', torch', torch.__version__.split('+')[0])"],
        check=True, stdout=subprocess.PIPE).stdout.decode().strip()
    for round_ in range(rounds + 1):
        one_round(python, round_)
    with open(rows, "a") as file:
        file.write("fact\treference\t%s\n" % versions)
    shutil.rmtree(work)


main()
