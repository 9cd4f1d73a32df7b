#!/bin/sh
# Converts the bundled miniature of the NGC release, in a folder of its own, and shows every
# step as it can be typed in a clone.
set -eu
case $1 in /*) tool=$1 ;; *) tool=$PWD/$1 ;; esac
fixtures=$PWD/fixtures
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
ln -s "$fixtures" fixtures

megatron2hf() {
	echo
	echo "\$ megatron2hf $*"
	"$tool" "$@" 2>&1
}

megatron2hf inspect fixtures/good-ngc-mini.zip --num-attention-heads 2
megatron2hf convert fixtures/good-ngc-mini.zip --num-attention-heads 2 -o gpt2-mini
echo
echo "\$ (cd gpt2-mini && sha256sum -c SHA256SUMS)"
(cd gpt2-mini && sha256sum -c SHA256SUMS)
megatron2hf verify gpt2-mini
