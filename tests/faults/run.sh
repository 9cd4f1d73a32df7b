#!/bin/sh
# Faults of the system: every call that can fail does, once, and nothing half-made is ever seen.
#
#     tests/faults/run.sh MEGATRON2HF FAIL_NTH.SO [PART ...]      from the project's root
#     FAULTS=all          every call and every allocation, not a choice of them: `make faults`
#     FAULTS_TIMES=1      how long each part took
#
# fail_nth.c stands between the program and libc and asks main.py what to do at the n-th call.
# Parts, with the rows of the catalogue that they cover:
#
# sweep       sweeps.py   185 forceatomic, 187 enospcmid, 188 eio, 189 short, 191 renamefail,
#                         202 crash (SIGKILL), 205 sigint, 208 oom, 211 nproc, 217 nfs
# ending      ending.py   203 stale, 205 sigint (the second signal), 182 exists (it came meanwhile)
# changing    changing.py 24 changing
# order       order.py    202 crash (power loss)
# places      places.py   186 enospcstart, 187 enospcmid (a real disk), 190 efbig, 192 stdoutfull,
#                         206 sigpipe, 207 fdclosed, 210 nofile, 212 stack
set -u
LC_ALL=C
TMPDIR=${TMPDIR:-/tmp}
PYTHONDONTWRITEBYTECODE=1
export LC_ALL TMPDIR PYTHONDONTWRITEBYTECODE
unset MEGATRON2HF_THREADS SOURCE_DATE_EPOCH LD_PRELOAD FAIL_NTH

[ $# -ge 2 ] || { echo "usage: $0 MEGATRON2HF FAIL_NTH.SO [PART ...]" >&2; exit 2; }
m2h=$1
between=$2
shift 2

# In memory where that can be had: thousands of small directories are synced.
for folder in /dev/shm "$TMPDIR"; do
	temp=$(mktemp -d "$folder/m2h-faults.XXXXXX" 2>/dev/null) && break
done
[ -n "$temp" ] || exit 2
trap 'chmod -R u+rwx "$temp"; rm -rf "$temp"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
python3 tests/faults/main.py "$m2h" "$between" "$temp" "$@" </dev/null
