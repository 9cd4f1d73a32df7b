#!/bin/sh
# The process gives up what it does not need, before it reads its input: what strace sees, and what
# code inside the process can still do (intruder.c).
#
#     tests/sandbox/run.sh MEGATRON2HF                       from the project's root
#
# What the kernel, or the way it was built, does not have is skipped by name.  CC: for intruder.c.
set -u
LC_ALL=C
TERM=dumb
export LC_ALL TERM
unset MEGATRON2HF_THREADS NO_COLOR TMPDIR GITHUB_STEP_SUMMARY

case $1 in /*) m2h=$1 ;; *) m2h=$PWD/$1 ;; esac
here=$PWD/tests/sandbox
fixtures=$PWD/fixtures
temp=$(mktemp -d) || exit 2
temp=$(cd "$temp" && pwd -P)
trap 'chmod -R u+rwx "$temp"; rm -rf "$temp"' EXIT
passed=0
failed=0

expect() {      # WHAT, EXPECTED, FOUND
	if [ "$2" = "$3" ]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "sandbox: $1"
		echo "expected: $2" | sed 's/^/    /'
		echo "found: $3" | sed 's/^/    /'
	fi
}

skip() {
	echo "sandbox: skipped: $*"
}

cd "$temp" || exit 2
openssl ecparam -name prime256v1 -genkey -noout -out key.pem 2>/dev/null
openssl pkey -in key.pem -pubout -out key.pub 2>/dev/null
mkdir work
cp "$fixtures/good-ngc-mini.zip" work/model.zip

said=$("$m2h" inspect -v work/model.zip --num-attention-heads 2 2>&1 >/dev/null |
    grep -a '^sandbox  ')
has_files=no has_calls=no
case $said in *'files (Landlock)'*) has_files=yes ;; esac
case $said in *'system calls (seccomp)'*) has_calls=yes ;; esac
# What the kernel has, asked without the program; sanitizers and gcov need what a sandbox refuses.
kernel=$(python3 - <<'PYTHON'
import ctypes, platform
landlock = ctypes.CDLL(None).syscall(444, None, 0, 1) >= 1
filters = "\nSeccomp_filters:" in open("/proc/self/status").read() \
    and platform.machine() in ("x86_64", "aarch64", "riscv64")
print("yes" if landlock else "no", "yes" if filters else "no")
PYTHON
)
case ${CFLAGS:-} in *-fsanitize=*|*--coverage*) kernel='no no' ;; esac
expect '-v says what the process is confined to: all that the kernel can do' "$kernel" \
    "$has_files $has_calls"
expect 'before anything else' "$said" "$("$m2h" convert -v -n work/model.zip -o work/none \
    --num-attention-heads 2 2>&1 >/dev/null | sed 1q)"
expect 'with --json it is not said' '' \
    "$("$m2h" inspect -v --json work/model.zip --num-attention-heads 2 2>&1 >/dev/null)"

# ---- each command, as strace sees it -------------------------------------------------

# What a trace shows of the network, and of other programs and processes.  The first line is
# strace starting the program; the C library asks for threads by clone3() first.
foreign() {
	grep -aE '(socket|socketpair|connect|bind|listen|accept4?|sendto|execve|execveat|fork|vfork)\(|clone3?\(' "$1" |
	    sed 1d | grep -av 'CLONE_THREAD'
}

# Which comes first: "bound", or a byte of a file that the command line names?
first_of() {
	awk '
		/landlock_restrict_self\(.* = 0$/ { print "landlock" }
		/seccomp\(SECCOMP_SET_MODE_FILTER.* = 0$/ { print "seccomp" }
		/ (read|pread64|readv|preadv2?)\([0-9]+<[^>]*(work|key\.p)/ || / mmap\(.*<[^>]*(work|key\.p)/ {
			print "input"; exit
		}' "$1" | tr '\n' ' '
}

bound=
[ $has_files = no ] || bound='landlock '
[ $has_calls = no ] || bound="${bound}seccomp "

traced() {      # WHAT ARGUMENT...
	what=$1
	shift
	ASAN_OPTIONS=detect_leaks=0 strace -f -y -qq -s 0 -o trace "$m2h" "$@" >out 2>err </dev/null
	status=$?
	[ $status -eq 0 ] || status="$status: $(tail -2 err)"
	expect "$what: status" 0 "$status"
	expect "$what: no socket, no program, no process" '' "$(foreign trace)"
	expect "$what: bound before the first byte of input" "${bound}input " "$(first_of trace)"
}

if strace -qq -o trace true 2>/dev/null; then
	traced convert convert work/model.zip -o work/out --num-attention-heads 2 -j 4
	expect 'threads can be started' 'yes' \
	    "$(grep -qE 'clone3?(\(.*CLONE_THREAD.*| resumed>.*) = [1-9]' trace && echo yes)"
	traced 'convert --weights both --provenance' convert work/model.zip -o work/both \
	    --num-attention-heads 2 --weights both --provenance work/both.json --model-card auto
	traced 'convert --stream tar' convert work/model.zip -o - --stream tar --num-attention-heads 2 \
	    --staging work
	traced inspect inspect work/model.zip --tensors
	traced verify verify work/out --report junit=work/report.xml
	traced 'verify --source' verify work/out --source work/model.zip
	traced diff diff work/out work/both
	traced sign sign work/out --key key.pem
	traced 'verify --signature' verify work/out --signature work/out/model.sig --key key.pub
else
	skip 'what strace would see: it does not work here'
	"$m2h" convert -q work/model.zip -o work/out --num-attention-heads 2 >/dev/null
fi

# ---- code inside the process ----------------------------------------------------------

# The attempts of intruder.c, and what must become of them: by Landlock, by seccomp.
wanted() {
	cat <<-ATTEMPTS
	read /etc/passwd: EACCES files
	list /etc: EACCES files
	read another file: EACCES files
	write another file: EACCES files
	truncate another file: EPERM calls
	make a file elsewhere: EACCES files
	make a folder elsewhere: EACCES files
	make a link elsewhere: EACCES files
	remove a file elsewhere: EACCES files
	rename a file elsewhere: EACCES files
	change a mode: EPERM calls
	change an owner: EPERM calls
	write the input: EACCES files
	make a file beside the output: done files
	remove it: done files
	move a file from there: EACCES files
	internet socket: EPERM calls
	UNIX socket: EPERM calls
	socket pair: EPERM calls
	ring of calls: EPERM calls
	signal to the parent: EPERM calls
	run a program: EPERM calls
	fork: EPERM calls
	clone3: ENOSYS calls
	ATTEMPTS
}

intruded() {    # LOG: its lines beside those that are wanted, as far as there is something to want
	wanted | while read -r line; do
		case $line in
		*' files') [ $has_files = yes ] || continue ;;
		*' calls') [ $has_calls = yes ] || continue ;;
		esac
		line=${line% *}
		grep -qxF "$line" "$1" || echo "$line; found $(grep -F "${line%%:*}:" "$1")"
	done
}

# Where nothing binds, each attempt must succeed: else the test above would prove nothing.
free() {
	grep -vE ': (done|ENOSYS|EPERM)$' "$1" | grep -v '^ring of calls'
}

# What there is to be had.
bait() {
	rm -rf victim
	mkdir victim
	echo secret > victim/secret
	cp victim/secret victim/old
	cp victim/secret victim/older
	cp victim/secret work/mine
}

mkdir read
cp "$fixtures/good-ngc-mini.zip" read/model.zip
if [ -z "$bound" ]; then
	skip "code inside the process: ${said#sandbox  }"
elif ! ${CC:-cc} -D_GNU_SOURCE -shared -fPIC -o intruder.so "$here/intruder.c" 2>log; then
	expect 'intruder.c builds' '' "$(cat log)"
else
	INTRUDER_INPUT=read/model.zip INTRUDER_PATH=$temp/read/model.zip INTRUDER_LOG=9
	INTRUDER_VICTIM=$temp/victim INTRUDER_PARENT=$temp/work
	export INTRUDER_INPUT INTRUDER_PATH INTRUDER_LOG INTRUDER_VICTIM INTRUDER_PARENT
	bait
	LD_PRELOAD=$temp/intruder.so cat read/model.zip >/dev/null 9>free.log
	expect 'without a sandbox nothing holds the intruder' '' "$(free free.log)"
	bait
	before=$(ls -l victim; cat victim/*)
	for threads in 1 4; do
		LD_PRELOAD=$temp/intruder.so "$m2h" convert -q -j $threads read/model.zip -f -o work/again \
		    --num-attention-heads 2 >out 2>err 9>bound.log
		expect "the conversion goes on, $threads threads" '0 work/again' "$? $(cat out err)"
		expect "what the intruder could do, $threads threads" '' "$(intruded bound.log)"
	done
	LD_PRELOAD=$temp/intruder.so "$m2h" inspect read/model.zip --num-attention-heads 2 >out 2>err \
	    9>bound.log
	[ $has_files = no ] || expect 'inspect writes nowhere' \
	    'make a file beside the output: EACCES' "$(grep '^make a file beside' bound.log)"
	[ "$has_files$has_calls" != yesyes ] ||
	    expect 'what it was after is as it was' "$before" "$(ls -l victim; cat victim/*)"
	unset INTRUDER_INPUT
fi

# ---- what must still work --------------------------------------------------------------

works() {       # WHAT, ARGUMENT...
	what=$1
	shift
	"$m2h" "$@" >out 2>err
	status=$?
	[ $status -eq 0 ] || status="$status: $(tail -2 err)"
	expect "$what" 0 "$status"
}

# A checkpoint of links, as it lies when disks are full: iteration, rank and file elsewhere.
mkdir -p tree/disk1 tree/disk2 tree/disk3/elsewhere
cp -R "$fixtures/ngc/good-tp2" tree/root
mv tree/root/iter_0001000 tree/disk1/saved
ln -s "$temp/tree/disk1/saved" tree/root/iter_0001000
mv tree/disk1/saved/mp_rank_01 tree/disk2/
ln -s ../../disk2/mp_rank_01 tree/disk1/saved/mp_rank_01
mv tree/disk2/mp_rank_01/model_optim_rng.pt tree/disk3/elsewhere/
ln -s ../../disk3/elsewhere tree/disk2/mp_rank_01/step
ln -s step/model_optim_rng.pt tree/disk2/mp_rank_01/model_optim_rng.pt
works 'links from disk to disk' inspect tree/root
expect 'of both ranks' 2 "$(grep -c '^input: ' out)"
works 'and converted' convert -q tree/root -o work/linked

# The Hub's cache: snapshots of links to blobs.
mkdir -p cache/blobs cache/snapshots/main
for name in $(ls work/out); do
	blob=$(sha256sum < "work/out/$name" | cut -c 1-64)
	cp "work/out/$name" "cache/blobs/$blob"
	ln -s "../../blobs/$blob" "cache/snapshots/main/$name"
done
works "a folder of the Hub's cache" diff cache/snapshots/main work/out

# A link to itself, and one upwards, end.
mkdir loop
cp read/model.zip loop/
ln -s . loop/here
ln -s .. loop/above
timeout 60 "$m2h" inspect loop >out 2>err
expect 'links that go round' 6 $?

# Pipes are stored while they are read.
cat read/model.zip | "$m2h" inspect - --num-attention-heads 2 >out 2>err
expect 'a pipe, inspected' '0 ' "$? $(cat err)"
cat read/model.zip | "$m2h" verify -q work/out --source - >out 2>err
expect 'a pipe, to verify' '0 ' "$? $(cat err)"
mkdir spool
cat read/model.zip | TMPDIR=$temp/spool "$m2h" convert -q - -o - --stream tar --num-attention-heads 2 \
    2>err >out
expect 'a pipe, to a tar' '0 ' "$? $(cat err)"
expect 'whole' 9 "$(tar -tf out | wc -l)"
"$m2h" sign -q work/out -f --key - <key.pem >out 2>err
expect 'a key by standard input' '0 ' "$? $(cat err)"

# Files beside the work.
mkdir reports
GITHUB_STEP_SUMMARY=$temp/reports/summary
export GITHUB_STEP_SUMMARY
works 'a summary that is not there' verify -q work/out --report github
works 'and one that is' verify -q work/out --report github
expect 'both in it' 2 "$(grep -c '^#' reports/summary)"
works 'a report elsewhere' verify -q work/out --report sarif=reports/verify.sarif
works 'a signature elsewhere' sign -q work/out --key key.pem -o reports/model.sig
works 'a statement elsewhere' convert -q read/model.zip -f -o work/again --num-attention-heads 2 \
    --provenance reports/statement.json

echo "sandbox: $passed passed, $failed failed"
[ $failed -eq 0 ]
