#!/bin/sh
# The forms in which `megatron2hf convert` writes weights: shards, pytorch_model.bin, element
# types, the profile of transformers 4.18.  Read with Python's own modules.
#
#     tests/forms/run.sh MEGATRON2HF                             from the project's root
set -u
exec python3 tests/forms/forms.py "$1"
