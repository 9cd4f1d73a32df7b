# --config fills what the checkpoint does not say, and must agree with what it does.
cp "$FIXTURES/good-ngc-mini.zip" model.zip
convert() { "$MEGATRON2HF" convert -q model.zip --config config.json "$@"; echo "status $?"; }
given() { printf '%s' "$1" >config.json; }
given '{"n_head": 2}'
convert -o filled
grep n_head filled/config.json
given '{"n_head": 2, "n_layer": 3}'
convert -o out
given '{"num_attention_heads": 2, "n_layer": 2}'
convert -o alias
cmp filled/config.json alias/config.json
given '{"n_head": 2, "num_attention_heads": 4}'
convert -o out
given '{"n_head": 2, "n_head": 4}'
convert -o out
given '{"n_head": NaN}'
convert -o out
given '{"n_head": "2"}'
convert -o out
given '{"n_head": 2,}'
convert -o out
given '{"model_type": "bert", "n_head": 2}'
convert -o out
rm config.json
convert -o out
ls
