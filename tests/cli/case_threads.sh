# The number of threads, the locale and the clock leave no trace in the result.
cp "$FIXTURES/good-ngc-mini.zip" model.zip
convert() { "$MEGATRON2HF" convert -q --num-attention-heads 2 model.zip "$@"; }
convert -o one -j 1
convert -o four -j 4
MEGATRON2HF_THREADS=2 convert -o two
LC_ALL=de_DE.UTF-8 TZ=Asia/Tokyo convert -o other
for other in four two other; do
	diff -r one $other
done
(umask 077 && convert -o private)
diff -r one private
ls -l private/config.json one/config.json | cut -c 1-10
