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
