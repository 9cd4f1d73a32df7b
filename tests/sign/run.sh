#!/bin/sh
# Model signatures: what `megatron2hf sign` makes, as Python's standard library and the openssl
# command see it, and what `megatron2hf verify --signature` says to bundles that openssl signed.
#
#     tests/sign/run.sh MEGATRON2HF                              from the project's root
set -u
LC_ALL=C
export LC_ALL
unset MEGATRON2HF_PASSPHRASE

temp=$(mktemp -d) || exit 2
trap 'chmod -R u+rwx "$temp"; rm -rf "$temp"' EXIT
python3 tests/sign/signatures.py "$1" "$temp" </dev/null
