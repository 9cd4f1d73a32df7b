#!/bin/sh
# Source tarball: the same bytes from the same commit, whoever makes it, wherever.
#
#     .debian/dist.sh OUT        makes OUT.tar.gz with the folder basename(OUT), from the root
#
# In a clone: the files that git knows, as they are now, with the time of the commit (or
# SOURCE_DATE_EPOCH).  In an unpacked tarball: all files, with the time they were given there.
set -eu
LC_ALL=C
export LC_ALL

out=$1
name=$(basename "$out")
mkdir -p "$(dirname "$out")"
trap 'rm -f "$out.files" "$out.tar"' EXIT

if [ -e .git ]; then
	git -c core.quotePath=off ls-files | sort > "$out.files"
	time=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
else
	find . -path ./build -prune -o \( -type f -o -type l \) -print | sed 's|^\./||' |
	    grep -vxF "$out.files" | sort > "$out.files.all"
	mv "$out.files.all" "$out.files"
	time=${SOURCE_DATE_EPOCH:-$(stat -c %Y Makefile)}
fi
tar --format=ustar --no-recursion --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX \
    --mtime="@$time" --transform="s|^|$name/|S" --files-from="$out.files" -cf "$out.tar"
gzip -9nc "$out.tar" > "$out.tar.gz"
echo "$out.tar.gz"
