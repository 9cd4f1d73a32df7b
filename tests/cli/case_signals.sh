# A signal at any moment: either nothing or all is there afterwards, and the shell sees the
# signal.  The program itself is called, since the wrapper would get the signal; timeout without
# --foreground would send it twice, and the second one ends the program at once.
timeout --foreground --preserve-status 9 true 2>/dev/null || { echo "no timeout command" >&2; exit 77; }
cp "$FIXTURES/good-ngc-mini.zip" model.zip
for signal in INT:130 TERM:143 HUP:129; do
	for delay in 001 002 004 006 008 010 013 016 020 025 030 040 060; do
		timeout --foreground --preserve-status -s "${signal%:*}" "0.$delay" \
			"$PROGRAM" convert --progress=none model.zip -o out --num-attention-heads 2 >log 2>&1
		status=$?
		if [ "$status" -eq 0 ]; then
			"$PROGRAM" verify -q out || echo "$signal after 0.$delay: incomplete"
		elif [ "$status" -ne "${signal#*:}" ]; then
			echo "$signal after 0.$delay: status $status"
			cat log
		elif [ -e out ]; then
			"$PROGRAM" verify -q out || echo "$signal after 0.$delay: incomplete"
		fi
		rm -rf out
		[ "$(ls -A | tr '\n' ' ')" = "log model.zip " ] ||
			{ echo "$signal after 0.$delay: left behind:"; ls -A; rm -rf .out*; }
	done
done
# Nor does a reader that stalls hold it up.  The header is more than a pipe takes.
awk 'BEGIN {
	for (i = 0; i < 4000; i++)
		header = header sprintf("%s\"tensor.%d\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}",
			i > 0 ? "," : "", i)
	length_ = length(header) + 2
	for (i = 0; i < 8; i++) {
		printf "%c", length_ % 256
		length_ = int(length_ / 256)
	}
	printf "{%s}", header
}' >big.safetensors
mkfifo stalled
sleep 60 <stalled &
reader=$!
timeout --foreground --preserve-status -k 9 -s TERM 1 \
	"$PROGRAM" inspect --tensors --json big.safetensors >stalled 2>log
status=$?
[ "$status" -eq 143 ] || { echo "a stalled reader: status $status"; cat log; }
kill "$reader"
