# How large reads and writes are, as strace sees them.  Sourced by run.sh.

traces=$bench/traces

counted() {     # CASE INPUT
	rm -rf "$traces"
	mkdir "$traces"
	fresh
	strace -ff -y -s 0 -o "$traces/of" \
		-e trace=read,pread64,readv,preadv,write,pwrite64,writev,pwritev \
		"$tool" convert "$2" -o "$out" -q > /dev/null
	python3 "$here/calls.py" "$1" "$2" "$out" "$traces"/of.* >> "$rows"
	rm -rf "$traces"
}

if command -v strace >/dev/null 2>&1; then
	counted folder "$folder"
	counted stored "$stored"
	counted deflated "$deflated"
	"$bench/make_ngc" --tensor-size 8 "$bench/size" > "$bench/size.log"
	counted ranks "$bench/size"
	rm -rf "$bench/size"
else
	skipped calls "strace is not here"
fi
