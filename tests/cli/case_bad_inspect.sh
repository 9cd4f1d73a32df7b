# inspect and verify meet the same inputs.
: >empty.zip
printf '<html></html>' >page.zip
cp "$FIXTURES/ngc/bad-global-os.pt" hostile.pt
mkdir folder
for path in missing empty.zip page.zip hostile.pt folder; do
	echo "\$ inspect $path" >&2
	"$MEGATRON2HF" inspect "$path" 2>err
	status=$?
	sed "s/(offset [0-9]*)/(OFFSET)/" err >&2
	echo "status $status" >&2
	echo "\$ verify $path" >&2
	"$MEGATRON2HF" verify --progress=none "$path"
	echo "status $?" >&2
done
