# The table of cases, each beside its floor.  Sourced by run.sh.

twice=$bench/twice
checked=$bench/checked          # what verify --source is measured on

one_round() {   # ROUND
	warm=$folder written=$output_mib
	timed_twice "$1" folder convert "$tool" convert "$folder" -o "$out" -q
	timed_twice "$1" folder floor "$bench/floor" convert "$out" "$checkpoint"
	timed "$1" folder cp          cp "$checkpoint" "$out"
	timed "$1" folder sha256sum   sha256sum "$checkpoint"
	timed "$1" folder inspect     "$tool" inspect "$folder"

	warm=$stored
	timed_twice "$1" stored convert "$tool" convert "$stored" -o "$out" -q
	timed_twice "$1" stored floor "$bench/floor" convert "$out" "$stored"
	timed "$1" stored cp          cp "$stored" "$out"
	timed "$1" stored sha256sum   sha256sum "$stored"
	timed "$1" stored inspect     "$tool" inspect "$stored"

	warm="$deflated $folder"
	timed_twice "$1" deflated convert "$tool" convert "$deflated" -o "$out" -q
	for library in $libraries; do
		timed_twice "$1" deflated "$library" "$bench/unpack" "$library" "$deflated"
	done
	timed_twice "$1" deflated sha256 "$bench/floor" sha256 "$checkpoint"
	timed_by_itself "$1" deflated fsync "$bench/floor" fsync "$(wc -c < "$checkpoint")" "$out"
	timed "$1" deflated cp        cp "$deflated" "$out"
	timed "$1" deflated sha256sum sha256sum "$deflated"
	timed "$1" deflated inspect   "$tool" inspect "$deflated"

	warm=$dist
	timed_twice "$1" dist convert "$tool" convert "$dist" -o "$out" -q
	timed_twice "$1" dist floor   "$bench/floor" convert "$out" "$dist"/*/*.distcp
	timed "$1" dist inspect       "$tool" inspect "$dist"

	warm=$ranks
	timed_twice "$1" ranks convert "$tool" convert "$ranks" -o "$out" -q
	timed_twice "$1" ranks floor  "$bench/floor" convert "$out" "$ranks"/*/*/*.pt

	warm=$folder
	written=$((2 * output_mib))
	timed_twice "$1" both convert "$tool" convert "$folder" -o "$out" -q --weights both
	timed_twice "$1" both two     "$bench/floor" two "$out" "$checkpoint"
	timed_twice "$1" float32 convert "$tool" convert "$folder" -o "$out" -q --dtype float32
	timed_twice "$1" float32 double "$bench/floor" double "$out" "$checkpoint"
	written=$output_mib
	timed_twice "$1" disk convert "$tool" convert "$folder" -o "$out" -q --read-back disk
	timed_twice "$1" disk disk    "$bench/floor" disk "$out" "$checkpoint"

	warm="$folder $checked" written=
	timed_twice "$1" checked verify "$tool" verify "$checked" --source "$folder" -q
	timed_twice "$1" checked both "$bench/floor" both "$checkpoint" \
		"$checked/model.safetensors"
	timed "$1" checked directory  "$tool" verify "$checked" -q
}

# Twice the layers: memory must not grow.  The shape is no known model, so the number of
# heads is told.
twice_the_layers() {
	"$bench/make_ngc" --layers 48 "$twice"
	timed once twice convert "$tool" convert "$twice" -o "$out" -q \
		--num-attention-heads 16
	rm -rf "$twice"
}

rm -rf "$checked"
"$tool" convert "$folder" -o "$checked" -q
output_mib=$(($(wc -c < "$checked/model.safetensors") >> 20))
for same in "$dist" "$ranks"; do
	rm -rf "$out"
	"$tool" convert "$same" -o "$out" -q
	cmp "$checked/model.safetensors" "$out/model.safetensors" ||
		{ echo "bench: $same does not hold the model of $folder" >&2; exit 1; }
done

streaming=$("$bench/unpack")    # the library that megatron2hf inflates with
libraries="$streaming libdeflate"
[ "$streaming" = zlib ] || libraries="$libraries zlib"
fact streaming "$streaming"
fact sha256sum "$(ldd "$(command -v sha256sum)" 2>/dev/null | grep -q libcrypto &&
	echo 'with OpenSSL' || echo 'without OpenSSL')"

repeat one_round
for case in folder stored deflated dist; do
	eval "input=\$$case"
	warm=$input
	timed_first_byte "$case" "$tool" convert "$input" -o "$out" --progress=plain
done
warm=
twice_the_layers
rm -rf "$checked"
