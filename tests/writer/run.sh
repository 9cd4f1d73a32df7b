#!/bin/sh
# pytorch_model.bin as we write it, read by others: Python's zipfile, pickletools and pickle;
# Info-ZIP; with "torch" also torch.load (tests/bootstrap.sh matrix).
#
#     tests/writer/run.sh TEST_TORCH_WRITER [torch]              from the project's root
set -u
LC_ALL=C
export LC_ALL

temp=$(mktemp -d) || exit 2
trap 'rm -rf "$temp"' EXIT
status=0

"$1" "$temp/pytorch_model.bin" || exit 2
python3 -B tests/writer/check_archive.py "$temp/pytorch_model.bin" || status=1
if [ "${2-}" = torch ]; then
	"${PYTHON:-/usr/bin/python3}" -B tests/writer/check_torch.py "$temp/pytorch_model.bin" ||
		status=1
fi
if unzip -tqq "$temp/pytorch_model.bin" >"$temp/log" 2>&1; then
	echo "writer_unzip: 1 passed, 0 failed"
else
	cat "$temp/log"
	echo "writer_unzip: 0 passed, 1 failed"
	status=1
fi
exit $status
