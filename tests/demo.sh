#!/bin/sh
# Converts the bundled miniature of the NGC release and shows every step.
set -eu
megatron2hf=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

show() {
	echo
	echo "\$ $*" | sed "s|$megatron2hf|megatron2hf|; s|$work/||g; s|fixtures/||"
	"$@"
}

show "$megatron2hf" inspect fixtures/good-ngc-mini.zip --num-attention-heads 2
show "$megatron2hf" convert fixtures/good-ngc-mini.zip --num-attention-heads 2 -o "$work/gpt2-mini"
echo
echo "\$ cd gpt2-mini && sha256sum -c SHA256SUMS"
(cd "$work/gpt2-mini" && sha256sum -c SHA256SUMS)
show "$megatron2hf" verify "$work/gpt2-mini"
