# A limit on the size of files stands in for a full disk: no killing by SIGXFSZ, no remains.
cp "$FIXTURES/good-ngc-mini.zip" model.zip
(ulimit -f 100 && exec "$MEGATRON2HF" convert --progress=none model.zip -o out --num-attention-heads 2)
echo "status $?"
ls -A
