# A disk that is slower than the conversion: reads are held to a rate by a control group, with
# the input dropped from the cache before.  Then the conversion should take as long as reading
# alone: if it took longer, the disk would have waited for it.  Sourced by run.sh.

rate=100000000

# The disk under $bench, as MAJOR:MINOR; rates are for whole disks.
disk() {
	number=$(stat -c %Hd:%Ld "$bench") || return
	[ -e "/sys/dev/block/$number" ] || return
	if [ -e "/sys/dev/block/$number/partition" ]; then
		number=$(cat "/sys/dev/block/$number/../dev") || return
	fi
	echo "$number"
}

# A group of version 1 or 2 in which reads of the disk $1 are held to the rate.
make_group() {
	if [ -d /sys/fs/cgroup/blkio ]; then
		group=/sys/fs/cgroup/blkio/megatron2hf-bench
		mkdir -p $group && echo "$1 $rate" > $group/blkio.throttle.read_bps_device
	else
		group=/sys/fs/cgroup/megatron2hf-bench
		echo +io > /sys/fs/cgroup/cgroup.subtree_control &&
			mkdir -p $group && echo "$1 rbps=$rate" > $group/io.max
	fi
} 2>/dev/null

# slowly CASE WHAT FILE COMMAND ...: with FILE, which it reads, out of the cache
slowly() {
	slow_case=$1 slow_what=$2
	dd if="$3" iflag=nocache count=0 status=none
	shift 3
	timed once "$slow_case" "$slow_what" sh -c 'echo $$ > "$0" && exec "$@"' \
		$group/cgroup.procs "$@"
}

if number=$(disk) && make_group "$number"; then
	fact rate $rate
	slowly slow-folder cat "$checkpoint" cat "$checkpoint"
	slowly slow-folder convert "$checkpoint" "$tool" convert "$folder" -o "$out" -q
	slowly slow-stored cat "$stored" cat "$stored"
	slowly slow-stored convert "$stored" "$tool" convert "$stored" -o "$out" -q
	slowly slow-deflated cat "$deflated" cat "$deflated"
	slowly slow-deflated convert "$deflated" "$tool" convert "$deflated" -o "$out" -q
	rmdir "$group"
	group=
else
	skipped slow "no control group can hold reads of this disk to a rate (root may)"
fi
